/*
 * Lanes under several threads at once: each number is handed out exactly once, whatever is returned in between.
 *
 * The same check is made of lanes that are broken on purpose, and has to find that out: else it would show nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "lockfree/lanes.h"

enum { THREADS = 4, NUMBERS = 1 << 17, TRIES = 200 };

typedef bool take_function(salp__lane lanes[], int count, int home, uint32_t want, salp__range *taken);
typedef bool return_function(salp__lane lanes[], int home, salp__range range);

/* Lanes, right or broken, and what has come out of them. */
struct trial {
    take_function *take;
    return_function *give_back;
    uint32_t first;   /* of the numbers */
    uint32_t numbers; /* how many */
    salp__lane lanes[THREADS];
    atomic_uchar handed[NUMBERS]; /* how often each was kept by its taker; stays at 255 */
    atomic_int strays;            /* ranges that no right lanes would hand out */
    atomic_ulong kept;            /* so that broken lanes, too, come to an end */
    atomic_int ready;
};

struct taker {
    struct trial *trial;
    pthread_t thread;
    int home;
    unsigned random;
};

static void keep(struct trial *trial, salp__range range)
{
    if (range.begin >= range.end || range.begin < trial->first || range.end - trial->first > trial->numbers) {
        atomic_fetch_add(&trial->strays, 1);
        return;
    }
    for (uint32_t i = range.begin; i < range.end; i++) {
        /* relaxed: read when the threads are joined. */
        if (atomic_fetch_add_explicit(&trial->handed[i - trial->first], 1, memory_order_relaxed) == 255)
            atomic_store(&trial->handed[i - trial->first], 255);
    }
    atomic_fetch_add_explicit(&trial->kept, range.end - range.begin, memory_order_relaxed);
}

static void *take_all(void *arg)
{
    struct taker *taker = arg;
    struct trial *trial = taker->trial;
    salp__range taken;
    atomic_fetch_add(&trial->ready, 1);
    while (atomic_load(&trial->ready) < THREADS)
        sched_yield();
    while (trial->take(trial->lanes, THREADS, taker->home, 1 + (uint32_t)rand_r(&taker->random) % 60, &taken)) {
        uint32_t size = taken.end - taken.begin;
        if (size > 0 && size <= trial->numbers && rand_r(&taker->random) % 3 == 0) {
            /* Returns the last part of it, perhaps all. */
            salp__range rest = { taken.end - 1 - (uint32_t)rand_r(&taker->random) % size, taken.end };
            if (trial->give_back(trial->lanes, taker->home, rest))
                taken.end = rest.begin;
        }
        if (taken.begin != taken.end)
            keep(trial, taken);
        if (atomic_load_explicit(&trial->kept, memory_order_relaxed) > 4UL * trial->numbers)
            break;
    }
    return NULL;
}

