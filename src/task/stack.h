/*
 * Stacks of tasks: with a guard below, kept for the next task.
 *
 * Threads: one for each set of stacks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__STACK_H
#define SALP__STACK_H

#include <stddef.h>

/* A stack that nobody uses. Lies at its own upper end. */
typedef struct salp__stack {
    struct salp__stack *next;
    size_t size; /* of what may be used */
} salp__stack;

/* Many stacks in one mapping, so that a million of them are few mappings. */
typedef struct salp__stacks {
    salp__stack *unused;  /* some hundreds at most, which keep their memory; the one used last first: it is warm */
    salp__stack *surplus; /* more of them, whose memory is to be given back */
    salp__stack *cold;    /* whose memory was given back */
    size_t unused_count;
    struct salp__slab *slabs;
    size_t slab_left;         /* stacks of the newest slab that were never used */
    size_t guard, room, size; /* bytes of each part of a stack, and of both */
    size_t page;
} salp__stacks;

enum {
    SALP__STACK_ROOM = 64 * 1024, /* if nobody says how much; rounded up to whole pages */
    SALP__STACK_LEAST = 16 * 1024,
    SALP__STACK_MOST = 1024 * 1024 * 1024,
    SALP__STACK_GUARD = 64 * 1024, /* a frame that is larger may step over it */
};

void salp__stacks_open(salp__stacks *stacks, size_t room);
void salp__stacks_close(salp__stacks *stacks); /* none may be in use */

/* Returns the lower end of what may be used of a stack, and its size, at least `wanted`; or -ENOMEM, see salp__guard. */
int salp__stack_take(salp__stacks *stacks, size_t wanted, void **memory, size_t *size);
void salp__stack_give(salp__stacks *stacks, void *memory, size_t size);

/* Gives back the memory of some surplus stacks, at most so many. */
void salp__stacks_trim(salp__stacks *stacks, unsigned most);

#endif
