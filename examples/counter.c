/*
 * counter.c - four processes count in the same memory, and take turns.
 *
 *     cc counter.c $(pkg-config --cflags --libs salp) -o counter
 *
 * The well-known program with a shared value, a shared array and a lock. To add one is to load, to add and to store: two
 * that do it at the same time count once. So whoever counts holds the mutex; and so does whoever prints, since
 * a line that is written in two parts would else be torn apart by others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <salp.h>

enum { PROCESSES = 4, TIMES = 25000 };

typedef struct counts {
    long all;
    long each[PROCESSES];
} counts;

typedef struct counter {
    salp_mutex *mutex; /* opened before the fork: the handle works in all of them */
    counts *counts;    /* in shared memory [mutex] */
    int number;
} counter;

/* ---- what runs in a process of its own ---- */

static int count_one(const counter *c)
{
    int error = salp_mutex_lock(c->mutex);
    if (error < 0)
        return error;
    c->counts->all++;
    c->counts->each[c->number]++;
    return salp_mutex_unlock(c->mutex);
}

static int tell(const counter *c)
{
    int error = salp_mutex_lock(c->mutex);
    if (error < 0)
        return error;
    printf("process %d", c->number);
    fflush(stdout);
    printf(" has counted %ld\n", c->counts->each[c->number]);
    fflush(stdout); /* before another one writes */
    return salp_mutex_unlock(c->mutex);
}

static int count(void *arg)
{
    const counter *c = arg;
    int error = 0;
    for (int i = 0; i < TIMES && error == 0; i++)
        error = count_one(c);
    return error < 0 ? error : tell(c);
}

/* ---- the program ---- */

/* What its function has returned, or an error. */
static int finish(salp_process *process)
{
    salp_process_ending ending;
    int error = salp_process_wait_ending(process, &ending);
    salp_process_close(process);
    return error < 0 ? error : ending.result;
}

static int run(counter c)
{
    salp_process *processes[PROCESSES];
    int error = 0, started = 0;
    while (started < PROCESSES && error == 0) {
        c.number = started;
        error =
            salp_process_start(&processes[started], count, &c, &(salp_process_options){ .argument_size = sizeof c });
        if (error == 0)
            started++;
    }
    for (int i = 0; i < started; i++) {
        int failure = finish(processes[i]);
        error = error < 0 ? error : failure;
    }
    return error;
}

int main(void)
{
    counter c = { 0 };
    salp_shared *shared = NULL;
    int error = salp_mutex_open(&c.mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_shared_array(&shared, 1, sizeof(counts));
    if (error == 0) {
        c.counts = salp_shared_data(shared);
        error = run(c);
    }
    if (error == 0)
        printf("together %ld\n", c.counts->all);
    else
        fprintf(stderr, "counter: %s\n", salp_strerror(error));
    salp_shared_close(shared);
    salp_mutex_close(c.mutex);
    return error < 0;
}
