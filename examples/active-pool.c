/*
 * active-pool.c - ten processes want something of which there is enough for three.
 *
 *     cc active-pool.c $(pkg-config --cflags --libs salp) -o active-pool
 *
 * The well-known program with a semaphore. Each process takes a unit before it goes on, and gives it back at its end; who
 * comes while all three are taken waits until one comes back. Who is active is written on a board in shared memory. If a
 * process is killed, the unit that it has taken comes back by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>

#include <salp.h>

enum { PROCESSES = 10, AT_ONCE = 3 };

typedef struct pool {
    salp_semaphore *units;
    salp_mutex *mutex;
    bool *active; /* in shared memory, by number [mutex] */
} pool;

typedef struct job {
    const pool *pool;
    int number;
} job;

/* ---- what runs in a process of its own ---- */

static int set_active(const pool *p, int number, bool active)
{
    int error = salp_mutex_lock(p->mutex);
    if (error < 0)
        return error;
    p->active[number] = active;
    if (active) {
        printf("now running:");
        for (int i = 0; i < PROCESSES; i++) {
            if (p->active[i])
                printf(" %d", i);
        }
        printf("\n");
        fflush(stdout);
    }
    return salp_mutex_unlock(p->mutex);
}

static int work(void *arg)
{
    const job *j = arg;
    int error = salp_semaphore_acquire(j->pool->units);
    if (error < 0)
        return error;
    error = set_active(j->pool, j->number, true);
    if (error == 0)
        error = salp_sleep(SALP_MILLISECONDS(5)); /* the work */
    if (error == 0)
        error = set_active(j->pool, j->number, false);
    salp_semaphore_release(j->pool->units, 1);
    return error;
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

static int run(const pool *p)
{
    salp_process *processes[PROCESSES];
    int error = 0, started = 0;
    while (started < PROCESSES && error == 0) {
        job j = { .pool = p, .number = started };
        error = salp_process_start(&processes[started], work, &j, &(salp_process_options){ .argument_size = sizeof j });
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
    pool p = { 0 };
    salp_shared *board = NULL;
    int error = salp_semaphore_open(&p.units, &(salp_semaphore_options){ .value = AT_ONCE, .shared = true });
    if (error == 0)
        error = salp_mutex_open(&p.mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_shared_array(&board, PROCESSES, sizeof(bool));
    if (error == 0) {
        p.active = salp_shared_data(board);
        error = run(&p);
    }
    if (error < 0)
        fprintf(stderr, "active-pool: %s\n", salp_strerror(error));
    salp_shared_close(board);
    salp_mutex_close(p.mutex);
    salp_semaphore_close(p.units);
    return error < 0;
}
