/*
 * Which shell runs the lines of jobs, if one does: bash what bash has exported; else the one that the user has named, or uses, if it
 * reads quotes as Bourne's shell does; else sh.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_SHELL_H
#define CLI_INPUT_SHELL_H

#include <stdbool.h>

#include "input/template.h"

struct template_edits;

/* Is the word a function that bash has exported? Then it is for bash to run it. */
bool input_shell_has(const char *word);

/* Is the command a single word that means something to a shell, apart from what is replaced, or does the user want one? Errors: of
   parsing it. */
int input_shell_needed(const struct template_options *options, struct template_edits *edits, bool *needed);

/* Its path, which is the environment's or the options'. -EINVAL: it reads quotes in its own way, told. */
int input_shell_choose(const struct template_options *options, const char **path);

#endif
