/* What the programs in C share that run commands; see command.h. SPDX-License-Identifier: MIT */
#include "command.h"

#include <stdlib.h>
#include <string.h>

const char *const command_known[] = { "program", "count", "at_once", "resident", "times", NULL };

static char *become_large(size_t mebibytes)
{
    size_t size = mebibytes << 20;
    char *memory = malloc(size + 1);
    if (!memory)
        bench_fail("no memory");
    memset(memory, 1, size + 1);
    return memory;
}

void command_run(command_loop *loop)
{
    long count = bench_number("count", 500), at_once = bench_number("at_once", 2), times = bench_number("times", 3);
    char *memory = become_large((size_t)bench_number("resident", 0));
    char *program = strdup(bench_text("program", "/bin/true"));
    char *argv[] = { program, NULL };
    if (!program || count < 1 || at_once < 1)
        bench_fail("run name=value...");
    for (long i = 0; i <= times; i++) {
        int64_t start = bench_now();
        loop(argv, count, at_once);
        int64_t time = bench_now() - start;
        if (i > 0)
            bench_print_each("command", time, count);
    }
    free(program);
    free(memory);
}

void command_ended(int status)
{
    if (status != 0)
        bench_fail("a command ended with status %d", status);
}
