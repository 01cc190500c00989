/* Files without a name, which are gone when nobody has them open. SPDX-License-Identifier: MIT */
#ifndef CLI_JOB_UNNAMED_H
#define CLI_JOB_UNNAMED_H

#include <stddef.h>
#include <stdint.h>

/* Where the user wants what is temporary to be (NULL: does not say), else TMPDIR, else /tmp. */
const char *job_temporary_folder(const char *wanted);

/* A descriptor to read and to write, or what the system says. `folder`: on which disk. */
int job_unnamed_open(const char *folder);

/* All of it, from there on. 0, or what the system says. Not for descriptors that wait. */
int job_unnamed_write(int fd, const void *data, size_t size, uint64_t at);

#endif
