/*
 * The loop's own face: callbacks, timers, descriptors, signals, and loops within foreign loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <salp/loop.h>
#include <salp/pool.h>

static salp_loop *loop;
static char trace[256];

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

static void note_call(void *text)
{
    note(text);
}

/* Opens the loop on the poller that this run of the test is for. */
static void open_loop(void **state)
{
    const char *poller = getenv("SALP_POLLER");
    bool uring = poller && strcmp(poller, "io_uring") == 0;
    int error = salp_loop_open(&loop, &(salp_loop_options){ uring ? SALP_POLLER_IO_URING : SALP_POLLER_EPOLL });
    (void)state;
    assert_int_equal(error, 0);
    trace[0] = 0;
}

static void turn_until(const char *expected)
{
    for (int64_t end = salp_now() + patience(); strcmp(trace, expected) != 0 && salp_now() < end;)
        assert_true(salp_loop_turn(loop, SALP_MILLISECONDS(100)) >= 0);
    assert_string_equal(trace, expected);
}

/* ---- callbacks ---- */

static void *call_from_afar(void *arg)
{
    for (const char *next = arg; *next; next++) {
        EXPECT(salp_loop_call(loop, note_call, &"a\0b\0c\0d"[2 * (*next - 'a')]) == 0);
        usleep(1000);
    }
    return NULL;
}

static void callbacks_run_in_the_order_of_the_calls(void **state)
{
    pthread_t thread;
    open_loop(state);
    assert_ptr_equal(salp_loop_current(), loop);
    assert_int_equal(salp_loop_call(loop, note_call, "1"), 0);
    assert_int_equal(salp_loop_call(loop, note_call, "2"), 0);
    assert_int_equal(salp_loop_call(loop, note_call, "3"), 0);
    int64_t now = salp_now();
    assert_int_equal(salp_loop_call_at(loop, now + SALP_MILLISECONDS(2), note_call, "4"), 0);
    assert_int_equal(salp_loop_call_at(loop, now + SALP_MILLISECONDS(4), note_call, "5"), 0);
    turn_until("12345");
    assert_int_equal(pthread_create(&thread, NULL, call_from_afar, "abcd"), 0);
    turn_until("12345abcd");
    pthread_join(thread, NULL);
    /* Those that it has not called when it is closed, it never calls. */
    assert_int_equal(salp_loop_call(loop, note_call, "never"), 0);
    assert_int_equal(salp_loop_call_at(loop, salp_now() + SALP_SECONDS(1000), note_call, "never"), 0);
    salp_loop_close(loop);
    assert_null(salp_loop_current());
    assert_string_equal(trace, "12345abcd");
}

static salp_timer timers[4];
static int again;

static void fire(void *arg)
{
    char text[2] = { (char)('0' + (intptr_t)arg), 0 };
    note(text);
    if ((intptr_t)arg == 1)
        EXPECT(salp_timer_cancel(loop, &timers[2]) == 0);
    if ((intptr_t)arg == 3 && again-- > 0)
        EXPECT(salp_timer_set(loop, &timers[3], 0, fire, arg) == 0); /* due at once, and does not hold up others */
}

static void timers_can_be_set_again_and_cancelled(void **state)
{
    open_loop(state);
    memset(timers, 0, sizeof timers);
    again = 2;
    int64_t now = salp_now();
    assert_int_equal(salp_timer_cancel(loop, &timers[0]), 0); /* is not set */
    assert_int_equal(salp_timer_set(loop, &timers[0], now + SALP_MILLISECONDS(1), fire, (void *)0), 0);
    assert_int_equal(salp_timer_set(loop, &timers[1], now + SALP_MILLISECONDS(2), fire, (void *)1), 0);
    assert_int_equal(salp_timer_set(loop, &timers[2], now + SALP_MILLISECONDS(3), fire, (void *)2), 0);
    assert_int_equal(salp_timer_set(loop, &timers[0], now + SALP_MILLISECONDS(4), fire, (void *)0), 0);
    assert_int_equal(salp_timer_set(loop, &timers[3], now + SALP_MILLISECONDS(5), fire, (void *)3), 0);
    turn_until("10333");
    salp_loop_close(loop);
}

