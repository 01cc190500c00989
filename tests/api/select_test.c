/*
 * Waiting for the first of several things.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <salp/queue.h>

static salp_queue *a, *b;
static salp_event *event;

static salp_queue *opened(size_t capacity)
{
    salp_queue *queue;
    EXPECT(salp_queue_open(&queue, &(salp_queue_options){ .item_size = sizeof(int), .capacity = capacity }) == 0);
    return queue;
}

/* Calls it in a plain thread and in a task. */
static void both_ways(salp_fn *function)
{
    assert_int_equal(function(NULL), 0);
    assert_int_equal(salp_run(function, NULL), 0);
}

/* ---- at once ---- */

static int ready(void *arg)
{
    (void)arg;
    int in = 5, out = 0, other = 0;
    salp_future *future;
    a = opened(1);
    b = opened(1);
    EXPECT(salp_event_open(&event, NULL) == 0 && salp_future_open(&future) == 0);
    salp_case cases[] = {
        { .get = a, .item = &out },   { .event = event }, { .future = future }, { .after = -1 },
        { .get = b, .item = &other },
    };
    EXPECT(salp_select(cases, 5) == 3 && cases[3].result == 0); /* nothing else is ready */
    EXPECT(salp_future_resolve(future, -EAGAIN) == 0);
    EXPECT(salp_select(cases, 5) == 2 && cases[2].result == -EAGAIN);
    EXPECT(salp_event_set(event) == 0);
    EXPECT(salp_select(cases, 5) == 1);
    EXPECT(salp_queue_put(b, &in) == 0 && salp_queue_put(a, &in) == 0);
    EXPECT(salp_select(cases, 5) == 0 && cases[0].result == 0 && out == 5); /* the first of those that are ready */
    EXPECT(salp_queue_count(a) == 0 && salp_queue_count(b) == 1 && other == 0);
    cases[0] = (salp_case){ .put = b, .item = &in }; /* is full */
    cases[1] = cases[2] = (salp_case){ 0 };          /* switched off */
    EXPECT(salp_select(cases, 5) == 4 && other == 5);
    EXPECT(salp_select(cases, 5) == 0 && salp_queue_count(b) == 1);
    EXPECT(salp_queue_shutdown(b) == 0);
    EXPECT(salp_select(cases, 5) == 0 && cases[0].result == -EPIPE);
    salp_queue_close(a);
    salp_queue_close(b);
    salp_event_close(event);
    salp_future_free(future);
    return 0;
}

static void the_first_case_that_can_happen_does(void **state)
{
    (void)state;
    both_ways(ready);
}

static int in_time(void *arg)
{
    (void)arg;
    int value;
    a = opened(1);
    salp_case cases[] = { { .after = NEVER_SEEN }, { .get = a, .item = &value }, { .after = SALP_MILLISECONDS(3) } };
    int64_t begin = salp_now();
    EXPECT(salp_select(cases, 3) == 2 && cases[2].result == 0);
    EXPECT(salp_now() - begin >= SALP_MILLISECONDS(3));
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(3));
    EXPECT(salp_select(cases, 2) == -ETIMEDOUT);
    EXPECT(salp_select(NULL, 0) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_scope_open(&scope, SALP_MILLISECONDS(3));
    EXPECT(salp_select(NULL, 0) == -ETIMEDOUT); /* nothing but the scope */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_queue_close(a);
    return 0;
}

static void time_and_scopes_end_it(void **state)
{
    (void)state;
    both_ways(in_time);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    int value = 0;
    a = opened(1);
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_select(NULL, 1), -EINVAL);
    assert_int_equal(salp_select((salp_case[]){ { 0 } }, -1), -EINVAL);
    assert_int_equal(salp_select((salp_case[]){ { .get = a } }, 1), -EINVAL);
    assert_int_equal(salp_select((salp_case[]){ { .get = a, .put = a, .item = &value } }, 1), -EINVAL);
    assert_int_equal(salp_select((salp_case[]){ { .event = event, .after = 1 } }, 1), -EINVAL);
    salp_event_close(event);
    salp_queue_close(a);
}

/* ---- waiting ---- */

static int later(void *arg)
{
    int which = (int)(intptr_t)arg, value = 10 + which;
    EXPECT(salp_yield() == 0);
    if (which == 0)
        EXPECT(salp_queue_put(a, &value) == 0);
    else if (which == 1)
        EXPECT(salp_queue_get(b, &value) == 0 && value == 77);
    else if (which == 2)
        EXPECT(salp_event_set(event) == 0);
    else
        EXPECT(salp_queue_shutdown(a) == 0);
    return 0;
}

static int waits_for_each(void *arg)
{
    (void)arg;
    for (int which = 0; which < 4; which++) {
        int in = 0, out = 77;
        salp_group group;
        a = opened(0);
        b = opened(0);
        EXPECT(salp_event_open(&event, NULL) == 0);
        salp_case cases[] = { { .get = a, .item = &in }, { .put = b, .item = &out }, { .event = event } };
        salp_group_open(&group);
        EXPECT(salp_go(&group, later, (void *)(intptr_t)which) == 0);
        EXPECT(salp_select(cases, 3) == which % 3);
        EXPECT(cases[which % 3].result == (which == 3 ? -EPIPE : 0));
        EXPECT(in == (which == 0 ? 10 : 0));
        EXPECT(salp_group_close(&group) == 0);
        /* It is in no line any more: nobody is there to take or to give. */
        EXPECT(salp_queue_try_put(a, &in) == (which == 3 ? -EPIPE : -EAGAIN) && salp_queue_try_get(b, &in) == -EAGAIN);
        salp_queue_close(a);
        salp_queue_close(b);
        salp_event_close(event);
    }
    return 0;
}

