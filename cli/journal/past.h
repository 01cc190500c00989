/*
 * What earlier runs have done, for --resume: which inputs are done already.
 *
 * An input that was k times in the list and occurs again is given one of its k rows after the other, in their order. What a list
 * has once more than before is new.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_PAST_H
#define CLI_JOURNAL_PAST_H

#include <stdbool.h>
#include <stdint.h>

#include <sqlite3.h>

struct journal_past;

/* What becomes of a job whose inputs were there before. */
struct journal_before {
    uint64_t row;
    int attempts; /* that it has had */
    bool rests;   /* it is not run again */
};

/* Reads all rows: 28 bytes of memory for each, and five more. -ENOMEM; -EIO: the database says why. `failed`: those that have
   failed are run again. */
int journal_past_read(struct journal_past **past, sqlite3 *db, bool failed);
void journal_past_free(struct journal_past *past); /* accepts NULL */

/* Takes the next row of this key; false: there is none left. */
bool journal_past_take(struct journal_past *past, const uint64_t key[2], struct journal_before *before);

/* How many jobs have failed and rest. */
uint64_t journal_past_failures(const struct journal_past *past);

#endif