static void set_true(void *arg)
{
    *(bool *)arg = true;
}

static void a_turn_that_waits_does_what_it_has_waited_for(void **state)
{
    bool done = false;
    salp_timer timer = { { 0 } };
    open_loop(state);
    assert_int_equal(salp_timer_set(loop, &timer, salp_now() + SALP_MILLISECONDS(5), set_true, &done), 0);
    while (!done)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    done = false;
    assert_int_equal(salp_loop_call_at(loop, salp_now() + SALP_MILLISECONDS(5), set_true, &done), 0);
    while (!done)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    done = false;
    assert_int_equal(salp_timer_set(loop, &timer, 0, set_true, &done), 0);
    assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    assert_true(done);
    salp_loop_close(loop);
}

static int must_not_run(void *arg)
{
    (void)arg;
    abort();
}

static int no_job(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    abort();
}

static void use_pool_in_callback(void)
{
    salp_pool *pool;
    salp_scope scope;
    EXPECT(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_THREADS, .workers = 1 }) == 0);
    EXPECT(salp_map(pool, no_job, "x", 1, NULL, 0, 1, NULL) == SALP_EINSIDE);
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_apply(pool, no_job, "x", 1, NULL, 0, NULL) == SALP_EINSIDE);
    EXPECT(salp_scope_close(&scope) == 0);
    EXPECT(salp_pool_close(pool) == 0);
}

static void wait_in_callback(void *arg)
{
    salp_scope scope;
    use_pool_in_callback();
    EXPECT(salp_run_loops(2, must_not_run, NULL) == SALP_EINSIDE);
    salp_scope_open(&scope, 0);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == -ETIMEDOUT); /* whatever else would be wrong with it */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_event *event = arg;
    EXPECT(salp_event_wait(event) == SALP_EINSIDE);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == SALP_EINSIDE);
    EXPECT(salp_select((salp_case[]){ { .event = event } }, 1) == SALP_EINSIDE);
    EXPECT(salp_loop_turn(loop, 0) == -EBUSY);
    EXPECT(salp_event_set(event) == 0 && salp_event_wait(event) == 0); /* what need not wait does not */
    note("ok");
}

static void a_callback_cannot_wait(void **state)
{
    salp_event *event;
    open_loop(state);
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_loop_call(loop, wait_in_callback, event), 0);
    turn_until("ok");
    salp_event_close(event);
    salp_loop_close(loop);
}

/* ---- descriptors ---- */

static int pair[2];

static void read_one(int fd, unsigned events, void *arg)
{
    char byte = 0, text[] = "<?>";
    EXPECT(fd == pair[0] && arg == pair && (events & SALP_READABLE));
    if (read(fd, &byte, 1) == 1) {
        text[1] = byte;
        note(text);
    } else {
        note("end");
        EXPECT(salp_loop_watch(loop, fd, 0, NULL, NULL) == 0);
    }
}

static void note_writable(int fd, unsigned events, void *arg)
{
    EXPECT(events & SALP_WRITABLE);
    note(arg);
    EXPECT(salp_loop_watch(loop, fd, 0, NULL, NULL) == 0);
}

static void a_descriptor_is_told_as_long_as_it_is_ready(void **state)
{
    open_loop(state);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, pair), 0);
    assert_int_equal(salp_loop_turn(loop, SALP_MILLISECONDS(2)), 0);
    assert_int_equal(write(pair[1], "abc", 3), 3);
    turn_until("<a><b><c>");
    assert_int_equal(salp_loop_watch(loop, pair[1], SALP_WRITABLE, note_writable, "w"), 0);
    turn_until("<a><b><c>w");
    assert_int_equal(salp_loop_watch(loop, pair[1], SALP_WRITABLE, note_writable, "x"),
                     0); /* once more, after its end */
    turn_until("<a><b><c>wx");
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    turn_until("<a><b><c>wxend");
    assert_int_equal(salp_loop_watch(loop, pair[0], 0, NULL, NULL), -ENOENT);
    close(pair[0]);
    close(pair[1]);
    salp_loop_close(loop);
}

