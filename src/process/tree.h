/*
 * A child and all that has come from it, to be ended together.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__TREE_H
#define SALP__TREE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* One of the tree below the leader. */
typedef struct salp__member {
    int watch; /* -1: it has ended */
    pid_t pid;
    uint64_t started;
    bool apart; /* not in the leader's group */
} salp__member;

typedef struct salp__tree {
    pid_t leader;
    int watch;      /* of the leader; stays the caller's */
    bool own_group; /* which the leader leads */
    salp__member *members;
    int count, room;
    int living; /* members that have not ended, as far as we know */
    int ends;   /* readable when one of them has ended; -1: there are none */
} salp__tree;

/* Of a leader that has not been reaped, or not by us. Takes nothing. */
void salp__tree_open(salp__tree *tree, pid_t leader, int watch, bool own_group);

/* Asks all to end (SIGTERM). */
void salp__tree_terminate(salp__tree *tree);

/* Ends all (SIGKILL). They have not all ended when it returns. */
void salp__tree_kill(salp__tree *tree);

/* Sees who has ended. Returns how many members below the leader have not. */
int salp__tree_look(salp__tree *tree);

void salp__tree_close(salp__tree *tree);

#endif
