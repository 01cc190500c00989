/* Small ones that wait. SPDX-License-Identifier: MIT */
#include "output/packed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEXTS = 4,
    HEAP = 2 * sizeof(size_t), /* bytes that the allocator has for itself, about */
};

struct packed {
    uint32_t tag_size, sizes[TEXTS]; /* each of the bytes that follow, in this order */
    char bytes[];
};

static struct output_text *text_of(struct output_entry *entry, int i)
{
    return i == 0 ? &entry->said : i < 3 ? &entry->texts[i - 1] : &entry->row;
}

static size_t size_of(const struct packed *packed)
{
    size_t size = sizeof *packed + packed->tag_size;
    for (int i = 0; i < TEXTS; i++)
        size += packed->sizes[i];
    return size;
}

/* ---- packing ---- */

/* *packed is NULL after an error. */
static int make(const struct output_store *store, const struct output_entry *entry, struct packed **packed)
{
    struct output_entry from = *entry;
    struct packed header = { .tag_size = 0 };
    size_t tag_size = entry->tag ? strlen(entry->tag) : 0;
    *packed = NULL;
    if (from.said.size + from.texts[0].size + from.texts[1].size + from.row.size + tag_size > OUTPUT_BLOCK)
        return -E2BIG;
    if (output_text_is_piped(&from.texts[0]))
        return -E2BIG; /* it was one of those that write much */
    header.tag_size = (uint32_t)tag_size;
    for (int i = 0; i < TEXTS; i++)
        header.sizes[i] = (uint32_t)text_of(&from, i)->size;
    struct packed *made = malloc(size_of(&header));
    if (!made)
        return -ENOMEM;
    *made = header;
    char *to = made->bytes;
    if (tag_size > 0)
        memcpy(to, entry->tag, tag_size);
    to += tag_size;
    for (int i = 0; i < TEXTS; i++) {
        int64_t got = output_text_copy(text_of(&from, i), store, to, header.sizes[i]);
        if (got < 0) {
            free(made);
            return (int)got;
        }
        to += got;
    }
    *packed = made;
    return 0;
}

int output_pack(struct output_store *store, const struct output_entry *entry, output_place *place)
{
    struct packed *packed;
    uint64_t at;
    int error = make(store, entry, &packed);
    if (error < 0)
        return error;
    size_t size = size_of(packed);
    if (!output_store_is_full(store, store->bound / 2 + size)) {
        store->used += size + HEAP;
        *place = (output_place)(uintptr_t)packed | OUTPUT_PACKED;
        return 0;
    }
    error = output_store_put(store, packed, size, &at);
    free(packed);
    if (error == 0)
        *place = at << 1 | OUTPUT_IN_FILE | OUTPUT_PACKED;
    return error;
}

/* ---- and back ---- */

/* NULL: *error tells why. */
static struct packed *fetch(struct output_store *store, uint64_t at, int *error)
{
    struct packed header;
    *error = output_store_get(store, at, &header, sizeof header);
    if (*error < 0)
        return NULL;
    size_t size = size_of(&header);
    struct packed *packed = malloc(size);
    *error = packed ? output_store_get(store, at, packed, size) : -ENOMEM;
    output_store_leave(store, at, size);
    if (*error == 0)
        return packed;
    free(packed);
    return NULL;
}

static int fill(struct output_store *store, const struct packed *packed, struct output_entry *entry)
{
    const char *from = packed->bytes;
    int error = 0;
    entry->ended = true;
    if (packed->tag_size > 0) {
        entry->tag = entry->own_tag = strndup(from, packed->tag_size);
        error = entry->tag ? 0 : -ENOMEM;
    }
    from += packed->tag_size;
    for (int i = 0; i < TEXTS && error == 0; i++) {
        error = output_text_add(text_of(entry, i), store, from, packed->sizes[i]);
        from += packed->sizes[i];
    }
    return error;
}

int output_unpack(struct output_store *store, output_place place, struct output_entry *entry)
{
    int error = 0;
    struct packed *packed;
    if (place & OUTPUT_IN_FILE) {
        packed = fetch(store, (place & ~OUTPUT_IN_FILE) >> 1, &error);
    } else {
        packed = (struct packed *)(uintptr_t)(place & ~OUTPUT_PACKED);
        store->used -= size_of(packed) + HEAP;
    }
    if (packed)
        error = fill(store, packed, entry);
    free(packed);
    return error;
}
