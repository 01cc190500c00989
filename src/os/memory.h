/*
 * Memory of this process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__MEMORY_H
#define SALP__MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory, or NULL. */
void *salp__allocate(size_t size);
/* The same with whatever is in it, for bytes that are written before they are read. */
void *salp__allocate_raw(size_t size);
void salp__free(void *memory);

/* `size` rounded up to whole pages; 0 stays 0. Sizes must be below 2^62. */
size_t salp__pages(size_t size);

/* Private zeroed pages. Returns 0 or -ENOMEM. */
int salp__map_private(void **address, size_t size);

/* Whether so much memory could be had at all, by the system's own rule (vm.overcommit_memory). Returns 0 or -ENOMEM. */
int salp__memory_may_exist(size_t size);

/* Pages of which a child made by fork sees zeros. Returns 0, -ENOMEM or -EINVAL. */
int salp__map_wiped_on_fork(void **address, size_t size);

/* Zeroed pages that this process and its forks share. Returns 0 or -ENOMEM. */
int salp__map_shared(void **address, size_t size);

/* Pages of a file, shared. Returns 0, -ENOMEM, -EBADF, ... */
int salp__map_file(void **address, int fd, size_t offset, size_t size, bool writable);

/* A child made by fork does not get these pages at all: touching them is a crash there. */
void salp__keep_from_forks(void *address, size_t size);

void salp__unmap(void *address, size_t size);

/* Pages for a stack, backed as they are used. Returns 0 or -ENOMEM. */
int salp__map_stack(void **address, size_t size);

/* Makes pages of a stack a guard, which is a crash to touch. Returns 0 or -ENOMEM: the system has no room for another
   mapping (vm.max_map_count); since Linux 6.13 none is needed. */
int salp__guard(void *address, size_t size);

/* Gives the memory of pages back, if it can be; what they hold is then lost. */
void salp__forget(void *address, size_t size);

/* Takes the right to write (or any right) to pages away. */
void salp__protect_from_writing(void *address, size_t size);
void salp__protect_from_all(void *address, size_t size);

#endif
