/* Where the items of a queue between processes lie; the header tells how. SPDX-License-Identifier: MIT */
#include "sync/shared_store.h"

#include <errno.h>

#include "base/assert.h"
#include "os/file.h"
#include "os/memory.h"

enum {
#ifdef SALP_HOSTILE
    BACKED_AT_ONCE = 4096, /* bytes */
    TRIMMED = 4096,
    ROUND = 3 * 4096,
    APART = 1,
#else
    BACKED_AT_ONCE = 1 << 16,
    TRIMMED = 1 << 20,
    ROUND = 4 << 20, /* bytes of long items: more than a processor's own cache, less than the one that they share */
    APART = 16,      /* the least capacity with a belt: of a smaller one the two ends would mostly wait for each other */
#endif
    BELT = 16 << 20,  /* bytes of a belt, at most: it goes through all of them, however few items there are */
    LEAST_CELLS = 64, /* beyond the capacity */
};

static const uint64_t waiting_bytes = UINT64_C(1) << 30;  /* for those who wait, at most */
static const uint64_t growing_bytes = UINT64_C(16) << 30; /* of a queue without bound */

/* ---- what it is made of ---- */

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Aligned as in an array, up to what an allocation is; large ones to lines. */
static size_t stride_of(size_t item_size)
{
    enum { LINE = 64 };
    return round_up(item_size, item_size >= LINE ? LINE : item_size % 16 == 0 ? 16 : 8);
}

static uint64_t cells_of(const salp_queue_options *options)
{
    bool grows = options->capacity == SALP_UNBOUNDED;
    uint64_t fit = (grows ? growing_bytes : waiting_bytes) / stride_of(options->item_size);
    if (!grows && fit > SALP__NODES)
        fit = SALP__NODES;
    return (grows ? 0 : options->capacity) + (fit < LEAST_CELLS ? LEAST_CELLS : fit);
}

/* Where the items begin in the body. */
static size_t items_at(size_t head, uint64_t cells, salp_order order)
{
    size_t each = sizeof(salp__cell) + (order == SALP_PRIORITY ? sizeof(salp__word) : 0);
    return salp__pages(round_up(head, sizeof(salp__word)) + cells * each);
}

size_t salp__shared_store_size(size_t head, const salp_queue_options *options)
{
    static const uint64_t most = UINT64_C(1) << 46; /* what a process can map at all, or nearly */
    size_t bytes;
    if (options->item_size > most || (options->capacity != SALP_UNBOUNDED && options->capacity > most))
        return 0;
    uint64_t cells = cells_of(options);
    if (__builtin_mul_overflow(cells, stride_of(options->item_size), &bytes) || bytes > most || cells > most / 64)
        return 0;
    return items_at(head, cells, options->order) + bytes;
}

static bool has_belt(const salp_queue_options *options)
{
    return options->order == SALP_FIFO && options->item_size <= SALP__SHORT && options->capacity >= APART &&
           options->capacity <= BELT / stride_of(options->item_size);
}

void salp__shared_store_begin(salp__cells *words, const salp_queue_options *options)
{
    words->item_size = options->item_size;
    words->capacity = options->capacity;
    words->order = options->order;
    words->cells = cells_of(options);
    words->room = has_belt(options) ? options->capacity : 0;
    words->backed = words->room * stride_of(options->item_size);
    /* relaxed: nobody else has it yet. */
    atomic_store_explicit(&words->used, words->room, memory_order_relaxed);
}

/* Whether none of those that change leads out of the cells. Others may change them meanwhile, so none is compared with
   another one. */
static bool words_fit(const salp__cells *words)
{
    const salp__word *const numbers[] = { &words->count, &words->first,     &words->last,
                                          &words->free,  &words->free_last, &words->used };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (salp__word_get(numbers[i]) > words->cells)
            return false;
    }
    return true;
}

/* The words may be anybody's: none of them leads out of the body. */
static bool fits(const salp__cells *words, size_t head, size_t body_size)
{
    if (words->item_size == 0 || words->order > SALP_PRIORITY)
        return false;
    const salp_queue_options like = { .item_size = words->item_size,
                                      .capacity = words->capacity,
                                      .order = (salp_order)words->order };
    size_t size = salp__shared_store_size(head, &like);
    return size != 0 && size <= body_size && words->cells == cells_of(&like) && words_fit(words) &&
           (words->room == 0 ||
            (words->room == like.capacity && like.capacity != SALP_UNBOUNDED && words->order == SALP_FIFO));
}

