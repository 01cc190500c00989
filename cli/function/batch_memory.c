/*
 * The memory of batches: one mapping for all that is shared, and a file for each batch.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/batch_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    IN_ALL = 1024 * 1024, /* of all batches together, within the bounds of each */
    IN_LEAST = 64 * 1024,
    IN_MOST = 256 * 1024,
    OUT_TIMES = 4, /* the answer area is so many times as large */
};

static uint64_t in_pages(uint64_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

/* ---- a batch's file ---- */

int batch_file_append(const struct batch *batch, const void *data, size_t size, uint64_t *place)
{
    uint64_t begin = atomic_fetch_add_explicit(&batch->shared->file_used, in_pages(size + 1), memory_order_relaxed);
    struct iovec parts[] = { { .iov_base = (void *)(uintptr_t)data, .iov_len = size },
                             { .iov_base = "", .iov_len = 1 } };
    uint64_t done = 0;
    while (done < size + 1) {
        ssize_t more = pwritev(batch->file, parts, 2, (off_t)(begin + done));
        if (more < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; more > 0 && i < 2; i++) {
            size_t part = (size_t)more < parts[i].iov_len ? (size_t)more : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            more -= (ssize_t)part;
            done += part;
        }
    }
    *place = BATCH_IN_FILE | begin;
    return 0;
}

int batch_file_map(const struct batch *batch, uint64_t place, size_t size, const void **data)
{
    void *address = mmap(NULL, in_pages(size + 1), PROT_READ, MAP_SHARED, batch->file, (off_t)(place & ~BATCH_IN_FILE));
    if (address == MAP_FAILED)
        return -errno;
    *data = address;
    return 0;
}

void batch_file_unmap(const void *data, size_t size)
{
    munmap((void *)(uintptr_t)data, in_pages(size + 1));
}

/* ---- answers ---- */

static uint64_t mix(uint64_t sum, uint64_t value)
{
    /* The multiplier of Knuth's MMIX generator. */
    sum = (sum << 23 | sum >> 41) ^ value;
    return sum * 6364136223846793005U + 1442695040888963407U;
}

uint32_t batch_sum(const char *data, size_t size)
{
    uint64_t sum = size, value;
    for (; size >= sizeof value; data += sizeof value, size -= sizeof value) {
        memcpy(&value, data, sizeof value);
        sum = mix(sum, value);
    }
    value = 0;
    memcpy(&value, data, size);
    sum = mix(sum, value);
    return (uint32_t)(sum >> 32);
}

/* ---- the store ---- */

static size_t area_size(int batches)
{
    size_t size = IN_ALL / (size_t)batches / PAGE * PAGE;
    return size < IN_LEAST ? IN_LEAST : size > IN_MOST ? IN_MOST : size;
}

static int map_all(struct batch_store *store)
{
    size_t count = (size_t)store->options.batches, in = area_size(store->options.batches), out = OUT_TIMES * in;
    size_t shared = in_pages(sizeof *store->common);
    store->in_begin = in_pages(shared + count * sizeof(struct batch_shared));
    store->in_end = store->in_begin + count * in;
    store->mapped = store->in_end + count * out;
    char *all = mmap(NULL, store->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
        store->mapped = 0;
        return -errno;
    }
    store->common = (struct batch_common *)all;
    for (size_t i = 0; i < count; i++) {
        struct batch *batch = &store->batches[i];
        batch->shared = (struct batch_shared *)(all + shared) + i;
        batch->in = all + store->in_begin + i * in;
        batch->in_size = in;
        batch->out = all + store->in_end + i * out;
        batch->out_size = out;
    }
    return 0;
}

int batch_store_open(struct batch_store **made, const struct batch_options *options)
{
    *made = NULL;
    struct batch_store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->options = *options;
    store->has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    store->has_errors = fcntl(STDERR_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    pthread_mutex_init(&store->lock, NULL);
    store->batches = calloc((size_t)options->batches, sizeof *store->batches);
    int error = store->batches ? map_all(store) : -ENOMEM;
    for (int i = 0; store->batches && i < options->batches; i++) {
        store->batches[i].store = store;
        store->batches[i].file = -1;
    }
    for (int i = 0; error == 0 && i < options->batches; i++) {
        store->batches[i].file = memfd_create("salp-map-batch", MFD_CLOEXEC);
        if (store->batches[i].file < 0)
            error = -errno;
    }
    if (error < 0)
        batch_store_close(store);
    else
        *made = store;
    return error;
}

void batch_store_close(struct batch_store *store)
{
    if (!store)
        return;
    for (int i = 0; store->batches && i < store->options.batches; i++) {
        struct batch *batch = &store->batches[i];
        batch_release(batch);
        if (batch->file >= 0)
            close(batch->file);
    }
    free(store->batches);
    batch_workers_release(store);
    if (store->mapped > 0)
        munmap(store->common, store->mapped);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

struct batch *batch_of(struct batch_store *store, int number)
{
    return &store->batches[number];
}

void batch_stop(struct batch_store *store)
{
    atomic_store_explicit(&store->common->stop, true, memory_order_relaxed);
}

void batch_stop_after(struct batch_store *store, enum batch_stops on, uint64_t count)
{
    store->common->stops_on = on;
    store->common->stop_after = count;
}

bool batch_stopped(const struct batch_store *store)
{
    return atomic_load_explicit(&store->common->stop, memory_order_relaxed);
}
