/*
 * Tasks, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <errno.h>

#include <salp/pool.h>
#include <salp/task.h>

#include "os/fault.h"

enum { TASKS = 10 };

static int ended; /* tasks that did */

static int nap(void *arg)
{
    (void)arg;
    int result = salp_sleep(SALP_MICROSECONDS(50));
    ended++;
    return result;
}

/* Returns the first error of a start; those that were started end all the same. */
static int start_some(void *arg)
{
    salp_group group;
    int started = 0, error = 0;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < TASKS && error == 0; i++) {
        error = salp_go(&group, nap, NULL);
        started += error == 0;
    }
    int result = salp_group_close(&group);
    if (ended != started || result != 0)
        return -EPROTO;
    return error;
}

static void tasks_survive(void **state)
{
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    (void)state;
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        ended = 0;
        result = salp_run(start_some, NULL);
        assert_true(result == 0 || (result == -ENOMEM && salp__fault_fired()));
        assert_int_equal(test_count_descriptors(), descriptors);
    } while (salp__fault_fired());
    assert_true(number > 2); /* something has failed */
    assert_int_equal(result, 0);
    salp__fault_arm(SALP__PROGRAM, 0);
}

static int square(const void *in, void *out, void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

static int map_in_task(void *arg)
{
    int in[TASKS], out[TASKS];
    for (int i = 0; i < TASKS; i++)
        in[i] = i;
    int result = salp_map(arg, square, in, sizeof *in, out, sizeof *out, TASKS, NULL);
    for (int i = 0; i < TASKS && result == 0; i++) {
        if (out[i] != i * i)
            return -EILSEQ;
    }
    return result;
}

static void calls_of_pools_from_tasks_survive(void **state)
{
    salp_pool *pool;
    long number = 0;
    bool fired;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .engine = test_engine(state), .workers = 2 }), 0);
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = salp_run(map_in_task, pool);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        assert_true(result == 0 || (result < 0 && result != -EILSEQ && fired));
        assert_int_equal(salp_run(map_in_task, pool), 0);
    } while (fired);
    assert_true(number > 2);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("tasks survive", tasks_survive),
        TEST_ENGINES("calls of pools from tasks survive", calls_of_pools_from_tasks_survive),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