int salp__shared_store_view(salp__shared_store *store, salp__shared *shared, size_t head,
                            const salp_queue_options *options)
{
    char *body = salp__shared_body(shared);
    salp__cells *words = (salp__cells *)body;
    if (!fits(words, head, salp__shared_body_size(shared)))
        return -EINVAL;
    *store = (salp__shared_store){
        .shared = shared,
        .words = words,
        .cells = (salp__cell *)(body + round_up(head, sizeof(salp__word))),
        .item_size = words->item_size,
        .stride = stride_of(words->item_size),
        .room = words->room,
        .compare = options ? options->compare : NULL,
        .order = (salp_order)words->order,
        .grows = words->capacity == SALP_UNBOUNDED,
    };
    store->heap = (salp__word *)(store->cells + words->cells);
    store->items = body + items_at(head, words->cells, store->order);
    if (options && options->item_size != 0 && options->item_size != store->item_size)
        return -EINVAL;
    return (store->order == SALP_PRIORITY) == (store->compare != NULL) ? 0 : -EINVAL;
}

static void set(const salp__shared_store *store, salp__word *word, uint64_t value)
{
    salp__shared_set(store->shared, word, value);
}

static void add(const salp__shared_store *store, salp__word *word, int64_t change)
{
    set(store, word, salp__word_get(word) + (uint64_t)change);
}

/* ---- cells ---- */

/* Memory for the items before the byte `end`, as it is there before `*backed`, and perhaps up to `limit`: what is not there
   now would be missed in the midst of a copy. */
static int back(const salp__shared_store *store, uint64_t *backed, uint64_t end, uint64_t limit)
{
    if (end <= *backed)
        return 0;
    size_t begin = (size_t)(store->items - (char *)store->shared->segment);
    size_t size = round_up(end - *backed, BACKED_AT_ONCE);
    if (size > limit - *backed)
        size = limit - *backed;
    int error = salp__file_reserve(store->shared->fd, begin + *backed, size);
    if (error < 0)
        return error == -ENOSPC ? -ENOMEM : error;
    *backed += size;
    return 0;
}

int salp__belt_back_locked(salp__shared_store *store, uint64_t put)
{
    if (salp__belt_is_backed(store, put))
        return 0;
    return back(store, &store->words->belt_backed, (put + 1) * store->stride, store->room * store->stride);
}

/* Long items go round: what one processor has just written is still in its own cache, and fetched from there several times
   more slowly than what has gone from it to the cache that all share. */
static bool goes_round(const salp__shared_store *store)
{
    return store->item_size > SALP__SHORT && !store->grows;
}

/* One that was never used. */
static int take_fresh(salp__shared_store *store, uint64_t *cell)
{
    salp__cells *words = store->words;
    uint64_t used = salp__word_get(&words->used);
    if (used == words->cells)
        return store->grows ? -ENOMEM : -EAGAIN;
    int error = back(store, &words->backed, (used + 1) * store->stride, words->cells * store->stride);
    if (error < 0)
        return error;
    *cell = used;
    set(store, &words->used, used + 1);
    return 0;
}

static int take(salp__shared_store *store, uint64_t *cell)
{
    salp__cells *words = store->words;
    uint64_t free = salp__word_get(&words->free), used = salp__word_get(&words->used);
    bool fresh = !free || (goes_round(store) && used < words->capacity && (used + 1) * store->stride <= ROUND);
    if (fresh) {
        int error = take_fresh(store, cell);
        if (error == 0 || !free)
            return error;
    }
    *cell = free - 1;
    set(store, &words->free, salp__word_get(&store->cells[*cell].link));
    return 0;
}

int salp__cell_take_locked(salp__shared_store *store, uint64_t *cell)
{
    int error = take(store, cell);
    if (error == 0 && store->order != SALP_PRIORITY && salp__word_get(&store->cells[*cell].age) != 0)
        set(store, &store->cells[*cell].age, 0);
    return error;
}

static void let_go(const salp__shared_store *store, uint64_t cell)
{
    uint64_t hold = salp__word_get(&store->cells[cell].hold);
    if (hold == 0)
        return;
    set(store, &store->cells[cell].hold, 0);
    add(store, &store->words->held, -1);
    if (hold & SALP__CELL_READ)
        add(store, &store->words->reads, -1);
}

void salp__cell_free_locked(salp__shared_store *store, uint64_t cell)
{
    salp__cells *words = store->words;
    uint64_t free = salp__word_get(&words->free);
    let_go(store, cell);
    if (free == 0 || goes_round(store)) {
        set(store, &store->cells[cell].link, 0);
        set(store, free ? &store->cells[salp__word_get(&words->free_last) - 1].link : &words->free, cell + 1);
        set(store, &words->free_last, cell + 1);
    } else {
        set(store, &store->cells[cell].link, free);
        set(store, &words->free, cell + 1);
    }
}

void salp__cell_hold_locked(salp__shared_store *store, uint64_t cell, uint64_t what, uint32_t slot)
{
    let_go(store, cell);
    set(store, &store->cells[cell].hold, what | slot);
    add(store, &store->words->held, 1);
    if (!(what & SALP__CELL_READ))
        return;
    add(store, &store->words->reads, 1);
    if (store->order != SALP_PRIORITY && salp__word_get(&store->cells[cell].age) == 0) {
        add(store, &store->words->ages, 1);
        set(store, &store->cells[cell].age, salp__word_get(&store->words->ages));
    }
}

