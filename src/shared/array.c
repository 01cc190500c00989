/*
 * Arrays in memory that several processes share.
 *
 *   | items ...                             | nothing | label |     one memfd, mapped whole, of whole pages
 *   offset 0                                                  end
 *
 * I1  The size is sealed before anybody else can have the descriptor, and whoever attaches looks for the seal first. All
 *     pages are there from the beginning. So no access within the mapping can fail.
 * I2  The label says how many items there are to who attaches. Others can store to it, as to all the rest: so it is looked
 *     at once, and believed only as far as the sealed size bears it out.
 * I3  This process' arrays are in a list, that pools ask. It is changed by one store each time, so the list that a fork
 *     finds is whole, whatever other threads were doing; their latch is taken away there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared/array.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include <salp/shared.h>

#include "base/assert.h"
#include "lockfree/latch.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/thread.h"
#include "task/spell.h"

typedef struct label {
    uint64_t magic;
    uint64_t count, item_size;
} label;

enum {
    PAGES_AT_ONCE = 4 * 1024 * 1024, /* bytes that the system gives in one go: less than a millisecond */
};

static const uint64_t magic = 0x31304152414c4153; /* "SALARA01": and the number of this layout */
static const uint64_t magic_without_number = 0xffffffffffff;

struct salp_shared {
    char *data;
    size_t size; /* of the mapping */
    size_t count, item_size;
    int fd;
    bool stored; /* it may be stored to */
    salp__file_identity memory;
    uint64_t number;             /* it was the so-manieth to be opened here */
    _Atomic(salp_shared *) next; /* [latch] I3 */
};

/* ---- the arrays of this process ---- */

static salp__latch latch;
static _Atomic(salp_shared *) arrays; /* [latch] I3 */
static uint64_t opened;               /* [latch] */

static void begin_afresh(void)
{
    salp__latch_release(&latch); /* who had it is not here */
}

static void enter(salp_shared *shared)
{
    static _Atomic bool told;
    if (!atomic_exchange(&told, true))
        salp__after_fork(begin_afresh);
    salp__latch_take(&latch);
    shared->number = ++opened;
    /* relaxed, here and below: the latch orders it; atomic for forks, I3. */
    atomic_store_explicit(&shared->next, atomic_load_explicit(&arrays, memory_order_relaxed), memory_order_relaxed);
    atomic_store_explicit(&arrays, shared, memory_order_release);
    salp__latch_release(&latch);
}

static void leave(salp_shared *shared)
{
    salp__latch_take(&latch);
    _Atomic(salp_shared *) *link = &arrays;
    salp_shared *one;
    while ((one = atomic_load_explicit(link, memory_order_relaxed)) != shared)
        link = &one->next;
    atomic_store_explicit(link, atomic_load_explicit(&shared->next, memory_order_relaxed), memory_order_relaxed);
    salp__latch_release(&latch);
}

uint64_t salp__arrays_opened(void)
{
    salp__latch_take(&latch);
    uint64_t count = opened;
    salp__latch_release(&latch);
    return count;
}

/* The part of it that has items. */
static bool holds(const salp_shared *shared, uintptr_t begin, size_t size)
{
    size_t all = shared->count * shared->item_size;
    return begin >= (uintptr_t)shared->data && begin - (uintptr_t)shared->data <= all &&
           size <= all - (begin - (uintptr_t)shared->data);
}

bool salp__arrays_find(const void *data, size_t size, salp__array_place *place)
{
    salp__latch_take(&latch);
    const salp_shared *one = atomic_load_explicit(&arrays, memory_order_relaxed);
    while (one && !holds(one, (uintptr_t)data, size))
        one = atomic_load_explicit(&one->next, memory_order_relaxed);
    if (one)
        *place = (salp__array_place){ .memory = one->memory,
                                      .offset = (uintptr_t)data - (uintptr_t)one->data,
                                      .number = one->number,
                                      .stored = one->stored };
    salp__latch_release(&latch);
    return one != NULL;
}

/* ---- opening ---- */

static label *label_of(const salp_shared *shared)
{
    return (label *)(void *)(shared->data + shared->size) - 1;
}

/* Whole pages with room for so many items and the label. false: there is no such number. */
static bool add_up(size_t count, size_t item_size, size_t page, size_t *size)
{
    size_t all;
    if (__builtin_mul_overflow(count, item_size, &all) || all > PTRDIFF_MAX - sizeof(label) - page)
        return false;
    *size = (all + sizeof(label) + page - 1) / page * page;
    return true;
}

