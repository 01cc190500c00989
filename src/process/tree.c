/*
 * Ending a child with all that has come from it.
 *
 *   program
 *     `- leader              its own process group, if it has one: one signal reaches all of that
 *          |- a              in the group
 *          |   `- b          apart: it has made a group or a session of its own
 *          `- d              orphaned: its parent has ended; it is the leader's since that adopts orphans
 *
 * The group does not reach everybody, and only the leader is our child. So those below it are looked up in /proc, and held
 * by descriptors: whoever is held is found again after the leader has ended, and its number cannot mean another process.
 *
 * I1  Nobody slips away while the others are looked for: first all are made to stand still (SIGSTOP), in rounds, until one
 *     finds nobody new and nobody who still moves. Only then they get what they are to get. Whoever is orphaned before that
 *     becomes the leader's child, or init's if the tree has free orphans. A tree that grows faster than it is read ends the
 *     rounds, too.
 * I2  Whoever is signalled by a number alone was seen with it a moment ago, and there was no descriptor left to hold it.
 * I3  What can be had only from a system that has something left is not needed: without /proc, memory or descriptors the
 *     group and the leader are ended all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/tree.h"

#include <signal.h>
#include <string.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/proctable.h"

enum { ROUNDS = 20 };

void salp__tree_open(salp__tree *tree, pid_t leader, int watch, bool own_group)
{
    *tree = (salp__tree){ .leader = leader, .watch = watch, .own_group = own_group, .ends = -1 };
}

void salp__tree_close(salp__tree *tree)
{
    for (int i = 0; i < tree->count; i++)
        salp__file_close(tree->members[i].watch);
    salp__file_close(tree->ends);
    salp__free(tree->members);
    tree->members = NULL;
    tree->count = tree->living = 0;
    tree->ends = -1;
}

/* ---- holding ---- */

static salp__member *find(const salp__tree *tree, const salp__process_entry *entry)
{
    for (int i = 0; i < tree->count; i++) {
        salp__member *member = &tree->members[i];
        if (member->pid == entry->pid && member->started == entry->started)
            return member;
    }
    return NULL;
}

static bool make_room(salp__tree *tree)
{
    if (tree->count < tree->room)
        return true;
    int room = tree->room > 0 ? tree->room * 2 : 8;
    salp__member *members = salp__allocate((size_t)room * sizeof *members);
    if (!members)
        return false;
    if (tree->count > 0)
        memcpy(members, tree->members, (size_t)tree->count * sizeof *members);
    salp__free(tree->members);
    tree->members = members;
    tree->room = room;
    return true;
}

/* Returns the new member, or NULL: it is gone, or cannot be held. */
static salp__member *hold(salp__tree *tree, const salp__process_entry *entry)
{
    if (tree->ends < 0)
        tree->ends = salp__epoll_open();
    if (tree->ends < 0 || !make_room(tree))
        return NULL;
    int watch = salp__process_watch_entry(entry);
    if (watch < 0)
        return NULL;
    if (salp__epoll_add(tree->ends, watch, SALP__POLL_IN, (void *)(intptr_t)tree->count) < 0) {
        salp__file_close(watch);
        return NULL;
    }
    salp__member *member = &tree->members[tree->count++];
    *member = (salp__member){
        .watch = watch,
        .pid = entry->pid,
        .started = entry->started,
        .apart = !tree->own_group || entry->group != tree->leader,
    };
    tree->living++;
    return member;
}

int salp__tree_look(salp__tree *tree)
{
    salp__readiness ready[16];
    int count = 0;
    do {
        count = tree->ends < 0 ? 0 : salp__epoll_wait(tree->ends, ready, 16, 0);
        for (int i = 0; i < count; i++) {
            salp__member *member = &tree->members[(intptr_t)ready[i].what];
            salp__epoll_remove(tree->ends, member->watch);
            salp__file_close(member->watch);
            member->watch = -1;
            tree->living--;
        }
    } while (count > 0);
    return tree->living;
}

/* ---- finding ---- */

static void mark_if_there(salp__process_entry *table, int count, pid_t pid)
{
    salp__process_entry *entry = salp__proctable_find(table, count, pid);
    if (entry)
        entry->marked = true;
}

/* Whether the leader's number is still its own: it lives, or is a zombie that we have not reaped. */
static bool has_number(const salp__tree *tree, salp__process_entry *table, int count)
{
    const salp__process_entry *entry = salp__proctable_find(table, count, tree->leader);
    return entry && (!salp__process_has_ended(tree->watch) || (entry->ended && entry->parent == salp__process_self()));
}

/* Marks the leader, its group, those that are held, and all below them. */
static void mark(const salp__tree *tree, salp__process_entry *table, int count)
{
    if (has_number(tree, table, count)) {
        mark_if_there(table, count, tree->leader);
        for (int i = 0; i < count && tree->own_group; i++)
            table[i].marked |= table[i].group == tree->leader;
    }
    for (int i = 0; i < tree->count; i++) {
        if (tree->members[i].watch >= 0)
            mark_if_there(table, count, tree->members[i].pid);
    }
    bool more = true;
    while (more) {
        more = false;
        for (int i = 0; i < count; i++) {
            const salp__process_entry *parent =
                table[i].marked ? NULL : salp__proctable_find(table, count, table[i].parent);
            if (parent && parent->marked)
                table[i].marked = more = true;
        }
    }
}

/*
 * Holds whoever is there and not held yet. Those that cannot be held get the signal at once: I2. Returns whether there may be
 * more: it has found somebody new, or somebody who does not stand still.
 */
static bool gather(salp__tree *tree, int number)
{
    salp__process_entry *table;
    int count = salp__proctable_read(&table);
    bool found = false;
    if (count < 0)
        return true; /* who knows: I3 */
    /* Whoever has ended may have left his number to another one. */
    salp__tree_look(tree);
    mark(tree, table, count);
    for (int i = 0; i < count; i++) {
        const salp__process_entry *entry = &table[i];
        if (!entry->marked || entry->ended)
            continue;
        found |= !entry->stopped;
        if (entry->pid == tree->leader || find(tree, entry))
            continue;
        if (hold(tree, entry))
            found = true;
        else
            salp__process_signal(entry->pid, number);
    }
    salp__free(table);
    return found;
}

/* ---- ending ---- */

/* To each of them once. The leader first: it is to end for this, and not because its children have. */
static void signal_all(const salp__tree *tree, int number)
{
    if (tree->own_group)
        salp__process_signal_led(tree->watch, tree->leader, number);
    else
        salp__process_signal_watched(tree->watch, number);
    for (int i = 0; i < tree->count; i++) {
        if (tree->members[i].watch >= 0 && tree->members[i].apart)
            salp__process_signal_watched(tree->members[i].watch, number);
    }
}

/* I1 */
static void hold_all(salp__tree *tree, int number)
{
    for (int round = 0; round < ROUNDS; round++) {
        signal_all(tree, SIGSTOP);
        if (!gather(tree, number))
            break;
        salp__give_way();
    }
}

void salp__tree_terminate(salp__tree *tree)
{
    hold_all(tree, SIGTERM);
    signal_all(tree, SIGTERM);
    signal_all(tree, SIGCONT);
}

void salp__tree_kill(salp__tree *tree)
{
    hold_all(tree, SIGKILL);
    signal_all(tree, SIGKILL);
    /* Whoever has gone to another group since he was found. */
    salp__process_signal_watched(tree->watch, SIGKILL);
    for (int i = 0; i < tree->count; i++) {
        if (tree->members[i].watch >= 0)
            salp__process_signal_watched(tree->members[i].watch, SIGKILL);
    }
}
