/* SPDX-License-Identifier: MIT */
#include "os/context.h"

#include <ucontext.h>

salp__frame salp__context_get(const void *ucontext)
{
    const greg_t *registers = ((const ucontext_t *)ucontext)->uc_mcontext.gregs;
    return (salp__frame){ .instruction = (uintptr_t)registers[REG_RIP], .stack = (uintptr_t)registers[REG_RSP] };
}

void salp__context_set(void *ucontext, salp__frame frame)
{
    greg_t *registers = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
    registers[REG_RIP] = (greg_t)frame.instruction;
    registers[REG_RSP] = (greg_t)frame.stack;
}

salp__frame salp__context_caller(const void *ucontext)
{
    /* A call pushes the return address and then jumps. */
    const uintptr_t *top = (const uintptr_t *)salp__context_get(ucontext).stack;
    return (salp__frame){ .instruction = *top, .stack = (uintptr_t)(top + 1) };
}
