/*
 * The machine, as programs see it. How it is found: os/topology.c, os/processors.c. Both need more room than a task's
 * stack has.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>

#include <salp/machine.h>

#include "os/processors.h"
#include "os/topology.h"
#include "task/task.h"

static void look(void *machine)
{
    *(const salp_machine **)machine = salp__topology_get();
}

const salp_machine *salp_machine_get(void)
{
    const salp_machine *machine = salp__topology_known();
    if (!machine)
        salp__on_large_stack(look, &machine);
    return machine;
}

static void ask(void *usable)
{
    salp__processors_ask(usable);
}

int salp_machine_usable(salp_usable *usable)
{
    if (!usable)
        return -EINVAL;
    salp__on_large_stack(ask, usable);
    return 0;
}

int salp_machine_find(const salp_machine *machine, int number)
{
    return machine ? salp__topology_find(machine, number) : -1;
}
