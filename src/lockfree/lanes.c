/* A range shared out among workers; the header tells how it works. SPDX-License-Identifier: MIT */
#include "lockfree/lanes.h"

static uint64_t pack(uint32_t begin, uint32_t end)
{
    return (uint64_t)end << 32 | begin;
}

static salp__range unpack(uint64_t word)
{
    return (salp__range){ .begin = (uint32_t)word, .end = (uint32_t)(word >> 32) };
}

static uint32_t size_of(salp__range range)
{
    return range.end > range.begin ? range.end - range.begin : 0;
}

salp__range salp__lane_share(salp__range range, int count, int lane)
{
    uint64_t size = size_of(range);
    return (salp__range){
        .begin = range.begin + (uint32_t)(size * (uint64_t)lane / (uint64_t)count),
        .end = range.begin + (uint32_t)(size * (uint64_t)(lane + 1) / (uint64_t)count),
    };
}

int salp__lane_of(salp__range range, int count, uint32_t number)
{
    /* Rounding down, above, puts a number at most one lane further. */
    int lane = (int)((uint64_t)(number - range.begin) * (uint64_t)count / size_of(range));
    while (number >= salp__lane_share(range, count, lane).end)
        lane++;
    return lane;
}

void salp__lanes_split(salp__lane lanes[], int count, salp__range range)
{
    for (int i = 0; i < count; i++) {
        salp__range share = salp__lane_share(range, count, i);
        /* relaxed: the caller publishes the lanes to the takers by other means. */
        atomic_store_explicit(&lanes[i].word, pack(share.begin, share.end), memory_order_relaxed);
    }
}

static uint32_t piece(uint32_t size, uint32_t want)
{
    /* Half of what is left stays for those who run out first; the last one is taken whole. */
    uint32_t most = size - size / 2;
    return want < most ? want : most;
}

static bool take_front(salp__lane *lane, uint32_t want, salp__range *taken)
{
    uint64_t word = atomic_load_explicit(&lane->word, memory_order_relaxed);
    for (;;) {
        salp__range range = unpack(word);
        uint32_t size = size_of(range);
        if (size == 0)
            return false;
        uint32_t count = piece(size, want);
        /* acq_rel: pairs with the other takers' and returns, so that what is observed of a lane (empty, say) is in an
           order with the claims that made it so. The relaxed load above and on failure only proposes a value. */
        if (atomic_compare_exchange_weak_explicit(&lane->word, &word, pack(range.begin + count, range.end),
                                                  memory_order_acq_rel, memory_order_relaxed)) {
            *taken = (salp__range){ .begin = range.begin, .end = range.begin + count };
            return true;
        }
    }
}

static bool take_back(salp__lane *lane, uint64_t word, uint32_t want, salp__range *taken)
{
    salp__range range = unpack(word);
    uint32_t count = piece(size_of(range), want);
    /* acq_rel: as in take_front. */
    if (!atomic_compare_exchange_strong_explicit(&lane->word, &word, pack(range.begin, range.end - count),
                                                 memory_order_acq_rel, memory_order_relaxed))
        return false;
    *taken = (salp__range){ .begin = range.end - count, .end = range.end };
    return true;
}

bool salp__lanes_take(salp__lane lanes[], int count, int home, uint32_t want, salp__range *taken)
{
    if (take_front(&lanes[home], want, taken))
        return true;
    for (;;) {
        int fullest = -1;
        uint32_t most = 0;
        uint64_t word = 0;
        for (int i = 0; i < count; i++) {
            /* relaxed: a proposal, checked by the compare-and-swap. */
            uint64_t seen = atomic_load_explicit(&lanes[i].word, memory_order_relaxed);
            uint32_t size = size_of(unpack(seen));
            if (size > most) {
                most = size;
                fullest = i;
                word = seen;
            }
        }
        if (fullest < 0)
            return false;
        if (take_back(&lanes[fullest], word, want, taken))
            return true;
    }
}

bool salp__lanes_return(salp__lane lanes[], int home, salp__range range)
{
    salp__lane *lane = &lanes[home];
    uint64_t word = atomic_load_explicit(&lane->word, memory_order_relaxed);
    for (;;) {
        salp__range held = unpack(word);
        if (size_of(held) > 0 && held.begin != range.end)
            return false;
        uint32_t end = size_of(held) > 0 ? held.end : range.end;
        /* acq_rel: release publishes nothing but the range itself; in one order with the takes. */
        if (atomic_compare_exchange_weak_explicit(&lane->word, &word, pack(range.begin, end), memory_order_acq_rel,
                                                  memory_order_relaxed))
            return true;
    }
}

bool salp__lanes_empty(const salp__lane lanes[], int count)
{
    for (int i = 0; i < count; i++) {
        /* acquire: pairs with the takes that emptied the lane, see pool/control.c. */
        if (size_of(unpack(atomic_load_explicit(&lanes[i].word, memory_order_acquire))) > 0)
            return false;
    }
    return true;
}

uint64_t salp__lanes_left(const salp__lane lanes[], int count)
{
    uint64_t left = 0;
    for (int i = 0; i < count; i++)
        left += size_of(unpack(atomic_load_explicit(&lanes[i].word, memory_order_relaxed)));
    return left;
}
