/*
 * What the jobs have to show: an entry for each, from the first that it has until it was shown.
 *
 *   no order:  shown when its job has ended
 *   in order:  put into the turn; whoever brings the one whose turn it is shows it and all that follow it, and then tells
 *              the lane whose job has the turn that it may show while it runs
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_ENTRIES_H
#define CLI_OUTPUT_ENTRIES_H

#include "output/lane.h"

struct output_entries {
    struct output_common *common;
    struct output_entry *spare;
    struct output_entry *early; /* of jobs that something was said of before they were begun; where there is no turn */
    int table;                  /* the screen's sink that the table of results goes to */
    struct output_text title;   /* of that, until its first row is shown */
};

/* That of a job; NULL: it has none so far. */
struct output_entry *output_entries_find(struct output_entries *entries, const struct job *job);

/* That of a job, which gets one. NULL: no memory. */
struct output_entry *output_entries_take(struct output_entries *entries, const struct job *job);

/* The job knows its entry, or has ended. */
void output_entries_adopt(struct output_entries *entries, const struct output_entry *entry);

/* What it was to show is not to be seen. */
void output_entries_forget(struct output_entries *entries, struct output_entry *entry);

/* The job of that number has ended for good: shows what it has (NULL: nothing), now or when it is its turn. Every number comes
   here once with an order. Errors: the screen's. */
int output_entries_end(struct output_entries *entries, uint64_t number, struct output_entry *entry);

/* Shows all that is left, also what waits for jobs that never came. */
void output_entries_close(struct output_entries *entries);

#endif