/* Returns how many numbers were not handed out exactly once. */
static int try_once(struct trial *trial, unsigned seed)
{
    struct taker takers[THREADS];
    int wrong = 0;
    memset(trial->handed, 0, trial->numbers);
    atomic_store(&trial->strays, 0);
    atomic_store(&trial->kept, 0);
    atomic_store(&trial->ready, 0);
    salp__lanes_split(trial->lanes, THREADS, (salp__range){ trial->first, trial->first + trial->numbers });
    for (int i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){ .trial = trial, .home = i, .random = seed * THREADS + (unsigned)i };
        assert_int_equal(pthread_create(&takers[i].thread, NULL, take_all, &takers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(takers[i].thread, NULL), 0);
    for (uint32_t i = 0; i < trial->numbers; i++)
        wrong += atomic_load(&trial->handed[i]) != 1;
    return wrong + atomic_load(&trial->strays);
}

/* ---- the lanes as they are ---- */

static void each_number_is_handed_out_once(void **state)
{
    static struct trial trial = { .take = salp__lanes_take, .give_back = salp__lanes_return };
    (void)state;
    trial.numbers = NUMBERS;
    for (int i = 0; i < test_scale(60); i++) {
        assert_int_equal(try_once(&trial, (unsigned)i), 0);
        assert_true(salp__lanes_empty(trial.lanes, THREADS));
        assert_int_equal(salp__lanes_left(trial.lanes, THREADS), 0);
    }
}

/* The fewer there are, the more often the takers meet. */
static void few_numbers_are_handed_out_once(void **state)
{
    static struct trial trial = { .take = salp__lanes_take, .give_back = salp__lanes_return };
    (void)state;
    for (int i = 0; i < test_scale(2000); i++) {
        trial.numbers = 1 + (uint32_t)i % 200;
        assert_int_equal(try_once(&trial, (unsigned)i), 0);
    }
}

static void the_largest_numbers_are_handed_out_once(void **state)
{
    static struct trial trial = { .take = salp__lanes_take, .give_back = salp__lanes_return };
    (void)state;
    trial.numbers = NUMBERS;
    trial.first = UINT32_MAX - NUMBERS;
    for (int i = 0; i < test_scale(20); i++)
        assert_int_equal(try_once(&trial, (unsigned)i), 0);
}

/* ---- lanes that are broken on purpose ---- */

static salp__range load(salp__lane *lane)
{
    uint64_t word = atomic_load(&lane->word);
    return (salp__range){ .begin = (uint32_t)word, .end = (uint32_t)(word >> 32) };
}

/* What another thread did between the look at a lane and this is lost. The pause makes that likely on few processors. */
static void store_late(salp__lane *lane, uint32_t begin, uint32_t end)
{
    sched_yield();
    atomic_store(&lane->word, (uint64_t)end << 32 | begin);
}

/* As salp__lanes_take, but with a load and a store instead of a compare-and-swap, at the front and at the back. */
static bool take_without_comparing(salp__lane lanes[], int count, int home, uint32_t want, salp__range *taken)
{
    salp__range range = load(&lanes[home]);
    if (range.begin < range.end) {
        uint32_t size = range.end - range.begin, most = size - size / 2, given = want < most ? want : most;
        *taken = (salp__range){ range.begin, range.begin + given };
        store_late(&lanes[home], range.begin + given, range.end);
        return true;
    }
    for (int i = 0; i < count; i++) {
        range = load(&lanes[i]);
        if (range.begin >= range.end)
            continue;
        uint32_t size = range.end - range.begin, most = size - size / 2, given = want < most ? want : most;
        *taken = (salp__range){ range.end - given, range.end };
        store_late(&lanes[i], range.begin, range.end - given);
        return true;
    }
    return false;
}

/* As salp__lanes_return, likewise. */
static bool return_without_comparing(salp__lane lanes[], int home, salp__range range)
{
    salp__range held = load(&lanes[home]);
    bool empty = held.begin >= held.end;
    if (!empty && held.begin != range.end)
        return false;
    store_late(&lanes[home], range.begin, empty ? range.end : held.end);
    return true;
}

/* Whether the check finds the lanes broken, soon. */
static bool is_caught(struct trial *trial)
{
    trial->numbers = 2000;
    for (int i = 0; i < TRIES; i++)
        if (try_once(trial, (unsigned)i) > 0)
            return true;
    return false;
}

static void broken_lanes_are_caught(void **state)
{
    static struct trial takes = { .take = take_without_comparing, .give_back = salp__lanes_return };
    static struct trial returns = { .take = salp__lanes_take, .give_back = return_without_comparing };
    (void)state;
    assert_true(is_caught(&takes));
    assert_true(is_caught(&returns));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("each number is handed out once", each_number_is_handed_out_once, 120),
        TEST_LIMIT("few numbers are handed out once", few_numbers_are_handed_out_once, 120),
        TEST_LIMIT("the largest numbers are handed out once", the_largest_numbers_are_handed_out_once, 120),
        TEST_LIMIT("broken lanes are caught", broken_lanes_are_caught, 120),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
