/*
 * What a poller does for a task, instead of telling it when it can be done.
 *
 * The memory that an operation reads or writes is the kernel's until it has been answered. So a task that is interrupted
 * stops the operation and then waits, through, for its answer, which comes soon; and if something was done after all, that is what
 * the call returns: nothing is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__OPERATION_H
#define SALP__OPERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "loop/poller.h"
#include "loop/port.h"

/* Whether the caller is a task whose poller can do this, and not in a fork that only has its copy. */
bool salp__can_operate(const salp__port *port);

/* Waits for it. Bytes or events; an error of the operation, or of a scope; -ENOBUFS: it could not be asked for now. */
int64_t salp__operate(salp__operation *operation, const char *what);

#endif
