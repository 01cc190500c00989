/*
 * Bytes of unknown origin as text in JSON and in HTML, and durations and sizes as people write them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_REPORT_TEXT_H
#define CLI_REPORT_TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "job/job.h"
#include "journal/reader.h"

/* A string of JSON, with its quotes. What is not UTF-8 becomes U+FFFD. No '<', '>' and '&' are in it, so that it may stand in a
   script of a page. */
void report_write_json(FILE *file, const char *bytes, size_t size);

/* Text of a page, also for attributes in double quotes. What is not UTF-8, and control characters, become U+FFFD. */
void report_write_html(FILE *file, const char *bytes, size_t size);

/*
 * What is kept of an output, as one text: its beginning and its end, and between them how much is left out. Returns its size.
 */
enum { REPORT_EXCERPT = 2 * JOB_EXCERPT + 64 };
size_t report_excerpt(char to[REPORT_EXCERPT], const struct journal_bytes *head, const struct journal_bytes *tail,
                      uint64_t size);

struct report_text {
    char text[40];
};

/* "3.2 ms", "12.4 s", "2 min 13 s", "3 h 4 min", "5 d 3 h". */
struct report_text report_duration(int64_t nanoseconds);

/* "0.144", "43.7", "12345". */
struct report_text report_number(double number);

/* "512 B", "3.1 MiB". */
struct report_text report_size(uint64_t bytes);

/* "2026-11-23 16:20:01", by this machine's clock and zone. */
struct report_text report_date(int64_t nanoseconds);

/* As report_date, for machines: "2026-11-23T16:20:01.123456789Z". */
struct report_text report_timestamp(int64_t nanoseconds);

#endif
