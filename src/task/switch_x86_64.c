/* A fresh stack for x86-64, laid out as salp__switch leaves one. SPDX-License-Identifier: MIT */
#include "task/switch.h"

#include <stdint.h>

void salp__switch_first(void);
void salp__switch_bottom(void);

uint64_t salp__switch_control(void)
{
    uint32_t mxcsr;
    uint16_t x87;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(x87));
    return (uint64_t)x87 << 32 | mxcsr;
}

void *salp__switch_prepare(void *stack, size_t size, void (*function)(void *arg), void *arg, uint64_t control)
{
    enum { CONTROL, R15, R14, R13, R12, RBX, RBP, RETURN, BOTTOM, WORDS };
    /* At a function's first instruction the stack pointer is 8 beyond a multiple of 16, and there is its return address. */
    uintptr_t top = ((uintptr_t)stack + size) / 16 * 16;
    uint64_t *word = (uint64_t *)top - WORDS;
    word[CONTROL] = control;
    word[R15] = word[R14] = word[R13] = word[RBP] = 0;
    word[R12] = (uint64_t)(uintptr_t)arg;
    word[RBX] = (uint64_t)(uintptr_t)function;
    word[RETURN] = (uint64_t)(uintptr_t)salp__switch_first;
    word[BOTTOM] = (uint64_t)(uintptr_t)salp__switch_bottom;
    return word;
}
