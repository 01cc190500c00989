/*
 * Reader-writer locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <salp/sync.h>

static char trace[256];

static void note(const char *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
}

static salp_rwlock *rwlock;

static int reads(void *name)
{
    EXPECT(salp_rwlock_lock_read(rwlock) == 0);
    note(name);
    EXPECT(salp_yield() == 0);
    note(".");
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

static int writes(void *name)
{
    EXPECT(salp_rwlock_lock_write(rwlock) == 0);
    note(name);
    EXPECT(salp_yield() == 0);
    note("!");
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    return 0;
}

static int gives_up_writing(void *arg)
{
    salp_scope *scope = arg;
    salp_scope_open(scope, SALP_FOREVER);
    EXPECT(salp_rwlock_lock_write(rwlock) == -ECANCELED);
    EXPECT(salp_scope_close(scope) == -ECANCELED);
    return 0;
}

static int rwlocks(void *arg)
{
    (void)arg;
    salp_group group;
    salp_scope writer;
    EXPECT(salp_rwlock_open(&rwlock, NULL) == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == -EPERM);
    EXPECT(salp_rwlock_lock_write(rwlock) == 0);
    EXPECT(salp_rwlock_lock_write(rwlock) == -EDEADLK && salp_rwlock_lock_read(rwlock) == -EDEADLK);
    trace[0] = 0;
    salp_group_open(&group);
    EXPECT(salp_go(&group, reads, "a") == 0 && salp_go(&group, reads, "b") == 0 && salp_go(&group, writes, "W") == 0);
    EXPECT(salp_go(&group, reads, "c") == 0);
    EXPECT(salp_yield() == 0 && trace[0] == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == -EBUSY);
    EXPECT(salp_rwlock_try_lock_read(rwlock) == -EBUSY); /* a writer waits */
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(strcmp(trace, "ab..W!c.") == 0);

    /* Readers behind a writer that gives up go on. */
    EXPECT(salp_rwlock_lock_read(rwlock) == 0 && salp_rwlock_try_lock_read(rwlock) == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    trace[0] = 0;
    salp_group_open(&group);
    EXPECT(salp_go(&group, gives_up_writing, &writer) == 0 && salp_go(&group, reads, "r") == 0);
    EXPECT(salp_yield() == 0 && trace[0] == 0);
    salp_scope_cancel(&writer);
    EXPECT(salp_group_close(&group) == 0 && strcmp(trace, "r.") == 0);
    EXPECT(salp_rwlock_unlock(rwlock) == 0);
    EXPECT(salp_rwlock_try_lock_write(rwlock) == 0 && salp_rwlock_unlock(rwlock) == 0);
    salp_rwlock_close(rwlock);
    return 0;
}

static void readers_share_writers_do_not_and_nobody_overtakes(void **state)
{
    (void)state;
    assert_int_equal(salp_run(rwlocks, NULL), 0);
}

static int shared_pair[2], to_make;
static _Atomic int writers_in, readers_in;

static int reads_and_writes(void *arg)
{
    unsigned seed = (unsigned)(intptr_t)arg;
    for (int i = 0; i < to_make; i++) {
        if (rand_r(&seed) % 4 == 0) {
            EXPECT(salp_rwlock_lock_write(rwlock) == 0);
            EXPECT(++writers_in == 1 && readers_in == 0);
            shared_pair[0]++;
            if (rand_r(&seed) % 2)
                EXPECT(salp_yield() == 0);
            shared_pair[1]++;
            EXPECT(--writers_in == 0);
        } else {
            EXPECT(salp_rwlock_lock_read(rwlock) == 0);
            readers_in++;
            EXPECT(writers_in == 0 && shared_pair[0] == shared_pair[1]);
            readers_in--;
        }
        EXPECT(salp_rwlock_unlock(rwlock) == 0);
    }
    return 0;
}

static int several_read_and_write(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 3; i++)
        EXPECT(salp_go(&group, reads_and_writes, (char *)arg + i) == 0);
    return salp_group_close(&group);
}

static void *loop_of_readers(void *arg)
{
    EXPECT(salp_run(several_read_and_write, arg) == 0);
    return NULL;
}

static void *thread_of_readers(void *arg)
{
    reads_and_writes(arg);
    return NULL;
}

static void an_rwlock_serves_tasks_loops_and_threads_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    to_make = test_scale(2000);
    assert_int_equal(salp_rwlock_open(&rwlock, NULL), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, i < 2 ? loop_of_readers : thread_of_readers,
                                        (void *)(intptr_t)(10 * i + 1)),
                         0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_true(shared_pair[0] > 0);
    salp_rwlock_close(rwlock);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    assert_int_equal(salp_rwlock_open(NULL, NULL), -EINVAL);
    assert_null(rwlock);
    assert_int_equal(salp_rwlock_lock_read(NULL), -EINVAL);
    assert_int_equal(salp_rwlock_lock_write(NULL), -EINVAL);
    assert_int_equal(salp_rwlock_try_lock_read(NULL), -EINVAL);
    assert_int_equal(salp_rwlock_try_lock_write(NULL), -EINVAL);
    assert_int_equal(salp_rwlock_unlock(NULL), -EINVAL);
    salp_rwlock_close(NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("readers share, writers do not, and nobody overtakes", readers_share_writers_do_not_and_nobody_overtakes),
        TEST("a reader-writer lock serves tasks, loops and threads at once",
             an_rwlock_serves_tasks_loops_and_threads_at_once),
        TEST("misuse is refused", misuse_is_refused),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