static void whatever_comes_first_ends_the_wait_and_nothing_else_happens(void **state)
{
    (void)state;
    assert_int_equal(salp_run(waits_for_each, NULL), 0);
}

static int get_77(void *arg)
{
    (void)arg;
    int value = 0, none = 0;
    salp_case cases[] = { { .put = b, .item = &none }, { .get = a, .item = &value } };
    EXPECT(salp_select(cases, 2) == 1 && value == 77);
    return 0;
}

static int two_selects(void *arg)
{
    (void)arg;
    int in = 0, out = 77;
    salp_group group;
    a = opened(0);
    b = opened(0);
    salp_queue *c = opened(0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, get_77, NULL) == 0);
    EXPECT(salp_yield() == 0);
    salp_case cases[] = {
        { .get = c, .item = &in }, { .put = a, .item = &out }, { .put = a, .item = &out }, { .get = a, .item = &in }
    };
    EXPECT(salp_select(cases, 4) == 1);
    EXPECT(salp_group_close(&group) == 0);
    salp_queue_close(a);
    salp_queue_close(b);
    salp_queue_close(c);
    return 0;
}

static void two_selects_meet_and_a_queue_may_be_in_several_cases(void **state)
{
    (void)state;
    assert_int_equal(salp_run(two_selects, NULL), 0);
}

/* ---- many selects on the same queues, in opposite orders, from tasks and threads: nothing lost, doubled or stuck ---- */

static _Atomic long long sent, received;
static _Atomic int sent_count, received_count;
static int rounds;

static int exchange(void *arg)
{
    unsigned seed = (unsigned)(intptr_t)arg;
    salp_queue *first = seed % 2 ? a : b, *second = seed % 2 ? b : a;
    for (int i = 0; i < rounds; i++) {
        int out = rand_r(&seed) % 1000, in = 0;
        salp_case cases[] = {
            { .put = first, .item = &out },
            { .get = second, .item = &in },
            { .get = first, .item = &in },
            { .after = rand_r(&seed) % 4 == 0 ? SALP_MICROSECONDS(50) : 0 },
        };
        int which = salp_select(cases, 4);
        EXPECT(which >= 0 && cases[which].result == 0);
        if (which == 0) {
            sent += out;
            sent_count++;
        } else if (which < 3) {
            received += in;
            received_count++;
        }
    }
    return 0;
}

static int several(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, exchange, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void *on_a_loop(void *arg)
{
    EXPECT(salp_run(several, arg) == 0);
    return NULL;
}

static void *on_a_thread(void *arg)
{
    EXPECT(exchange(arg) == 0);
    return NULL;
}

static void selects_in_opposite_orders_do_not_block_each_other(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity < 3; capacity++) {
        pthread_t threads[4];
        rounds = test_scale(2000);
        sent = received = 0;
        sent_count = received_count = 0;
        a = opened(capacity);
        b = opened(capacity);
        for (int i = 0; i < 4; i++)
            assert_int_equal(
                pthread_create(&threads[i], NULL, i < 2 ? on_a_loop : on_a_thread, (void *)(intptr_t)(10 * i + 1)), 0);
        /* The last ones may wait for partners who are gone: time ends nothing, so partners are made. */
        for (int i = 0; i < 4; i++) {
            while (pthread_tryjoin_np(threads[i], NULL) != 0) {
                int value = 0;
                if (salp_queue_try_get(a, &value) == 0 || salp_queue_try_get(b, &value) == 0) {
                    received += value;
                    received_count++;
                } else if (salp_queue_try_put(a, &value) == 0) {
                    sent_count++;
                } else {
                    salp_sleep(SALP_MICROSECONDS(100));
                }
            }
        }
        for (int value; salp_queue_try_get(a, &value) == 0 || salp_queue_try_get(b, &value) == 0; received_count++)
            received += value;
        assert_int_equal(sent_count, received_count);
        assert_int_equal(sent, received);
        salp_queue_close(a);
        salp_queue_close(b);
    }
}

/* ---- a partner may close what was used when his own call has returned ---- */

static int replies(void *arg)
{
    int value = 42;
    (void)arg;
    salp_case cases[] = { { .event = event }, { .put = a, .item = &value } };
    EXPECT(salp_select(cases, 2) == 1);
    return 0;
}

static int asks(void *arg)
{
    salp_group group;
    int value = 0;
    (void)arg;
    EXPECT(salp_event_open(&event, NULL) == 0);
    a = opened(0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, replies, NULL) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_queue_get(a, &value) == 0 && value == 42);
    salp_queue_close(a); /* before the other one has gone on */
    EXPECT(salp_group_close(&group) == 0);
    salp_event_close(event);
    return 0;
}

static void the_object_that_was_chosen_is_not_touched_again(void **state)
{
    (void)state;
    assert_int_equal(salp_run(asks, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the first case that can happen does", the_first_case_that_can_happen_does),
        TEST("time and scopes end it", time_and_scopes_end_it),
        TEST("misuse is refused", misuse_is_refused),
        TEST("whatever comes first ends the wait, and nothing else happens",
             whatever_comes_first_ends_the_wait_and_nothing_else_happens),
        TEST("two selects meet, and a queue may be in several cases",
             two_selects_meet_and_a_queue_may_be_in_several_cases),
        TEST("selects in opposite orders do not block each other", selects_in_opposite_orders_do_not_block_each_other),
        TEST("the object that was chosen is not touched again", the_object_that_was_chosen_is_not_touched_again),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
