/*
 * What --plus makes of a value, after bash's ${name:2:3} and its like.
 *
 *     {:-text}       the text, if the value is empty
 *     {:2} {:2:3}    without its first 2 bytes; the 3 that come then
 *     {#exp} {##exp} without the shortest, the longest match of an expression at its beginning
 *     {%exp} {%%exp} the same at its end
 *     {/exp/text} {//exp/text} {/#exp/text} {/%exp/text}
 *                    with a text for the first match, each one, the one at its beginning, at its end
 *     {^exp} {^^exp} the match at its beginning, each match in capitals; any byte matches where there is no expression
 *     {,exp} {,,exp} the same in small letters
 *
 * Expressions are those of input/pattern.h. Positions are in bytes, letters those of ASCII, as with GNU parallel.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_EDIT_H
#define CLI_INPUT_EDIT_H

#include <stddef.h>

struct job_memory;
struct template_edit;

/* All that occur in a command, each once. */
struct template_edits {
    struct template_edit *items;
    int count;
};

/* The one of that name, the text in the braces: its number, from 1. 0: there is none that is called like that. Errors: -EINVAL,
   told: its expression is none; -ENOMEM. */
int template_edits_find(struct template_edits *edits, const char *name, size_t size);

/* What each of them makes of each value: that of the first one for all values, then those of the second, ... In the job's memory,
   or parts of the values. -ENOMEM. */
int template_edits_apply(const struct template_edits *edits, const char *const *values, int count,
                         struct job_memory *memory, const char *const **edited);

/* Frees them. */
void template_edits_free(struct template_edits *edits);

#endif
