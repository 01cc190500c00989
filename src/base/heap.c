/* A pairing heap; the header tells of it. SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <stddef.h>

static bool before(const salp__heap_node *a, const salp__heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->number < b->number;
}

/* Makes one heap of two, neither of which has siblings. */
static salp__heap_node *meld(salp__heap_node *a, salp__heap_node *b)
{
    if (!a || !b)
        return a ? a : b;
    if (before(b, a)) {
        salp__heap_node *swap = a;
        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next)
        b->next->previous = b;
    b->previous = a;
    a->child = b;
    return a;
}

/* Makes one heap of siblings: in pairs from the left, and these from the right. */
static salp__heap_node *meld_all(salp__heap_node *first)
{
    salp__heap_node *pairs = NULL, *all = NULL;
    while (first) {
        salp__heap_node *a = first, *b = first->next;
        first = b ? b->next : NULL;
        a->next = NULL;
        if (b)
            b->next = NULL;
        salp__heap_node *pair = meld(a, b);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        salp__heap_node *next = pairs->next;
        pairs->next = NULL;
        all = meld(all, pairs);
        pairs = next;
    }
    if (all)
        all->previous = NULL;
    return all;
}

void salp__heap_insert(salp__heap *heap, salp__heap_node *node, int64_t key)
{
    *node = (salp__heap_node){ .key = key, .number = ++heap->insertions };
    heap->root = meld(heap->root, node);
}

void salp__heap_remove(salp__heap *heap, salp__heap_node *node)
{
    salp__heap_node *below = meld_all(node->child);
    if (node == heap->root) {
        heap->root = below;
    } else {
        if (node->previous->child == node)
            node->previous->child = node->next;
        else
            node->previous->next = node->next;
        if (node->next)
            node->next->previous = node->previous;
        heap->root = meld(heap->root, below);
    }
    *node = (salp__heap_node){ 0 };
}
