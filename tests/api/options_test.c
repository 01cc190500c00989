/*
 * Options of a pool: the number of workers, the initializer, and workers that are replaced.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <sched.h>
#include <sys/stat.h>

static void without_a_number_there_are_as_many_workers_as_usable_processors(void **state)
{
    cpu_set_t all, one;
    salp_pool *pool;

    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    pool = open_pool(test_engine(state), 0);
    assert_in_range(salp_pool_workers(pool), 1, CPU_COUNT(&all)); /* fewer if there is a quota */
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);

    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
        pool = open_pool(test_engine(state), 0);
        assert_int_equal(salp_pool_workers(pool), 1);
        assert_int_equal(check_squares(pool, 100, NULL), 0);
        assert_int_equal(salp_pool_close(pool), 0);
        break;
    }
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

static int count_workers(void *arg)
{
    salp_pool *pool;
    int workers;

    if (!write_text(arg, "cgroup.procs", "0"))
        return 0;
    if (salp_pool_open(&pool, NULL) < 0)
        return 200;
    workers = salp_pool_workers(pool);
    return salp_pool_close(pool) < 0 ? 201 : workers;
}

/* A quota of one processor in a control group of its own. */
static void the_number_of_workers_obeys_a_quota(void **state)
{
    char group[128];
    int workers, online = (int)sysconf(_SC_NPROCESSORS_ONLN);

    (void)state;
    snprintf(group, sizeof group, "/sys/fs/cgroup/cpu/salp-test-%d", (int)getpid());
    if (mkdir(group, 0700) < 0)
        test_skip("no control group for processor time can be made here");
    if (online < 2 || !write_text(group, "cpu.cfs_period_us", "100000") ||
        !write_text(group, "cpu.cfs_quota_us", "100000")) {
        rmdir(group);
        test_skip("no quota of processor time can be set here");
    }
    workers = run_program(count_workers, group);
    assert_int_equal(rmdir(group), 0);
    assert_int_equal(workers, 1);
}

static atomic_int *initialized, *runs;
static struct meeting *meeting;
static _Thread_local bool ready;
static _Thread_local int served;

static int initialize_once(void *arg)
{
    (void)arg;
    if (ready)
        return -EEXIST;
    ready = true;
    atomic_fetch_add(initialized, 1);
    return 5; /* as good as 0 */
}

static int job_needs_initializer(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return ready ? 0 : -ENOTCONN;
}

static void the_initializer_runs_once_in_each_worker_before_its_first_item(void **state)
{
    pid_t ids[4];
    salp_pool *pool;

    initialized = shared_memory(sizeof *initialized);
    meeting = shared_memory(sizeof *meeting);
    pool =
        open_with(&(salp_pool_options){ .engine = test_engine(state), .workers = 4, .initializer = initialize_once });
    for (int round = 0; round < 20; round++) {
        assert_int_equal(
            salp_map(pool, job_needs_initializer, NULL, 0, NULL, 0, 100, &(salp_map_options){ .chunk = 1 }), 0);
        assert_in_range(atomic_load(initialized), 1, 4);
    }
    meet_workers(pool, meeting, ids, 4);
    assert_int_equal(atomic_load(initialized), 4);
    for (int i = 0; i < 4; i++)
        assert_int_not_equal(ids[i], getpid()); /* the calling thread was not initialized */
    assert_int_equal(salp_pool_close(pool), 0);
    assert_int_equal(atomic_load(initialized), 4);
}

struct settings {
    int number;
    char text[200];
};

static _Thread_local struct settings kept;

static int initialize_with_settings(void *arg)
{
    kept = *(struct settings *)arg;
    return 0;
}

static int job_read_settings(const void *in, void *out, void *context)
{
    (void)in;
    (void)context;
    memcpy(out, &kept, sizeof kept);
    return 0;
}