static void ignore(int fd, unsigned events, void *arg)
{
    (void)fd, (void)events, (void)arg;
    note("ignored");
}

static void a_watch_can_be_changed_and_replaced(void **state)
{
    open_loop(state);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE | SALP_WRITABLE, ignore, NULL), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, pair), 0); /* before it is told */
    for (int i = 0; i < 5; i++)
        assert_true(salp_loop_turn(loop, SALP_MILLISECONDS(1)) >= 0);
    assert_string_equal(trace, "");
    assert_int_equal(write(pair[1], "a", 1), 1);
    turn_until("<a>");
    /* Ended and closed while it is ready and not told: nothing comes of it, nor of the next one with its number. */
    assert_int_equal(write(pair[1], "b", 1), 1);
    assert_int_equal(salp_loop_call(loop, note_call, "c"), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], 0, NULL, NULL), 0);
    int number = pair[0];
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(pair[0], number);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, pair), 0);
    turn_until("<a>c");
    for (int i = 0; i < 5; i++)
        assert_true(salp_loop_turn(loop, SALP_MILLISECONDS(1)) >= 0);
    assert_int_equal(write(pair[1], "d", 1), 1);
    turn_until("<a>c<d>");
    salp_loop_close(loop); /* with a watch */
    close(pair[0]);
    close(pair[1]);
}

static void note_hangup(int fd, unsigned events, void *arg)
{
    (void)arg;
    EXPECT(events & SALP_HANGUP);
    note("hangup");
    EXPECT(salp_loop_watch(loop, fd, 0, NULL, NULL) == 0);
}

static void the_end_of_the_other_side_is_told(void **state)
{
    open_loop(state);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[1], SALP_HANGUP, note_hangup, NULL), 0);
    assert_int_equal(salp_loop_turn(loop, SALP_MILLISECONDS(1)), 0);
    close(pair[0]);
    turn_until("hangup");
    close(pair[1]);
    salp_loop_close(loop);
}

static int yields(void *arg)
{
    while (!*(bool *)arg)
        EXPECT(salp_yield() == 0);
    return 0;
}

static void read_and_stop(int fd, unsigned events, void *arg)
{
    char byte;
    (void)events;
    EXPECT(read(fd, &byte, 1) == 1);
    *(bool *)arg = true;
}

static void tasks_that_only_yield_hold_up_no_descriptor(void **state)
{
    bool stop = false;
    salp_future *future;
    open_loop(state);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, read_and_stop, &stop), 0);
    assert_int_equal(salp_loop_go(loop, yields, &stop, &future), 0);
    assert_int_equal(salp_loop_turn(loop, 0), 1);
    assert_int_equal(write(pair[1], "x", 1), 1);
    while (!salp_future_ready(future))
        assert_true(salp_loop_turn(loop, 0) >= 0);
    salp_future_free(future);
    salp_loop_close(loop);
    close(pair[0]);
    close(pair[1]);
}

static void *call_after_a_while(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(500); i++) {
        EXPECT(salp_loop_call(loop, note_call, "") == 0);
        if (i % 3 == 0)
            usleep((useconds_t)(i % 100));
    }
    EXPECT(salp_loop_call(loop, note_call, "done") == 0);
    return NULL;
}

static void a_loop_that_waits_for_descriptors_is_woken_by_calls(void **state)
{
    pthread_t thread;
    open_loop(state);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, ignore, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, call_after_a_while, NULL), 0);
    while (strcmp(trace, "done") != 0)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    salp_loop_close(loop); /* at once: whoever has rung has done so */
    pthread_join(thread, NULL);
    close(pair[0]);
    close(pair[1]);
}

