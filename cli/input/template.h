/*
 * The command of a job, made from the words that the user gave and the values of the job.
 *
 * The rule for the shell: a command of several words is run as it is, each word one argument, without a shell; one of
 * a single word with blanks or characters that mean something to the shell is run by $SHELL -c (or /bin/sh), with what is put
 * in quoted. (GNU parallel always runs a shell.) A word that is nothing but {} becomes as many arguments as there are values; in
 * the middle of a word several values are joined by a blank, or with `context` (-X) the word is repeated for each.
 * A command in which no replacement string occurs gets its values at the end; no command at all: each value is a line for the shell.
 *
 *     {}  the value    {.}  without its extension    {/}  without its folder    {//}  its folder    {/.}  both
 *     {#}  number of the job    {%}  its slot    {N}, {N.}, {N/}, {N//}, {N/.}  the N-th value, {-N} from the end
 *     {name}, {name.}, ...  the column of that name (--header)    {+/} {+.} {+..} {..} {...} {/..} {/...}, as GNU parallel has them
 *     {0%} {0#} with zeros in front: as many digits as the number of slots, of jobs
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_TEMPLATE_H
#define CLI_INPUT_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

struct template_options {
    const char *const *words; /* the command; none: values are commands */
    int word_count;
    const char *replace; /* -I: instead of "{}"; likewise the others. NULL: as above */
    const char *replace_noext, *replace_base, *replace_dir, *replace_basenoext, *replace_number, *replace_slot;
    bool context;             /* -X: a word with a replacement string is repeated for each value */
    bool always_shell;        /* --shell: by the shell, whatever the words are */
    bool quote;               /* -q: the words are quoted for that shell */
    const char *shell;        /* NULL: PARALLEL_SHELL, SHELL, or /bin/sh */
    bool no_append;           /* with --pipe: nothing is put at the end */
    const char *tag;          /* --tagstring; NULL: none */
    const char *const *names; /* of columns; NULL: none */
    int name_count;
    int slots; /* of all, for {0%} */
};

struct template;

/* -EINVAL: something is wrong with the words, and was told ("{3}: there are two values"). */
int template_open(struct template **template, const struct template_options *options);
void template_close(struct template *template); /* accepts NULL */

/* Fills in argv, line and tag, in the job's memory, by its values, number and slot. Errors: -ENOMEM; -EINVAL, told. */
int template_fill(const struct template *template, struct job *job);

/* The bytes of what execve gets with these values: an input_measure. */
size_t template_measure(const char *const *values, int count, void *template);

/* Is it run by the shell? */
bool template_uses_shell(const struct template *template);

/* One text expanded by a job's values, as for --results and --tagstring, without quotes. In the job's memory; NULL: no memory. */
const char *template_expand(const struct template *template, const char *text, struct job *job);

/* A word as the shell has to see it to take it for one: as it is where nothing needs quoting. Appends, returns the size
   that it has or would have, as snprintf does. Bytes that are not UTF-8 stay as they are. */
size_t template_quote(char *to, size_t room, const char *word);

#endif
