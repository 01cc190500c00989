/*
 * salp/shared.h - arrays in memory that several processes share.
 *
 *     salp_shared *shared;
 *     salp_shared_array(&shared, 1000, sizeof(double), NULL);
 *     double *numbers = salp_shared_data(shared);
 *     if (fork() == 0) {
 *         numbers[0] = 0.5;
 *         _exit(0);
 *     }
 *     wait(NULL);
 *     printf("%g\n", numbers[0]);
 *     salp_shared_close(shared);
 *
 * What one process stores, the others read, with no call and no copy. Nothing keeps them from
 * doing so at the same time: for that there are mutexes, or atomic variables, which may lie in
 * the array. A single value is an array of one.
 *
 * A process that is forked has the array at the same address, and its handle works there as it
 * is. Any other one gets the descriptor, and attaches itself; there the address is another, so
 * addresses have no meaning in the array, and indices do. The memory has no name: when the last
 * handle, descriptor and process that has it are gone, it is free, however they ended.
 *
 * A pool of processes (salp/pool.h) that was opened after the array uses it in place, as the inputs and the
 * results of a map: docs/shared.md.
 *
 * Threads: any. An array may be closed when nobody in this process uses it any more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_SHARED_H
#define SALP_SHARED_H

#include <stdbool.h>
#include <stddef.h>

#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

typedef struct salp_shared salp_shared;

/* All zeros are the defaults. */
typedef struct salp_shared_options {
    bool huge_pages; /* of those that the system has reserved (vm.nr_hugepages); too few: -ENOMEM, and no fallback */
} salp_shared_options;

/*
 * Opens an array of `count` items of `item_size` bytes, all zeros. Its memory is taken from the system now: to touch it
 * later never fails for want of memory. Its size never changes: nobody can shorten it under a process that uses it.
 * It starts at the beginning of a page; the items lie one behind the other, without gaps.
 * More than the machine has is refused, unless it promises all memory that it is asked for (vm.overcommit_memory is 1); of
 * what it has, as always on Linux, a want of free memory ends processes instead of a call.
 *
 * Waits: no; it takes the system some time for each megabyte, and a task gives way meanwhile.
 * Errors, after which *shared is NULL: -EINVAL: shared is NULL, count or item_size is 0; -ENOMEM: there is
 * not so much memory in the machine, or there are not so many huge pages; -ENOTSUP: .huge_pages, and the system has none; -EFBIG: more than
 * a file may have in this process (RLIMIT_FSIZE); -EMFILE, -ENFILE.
 */
SALP_API int salp_shared_array(salp_shared **shared, size_t count, size_t item_size);

/* The same with options. */
SALP_API int salp_shared_array_with(salp_shared **shared, size_t count, size_t item_size,
                                    const salp_shared_options *options);

/* The first item. The memory is the array's: until it is closed. NULL: shared is NULL. */
SALP_API void *salp_shared_data(const salp_shared *shared);

/* How many items there are; how many bytes one has. 0: shared is NULL. */
SALP_API size_t salp_shared_count(const salp_shared *shared);
SALP_API size_t salp_shared_item_size(const salp_shared *shared);

/*
 * The descriptor of its memory, which stays the array's; the items begin at its offset 0. To
 * be handed to another process (salp_pipe_send_fds, salp_command_options.keep).
 * Whoever has it may store to the array, unless it was opened anew for reading (/proc/self/fd/N,
 * O_RDONLY). -EINVAL: shared is NULL. Waits: no.
 */
SALP_API int salp_shared_fd(const salp_shared *shared);

/*
 * Opens an array that another process has made, of a descriptor, which stays the caller's: to be read and stored to; to be
 * read only, where a store is a crash (SIGSEGV). Waits: no.
 * Errors, after which *shared is NULL: -EINVAL: shared is NULL, or the descriptor is not of such an array; -EBADF: it is
 * not open; -EPROTO: another version of the library has made it; -EACCES: it can only be read; -EMFILE; -ENOMEM.
 */
SALP_API int salp_shared_attach(salp_shared **shared, int fd);
SALP_API int salp_shared_attach_to_read(salp_shared **shared, int fd);

/* Closes it here; others go on with it. NULL is accepted. Waits: no. */
SALP_API void salp_shared_close(salp_shared *shared);

SALP_END

#endif
