/*
 * Queues, between tasks, loops and threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <salp/queue.h>

static salp_queue *queue;
static char trace[256];

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

static salp_queue *opened(size_t capacity, salp_order order, int (*compare)(const void *, const void *))
{
    salp_queue *q;
    EXPECT(salp_queue_open(
               &q, &(salp_queue_options){
                       .item_size = sizeof(int), .capacity = capacity, .order = order, .compare = compare }) == 0);
    return q;
}

static void put(int value)
{
    EXPECT(salp_queue_put(queue, &value) == 0);
}

static int got(void)
{
    int value = -1;
    EXPECT(salp_queue_get(queue, &value) == 0);
    return value;
}

static void run(salp_fn *function)
{
    trace[0] = 0;
    assert_int_equal(salp_run(function, NULL), 0);
}

/* ---- what needs no waiting ---- */

static int by_tens(const void *a, const void *b)
{
    return *(const int *)a / 10 - *(const int *)b / 10;
}

static void items_come_out_in_the_order_of_the_queue(void **state)
{
    (void)state;
    static const int in[] = { 31, 12, 55, 11, 30, 13, 54 };
    static const int out[][7] = { { 31, 12, 55, 11, 30, 13, 54 },
                                  { 54, 13, 30, 11, 55, 12, 31 },
                                  { 12, 11, 13, 31, 30, 55, 54 } };
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        for (salp_order order = SALP_FIFO; order <= SALP_PRIORITY; order++) {
            queue = opened(unbounded ? SALP_UNBOUNDED : 7, order, order == SALP_PRIORITY ? by_tens : NULL);
            for (int i = 0; i < 7; i++)
                put(in[i]);
            assert_int_equal(salp_queue_count(queue), 7);
            if (!unbounded)
                assert_int_equal(salp_queue_try_put(queue, &in[0]), -EAGAIN);
            for (int i = 0; i < 7; i++)
                assert_int_equal(got(), out[order][i]);
            salp_queue_close(queue);
        }
    }
}

/* The queue wraps around, grows and shrinks while it is in use: nothing is lost, doubled or out of order. */
static void a_queue_holds_as_many_items_as_its_capacity(void **state)
{
    (void)state;
    static const int capacities[] = { 1, 2, 15, 16, 17, 100 };
    for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        int next_in = 0, next_out = 0, value;
        queue = opened((size_t)capacities[i], SALP_FIFO, NULL);
        for (int round = 0; round < 3; round++) {
            while (salp_queue_try_put(queue, &next_in) == 0)
                next_in++;
            assert_int_equal(next_in - next_out, capacities[i]);
            assert_int_equal(salp_queue_count(queue), capacities[i]);
            for (int left = round; next_out < next_in - left; next_out++) /* it begins elsewhere each time */
                assert_int_equal(got(), next_out);
        }
        assert_int_equal(salp_queue_shutdown(queue), 0);
        assert_int_equal(salp_queue_try_put(queue, &next_in), -EPIPE);
        while (salp_queue_try_get(queue, &value) == 0)
            assert_int_equal(value, next_out++);
        assert_int_equal(next_out, next_in);
        assert_int_equal(salp_queue_try_get(queue, &value), -EPIPE);
        salp_queue_close(queue);
    }
}

static void a_queue_that_grows_and_shrinks_keeps_its_order(void **state)
{
    (void)state;
    queue = opened(SALP_UNBOUNDED, SALP_FIFO, NULL);
    unsigned seed = 1;
    int next_in = 0, next_out = 0, most = test_scale(20000);
    for (int wave = 0; wave < 6; wave++) {
        int high = most / (wave + 1);
        while (next_in - next_out < high) {
            put(next_in++);
            if (rand_r(&seed) % 3 == 0)
                assert_int_equal(got(), next_out++);
        }
        while (next_in - next_out > wave)
            assert_int_equal(got(), next_out++);
    }
    assert_int_equal(salp_queue_count(queue), next_in - next_out);
    salp_queue_close(queue);
}

struct big {
    long double key;
    char text[33];
};

