/*
 * How a task is told that its wait for a shared object is over; the source file tells how.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PORTER_H
#define SALP__PORTER_H

#include "shared/segment.h"

/* Sees to it that there is a porter. Errors: -EAGAIN, -ENOMEM. Any thread; with or without the object's latch. */
int salp__porter_start(salp__shared *shared);

/* Where the porter finds the task that waits by this node; NULL: it does not want to be told any more, and is not going to
   be when this has returned. There is a porter. */
void salp__porter_expect(salp__shared *shared, uint32_t node, salp__spot *spot);

/* Tells all tasks whose nodes were granted. Without the latch. */
void salp__porter_deliver(salp__shared *shared);

/* Ends the porter, if there is one: the handle is closed. */
void salp__porter_end(salp__shared *shared);

/* In a fork: there is none, whatever the memory says. */
void salp__porter_forget(salp__shared *shared);

#endif
