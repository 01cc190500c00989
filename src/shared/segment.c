/* The memory of a shared object; the header tells what lies where. SPDX-License-Identifier: MIT */
#include "shared/segment.h"

#include <errno.h>

#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "shared/deaths.h"
#include "shared/participants.h"
#include "shared/porter.h"

_Static_assert(sizeof(salp__node) == 128 && sizeof(salp__participant) == 64, "two lines, and one");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "an atomic word is the word alone");

static const uint64_t magic = UINT64_C(0x64657261685f7073); /* "sp_hared" */

static int map(salp__shared *shared, const salp__shared_kind *kind, int fd, size_t size)
{
    void *memory;
    *shared = (salp__shared){ .size = size, .fd = fd, .kind = kind };
    int error = salp__map_file(&memory, fd, 0, size, true);
    if (error < 0)
        return error;
    shared->segment = memory;
    return 0;
}

static void unmap(salp__shared *shared)
{
    salp__unmap(shared->segment, shared->size);
    salp__file_close(shared->fd);
    *shared = (salp__shared){ .fd = -1 };
}

int salp__shared_open(salp__shared *shared, const salp__shared_kind *kind, size_t body_size)
{
    salp__must(kind->body_size > 0 && kind->body_size <= body_size); /* who attaches is to be checked by it */
    uint64_t namespace;
    int error = salp__process_namespace(&namespace);
    if (error < 0)
        return error;
    size_t page, size = salp__pages(sizeof(salp__segment) + body_size);
    int fd = salp__memfd_open_to_seal("salp", false, &page);
    if (fd < 0)
        return fd;
    *shared = (salp__shared){ .fd = fd };
    error = salp__file_extend(fd, size);
    if (error == 0)
        error = salp__memfd_seal(fd);
    if (error == 0)
        error = map(shared, kind, fd, size);
    if (error < 0)
        goto close_memory;
    salp__segment *segment = shared->segment;
    segment->layout = SALP__SHARED_LAYOUT;
    segment->number = kind->number;
    segment->size = size;
    segment->namespace = namespace;
    segment->magic = magic;
    error = salp__shared_enter(shared);
    if (error == 0)
        return 0;
close_memory:
    unmap(shared);
    return error;
}

/* Whether it is what it should be, and can be used here. The memory may be anybody's: no number in it leads us out of it. */
static int check(const salp__segment *segment, const salp__shared_kind *kind, size_t size)
{
    if (segment->magic != magic)
        return -EINVAL;
    if (segment->layout != SALP__SHARED_LAYOUT)
        return -EPROTO;
    if (segment->number != kind->number || segment->size != size || size - sizeof(salp__segment) < kind->body_size)
        return -EINVAL;
    bool fits = atomic_load_explicit(&segment->slots_used, memory_order_relaxed) <= SALP__PARTICIPANTS &&
                salp__word_get(&segment->nodes_used) <= SALP__NODES &&
                salp__word_get(&segment->nodes_free) <= SALP__NODES &&
                salp__word_get(&segment->journal.count) <= SALP__NOTES;
    return fits ? 0 : -EINVAL;
}

int salp__shared_look(salp__shared *shared, const salp__shared_kind *kind, int fd)
{
    int64_t size = salp__memfd_sealed(fd);
    if (size < 0)
        return (int)size;
    if ((size_t)size <= sizeof(salp__segment))
        return -EINVAL;
    int copy = salp__file_copy(fd);
    if (copy < 0)
        return copy;
    int error = map(shared, kind, copy, (size_t)size);
    if (error == -EACCES || error == -EPERM)
        error = -EINVAL; /* it cannot be written to */
    if (error == 0)
        error = check(shared->segment, kind, (size_t)size);
    if (error < 0)
        unmap(shared);
    return error;
}

int salp__shared_attach(salp__shared *shared, const salp__shared_kind *kind, int fd)
{
    int error = salp__shared_look(shared, kind, fd);
    if (error < 0)
        return error;
    error = salp__shared_enter(shared);
    if (error < 0)
        unmap(shared);
    return error;
}

void salp__shared_close(salp__shared *shared)
{
    if (salp__shared_is_here(shared)) {
        salp__porter_end(shared);
        salp__deaths_unwatch(shared);
        salp__shared_leave(shared);
    } else {
        salp__porter_forget(shared);
    }
    unmap(shared);
}
