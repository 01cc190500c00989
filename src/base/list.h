/*
 * A doubly linked list whose links lie inside the members.
 *
 * An empty list points to itself. A node that is in no list has next == NULL
 * after salp__list_remove, so membership can be asked.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LIST_H
#define SALP__LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct salp__list {
    struct salp__list *next;
    struct salp__list *previous;
} salp__list;

#define SALP__CONTAINER(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

static inline void salp__list_open(salp__list *list)
{
    list->next = list;
    list->previous = list;
}

static inline bool salp__list_empty(const salp__list *list)
{
    return list->next == list;
}

static inline void salp__list_append(salp__list *list, salp__list *node)
{
    node->next = list;
    node->previous = list->previous;
    list->previous->next = node;
    list->previous = node;
}

static inline void salp__list_remove(salp__list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = NULL;
    node->previous = NULL;
}

#endif
