/* What every measuring program does; see program.h. SPDX-License-Identifier: MIT */
#include "common/program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- time ---- */

int64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void bench_pause(int64_t nanoseconds)
{
    struct timespec left = { .tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000 };
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        ;
}

/* ---- what the system counts ---- */

bool bench_lines_there(const char *path, const char *const names[], int64_t *sum)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    *sum = 0;
    char line[256];
    while (fgets(line, sizeof line, file))
        for (int i = 0; names[i]; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                *sum += strtoll(line + strcspn(line, ":") + 1, NULL, 10);
    fclose(file);
    return true;
}

int64_t bench_lines(const char *path, const char *const names[])
{
    int64_t sum;
    if (!bench_lines_there(path, names, &sum))
        bench_fail("%s cannot be read", path);
    return sum;
}

/* ---- arguments and output ---- */

static int argument_count;
static char **arguments;

void bench_arguments(int argc, char **argv, const char *const known[])
{
    argument_count = argc;
    arguments = argv;
    for (int i = 0; i < argc; i++) {
        size_t length = strcspn(argv[i], "=");
        bool found = false;
        for (int k = 0; known[k]; k++)
            found |= strlen(known[k]) == length && strncmp(known[k], argv[i], length) == 0;
        if (!found || argv[i][length] != '=')
            bench_fail("an argument that is not known here: %s", argv[i]);
    }
}

const char *bench_text(const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    for (int i = 0; i < argument_count; i++)
        if (strncmp(arguments[i], name, length) == 0 && arguments[i][length] == '=')
            return arguments[i] + length + 1;
    return otherwise;
}

long bench_number(const char *name, long otherwise)
{
    const char *text = bench_text(name, NULL);
    if (!text)
        return otherwise;
    char *end;
    long number = strtol(text, &end, 10);
    if (end == text || *end != '\0' || number < 0)
        bench_fail("%s=%s is not a number", name, text);
    return number;
}

void bench_print(const char *name, int64_t value)
{
    printf("%s %lld\n", name, (long long)value);
    fflush(stdout);
}

void bench_print_each(const char *name, int64_t nanoseconds, long count)
{
    bench_print(name, (int64_t)(1000.0 * (double)nanoseconds / (double)count));
}

void bench_fail(const char *format, ...)
{
    va_list rest;
    va_start(rest, format);
    fprintf(stderr, "bench: ");
    vfprintf(stderr, format, rest);
    fprintf(stderr, "\n");
    va_end(rest);
    exit(1);
}

void bench_must(const char *call, bool fine)
{
    if (!fine)
        bench_fail("%s: %s", call, strerror(errno));
}

/* ---- cases ---- */

int bench_main(int argc, char **argv, const struct bench_case cases[], const char *const known[])
{
    if (argc < 2)
        bench_fail("%s CASE name=value...", argv[0]);
    bench_arguments(argc - 2, argv + 2, known);
    for (const struct bench_case *one = cases; one->name; one++) {
        if (strcmp(argv[1], one->name) == 0) {
            one->run();
            return 0;
        }
    }
    bench_fail("no case is called %s", argv[1]);
}

void bench_case_about(void)
{
#ifdef __clang__
    printf("compiler clang %s\n", __clang_version__);
#else
    printf("compiler gcc %s\n", __VERSION__);
#endif
}
