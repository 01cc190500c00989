/*
 * program.h - what every measuring program does in the same words.
 *
 * A program is called with a case and arguments of the form name=value. It prints lines of the form "name number", one
 * for each measurement, checks every result and ends with a message when one is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

/* ---- time ---- */

int64_t bench_now(void); /* nanoseconds, monotonic, the same in all processes */
void bench_pause(int64_t nanoseconds);

/* ---- what the system counts ---- */

/* The sum of the numbers behind the colon in the lines of a file in /proc that begin with one of the names. */
int64_t bench_lines(const char *path, const char *const names[]);
/* The same for a file that may be gone: whether it was there. */
bool bench_lines_there(const char *path, const char *const names[], int64_t *sum);

/* ---- arguments and output ---- */

/* The value of name=value among the arguments, or the default. A number that is none ends the program. */
long bench_number(const char *name, long otherwise);
const char *bench_text(const char *name, const char *otherwise);
/* Keeps the arguments for the calls above. Ends the program if one has a name that is not in `known` (NULL at end). */
void bench_arguments(int argc, char **argv, const char *const known[]);

/* Prints "name value", one measurement, at once. */
void bench_print(const char *name, int64_t value);
/* Prints "name PICOSECONDS": the time of one of `count`. */
void bench_print_each(const char *name, int64_t nanoseconds, long count);
/* Ends the program with a message: a result was wrong, or a call failed. */
_Noreturn void bench_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with errno's text, unless all was fine. */
void bench_must(const char *call, bool fine);

/* ---- cases ---- */

struct bench_case {
    const char *name;
    void (*run)(void);
};

/* Runs the case that argv[1] names, with the arguments behind it; a case without a name ends the list. */
int bench_main(int argc, char **argv, const struct bench_case cases[], const char *const known[]);

/* A case for one program of each benchmark: prints "compiler NAME". */
void bench_case_about(void);

#endif
