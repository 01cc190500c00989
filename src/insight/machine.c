/*
 * The machine, as programs see it. How it is found: os/topology.c, os/processors.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>

#include <salp/machine.h>

#include "os/processors.h"
#include "os/topology.h"

const salp_machine *salp_machine_get(void)
{
    return salp__topology_get();
}

int salp_machine_usable(salp_usable *usable)
{
    if (!usable)
        return -EINVAL;
    salp__processors_ask(usable);
    return 0;
}

int salp_machine_find(const salp_machine *machine, int number)
{
    return machine ? salp__topology_find(machine, number) : -1;
}
