/*
 * --results and --files: outputs that go to files instead of being shown.
 *
 *   DIR         DIR/1/VALUE/2/VALUE/stdout, stderr and seq, as GNU parallel has them: a slash in a value is "\_", a backslash
 *               "\\", a tab "\t". Otherwise than there, no value leads out of its folder or into another one's: an
 *               empty one is "\e", "." is "\.", ".." is "\..", and a long one is cut and gets the job's number ("...\#7").
 *               Files are written while the job runs; those that were there before are replaced.
 *               Where values have names (--header), these stand instead of the numbers.
 *   FILE.csv    one table, a row for each job as it ends, or in the order of the input with keep_order; FILE.tsv: with tabs.
 *   FILE.json   as --json has it: not here, who reads the options turns it into that
 *   -.csv       the table is shown on standard output
 *   job->results  this job's own file, with ".err" and ".seq" beside it; a folder if it ends with a slash
 *
 * --files alone: the output is in a file of the temporary folder, which stays; errors are shown. Its name is shown, as that of the
 * output in DIR is with both.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_RESULTS_H
#define CLI_OUTPUT_RESULTS_H

#include <stdbool.h>

#include "job/job.h"
#include "output/output.h"

enum output_results_kind {
    OUTPUT_RESULTS_NONE,
    OUTPUT_RESULTS_FOLDER,
    OUTPUT_RESULTS_TABLE,
    OUTPUT_RESULTS_FILES, /* --files alone */
};

struct output_results {
    enum output_results_kind kind;
    const char *path;
    const char *temporary;
    const char *const *names; /* of the first values */
    int name_count;
    char separator; /* of a table */
};

void output_results_open(struct output_results *results, const struct output_options *options, const char *temporary);

/* The files of a job. */
struct output_copies {
    int fds[2]; /* of its output and of its errors; -1: none */
    char *name; /* of the one with the output; NULL: none was opened */
};

void output_copies_init(struct output_copies *copies);

/* Opens those of an attempt, where there are any. Errors: as open(2), mkdir(2), -ENOMEM; nothing is open then. */
int output_copies_open(struct output_copies *copies, const struct output_results *results, const struct job *job);

/* Writes to one of them, if it is open. Errors: of writing. */
int output_copies_write(const struct output_copies *copies, int which, const void *bytes, size_t size);

/* Nothing more comes; the name stays. Errors: as close(2). */
int output_copies_close(struct output_copies *copies);

void output_copies_free(struct output_copies *copies);

#endif
