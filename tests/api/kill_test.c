/*
 * Workers and stewards that are killed from outside, by a person or by the kernel.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <sys/stat.h>

enum { COUNT = 40 };

static struct notes {
    struct gate gate;
    atomic_int worker; /* that runs the gated item */
    atomic_int runs[COUNT];
    struct meeting meeting;
} * notes;

static int job_gated_at_nine(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    atomic_fetch_add(&notes->runs[i], 1);
    if (i == 9) {
        int error;

        atomic_store(&notes->worker, getpid());
        error = gate_pass(&notes->gate);
        if (error < 0)
            return error;
    }
    return job_square(in, out, context);
}

static void a_worker_killed_while_it_runs_an_item_costs_that_item(void **state)
{
    int in[COUNT], out[COUNT], errors[COUNT];
    static struct failures failures;
    salp_pool *pool;

    (void)state;
    notes = shared_memory(sizeof *notes);
    pool = open_pool(SALP_PROCESSES, 2);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    for (size_t chunk = 0; chunk < 40; chunk += 13) {
        salp_future *future;
        pid_t worker;

        gate_reset(&notes->gate);
        memset(&failures, 0, sizeof failures);
        assert_int_equal(salp_map_async(&future, pool, job_gated_at_nine, in, sizeof *in, out, sizeof *out, COUNT,
                                        &(salp_map_options){ .chunk = chunk,
                                                             .errors = errors,
                                                             .on_failure = note_failure,
                                                             .on_failure_arg = &failures }),
                         0);
        assert_true(reaches(&notes->gate.inside, 1));
        worker = atomic_load(&notes->worker);
        assert_int_equal(kill(worker, SIGKILL), 0);
        assert_int_equal(salp_future_wait(future), SALP_ECRASHED);
        salp_future_free(future);
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(errors[i], i == 9 ? SALP_ECRASHED : 0);
            if (i != 9)
                assert_int_equal(out[i], i * i);
            assert_int_equal(atomic_exchange(&notes->runs[i], 0), 1);
        }
        assert_int_equal(failures.count, 1);
        assert_int_equal(failures.each[0].index, 9);
        assert_int_equal(failures.each[0].signal, SIGKILL);
        assert_int_equal(failures.each[0].worker, worker);
        assert_int_equal(failures.each[0].exit_status, -1);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void idle_workers_that_are_killed_cost_nothing_and_have_successors(void **state)
{
    enum { WORKERS = 3 };
    pid_t ids[WORKERS], next[WORKERS];
    salp_pool *pool;

    (void)state;
    notes = shared_memory(sizeof *notes);
    pool = open_pool(SALP_PROCESSES, WORKERS);
    meet_workers(pool, &notes->meeting, ids, WORKERS);
    for (int round = 0; round < 12; round++) {
        int killed = round % WORKERS + 1;

        for (int i = 0; i < killed; i++)
            assert_int_equal(kill(ids[i], SIGKILL), 0);
        for (int i = 0; i < killed; i++)
            assert_true(test_gone(ids[i], patience()));
        if (round % 2)
            assert_int_equal(check_squares(pool, 1000, NULL), 0);
        meet_workers(pool, &notes->meeting, next, WORKERS);
        for (int i = 0; i < killed; i++)
            for (int k = 0; k < WORKERS; k++)
                assert_int_not_equal(ids[i], next[k]);
        for (int i = killed; i < WORKERS; i++) { /* the others live on */
            bool found = false;

            for (int k = 0; k < WORKERS; k++)
                found |= ids[i] == next[k];
            assert_true(found);
        }
        memcpy(ids, next, sizeof ids);
    }
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_gated(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return gate_pass(&notes->gate);
}

static void the_workers_of_a_killed_steward_are_gone_and_calls_end(void **state)
{
    pid_t ids[3], steward;
    salp_future *map, *apply;
    int result;
    salp_pool *pool;

    (void)state;
    notes = shared_memory(sizeof *notes);
    for (int busy = 0; busy <= 1; busy++) {
        pool = open_pool(SALP_PROCESSES, 3);
        steward = find_steward();
        meet_workers(pool, &notes->meeting, ids, 3);
        gate_reset(&notes->gate);
        if (busy) {
            assert_int_equal(salp_map_async(&map, pool, job_gated, NULL, 0, NULL, 0, 100, NULL), 0);
            assert_int_equal(salp_apply_async(&apply, pool, job_gated, NULL, 0, NULL, 0, NULL), 0);
            assert_true(reaches(&notes->gate.inside, 3));
        }
        assert_int_equal(kill(steward, SIGKILL), 0);
        if (busy) {
            assert_int_equal(salp_future_wait(map), SALP_EBROKEN);
            assert_int_equal(salp_future_wait(apply), SALP_EBROKEN);
            salp_future_free(map);
            salp_future_free(apply);
        }
        for (int i = 0; i < 3; i++)
            assert_true(test_gone(ids[i], patience()));
        assert_int_equal(check_squares(pool, 10, NULL), SALP_EBROKEN);
        assert_string_not_equal(salp_pool_reason(pool), "");
        result = salp_map_async(&map, pool, job_gated, NULL, 0, NULL, 0, 1, NULL);
        if (result == 0) {
            result = salp_future_wait(map);
            salp_future_free(map);
        }
        assert_int_equal(result, SALP_EBROKEN);
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

/* A map that waits in the calling thread, while a thread of the test kills the steward. */
static void *kill_when_inside(void *arg)
{
    if (reaches(&notes->gate.inside, 2))
        kill(*(pid_t *)arg, SIGKILL);
    return NULL;
}

static void a_map_that_waits_ends_when_the_steward_is_killed(void **state)
{
    pid_t steward;
    pthread_t thread;
    salp_pool *pool;

    (void)state;
    notes = shared_memory(sizeof *notes);
    pool = open_pool(SALP_PROCESSES, 2);
    steward = find_steward();
    assert_int_equal(pthread_create(&thread, NULL, kill_when_inside, &steward), 0);
    assert_int_equal(salp_map(pool, job_gated, NULL, 0, NULL, 0, 100, NULL), SALP_EBROKEN);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(salp_pool_terminate(pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static bool write_text(const char *directory, const char *name, const char *text)
{
    char path[256];
    FILE *file;
    bool good;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "we");
    if (!file)
        return false;
    good = fputs(text, file) >= 0;
    return fclose(file) == 0 && good;
}

#define MEGABYTE ((size_t)1 << 20)

static int job_eat_at_nine(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    for (size_t k = 0; i == 9 && k < 4096; k++) {
        void *p = mmap(NULL, MEGABYTE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (p != MAP_FAILED)
            memset(p, 1, MEGABYTE);
    }
    return job_square(in, out, context);
}

static int run_short_of_memory(void *arg)
{
    int in[COUNT], out[COUNT], errors[COUNT];
    static struct failures failures;
    salp_pool *pool;

    OR_FAIL(write_text(arg, "cgroup.procs", "0"));
    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2 }) == 0);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    OR_FAIL(salp_map(pool, job_eat_at_nine, in, sizeof *in, out, sizeof *out, COUNT,
                     &(salp_map_options){
                         .errors = errors, .chunk = 1, .on_failure = note_failure, .on_failure_arg = &failures }) ==
            -ENOMEM);
    for (int i = 0; i < COUNT; i++) {
        OR_FAIL(errors[i] == (i == 9 ? -ENOMEM : 0));
        OR_FAIL(i == 9 || out[i] == i * i);
    }
    OR_FAIL(failures.count == 1 && failures.each[0].index == 9);
    OR_FAIL(failures.each[0].error == -ENOMEM && failures.each[0].signal == SIGKILL);
    OR_FAIL(check_squares(pool, 1000, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_worker_ended_by_the_kernel_for_lack_of_memory_is_reported_so(void **state)
{
    char group[128];
    int result;

    (void)state;
    snprintf(group, sizeof group, "/sys/fs/cgroup/memory/salp-test-%d", (int)getpid());
    if (mkdir(group, 0700) < 0)
        test_skip("no control group for memory can be made here");
    if (!write_text(group, "memory.limit_in_bytes", test_slow() ? "1500M" : "150M")) {
        rmdir(group);
        test_skip("no limit of memory can be set here");
    }
    write_text(group, "memory.memsw.limit_in_bytes", test_slow() ? "1500M" : "150M");
    result = run_program(run_short_of_memory, group);
    for (int64_t end = clock_now() + patience(); rmdir(group) < 0 && clock_now() < end;)
        doze(SALP_MILLISECONDS(10)); /* until the last process in it has been reaped */
    assert_int_equal(result, 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a worker killed while it runs an item costs that item",
             a_worker_killed_while_it_runs_an_item_costs_that_item),
        TEST("idle workers that are killed cost nothing and have successors",
             idle_workers_that_are_killed_cost_nothing_and_have_successors),
        TEST("the workers of a killed steward are gone and calls end",
             the_workers_of_a_killed_steward_are_gone_and_calls_end),
        TEST("a map that waits ends when the steward is killed", a_map_that_waits_ends_when_the_steward_is_killed),
        TEST("a worker ended by the kernel for lack of memory is reported so",
             a_worker_ended_by_the_kernel_for_lack_of_memory_is_reported_so),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
