/*
 * Finding a function again in another process image.
 *
 * A function's address means nothing in another process: the program and its libraries lie
 * elsewhere, and some of them may not be there. What travels is the module (the program or a shared
 * library) and the offset of the function in it. A module is recognised by its build ID, which the
 * linker derives from all of its contents; one that was linked without a build ID, by its path and
 * its file's size and time of change.
 *
 * Threads: any, for every call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__MODULES_H
#define SALP__MODULES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

enum { SALP__BUILD_ID_MAX = 32 }; /* bytes that are looked at; the usual ones have 20 */

enum salp__module_kind {
    SALP__MODULE_PROGRAM,
    SALP__MODULE_LIBRARY,
    SALP__MODULE_KERNEL, /* the vdso: code of the kernel in every process, not a file */
};

/* Holds no pointers, so that it can be sent to another process. */
typedef struct salp__module {
    char path[PATH_MAX]; /* absolute; of the program: for people only; "[vdso]" */
    unsigned char build_id[SALP__BUILD_ID_MAX];
    uint32_t build_id_size; /* 0: has none */
    uint32_t kind;          /* enum salp__module_kind */
    int64_t file_size;      /* of the file at that path when it was looked up; 0: no such file */
    int64_t file_changed;   /* its time of change, nanoseconds */
} salp__module;

/*
 * Which module holds the function at `address`, and at what offset from the module's load bias.
 * Errors: -ENOENT no module has code there (memory of a just-in-time compiler, or no code at all).
 */
int salp__module_of(const void *address, salp__module *module, uint64_t *offset);

/*
 * The address in this process of what lies at the offset of the module. A library that is not
 * loaded is loaded by its path, for good; its constructors run. The program matches the program.
 * Errors: -ENOENT the module is neither loaded nor to be loaded; -ESTALE what is there under its
 * name is another build, or has no code at the offset. *address is set on success only.
 */
int salp__module_resolve(const salp__module *module, uint64_t offset, void **address);

/* A number that differs from any earlier one once a module was loaded or unloaded. */
uint64_t salp__modules_generation(void);

/* The module that holds this address is not unloaded any more, whoever closes it. */
void salp__module_keep(const void *address);

/* The code that was loaded at one moment. */
typedef struct salp__module_map salp__module_map;

/* Owns: *out, until salp__module_map_free. Errors: -ENOMEM. */
int salp__modules_snapshot(salp__module_map **out);

/*
 * Whether the address was code at that moment and still is code of the same module at the same
 * place. Fast while no module was loaded or unloaded since; else it asks the loader.
 */
bool salp__module_map_holds(const salp__module_map *map, const void *address);

void salp__module_map_free(salp__module_map *map); /* accepts NULL */

#endif