/* ---- signals ---- */

static void note_signal(int number, void *arg)
{
    EXPECT(number == SIGUSR1);
    note(arg);
}

static void *raise_from_afar(void *arg)
{
    (void)arg;
    usleep(2000);
    kill(getpid(), SIGUSR1);
    return NULL;
}

static void signals_are_told_by_the_loop(void **state)
{
    pthread_t thread;
    struct sigaction before, after;
    open_loop(state);
    assert_int_equal(sigaction(SIGUSR1, NULL, &before), 0);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, "s"), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    turn_until("s");
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, "t"), 0);
    assert_int_equal(pthread_create(&thread, NULL, raise_from_afar, NULL), 0);
    /* Asleep. ThreadSanitizer puts handlers off until a call that it knows, and the system's sleep is none. */
    while (strcmp(trace, "st") != 0)
        assert_true(salp_loop_turn(loop, test_sanitized() ? SALP_MILLISECONDS(20) : SALP_FOREVER) >= 0);
    pthread_join(thread, NULL);
    assert_int_equal(raise(SIGUSR1), 0); /* under way when it is given up */
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, NULL, NULL), 0);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, NULL, NULL), -ENOENT);
    assert_true(salp_loop_turn(loop, 0) >= 0);
    assert_string_equal(trace, "st");
    assert_int_equal(sigaction(SIGUSR1, NULL, &after), 0);
    assert_ptr_equal(after.sa_handler, before.sa_handler);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, "u"), 0);
    salp_loop_close(loop); /* which gives it up */
    assert_int_equal(sigaction(SIGUSR1, NULL, &after), 0);
    assert_ptr_equal(after.sa_handler, before.sa_handler);
}

static void *take_signal(void *arg)
{
    salp_loop *other;
    (void)arg;
    EXPECT(salp_loop_open(&other, NULL) == 0);
    EXPECT(salp_loop_signal(other, SIGUSR1, note_signal, "") == -EBUSY);
    EXPECT(salp_loop_signal(other, SIGUSR1, NULL, NULL) == -ENOENT);
    EXPECT(salp_loop_signal(other, SIGKILL, note_signal, "") == -EINVAL);
    EXPECT(salp_loop_signal(other, 1000, note_signal, "") == -EINVAL);
    EXPECT(salp_loop_signal(loop, SIGUSR2, note_signal, "") == -EPERM);
    EXPECT(salp_loop_watch(loop, 0, SALP_READABLE, ignore, NULL) == -EPERM);
    EXPECT(salp_timer_set(loop, &timers[0], 0, note_call, "") == -EPERM);
    EXPECT(salp_timer_cancel(loop, &timers[0]) == -EPERM);
    EXPECT(salp_loop_turn(loop, 0) == -EPERM && salp_loop_fd(loop) == -EPERM);
    salp_loop_close(other);
    return NULL;
}

static int cannot_open(void *arg)
{
    salp_loop *other;
    (void)arg;
    EXPECT(salp_loop_current() != NULL);
    EXPECT(salp_loop_open(&other, NULL) == -EBUSY && !other);
    return 0;
}

