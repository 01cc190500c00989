/* Names of network interfaces. SPDX-License-Identifier: MIT */
#include "os/names.h"

#include <errno.h>
#include <net/if.h>

#include "os/fault.h"

_Static_assert(SALP__INTERFACE_NAME == IF_NAMESIZE, "names of interfaces fit");

int salp__interface_index(const char *name)
{
    SALP__FAULT(-EMFILE);
    unsigned index = if_nametoindex(name);
    return index > 0 ? (int)index : -errno;
}

int salp__interface_name(unsigned index, char name[SALP__INTERFACE_NAME])
{
    SALP__FAULT(-EMFILE);
    return if_indextoname(index, name) ? 0 : -errno;
}
