/*
 * Connecting: to one address, or to the first of several that answers (RFC 8305, "happy eyeballs").
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <salp/name.h>
#include <salp/task.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/socket.h"
#include "stream/stream.h"
#include "stream/tls.h"
#include "task/descriptor.h"

/* How long one address may stay silent before the next one is tried, too: section 8 of the RFC. */
static const int64_t patience = SALP_MILLISECONDS(250);

/* Those that are being tried. */
typedef struct contest {
    salp__interest running[SALP__MAX_INTERESTS];
    int count;
    int failure; /* the last one */
} contest;

static int connect_unix(int fd, const salp_address *address)
{
    int error;
    /* Its queue is full, and nothing tells when it is not any more. */
    while ((error = salp__socket_connect(fd, address)) == -EAGAIN) {
        error = salp_sleep(SALP_MILLISECONDS(5));
        if (error < 0)
            return error;
    }
    return error;
}

/* Returns a descriptor that is connected; or -EINPROGRESS, and it is among those that run; or an error. */
static int try(contest *race, const salp_address *address, const salp_stream_options *options)
{
    int family = salp_address_family(address);
    int fd = salp__socket_open(family, SOCK_STREAM, 0);
    if (fd < 0)
        return fd;
    int error = options && options->local ? salp__socket_bind(fd, options->local) : 0;
    if (error == 0)
        error = family == AF_UNIX ? connect_unix(fd, address) : salp__socket_connect(fd, address);
    if (error == 0)
        return fd;
    if (error == -EINPROGRESS)
        race->running[race->count++] = (salp__interest){ .fd = fd, .events = SALP__POLL_OUT };
    else
        salp__file_close(fd);
    return error;
}

static void drop(contest *race, int i)
{
    salp__file_close(race->running[i].fd);
    race->running[i] = race->running[--race->count];
}

/* Looks at those that have an answer. Returns the descriptor of one that is connected, or -EINPROGRESS. */
static int look(contest *race)
{
    for (int i = race->count - 1; i >= 0; i--) {
        int fd = race->running[i].fd;
        if (race->running[i].came == 0)
            continue;
        salp_address peer;
        int error = salp__socket_error(fd);
        if (error == 0)
            error = salp__socket_peer(fd, &peer); /* a poller that fails says that all is ready */
        if (error == 0) {
            race->running[i] = race->running[--race->count];
            return fd;
        }
        race->failure = error;
        drop(race, i);
    }
    return -EINPROGRESS;
}

/* Returns a descriptor, or the error of the last one that has failed. */
static int run(contest *race, const salp_address addresses[], int count, const salp_stream_options *options)
{
    int64_t when = 0; /* the next one is due */
    for (int next = 0;;) {
        bool more = next < count && race->count < SALP__MAX_INTERESTS;
        if (more && (race->count == 0 || salp_now() >= when)) {
            int result = try(race, &addresses[next++], options);
            if (result >= 0 || result == SALP_EINSIDE)
                return result;
            int over = salp__wait_begin();
            if (over < 0)
                return over;
            if (result != -EINPROGRESS)
                race->failure = result;
            when = result == -EINPROGRESS ? salp__later(patience) : 0;
            continue;
        }
        if (race->count == 0)
            return race->failure;
        int ready = salp__descriptors_wait(race->running, race->count, more ? when : SALP_FOREVER, "a connection");
        int result = ready < 0 ? ready : look(race);
        if (result != -EINPROGRESS)
            return result;
        if (ready > 0)
            when = 0; /* one has failed: the next one is due at once */
    }
}

static int connect_first(const salp_address addresses[], int count, const salp_stream_options *options)
{
    contest race = { .failure = -EINVAL };
    int fd = run(&race, addresses, count, options);
    while (race.count > 0)
        drop(&race, 0);
    return fd;
}

static int open_stream(salp_stream **out, const salp_address addresses[], int count, const salp_stream_options *options)
{
    int fd = connect_first(addresses, count, options);
    return fd < 0 ? fd : salp__stream_of_socket(out, fd, options);
}

/* The same with TLS, if that was asked for. `host`: whom it is to be with, as the caller knows him, or NULL. */
static int open_secured(salp_stream **out, const salp_address addresses[], int count, const char *host,
                        const salp_stream_options *options)
{
    salp__tls_context *context;
    if (!options || !options->tls)
        return open_stream(out, addresses, count, options);
    int error = salp__tls_context_of(&context, options->tls, false);
    if (error < 0)
        return error;
    error = open_stream(out, addresses, count, options);
    if (error == 0) {
        error = salp__tls_begin_client(*out, context, options->tls, host);
        if (error == 0)
            error = salp__stream_start(*out);
        if (error < 0) {
            salp_stream_close(*out);
            *out = NULL;
        }
    }
    salp__tls_context_let_go(context);
    return error;
}

/* In digits, without the port. false: there are none. */
static bool numeric_host(salp_address address, char text[SALP_ADDRESS_TEXT])
{
    return salp_address_set_port(&address, 0) == 0 && salp_address_text(&address, text, SALP_ADDRESS_TEXT) > 0;
}

int salp_stream_connect(salp_stream **out, const salp_address *address, const salp_stream_options *options)
{
    char host[SALP_ADDRESS_TEXT];
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!address || address->size == 0)
        return -EINVAL;
    int error = salp__wait_begin();
    if (error < 0)
        return error;
    return open_secured(out, address, 1, numeric_host(*address, host) ? host : NULL, options);
}

int salp_unix_connect(salp_stream **out, const char *path, const salp_stream_options *options)
{
    salp_address address;
    if (out)
        *out = NULL;
    int error = salp_address_unix(&address, path);
    return error < 0 ? error : salp_stream_connect(out, &address, options);
}

/* ---- TCP ---- */

/* Those of the first one's family, and of the other one, in turn: section 4 of the RFC. */
static void take_turns(salp_address addresses[], int count)
{
    for (int i = 1; i < count; i++) {
        int wanted = salp_address_family(&addresses[i - 1]), other = i;
        while (other < count && salp_address_family(&addresses[other]) == wanted)
            other++;
        if (other == count)
            break;
        salp_address moved = addresses[other];
        memmove(&addresses[i + 1], &addresses[i], (size_t)(other - i) * sizeof *addresses);
        addresses[i] = moved;
    }
}

int salp_tcp_connect(salp_stream **out, const char *host, int port, const salp_stream_options *options)
{
    char service[8];
    salp_address *addresses;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!host || port <= 0 || port > 65535)
        return -EINVAL;
    int error = salp__wait_begin();
    if (error < 0)
        return error;
    snprintf(service, sizeof service, "%d", port);
    int count = salp_resolve(&addresses, host, service, NULL);
    if (count < 0)
        return count;
    take_turns(addresses, count);
    error = open_secured(out, addresses, count, host, options);
    salp_addresses_free(addresses);
    return error;
}
