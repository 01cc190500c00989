/*
 * How a shell reads a line with replacement strings: which quotes each stands in.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_SCAN_H
#define CLI_INPUT_SCAN_H

#include <stdbool.h>

#include "input/text.h"

/*
 * Sets the quotes of all that is put in. With `split`, blanks between words become pieces of their own. Errors: -EINVAL, told: a
 * replacement string stands where no quotes keep a shell from reading what is put in; -ENOMEM.
 */
int template_scan(struct template_text *text, bool split);

#endif
