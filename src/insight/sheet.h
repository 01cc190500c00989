/*
 * The sheet: memory that the processes of a sample share, and what they do with it.
 *
 * The items lie in places: parts of the range, all of one size. A worker takes a few items from the front of one place, then
 * from another one far away, and so on in an order that has visited every region before it comes near to where it was. So
 * however early it ends, the items come from everywhere, and those of a group follow each other as in a map.
 *
 *     items   0                                                            count
 *     places  |####......|###.......|####......|###.......|### ......|###.......|
 *              cursor^                                   taken in the order 0, 4, 2, 6, 1, ...
 *
 * A rung is one measurement: so many workers at once, for so long. Each worker arrives, the last one lets all begin.
 *
 * I1  An item is claimed once, by moving its place's cursor past it, and never given back. So it is run once at most,
 *     also if the one who has claimed it dies.
 * I2  Nobody waits for anybody once a rung has begun; before, no item has been run, so that nobody can have crashed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__WORTH_SHEET_H
#define SALP__WORTH_SHEET_H

#include <stdatomic.h>

#include "insight/sample.h"

enum {
    SALP__PLACES = 64,
    SALP__RUNGS = 12,
    SALP__GROUPS = 2048,
    SALP__RUNNERS = 128, /* that are at it at once, at most */
};

typedef struct salp__rung {
    /* [const once workers are started] */
    int workers;
    int64_t length; /* nanoseconds to go on claiming */
    size_t share;   /* items that it may have */
    size_t window;  /* bytes for the results of all its workers */

    _Atomic int arrived;
    _Atomic int64_t begin;   /* when; 0: not yet. release in the last who arrives */
    _Atomic size_t claimed;  /* items; relaxed: a bound */
    _Atomic uint32_t groups; /* taken; relaxed: an index. Those beyond SALP__GROUPS are not kept */
    _Atomic uint64_t sleeps; /* how often a worker gave its processor up by itself */
    salp__group group[SALP__GROUPS];
} salp__rung;

/* What a worker is on: for who looks after its death. Relaxed: the death orders them. */
typedef struct salp__attempt {
    _Atomic size_t first; /* item; SIZE_MAX: none */
    _Atomic int64_t since;
} salp__attempt;

typedef struct salp__worth_sheet {
    salp__work work;   /* [const] */
    pid_t program;     /* [const] */
    int64_t end;       /* when the budget is spent [const] */
    size_t place_size; /* items; the last place may have fewer [const] */
    bool beside;       /* threads are tried, too [const while a process is at it] */

    _Atomic uint32_t turn;
    _Atomic size_t cursor[SALP__PLACES];
    _Atomic size_t ran, failed;
    _Atomic int stage; /* the rung that the first process is on */
    salp__attempt attempt[SALP__RUNNERS];
    salp__rung rung[SALP__RUNGS];
} salp__worth_sheet;

/* Rungs: the first is the one of a single worker, then those of threads, then those of processes. */
enum { SALP__ALONE = 0, SALP__FIRST_THREADS = 1, SALP__FIRST_PROCESSES = 8 };

/* Takes part in a rung as its worker `index`, until it is over. Returns 0, or -ENOMEM: then it takes no part, and the others
   do not wait for it. */
int salp__rung_run(salp__worth_sheet *sheet, salp__rung *rung, int index);

/* A copy of the groups of a rung, in storage for SALP__GROUPS; how many. No worker is at it any more. */
size_t salp__rung_groups(const salp__rung *rung, salp__group groups[]);

/* The figures of the single worker. Its items wait only if it has slept now and then: else others had its processor. What they
   took is left out if it was little. */
void salp__alone_figures(const salp__worth_sheet *sheet, salp__figures *figures, salp__group groups[]);

#endif
