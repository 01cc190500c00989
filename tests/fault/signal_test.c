/*
 * Waiting for signals, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>

#include <salp/signal.h>
#include <salp/task.h>

#include "os/fault.h"

static int send_late(void *arg)
{
    int error = salp_yield();
    (void)arg;
    raise(SIGUSR2);
    return error;
}

static int use(void *arg)
{
    salp_signals *signals;
    salp_group group;
    (void)arg;
    int error = salp_signals_open(&signals, (int[]){ SIGUSR1, SIGUSR2 }, 2);
    if (error < 0) {
        assert_null(signals);
        return error;
    }
    salp_group_open(&group);
    error = salp_go(&group, send_late, NULL);
    int number = error < 0 ? error : salp_signals_wait(signals);
    assert_true(number < 0 || number == SIGUSR2);
    error = salp_group_close(&group);
    salp_signals_close(signals);
    return error < 0 ? error : number;
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    struct sigaction now;
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = salp_run(use, NULL);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        bool documented = result == -ENOMEM || result == -EMFILE || result == -EINVAL;
        if (result != SIGUSR2 && !(fired && documented))
            fail_msg("when call %ld failed: %s", number, salp_strerror(result));
        for (int i = 0; i < 2; i++) {
            assert_int_equal(sigaction(i == 0 ? SIGUSR1 : SIGUSR2, NULL, &now), 0);
            assert_ptr_equal(now.sa_handler, SIG_DFL);
        }
    } while (fired);
    assert_true(number > 5);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
