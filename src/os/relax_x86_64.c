/* SPDX-License-Identifier: MIT */
#include "os/clock.h"

void salp__relax(void)
{
    __builtin_ia32_pause();
}
