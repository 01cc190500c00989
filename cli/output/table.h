/*
 * --results FILE.csv: a row for each job (RFC 4180), with the columns of GNU parallel's.
 *
 *     Seq,Host,Starttime,JobRuntime,Send,Receive,Exitval,Signal,Command,V1,...,Stdout,Stderr
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_TABLE_H
#define CLI_OUTPUT_TABLE_H

#include "job/job.h"
#include "output/text.h"

/* Both append to a text. Errors: of adding to it. */
int output_table_title(struct output_text *text, struct output_store *store, int values, char separator);

/* The row of a job; takes its output and errors from their texts. Errors also: of reading what was put aside. */
int output_table_row(struct output_text *text, struct output_store *store, const struct job *job,
                     struct output_text outputs[2], char separator);

#endif
