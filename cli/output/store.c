/* Pieces of memory, and of a file without a name. SPDX-License-Identifier: MIT */
#include "output/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "job/unnamed.h"

/* A user may have 64 MiB in all of his pipes, usually; and jobs need descriptors, too. */
enum { PIPES = 24, DESCRIPTORS_PART = 4 };

void output_store_open(struct output_store *store, const char *folder, size_t bound)
{
    *store = (struct output_store){ .folder = folder, .bound = bound, .file = -1 };
}

static void close_pipe(struct output_store *store, struct output_piece *piece)
{
    close(piece->in);
    close(piece->out);
    store->pipe_count--;
    free(piece);
}

void output_store_close(struct output_store *store)
{
    while (store->spare) {
        struct output_piece *piece = store->spare;
        store->spare = piece->next;
        free(piece);
    }
    while (store->spare_pipes) {
        struct output_piece *piece = store->spare_pipes;
        store->spare_pipes = piece->next;
        close_pipe(store, piece);
    }
    free(store->window);
    if (store->file >= 0)
        close(store->file);
}

/* ---- memory ---- */

static struct output_piece *new_piece(struct output_store *store, size_t room)
{
    struct output_piece *piece = malloc(sizeof *piece + room);
    if (!piece)
        return NULL;
    piece->next = NULL;
    piece->begin = piece->size = 0;
    piece->room = room;
    piece->in = piece->out = 0;
    store->used += sizeof *piece;
    return piece;
}

struct output_piece *output_store_block(struct output_store *store)
{
    struct output_piece *piece = store->spare;
    if (!piece)
        return new_piece(store, OUTPUT_BLOCK);
    store->spare = piece->next;
    store->spare_count--;
    store->used += sizeof *piece;
    piece->next = NULL;
    piece->begin = piece->size = 0;
    return piece;
}

struct output_piece *output_store_small(struct output_store *store, size_t size)
{
    return new_piece(store, size);
}

void output_store_fill(struct output_store *store, struct output_piece *piece, size_t size)
{
    piece->size += size;
    store->used += size;
}

static void drop_memory(struct output_store *store, struct output_piece *piece)
{
    store->used -= sizeof *piece + (piece->room > 0 || piece->in > 0 ? piece->size : 0);
    /* New memory costs more than to fill it. But what is there is not to be more than half of what may be used. */
    if (piece->room != OUTPUT_BLOCK || store->used + (store->spare_count + 1) * OUTPUT_BLOCK > store->bound / 2) {
        free(piece);
        return;
    }
    piece->next = store->spare;
    store->spare = piece;
    store->spare_count++;
}

/* ---- pipes ---- */

static bool open_pipe(int ends[2])
{
    struct rlimit limit;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && (rlim_t)ends[1] < limit.rlim_cur / DESCRIPTORS_PART &&
        fcntl(ends[0], F_SETPIPE_SZ, OUTPUT_PIPE) >= OUTPUT_PIPE)
        return true;
    close(ends[0]);
    close(ends[1]);
    return false;
}

struct output_piece *output_store_pipe(struct output_store *store)
{
    struct output_piece *piece = store->spare_pipes;
    int ends[2];
    if (output_store_is_full(store, OUTPUT_PIPE))
        return NULL;
    if (piece) {
        store->spare_pipes = piece->next;
        store->used += sizeof *piece;
        piece->next = NULL;
        piece->begin = piece->size = 0;
        return piece;
    }
    if (store->pipe_count == PIPES || !open_pipe(ends))
        return NULL;
    piece = new_piece(store, 0);
    if (!piece) {
        close(ends[0]);
        close(ends[1]);
        return NULL;
    }
    piece->in = ends[0];
    piece->out = ends[1];
    store->pipe_count++;
    return piece;
}

/* It is to be used again if all of it was shown. */
static void drop_pipe(struct output_store *store, struct output_piece *piece)
{
    int left;
    store->used -= sizeof *piece + piece->size;
    if (ioctl(piece->in, FIONREAD, &left) < 0 || left > 0) {
        close_pipe(store, piece);
        return;
    }
    piece->next = store->spare_pipes;
    store->spare_pipes = piece;
}

