/*
 * How a signal is given up while a handler of it runs in another thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/sleepers.h"

#include <signal.h>

#include "base/list.h"
#include "os/signal.h"

struct kept {
    salp__catcher catcher;
    atomic_int came;      /* the handler runs */
    _Atomic pid_t waiter; /* the thread that is giving the signal up */
    atomic_int looked;    /* the handler may end */
    atomic_int given_up;
    bool slept;
};

/* In the handler. */
static void stay(salp__catcher *catcher, int number)
{
    struct kept *k = SALP__CONTAINER(catcher, struct kept, catcher);
    (void)number;
    atomic_fetch_add(&k->came, 1);
    reaches(&k->looked, 1);
}

static void *signal_itself(void *arg)
{
    pthread_kill(pthread_self(), SIGUSR1);
    return arg;
}

/* Lets the handler end when the one who gives the signal up has slept. */
static void *look_at_waiter(void *arg)
{
    struct kept *k = arg;
    for (int64_t end = clock_now() + patience(); atomic_load(&k->waiter) == 0 && clock_now() < end;)
        doze(SALP_MICROSECONDS(100));
    k->slept = sleepers_sleep_once(atomic_load(&k->waiter)) && !atomic_load(&k->given_up);
    atomic_store(&k->looked, 1);
    return NULL;
}

/* Else one that the system prefers to the thread with the handler would keep that from ever going on. */
static void who_gives_a_signal_up_sleeps_while_it_is_handled(void **state)
{
    struct kept k = { .catcher.came = stay };
    pthread_t handling, looking;
    (void)state;
    assert_int_equal(salp__signal_catch(SIGUSR1, &k.catcher), 0);
    assert_int_equal(pthread_create(&looking, NULL, look_at_waiter, &k), 0);
    assert_int_equal(pthread_create(&handling, NULL, signal_itself, NULL), 0);
    assert_true(reaches(&k.came, 1));
    atomic_store(&k.waiter, gettid());
    salp__signal_let_go(SIGUSR1, &k.catcher);
    atomic_store(&k.given_up, 1);
    assert_int_equal(pthread_join(handling, NULL), 0);
    assert_int_equal(pthread_join(looking, NULL), 0);
    assert_true(k.slept);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("who gives a signal up sleeps while it is handled", who_gives_a_signal_up_sleeps_while_it_is_handled),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
