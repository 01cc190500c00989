/* Files without a name, which are gone when nobody has them open. SPDX-License-Identifier: MIT */
#ifndef CLI_INPUT_UNNAMED_H
#define CLI_INPUT_UNNAMED_H

/* A descriptor to read and to write, or what the system says. `folder`: on which disk; NULL: TMPDIR, or /tmp. */
int input_unnamed_open(const char *folder);

#endif
