/* Lists of pieces. SPDX-License-Identifier: MIT */
#include "output/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void append(struct output_text *text, struct output_piece *piece)
{
    if (text->last)
        text->last->next = piece;
    else
        text->first = piece;
    text->before = text->last;
    text->last = piece;
}

static void replace_last(struct output_text *text, struct output_piece *piece)
{
    if (text->before)
        text->before->next = piece;
    else
        text->first = piece;
    text->last = piece;
}

/* The last piece goes to the file. */
static int spill_last(struct output_text *text, struct output_store *store)
{
    struct output_piece *last = text->last;
    int error = output_store_spill(store, &last);
    if (error == 0)
        replace_last(text, last);
    return error;
}

int output_text_room(struct output_text *text, struct output_store *store, char **bytes, size_t *room)
{
    struct output_piece *last = text->last;
    if (!last || last->size >= last->room) {
        if (last && last->room > 0 && !text->pinned && output_store_is_full(store, OUTPUT_BLOCK)) {
            int error = spill_last(text, store);
            if (error < 0)
                return error;
        }
        last = output_store_block(store);
        if (!last)
            return -ENOMEM;
        append(text, last);
    }
    *bytes = last->bytes + last->size;
    *room = last->room - last->size;
    return 0;
}

void output_text_grown(struct output_text *text, struct output_store *store, size_t size)
{
    output_store_fill(store, text->last, size);
    text->size += size;
}

int output_text_add(struct output_text *text, struct output_store *store, const void *bytes, size_t size)
{
    const char *next = bytes;
    while (size > 0) {
        char *to;
        size_t room;
        int error = output_text_room(text, store, &to, &room);
        if (error < 0)
            return error;
        if (room > size)
            room = size;
        memcpy(to, next, room);
        output_text_grown(text, store, room);
        next += room;
        size -= room;
    }
    return 0;
}

int64_t output_text_move(struct output_text *text, struct output_store *store, int pipe, size_t size)
{
    bool anew = !text->last || text->last->in == 0;
    for (int times = 0; times < 2; times++) {
        struct output_piece *piece = anew ? output_store_pipe(store) : text->last;
        if (!piece)
            return -ENOTSUP;
        ssize_t moved = splice(pipe, NULL, piece->out, NULL, size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
        if (moved > 0 && anew)
            append(text, piece);
        if (moved > 0) {
            output_text_grown(text, store, (size_t)moved);
            return moved;
        }
        if (anew) {
            output_store_drop(store, piece);
            return -ENOTSUP;
        }
        anew = true; /* the last one may be full */
    }
    return -ENOTSUP;
}

bool output_text_is_piped(const struct output_text *text)
{
    const struct output_piece *piece = text->first;
    while (piece && piece->in == 0)
        piece = piece->next;
    return piece != NULL;
}

/* The first piece is a pipe: it is read. */
static int drain_first(struct output_text *text, struct output_store *store)
{
    struct output_piece *first = text->first;
    int error = output_store_drain(store, &text->first);
    if (text->last == first)
        text->last = text->first;
    if (text->before == first)
        text->before = text->first;
    return error;
}

int64_t output_text_peek(struct output_text *text, struct output_store *store, const char **bytes)
{
    int error = text->size > 0 && text->first->in > 0 ? drain_first(text, store) : 0;
    if (error < 0)
        return error;
    return text->size > 0 ? output_store_look(store, text->first, bytes) : 0;
}

int64_t output_text_copy(const struct output_text *text, const struct output_store *store, void *bytes, size_t size)
{
    size_t copied = 0;
    for (const struct output_piece *piece = text->first; piece && copied < size; piece = piece->next) {
        int64_t got = output_store_copy(store, piece, (char *)bytes + copied, size - copied);
        if (got < 0)
            return got;
        copied += (size_t)got;
    }
    return (int64_t)copied;
}

void output_text_take(struct output_text *text, struct output_store *store, uint64_t size)
{
    text->size -= size;
    while (text->first) {
        struct output_piece *first = text->first;
        size_t there = first->size - first->begin;
        if (size < there) {
            first->begin += size;
            return;
        }
        size -= there;
        text->first = first->next;
        if (!text->first)
            text->last = NULL;
        if (text->before == first)
            text->before = NULL;
        output_store_drop(store, first);
    }
}

int output_text_pack(struct output_text *text, struct output_store *store)
{
    struct output_piece *last = text->last;
    size_t size = last ? last->size - last->begin : 0;
    if (size == 0 || last->room == 0)
        return 0;
    if (output_store_is_full(store, 0))
        return spill_last(text, store);
    if (size > last->room / 2)
        return 0;
    struct output_piece *small = output_store_small(store, size);
    if (!small)
        return 0; /* it is no worse than it was */
    memcpy(small->bytes, last->bytes + last->begin, size);
    output_store_fill(store, small, size);
    replace_last(text, small);
    output_store_drop(store, last);
    return 0;
}

void output_text_clear(struct output_text *text, struct output_store *store)
{
    output_text_take(text, store, text->size);
}
