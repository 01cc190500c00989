/*
 * Numbers in words: what the reports of salp_worth are written with.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__WORDS_H
#define SALP__WORDS_H

#include <salp/buffer.h>
#include <salp/worth.h>

enum { SALP__WORD = 32 };

/* A time and a size in the unit that suits it: "1.7 ns", "48 µs", "3.2 MiB"; a ratio with a digit or two. Return `text`. */
const char *salp__word_time(char text[SALP__WORD], double nanoseconds);
const char *salp__word_size(char text[SALP__WORD], double bytes);
const char *salp__word_times(char text[SALP__WORD], double ratio);
/* "a loop without a pool", "2 threads", "1 process". */
const char *salp__word_plan(char text[SALP__WORD], const salp_worth_plan *plan);

/* Appends formatted text. Once it has failed it does nothing more: *error is looked at in the end. */
void salp__print(salp_buffer *buffer, int *error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Writes report->reason. */
void salp__reason(salp_worth_report *report);

#endif
