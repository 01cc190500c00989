/* SPDX-License-Identifier: MIT */
#include "os/clock.h"

void salp__relax(void)
{
    /* isb waits for the pipeline to drain: about as long as x86's pause; yield is a no-op on most cores. */
    __asm__ volatile("isb" ::: "memory");
}
