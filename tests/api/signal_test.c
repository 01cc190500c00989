/*
 * Waiting for signals, in tasks and in plain threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include <salp/loop.h>
#include <salp/signal.h>
#include <salp/stream.h>

static salp_signals *open_signals(int a, int b)
{
    salp_signals *signals;
    EXPECT(salp_signals_open(&signals, (int[]){ a, b }, b > 0 ? 2 : 1) == 0 && signals);
    return signals;
}

/* ThreadSanitizer puts handlers off until a call that it knows, and the sleep of a loop may be none: so it does not sleep for
   long there. */
static int wait_for(salp_signals *signals)
{
    for (;;) {
        salp_scope scope;
        salp_scope_open(&scope, test_sanitized() ? SALP_MILLISECONDS(20) : SALP_FOREVER);
        int number = salp_signals_wait(signals);
        if (salp_scope_close(&scope) != -ETIMEDOUT || number > 0)
            return number;
        struct timespec now = { 0 };
        nanosleep(&now, NULL);
    }
}

static void (*handler_of(int number))(int)
{
    struct sigaction now;
    EXPECT(sigaction(number, NULL, &now) == 0);
    return now.sa_handler;
}

/* ---- none is lost ---- */

static int collects(void *arg)
{
    (void)arg;
    salp_signals *signals = open_signals(SIGUSR1, SIGUSR2);
    EXPECT(raise(SIGUSR2) == 0 && raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0);
    EXPECT(wait_for(signals) == SIGUSR1); /* the lowest */
    EXPECT(wait_for(signals) == SIGUSR2); /* once */
    EXPECT(raise(SIGUSR1) == 0);
    EXPECT(wait_for(signals) == SIGUSR1);
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_signals_wait(signals) == -ETIMEDOUT);
    EXPECT(raise(SIGUSR1) == 0);
    EXPECT(salp_signals_wait(signals) == -ETIMEDOUT); /* it is over */
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(wait_for(signals) == SIGUSR1); /* and nothing was lost */
    salp_signals_close(signals);
    return 0;
}

static void none_is_lost_between_two_waits(void **state)
{
    (void)state;
    in_both(collects);
}

static int kill_us(void *arg)
{
    EXPECT(salp_yield() == 0); /* the other one waits */
    EXPECT(kill(getpid(), *(int *)arg) == 0);
    return 0;
}

static int waits(void *arg)
{
    (void)arg;
    salp_signals *signals = open_signals(SIGTERM, SIGRTMAX - 1);
    int numbers[] = { SIGTERM, SIGRTMAX - 1 }; /* the last one is valgrind's */
    for (int i = 0; i < 100; i++) {
        salp_group group;
        salp_group_open(&group);
        EXPECT(salp_go(&group, kill_us, &numbers[i % 2]) == 0);
        EXPECT(wait_for(signals) == numbers[i % 2]);
        EXPECT(salp_group_close(&group) == 0);
    }
    salp_signals_close(signals);
    return 0;
}

static void a_task_waits_for_a_signal(void **state)
{
    (void)state;
    assert_int_equal(salp_run(waits, NULL), 0);
}

static void *kill_from_afar(void *arg)
{
    usleep(1000);
    EXPECT(kill(getpid(), *(int *)arg) == 0);
    return NULL;
}

static void a_thread_waits_for_a_signal(void **state)
{
    (void)state;
    int number = SIGINT;
    salp_signals *signals = open_signals(SIGINT, 0);
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, kill_from_afar, &number), 0);
        assert_int_equal(wait_for(signals), SIGINT);
        pthread_join(thread, NULL);
    }
    salp_signals_close(signals);
}

/* ---- several who wait ---- */

enum { WAITERS = 6 };

static salp_signals *shared;
static int told[65];

static int wait_for_one(void *arg)
{
    (void)arg;
    int number = wait_for(shared);
    EXPECT(number > 0);
    __atomic_fetch_add(&told[number], 1, __ATOMIC_RELAXED);
    return 0;
}

static void *wait_in_thread(void *arg)
{
    EXPECT((arg ? salp_run(wait_for_one, NULL) : wait_for_one(NULL)) == 0);
    return NULL;
}

static int several_wait(void *arg)
{
    salp_group group;
    pthread_t threads[WAITERS];
    int numbers[3 * WAITERS];
    (void)arg;
    for (int i = 0; i < 3 * WAITERS; i++)
        numbers[i] = SIGRTMIN + i;
    EXPECT(salp_signals_open(&shared, numbers, 3 * WAITERS) == 0);
    salp_group_open(&group);
    for (int i = 0; i < WAITERS; i++)
        EXPECT(salp_go(&group, wait_for_one, NULL) == 0);
    EXPECT(salp_yield() == 0);
    for (int i = 0; i < WAITERS; i++)
        EXPECT(pthread_create(&threads[i], NULL, wait_in_thread, i % 2 ? shared : NULL) == 0);
    for (int i = 0; i < 2 * WAITERS; i++)
        EXPECT(kill(getpid(), numbers[i]) == 0);
    EXPECT(salp_group_close(&group) == 0);
    for (int i = 0; i < WAITERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3 * WAITERS; i++)
        EXPECT(told[numbers[i]] == (i < 2 * WAITERS));
    salp_signals_close(shared);
    memset(told, 0, sizeof told);
    return 0;
}

static void each_is_told_to_one_of_those_who_wait(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_int_equal(salp_run(several_wait, NULL), 0);
}

/* ---- what others have arranged ---- */

