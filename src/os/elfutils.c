/* The functions of libdw and libelf. SPDX-License-Identifier: MIT */
#include "os/elfutils.h"

#include <errno.h>

#include "os/fault.h"
#include "os/library.h"
#include "os/startup.h"
#include "os/thread.h"

salp__elfutils salp__dw;

static bool find_all(void *handle)
{
    bool found = true;
#define FIND(name) found = found && salp__library_find(handle, #name, &salp__dw.name)
    SALP__ELFUTILS_EACH(FIND);
#undef FIND
    return found;
}

static salp__library library = {
    .name = "libdw.so.1", /* which brings libelf */
    .find_all = find_all,
};

/* libelf wants to be told. */
static void tell_version(void)
{
    (void)salp__dw.elf_version(EV_CURRENT);
}

int salp__elfutils_load(void)
{
    static salp__once told = SALP__ONCE;
    SALP__FAULT(-ENOENT);
    if (salp__startup_is_static()) /* where libdw crashes */
        return -ENOENT;
    int error = salp__library_load(&library, NULL, 0);
    if (error == 0)
        salp__do_once(&told, tell_version);
    return error;
}
