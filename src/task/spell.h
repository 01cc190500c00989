/*
 * Long work of a task in spells, between which its loop goes on.
 *
 *     salp__spell spell = { 0 };
 *     for (size_t at = 0, piece; at < size; at += piece) {
 *         piece = salp__spell_next(&spell, size - at);
 *         ... work on so many bytes from `at` on ...
 *     }
 *
 * So what the work is about must bear that other tasks do something meanwhile. In a plain thread it is only cut up.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SPELL_H
#define SALP__SPELL_H

#include <stddef.h>

enum {
#ifdef SALP_HOSTILE
    SALP__SPELL_BYTES = 48,
#else
    SALP__SPELL_BYTES = 256 * 1024, /* some tens of microseconds, for copying */
#endif
};

typedef struct salp__spell {
    size_t done; /* bytes of this spell */
} salp__spell;

/* How many of `left` bytes to work on next; first lets others run, if the spell is over. */
size_t salp__spell_next(salp__spell *spell, size_t left);

/* Lets others run now: before something that takes as long as a spell and cannot be cut up. */
void salp__spell_rest(salp__spell *spell);

/* memcpy and memset in spells; they go on with the one that was begun. */
void salp__spell_copy(salp__spell *spell, void *to, const void *from, size_t size);
void salp__spell_fill(salp__spell *spell, void *to, int byte, size_t size);

#endif
