/*
 * Shared objects, while calls of the system and allocations fail one by one: in the process that opens, attaches, waits and
 * closes, and in the fork of it that has the wait end.
 *
 * Whichever fails, each call ends with success or with an error that its header names, and then nothing was changed: the
 * same call again succeeds. Nothing is left over, and others can use the object.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/shared_kinds.h"
#include "victims.h"

/* ---- a run, in which one call fails ---- */

static bool in_loop;
static long number;

/* Which call was refused how often, in all runs of a kind and in both processes. */
enum { OPEN, ATTACH, WAIT, OTHER, CALLS };
static atomic_int *refused;
static const char *const names[CALLS] = { "open", "attach", "wait", "what the other process does" };

/* Returns the result, which is documented, or fails the test. */
static int judge(int call, int result, const int documented[], size_t count)
{
    bool known = result >= 0;
    atomic_fetch_add(&refused[call], result < 0);
    for (size_t i = 0; i < count; i++)
        known |= result == documented[i];
    if (!known || (result < 0 && !salp__fault_fired()))
        fail_msg("%s, %s: when call %ld failed: %s", kind->what, names[call], number, salp_strerror(result));
    return result;
}

static int judge_open(int result)
{
    static const int documented[] = { -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -ENOENT, -EFBIG };
    return judge(OPEN, result, documented, LENGTH(documented));
}

static int judge_attach(int result)
{
    static const int documented[] = { -EMFILE, -ENFILE, -ENOMEM, -ENOENT };
    return judge(ATTACH, result, documented, LENGTH(documented));
}

/* The last one only of barriers, which are broken by it, for the other one. */
static int judge_use(int call, int result)
{
    static const int documented[] = { -EMFILE, -ENFILE, -ENOMEM, -ENOENT, -EAGAIN, SALP_EBROKEN };
    return judge(call, result, documented, LENGTH(documented) - !kind->mend);
}

/* Only one call fails; by which a barrier may have broken for each of the two. */
static void until_done(int call, int (*function)(void))
{
    enum { TRIES = 4 };
    int result = -1;
    for (int i = 0; i < TRIES && (result = judge_use(call, function())) != 0; i++)
        if (kind->mend)
            EXPECT(kind->mend() == 0);
    assert_int_equal(result, 0);
}

static int do_wait(void *arg)
{
    (void)arg;
    return kind->wait();
}

static int wait_here(void)
{
    return in_loop ? salp_run(do_wait, NULL) : do_wait(NULL);
}

/* The other process: its calls are counted, too. */
static int wake(void *arg)
{
    (void)arg;
    if (kind->hold)
        until_done(OTHER, kind->hold);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    OR_FAIL(come_to_wait(kind->fd(), 1));
    until_done(OTHER, kind->wake);
    return 0;
}

/* Soon nobody waits, nobody has the latch (to bury the one who has ended), and nothing is half done. */
static void comes_to_rest(void)
{
    salp__segment *segment = look_into(kind->fd());
    int64_t end = clock_now() + patience();
    while (waiting_in(segment) > 0 || segment->latch != 0 || segment->journal.count > 0)
        assert_true(clock_now() < end);
    look_away(segment);
}

static void wait_and_wake(void)
{
    salp_scope scope;
    memset(board, 0, sizeof *board);
    until_done(WAIT, kind->begin);
    pid_t other = start_process(false, wake, NULL);
    assert_true(reaches(&board->ready, 1));
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    int result = wait_here();
    if (result != -ETIMEDOUT)
        assert_true(judge_use(WAIT, result) < 0);
    (void)salp_scope_close(&scope);
    comes_to_rest();
    if (kind->mend)
        assert_int_equal(kind->mend(), 0);
    atomic_store(&board->go, 1);
    until_done(WAIT, wait_here);
    ends_well(other);
    comes_to_rest();
}

/* Whether the call that was to fail was made. */
static bool run_with_fault(void)
{
    int descriptors = test_count_descriptors(), children = test_count_children(getpid());
    object.any = same.any = NULL;
    salp__fault_arm(SALP__PROGRAM, number);
    int opened = judge_open(kind->open());
    assert_true(opened == 0 || !object.any);
    if (opened == 0) {
        int attached = judge_attach(kind->attach());
        assert_true((attached == 0) == (same.any != NULL));
        kind->close_same();
        wait_and_wake();
    }
    bool fired = salp__fault_fired();
    salp__fault_arm(SALP__PROGRAM, 0);
    if (opened == 0)
        wait_and_wake();
    kind->close();
    assert_int_equal(test_count_descriptors(), descriptors);
    assert_int_equal(test_count_children(getpid()), children);
    return fired;
}

static void sweep(const struct kind kinds[], size_t count)
{
    board_open();
    refused = shared_memory(CALLS * sizeof *refused);
    for (size_t i = 0; i < count; i++) {
        kind = &kinds[i];
        memset(refused, 0, CALLS * sizeof *refused);
        for (int loop = 0; loop < 2; loop++) {
            in_loop = loop;
            number = 0;
            do
                number++;
            while (run_with_fault());
            print_message("%s: %ld calls\n", kind->what, number - 1);
        }
        for (int call = 0; call < CALLS; call++)
            if (atomic_load(&refused[call]) == 0)
                fail_msg("%s: nothing has failed in %s", kind->what, names[call]);
    }
}

static void each_call_with_a_lock_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(locks, LENGTH(locks));
}

static void each_call_with_news_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(news, LENGTH(news));
}

static void each_call_with_a_queue_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(queues, LENGTH(queues));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("each call with a lock succeeds or says why not", each_call_with_a_lock_succeeds_or_says_why_not,
                   120),
        TEST_LIMIT("each call with an event, a condition or a barrier succeeds or says why not",
                   each_call_with_news_succeeds_or_says_why_not, 120),
        TEST_LIMIT("each call with a queue succeeds or says why not", each_call_with_a_queue_succeeds_or_says_why_not,
                   120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