static void misuse_is_refused(void **state)
{
    pthread_t thread;
    salp_loop *other;
    open_loop(state);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, ""), 0);
    assert_int_equal(pthread_create(&thread, NULL, take_signal, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(salp_loop_open(NULL, NULL), -EINVAL);
    assert_int_equal(salp_loop_open(&other, NULL), -EBUSY);
    assert_int_equal(salp_run(cannot_open, NULL), -EBUSY);
    assert_int_equal(salp_loop_call(NULL, note_call, NULL), -EINVAL);
    assert_int_equal(salp_loop_call(loop, NULL, NULL), -EINVAL);
    assert_int_equal(salp_loop_call_at(loop, 0, NULL, NULL), -EINVAL);
    assert_int_equal(salp_timer_set(loop, NULL, 0, note_call, NULL), -EINVAL);
    assert_int_equal(salp_timer_set(loop, &timers[0], 0, NULL, NULL), -EINVAL);
    assert_int_equal(salp_timer_cancel(NULL, &timers[0]), -EINVAL);
    assert_int_equal(salp_loop_go(loop, NULL, NULL, NULL), -EINVAL);
    assert_int_equal(salp_loop_turn(NULL, 0), -EINVAL);
    assert_int_equal(salp_loop_fd(NULL), -EINVAL);
    assert_int_equal(salp_loop_watch(loop, 0, 8, ignore, NULL), -EINVAL);
    assert_int_equal(salp_loop_watch(loop, 0, SALP_READABLE, NULL, NULL), -EINVAL);
    assert_int_equal(salp_loop_watch(loop, -1, SALP_READABLE, ignore, NULL), -EBADF);
    assert_int_equal(salp_loop_watch(loop, 9999, SALP_READABLE, ignore, NULL), -EBADF);
    int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    assert_int_equal(salp_loop_watch(loop, file, SALP_READABLE, ignore, NULL), -EPERM);
    close(file);
    salp_loop_close(loop);
    salp_loop_close(NULL);
    assert_int_equal(salp_loop_open(&loop, &(salp_loop_options){ .poller = 7 }), -EINVAL);
    assert_int_equal(salp_run(cannot_open, NULL), 0);
}

/* ---- tasks of a loop ---- */

static int sleeps_and_returns(void *arg)
{
    int result = salp_sleep(SALP_MILLISECONDS((intptr_t)arg));
    return result < 0 ? result : (int)(intptr_t)arg;
}

static void *starts_tasks(void *arg)
{
    salp_future *futures[3];
    (void)arg;
    for (intptr_t i = 0; i < 3; i++)
        EXPECT(salp_loop_go(loop, sleeps_and_returns, (void *)(i < 2 ? i + 1 : 1000000), &futures[i]) == 0);
    EXPECT(salp_future_wait(futures[0]) == 1 && salp_future_wait(futures[1]) == 2);
    EXPECT(salp_future_cancel(futures[2]) == 0 && salp_future_wait(futures[2]) == -ECANCELED);
    EXPECT(salp_future_cancel(futures[2]) == -EALREADY);
    for (int i = 0; i < 3; i++)
        salp_future_free(futures[i]);
    EXPECT(salp_loop_go(loop, sleeps_and_returns, (void *)1000000, &futures[0]) == 0);
    EXPECT(salp_loop_go(loop, sleeps_and_returns, (void *)1000000, NULL) == 0);
    EXPECT(salp_future_cancel(futures[0]) == 0);
    salp_future_free(futures[0]); /* before it has ended */
    EXPECT(salp_loop_call(loop, note_call, "done") == 0);
    return NULL;
}

static void any_thread_may_start_tasks_and_cancel_them(void **state)
{
    pthread_t thread;
    salp_future *future, *cancelled;
    open_loop(state);
    assert_int_equal(salp_loop_go(loop, sleeps_and_returns, (void *)3, &future), 0);
    assert_int_equal(salp_loop_go(loop, sleeps_and_returns, (void *)1000000, &cancelled), 0);
    assert_int_equal(salp_future_cancel(cancelled), 0); /* before it has begun */
    assert_int_equal(pthread_create(&thread, NULL, starts_tasks, NULL), 0);
    turn_until("done");
    pthread_join(thread, NULL);
    assert_int_equal(salp_future_wait(cancelled), -ECANCELED);
    while (!salp_future_ready(future))
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    assert_int_equal(salp_future_wait(future), 3);
    salp_future_free(future);
    salp_future_free(cancelled);
    assert_int_equal(salp_loop_go(loop, sleeps_and_returns, (void *)1000000, &future), 0);
    while (salp_loop_turn(loop, 0) > 0)
        continue;
    salp_loop_close(loop); /* cancels it */
    assert_int_equal(salp_future_wait(future), -ECANCELED);
    salp_future_free(future);
}

/* ---- within a foreign loop: here poll ---- */

static int ticks(void *arg)
{
    for (int i = 0; i < 3; i++) {
        EXPECT(salp_sleep(SALP_MILLISECONDS(2)) == 0);
        note("t");
    }
    *(bool *)arg = true;
    return 0;
}

static int waits_for_event(void *arg)
{
    EXPECT(salp_event_wait(arg) == 0);
    note("e");
    return 0;
}

static bool is_ready(int fd, int milliseconds)
{
    struct pollfd entry = { .fd = fd, .events = POLLIN };
    int count = poll(&entry, 1, milliseconds);
    EXPECT(count >= 0);
    return count > 0;
}

static void turn_when_ready(const char *expected)
{
    int fd = salp_loop_fd(loop);
    for (int64_t end = salp_now() + patience(); strcmp(trace, expected) != 0 && salp_now() < end;) {
        assert_true(is_ready(fd, (int)(patience() / SALP_MILLISECONDS(1))));
        assert_true(salp_loop_turn(loop, 0) >= 0);
    }
    assert_string_equal(trace, expected);
}

static void settle(void)
{
    for (int i = 0; i < 20 && is_ready(salp_loop_fd(loop), 0); i++)
        assert_true(salp_loop_turn(loop, 0) >= 0);
    assert_false(is_ready(salp_loop_fd(loop), 0)); /* it does not spin */
}

static void a_foreign_loop_waits_for_one_descriptor(void **state)
{
    pthread_t thread;
    bool done = false;
    salp_event *event;
    salp_timer timer = { { 0 } };
    open_loop(state);
    assert_int_equal(salp_loop_call(loop, note_call, "1"), 0); /* before it is asked for */
    assert_true(salp_loop_fd(loop) >= 0);
    assert_int_equal(salp_loop_fd(loop), salp_loop_fd(loop));
    turn_when_ready("1");
    settle();
    assert_int_equal(salp_loop_call(loop, note_call, "2"), 0); /* from outside of a turn */
    turn_when_ready("12");
    settle();
    assert_int_equal(salp_timer_set(loop, &timer, salp_now() + SALP_MILLISECONDS(2), note_call, "3"), 0);
    assert_int_equal(salp_loop_call_at(loop, salp_now() + SALP_MILLISECONDS(4), note_call, "4"), 0);
    turn_when_ready("1234");
    settle();
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, pair), 0);
    settle();
    assert_int_equal(write(pair[1], "a", 1), 1);
    turn_when_ready("1234<a>");
    settle();
    assert_int_equal(pthread_create(&thread, NULL, call_from_afar, "abc"), 0);
    turn_when_ready("1234<a>abc");
    pthread_join(thread, NULL);
    settle();
    assert_int_equal(salp_event_open(&event, NULL), 0);
    assert_int_equal(salp_loop_go(loop, waits_for_event, event, NULL), 0);
    assert_int_equal(salp_loop_go(loop, ticks, &done, NULL), 0);
    turn_when_ready("1234<a>abcttt");
    settle();
    assert_int_equal(salp_event_set(event), 0); /* by the loop's thread, outside of a turn */
    turn_when_ready("1234<a>abcttte");
    settle();
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, "s"), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    turn_when_ready("1234<a>abctttes");
    salp_event_close(event);
    salp_loop_close(loop);
    close(pair[0]);
    close(pair[1]);
}

