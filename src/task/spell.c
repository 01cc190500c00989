/* Long work in spells; the header tells how. SPDX-License-Identifier: MIT */
#include "task/spell.h"

#include <string.h>

#include "task/task.h"

void salp__spell_rest(salp__spell *spell)
{
    spell->done = 0;
    if (salp__self()->task)
        salp__task_give_way(salp__self()->task);
}

size_t salp__spell_next(salp__spell *spell, size_t left)
{
    if (spell->done == SALP__SPELL_BYTES)
        salp__spell_rest(spell);
    size_t room = SALP__SPELL_BYTES - spell->done, piece = left < room ? left : room;
    spell->done += piece;
    return piece;
}

void salp__spell_copy(salp__spell *spell, void *to, const void *from, size_t size)
{
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = salp__spell_next(spell, size - at);
        memcpy((char *)to + at, (const char *)from + at, piece);
    }
}

void salp__spell_fill(salp__spell *spell, void *to, int byte, size_t size)
{
    for (size_t at = 0, piece; at < size; at += piece) {
        piece = salp__spell_next(spell, size - at);
        memset((char *)to + at, byte, piece);
    }
}
