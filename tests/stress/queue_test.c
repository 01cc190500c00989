/*
 * Queues under stress: tasks of two loops and four plain threads put and get in every way, give up in the midst of it,
 * and meet a shutdown. Every item is counted, and each producer's come out in his order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>

enum { QUEUES = 2, PRODUCERS = 6, CONSUMERS = 6, WAYS = 5 };

static salp_queue *queues[QUEUES];
static int each;         /* items of a producer, if nobody shuts the queues down */
static int enough;       /* so many were got: the queues are shut down; 0: never */
static _Atomic int lost; /* items that were put and not got */
static _Atomic int got;
static _Atomic int64_t difference; /* sum of what was put less that of what was got */

static bool has_given_up(int result)
{
    return result == -EAGAIN || result == -ETIMEDOUT || result == -ECANCELED;
}

static void open_both(size_t capacity)
{
    for (int i = 0; i < QUEUES; i++)
        assert_int_equal(
            salp_queue_open(&queues[i], &(salp_queue_options){ .item_size = sizeof(int64_t), .capacity = capacity }),
            0);
}

/* Of a select of both queues. */
static int result_of(const salp_case *cases, int chosen)
{
    EXPECT(chosen < QUEUES);
    return chosen < 0 ? chosen : cases[chosen].result;
}

/* ---- putting: *to is the queue, written if the caller has no say in it ---- */

static int put(int64_t item, unsigned way, unsigned *seed, int *to)
{
    salp_scope scope;
    int result;
    switch (way) {
    case 0:
        return salp_queue_put(queues[*to], &item);
    case 1:
        return salp_queue_try_put(queues[*to], &item);
    case 2:
        salp_scope_open(&scope, SALP_MICROSECONDS(rand_r(seed) % 50));
        result = salp_queue_put(queues[*to], &item);
        salp_scope_close(&scope);
        return result;
    default: {
        int first = rand_r(seed) % 2;
        salp_case cases[] = { { .put = queues[first], .item = &item }, { .put = queues[!first], .item = &item } };
        salp_scope_open(&scope, way == 3 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(seed) % 50));
        int chosen = salp_select(cases, QUEUES);
        salp_scope_close(&scope);
        *to = chosen == 0 ? first : !first;
        return result_of(cases, chosen);
    }
    }
}

static int produce(void *arg)
{
    int me = (int)(intptr_t)arg;
    unsigned seed = (unsigned)me + 1;
    for (int i = 0; i < each;) {
        int to = rand_r(&seed) % QUEUES;
        int result = put((int64_t)me << 32 | i, (unsigned)rand_r(&seed) % WAYS, &seed, &to);
        if (result == 0) {
            lost++;
            difference += i++;
        } else if (result == -EPIPE) {
            EXPECT(enough > 0);
            return 0;
        } else {
            EXPECT(has_given_up(result));
        }
    }
    return 0;
}

/* ---- getting ---- */

static int get(int64_t *item, unsigned way, unsigned *seed, int *from)
{
    salp_scope scope;
    int result;
    switch (way) {
    case 0:
        return salp_queue_get(queues[*from], item);
    case 1:
        return salp_queue_try_get(queues[*from], item);
    case 2:
        salp_scope_open(&scope, SALP_MICROSECONDS(rand_r(seed) % 50));
        result = salp_queue_get(queues[*from], item);
        salp_scope_close(&scope);
        return result;
    default: {
        int first = rand_r(seed) % 2;
        salp_case cases[] = { { .get = queues[first], .item = item }, { .get = queues[!first], .item = item } };
        salp_scope_open(&scope, way == 3 ? SALP_FOREVER : SALP_MICROSECONDS(rand_r(seed) % 50));
        int chosen = salp_select(cases, QUEUES);
        salp_scope_close(&scope);
        *from = chosen == 0 ? first : !first;
        return result_of(cases, chosen);
    }
    }
}

static void shut_both_down(void)
{
    for (int i = 0; i < QUEUES; i++)
        EXPECT(salp_queue_shutdown(queues[i]) == 0);
}

/* Until both queues are shut down and empty. */
static int consume(void *arg)
{
    int mine = (int)((intptr_t)arg % QUEUES);
    unsigned seed = (unsigned)(intptr_t)arg + 100;
    int64_t last[QUEUES][PRODUCERS], item;
    bool over[QUEUES] = { false };
    memset(last, -1, sizeof last);
    while (!over[0] || !over[1]) {
        int from = over[0] ? 1 : over[1] ? 0 : rand_r(&seed) % QUEUES;
        unsigned way = (unsigned)rand_r(&seed) % (over[0] || over[1] ? 3 : WAYS);
        if (way == 0 && !over[!mine])
            from = mine; /* so that neither queue is left with nobody who gets */
        int result = get(&item, way, &seed, &from);
        if (result == 0) {
            int64_t number = item & 0xffffffff;
            EXPECT(number > last[from][item >> 32]);
            last[from][item >> 32] = number;
            lost--;
            difference -= number;
            EXPECT(salp_queue_done(queues[from]) == 0);
            if (++got == enough)
                shut_both_down();
        } else if (result == -EPIPE) {
            over[from] = true;
        } else {
            EXPECT(has_given_up(result));
        }
    }
    return 0;
}

/* ---- all at once ---- */

struct part {
    salp_fn *function;
    int first, end;
    bool loop; /* tasks of one; or else a plain thread */
};

static int several_tasks(void *arg)
{
    const struct part *part = arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = part->first; i < part->end; i++)
        EXPECT(salp_go(&group, part->function, (void *)(intptr_t)i) == 0);
    return salp_group_close(&group);
}

