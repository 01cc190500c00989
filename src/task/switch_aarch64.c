/* A fresh stack for aarch64, laid out as salp__switch leaves one. SPDX-License-Identifier: MIT */
#include "task/switch.h"

#include <stdint.h>
#include <string.h>

void salp__switch_first(void);

uint64_t salp__switch_control(void)
{
    uint64_t fpcr;
    __asm__ volatile("mrs %0, fpcr" : "=r"(fpcr));
    return fpcr;
}

void *salp__switch_prepare(void *stack, size_t size, void (*function)(void *arg), void *arg, uint64_t control)
{
    enum { X19 = 0, X20 = 1, X30 = 11, FPCR = 20, WORDS = 22 };
    uintptr_t top = ((uintptr_t)stack + size) / 16 * 16;
    uint64_t *word = (uint64_t *)top - WORDS;
    memset(word, 0, WORDS * sizeof *word);
    word[X19] = (uint64_t)(uintptr_t)function;
    word[X20] = (uint64_t)(uintptr_t)arg;
    word[X30] = (uint64_t)(uintptr_t)salp__switch_first;
    word[FPCR] = control;
    return word;
}
