/* Names of hosts, services and network interfaces. SPDX-License-Identifier: MIT */
#include "os/names.h"

#include <errno.h>
#include <net/if.h>

#include <salp/error.h>

#include "os/fault.h"

_Static_assert(SALP__INTERFACE_NAME == IF_NAMESIZE, "names of interfaces fit");

/* What the resolver says, as an error of ours. `number`: errno, which is meant where it says EAI_SYSTEM. */
static int error_of(int result, int number)
{
    switch (result) {
    case 0:
        return 0;
    case EAI_NONAME:
    case EAI_IDN_ENCODE:
        return SALP_ENONAME;
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return SALP_ENOADDRESS;
    case EAI_AGAIN:
        return SALP_ETRYAGAIN;
    case EAI_FAIL:
        return SALP_ENAMESERVER;
    case EAI_SERVICE:
        return SALP_ENOSERVICE;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_OVERFLOW:
        return -ENOSPC;
    case EAI_FAMILY:
        return -EAFNOSUPPORT;
    case EAI_SYSTEM:
        return number > 0 ? -number : SALP_ENAMESERVER; /* some resolvers forget to say */
    default:
        return -EINVAL;
    }
}

int salp__hosts_find(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    SALP__FAULT(-ENOMEM);
    *found = NULL;
    errno = 0;
    int result = getaddrinfo(host, service, hints, found);
    return error_of(result, errno);
}

void salp__hosts_free(struct addrinfo *found)
{
    if (found)
        freeaddrinfo(found);
}

int salp__host_name(const struct sockaddr *address, size_t size, char *name, size_t room)
{
    SALP__FAULT(-ENOMEM);
    errno = 0;
    int result = getnameinfo(address, (socklen_t)size, name, (socklen_t)room, NULL, 0, NI_NAMEREQD);
    return error_of(result, errno);
}

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
