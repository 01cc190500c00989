/*
 * Between the program's constructors and its main.
 *
 * A constructor of a shared library runs before those of the program and of libraries that do not depend on it, so it
 * is too early to run the program's functions from there. The last thing that happens before main is the last entry of
 * the program's own table of constructors, DT_INIT_ARRAY, which glibc reads entry by entry. We put ourselves in its
 * place, call what stood there, and go on. This is done in a fresh copy of the program only, one that is never to reach
 * its main; no other process is touched.
 *
 * Every program that gcc or clang link has such a table: crtbegin.o brings an entry.
 *
 * Source: System V ABI, "Initialization and Termination Functions"; glibc, csu/libc-start.c, call_init.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/startup.h"

#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os/modules.h"

typedef struct table {
    salp__constructor **entries;
    size_t count;
    bool dynamic;
} table;

/* The first module that is listed is the program. */
static int find_table(struct dl_phdr_info *info, size_t size, void *arg)
{
    table *found = arg;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_INTERP)
            found->dynamic = true;
        if (header->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(info->dlpi_addr + header->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++) {
            if (entry->d_tag == DT_INIT_ARRAY)
                found->entries = (salp__constructor **)(info->dlpi_addr + entry->d_un.d_ptr);
            if (entry->d_tag == DT_INIT_ARRAYSZ)
                found->count = entry->d_un.d_val / sizeof *found->entries;
        }
    }
    return 1;
}

static table program_table(void)
{
    table found = { 0 };
    dl_iterate_phdr(find_table, &found);
    return found;
}

/* In the program itself, or among the libraries whose symbols every module sees: those of its start. */
static bool comes_with_program(void)
{
    salp__module module;
    uint64_t offset;
    union {
        bool (*function)(void);
        void *address;
    } here = { .function = salp__startup_possible };
    if (salp__module_of(here.address, &module, &offset) < 0)
        return false;
    return module.kind == SALP__MODULE_PROGRAM || dlsym(RTLD_DEFAULT, "salp_pool_open") != NULL;
}

bool salp__startup_possible(void)
{
    table found = program_table();
    return found.dynamic && found.entries && found.count > 0 && getauxval(AT_SECURE) == 0 && comes_with_program();
}

bool salp__startup_is_static(void)
{
    return !program_table().dynamic;
}

static salp__constructor *replaced;
static void (*instead)(void);

static void last(int argc, char **argv, char **environment)
{
    if (replaced)
        replaced(argc, argv, environment);
    instead();
}

int salp__startup_divert(void (*function)(void), salp__constructor *self)
{
    table found = program_table();
    if (!found.dynamic || !found.entries || found.count == 0)
        return -ENOTSUP;
    salp__constructor **entry = &found.entries[found.count - 1];
    if (*entry == self) /* the library is linked into the program, behind everything else */
        function();
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = (char *)((size_t)entry / page * page);
    /* Relocated data is read-only by now. */
    if (mprotect(start, (size_t)((char *)(entry + 1) - start), PROT_READ | PROT_WRITE) < 0)
        return -ENOTSUP;
    replaced = *entry;
    instead = function;
    *entry = last;
    return 0;
}
