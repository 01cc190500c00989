/*
 * libdw and libelf, which find out what an address means: loaded when somebody asks that for the first time (os/library.h).
 *
 *     int error = salp__elfutils_load();
 *     if (error == 0)
 *         salp__dw.dwfl_begin(...)
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ELFUTILS_H
#define SALP__ELFUTILS_H

#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <elfutils/libdwfl.h>
#include <libelf.h>

#define SALP__ELFUTILS_EACH(what) \
    what(dwarf_attr);             \
    what(dwarf_diename);          \
    what(dwarf_filesrc);          \
    what(dwarf_formudata);        \
    what(dwarf_getscopes);        \
    what(dwarf_getscopes_die);    \
    what(dwarf_getsrc_die);       \
    what(dwarf_getsrcfiles);      \
    what(dwarf_haspc);            \
    what(dwarf_lineno);           \
    what(dwarf_linesrc);          \
    what(dwarf_tag);              \
    what(dwelf_elf_gnu_build_id); \
    what(dwfl_addrmodule);        \
    what(dwfl_begin);             \
    what(dwfl_end);               \
    what(dwfl_module_addrdie);    \
    what(dwfl_module_addrinfo);   \
    what(dwfl_module_build_id);   \
    what(dwfl_module_getelf);     \
    what(dwfl_module_info);       \
    what(dwfl_module_nextcu);     \
    what(dwfl_report_begin);      \
    what(dwfl_report_end);        \
    what(dwfl_report_module);     \
    what(elf_begin);              \
    what(elf_cntl);               \
    what(elf_end);                \
    what(elf_kind);               \
    what(elf_memory);             \
    what(elf_version)

/* Of each a pointer of its name. */
typedef struct salp__elfutils {
#define SALP__ELFUTILS_FIELD(name) __typeof__(name) *name
    SALP__ELFUTILS_EACH(SALP__ELFUTILS_FIELD);
#undef SALP__ELFUTILS_FIELD
} salp__elfutils;

extern salp__elfutils salp__dw; /* [const after salp__elfutils_load] */

/*
 * Loads them, unless that was done, and for good. Threads: any.
 * Errors: -ENOENT they are not there, cannot be loaded now, or the program is a static one; to ask again later may succeed.
 */
int salp__elfutils_load(void);

#endif
