/* SPDX-License-Identifier: MIT */
#include "os/context.h"

#include <ucontext.h>

enum { LINK_REGISTER = 30 };

salp__frame salp__context_get(const void *ucontext)
{
    const mcontext_t *machine = &((const ucontext_t *)ucontext)->uc_mcontext;
    return (salp__frame){ .instruction = machine->pc, .stack = machine->sp };
}

void salp__context_set(void *ucontext, salp__frame frame)
{
    mcontext_t *machine = &((ucontext_t *)ucontext)->uc_mcontext;
    machine->pc = frame.instruction;
    machine->sp = frame.stack;
}

salp__frame salp__context_caller(const void *ucontext)
{
    /* A call leaves the return address in a register and the stack as it is. */
    const mcontext_t *machine = &((const ucontext_t *)ucontext)->uc_mcontext;
    return (salp__frame){ .instruction = machine->regs[LINK_REGISTER], .stack = machine->sp };
}
