/*
 * The command of a job, made from the words that the user gave and the values of the job.
 *
 * The rule for the shell: a command of several words is run as it is, each word one argument, without a shell; one of
 * a single word with blanks or characters that mean something to the shell is run by $SHELL -c (or /bin/sh), with what is put
 * in quoted. (GNU parallel always runs a shell.) A function that bash has exported (export -f) is run by bash, with its words as
 * they are. A word that is nothing but {} becomes as many arguments as there are values; in the middle of a word several values are
 * joined by a blank, or with `context` (-X) the word is repeated for each.
 * A command in which no replacement string occurs gets its values at the end; no command at all: each value is a line for the shell.
 *
 *     {}  the value    {.}  without its extension    {/}  without its folder    {//}  its folder    {/.}  both
 *     {#}  number of the job    {%}  its slot    {N}, {N.}, {N/}, {N//}, {N/.}  the N-th value, {-N} from the end
 *     {name}, {name.}, ...  the column of that name (--header)    {+/} {+.} {+..} {..} {...} {/..} {/...}, as GNU parallel has them
 *     {##} the number of all jobs    {0%} {0#} with zeros in front: as many digits as the number of slots, of jobs
 *     {:2:3}, {%re}, {/re/text} ...  what is made of a value (input/edit.h)    {uniq}, {choose_k}  the values, of which some are left out
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
    bool context;       /* -X: a word with a replacement string is repeated for each value */
    bool always_shell;  /* --shell: by the shell, whatever the words are */
    bool quote;         /* -q: the words are quoted for that shell */
    const char *shell;  /* NULL: PARALLEL_SHELL, SHELL, or /bin/sh */
    bool no_append;     /* with --pipe: nothing is put at the end */
    const char *blocks; /* with --cat and --fifo: {} is a file of that folder, named by the job's number; NULL: no */
    bool unlimited;     /* nothing is executed (--function): no word is too long */
    bool plus;          /* --plus: the longer list of replacement strings */
    bool no_values;     /* -n 0: a job is run for each value, and gets none */
    const char *tag;    /* --tagstring; NULL: none */
    const char *const *names; /* of columns; NULL: none */
    int name_count;
    int width;        /* how many values a job has at most (input_source_width); 0: not known */
    int slots;        /* of all, for {0%} */
    size_t max_chars; /* -s: bytes of a command, as a line, at most; 0: what the system takes */
};

struct input_template;

/*
 * What the options point to has to stay as long as the template. Errors, told: -EINVAL: something is wrong with the words ("{3}:
 * a job has no more than 2 values"; a value that would not be one word in the shell, see input/scan.c); -ENOMEM.
 */
int template_open(struct input_template **template, const struct template_options *options);
void template_close(struct input_template *template); /* accepts NULL */

/*
 * Fills in argv, line and tag (and block_name), in the job's memory, by its values, number and slot. Errors: -ENOMEM; and of this job alone, others
 * can be run, told: -E2BIG: an argument, or all of them, are longer than the system takes, or the line than the user wants; -EINVAL: a value that is no number or
 * name stands in arithmetic of the shell.
 */
int template_fill(const struct input_template *template, struct job *job);

/* Is it not to be run, because of {uniq} or {choose_k} in the command or the tag? */
bool template_leaves_out(const struct input_template *template, const struct job *job);

/* Does the command need to know how many jobs there are in all ({##}, {0#})? And here they are, before the first is filled in. */
bool template_wants_total(const struct input_template *template);
void template_set_total(struct input_template *template, uint64_t jobs);

/* How many bytes a value adds to the command; NULL: how many there are without. An input_measure. */
size_t template_measure(const char *value, void *template);

/* Is it run by the shell? */
bool template_uses_shell(const struct input_template *template);

/* One text expanded by a job's values, as for --results and --tagstring, without quotes. In the job's memory; NULL: no memory. */
const char *template_expand(const struct input_template *template, const char *text, struct job *job);

/* A word as the shell has to see it to take it for one: as it is where nothing needs quoting. Appends, returns the size
   that it has or would have, as snprintf does. Bytes that are not UTF-8 stay as they are. */
size_t template_quote(char *to, size_t room, const char *word);

#endif
