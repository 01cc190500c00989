/*
 * A work-stealing deque under an owner and thieves: each item comes once, whole. The same check is made of one that is
 * broken on purpose, and has to find that out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>

#include "lockfree/deque.h"
#include "os/clock.h"

enum { THIEVES = 3 };

struct item {
    long value; /* plain: ThreadSanitizer sees whether the deque orders it */
    atomic_int came;
};

struct game {
    salp__deque deque;
    bool broken;
    struct item *items;
    int count;
    atomic_int taken, twice, torn;
    atomic_bool over;
};

/* Raises top without looking whether somebody else has. */
static void *broken_steal(salp__deque *deque)
{
    int64_t top = atomic_load(&deque->top), bottom = atomic_load(&deque->bottom);
    if (top >= bottom)
        return NULL;
    void *item = atomic_load(&deque->items[(uint64_t)top % SALP__DEQUE_SIZE]);
    sched_yield(); /* makes likely on few processors what is to go wrong */
    atomic_store(&deque->top, top + 1);
    return item;
}

static void *steal(struct game *game)
{
    return game->broken ? broken_steal(&game->deque) : salp__deque_steal(&game->deque, INT64_MIN, NULL, NULL);
}

/* An item has come. */
static void note(struct game *game, struct item *item)
{
    if (!game->broken && item->value != item - game->items)
        atomic_fetch_add(&game->torn, 1);
    if (atomic_fetch_add(&item->came, 1) > 0)
        atomic_fetch_add(&game->twice, 1);
    atomic_fetch_add(&game->taken, 1);
}

static void *be_thief(void *arg)
{
    struct game *game = arg;
    while (!atomic_load(&game->over)) {
        struct item *item = steal(game);
        if (item)
            note(game, item);
        else
            sched_yield();
    }
    return NULL;
}

/* Puts one after the other, and takes back some: now and then all that are there. */
static void be_owner(struct game *game)
{
    uint32_t random = 1;
    for (int i = 0; i < game->count && atomic_load(&game->twice) == 0;) {
        random = random * 1664525 + 1013904223;
        if (random >> 31) {
            if (!game->broken)
                game->items[i].value = i;
            if (salp__deque_put(&game->deque, &game->items[i]))
                i++;
        } else {
            bool all = (random >> 24 & 15) == 0;
            struct item *item;
            do {
                item = salp__deque_take(&game->deque);
                if (item)
                    note(game, item);
            } while (all && item);
        }
        if ((random >> 16 & 255) == 0)
            sched_yield();
    }
}

/* All that was put has come. Bounded: an item that was lost never does. */
static bool all_come(struct game *game)
{
    int64_t end = salp__later(SALP_SECONDS(100));
    while (atomic_load(&game->taken) < game->count) {
        struct item *item = salp__deque_take(&game->deque);
        if (item)
            note(game, item);
        else
            sched_yield();
        if (salp__now() > end)
            return false;
    }
    return true;
}

static void play(struct game *game)
{
    pthread_t thieves[THIEVES];
    game->items = calloc((size_t)game->count, sizeof *game->items);
    assert_non_null(game->items);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, be_thief, game), 0);
    be_owner(game);
    bool all = game->broken || all_come(game);
    atomic_store(&game->over, true);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_join(thieves[i], NULL), 0);
    assert_true(all);
}

static void each_item_comes_once_and_whole(void **state)
{
    static struct game game;
    (void)state;
    game.count = test_scale(1000000);
    play(&game);
    assert_int_equal(atomic_load(&game.twice), 0);
    assert_int_equal(atomic_load(&game.torn), 0);
    assert_int_equal(atomic_load(&game.taken), game.count);
    for (int i = 0; i < game.count; i++)
        assert_int_equal(atomic_load(&game.items[i].came), 1);
    free(game.items);
}

static void a_broken_deque_is_caught(void **state)
{
    static struct game game;
    (void)state;
    game.broken = true;
    game.count = 20000000; /* it ends with the first that comes twice */
    play(&game);
    assert_int_not_equal(atomic_load(&game.twice), 0);
    free(game.items);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("each item comes once and whole", each_item_comes_once_and_whole, 200),
        TEST_LIMIT("a broken deque is caught", a_broken_deque_is_caught, 200),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
