/* Stacks as valgrind's client requests know them. SPDX-License-Identifier: MIT */
#include "task/valgrind.h"

#include <valgrind/valgrind.h>

unsigned salp__valgrind_add(void *stack, size_t size)
{
    return VALGRIND_STACK_REGISTER(stack, (char *)stack + size - 1);
}

void salp__valgrind_remove(unsigned number)
{
    VALGRIND_STACK_DEREGISTER(number);
}