/* ---- what others once found broken ---- */

static int fired_again;

static void set_in_the_past(void *arg)
{
    fired_again++;
    EXPECT(salp_timer_set(loop, arg, 0, set_in_the_past, arg) == 0);
}

static void a_timer_that_is_set_in_the_past_again_and_again_holds_up_no_other(void **state)
{
    bool done = false;
    salp_timer always = { { 0 } }, once = { { 0 } };
    open_loop(state);
    assert_int_equal(salp_timer_set(loop, &once, salp_now() + SALP_MILLISECONDS(1), set_true, &done), 0);
    assert_int_equal(salp_timer_set(loop, &always, 0, set_in_the_past, &always), 0);
    while (!done)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    assert_true(fired_again > 0);
    salp_loop_close(loop);
}

/* Whether a thread of ours sleeps; one that looks again and again is running, or ready to. */
static bool is_asleep(pid_t thread)
{
    char path[64], status[256], *end;
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    EXPECT(fd >= 0);
    ssize_t length = read(fd, status, sizeof status - 1);
    close(fd);
    EXPECT(length > 0);
    status[length] = 0;
    end = strrchr(status, ')');
    return end && end[1] == ' ' && end[2] == 'S';
}

struct closing {
    pid_t thread;
    atomic_bool begun;
    salp_event *over;
};

