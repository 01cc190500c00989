/*
 * Is it UTF-8? As Unicode has it: no surrogates, nothing longer than it need be, nothing above U+10FFFF.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_UTF8_H
#define CLI_JOB_UTF8_H

#include <stddef.h>

/* How many bytes the letter has that these bytes begin with (at least one); 0: none that is UTF-8. */
size_t job_utf8_letter(const char *bytes, size_t size);

/* How many of the bytes (at least one) are the beginning of one letter, all of it if that is its *length. 0: of none. */
size_t job_utf8_match(const char *bytes, size_t size, size_t *length);

#endif
