/*
 * From one stack to another; written in assembly, one file for each processor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SWITCH_H
#define SALP__SWITCH_H

#include <stddef.h>
#include <stdint.h>

/*
 * Saves what a function has to preserve on the present stack, and its pointer in *from; goes on where `to` was saved.
 * What the ABI asks to be preserved: on x86-64 also the control bits of the floating-point units, on aarch64 FPCR.
 */
void salp__switch(void **from, void *to);

/* The same from a stack on which nobody goes on. Does not return; to be the last call of a function that does not either, so
   that it becomes a jump (the processors' files say why). */
void salp__switch_last(void *to);

/* The control words as they are now. Reading them takes longer than all the rest of beginning a task. */
uint64_t salp__switch_control(void);

/*
 * Makes a fresh stack ready: the first switch to what is returned calls function(arg), which must never return, with these
 * control words.
 */
void *salp__switch_prepare(void *stack, size_t size, void (*function)(void *arg), void *arg, uint64_t control);

#endif