static void *let_go_of_who_sleeps(void *arg)
{
    struct closing *c = arg;
    int64_t end = salp_now() + patience();
    while (!atomic_load(&c->begun))
        sched_yield();
    for (int looks = 0; looks < 20; looks = is_asleep(c->thread) ? looks + 1 : 0) {
        EXPECT(salp_now() < end);
        doze(SALP_MILLISECONDS(1));
    }
    EXPECT(salp_event_set(c->over) == 0);
    return NULL;
}

static int outlasts_its_cancellation(void *arg)
{
    struct closing *c = arg;
    salp_scope shield;
    salp_scope_shield(&shield, SALP_FOREVER);
    EXPECT(salp_event_wait(c->over) == 0);
    return salp_scope_close(&shield);
}

static void a_loop_in_a_foreign_one_that_waits_for_tasks_while_it_closes_sleeps(void **state)
{
    pthread_t thread;
    struct closing closing = { .thread = (pid_t)syscall(SYS_gettid) };
    open_loop(state);
    assert_int_equal(salp_event_open(&closing.over, NULL), 0);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, ignore, NULL), 0); /* so it sleeps in its poller */
    assert_true(salp_loop_fd(loop) >= 0);
    assert_int_equal(salp_loop_go(loop, outlasts_its_cancellation, &closing, NULL), 0);
    settle();
    assert_int_equal(pthread_create(&thread, NULL, let_go_of_who_sleeps, &closing), 0);
    atomic_store(&closing.begun, true);
    salp_loop_close(loop);
    pthread_join(thread, NULL);
    salp_event_close(closing.over);
    close(pair[0]);
    close(pair[1]);
}

static void a_signal_to_a_fork_is_not_for_the_loop(void **state)
{
    int status;
    open_loop(state);
    assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
    assert_int_equal(salp_loop_watch(loop, pair[0], SALP_READABLE, ignore, NULL), 0);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, note_signal, "s"), 0);
    assert_true(salp_loop_fd(loop) >= 0);
    settle(); /* it waits in its poller, as far as others can see */
    pid_t child = fork();
    if (child == 0) {
        raise(SIGUSR1);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    settle();
    assert_string_equal(trace, "");
    salp_loop_close(loop);
    close(pair[0]);
    close(pair[1]);
}

static void a_number_that_is_no_descriptor_is_refused_at_once(void **state)
{
    open_loop(state);
    assert_int_equal(salp_loop_watch(loop, INT_MAX, SALP_READABLE, ignore, NULL), -EBADF);
    salp_loop_close(loop);
}

/* Two loops; in each a callback cancels a scope of the other one's task. */
static salp_scope scopes[2];
static _Atomic int scopes_open, callbacks_in;

static void cancel_the_other(void *arg)
{
    callbacks_in++;
    while (callbacks_in < 2)
        sched_yield();
    salp_scope_cancel(&scopes[1 - (intptr_t)arg]);
}

