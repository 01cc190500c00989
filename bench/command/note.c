/*
 * A job that tells when it was started, and then waits for a signal.
 *
 *     command-note FILE [INPUT...]
 *     command-note about
 *
 * Appends "TIME PROCESS" to the file: nanoseconds on the monotonic clock, and its own number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/program.h"

int main(int argc, char **argv)
{
    char line[64];
    int64_t now = bench_now();
    if (argc < 2)
        bench_fail("command-note FILE");
    if (strcmp(argv[1], "about") == 0) {
        bench_case_about();
        return 0;
    }
    int size = snprintf(line, sizeof line, "%lld %d\n", (long long)now, (int)getpid());
    int file = open(argv[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    bench_must("open", file >= 0);
    bench_must("write", write(file, line, (size_t)size) == size);
    pause();
    return 0;
}
