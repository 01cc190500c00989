/*
 * Stacks of tasks.
 *
 *   slab:  | guard | stack 0 ... | guard | stack 1 ... | ... |     one mapping; guards are made as stacks are first used
 *
 * A stack that is given back goes to the front of a list, so the next task gets warm memory. Of those beyond some hundreds
 * the pages are given back to the system, all but the one with the link: those of one in each turn of the loop, and more
 * before it sleeps, so that a million tasks that end at once do not wait for a million system calls. Slabs stay until the
 * end.
 *
 * What tasks use most is the upper end of their stacks. If all ended at the same offset of a page, it would lie in the
 * same few sets of the processor's caches; so some lines at the end are left out, of each stack another number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "task/stack.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "os/memory.h"
#include "task/valgrind.h"

enum {
#ifdef SALP_HOSTILE
    SLAB = 2,
    KEPT = 1,
#else
    SLAB = 64,  /* stacks in a slab */
    KEPT = 512, /* unused stacks that keep their memory */
#endif
    COLOURS = 16,
};

typedef struct salp__slab {
    struct salp__slab *next;
    char *memory;
    unsigned known[SLAB]; /* to valgrind: the stacks that were used */
} salp__slab;

void salp__stacks_open(salp__stacks *stacks, size_t room)
{
    room = room > 0 ? room : SALP__STACK_ROOM;
    if (room < SALP__STACK_LEAST)
        room = SALP__STACK_LEAST;
    *stacks = (salp__stacks){ .guard = salp__pages(SALP__STACK_GUARD), .room = salp__pages(room) };
    stacks->size = stacks->guard + stacks->room;
    stacks->page = salp__pages(1);
}

void salp__stacks_close(salp__stacks *stacks)
{
    while (stacks->slabs) {
        salp__slab *slab = stacks->slabs;
        stacks->slabs = slab->next;
        for (size_t i = 0; i < SLAB - stacks->slab_left; i++)
            salp__valgrind_remove(slab->known[i]);
        stacks->slab_left = 0; /* of the older ones */
        salp__unmap(slab->memory, SLAB * stacks->size);
        salp__free(slab);
    }
    *stacks = (salp__stacks){ 0 };
}

static int add_slab(salp__stacks *stacks)
{
    salp__slab *slab = salp__allocate(sizeof *slab);
    if (!slab)
        return -ENOMEM;
    void *memory;
    int error = salp__map_stack(&memory, SLAB * stacks->size);
    if (error < 0) {
        salp__free(slab);
        return error;
    }
    slab->memory = memory;
    slab->next = stacks->slabs;
    stacks->slabs = slab;
    stacks->slab_left = SLAB;
    return 0;
}

/* Where the link of an unused stack lies: above it all, on the page that every task touches first. */
static salp__stack *link_of(void *memory, size_t size)
{
    return (salp__stack *)((char *)memory + size - sizeof(salp__stack));
}

/* One that is larger than the others is a mapping of its own. */
static int take_large(const salp__stacks *stacks, size_t wanted, void **memory, size_t *size)
{
    void *stack;
    *size = salp__pages(wanted);
    int error = salp__map_stack(&stack, stacks->guard + *size);
    if (error < 0)
        return error;
    error = salp__guard(stack, stacks->guard);
    if (error < 0)
        salp__unmap(stack, stacks->guard + *size);
    *memory = (char *)stack + stacks->guard;
    return error;
}

static salp__stack *pop(salp__stack **list)
{
    salp__stack *first = *list;
    if (first)
        *list = first->next;
    return first;
}

static void push(salp__stack **list, salp__stack *stack)
{
    stack->next = *list;
    *list = stack;
}

static salp__stack *pop_unused(salp__stacks *stacks)
{
    salp__stack *stack = pop(&stacks->unused);
    stacks->unused_count -= stack != NULL;
    if (!stack)
        stack = pop(&stacks->surplus);
    return stack ? stack : pop(&stacks->cold);
}

int salp__stack_take(salp__stacks *stacks, size_t wanted, void **memory, size_t *size)
{
    if (wanted > stacks->room)
        return take_large(stacks, wanted, memory, size);
    salp__stack *unused = pop_unused(stacks);
    if (unused) {
        *size = unused->size;
        *memory = (char *)(unused + 1) - *size;
        return 0;
    }
    int error = stacks->slab_left == 0 ? add_slab(stacks) : 0;
    if (error < 0)
        return error;
    size_t number = SLAB - stacks->slab_left;
    char *stack = stacks->slabs->memory + number * stacks->size;
    error = salp__guard(stack, stacks->guard);
    if (error < 0)
        return error;
    stacks->slab_left--;
    *memory = stack + stacks->guard;
    *size = stacks->room - number % COLOURS * SALP__CACHE_LINE;
    stacks->slabs->known[number] = salp__valgrind_add(*memory, *size);
    return 0;
}

void salp__stack_give(salp__stacks *stacks, void *memory, size_t size)
{
    if (size > stacks->room) {
        salp__unmap((char *)memory - stacks->guard, stacks->guard + size);
        return;
    }
    salp__stack *unused = link_of(memory, size);
    unused->size = size;
    bool kept = stacks->unused_count < KEPT;
    stacks->unused_count += kept;
    push(kept ? &stacks->unused : &stacks->surplus, unused);
}

void salp__stacks_trim(salp__stacks *stacks, unsigned most)
{
    salp__stack *stack;
    while (most-- > 0 && (stack = pop(&stacks->surplus))) {
        void *memory = (char *)(stack + 1) - stack->size;
        salp__forget(memory, stacks->room - stacks->page); /* but not the page with the link */
        push(&stacks->cold, stack);
    }
}
