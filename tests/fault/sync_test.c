/*
 * Objects of sync, loops and their descriptors, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/tasks.h"

#include <poll.h>
#include <sys/socket.h>

#include <salp/loop.h>
#include <salp/queue.h>
#include <salp/sync.h>

#include "os/fault.h"

/* Runs it until no call is left to fail; it returns 0, or an error when one did. */
static void sweep(int (*function)(void))
{
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        result = function();
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        assert_true(result == 0 || (fired && (result == -ENOMEM || result == -EMFILE || result == -EAGAIN)));
        assert_int_equal(test_count_descriptors(), descriptors);
    } while (fired);
    assert_int_equal(result, 0);
    assert_true(number > 1);
}

#define TRY(call)           \
    do {                    \
        int error_ = call;  \
        if (error_ < 0) {   \
            error = error_; \
            goto out;       \
        }                   \
    } while (0)

static int open_all(void)
{
    salp_mutex *mutex = NULL;
    salp_semaphore *semaphore = NULL;
    salp_event *event = NULL;
    salp_condition *condition = NULL;
    salp_barrier *barrier = NULL;
    salp_rwlock *rwlock = NULL;
    salp_queue *queue = NULL;
    salp_future *future = NULL;
    int error = 0;
    TRY(salp_mutex_open(&mutex, NULL));
    TRY(salp_semaphore_open(&semaphore, NULL));
    TRY(salp_event_open(&event, NULL));
    TRY(salp_condition_open(&condition, NULL));
    TRY(salp_barrier_open(&barrier, &(salp_barrier_options){ .parties = 2 }));
    TRY(salp_rwlock_open(&rwlock, NULL));
    TRY(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 3 }));
    TRY(salp_future_open(&future));
out:
    salp_mutex_close(mutex);
    salp_semaphore_close(semaphore);
    salp_event_close(event);
    salp_condition_close(condition);
    salp_barrier_close(barrier);
    salp_rwlock_close(rwlock);
    salp_queue_close(queue);
    salp_future_free(future);
    return error;
}

/* What was put is there, whichever put fails. */
static int grow(void)
{
    salp_queue *queue;
    int error = salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = SALP_UNBOUNDED }), put = 0,
        got;
    if (error < 0)
        return error;
    while (put < 1000 && (error = salp_queue_put(queue, &put)) == 0)
        put++;
    for (int i = 0; i < put; i++)
        assert_true(salp_queue_get(queue, &got) == 0 && got == i);
    assert_int_equal(salp_queue_count(queue), 0);
    salp_queue_close(queue);
    return error;
}

static void objects_are_opened_or_not(void **state)
{
    (void)state;
    sweep(open_all);
}

static void a_queue_that_cannot_grow_keeps_what_it_has(void **state)
{
    (void)state;
    sweep(grow);
}

static int calls;

static void count_call(void *arg)
{
    (void)arg;
    calls++;
}

static void read_byte(int fd, unsigned events, void *arg)
{
    char byte;
    (void)events, (void)arg;
    calls += read(fd, &byte, 1) == 1;
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int use_loop(void)
{
    salp_loop *loop;
    salp_future *future = NULL;
    int ends[2], expected = 0, error = salp_loop_open(&loop, NULL);
    if (error < 0)
        return error;
    calls = 0;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    TRY(salp_loop_call(loop, count_call, NULL));
    expected++;
    TRY(salp_loop_call_at(loop, 0, count_call, NULL));
    expected++;
    TRY(salp_loop_watch(loop, ends[0], SALP_READABLE, read_byte, NULL));
    if (write(ends[1], "x", 1) != 1)
        abort();
    expected++;
    error = salp_loop_go(loop, nothing, NULL, &future);
    int fd = error == 0 ? salp_loop_fd(loop) : error;
    error = fd < 0 ? fd : 0;
out:
    for (int i = 0; i < 100 && calls < expected; i++)
        salp_loop_turn(loop, SALP_SECONDS(1));
    assert_int_equal(calls, expected); /* what was taken on is done */
    salp_loop_close(loop);
    salp_future_free(future);
    close(ends[0]);
    close(ends[1]);
    return error;
}

static void a_loop_does_what_it_has_taken_on(void **state)
{
    (void)state;
    sweep(use_loop);
}

/* What a foreign loop does: it turns ours when the descriptor says so. Whether that came to an end. */
static bool turn_when_ready(salp_loop *loop, int expected)
{
    struct pollfd entry = { .fd = salp_loop_fd(loop), .events = POLLIN };
    while (calls < expected) {
        if (poll(&entry, 1, (int)(patience() / SALP_MILLISECONDS(1))) != 1)
            return false; /* asleep, with something to do */
        salp_loop_turn(loop, 0);
    }
    return true;
}

static int use_foreign_loop(void)
{
    salp_loop *loop;
    int ends[2], fd, error = salp_loop_open(&loop, NULL);
    if (error < 0)
        return error;
    calls = 0;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        abort();
    fd = salp_loop_fd(loop);
    TRY(fd < 0 ? fd : 0);
    TRY(salp_loop_call(loop, count_call, NULL));
    assert_true(turn_when_ready(loop, 1));
    TRY(salp_loop_watch(loop, ends[0], SALP_READABLE, read_byte, NULL)); /* between two turns */
    for (int i = 2; i < 5; i++) {
        if (write(ends[1], "x", 1) != 1)
            abort();
        assert_true(turn_when_ready(loop, i));
    }
out:
    salp_loop_close(loop);
    close(ends[0]);
    close(ends[1]);
    return error;
}

static void a_foreign_loop_is_told_whatever_fails(void **state)
{
    (void)state;
    sweep(use_foreign_loop);
}

static void not_called(int fd, unsigned events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    abort();
}

/* The poller may hold a file that it was asked for: then nobody at the other end learns that it was closed. */
static int give_up_watching(void)
{
    salp_loop *loop;
    int ends[2], watched = -1, error = salp_loop_open(&loop, NULL);
    if (error < 0)
        return error;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        abort();
    TRY(watched = salp_loop_watch(loop, ends[0], SALP_READABLE, not_called, NULL));
    salp_loop_turn(loop, 0);
    error = salp_loop_watch(loop, ends[0], 0, NULL, NULL);
out:
    close(ends[0]);
    for (int i = 0; i < 3; i++)
        salp_loop_turn(loop, 0);
    ssize_t end = read(ends[1], &(char){ 0 }, 1);
    assert_true(watched < 0 || end == 0);
    close(ends[1]);
    salp_loop_close(loop);
    return error;
}

static void what_is_watched_no_more_can_be_closed(void **state)
{
    (void)state;
    sweep(give_up_watching);
}

static int run_two(void)
{
    return salp_run_loops(2, nothing, NULL);
}

static void several_loops_begin_or_not(void **state)
{
    (void)state;
    sweep(run_two);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("objects are opened or not", objects_are_opened_or_not),
        TEST("a queue that cannot grow keeps what it has", a_queue_that_cannot_grow_keeps_what_it_has),
        TEST("a loop does what it has taken on", a_loop_does_what_it_has_taken_on),
        TEST("a foreign loop is told, whatever fails", a_foreign_loop_is_told_whatever_fails),
        TEST("what is watched no more can be closed", what_is_watched_no_more_can_be_closed),
        TEST("several loops begin or not", several_loops_begin_or_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
