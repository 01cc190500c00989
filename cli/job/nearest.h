/*
 * The word that was meant by one that is nearly right: for messages about commands, options and functions that there are not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_NEAREST_H
#define CLI_JOB_NEAREST_H

/* How many letters have to be changed, added or left out to make one word of the other; of a very long one, many. */
int job_distance(const char *a, const char *b);

/* The next word to compare with, from where *at says (0 at first); NULL: that was all. */
typedef const char *job_nearest_next(int *at, const void *words);

/*
 * The one of the words that `word` is the beginning of, or that differs from it by two letters at most (changed, added or
 * left out), one letter being right at least. NULL: none is near.
 */
const char *job_nearest(const char *word, job_nearest_next *next, const void *words);

#endif