/* ---- a heap ---- */

static bool comes_before(const salp__shared_store *store, uint64_t a, uint64_t b)
{
    int order = store->compare(salp__cell_item(store, a), salp__cell_item(store, b));
    return order != 0 ? order < 0 : salp__word_get(&store->cells[a].age) < salp__word_get(&store->cells[b].age);
}

/* It goes up from the end until it is in order; each place is written once. */
static void put_into_heap(const salp__shared_store *store, uint64_t cell)
{
    uint64_t at = salp__shared_store_count(store);
    for (; at > 0; at = (at - 1) / 2) {
        uint64_t above = salp__word_get(&store->heap[(at - 1) / 2]);
        if (!comes_before(store, cell, above))
            break;
        set(store, &store->heap[at], above);
    }
    set(store, &store->heap[at], cell);
}

/* The last one goes down from the top. */
static uint64_t get_from_heap(const salp__shared_store *store)
{
    uint64_t count = salp__shared_store_count(store) - 1, at = 0;
    uint64_t first = salp__word_get(&store->heap[0]), sinking = salp__word_get(&store->heap[count]);
    for (;;) {
        uint64_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count &&
            comes_before(store, salp__word_get(&store->heap[child + 1]), salp__word_get(&store->heap[child])))
            child++;
        uint64_t below = salp__word_get(&store->heap[child]);
        if (!comes_before(store, below, sinking))
            break;
        set(store, &store->heap[at], below);
        at = child;
    }
    set(store, &store->heap[at], sinking);
    return first;
}

/* ---- those that are listed ---- */

static void link_first(const salp__shared_store *store, uint64_t cell)
{
    salp__cells *words = store->words;
    if (salp__shared_store_count(store) == 0)
        set(store, &words->last, cell + 1);
    set(store, &store->cells[cell].link, salp__word_get(&words->first));
    set(store, &words->first, cell + 1);
}

static void link_last(const salp__shared_store *store, uint64_t cell)
{
    salp__cells *words = store->words;
    bool alone = salp__shared_store_count(store) == 0;
    set(store, alone ? &words->first : &store->cells[salp__word_get(&words->last) - 1].link, cell + 1);
    set(store, &words->last, cell + 1);
}

/* In front, but behind those that were taken before it and have come back, too. */
static void link_back(const salp__shared_store *store, uint64_t cell)
{
    uint64_t left = salp__shared_store_count(store), next = salp__word_get(&store->words->first);
    uint64_t age = salp__word_get(&store->cells[cell].age);
    salp__word *link = &store->words->first;
    for (; left > 0; left--) {
        uint64_t other = salp__word_get(&store->cells[next - 1].age);
        if (other == 0 || other > age)
            break;
        link = &store->cells[next - 1].link;
        next = salp__word_get(link);
    }
    if (left == 0) {
        link_last(store, cell);
    } else {
        set(store, &store->cells[cell].link, next);
        set(store, link, cell + 1);
    }
}

void salp__cell_list_locked(salp__shared_store *store, uint64_t cell)
{
    salp__cells *words = store->words;
    let_go(store, cell);
    if (store->order == SALP_PRIORITY) {
        set(store, &store->cells[cell].age, salp__word_get(&words->ages));
        add(store, &words->ages, 1);
        put_into_heap(store, cell);
    } else if (store->order == SALP_LIFO) {
        link_first(store, cell);
    } else {
        link_last(store, cell);
    }
    add(store, &words->count, 1);
}

void salp__cell_relist_locked(salp__shared_store *store, uint64_t cell)
{
    let_go(store, cell);
    if (store->order == SALP_PRIORITY)
        put_into_heap(store, cell);
    else
        link_back(store, cell);
    add(store, &store->words->count, 1);
}

uint64_t salp__cell_unlist_locked(salp__shared_store *store)
{
    salp__cells *words = store->words;
    uint64_t cell;
    if (store->order == SALP_PRIORITY) {
        cell = get_from_heap(store);
    } else {
        cell = salp__word_get(&words->first) - 1;
        set(store, &words->first, salp__word_get(&store->cells[cell].link));
    }
    add(store, &words->count, -1);
    return cell;
}

/* ---- giving memory back ---- */

void salp__shared_store_trim_locked(salp__shared_store *store)
{
    salp__cells *words = store->words;
    if (!store->grows || words->backed <= TRIMMED || salp__shared_store_count(store) > 0 ||
        salp__word_get(&words->held) > 0)
        return;
    /* All cells are free. First they are as if they had never been used: who dies in between leaves memory that is used
       again. */
    set(store, &words->free, 0);
    set(store, &words->used, 0);
    salp__shared_commit(store->shared);
    uint64_t backed = words->backed;
    words->backed = 0;
    SALP__STEP();
    salp__file_punch(store->shared->fd, (size_t)(store->items - (char *)store->shared->segment), backed);
}