static int by_key(const void *a, const void *b)
{
    const struct big *x = a, *y = b;
    EXPECT((uintptr_t)a % _Alignof(struct big) == 0 && (uintptr_t)b % _Alignof(struct big) == 0);
    return (x->key > y->key) - (x->key < y->key);
}

static void items_of_any_size_are_whole_and_aligned(void **state)
{
    (void)state;
    for (size_t size = 1; size < 70; size++) {
        unsigned char item[70], back[70];
        assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = size, .capacity = 3 }), 0);
        for (int i = 0; i < 5; i++) {
            memset(item, i + 1, sizeof item);
            memset(back, 0, sizeof back);
            assert_int_equal(salp_queue_put(queue, item), 0);
            assert_int_equal(salp_queue_get(queue, back), 0);
            assert_memory_equal(back, item, size);
            assert_int_equal(back[size], 0);
        }
        salp_queue_close(queue);
    }
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = sizeof(struct big),
                                                                    .capacity = 100,
                                                                    .order = SALP_PRIORITY,
                                                                    .compare = by_key }),
                     0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(salp_queue_put(queue, &(struct big){ .key = i * 37 % 100 }), 0);
    for (int i = 0; i < 100; i++) {
        struct big item;
        assert_int_equal(salp_queue_get(queue, &item), 0);
        assert_true(item.key == i);
    }
    salp_queue_close(queue);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    int value = 0;
    salp_queue *q = (salp_queue *)&value;
    assert_int_equal(salp_queue_open(NULL, &(salp_queue_options){ .item_size = 1 }), -EINVAL);
    assert_int_equal(salp_queue_open(&q, NULL), -EINVAL);
    assert_null(q);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ 0 }), -EINVAL);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .order = 3, .capacity = 1 }), -EINVAL);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .order = SALP_LIFO }), -EINVAL);
    assert_int_equal(
        salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .order = SALP_PRIORITY, .capacity = 1 }), -EINVAL);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .capacity = 1, .compare = by_tens }),
                     -EINVAL);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = SIZE_MAX / 2, .capacity = 4 }), -ENOMEM);
    assert_int_equal(
        salp_queue_open(
            &q,
            &(salp_queue_options){ .item_size = SIZE_MAX, .capacity = 1, .order = SALP_PRIORITY, .compare = by_tens }),
        -ENOMEM);
    assert_int_equal(salp_queue_put(NULL, &value), -EINVAL);
    assert_int_equal(salp_queue_get(NULL, &value), -EINVAL);
    assert_int_equal(salp_queue_try_put(NULL, &value), -EINVAL);
    assert_int_equal(salp_queue_try_get(NULL, &value), -EINVAL);
    assert_int_equal(salp_queue_shutdown(NULL), -EINVAL);
    assert_int_equal(salp_queue_done(NULL), -EINVAL);
    assert_int_equal(salp_queue_join(NULL), -EINVAL);
    assert_int_equal(salp_queue_count(NULL), 0);
    salp_queue_close(NULL);
    queue = opened(1, SALP_FIFO, NULL);
    assert_int_equal(salp_queue_put(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_get(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_done(queue), -EINVAL);
    put(1);
    assert_int_equal(salp_queue_done(queue), 0);
    assert_int_equal(salp_queue_done(queue), -EINVAL);
    salp_queue_close(queue); /* with an item in it */
}

/* ---- tasks that wait for each other ---- */

static int put_three(void *arg)
{
    const char *names = arg;
    for (int i = 0; i < 3; i++) {
        char text[3] = { names[i], ' ', 0 };
        put(names[i]);
        note(text);
    }
    return 0;
}

static int producers_wait(void *arg)
{
    (void)arg;
    salp_group group;
    queue = opened(1, SALP_FIFO, NULL);
    salp_group_open(&group);
    EXPECT(salp_go(&group, put_three, (void *)(uintptr_t) "abc") == 0);
    EXPECT(salp_go(&group, put_three, (void *)(uintptr_t) "xyz") == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_queue_count(queue) == 1 && strcmp(trace, "a ") == 0);
    for (const char *next = "abxcyz"; *next; next++)
        EXPECT(got() == *next); /* who has waited longest puts next */
    EXPECT(salp_group_close(&group) == 0);
    salp_queue_close(queue);
    return 0;
}

static void who_waits_longest_puts_next(void **state)
{
    (void)state;
    run(producers_wait);
}

static int get_one(void *arg)
{
    char text[8];
    snprintf(text, sizeof text, "%s%d ", (const char *)arg, got());
    note(text);
    return 0;
}

static int getters_are_served_in_order(void *arg)
{
    (void)arg;
    salp_group group;
    queue = opened(8, SALP_FIFO, NULL);
    salp_group_open(&group);
    EXPECT(salp_go(&group, get_one, "a") == 0);
    EXPECT(salp_go(&group, get_one, "b") == 0);
    EXPECT(salp_yield() == 0);
    put(1);
    put(2);
    int stolen;
    EXPECT(salp_queue_try_get(queue, &stolen) == -EAGAIN); /* they are theirs already */
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(strcmp(trace, "a1 b2 ") == 0);
    salp_queue_close(queue);
    return 0;
}

static void who_waits_longest_gets_next(void **state)
{
    (void)state;
    run(getters_are_served_in_order);
}

static int put_and_note(void *arg)
{
    (void)arg;
    put(7);
    note("put ");
    return 0;
}

static int rendezvous(void *arg)
{
    (void)arg;
    int value = 0;
    salp_group group;
    queue = opened(0, SALP_FIFO, NULL);
    EXPECT(salp_queue_try_put(queue, &value) == -EAGAIN && salp_queue_try_get(queue, &value) == -EAGAIN);
    salp_group_open(&group);
    EXPECT(salp_go(&group, put_and_note, NULL) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(trace[0] == 0 && salp_queue_count(queue) == 0); /* it waits to be taken */
    EXPECT(salp_queue_try_get(queue, &value) == 0 && value == 7);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(strcmp(trace, "put ") == 0);
    salp_queue_close(queue);
    return 0;
}

static void with_no_capacity_a_put_waits_to_be_taken(void **state)
{
    (void)state;
    run(rendezvous);
}

/* ---- shutting down ---- */

static int put_until_refused(void *arg)
{
    (void)arg;
    int value = 5;
    EXPECT(salp_queue_put(queue, &value) == -EPIPE);
    note("P");
    return 0;
}

static int get_until_refused(void *arg)
{
    (void)arg;
    int value = 5;
    EXPECT(salp_queue_get(queue, &value) == -EPIPE && value == 5);
    note("G");
    return 0;
}

static int shutdown_wakes(void *arg)
{
    (void)arg;
    int value = 1;
    salp_group group;
    for (int full = 0; full < 2; full++) {
        queue = opened(1, SALP_FIFO, NULL);
        if (full)
            put(1);
        salp_group_open(&group);
        for (int i = 0; i < 3; i++)
            EXPECT(salp_go(&group, full ? put_until_refused : get_until_refused, NULL) == 0);
        EXPECT(salp_yield() == 0);
        EXPECT(salp_queue_shutdown(queue) == 0 && salp_queue_shutdown(queue) == 0);
        EXPECT(salp_group_close(&group) == 0);
        EXPECT(salp_queue_put(queue, &value) == -EPIPE && salp_queue_try_put(queue, &value) == -EPIPE);
        EXPECT(!full || got() == 1); /* what it held */
        EXPECT(salp_queue_get(queue, &value) == -EPIPE && salp_queue_try_get(queue, &value) == -EPIPE);
        salp_queue_close(queue);
    }
    EXPECT(strcmp(trace, "GGGPPP") == 0);
    return 0;
}

static void a_shut_queue_gives_what_it_has_and_refuses_the_rest(void **state)
{
    (void)state;
    run(shutdown_wakes);
}

/* ---- done and join ---- */

static int work_off(void *arg)
{
    (void)arg;
    int value;
    while (salp_queue_get(queue, &value) == 0) {
        EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
        note("w");
        EXPECT(salp_queue_done(queue) == 0);
    }
    return 0;
}

static int joining(void *arg)
{
    (void)arg;
    salp_group group;
    queue = opened(2, SALP_FIFO, NULL);
    EXPECT(salp_queue_join(queue) == 0); /* nothing to do */
    salp_group_open(&group);
    EXPECT(salp_go(&group, work_off, NULL) == 0 && salp_go(&group, work_off, NULL) == 0);
    for (int i = 0; i < 6; i++)
        put(i);
    EXPECT(salp_queue_join(queue) == 0);
    EXPECT(strcmp(trace, "wwwwww") == 0);
    EXPECT(salp_queue_shutdown(queue) == 0);
    EXPECT(salp_group_close(&group) == 0);
    salp_queue_close(queue);
    return 0;
}

static void join_waits_until_all_work_is_done(void **state)
{
    (void)state;
    run(joining);
}

/* ---- scopes ---- */

static int scopes(void *arg)
{
    (void)arg;
    salp_scope scope;
    int value = 3;
    queue = opened(1, SALP_FIFO, NULL);
    salp_scope_open(&scope, SALP_MILLISECONDS(5));
    EXPECT(salp_queue_get(queue, &value) == -ETIMEDOUT && value == 3);
    EXPECT(salp_queue_get(queue, &value) == -ETIMEDOUT);
    EXPECT(salp_queue_put(queue, &value) == -ETIMEDOUT); /* though there is room */
    EXPECT(salp_queue_join(queue) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_queue_count(queue) == 0);
    put(1);
    salp_scope_open(&scope, SALP_MILLISECONDS(5));
    value = 4;
    EXPECT(salp_queue_put(queue, &value) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(got() == 1 && salp_queue_count(queue) == 0); /* the one that timed out was not put */
    salp_queue_close(queue);
    return 0;
}

static void a_scope_ends_the_wait_and_nothing_was_taken_or_put(void **state)
{
    (void)state;
    run(scopes);
    assert_int_equal(scopes(NULL), 0); /* the same in a plain thread */
}

/* ---- many of all kinds at once: nothing lost, nothing doubled, each producer's items in their order ---- */

enum { PRODUCERS = 6, CONSUMERS = 6 };

static int per_producer;
static _Atomic long long sum;
static _Atomic int count, out_of_order;

static int produce(void *arg)
{
    int me = (int)(intptr_t)arg;
    for (int i = 0; i < per_producer; i++)
        put(me << 24 | i);
    return 0;
}

static int consume(void *arg)
{
    int last[PRODUCERS], value, result;
    (void)arg;
    memset(last, -1, sizeof last);
    while ((result = salp_queue_get(queue, &value)) == 0) {
        int from = value >> 24, number = value & 0xffffff;
        if (number <= last[from])
            out_of_order++;
        last[from] = number;
        sum += number;
        count++;
        EXPECT(salp_queue_done(queue) == 0);
    }
    EXPECT(result == -EPIPE);
    return 0;
}

struct kind {
    salp_fn *function;
    int first, end;
};

static int several_tasks(void *arg)
{
    const struct kind *kind = arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = kind->first; i < kind->end; i++)
        EXPECT(salp_go(&group, kind->function, (void *)(intptr_t)i) == 0);
    return salp_group_close(&group);
}

static void *on_a_loop(void *kind)
{
    EXPECT(salp_run(several_tasks, kind) == 0);
    return NULL;
}

static void *on_a_thread(void *arg)
{
    const struct kind *kind = arg;
    EXPECT(kind->function((void *)(intptr_t)kind->first) == 0);
    return NULL;
}

static void everybody_uses_one_queue(size_t capacity)
{
    /* Two on a loop of their own, the same on another one, one a plain thread each. */
    static const struct {
        struct kind kind;
        bool loop;
    } parts[] = {
        { { produce, 0, 2 }, true },  { { produce, 2, 4 }, true },  { { produce, 4, 5 }, false },
        { { produce, 5, 6 }, false }, { { consume, 0, 2 }, true },  { { consume, 2, 4 }, true },
        { { consume, 4, 5 }, false }, { { consume, 5, 6 }, false },
    };
    pthread_t threads[8];
    per_producer = test_scale(3000);
    sum = 0;
    count = out_of_order = 0;
    queue = opened(capacity, SALP_FIFO, NULL);
    for (int i = 0; i < 8; i++) {
        struct kind *kind = (struct kind *)(uintptr_t)&parts[i].kind;
        assert_int_equal(pthread_create(&threads[i], NULL, parts[i].loop ? on_a_loop : on_a_thread, kind), 0);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(salp_queue_join(queue), 0);
    assert_int_equal(salp_queue_shutdown(queue), 0);
    for (int i = 4; i < 8; i++)
        pthread_join(threads[i], NULL);
    long long each = (long long)per_producer * (per_producer - 1) / 2;
    assert_int_equal(count, PRODUCERS * per_producer);
    assert_int_equal(sum, PRODUCERS * each);
    assert_int_equal(out_of_order, 0);
    salp_queue_close(queue);
}

static void a_rendezvous_serves_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    everybody_uses_one_queue(0);
}

static void a_small_queue_serves_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    everybody_uses_one_queue(2);
}

static void a_large_queue_serves_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    everybody_uses_one_queue(50);
}

