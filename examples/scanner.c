/*
 * scanner.c - which ports of a host are open.
 *
 *     cc scanner.c $(pkg-config --cflags --libs salp) -o scanner
 *     ./scanner HOST FIRST LAST [AT_ONCE [MILLISECONDS]]
 *
 * Some tasks take the next port until there is none left: so many are tried at once. Each try is made in a scope with a
 * deadline, since a port behind a firewall does not answer at all.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

typedef struct scan {
    salp_address host;
    int next, last; /* of all tasks: no lock, since they run on one loop and do not wait in between */
    int at_once;
    int64_t patience;
    int open, closed, silent;
    bool is_open[65536];
} scan;

static int try_port(const scan *s, int port)
{
    salp_address address = s->host;
    salp_stream *stream;
    salp_scope scope;
    salp_address_set_port(&address, (unsigned)port);
    salp_scope_open(&scope, s->patience);
    int error = salp_stream_connect(&stream, &address, NULL);
    salp_scope_close(&scope);
    salp_stream_close(stream);
    return error;
}

static int try_ports(void *arg)
{
    scan *s = arg;
    while (s->next <= s->last) {
        int port = s->next++, error = try_port(s, port);
        if (error == 0) {
            s->is_open[port] = true;
            s->open++;
        } else if (error == -ECONNREFUSED) {
            s->closed++;
        } else if (error == -ETIMEDOUT || error == -EHOSTUNREACH) {
            s->silent++;
        } else {
            return error; /* not the port's: no descriptor left, say. It ends the other tasks, too */
        }
    }
    return 0;
}

static int run(void *arg)
{
    scan *s = arg;
    salp_group group;
    int error = 0;
    salp_group_open(&group);
    for (int i = 0; i < s->at_once && error == 0; i++)
        error = salp_go(&group, try_ports, s);
    int failure = salp_group_close(&group);
    return failure < 0 ? failure : error;
}

int main(int argc, char **argv)
{
    static scan s;
    salp_address *addresses;
    if (argc < 4 || argc > 6) {
        fprintf(stderr, "usage: scanner HOST FIRST LAST [AT_ONCE [MILLISECONDS]]\n");
        return 2;
    }
    s.next = atoi(argv[2]);
    s.last = atoi(argv[3]);
    s.at_once = argc > 4 ? atoi(argv[4]) : 100;
    s.patience = SALP_MILLISECONDS(argc > 5 ? atoi(argv[5]) : 1000);
    if (s.next < 1 || s.last > 65535 || s.at_once < 1 || s.patience <= 0) {
        fprintf(stderr, "scanner: ports are 1 to 65535, and at least one has to be tried at a time\n");
        return 2;
    }
    int first = s.next, result = salp_resolve(&addresses, argv[1], NULL, NULL);
    if (result > 0) {
        s.host = addresses[0];
        salp_addresses_free(addresses);
        result = salp_run(run, &s);
    }
    if (result < 0) {
        fprintf(stderr, "scanner: %s\n", salp_strerror(result));
        return 1;
    }
    for (int port = first; port <= s.last; port++)
        if (s.is_open[port])
            printf("port %d is open\n", port);
    printf("%d open, %d closed, %d silent\n", s.open, s.closed, s.silent);
    return 0;
}
