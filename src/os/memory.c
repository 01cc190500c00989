/* Memory of this process. SPDX-License-Identifier: MIT */
#include "os/memory.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"
#include "os/fault.h"

void *salp__allocate(size_t size)
{
    SALP__FAULT(NULL);
    return calloc(1, size);
}

void *salp__allocate_raw(size_t size)
{
    SALP__FAULT(NULL);
    return malloc(size);
}

void salp__free(void *memory)
{
    free(memory);
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t salp__pages(size_t size)
{
    size_t page = page_size();
    return (size + page - 1) / page * page;
}

int salp__map_private(void **address, size_t size)
{
    SALP__FAULT(-ENOMEM);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *address = memory;
    return 0;
}

int salp__memory_may_exist(size_t size)
{
    void *memory = NULL;
    int error = salp__map_private(&memory, size);
    if (error < 0)
        return error;
    salp__unmap(memory, size);
    return 0;
}

int salp__map_wiped_on_fork(void **address, size_t size)
{
    int error = salp__map_private(address, size);
    if (error < 0)
        return error;
    if (madvise(*address, size, MADV_WIPEONFORK) == 0)
        return 0;
    error = -errno;
    salp__unmap(*address, size);
    return error;
}

int salp__map_shared(void **address, size_t size)
{
    SALP__FAULT(-ENOMEM);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return -errno;
    *address = memory;
    return 0;
}

int salp__map_file(void **address, int fd, size_t offset, size_t size, bool writable)
{
    SALP__FAULT(-ENOMEM);
    int rights = PROT_READ | (writable ? PROT_WRITE : 0);
    void *memory = mmap(NULL, size, rights, MAP_SHARED, fd, (off_t)offset);
    if (memory == MAP_FAILED)
        return -errno;
    *address = memory;
    return 0;
}

void salp__keep_from_forks(void *address, size_t size)
{
    salp__must(madvise(address, size, MADV_DONTFORK) == 0);
}

int salp__map_stack(void **address, size_t size)
{
    SALP__FAULT(-ENOMEM);
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED)
        return -ENOMEM;
    *address = memory;
    return 0;
}

int salp__guard(void *address, size_t size)
{
    enum { GUARD_INSTALL = 102 }; /* MADV_GUARD_INSTALL, Linux 6.13 */
    SALP__FAULT(-ENOMEM);
    if (madvise(address, size, GUARD_INSTALL) == 0 || mprotect(address, size, PROT_NONE) == 0)
        return 0;
    return -ENOMEM;
}

void salp__forget(void *address, size_t size)
{
    (void)madvise(address, size, MADV_DONTNEED); /* advice: pages that are locked stay */
}

void salp__unmap(void *address, size_t size)
{
    if (address)
        salp__must(munmap(address, size) == 0);
}

void salp__protect_from_writing(void *address, size_t size)
{
    salp__must(mprotect(address, size, PROT_READ) == 0);
}

void salp__protect_from_all(void *address, size_t size)
{
    salp__must(mprotect(address, size, PROT_NONE) == 0);
}
