/*
 * queens.c - how many ways there are to set n queens on a board of n rows, so that none attacks another; and one of them.
 *
 *     cc queens.c $(pkg-config --cflags --libs salp) -o queens
 *     ./queens 10
 *
 * For each field of a row that is free one job is forked, with the board so far; all are joined, the last one first. The
 * first search goes through all. The second one ends as soon as somebody has found a way: salp_worker_end has nothing more
 * begun.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include <salp.h>

enum { MOST = 16, FOUND = -EEXIST };

typedef struct board {
    int size, rows;    /* so many rows have a queen */
    char column[MOST]; /* where, in each row */
} board;

/* What becomes of a board. */
typedef struct search {
    salp_fork_job job;
    board board;
    board *found; /* NULL: all are counted. Else the first one goes there, and ends the search */
    atomic_int *first;
    long ways;
} search;

static bool is_free(const board *b, int column)
{
    for (int row = 0; row < b->rows; row++) {
        int aside = b->column[row] - column;
        if (aside == 0 || abs(aside) == b->rows - row)
            return false;
    }
    return true;
}

/* A way. Several may be found at the same time: the first to say so leaves it. */
static void tell(salp_worker *worker, search *s)
{
    s->ways = 1;
    if (s->found && atomic_fetch_add(s->first, 1) == 0) {
        *s->found = s->board;
        salp_worker_end(worker, FOUND);
    }
}

static void look(salp_worker *worker, salp_fork_job *job)
{
    search *s = (search *)job, next[MOST];
    int count = 0, size = s->board.size;
    if (s->board.rows == size) {
        tell(worker, s);
        return;
    }
    for (int column = 0; column < size; column++) {
        if (!is_free(&s->board, column))
            continue;
        search *n = &next[count++];
        *n = *s;
        n->ways = 0; /* and so it stays if the search is ended before this one is begun */
        n->board.column[n->board.rows++] = (char)column;
        salp_fork(worker, &n->job, look);
    }
    s->ways = 0;
    while (count-- > 0) {
        search *n = &next[count];
        if (!salp_join(worker, &n->job))
            look(worker, &n->job);
        s->ways += n->ways;
    }
}

static int count_ways(salp_pool *pool, int size, long *ways)
{
    search root = { .board.size = size };
    int error = salp_pool_enter(pool, look, &root.job);
    *ways = root.ways;
    return error;
}

/* 1: there is one; 0: there is none. */
static int find_way(salp_pool *pool, int size, board *way)
{
    atomic_int first = 0;
    search root = { .board.size = size, .found = way, .first = &first };
    int error = salp_pool_enter(pool, look, &root.job);
    return error == FOUND ? 1 : error;
}

static void print(const board *b)
{
    for (int row = 0; row < b->size; row++) {
        for (int column = 0; column < b->size; column++)
            putchar(b->column[row] == column ? 'Q' : '.');
        putchar('\n');
    }
}

int main(int argc, char **argv)
{
    int size = argc > 1 ? atoi(argv[1]) : 8;
    if (size < 1 || size > MOST) {
        fprintf(stderr, "queens: a number from 1 to %d, please\n", MOST);
        return 1;
    }
    salp_pool *pool;
    long ways = 0;
    board way;
    int result = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS });
    if (result == 0) {
        result = count_ways(pool, size, &ways);
        if (result == 0)
            result = find_way(pool, size, &way);
        salp_pool_close(pool);
    }
    if (result < 0) {
        fprintf(stderr, "queens: %s\n", salp_strerror(result));
        return 1;
    }
    printf("%d queens: %ld ways\n", size, ways);
    if (result == 1)
        print(&way);
    return 0;
}
