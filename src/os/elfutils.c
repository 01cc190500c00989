/* The functions of libdw and libelf; the header tells why so. SPDX-License-Identifier: MIT */
#include "os/elfutils.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "os/fault.h"
#include "os/thread.h"

#define LIBRARY "libdw.so.1" /* which brings libelf */

salp__elfutils salp__dw;

static salp__lock lock = PTHREAD_MUTEX_INITIALIZER; /* around the loading */
static bool is_loaded;                              /* [lock] */

static bool find(void *library, const char *name, void *pointer)
{
    void *address = dlsym(library, name);
    memcpy(pointer, &address, sizeof address); /* C has no cast of that to a function */
    return address;
}

static bool find_all(void *library)
{
    bool found = true;
#define FIND(name) found = found && find(library, #name, &salp__dw.name)
    SALP__ELFUTILS_EACH(FIND);
#undef FIND
    return found;
}

static bool load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return false;
    if (find_all(library)) {
        (void)salp__dw.elf_version(EV_CURRENT); /* libelf wants to be told */
        return true;
    }
    dlclose(library); /* something else of that name */
    return false;
}

int salp__elfutils_load(void)
{
    SALP__FAULT(-ENOENT);
    salp__lock_take(&lock);
    is_loaded = is_loaded || load();
    bool loaded = is_loaded;
    salp__lock_release(&lock);
    return loaded ? 0 : -ENOENT;
}
