/*
 * A program with pools is killed at random moments, also while it opens or closes them: soon after,
 * nothing of it is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/processes.h"

static struct notes {
    atomic_int started; /* the program has got to its work */
} * notes;

struct program {
    struct lifeline line;
    salp_start start;
};

static int job_mixed(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    (void)context;
    if (i % 1000 == 500 && fork() == 0)
        for (;;)
            pause();
    if (i % 1000 == 700)
        raise(SIGKILL);
    *(int *)out = i;
    return 0;
}

/* Opens pools, maps, loses workers, and closes, until it is killed. */
static int program_at_work(void *arg)
{
    enum { COUNT = 3000 };
    static int in[COUNT], out[COUNT], errors[COUNT];
    struct program *program = arg;

    lifeline_hold(&program->line);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    atomic_store(&notes->started, 1);
    for (;;) {
        salp_pool *pool;

        OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){
                                          .engine = SALP_PROCESSES, .workers = 3, .start = program->start }) == 0);
        for (int round = 0; round < 2; round++)
            OR_FAIL(salp_map(pool, job_mixed, in, sizeof *in, out, sizeof *out, COUNT,
                             &(salp_map_options){ .errors = errors }) == SALP_ECRASHED);
        OR_FAIL(salp_pool_close(pool) == 0);
    }
}

static void check_kills(salp_start start, int rounds)
{
    unsigned random = 815;
    int64_t longest = 0;

    if (start != SALP_FORK)
        test_needs_execution();
    notes = shared_memory(sizeof *notes);
    for (int round = 0; round < rounds; round++) {
        struct program program = { .start = start };
        pid_t pid;
        int64_t took;

        atomic_store(&notes->started, 0);
        lifeline_open(&program.line);
        pid = start_program(program_at_work, &program);
        lifeline_watch(&program.line);
        assert_true(reaches(&notes->started, 1));
        doze((int64_t)(rand_r(&random) % 20000) * SALP_MICROSECONDS(1));
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(end_of_program(pid), 1000 + SIGKILL);
        took = lifeline_wait(&program.line);
        if (took < 0)
            fail_msg("round %d: a process has outlived the program", round);
        longest = took > longest ? took : longest;
    }
    printf("# everything was gone at most %.1f ms after the program\n", (double)longest / 1e6);
}

static void nothing_outlives_a_killed_program(void **state)
{
    (void)state;
    check_kills(SALP_FORK, test_scale(60));
}

static void nothing_outlives_a_killed_program_with_fresh_workers(void **state)
{
    (void)state;
    check_kills(SALP_SPAWN, test_scale(30));
    check_kills(SALP_SERVER, test_scale(30));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("nothing outlives a killed program", nothing_outlives_a_killed_program, 120),
        TEST_LIMIT("nothing outlives a killed program with fresh workers",
                   nothing_outlives_a_killed_program_with_fresh_workers, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
