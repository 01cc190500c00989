/* The beginning and the end of an output, kept while it comes (struct job_text). SPDX-License-Identifier: MIT */
#ifndef CLI_OUTPUT_EXCERPT_H
#define CLI_OUTPUT_EXCERPT_H

#include <stddef.h>

#include "job/job.h"

/* More of the output has come. */
void output_excerpt_add(struct job_text *excerpt, const char *bytes, size_t size);

void output_excerpt_clear(struct job_text *excerpt);

#endif
