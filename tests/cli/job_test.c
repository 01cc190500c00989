/*
 * A job of salp map: its memory, and the words for what has become of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>

#include "job/job.h"
#include "job/memory.h"

static struct job_memory *new_memory(void)
{
    struct job_memory *memory = job_memory_new();
    assert_non_null(memory);
    return memory;
}

static void what_was_taken_stays_where_it_is(void **state)
{
    (void)state;
    enum { PIECES = 1000 };
    struct job_memory *memory = new_memory();
    char *pieces[PIECES];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < PIECES; i++) {
            pieces[i] = job_memory_take(memory, (size_t)i * 7 + 1);
            assert_non_null(pieces[i]);
            assert_int_equal((uintptr_t)pieces[i] % sizeof(void *), 0);
            memset(pieces[i], i, (size_t)i * 7 + 1);
        }
        for (int i = 0; i < PIECES; i++) {
            for (int j = 0; j <= i * 7; j++)
                assert_int_equal(pieces[i][j], (char)i);
        }
        job_memory_clear(memory);
    }
    job_memory_free(memory);
    job_memory_free(NULL);
}

static void a_copy_ends_with_a_zero(void **state)
{
    (void)state;
    struct job_memory *memory = new_memory();
    assert_memory_equal(job_memory_copy(memory, "a\0b", 3), "a\0b", 4);
    assert_string_equal(job_memory_copy(memory, "abc", 2), "ab");
    assert_string_equal(job_memory_copy(memory, NULL, 0), "");
    assert_null(job_memory_copy(memory, "", SIZE_MAX));
    assert_null(job_memory_take(memory, SIZE_MAX));
    job_memory_free(memory);
}

static void a_job_that_is_cleared_keeps_its_slot_and_nothing_else(void **state)
{
    (void)state;
    struct job job = { .slot = 3, .memory = new_memory() };
    job_clear(&job);
    job.number = 7;
    job.values = (const char *const[]){ "x" };
    job.value_count = 1;
    job.line = job_memory_copy(job.memory, "x", 1);
    job.state = JOB_KILLED;
    job.signal = SIGSEGV;
    job.exit_status = 5;
    job.out.size = job.out.head_size = 9;
    job_clear(&job);
    assert_int_equal(job.slot, 3);
    assert_int_equal(job.number, 0);
    assert_null(job.values);
    assert_null(job.line);
    assert_int_equal(job.state, JOB_WAITING);
    assert_int_equal(job.signal, 0);
    assert_int_equal(job.exit_status, -1);
    assert_int_equal(job.out.size, 0);
    assert_int_equal(job.out.head_size, 0);
    job_memory_free(job.memory);
}

static void a_state_is_found_by_its_name(void **state)
{
    (void)state;
    for (int i = JOB_WAITING; i <= JOB_SKIPPED; i++)
        assert_int_equal(job_state_of(job_state_name((enum job_state)i)), i);
    assert_int_equal(job_state_of("lost"), -1);
}

static void expect(const struct job *job, const char *description)
{
    char text[100];
    job_describe(job, text, sizeof text);
    assert_string_equal(text, description);
}

static void a_failure_is_told_with_its_cause(void **state)
{
    (void)state;
    expect(&(struct job){ .state = JOB_FAILED, .exit_status = 3 }, "exit status 3");
    expect(&(struct job){ .state = JOB_FAILED, .exit_status = 255, .error = -ENOENT }, salp_strerror(-ENOENT));
    expect(&(struct job){ .state = JOB_KILLED, .signal = SIGSEGV }, "SIGSEGV");
    expect(&(struct job){ .state = JOB_KILLED, .signal = 40 }, "signal 40");
    expect(&(struct job){ .state = JOB_TIMED_OUT, .wall = SALP_SECONDS(2) }, "timed out after 2 s");
    expect(&(struct job){ .state = JOB_OVER_MEMORY, .peak_memory = 3 << 20 }, "more memory than allowed: 3 MiB");
    expect(&(struct job){ .state = JOB_UNSTARTED, .error = -ENOENT },
           "could not be started: No such file or directory");
    expect(&(struct job){ .state = JOB_DONE }, "done");
}

static void success_is_done_now_or_before(void **state)
{
    (void)state;
    for (int i = JOB_WAITING; i <= JOB_SKIPPED; i++)
        assert_int_equal(job_succeeded(&(struct job){ .state = (enum job_state)i }), i == JOB_DONE || i == JOB_SKIPPED);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what was taken stays where it is", what_was_taken_stays_where_it_is),
        TEST("a copy ends with a zero", a_copy_ends_with_a_zero),
        TEST("a job that is cleared keeps its slot and nothing else",
             a_job_that_is_cleared_keeps_its_slot_and_nothing_else),
        TEST("a state is found by its name", a_state_is_found_by_its_name),
        TEST("a failure is told with its cause", a_failure_is_told_with_its_cause),
        TEST("success is done, now or before", success_is_done_now_or_before),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
