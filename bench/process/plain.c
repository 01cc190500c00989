/*
 * plain.c - the plain twins: processes, and what they share, as the system and the C library have it.
 *
 *     process-plain CASE name=value...
 *
 * The cases are told in measure.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "plain.h"

#include <stdlib.h>
#include <string.h>

#include "measure.h"

static const struct bench_link *const links[] = {
    &bench_pipe_link, &bench_socket_link, &bench_ring_link, &bench_slot_link, NULL,
};

static void case_stream(void)
{
    bench_stream(links);
}

static void case_echo(void)
{
    bench_echo(links);
}

int main(int argc, char **argv)
{
    static const struct bench_case cases[] = {
        { "start", bench_case_start },
        { "stream", case_stream },
        { "echo", case_echo },
        { "lock", bench_case_lock },
        { "copy", bench_case_copy },
        { "about", bench_case_about },
        { NULL, NULL },
    };
    if (argc == 3 && strcmp(argv[1], "nothing") == 0) /* started by how=spawn */
        return atoi(argv[2]);
    return bench_main(argc, argv, cases, bench_known);
}
