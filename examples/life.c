/*
 * life.c - Conway's game of life, a third of the world to each of three processes.
 *
 *     cc life.c $(pkg-config --cflags --libs salp) -o life
 *
 * Its stages are kept in order by three objects that the processes share:
 *   an event      nobody begins before the first generation is there;
 *   a barrier     nobody looks at a generation before all have made their part of it;
 *   a condition   the program prints a generation when it is told that it is there. Nobody waits for the program.
 *
 * All generations lie in shared memory, each in a place of its own: what is complete is not changed any more. If one of
 * the processes is killed, the barrier is broken for the others, who tell the program. A condition alone would not:
 * nobody but the program knows who was going to signal it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>

#include <salp.h>

enum { ROWS = 9, COLUMNS = 9, GENERATIONS = 5, PROCESSES = 3 };

typedef bool world[ROWS][COLUMNS];

typedef struct history {
    world worlds[GENERATIONS];
    int complete; /* so many of them are [mutex] */
    int failure;  /* why there will be no more [mutex] */
} history;

typedef struct game {
    salp_event *begin;
    salp_barrier *barrier;
    salp_mutex *mutex;
    salp_condition *news;
    history *history; /* in shared memory */
} game;

typedef struct part {
    const game *game;
    int first, end; /* rows */
} part;

/* ---- what runs in a process of its own ---- */

static bool lives(const world *w, int row, int column)
{
    int neighbours = 0;
    for (int r = row - 1; r <= row + 1; r++) {
        for (int c = column - 1; c <= column + 1; c++)
            neighbours += (*w)[(r + ROWS) % ROWS][(c + COLUMNS) % COLUMNS];
    }
    neighbours -= (*w)[row][column];
    return neighbours == 3 || (neighbours == 2 && (*w)[row][column]);
}

/* One more generation is complete; or there will be no more. */
static int tell(const game *g, int failure)
{
    int error = salp_mutex_lock(g->mutex);
    if (error < 0 && error != -EOWNERDEAD)
        return error;
    if (failure == 0)
        g->history->complete++;
    else
        g->history->failure = failure;
    salp_condition_broadcast(g->news);
    return salp_mutex_unlock(g->mutex);
}

static void make_part(const part *p, int generation)
{
    const world *before = &p->game->history->worlds[generation - 1];
    world *now = &p->game->history->worlds[generation];
    for (int row = p->first; row < p->end; row++) {
        for (int column = 0; column < COLUMNS; column++)
            (*now)[row][column] = lives(before, row, column);
    }
}

static int play(void *arg)
{
    const part *p = arg;
    const game *g = p->game;
    int result = salp_event_wait(g->begin);
    for (int generation = 1; generation < GENERATIONS && result >= 0; generation++) {
        make_part(p, generation);
        result = salp_barrier_wait(g->barrier); /* how many came before */
        if (result == PROCESSES - 1)
            result = tell(g, 0);
    }
    if (result >= 0)
        result = salp_barrier_wait(g->barrier); /* so that none has left before the last generation was told of */
    if (result < 0) {
        tell(g, result);
        return result;
    }
    salp_barrier_close(g->barrier); /* it comes no more. Who ends without this breaks the barrier for the others */
    return 0;
}

/* ---- the program ---- */

static void put_glider(world *w)
{
    (*w)[1][1] = (*w)[2][2] = (*w)[3][0] = (*w)[3][1] = (*w)[3][2] = true;
}

static void print(const world *w, int generation)
{
    printf("generation %d\n", generation);
    for (int row = 0; row < ROWS; row++) {
        for (int column = 0; column < COLUMNS; column++)
            putchar((*w)[row][column] ? '#' : '.');
        putchar('\n');
    }
}

static int wait_for_generation(const game *g, int generation)
{
    int error = salp_mutex_lock(g->mutex);
    while (error == 0 && g->history->complete <= generation) {
        error = g->history->failure;
        if (error == 0)
            error = salp_condition_wait(g->news, g->mutex);
    }
    salp_mutex_unlock(g->mutex);
    return error;
}

static int watch(const game *g)
{
    put_glider(&g->history->worlds[0]);
    g->history->complete = 1; /* nobody else has begun */
    int error = salp_event_set(g->begin);
    for (int generation = 0; generation < GENERATIONS && error == 0; generation++) {
        error = wait_for_generation(g, generation);
        if (error == 0)
            print(&g->history->worlds[generation], generation);
    }
    return error;
}

static int run(const game *g)
{
    salp_process *processes[PROCESSES];
    int error = 0, started = 0;
    while (started < PROCESSES && error == 0) {
        part p = { .game = g, .first = started * ROWS / PROCESSES, .end = (started + 1) * ROWS / PROCESSES };
        error = salp_process_start(&processes[started], play, &p,
                                   &(salp_process_options){ .argument_size = sizeof p, .daemon = true });
        if (error == 0)
            started++;
    }
    if (error == 0)
        error = watch(g);
    for (int i = 0; i < started; i++)
        salp_process_close(processes[i]); /* and ends it if that has not happened: when others could not be started */
    return error;
}

static int open_all(game *g, salp_shared **shared)
{
    int error = salp_shared_array(shared, 1, sizeof(history));
    g->history = salp_shared_data(*shared);
    if (error == 0)
        error = salp_event_open(&g->begin, &(salp_event_options){ .shared = true });
    if (error == 0)
        error = salp_barrier_open(&g->barrier, &(salp_barrier_options){ .parties = PROCESSES, .shared = true });
    if (error == 0)
        error = salp_mutex_open(&g->mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_condition_open(&g->news, &(salp_condition_options){ .shared = true });
    return error;
}

int main(void)
{
    game g = { 0 };
    salp_shared *shared = NULL;
    int error = open_all(&g, &shared);
    if (error == 0)
        error = run(&g);
    if (error < 0)
        fprintf(stderr, "life: %s\n", salp_strerror(error));
    salp_condition_close(g.news);
    salp_mutex_close(g.mutex);
    salp_barrier_close(g.barrier);
    salp_event_close(g.begin);
    salp_shared_close(shared);
    return error < 0;
}
