/*
 * The report as text, for people.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_REPORT_DRAWING_H
#define CLI_REPORT_DRAWING_H

#include <locale.h>
#include <stdbool.h>
#include <stdio.h>

#include "journal/reader.h"
#include "report/figures.h"

struct cli_report_style {
    int columns;      /* of a line at most */
    int lines;        /* at most, and some failures and slow jobs are left out for it; 0: any number */
    bool failures;    /* all of them, with all that is kept of what they have written to standard error */
    locale_t letters; /* that the terminal knows; NULL: ASCII */
};

/* Negative error of reading, told. */
int cli_report_draw(FILE *file, const struct report_figures *figures, struct journal_reader *reader,
                    const struct cli_report_style *style);

#endif