static int is_cancelled(void *arg)
{
    salp_scope *mine = &scopes[(intptr_t)arg];
    salp_scope_open(mine, SALP_FOREVER);
    scopes_open++;
    while (scopes_open < 2)
        EXPECT(salp_yield() == 0);
    EXPECT(salp_loop_call(salp_loop_current(), cancel_the_other, arg) == 0);
    EXPECT(salp_sleep(SALP_FOREVER) == -ECANCELED);
    EXPECT(salp_scope_close(mine) == -ECANCELED);
    return 0;
}

static void *runs_is_cancelled(void *arg)
{
    EXPECT(salp_run(is_cancelled, arg) == 0);
    return NULL;
}

static void callbacks_of_two_loops_may_cancel_each_others_scopes(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, runs_is_cancelled, (void *)1), 0);
    runs_is_cancelled((void *)0);
    pthread_join(thread, NULL);
}

static salp_mutex *held;
static salp_condition *condition;

static int locks_it(void *arg)
{
    (void)arg;
    EXPECT(salp_mutex_lock(held) == 0);
    note("locked");
    return salp_mutex_unlock(held);
}

static void wait_with_mutex(void *arg)
{
    (void)arg;
    EXPECT(salp_condition_wait(condition, held) == SALP_EINSIDE);
    EXPECT(salp_mutex_unlock(held) == 0); /* it was not given up */
}

static void a_callback_that_cannot_wait_for_a_condition_keeps_its_mutex(void **state)
{
    open_loop(state);
    assert_int_equal(salp_mutex_open(&held, NULL), 0);
    assert_int_equal(salp_condition_open(&condition, NULL), 0);
    assert_int_equal(salp_mutex_lock(held), 0);
    assert_int_equal(salp_loop_go(loop, locks_it, NULL, NULL), 0);
    while (salp_loop_turn(loop, 0) > 0)
        continue;
    assert_int_equal(salp_loop_call(loop, wait_with_mutex, NULL), 0);
    turn_until("locked");
    salp_condition_close(condition);
    salp_mutex_close(held);
    salp_loop_close(loop);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("callbacks run in the order of the calls", callbacks_run_in_the_order_of_the_calls),
        TEST("timers can be set again and cancelled", timers_can_be_set_again_and_cancelled),
        TEST("a turn that waits does what it has waited for", a_turn_that_waits_does_what_it_has_waited_for),
        TEST("a callback cannot wait", a_callback_cannot_wait),
        TEST("a descriptor is told as long as it is ready", a_descriptor_is_told_as_long_as_it_is_ready),
        TEST("a watch can be changed and replaced", a_watch_can_be_changed_and_replaced),
        TEST("the end of the other side is told", the_end_of_the_other_side_is_told),
        TEST("tasks that only yield hold up no descriptor", tasks_that_only_yield_hold_up_no_descriptor),
        TEST("a loop that waits for descriptors is woken by calls",
             a_loop_that_waits_for_descriptors_is_woken_by_calls),
        TEST("signals are told by the loop", signals_are_told_by_the_loop),
        TEST("misuse is refused", misuse_is_refused),
        TEST("any thread may start tasks and cancel them", any_thread_may_start_tasks_and_cancel_them),
        TEST("a foreign loop waits for one descriptor", a_foreign_loop_waits_for_one_descriptor),
        TEST("a timer that is set in the past again and again holds up no other",
             a_timer_that_is_set_in_the_past_again_and_again_holds_up_no_other),
        TEST("a loop in a foreign one that waits for tasks while it closes sleeps",
             a_loop_in_a_foreign_one_that_waits_for_tasks_while_it_closes_sleeps),
        TEST("a signal to a fork is not for the loop", a_signal_to_a_fork_is_not_for_the_loop),
        TEST("a number that is no descriptor is refused at once", a_number_that_is_no_descriptor_is_refused_at_once),
        TEST("callbacks of two loops may cancel each other's scopes",
             callbacks_of_two_loops_may_cancel_each_others_scopes),
        TEST("a callback that cannot wait for a condition keeps its mutex",
             a_callback_that_cannot_wait_for_a_condition_keeps_its_mutex),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