static void an_unbounded_queue_serves_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    everybody_uses_one_queue(SALP_UNBOUNDED);
}

/* ---- getters that give up again and again: what they leave behind is neither lost nor doubled ---- */

static int impatient(void *arg)
{
    (void)arg;
    unsigned seed = (unsigned)(intptr_t)arg;
    for (;;) {
        int value, result;
        salp_scope scope;
        salp_scope_open(&scope, SALP_MICROSECONDS(rand_r(&seed) % 100));
        result = salp_queue_get(queue, &value);
        salp_scope_close(&scope);
        if (result == 0) {
            sum += value & 0xffffff;
            count++;
        } else if (result == -EPIPE) {
            return 0;
        } else {
            EXPECT(result == -ETIMEDOUT);
        }
    }
}

static void an_item_is_never_lost_to_one_who_gives_up(void **state)
{
    (void)state;
    static struct kind getters = { impatient, 1, 4 }, getter = { impatient, 4, 5 }, putters = { produce, 0, 2 };
    pthread_t threads[3];
    per_producer = test_scale(3000);
    sum = 0;
    count = 0;
    queue = opened(0, SALP_FIFO, NULL);
    assert_int_equal(pthread_create(&threads[0], NULL, on_a_loop, &getters), 0);
    assert_int_equal(pthread_create(&threads[1], NULL, on_a_thread, &getter), 0);
    assert_int_equal(pthread_create(&threads[2], NULL, on_a_loop, &putters), 0);
    pthread_join(threads[2], NULL);
    assert_int_equal(salp_queue_shutdown(queue), 0);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    assert_int_equal(count, 2 * per_producer);
    assert_int_equal(sum, (long long)per_producer * (per_producer - 1));
    salp_queue_close(queue);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("items come out in the order of the queue", items_come_out_in_the_order_of_the_queue),
        TEST("a queue holds as many items as its capacity", a_queue_holds_as_many_items_as_its_capacity),
        TEST("a queue that grows and shrinks keeps its order", a_queue_that_grows_and_shrinks_keeps_its_order),
        TEST("items of any size are whole and aligned", items_of_any_size_are_whole_and_aligned),
        TEST("misuse is refused", misuse_is_refused),
        TEST("who waits longest puts next", who_waits_longest_puts_next),
        TEST("who waits longest gets next", who_waits_longest_gets_next),
        TEST("with no capacity a put waits to be taken", with_no_capacity_a_put_waits_to_be_taken),
        TEST("a shut queue gives what it has and refuses the rest",
             a_shut_queue_gives_what_it_has_and_refuses_the_rest),
        TEST("join waits until all work is done", join_waits_until_all_work_is_done),
        TEST("a scope ends the wait and nothing was taken or put", a_scope_ends_the_wait_and_nothing_was_taken_or_put),
        TEST("a rendezvous serves tasks, loops and threads at once",
             a_rendezvous_serves_tasks_loops_and_threads_at_once),
        TEST("a small queue serves tasks, loops and threads at once",
             a_small_queue_serves_tasks_loops_and_threads_at_once),
        TEST("a large queue serves tasks, loops and threads at once",
             a_large_queue_serves_tasks_loops_and_threads_at_once),
        TEST("an unbounded queue serves tasks, loops and threads at once",
             an_unbounded_queue_serves_tasks_loops_and_threads_at_once),
        TEST("an item is never lost to one who gives up", an_item_is_never_lost_to_one_who_gives_up),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
