/*
 * What holds for each wait for an object between processes: a scope ends it, by its deadline or because another thread cancels
 * it, and a callback of a loop does not wait. Nothing is taken then: the next wait is as the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared_kinds.h"

/* The other process: has us wait until it is told, and somebody waits if `arg` says so. */
static int hold_and_wake(void *arg)
{
    bool waits = *(const bool *)arg;
    OR_FAIL(!kind->hold || kind->hold() == 0);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    OR_FAIL(!waits || come_to_wait(kind->fd(), 1));
    OR_FAIL(kind->wake() == 0);
    return 0;
}

static pid_t open_and_hold(bool waits)
{
    memset(board, 0, sizeof *board);
    assert_int_equal(kind->open(), 0);
    assert_int_equal(kind->begin(), 0);
    pid_t other = start_process(false, hold_and_wake, &waits);
    assert_true(reaches(&board->ready, 1));
    return other;
}

static int is_woken(void *arg)
{
    (void)arg;
    EXPECT(kind->wait() == 0);
    return 0;
}

/* As if nobody had waited before. */
static void wake_and_close(pid_t other, bool in_loop)
{
    assert_true(come_to_wait(kind->fd(), 0));
    assert_true(!kind->mend || kind->mend() == 0);
    atomic_store(&board->go, 1);
    assert_int_equal(in_loop ? salp_run(is_woken, NULL) : is_woken(NULL), 0);
    ends_well(other);
    kind->close();
}

static void for_each(void (*test)(void))
{
    static const struct {
        const struct kind *kinds;
        size_t count;
    } all[] = { { locks, LENGTH(locks) }, { news, LENGTH(news) }, { queues, LENGTH(queues) } };
    board_open();
    for (size_t i = 0; i < LENGTH(all); i++) {
        for (size_t j = 0; j < all[i].count; j++) {
            kind = &all[i].kinds[j];
            print_message("%s\n", kind->what);
            test();
        }
    }
}

/* ---- scopes ---- */

static int gives_up(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(kind->wait() == -ETIMEDOUT);
    EXPECT(kind->wait() == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static void end_by_a_deadline(void)
{
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        pid_t other = open_and_hold(true);
        assert_int_equal(in_loop ? salp_run(gives_up, NULL) : gives_up(NULL), 0);
        wake_and_close(other, in_loop);
    }
}

static void a_deadline_ends_each_wait(void **state)
{
    (void)state;
    for_each(end_by_a_deadline);
}

static int is_cancelled(void *arg)
{
    salp_scope scope;
    struct canceller canceller;
    (void)arg;
    cancel_at(&canceller, &scope, &board->count[0], 1);
    EXPECT(kind->wait() == -ECANCELED);
    was_cancelled(&canceller);
    return 0;
}

static void end_by_another_thread(void)
{
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        pid_t other = open_and_hold(true);
        start_thread(&call, in_loop, is_cancelled, NULL);
        assert_true(come_to_wait(kind->fd(), 1));
        atomic_store(&board->count[0], 1);
        join_threads(&call, 1);
        wake_and_close(other, in_loop);
    }
}

static void another_thread_cancels_each_wait(void **state)
{
    (void)state;
    for_each(end_by_another_thread);
}

/* ---- callbacks ---- */

static void wait_in_callback(void *arg)
{
    int result = kind->wait();
    *(int *)arg = result;
}

/* What it returns there. */
static int in_callback(void)
{
    int result = 1;
    salp_loop *loop;
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, wait_in_callback, &result), 0);
    while (result == 1)
        assert_true(salp_loop_turn(loop, SALP_FOREVER) >= 0);
    salp_loop_close(loop);
    return result;
}

/* It goes on if it need not wait. */
static void refuse_in_callback(void)
{
    bool meets = kind->mend != NULL;
    pid_t other = open_and_hold(meets);
    assert_int_equal(in_callback(), SALP_EINSIDE);
    if (meets) { /* and has not come: nothing is to be mended */
        assert_true(come_to_wait(kind->fd(), 0));
        atomic_store(&board->go, 1);
        assert_int_equal(is_woken(NULL), 0);
        ends_well(other);
    } else {
        assert_true(come_to_wait(kind->fd(), 0));
        atomic_store(&board->go, 1);
        ends_well(other);
        assert_int_equal(in_callback(), 0);
    }
    kind->close();
}

static void a_callback_does_not_wait(void **state)
{
    (void)state;
    for_each(refuse_in_callback);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a deadline ends each wait", a_deadline_ends_each_wait),
        TEST("another thread cancels each wait", another_thread_cancels_each_wait),
        TEST("a callback does not wait", a_callback_does_not_wait),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
