/*
 * rings.c - messages through shared memory with nothing but futexes: how fast it can be, without what makes it safe.
 *
 * The ring is for one process on each side. `put` and `got` count messages; each is written by one side, which
 * publishes a message by it, or a free slot, and is what the other side sleeps on. A side that would sleep says first
 * for which number it waits, and looks again; the other publishes first and looks then, so that one of the two sees the
 * other. Only who publishes that very number wakes, so that nothing said needs to be taken back. Before a side sleeps,
 * it waits awake for a few microseconds, unless both share a processor.
 *
 * The slot is a round trip over bare futexes: a word says whether it is full, who finds it empty sleeps at once, and
 * who fills it wakes him.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "plain.h"

/* ---- what both wait with ---- */

static void relax(void)
{
#ifdef __x86_64__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

/* A count that one side changes and the other waits for. */
struct count {
    _Alignas(64) _Atomic uint32_t value;
    _Alignas(64) _Atomic uint32_t awaited; /* the value until which somebody sleeps, or is about to, or did */
};

static void wait_awake(struct count *count, uint32_t seen)
{
    for (int i = 0; i < 200; i++) {
        /* acquire: the message, or the free slot, that it publishes. */
        if (atomic_load_explicit(&count->value, memory_order_acquire) != seen)
            return;
        relax();
    }
}

static void wait_for_change(struct count *count, uint32_t seen, bool awake)
{
    if (awake)
        wait_awake(count, seen);
    while (atomic_load_explicit(&count->value, memory_order_acquire) == seen) {
        atomic_store(&count->awaited, seen + 1); /* seq_cst, against the fence in publish */
        if (atomic_load(&count->value) == seen)
            bench_futex_wait(&count->value, seen);
    }
}

static void publish(struct count *count, uint32_t value)
{
    atomic_store_explicit(&count->value, value, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst); /* the value before the look: see wait_for_change */
    if (atomic_load_explicit(&count->awaited, memory_order_relaxed) == value)
        bench_futex_wake(&count->value);
}

/* ---- ring ---- */

struct ring {
    struct count put, got;
    _Alignas(64) char messages[];
};

struct rings {
    size_t size, capacity; /* of each ring */
    bool awake;            /* waits awake first */
    struct ring *to[2];    /* each side */
};

static size_t ring_size(const struct rings *rings)
{
    return sizeof(struct ring) + rings->size * rings->capacity;
}

static void *open_rings(size_t size, size_t capacity)
{
    struct rings *rings = malloc(sizeof *rings);
    bench_must("malloc", rings != NULL);
    *rings = (struct rings){ .size = size, .capacity = capacity, .awake = bench_two_processors() };
    for (int side = 0; side < 2; side++)
        rings->to[side] = bench_shared(ring_size(rings));
    return rings;
}

static void close_rings(void *link)
{
    struct rings *rings = link;
    for (int side = 0; side < 2; side++)
        bench_unshare(rings->to[side], ring_size(rings));
    free(rings);
}

static char *place_of(const struct rings *rings, struct ring *ring, uint32_t number)
{
    return ring->messages + number % rings->capacity * rings->size;
}

static void put(void *link, int side, const void *message)
{
    const struct rings *rings = link;
    struct ring *ring = rings->to[!side];
    uint32_t number = atomic_load_explicit(&ring->put.value, memory_order_relaxed); /* this side's own */
    for (;;) {
        uint32_t got = atomic_load_explicit(&ring->got.value, memory_order_acquire);
        if (number - got < rings->capacity)
            break;
        wait_for_change(&ring->got, got, rings->awake);
    }
    memcpy(place_of(rings, ring, number), message, rings->size);
    publish(&ring->put, number + 1);
}

static void *get(void *link, int side, void *room)
{
    const struct rings *rings = link;
    struct ring *ring = rings->to[side];
    uint32_t number = atomic_load_explicit(&ring->got.value, memory_order_relaxed); /* this side's own */
    if (atomic_load_explicit(&ring->put.value, memory_order_acquire) == number)
        wait_for_change(&ring->put, number, rings->awake);
    memcpy(room, place_of(rings, ring, number), rings->size);
    publish(&ring->got, number + 1);
    return room;
}

const struct bench_link bench_ring_link = { "ring", open_rings, put, get, close_rings };

/* ---- slot ---- */

/* A ring of which `put.value` alone is used: whether the slot is full. */
static void *open_slots(size_t size, size_t capacity)
{
    (void)capacity;
    return open_rings(size, 1);
}

static void fill(void *link, int side, const void *message)
{
    const struct rings *slots = link;
    struct ring *slot = slots->to[!side];
    if (atomic_load_explicit(&slot->put.value, memory_order_acquire) != 0)
        bench_fail("a slot is for round trips alone: nobody waits until it is free");
    memcpy(slot->messages, message, slots->size);
    atomic_store_explicit(&slot->put.value, 1, memory_order_release);
    bench_futex_wake(&slot->put.value);
}

static void *empty(void *link, int side, void *room)
{
    const struct rings *slots = link;
    struct ring *slot = slots->to[side];
    while (atomic_load_explicit(&slot->put.value, memory_order_acquire) == 0)
        bench_futex_wait(&slot->put.value, 0);
    memcpy(room, slot->messages, slots->size);
    atomic_store_explicit(&slot->put.value, 0, memory_order_release);
    return room;
}

const struct bench_link bench_slot_link = { "slot", open_slots, fill, empty, close_rings };

/* ---- copying alone ---- */

struct copies {
    struct rings rings;
    struct ring *ring;
    char *room; /* for one message; a copy of it in each process */
    long count;
};

/* Half a ring apart, so that the two do not fetch the same lines at the same time. */
static struct bench_done copy_in_or_out(void *arg, int side, int64_t until)
{
    (void)until;
    struct copies *copies = arg;
    const struct rings *rings = &copies->rings;
    uint32_t apart = side == 0 ? (uint32_t)rings->capacity / 2 : 0;
    for (long i = 0; i < copies->count; i++) {
        char *place = place_of(rings, copies->ring, (uint32_t)i + apart);
        memcpy(side == 0 ? place : copies->room, side == 0 ? copies->room : place, rings->size);
        __asm__ volatile("" ::: "memory"); /* each is really copied */
    }
    return (struct bench_done){ .count = side == 0 ? 0 : copies->count };
}

/* As many copies as take some milliseconds, whichever time was asked for: both sides do the same number. */
void bench_case_copy(void)
{
    struct copies copies = { .rings = { .size = (size_t)bench_number("size", 1 << 20),
                                        .capacity = (size_t)bench_number("capacity", 8) } };
    copies.count = (long)(((size_t)bench_number("milliseconds", 50) << 23) / copies.rings.size);
    bench_must("malloc", (copies.room = malloc(copies.rings.size)) != NULL);
    memset(copies.room, 0x5a, copies.rings.size);
    copies.ring = bench_shared(ring_size(&copies.rings));
    bench_both("copy", BENCH_PROCESSES, copy_in_or_out, &copies);
    for (size_t i = 0; i < copies.rings.size * copies.rings.capacity; i++)
        bench_expect("what was copied", copies.ring->messages[i], 0x5a);
    bench_unshare(copies.ring, ring_size(&copies.rings));
    free(copies.room);
}
