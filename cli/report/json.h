/*
 * The report in JSON: one object.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_REPORT_JSON_H
#define CLI_REPORT_JSON_H

#include <stdio.h>

#include "journal/reader.h"
#include "report/figures.h"

/*
 * Counts by state, times in nanoseconds, the runs, the slowest jobs, all failures with what is kept of their output. What is not
 * known is null, what is not UTF-8 has U+FFFD. The caller looks whether the file took it. Negative error of reading, told.
 */
int report_json_write(FILE *file, const struct report_figures *figures, struct journal_reader *reader);

#endif
