/* The functions of hwloc; the header tells why so. SPDX-License-Identifier: MIT */
#include "os/hwloc.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#include "os/fault.h"
#include "os/library.h"

#if HWLOC_API_VERSION >> 16 != 2
#error "which library has another version's functions?"
#endif
#define LIBRARY "libhwloc.so.15" /* of all versions 2 */

int salp__hwloc_load(salp__hwloc *hwloc)
{
    SALP__FAULT(-ENOENT);
    bool found = true;
    hwloc->library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!hwloc->library)
        return -ENOENT;
#define FIND(name) found = found && salp__library_find(hwloc->library, "hwloc_" #name, &hwloc->name)
    SALP__HWLOC_EACH(FIND);
#undef FIND
    if (found)
        return 0;
    salp__hwloc_unload(hwloc); /* something else of that name */
    return -ENOENT;
}

void salp__hwloc_unload(salp__hwloc *hwloc)
{
    dlclose(hwloc->library);
}