/* I1. Of a file the system gives pages until none are left, and then kills processes. So it is asked before. */
static int take_memory(int fd, size_t size, bool huge)
{
    salp__spell spell = { 0 };
    int error = huge ? 0 : salp__memory_may_exist(size);
    for (size_t at = 0, piece; at < size && error == 0; at += piece) {
        piece = size - at < PAGES_AT_ONCE ? size - at : PAGES_AT_ONCE;
        error = salp__file_reserve(fd, at, piece);
        if (at + piece < size)
            salp__spell_rest(&spell);
    }
    if (error == 0)
        error = salp__memfd_seal(fd);
    return error == -ENOSPC ? -ENOMEM : error;
}

/* Maps it, and takes the descriptor over if that succeeds. */
static int map(salp_shared **out, int fd, size_t size, bool stored)
{
    salp_shared *shared = salp__allocate(sizeof *shared);
    if (!shared)
        return -ENOMEM;
    void *data;
    int error = salp__map_file(&data, fd, 0, size, stored);
    if (error < 0) {
        salp__free(shared);
        return error;
    }
    shared->data = data;
    shared->size = size;
    shared->fd = fd;
    salp__must(salp__file_identify(fd, &shared->memory));
    shared->stored = stored;
    *out = shared;
    return 0;
}

static void let_go(salp_shared *shared)
{
    salp__unmap(shared->data, shared->size);
    salp__file_close(shared->fd);
    salp__free(shared);
}

int salp_shared_array_with(salp_shared **out, size_t count, size_t item_size, const salp_shared_options *options)
{
    static const salp_shared_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    if (count == 0 || item_size == 0)
        return -EINVAL;
    size_t page, size;
    int fd = salp__memfd_open_to_seal("salp-shared", options->huge_pages, &page);
    if (fd < 0)
        return fd;
    salp_shared *shared = NULL;
    int error = add_up(count, item_size, page, &size) ? take_memory(fd, size, options->huge_pages) : -ENOMEM;
    if (error == 0)
        error = map(&shared, fd, size, true);
    if (error < 0) {
        salp__file_close(fd);
        return error;
    }
    shared->count = count;
    shared->item_size = item_size;
    *label_of(shared) = (label){ .magic = magic, .count = count, .item_size = item_size };
    enter(shared);
    *out = shared;
    return 0;
}

int salp_shared_array(salp_shared **out, size_t count, size_t item_size)
{
    return salp_shared_array_with(out, count, item_size, NULL);
}

/* What the label says, if it can be. I2 */
static int read_label(salp_shared *shared)
{
    label read;
    size_t all;
    memcpy(&read, label_of(shared), sizeof read);
    if ((read.magic & magic_without_number) != (magic & magic_without_number))
        return -EINVAL;
    if (read.magic != magic)
        return -EPROTO;
    if (read.count == 0 || read.item_size == 0 || __builtin_mul_overflow(read.count, read.item_size, &all) ||
        all > shared->size - sizeof read)
        return -EINVAL;
    shared->count = read.count;
    shared->item_size = read.item_size;
    return 0;
}

static int attach(salp_shared **out, int fd, bool writable)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    int64_t size = salp__memfd_sealed(fd);
    if (size < 0)
        return (int)size;
    if (size < (int64_t)sizeof(label))
        return -EINVAL;
    int copy = salp__file_copy(fd);
    if (copy < 0)
        return copy;
    salp_shared *shared = NULL;
    int error = map(&shared, copy, (size_t)size, writable);
    if (error < 0) {
        salp__file_close(copy);
        return error;
    }
    error = read_label(shared);
    if (error < 0) {
        let_go(shared);
        return error;
    }
    enter(shared);
    *out = shared;
    return 0;
}

int salp_shared_attach(salp_shared **out, int fd)
{
    return attach(out, fd, true);
}

int salp_shared_attach_to_read(salp_shared **out, int fd)
{
    return attach(out, fd, false);
}

/* ---- the rest ---- */

void *salp_shared_data(const salp_shared *shared)
{
    return shared ? shared->data : NULL;
}

size_t salp_shared_count(const salp_shared *shared)
{
    return shared ? shared->count : 0;
}

size_t salp_shared_item_size(const salp_shared *shared)
{
    return shared ? shared->item_size : 0;
}

int salp_shared_fd(const salp_shared *shared)
{
    return shared ? shared->fd : -EINVAL;
}

void salp_shared_close(salp_shared *shared)
{
    if (!shared)
        return;
    leave(shared);
    let_go(shared);
}
