/*
 * What valgrind is told of the stacks of tasks, so that it knows a switch from a frame of that size. Two files: one for
 * builds that have valgrind's header, one for those that have not. Outside of valgrind it costs some instructions.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__VALGRIND_H
#define SALP__VALGRIND_H

#include <stddef.h>

/* A stack is there from now on. Returns the number that it is known by. */
unsigned salp__valgrind_add(void *stack, size_t size);
void salp__valgrind_remove(unsigned number);

#endif
