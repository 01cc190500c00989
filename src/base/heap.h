/*
 * A heap whose nodes lie inside the members: what is due first is at the root.
 *
 * A pairing heap (Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap: a new form of self-adjusting heap"): nothing
 * is allocated, insertion takes a few stores, and removal of any node, also from the midst, is logarithmic, amortized.
 * Nodes with the same key come out in the order in which they were inserted.
 *
 * Threads: one at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__HEAP_H
#define SALP__HEAP_H

#include <stdbool.h>
#include <stdint.h>

typedef struct salp__heap_node {
    struct salp__heap_node *child;    /* the first of those below */
    struct salp__heap_node *next;     /* its next sibling */
    struct salp__heap_node *previous; /* the sibling before it; of the first child, the parent; of the root, NULL */
    int64_t key;
    uint64_t number; /* of its insertion; 0: it is in no heap */
} salp__heap_node;

typedef struct salp__heap {
    salp__heap_node *root; /* the first, or NULL */
    uint64_t insertions;
} salp__heap;

/* All zeros is an empty heap, and a node that is in none. */
void salp__heap_insert(salp__heap *heap, salp__heap_node *node, int64_t key);
void salp__heap_remove(salp__heap *heap, salp__heap_node *node);

static inline bool salp__heap_holds(const salp__heap_node *node)
{
    return node->number != 0;
}

#endif