static void own_handler(int number)
{
    (void)number;
}

static void ignore(int number, void *arg)
{
    (void)number;
    (void)arg;
}

static void only_what_was_asked_for_is_caught_and_it_is_restored(void **state)
{
    (void)state;
    salp_loop *loop;
    salp_signals *signals, *other = (salp_signals *)&loop;
    void (*const before)(int) = signal(SIGUSR2, own_handler);
    assert_int_equal(salp_signals_open(&signals, (int[]){ SIGUSR1, SIGUSR2 }, 2), 0);
    assert_ptr_not_equal(handler_of(SIGUSR2), own_handler);
    assert_ptr_equal(handler_of(SIGTERM), SIG_DFL);
    assert_ptr_equal(handler_of(SIGPIPE), SIG_DFL);
    /* Others cannot have them meanwhile, and what is refused is refused as a whole. */
    assert_int_equal(salp_signals_open(&other, (int[]){ SIGTERM, SIGUSR1 }, 2), -EBUSY);
    assert_null(other);
    assert_ptr_equal(handler_of(SIGTERM), SIG_DFL);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_signal(loop, SIGUSR1, ignore, NULL), -EBUSY);
    assert_int_equal(salp_loop_signal(loop, SIGTERM, ignore, NULL), 0);
    assert_int_equal(salp_signals_open(&other, (int[]){ SIGTERM }, 1), -EBUSY);
    salp_loop_close(loop);
    assert_int_equal(salp_signals_open(&other, (int[]){ SIGTERM }, 1), 0);
    salp_signals_close(other);
    salp_signals_close(signals);
    assert_ptr_equal(handler_of(SIGUSR1), SIG_DFL);
    assert_ptr_equal(handler_of(SIGUSR2), own_handler);
    assert_ptr_equal(handler_of(SIGTERM), SIG_DFL);
    signal(SIGUSR2, before);
}

static void a_fork_does_not_collect(void **state)
{
    (void)state;
    int status;
    salp_signals *signals = open_signals(SIGUSR1, 0);
    pid_t child = fork();
    if (child == 0) {
        salp_signals *own = NULL;
        bool right = salp_signals_wait(signals) == SALP_EFORKED && raise(SIGUSR1) == 0; /* it does nothing */
        right = right && salp_signals_open(&own, (int[]){ SIGUSR1 }, 1) == 0;           /* it may collect its own */
        salp_signals_close(signals);
        right = right && raise(SIGUSR1) == 0 && wait_for(own) == SIGUSR1;
        salp_signals_close(own);
        _exit(right ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    assert_int_equal(salp_signals_wait(signals), -ETIMEDOUT); /* the child's was not for us */
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    salp_signals_close(signals);
}

/* ---- a server ---- */

static salp_listener *listener;

static int stop_serving(void *arg)
{
    salp_signals *signals = open_signals(SIGINT, SIGTERM);
    EXPECT(kill(getpid(), SIGTERM) == 0);
    EXPECT(wait_for(signals) == SIGTERM);
    salp_listener_shutdown(listener);
    salp_signals_close(signals);
    (void)arg;
    return 0;
}

static int hang_up(salp_stream *stream, void *arg)
{
    (void)stream;
    (void)arg;
    return 0;
}

static int serve(void *arg)
{
    salp_group group;
    (void)arg;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, stop_serving, NULL) == 0);
    EXPECT(salp_serve(listener, hang_up, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    salp_listener_close(listener);
    return 0;
}

static void a_signal_ends_a_server(void **state)
{
    (void)state;
    assert_int_equal(salp_run(serve, NULL), 0);
}

/* ---- misuse ---- */

static void wait_in_callback(void *result)
{
    *(int *)result = salp_signals_wait(shared);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_loop *loop;
    int result = 0;
    assert_int_equal(salp_signals_open(NULL, (int[]){ SIGUSR1 }, 1), -EINVAL);
    assert_int_equal(salp_signals_open(&shared, NULL, 1), -EINVAL);
    assert_int_equal(salp_signals_open(&shared, (int[]){ SIGUSR1 }, 0), -EINVAL);
    assert_int_equal(salp_signals_open(&shared, (int[]){ SIGUSR1, SIGKILL }, 2), -EINVAL);
    assert_int_equal(salp_signals_open(&shared, (int[]){ SIGUSR1, 1000 }, 2), -EINVAL);
    assert_int_equal(salp_signals_open(&shared, (int[]){ SIGUSR1, SIGUSR1 }, 2), -EBUSY);
    assert_null(shared);
    assert_ptr_equal(handler_of(SIGUSR1), SIG_DFL);
    assert_int_equal(salp_signals_wait(NULL), -EINVAL);
    salp_signals_close(NULL);
    shared = open_signals(SIGUSR1, 0);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, wait_in_callback, &result), 0);
    while (result == 0)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    assert_int_equal(result, SALP_EINSIDE);
    salp_loop_close(loop);
    salp_signals_close(shared);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("none is lost between two waits", none_is_lost_between_two_waits),
        TEST("a task waits for a signal", a_task_waits_for_a_signal),
        TEST("a thread waits for a signal", a_thread_waits_for_a_signal),
        TEST("each is told to one of those who wait", each_is_told_to_one_of_those_who_wait),
        TEST("only what was asked for is caught and it is restored",
             only_what_was_asked_for_is_caught_and_it_is_restored),
        TEST("a fork does not collect", a_fork_does_not_collect),
        TEST("a signal ends a server", a_signal_ends_a_server),
        TEST("misuse is refused", misuse_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