int output_store_drain(struct output_store *store, struct output_piece **piece)
{
    struct output_piece *held = *piece;
    size_t size = held->size - held->begin;
    struct output_piece *memory = output_store_small(store, size);
    if (!memory)
        return -ENOMEM;
    while (memory->size < size) {
        ssize_t got = read(held->in, memory->bytes + memory->size, size - memory->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            int error = got < 0 ? -errno : -EIO;
            drop_memory(store, memory);
            return error;
        }
        output_store_fill(store, memory, (size_t)got);
    }
    memory->next = held->next;
    drop_pipe(store, held);
    *piece = memory;
    return 0;
}

/* ---- the file ---- */

int output_store_put(struct output_store *store, const void *bytes, size_t size, uint64_t *at)
{
    if (store->file < 0)
        store->file = job_unnamed_open(store->folder);
    if (store->file < 0) {
        int error = store->file;
        store->file = -1;
        return error;
    }
    int error = job_unnamed_write(store->file, bytes, size, store->file_end);
    if (error < 0)
        return error;
    *at = store->file_end;
    store->file_end += size;
    store->file_live += size;
    return 0;
}

int output_store_spill(struct output_store *store, struct output_piece **piece)
{
    struct output_piece *full = *piece;
    struct output_piece *spilled = new_piece(store, 0);
    if (!spilled)
        return -ENOMEM;
    int error = output_store_put(store, full->bytes + full->begin, full->size - full->begin, &spilled->at);
    if (error < 0) {
        drop_memory(store, spilled);
        return error;
    }
    spilled->next = full->next;
    spilled->size = full->size - full->begin;
    drop_memory(store, full);
    *piece = spilled;
    return 0;
}

/* Where the file system has no holes, what was shown takes its room until all is shown. */
static void make_hole(struct output_store *store)
{
    if (store->hole_begin < store->hole_end)
        (void)fallocate(store->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)store->hole_begin,
                        (off_t)(store->hole_end - store->hole_begin));
    store->hole_begin = store->hole_end = 0;
}

void output_store_leave(struct output_store *store, uint64_t at, size_t size)
{
    store->file_live -= size;
    if (store->file_live == 0) {
        store->hole_begin = store->hole_end = 0;
        if (ftruncate(store->file, 0) == 0)
            store->file_end = 0;
        return;
    }
    /* Small ones that follow each other make a hole together: each alone would be a call, and none where it is less than a page. */
    if (at == store->hole_end) {
        store->hole_end += size;
    } else if (at + size == store->hole_begin) {
        store->hole_begin = at;
    } else {
        make_hole(store);
        store->hole_begin = at;
        store->hole_end = at + size;
    }
    if (store->hole_end - store->hole_begin >= OUTPUT_BLOCK)
        make_hole(store);
}

void output_store_drop(struct output_store *store, struct output_piece *piece)
{
    if (piece->in > 0) {
        drop_pipe(store, piece);
        return;
    }
    if (piece->room == 0 && piece->size > 0)
        output_store_leave(store, piece->at, piece->size);
    drop_memory(store, piece);
}

/* ---- reading ---- */

static int64_t read_at(int fd, void *bytes, size_t size, uint64_t at)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = pread(fd, (char *)bytes + done, size - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EIO;
        done += (size_t)got;
    }
    return (int64_t)size;
}

int output_store_get(const struct output_store *store, uint64_t at, void *bytes, size_t size)
{
    int64_t got = read_at(store->file, bytes, size, at);
    return got < 0 ? (int)got : 0;
}

int64_t output_store_copy(const struct output_store *store, const struct output_piece *piece, void *bytes, size_t size)
{
    if (size > piece->size - piece->begin)
        size = piece->size - piece->begin;
    if (piece->room == 0)
        return read_at(store->file, bytes, size, piece->at + piece->begin);
    memcpy(bytes, piece->bytes + piece->begin, size);
    return (int64_t)size;
}

int64_t output_store_look(struct output_store *store, const struct output_piece *piece, const char **bytes)
{
    if (piece->room > 0) {
        *bytes = piece->bytes + piece->begin;
        return (int64_t)(piece->size - piece->begin);
    }
    if (!store->window)
        store->window = malloc(OUTPUT_BLOCK);
    *bytes = store->window;
    return store->window ? output_store_copy(store, piece, store->window, OUTPUT_BLOCK) : -ENOMEM;
}
