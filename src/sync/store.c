/* Where the items of a queue lie. SPDX-License-Identifier: MIT */
#include "sync/store.h"

#include <errno.h>

#include "base/assert.h"
#include "os/memory.h"

enum {
#ifdef SALP_HOSTILE
    LEAST = 1,
#else
    LEAST = 64, /* slots of a store that grows */
#endif
};

static char *slot_at(const salp__store *store, size_t index)
{
    return store->slots + index * store->stride;
}

/* ---- memory ---- */

static size_t stride_of(const salp_queue_options *options)
{
    size_t size = options->item_size, unit = size % 16 == 0 ? 16 : 8;
    if (options->order != SALP_PRIORITY)
        return size;
    /* As aligned as in an array of such items, up to what an allocation is, and the number behind it. */
    return (size + sizeof(uint64_t) + unit - 1) / unit * unit;
}

/* A heap has one slot more, to exchange two others. */
static char *slots_for(const salp__store *store, size_t room)
{
    size_t bytes;
    if (__builtin_mul_overflow(room + (store->order == SALP_PRIORITY), store->stride, &bytes))
        return NULL;
    return salp__allocate(bytes > 0 ? bytes : 1);
}

int salp__store_open(salp__store *store, const salp_queue_options *options)
{
    *store = (salp__store){
        .item_size = options->item_size,
        .stride = stride_of(options),
        .order = options->order,
        .compare = options->compare,
        .grows = options->capacity == SALP_UNBOUNDED,
    };
    if (store->stride < store->item_size)
        return -ENOMEM; /* the size is next to the largest number */
    store->room = store->grows ? LEAST : options->capacity;
    store->slots = slots_for(store, store->room);
    return store->slots ? 0 : -ENOMEM;
}

void salp__store_close(salp__store *store)
{
    salp__free(store->slots);
}

static int resize(salp__store *store, size_t room)
{
    char *slots = slots_for(store, room);
    if (!slots)
        return -ENOMEM;
    size_t before_end = store->room - store->first;
    if (before_end > store->count)
        before_end = store->count;
    memcpy(slots, slot_at(store, store->first), before_end * store->stride);
    memcpy(slots + before_end * store->stride, store->slots, (store->count - before_end) * store->stride);
    salp__free(store->slots);
    store->slots = slots;
    store->room = room;
    store->first = 0;
    return 0;
}

static void shrink(salp__store *store)
{
    if (store->grows && store->room > LEAST && store->count <= store->room / 8)
        (void)resize(store, store->room / 2); /* without memory for it, it stays as large */
}

/* ---- a heap ---- */

static uint64_t number_of(const salp__store *store, const char *slot)
{
    uint64_t number;
    memcpy(&number, slot + store->stride - sizeof number, sizeof number);
    return number;
}

static bool comes_before(const salp__store *store, size_t a, size_t b)
{
    const char *slot_a = slot_at(store, a), *slot_b = slot_at(store, b);
    int order = store->compare(slot_a, slot_b);
    return order != 0 ? order < 0 : number_of(store, slot_a) < number_of(store, slot_b);
}

static void exchange(salp__store *store, size_t a, size_t b)
{
    char *spare = slot_at(store, store->room);
    memcpy(spare, slot_at(store, a), store->stride);
    memcpy(slot_at(store, a), slot_at(store, b), store->stride);
    memcpy(slot_at(store, b), spare, store->stride);
}

static void put_into_heap(salp__store *store, const void *item)
{
    size_t at = store->count++;
    char *slot = slot_at(store, at);
    memcpy(slot, item, store->item_size);
    memcpy(slot + store->stride - sizeof store->numbers, &store->numbers, sizeof store->numbers);
    store->numbers++;
    for (; at > 0 && comes_before(store, at, (at - 1) / 2); at = (at - 1) / 2)
        exchange(store, at, (at - 1) / 2);
}

static void get_from_heap(salp__store *store, void *item)
{
    memcpy(item, store->slots, store->item_size);
    size_t count = --store->count;
    if (count > 0)
        memcpy(store->slots, slot_at(store, count), store->stride);
    for (size_t at = 0, least = 0;; at = least) {
        for (size_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
            if (child < count && comes_before(store, child, least))
                least = child;
        }
        if (least == at)
            break;
        exchange(store, at, least);
    }
}

/* ---- all ---- */

int salp__store_put_slowly(salp__store *store, const void *item)
{
    if (store->count == store->room) {
        salp__assert(store->grows);
        int error = resize(store, 2 * store->room);
        if (error < 0)
            return error;
    }
    if (store->order == SALP_PRIORITY) {
        put_into_heap(store, item);
        return 0;
    }
    size_t at = store->first + store->count++; /* of a stack, `first` is always 0 */
    if (at >= store->room)
        at -= store->room;
    salp__item_copy(slot_at(store, at), item, store->item_size);
    return 0;
}

void salp__store_get_slowly(salp__store *store, void *item)
{
    if (store->order == SALP_PRIORITY) {
        get_from_heap(store, item);
    } else if (store->order == SALP_LIFO) {
        salp__item_copy(item, slot_at(store, --store->count), store->item_size);
    } else {
        salp__item_copy(item, slot_at(store, store->first), store->item_size);
        if (++store->first == store->room)
            store->first = 0;
        store->count--;
    }
    shrink(store);
}
