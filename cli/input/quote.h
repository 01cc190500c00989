/*
 * Words as a shell has to see them, Bourne's or one of its kind: sh, dash, bash, ksh, zsh.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_QUOTE_H
#define CLI_INPUT_QUOTE_H

#include <stdbool.h>
#include <stddef.h>

/* Where a word is put in. */
enum template_quotes {
    TEMPLATE_UNQUOTED, /* between words, or in the midst of one: quotes are put around it if it needs them */
    TEMPLATE_QUOTED,   /* the same, and it always gets them: a number before ">" would be something else */
    TEMPLATE_DOUBLE,   /* within "..." */
    TEMPLATE_SINGLE,   /* within '...' */
    TEMPLATE_BARE,     /* where no quotes help (in arithmetic): harmless words only, see template_is_harmless */
    TEMPLATE_RAW,      /* no shell reads it: nothing is changed */
};

/* Writes word[0, size) to `to`, without a zero, and returns where it ended; there has to be room for template_quoted_size. */
char *template_quote_to(char *to, const char *word, size_t size, enum template_quotes quotes);

/* How many bytes that are. */
size_t template_quoted_size(const char *word, size_t size, enum template_quotes quotes);

/* A word that needs no quotes. */
bool template_is_harmless(const char *word, size_t size);

/* Does a shell take it for more than a plain word: blanks, quotes, variables, patterns, ...? */
bool template_means_something(const char *text, size_t size);

#endif
