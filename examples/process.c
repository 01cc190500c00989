/*
 * process.c - a function in a process of its own, by each of the three start methods.
 *
 *     cc process.c $(pkg-config --cflags --libs salp) -o process
 *     ./process
 *
 * Each process gets a copy of its argument, sends its answer by a pipe that was handed on to it, and ends with its
 * function's result as exit status. The last one crashes, and the program hears where.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <salp.h>

static const char *const names[] = { [SALP_FORK] = "fork", [SALP_SERVER] = "server", [SALP_SPAWN] = "spawn" };

/* The program sets it to 2 in main. A fork sees that; a fresh copy of the program has not been to main. */
static int here = 1;

typedef struct task {
    char who[16];
    int answer; /* descriptor: the pipe's end to write to */
} task;

/* ---- what runs in a process of its own ---- */

static int greet(void *arg)
{
    const task *t = arg;
    char text[80];
    int size = snprintf(text, sizeof text, "hello %s, the variable is %d here", t->who, here);
    here = 3; /* seen by nobody else */
    return write(t->answer, text, (size_t)size) == size ? 0 : -errno;
}

static int *volatile nowhere;

/* Meant as it stands, so a sanitizer is not to step in. */
static __attribute__((noinline, no_sanitize("undefined"))) void write_through_null(void)
{
    *nowhere = 1;
}

static int crash(void *arg)
{
    (void)arg;
    write_through_null();
    return 0;
}

/* ---- the program ---- */

static int run_greeting(salp_start start)
{
    int ends[2];
    char text[80];
    if (pipe(ends) < 0)
        return -errno;
    task t = { .who = "Ada", .answer = ends[1] };
    salp_process *process;
    int status;
    int error = salp_process_start(&process, greet, &t,
                                   &(salp_process_options){
                                       .start = start,
                                       .name = "greeter",
                                       .daemon = true, /* it is not to outlive us */
                                       .argument_size = sizeof t,
                                       .descriptors = &ends[1],
                                       .descriptor_count = 1,
                                   });
    close(ends[1]);
    if (error == 0) {
        ssize_t size = read(ends[0], text, sizeof text); /* the end of file, if it has died */
        error = salp_process_wait(process, &status);
        if (error == 0)
            printf("%s: \"%.*s\", exit status %d\n", names[start], size > 0 ? (int)size : 0, text, status);
        salp_process_close(process);
    }
    close(ends[0]);
    return error;
}

static int run_crash(salp_start start)
{
    salp_process *process;
    int status;
    int error = salp_process_start(&process, crash, NULL, &(salp_process_options){ .start = start });
    if (error < 0)
        return error;
    error = salp_process_wait(process, &status);
    if (error == 0) {
        const char *where = salp_process_backtrace(process);
        printf("%s: ended by signal %d (%s)\n    %.*s\n", names[start], -status, strsignal(-status),
               (int)strcspn(where, "\n"), where);
    }
    salp_process_close(process);
    return error;
}

int main(void)
{
    int error = 0;
    here = 2;
    setvbuf(stdout, NULL, _IOLBF, 0); /* in order with what the processes write, if they do */
    for (salp_start start = SALP_FORK; start <= SALP_SPAWN && error == 0; start++)
        error = run_greeting(start);
    for (salp_start start = SALP_FORK; start <= SALP_SPAWN && error == 0; start++)
        error = run_crash(start);
    printf("the variable is %d in the program\n", here);
    if (error < 0)
        fprintf(stderr, "process: %s\n", salp_strerror(error));
    return error < 0;
}
