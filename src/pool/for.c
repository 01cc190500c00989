/* Loops over indices, and over tiles. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdint.h>

#include <salp/loops.h>

#include "pool/engine.h"
#include "pool/spread.h"

/* ---- indices ---- */

typedef struct index_loop {
    salp__spread spread;
    salp_range_fn *body;
    void *arg;
} index_loop;

static int run_indices(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    const index_loop *loop = SALP__CONTAINER(spread, index_loop, spread);
    (void)part;
    return loop->body(begin, end, loop->arg);
}

int salp_for(salp_pool *pool, size_t begin, size_t end, salp_range_fn *body, void *arg, const salp_for_options *options)
{
    if (!pool || !body || begin > end)
        return -EINVAL;
    index_loop loop = {
        .spread = { .begin = begin,
                    .end = end,
                    .grain = options ? options->grain : 0,
                    .body = (uintptr_t)body,
                    .piece = run_indices },
        .body = body,
        .arg = arg,
    };
    return salp__spread_run(&loop.spread, pool);
}

/* ---- tiles ---- */

enum {
    TILES = 1024, /* as many as this at least, if there are as many places */
    SIDE = 64,    /* of a tile that is chosen, at most: one of doubles fits into the nearest cache */
};

/* Tiles are counted as words on a page are, and are the indices of the spread. */
typedef struct tile_loop {
    salp__spread spread;
    salp_tile_fn *body;
    void *arg;
    salp_tile whole;
    size_t rows, columns; /* of a tile */
    size_t in_row;        /* tiles beside each other */
} tile_loop;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t divide_up(size_t a, size_t b)
{
    return a / b + (a % b > 0);
}

static salp_tile tile_at(const tile_loop *loop, size_t index)
{
    const salp_tile *whole = &loop->whole;
    size_t row = whole->row + index / loop->in_row * loop->rows;
    size_t column = whole->column + index % loop->in_row * loop->columns;
    return (salp_tile){
        .row = row,
        .row_end = row + smaller(loop->rows, whole->row_end - row),
        .column = column,
        .column_end = column + smaller(loop->columns, whole->column_end - column),
    };
}

static int run_tiles(const salp__spread *spread, size_t begin, size_t end, void *part)
{
    const tile_loop *loop = SALP__CONTAINER(spread, tile_loop, spread);
    (void)part;
    for (size_t i = begin; i < end; i++) {
        salp_tile tile = tile_at(loop, i);
        int error = loop->body(&tile, loop->arg);
        if (error < 0)
            return error;
    }
    return 0;
}

/* A square of which there are TILES, but not too large a one. */
static size_t choose_side(size_t rows, size_t columns)
{
    size_t side = 1;
    while (side < SIDE && divide_up(rows, side + 1) > TILES / divide_up(columns, side + 1))
        side++;
    return side;
}

int salp_for_tiles(salp_pool *pool, const salp_tile *whole, salp_tile_fn *body, void *arg,
                   const salp_tile_options *options)
{
    if (!pool || !whole || !body || whole->row > whole->row_end || whole->column > whole->column_end)
        return -EINVAL;
    size_t rows = whole->row_end - whole->row, columns = whole->column_end - whole->column, count = 0;
    tile_loop loop = { .spread = { .body = (uintptr_t)body, .piece = run_tiles },
                       .body = body,
                       .arg = arg,
                       .whole = *whole,
                       .in_row = 1 };
    if (rows > 0 && columns > 0) {
        size_t side = choose_side(rows, columns);
        loop.rows = options && options->rows > 0 ? options->rows : side;
        loop.columns = options && options->columns > 0 ? options->columns : side;
        loop.in_row = divide_up(columns, loop.columns);
        if (__builtin_mul_overflow(divide_up(rows, loop.rows), loop.in_row, &count))
            return -EINVAL;
    }
    loop.spread.end = count;
    return salp__spread_run(&loop.spread, pool);
}
