/*
 * salp.c - the measuring program: Salp's processes, and what they share.
 *
 *     process-salp CASE name=value...
 *
 * The cases are told in measure.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "salp.h"

static const struct bench_link *const links[] = { &bench_salp_queue_link, &bench_salp_pipe_link, NULL };

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
        { "start", bench_case_start }, { "stream", case_stream },     { "echo", case_echo },
        { "lock", bench_case_lock },   { "about", bench_case_about }, { NULL, NULL },
    };
    return bench_main(argc, argv, cases, bench_known);
}
