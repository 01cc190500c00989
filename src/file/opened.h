/*
 * Open files: whose they are, and what goes on with them.
 *
 * A file is held by its user and by each call that is under way; the last of them closes the descriptor. So a call that
 * was left behind never finds another file under its number.
 *
 * I1  `left` counts the calls that were left behind and have not ended. While there are some, those that come after them
 *     wait in the line. So what a call of ours finds, or leaves, is not changed by one that its caller has seen the end of.
 * I2  `holds` is 0 once, and who finds it so closes the file.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__OPENED_H
#define SALP__OPENED_H

#include <stdbool.h>

#include <salp/file.h>

#include "base/list.h"
#include "lockfree/latch.h"

struct salp_file {
    salp__latch latch;
    int fd;          /* [const after open] */
    unsigned holds;  /* [latch] */
    unsigned left;   /* [latch] I1 */
    salp__list line; /* [latch] of those who wait for these to end */
};

/* With one hold, its user's. NULL: no memory. `fd` is to be set. */
salp_file *salp__opened_new(void);

/* What each call begins with: waits for those that were left behind. I1 */
int salp__opened_begin(salp_file *file);

void salp__opened_hold(salp_file *file);
/* Whether it was the last hold: then the descriptor and the object are the caller's. I2 */
bool salp__opened_drop(salp_file *file);

/* Closes and frees it, if it was. */
void salp__opened_release(salp_file *file);

void salp__opened_leave(salp_file *file);  /* a call was left behind */
void salp__opened_return(salp_file *file); /* that has ended */

#endif
