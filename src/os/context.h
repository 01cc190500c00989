/*
 * The registers of interrupted code, as a signal handler finds them: what differs between processors, one file each.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CONTEXT_H
#define SALP__CONTEXT_H

#include <stdint.h>

typedef struct salp__frame {
    uintptr_t instruction;
    uintptr_t stack;
} salp__frame;

/* `ucontext` is the third argument of a handler; what is set there is what the code goes on with. */
salp__frame salp__context_get(const void *ucontext);
void salp__context_set(void *ucontext, salp__frame frame);

/* The frame as it would be had the interrupted function, of which nothing has run yet, returned. May read the stack. */
salp__frame salp__context_caller(const void *ucontext);

#endif
