/* Libraries that are loaded when somebody needs them. SPDX-License-Identifier: MIT */
#include "os/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/loading.h"

bool salp__library_find(void *handle, const char *name, void *pointer)
{
    void *address = dlsym(handle, name);
    memcpy(pointer, &address, sizeof address); /* C has no cast of that to a function */
    return address;
}

static void keep_reason(char *why, size_t size)
{
    const char *reason = dlerror();
    if (size > 0)
        snprintf(why, size, "%s", reason ? reason : "");
}

static bool load_alone(salp__library *library, char *why, size_t size)
{
    /* relaxed: only who is loading sets it. */
    if (atomic_load_explicit(&library->loaded, memory_order_relaxed))
        return true;
    void *handle = dlopen(library->name, RTLD_NOW | RTLD_LOCAL);
    bool whole = handle && library->find_all(handle);
    if (whole)
        atomic_store_explicit(&library->loaded, true, memory_order_release);
    else
        keep_reason(why, size);
    if (handle && !whole)
        dlclose(handle); /* something else of that name */
    return whole;
}

int salp__library_load(salp__library *library, char *why, size_t size)
{
    if (atomic_load_explicit(&library->loaded, memory_order_acquire))
        return 0;
    salp__loading_begin();
    bool loaded = load_alone(library, why, size);
    salp__loading_end();
    return loaded ? 0 : -ENOENT;
}