static void the_argument_of_the_initializer_is_copied_if_it_has_a_size(void **state)
{
    struct settings settings = { 42, "as it was when the pool was opened" }, out[50];
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = test_engine(state),
                                                      .workers = 2,
                                                      .initializer = initialize_with_settings,
                                                      .initializer_arg = &settings,
                                                      .initializer_arg_size = sizeof settings,
                                                      .items_per_worker = 5 });

    memset(&settings, 0xff, sizeof settings);
    assert_int_equal(salp_map(pool, job_read_settings, NULL, 0, out, sizeof *out, 50, NULL), 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(out[i].number, 42);
        assert_string_equal(out[i].text, "as it was when the pool was opened");
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void the_argument_of_the_initializer_is_a_pointer_without_a_size(void **state)
{
    static struct settings settings = { 43, "at its place" };
    struct settings out[50];
    salp_pool *pool = open_with(&(salp_pool_options){ .engine = test_engine(state),
                                                      .workers = 2,
                                                      .initializer = initialize_with_settings,
                                                      .initializer_arg = &settings });

    assert_int_equal(salp_map(pool, job_read_settings, NULL, 0, out, sizeof *out, 50, NULL), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(out[i].number, 43);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int initialize_refuses(void *arg)
{
    (void)arg;
    return -EACCES;
}

static int initialize_crashes(void *arg)
{
    (void)arg;
    abort();
}

static int initialize_exits(void *arg)
{
    (void)arg;
    _exit(9);
}

static void check_broken(salp_pool *pool)
{
    salp_future *future;
    int in = 2, out = 0, result;

    assert_int_equal(salp_map(pool, job_square, &in, sizeof in, &out, sizeof out, 1, NULL), SALP_EBROKEN);
    assert_string_not_equal(salp_pool_reason(pool), "");
    assert_non_null(strstr(salp_pool_reason(pool), "initializer"));
    assert_int_equal(salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, NULL), SALP_EBROKEN);
    result = salp_apply_async(&future, pool, job_square, &in, sizeof in, &out, sizeof out, NULL);
    if (result == 0) {
        assert_int_equal(salp_future_wait(future), SALP_EBROKEN);
        salp_future_free(future);
    } else {
        assert_int_equal(result, SALP_EBROKEN);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static void an_initializer_that_always_fails_breaks_the_pool_with_a_reason(void **state)
{
    check_broken(open_with(
        &(salp_pool_options){ .engine = test_engine(state), .workers = 2, .initializer = initialize_refuses }));
}

static void an_initializer_that_always_dies_breaks_the_pool_with_a_reason(void **state)
{
    (void)state;
    check_broken(
        open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .initializer = initialize_crashes }));
    check_broken(
        open_with(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1, .initializer = initialize_exits }));
}

static int initialize_fails_at_first(void *arg)
{
    (void)arg;
    return atomic_fetch_add(initialized, 1) == 0 ? -EAGAIN : 0;
}

static void a_worker_whose_initializer_failed_once_is_replaced(void **state)
{
    pid_t ids[2];
    salp_pool *pool;

    (void)state;
    initialized = shared_memory(sizeof *initialized);
    meeting = shared_memory(sizeof *meeting);
    pool = open_with(
        &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .initializer = initialize_fails_at_first });
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    meet_workers(pool, meeting, ids, 2);
    assert_int_equal(atomic_load(initialized), 3);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int initialize_counts(void *arg)
{
    (void)arg;
    served = 0;
    atomic_fetch_add(initialized, 1);
    return 0;
}

static int job_count_served(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    (void)context;
    atomic_fetch_add(&runs[i], 1);
    *(int *)out = ++served;
    return 0;
}

/* A worker that has begun a chunk of the user's choice ends it: so many items may a worker run. */
static int most_items(int limit, int chunk)
{
    return chunk == 0 ? limit : limit - 1 + chunk;
}

static void workers_are_replaced_after_their_number_of_items(void **state)
{
    enum { COUNT = 200 };
    static const int limits[] = { 1, 7, 50 }, chunks[] = { 0, 1, 5, 60, 1000 };
    static int in[COUNT], out[COUNT];

    initialized = shared_memory(sizeof *initialized);
    runs = shared_memory(COUNT * sizeof *runs);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    for (size_t k = 0; k < LENGTH(limits); k++) {
        salp_pool *pool;

        atomic_store(initialized, 0);
        pool = open_with(&(salp_pool_options){ .engine = test_engine(state),
                                               .workers = 2,
                                               .items_per_worker = (size_t)limits[k],
                                               .initializer = initialize_counts });
        for (size_t c = 0; c < LENGTH(chunks); c++) {
            int most = most_items(limits[k], chunks[c]);

            assert_int_equal(salp_map(pool, job_count_served, in, sizeof *in, out, sizeof *out, COUNT,
                                      &(salp_map_options){ .chunk = (size_t)chunks[c] }),
                             0);
            for (int i = 0; i < COUNT; i++) {
                assert_int_equal(atomic_exchange(&runs[i], 0), 1);
                if (out[i] < 1 || out[i] > most)
                    fail_msg("chunk %d: item %d was number %d of its worker, not %d at most", chunks[c], i, out[i],
                             most);
            }
            if (c == 1) /* two maps in which nobody may run more */
                assert_true(atomic_load(initialized) >= 2 * COUNT / limits[k]);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static void a_pool_may_have_very_many_workers(void **state)
{
    salp_pool *pool;
    int result =
        salp_pool_open(&pool, &(salp_pool_options){ .engine = test_engine(state), .workers = SALP_WORKERS_MAX });

    if (result == -EAGAIN || result == -ENOMEM || result == -EMFILE)
        test_skip("the system allows no such number of workers");
    assert_int_equal(result, 0);
    assert_int_equal(salp_pool_workers(pool), SALP_WORKERS_MAX);
    assert_int_equal(check_squares(pool, 100000, NULL), 0);
    assert_int_equal(check_squares(pool, 5000, &(salp_map_options){ .chunk = 1 }), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("without a number there are as many workers as usable processors",
                     without_a_number_there_are_as_many_workers_as_usable_processors),
        TEST("the number of workers obeys a quota", the_number_of_workers_obeys_a_quota),
        TEST_ENGINES("the initializer runs once in each worker before its first item",
                     the_initializer_runs_once_in_each_worker_before_its_first_item),
        TEST_ENGINES("the argument of the initializer is copied if it has a size",
                     the_argument_of_the_initializer_is_copied_if_it_has_a_size),
        TEST_ENGINES("the argument of the initializer is a pointer without a size",
                     the_argument_of_the_initializer_is_a_pointer_without_a_size),
        TEST_ENGINES("an initializer that always fails breaks the pool with a reason",
                     an_initializer_that_always_fails_breaks_the_pool_with_a_reason),
        TEST("an initializer that always dies breaks the pool with a reason",
             an_initializer_that_always_dies_breaks_the_pool_with_a_reason),
        TEST("a worker whose initializer failed once is replaced", a_worker_whose_initializer_failed_once_is_replaced),
        TEST_ENGINES_LIMIT("workers are replaced after their number of items",
                           workers_are_replaced_after_their_number_of_items, 60),
        TEST_ENGINES_LIMIT("a pool may have very many workers", a_pool_may_have_very_many_workers, 60),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