static int both_ways(void *arg)
{
    struct part parts[] = { { produce, 0, 2, true }, { consume, 0, 2, true } };
    if (arg)
        parts[0] = (struct part){ produce, 2, 4, true }, parts[1] = (struct part){ consume, 2, 4, true };
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 2; i++)
        EXPECT(salp_go(&group, several_tasks, &parts[i]) == 0);
    return salp_group_close(&group);
}

static void *on_a_loop(void *arg)
{
    EXPECT(salp_run(both_ways, arg) == 0);
    return NULL;
}

static void *produce_on_a_thread(void *arg)
{
    EXPECT(produce(arg) == 0);
    return NULL;
}

static void *consume_on_a_thread(void *arg)
{
    EXPECT(consume(arg) == 0);
    return NULL;
}

/* Two loops have two who put and two who get each; two and two are plain threads. */
static void use_all_ways(size_t capacity, int items, int until)
{
    pthread_t loops[2], producers[2], consumers[2];
    each = items;
    enough = until;
    lost = got = 0;
    difference = 0;
    open_both(capacity);
    for (intptr_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&loops[i], NULL, on_a_loop, (void *)i), 0);
        assert_int_equal(pthread_create(&producers[i], NULL, produce_on_a_thread, (void *)(4 + i)), 0);
        assert_int_equal(pthread_create(&consumers[i], NULL, consume_on_a_thread, (void *)(4 + i)), 0);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(producers[i], NULL);
    if (until == 0) {
        while (got < PRODUCERS * items)
            sched_yield();
        shut_both_down();
    }
    for (int i = 0; i < 2; i++) {
        pthread_join(loops[i], NULL);
        pthread_join(consumers[i], NULL);
    }
    assert_int_equal(lost, 0);
    assert_int_equal(difference, 0);
    assert_true(until == 0 ? got == PRODUCERS * items : got >= until);
    for (int i = 0; i < QUEUES; i++) {
        assert_int_equal(salp_queue_count(queues[i]), 0);
        assert_int_equal(salp_queue_join(queues[i]), 0);
        salp_queue_close(queues[i]);
    }
}

static const size_t capacities[] = { 0, 1, 3, 16, 17, 256, SALP_UNBOUNDED };

static void every_item_comes_out_once_and_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++)
        use_all_ways(capacities[i], test_scale(1500), 0);
}

static void what_was_put_before_a_shutdown_comes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        for (int eighths = 0; eighths < 6; eighths++)
            use_all_ways(capacities[i], test_scale(1500), 1 + PRODUCERS * test_scale(1500) / 8 * eighths);
    }
}

/* ---- who has had the last of a queue closes it, while the other side comes back from its call ---- */

enum { FULL = 16 };

static salp_queue *mail; /* queues, to the thread at the other end */

static void *get_and_close(void *arg)
{
    int64_t item;
    for (salp_queue *queue; salp_queue_get(mail, &queue) == 0; salp_queue_close(queue)) {
        EXPECT(salp_queue_get(queue, &item) == 0 && item == 5);
        lost--;
    }
    return arg;
}

static void whoever_gets_the_last_item_may_close(void **state)
{
    (void)state;
    pthread_t other;
    int64_t item = 5;
    assert_int_equal(salp_queue_open(&mail, &(salp_queue_options){ .item_size = sizeof(salp_queue *), .capacity = 1 }),
                     0);
    assert_int_equal(pthread_create(&other, NULL, get_and_close, NULL), 0);
    int rounds = test_scale(20000);
    for (lost = 0; rounds > 0; rounds--) {
        salp_queue *queue;
        assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 8, .capacity = FULL }), 0);
        assert_int_equal(salp_queue_put(mail, &queue), 0);
        lost++;
        assert_int_equal(salp_queue_put(queue, &item), 0); /* it may be closed before this returns */
    }
    assert_int_equal(salp_queue_shutdown(mail), 0);
    pthread_join(other, NULL);
    assert_int_equal(lost, 0);
    salp_queue_close(mail);
}

static void *get_one_of_each(void *arg)
{
    int64_t item;
    for (salp_queue *queue; salp_queue_get(mail, &queue) == 0;)
        EXPECT(salp_queue_get(queue, &item) == 0 && item == 5);
    return arg;
}

static void whoever_finds_room_may_close(void **state)
{
    (void)state;
    pthread_t other;
    int64_t item = 5;
    assert_int_equal(salp_queue_open(&mail, &(salp_queue_options){ .item_size = sizeof(salp_queue *), .capacity = 1 }),
                     0);
    assert_int_equal(pthread_create(&other, NULL, get_one_of_each, NULL), 0);
    for (int rounds = test_scale(10000); rounds > 0; rounds--) {
        salp_queue *queue;
        assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 8, .capacity = FULL }), 0);
        for (int i = 0; i < FULL; i++)
            assert_int_equal(salp_queue_put(queue, &item), 0);
        assert_int_equal(salp_queue_put(mail, &queue), 0);
        int result;
        while ((result = salp_queue_try_put(queue, &item)) == -EAGAIN)
            sched_yield();
        assert_int_equal(result, 0);
        salp_queue_close(queue);
    }
    assert_int_equal(salp_queue_shutdown(mail), 0);
    pthread_join(other, NULL);
    salp_queue_close(mail);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("every item comes out once and in order", every_item_comes_out_once_and_in_order),
        TEST("what was put before a shutdown comes out", what_was_put_before_a_shutdown_comes_out),
        TEST("whoever gets the last item may close", whoever_gets_the_last_item_may_close),
        TEST("whoever finds room may close", whoever_finds_room_may_close),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
