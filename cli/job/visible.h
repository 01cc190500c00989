/*
 * Texts of unknown origin (names of files, lines of commands) on a terminal: harmless, and of a known width.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_VISIBLE_H
#define CLI_JOB_VISIBLE_H

#include <locale.h>
#include <stddef.h>

/*
 * The letters that the terminal knows, as LC_ALL, LC_CTYPE and LANG say: those of UTF-8, or NULL: those of ASCII. To be freed
 * by job_letters_free, which accepts NULL.
 */
locale_t job_letters_new(void);
void job_letters_free(locale_t letters);

/*
 * Writes as much of `text` as fits `columns` columns and `size` bytes with a zero at the end; what is cut ends with an ellipsis
 * if there is room for one. Blanks stand for newlines and tabs, question marks for what would be a control character, is not in
 * `letters`, or changes the direction of writing. Returns how many columns it takes.
 */
int job_visible(char *to, size_t size, const char *text, int columns, locale_t letters);

/* The columns of the terminal that `fd` is; 0: it is none, or does not say. */
int job_terminal_columns(int fd);

#endif
