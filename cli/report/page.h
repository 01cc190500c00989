/*
 * The report as a page: one file of HTML that needs nothing else, no network and no other file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_REPORT_PAGE_H
#define CLI_REPORT_PAGE_H

#include <stdio.h>

#include "journal/reader.h"
#include "report/figures.h"

/* Writes it; the caller looks whether the file took it. Negative error of reading, told. */
int report_page_write(FILE *file, const struct report_figures *figures, struct journal_reader *reader);

#endif
