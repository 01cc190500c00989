/*
 * Running loops: options, several loops at once, reports of deadlocks and slow tasks, dumps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <salp/queue.h>

#include "task/task.h"

static char text[100000];

static void keep_text(const char *report, void *arg)
{
    EXPECT(arg == text);
    snprintf(text, sizeof text, "%s", report);
}

/* ---- stacks ---- */

static int use_stack(void *arg)
{
    size_t size = (size_t)(intptr_t)arg;
    volatile char *bytes = __builtin_alloca(size);
    for (size_t i = 0; i < size; i += 1024)
        bytes[i] = (char)i;
    EXPECT(salp_yield() == 0);
    for (size_t i = 0; i < size; i += 1024)
        EXPECT(bytes[i] == (char)i);
    return 0;
}

static int large_stacks(void *arg)
{
    salp_group group;
    for (int round = 0; round < 3; round++) {
        salp_group_open(&group);
        for (int i = 0; i < 4; i++) {
            EXPECT(salp_go_with(&group, use_stack, (void *)(900 * 1024),
                                &(salp_task_options){ "large", 1024 * 1024 }) == 0);
            EXPECT(salp_go(&group, use_stack, arg) == 0);
        }
        EXPECT(salp_go_with(&group, use_stack, NULL, &(salp_task_options){ .stack_size = SIZE_MAX }) == -EINVAL);
        EXPECT(salp_group_close(&group) == 0);
    }
    return 0;
}

static void stacks_are_as_large_as_asked_for(void **state)
{
    (void)state;
    assert_int_equal(salp_run(large_stacks, (void *)(40 * 1024)), 0);
    assert_int_equal(salp_run_with(large_stacks, (void *)(250 * 1024), &(salp_run_options){ .stack_size = 300 * 1024 }),
                     0);
    assert_int_equal(salp_run_with(large_stacks, NULL, &(salp_run_options){ .stack_size = SIZE_MAX }), -EINVAL);
    assert_int_equal(salp_run_with(large_stacks, NULL, &(salp_run_options){ .slow = -1 }), -EINVAL);
    assert_int_equal(salp_run_with(large_stacks, NULL, &(salp_run_options){ .slow = 1 }), -EINVAL);
    assert_int_equal(salp_run_with(NULL, NULL, NULL), -EINVAL);
}

/* ---- slow tasks ---- */

static int64_t slowest;
static char slow_names[64];

static void on_slow(const char *name, int64_t nanoseconds, void *arg)
{
    EXPECT(arg == text);
    strncat(slow_names, name, sizeof slow_names - strlen(slow_names) - 1);
    slowest = nanoseconds;
}

static int keeps_the_processor(void *arg)
{
    (void)arg;
    for (int64_t end = salp_now() + SALP_MILLISECONDS(40); salp_now() < end;)
        continue;
    return 0;
}

static int slow_and_others(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go_with(&group, keeps_the_processor, NULL, &(salp_task_options){ .name = "slow" }) == 0);
    EXPECT(salp_go(&group, use_stack, arg) == 0);
    return salp_group_close(&group);
}

static void a_task_that_holds_up_the_others_is_reported(void **state)
{
    (void)state;
    salp_run_options options = { .slow = SALP_MILLISECONDS(30), .on_slow = on_slow, .arg = text };
    do { /* on a slow machine others may be, too, and one in its stead; how exact it is, is for fault/timeout */
        slow_names[0] = 0;
        assert_int_equal(salp_run_with(slow_and_others, (void *)1000, &options), 0);
        assert_true(slowest >= SALP_MILLISECONDS(30));
    } while (!strstr(slow_names, "slow"));
}

/* ---- deadlocks ---- */

static salp_mutex *first, *second;
static salp_queue *queue;
static int ended_with[3];

static int locks_both(void *arg)
{
    bool other_way = arg != NULL;
    EXPECT(salp_mutex_lock(other_way ? second : first) == 0);
    EXPECT(salp_yield() == 0);
    ended_with[other_way] = salp_mutex_lock(other_way ? first : second);
    EXPECT(salp_yield() == SALP_EDEADLK); /* it stays so */
    EXPECT(salp_mutex_unlock(other_way ? second : first) == 0);
    return 0;
}

static int waits_behind_a_shield(void *arg)
{
    int item;
    salp_scope shield;
    (void)arg;
    salp_scope_shield(&shield, SALP_FOREVER);
    ended_with[2] = salp_queue_get(queue, &item);
    salp_scope_close(&shield);
    return 0;
}

static int deadlock(void *arg)
{
    salp_group group;
    EXPECT(salp_mutex_open(&first, NULL) == 0 && salp_mutex_open(&second, NULL) == 0);
    EXPECT(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4 }) == 0);
    salp_group_open(&group);
    EXPECT(salp_go_with(&group, locks_both, NULL, &(salp_task_options){ .name = "left" }) == 0);
    EXPECT(salp_go_with(&group, locks_both, arg, &(salp_task_options){ .name = "right" }) == 0);
    EXPECT(salp_go_with(&group, waits_behind_a_shield, arg, &(salp_task_options){ .name = "shielded" }) == 0);
    EXPECT(salp_group_close(&group) == 0);
    salp_mutex_close(first);
    salp_mutex_close(second);
    salp_queue_close(queue);
    return 7;
}

static void check_deadlock(void)
{
    text[0] = 0;
    salp_run_options options = { .on_deadlock = keep_text, .arg = text };
    assert_int_equal(salp_run_with(deadlock, text, &options), SALP_EDEADLK);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ended_with[i], SALP_EDEADLK);
    assert_non_null(strstr(text, "all tasks wait for each other\n"));
    assert_non_null(strstr(text, "task \"left\" waits for a mutex"));
    assert_non_null(strstr(text, "task \"right\" waits for a mutex"));
    assert_non_null(strstr(text, "task \"shielded\" waits for an item of a queue"));
    assert_non_null(strstr(text, "task \"main\" waits for its group"));
    assert_non_null(strstr(text, "locks_both"));
}

static void *does_nothing(void *arg)
{
    return arg;
}

/* ThreadSanitizer has a thread of its own, which might wake somebody for all that Salp knows. */
static void need_a_single_thread_but(unsigned ours)
{
    struct stat status;
    if (stat("/proc/self/task", &status) < 0 || status.st_nlink != 3 + ours)
        test_skip("the program has other threads than ours");
}

static void need_a_single_thread(void)
{
    need_a_single_thread_but(0);
}

static void tasks_that_wait_for_each_other_are_reported(void **state)
{
    pthread_t thread;
    (void)state;
    need_a_single_thread();
    check_deadlock();
    /* Also when there were other threads, which are gone. */
    assert_int_equal(pthread_create(&thread, NULL, does_nothing, NULL), 0);
    pthread_join(thread, NULL);
    if (!test_sanitized()) /* a sanitizer may have a thread of its own */
        check_deadlock();
}

static void *wakes_later(void *arg)
{
    usleep(300 * 1000);
    int item = 5;
    EXPECT(salp_queue_put(arg, &item) == 0);
    return NULL;
}

static int waits_for_thread(void *arg)
{
    int item;
    EXPECT(salp_queue_get(arg, &item) == 0 && item == 5);
    return 0;
}

static void *wakes_at_once(void *arg)
{
    int item = 5;
    EXPECT(salp_queue_put(arg, &item) == 0);
    return NULL;
}

/* The last thing that the other thread does is to end the last wait of the run. */
static void a_thread_that_has_gone_meanwhile_is_no_deadlock(void **state)
{
    (void)state;
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    for (int i = 0; i < test_scale(2000); i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, wakes_at_once, queue), 0);
        assert_int_equal(salp_run(waits_for_thread, queue), 0);
        pthread_join(thread, NULL);
    }
    salp_queue_close(queue);
}

static void waiting_for_another_thread_is_no_deadlock(void **state)
{
    pthread_t thread;
    (void)state;
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    assert_int_equal(pthread_create(&thread, NULL, wakes_later, queue), 0);
    assert_int_equal(salp_run(waits_for_thread, queue), 0);
    pthread_join(thread, NULL);
    salp_queue_close(queue);
}

static void a_deadlock_ends_the_run_though_nobody_wants_the_text(void **state)
{
    (void)state;
    need_a_single_thread();
    assert_int_equal(salp_run(deadlock, text), SALP_EDEADLK);
}

/* ---- deadlocks beside other threads ---- */

/* Threads of an idle pool can wake nobody: one that was never used, and one that was. */
static void an_idle_pool_does_not_hide_a_deadlock(void **state)
{
    need_a_single_thread();
    for (int used = 0; used < 2; used++) {
        salp_pool *pool = open_pool(test_engine(state), 3);
        if (used)
            assert_int_equal(check_squares(pool, 1000, NULL), 0);
        for (int round = 0; round < 2; round++)
            check_deadlock();
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

/* Longer than it takes until a deadlock would be reported; on any machine it is not reported before. */
static const int64_t longer = 4 * SALP__STUCK_PAUSE;

static int call_and_deadlock(void *arg)
{
    int in = 3, out = 0;
    doze(SALP_MILLISECONDS(50)); /* by now all workers sleep for good, and the call wakes one of them */
    EXPECT(salp_apply(*(salp_pool **)arg, job_square, &in, sizeof in, &out, sizeof out, NULL) == 0 && out == 9);
    return deadlock(arg);
}

/* On processes a thread looks after the calls of tasks, and stays. */
static void a_pool_that_a_task_has_used_does_not_hide_a_deadlock(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);
    need_a_single_thread_but(test_engine(state) == SALP_THREADS ? 2 : 0);
    assert_int_equal(salp_run(call_and_deadlock, &pool), SALP_EDEADLK);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_put_late(const void *in, void *out, void *context)
{
    int item = 5;
    (void)in, (void)out;
    doze(longer);
    return salp_queue_put(*(salp_queue **)context, &item);
}

static int waits_for_job(void *arg)
{
    int item;
    EXPECT(salp_map_async(NULL, *(salp_pool **)arg, job_put_late, NULL, 0, NULL, 0, 1,
                          &(salp_map_options){ .context = &queue, .context_size = sizeof queue }) == 0);
    EXPECT(salp_queue_get(queue, &item) == 0 && item == 5);
    return 0;
}

static void waiting_for_a_job_is_no_deadlock(void **state)
{
    salp_pool *pool = open_pool(SALP_THREADS, 2);
    (void)state;
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    assert_int_equal(salp_run(waits_for_job, &pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
    salp_queue_close(queue);
}

static int job_nap(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    doze(longer);
    return 0;
}

static int waits_for_map(void *arg)
{
    return salp_map(*(salp_pool **)arg, job_nap, NULL, 0, NULL, 0, 4, NULL);
}

static void waiting_for_a_pool_is_no_deadlock(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);
    assert_int_equal(salp_run(waits_for_map, &pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_thread_beside_an_idle_pool_may_wake_somebody(void **state)
{
    pthread_t thread;
    salp_pool *pool = open_pool(test_engine(state), 2);
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    assert_int_equal(pthread_create(&thread, NULL, wakes_later, queue), 0);
    assert_int_equal(salp_run(waits_for_thread, queue), 0);
    pthread_join(thread, NULL);
    assert_int_equal(salp_pool_close(pool), 0);
    salp_queue_close(queue);
}

/* Two loops, each of which would give the other one something if it got something. */
static salp_queue *between[2];
static _Atomic int sides;

static int waits_for_other_loop(void *arg)
{
    int me = sides++ % 2, item = 0;
    bool gives_late = arg != NULL;
    if (gives_late && me == 0) {
        EXPECT(salp_sleep(longer) == 0);
        EXPECT(salp_queue_put(between[1], &item) == 0);
    }
    int result = salp_queue_get(between[me], &item);
    return result < 0 ? result : salp_queue_put(between[!me], &item);
}

static void with_queues_between(int (*function)(void *arg), void *arg, int expected)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(salp_queue_open(&between[i], &(salp_queue_options){ .item_size = 4, .capacity = 4 }), 0);
    assert_int_equal(function(arg), expected);
    salp_queue_close(between[0]);
    salp_queue_close(between[1]);
}

static int run_two_loops(void *arg)
{
    return salp_run_loops(2, waits_for_other_loop, arg);
}

static int run_two_loops_in_a_task(void *arg)
{
    return salp_run(run_two_loops, arg);
}

static void loops_that_wait_for_each_other_are_reported(void **state)
{
    (void)state;
    need_a_single_thread();
    for (int round = 0; round < 3; round++) {
        with_queues_between(run_two_loops, NULL, SALP_EDEADLK);
        with_queues_between(run_two_loops_in_a_task, NULL, SALP_EDEADLK);
    }
}

static void loops_of_which_one_goes_on_are_no_deadlock(void **state)
{
    (void)state;
    with_queues_between(run_two_loops, text, 0);
    with_queues_between(run_two_loops_in_a_task, text, 0);
}

static int run_two_loops_in_a_scope(void *arg)
{
    salp_scope scope;
    salp_scope_open(&scope, longer);
    int result = run_two_loops(arg);
    salp_scope_close(&scope);
    return result;
}

static void loops_that_a_deadline_ends_are_no_deadlock(void **state)
{
    (void)state;
    with_queues_between(run_two_loops_in_a_scope, NULL, -ETIMEDOUT);
}

static void *run_second(void *arg)
{
    int item;
    (void)arg;
    EXPECT(salp_run(waits_for_thread, between[1]) == 0);
    item = 5;
    EXPECT(salp_queue_put(between[0], &item) == 0);
    return NULL;
}

static void *give_to_second(void *arg)
{
    int item = 5;
    EXPECT(pthread_detach(pthread_self()) == 0);
    (void)arg;
    EXPECT(salp_queue_put(between[1], &item) == 0);
    return NULL;
}

/* Both threads sleep, so that it does no harm here. */
static void begin_to_give(int number)
{
    int before = errno;
    pthread_t giver;
    (void)number;
    EXPECT(pthread_create(&giver, NULL, give_to_second, NULL) == 0);
    errno = before;
}

/* The first one waits for what comes after the second one, and until the alarm there is no other thread. */
static int two_runs(void *arg)
{
    pthread_t thread;
    (void)arg;
    EXPECT(sigaction(SIGALRM, &(struct sigaction){ .sa_handler = begin_to_give }, NULL) == 0);
    EXPECT(setitimer(ITIMER_REAL, &(struct itimerval){ .it_value.tv_usec = longer / 1000 }, NULL) == 0);
    EXPECT(pthread_create(&thread, NULL, run_second, NULL) == 0);
    EXPECT(salp_run(waits_for_thread, between[0]) == 0);
    pthread_join(thread, NULL);
    return 0;
}

static void runs_in_several_threads_are_not_told_of_each_other(void **state)
{
    (void)state;
    need_a_single_thread(); /* else nobody would be told in any case */
    with_queues_between(two_runs, NULL, 0);
}

/* ---- just in time ---- */

/* Who puts the item about when a deadlock would be reported, and what is gone directly after it. */
enum giver { A_THREAD, A_JOB, A_JOB_OF_A_THREAD, A_LOOP, GIVERS };

struct giving {
    salp_pool *pool;
    int64_t delay;
};

static int job_put(const void *in, void *out, void *context)
{
    int item = 5;
    (void)in, (void)out;
    doze((*(struct giving **)context)->delay);
    return salp_queue_put(queue, &item);
}

static int start_job(struct giving *giving)
{
    return salp_map_async(NULL, giving->pool, job_put, NULL, 0, NULL, 0, 1,
                          &(salp_map_options){ .context = &giving, .context_size = sizeof giving });
}

static void *put_in_thread(void *arg)
{
    struct giving *giving = arg;
    int item = 5;
    doze(giving->delay);
    EXPECT(salp_queue_put(queue, &item) == 0);
    return NULL;
}

static void *start_job_in_thread(void *arg)
{
    struct giving *giving = arg;
    doze(giving->delay);
    giving->delay = 0; /* of the job */
    EXPECT(start_job(giving) == 0);
    return NULL;
}

static int waits_for_start(void *arg)
{
    if (arg)
        EXPECT(start_job(arg) == 0);
    return waits_for_thread(queue);
}

static int put_or_get(void *arg)
{
    struct giving *giving = arg;
    if (sides++ % 2 == 0)
        return waits_for_thread(queue);
    put_in_thread(giving);
    return 0;
}

static void give_just_in_time(enum giver giver, struct giving *giving)
{
    pthread_t thread;
    switch (giver) {
    case A_THREAD:
    case A_JOB_OF_A_THREAD:
        assert_int_equal(pthread_create(&thread, NULL, giver == A_THREAD ? put_in_thread : start_job_in_thread, giving),
                         0);
        assert_int_equal(salp_run(waits_for_start, NULL), 0);
        pthread_join(thread, NULL);
        break;
    case A_JOB:
        assert_int_equal(salp_run(waits_for_start, giving), 0);
        break;
    case A_LOOP:
    case GIVERS:
        assert_int_equal(salp_run_loops(2, put_or_get, giving), 0);
        break;
    }
}

static void what_comes_just_in_time_is_no_deadlock(void **state)
{
    enum { ROUNDS = SALP__STUCK_PAUSE > SALP_MILLISECONDS(10) ? 3 : 1000 };
    (void)state;
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    struct giving giving = { .pool = open_pool(SALP_THREADS, 2) };
    for (int round = 0; round < test_scale(ROUNDS); round++) {
        for (int giver = 0; giver < GIVERS; giver++) {
            int64_t about = SALP__STUCK_PAUSE - SALP_MICROSECONDS(100);
            giving.delay = about + SALP_MICROSECONDS(1) * (rand() % 200);
            give_just_in_time((enum giver)giver, &giving);
        }
    }
    assert_int_equal(salp_pool_close(giving.pool), 0);
    salp_queue_close(queue);
}

/* ---- forks ---- */

/* In a child none of the threads exists that are listed here. */
static void a_fork_finds_its_own_deadlocks(void **state)
{
    int status;
    (void)state;
    need_a_single_thread();
    salp_pool *pool = open_pool(SALP_THREADS, 2);
    check_deadlock();
    pid_t child = fork();
    if (child == 0) {
        check_deadlock();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- dumps ---- */

__attribute__((noinline)) static int waits_deep_inside(salp_queue *q)
{
    int item;
    int result = salp_queue_get(q, &item);
    return result == -EPIPE ? 0 : result;
}

static int a_waiting_task(void *arg)
{
    return waits_deep_inside(arg);
}

/* Keeps the dump of all tasks as the text. */
static void dump(void)
{
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(fcntl(ends[1], F_SETPIPE_SZ, 65536) > 0);
    EXPECT(salp_task_dump(ends[1]) == 0);
    close(ends[1]);
    ssize_t length = read(ends[0], text, sizeof text - 1);
    EXPECT(length > 0);
    text[length] = 0;
    close(ends[0]);
}

/* Dumps all while two tasks wait for a queue: "patient", and within another group one that is as asked for. */
static void dump_with_two_waiting(salp_fn *other, const salp_task_options *options)
{
    salp_group group, inner;
    EXPECT(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4, .capacity = 1 }) == 0);
    salp_group_open(&group);
    EXPECT(salp_go_with(&group, a_waiting_task, queue, &(salp_task_options){ .name = "patient" }) == 0);
    salp_group_open(&inner);
    EXPECT(salp_go_with(&inner, other, queue, options) == 0);
    EXPECT(salp_yield() == 0);
    dump();
    EXPECT(salp_queue_shutdown(queue) == 0);
    EXPECT(salp_group_close(&inner) == 0 && salp_group_close(&group) == 0);
    salp_queue_close(queue);
}

static int dumping(void *arg)
{
    (void)arg;
    dump_with_two_waiting(a_waiting_task, NULL);
    EXPECT(salp_task_dump(-1) == -EBADF);
    return 0;
}

static void a_dump_shows_all_tasks_and_where_they_are(void **state)
{
    (void)state;
    assert_int_equal(salp_task_dump(2), -EPERM);
    assert_int_equal(salp_run(dumping, NULL), 0);
    assert_non_null(strstr(text, "task \"main\" is running or ready"));
    assert_non_null(strstr(text, "task \"patient\" waits for an item of a queue, for "));
    assert_non_null(strstr(text, "task 0x"));
    char *where = strstr(text, "waits_deep_inside");
    assert_non_null(where);
    assert_non_null(strstr(where + 1, "waits_deep_inside")); /* in both */
}

/* ---- several loops ---- */

static _Atomic int mains, cancelled;
static salp_queue *shared_queue;

static int counts(void *arg)
{
    (void)arg;
    mains++;
    EXPECT(salp_yield() == 0);
    return 3;
}

static int first_fails(void *arg)
{
    (void)arg;
    if (mains++ == 0) {
        EXPECT(salp_sleep(SALP_MILLISECONDS(5)) == 0);
        return -EXDEV;
    }
    int result = salp_sleep(SALP_SECONDS(1000));
    EXPECT(result == -ECANCELED);
    cancelled++;
    return result;
}

static int sleeps_long(void *arg)
{
    (void)arg;
    mains++;
    int result = salp_sleep(SALP_SECONDS(1000));
    EXPECT(result == -ECANCELED);
    return result;
}

static int passes_on(void *arg)
{
    int me = mains++, item = 0;
    (void)arg;
    for (int i = 0; i < test_scale(1000); i++) {
        if (me % 2 == 0)
            EXPECT(salp_queue_put(shared_queue, &i) == 0);
        else
            EXPECT(salp_queue_get(shared_queue, &item) == 0);
    }
    return 0;
}

static int several_loops(void *arg)
{
    salp_scope scope;
    (void)arg;
    mains = cancelled = 0;
    EXPECT(salp_run_loops(3, counts, NULL) == 0 && mains == 3);
    mains = 0;
    EXPECT(salp_run_loops(4, first_fails, NULL) == -EXDEV && cancelled == mains - 1);
    mains = 0;
    salp_scope_open(&scope, SALP_MILLISECONDS(20));
    EXPECT(salp_run_loops(3, sleeps_long, NULL) == -ETIMEDOUT);
    EXPECT(salp_run_loops(3, sleeps_long, NULL) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    mains = 0;
    EXPECT(salp_queue_open(&shared_queue, &(salp_queue_options){ .item_size = 4, .capacity = 8 }) == 0);
    EXPECT(salp_run_loops(4, passes_on, NULL) == 0);
    salp_queue_close(shared_queue);
    EXPECT(salp_run_loops(0, counts, NULL) == -EINVAL && salp_run_loops(1, NULL, NULL) == -EINVAL);
    EXPECT(salp_run_loops(5000, counts, NULL) == -EINVAL);
    return 0;
}

static int ticks_meanwhile(void *arg)
{
    int *ticks = arg;
    while (salp_sleep(SALP_MILLISECONDS(1)) == 0)
        ++*ticks;
    return 0;
}

static int several_loops_from_a_task(void *arg)
{
    int ticks = 0;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, ticks_meanwhile, &ticks) == 0);
    several_loops(arg);
    salp_group_cancel(&group);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(ticks > 0); /* others went on */
    return 0;
}

static void several_loops_begin_and_end_together(void **state)
{
    (void)state;
    several_loops(NULL);
    assert_int_equal(salp_run(several_loops_from_a_task, NULL), 0);
}

/* ---- what others once found broken ---- */

static int behind_three_shields(void *arg)
{
    salp_scope shields[3];
    int item;
    for (int i = 0; i < 3; i++) {
        salp_scope_shield(&shields[i], SALP_FOREVER);
        if (arg && i < 2)
            continue;
        EXPECT(salp_queue_get(queue, &item) == SALP_EDEADLK);
    }
    for (int i = 2; i >= 0; i--)
        salp_scope_close(&shields[i]);
    return 0;
}

static void shields_do_not_hide_a_deadlock(void **state)
{
    (void)state;
    need_a_single_thread();
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .item_size = 4 }), 0);
    assert_int_equal(salp_run(behind_three_shields, NULL), SALP_EDEADLK);
    assert_int_equal(salp_run(behind_three_shields, text), SALP_EDEADLK);
    salp_queue_close(queue);
}

static void dump_when_slow(const char *name, int64_t nanoseconds, void *arg)
{
    (void)name, (void)nanoseconds;
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    EXPECT(salp_task_dump(null) == 0);
    close(null);
    ++*(int *)arg;
}

static void a_report_of_a_slow_task_may_dump_all(void **state)
{
    int reports = 0;
    (void)state;
    salp_run_options options = { .slow = SALP_MILLISECONDS(5), .on_slow = dump_when_slow, .arg = &reports };
    assert_int_equal(salp_run_with(slow_and_others, (void *)1000, &options), 0);
    assert_true(reports > 0);
}

/* What it has left is what Salp says to need of a stack: enough for its wait, and not for a walk along it. */
static int has_hardly_any_stack_left(void *arg)
{
    size_t left = test_sanitized() ? 6144 : 3072; /* whose frames are larger */
    volatile char *much = __builtin_alloca(65536 - left);
    much[0] = 1;
    int item, result = salp_queue_get(arg, &item);
    return result == -EPIPE && much[0] == 1 ? 0 : -EPROTO;
}

static int dumping_a_full_stack(void *arg)
{
    (void)arg;
    dump_with_two_waiting(has_hardly_any_stack_left, &(salp_task_options){ .name = "full", .stack_size = 65536 });
    return 0;
}

static void a_dump_spares_a_stack_that_is_nearly_full(void **state)
{
    (void)state;
    assert_int_equal(salp_run(dumping_a_full_stack, NULL), 0);
    assert_non_null(strstr(text, "task \"full\" waits for an item of a queue"));
    assert_null(strstr(text, "has_hardly_any_stack_left"));
    assert_non_null(strstr(text, "waits_deep_inside")); /* the others are shown as ever */
}

/* A thread that sends something to a loop just before its last turn ends, and while it closes. */
static struct {
    salp_loop *loop;
    atomic_int stage; /* odd: it is the sender's turn */
    salp_future *futures[2];
} late;

static void wait_for_stage(int stage)
{
    EXPECT(reaches(&late.stage, stage));
}

static void must_not_be_called(void *arg)
{
    (void)arg;
    abort();
}

static int must_not_run(void *arg)
{
    (void)arg;
    abort();
}

static void *sends_late(void *arg)
{
    wait_for_stage(1);
    EXPECT(salp_loop_call(late.loop, must_not_be_called, NULL) == 0);
    atomic_store(&late.stage, 2);
    wait_for_stage(3);
    EXPECT(salp_loop_call(late.loop, must_not_be_called, NULL) == 0);
    for (int i = 0; i < 2; i++)
        EXPECT(salp_loop_go(late.loop, must_not_run, NULL, &late.futures[i]) == 0);
    EXPECT(salp_future_cancel(late.futures[0]) == 0);
    atomic_store(&late.stage, 4);
    return arg;
}

/* Runs after the last turn: since something was sent while the last task ran, that turn ends with the task. */
static void lets_more_be_sent(const char *name, int64_t nanoseconds, void *arg)
{
    (void)name, (void)nanoseconds;
    ++*(int *)arg;
    atomic_store(&late.stage, 3);
    wait_for_stage(4);
}

static int lets_something_be_sent(void *arg)
{
    late.loop = salp_loop_current();
    (void)arg;
    atomic_store(&late.stage, 1);
    wait_for_stage(2);
    return 0;
}

static void what_is_sent_to_a_loop_that_closes_is_answered(void **state)
{
    pthread_t thread;
    int reports = 0;
    (void)state;
    salp_run_options options = { .slow = 1, .on_slow = lets_more_be_sent, .arg = &reports };
    assert_int_equal(pthread_create(&thread, NULL, sends_late, NULL), 0);
    assert_int_equal(salp_run_with(lets_something_be_sent, NULL, &options), 0);
    pthread_join(thread, NULL);
    assert_int_equal(reports, 1);
    for (int i = 0; i < 2; i++) {
        assert_true(salp_future_ready(late.futures[i]));
        assert_int_equal(salp_future_wait(late.futures[i]), -ECANCELED);
        salp_future_free(late.futures[i]);
    }
}

/* A loop cancels who waits for it, and ends at the same moment. */
static int cancels_and_ends(void *scope)
{
    salp_scope_cancel(scope);
    return 0;
}

static int waits_for_loops_that_cancel_it(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(1000); i++) {
        salp_scope scope;
        salp_scope_open(&scope, SALP_FOREVER);
        int result = salp_run_loops(1 + i % 2, cancels_and_ends, &scope);
        EXPECT(result == 0 || result == -ECANCELED);
        EXPECT(salp_yield() == -ECANCELED);
        EXPECT(salp_scope_close(&scope) == -ECANCELED);
    }
    return 0;
}

static void loops_may_end_while_who_waits_for_them_is_cancelled(void **state)
{
    (void)state;
    assert_int_equal(waits_for_loops_that_cancel_it(NULL), 0);
    assert_int_equal(salp_run(waits_for_loops_that_cancel_it, NULL), 0);
}

static _Atomic int guests_run;

static int guest(void *arg)
{
    (void)arg;
    guests_run++;
    return 0;
}

static int starts_guest_at_the_end(void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++)
        EXPECT(salp_yield() == 0);
    return salp_loop_go(salp_loop_current(), guest, NULL, NULL);
}

static void a_run_waits_for_tasks_that_have_not_begun(void **state)
{
    (void)state;
    for (intptr_t yields = 0; yields < 520; yields++)
        assert_int_equal(salp_run(starts_guest_at_the_end, (void *)yields), 0);
    assert_int_equal(guests_run, 520);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("stacks are as large as asked for", stacks_are_as_large_as_asked_for),
        TEST("a task that holds up the others is reported", a_task_that_holds_up_the_others_is_reported),
        TEST("tasks that wait for each other are reported", tasks_that_wait_for_each_other_are_reported),
        TEST("waiting for another thread is no deadlock", waiting_for_another_thread_is_no_deadlock),
        TEST("a thread that has gone meanwhile is no deadlock", a_thread_that_has_gone_meanwhile_is_no_deadlock),
        TEST("a deadlock ends the run though nobody wants the text",
             a_deadlock_ends_the_run_though_nobody_wants_the_text),
        TEST_ENGINES("an idle pool does not hide a deadlock", an_idle_pool_does_not_hide_a_deadlock),
        TEST_ENGINES("a pool that a task has used does not hide a deadlock",
                     a_pool_that_a_task_has_used_does_not_hide_a_deadlock),
        TEST("waiting for a job is no deadlock", waiting_for_a_job_is_no_deadlock),
        TEST_ENGINES("waiting for a pool is no deadlock", waiting_for_a_pool_is_no_deadlock),
        TEST_ENGINES("a thread beside an idle pool may wake somebody", a_thread_beside_an_idle_pool_may_wake_somebody),
        TEST("loops that wait for each other are reported", loops_that_wait_for_each_other_are_reported),
        TEST("loops of which one goes on are no deadlock", loops_of_which_one_goes_on_are_no_deadlock),
        TEST("loops that a deadline ends are no deadlock", loops_that_a_deadline_ends_are_no_deadlock),
        TEST("runs in several threads are not told of each other", runs_in_several_threads_are_not_told_of_each_other),
        TEST("what comes just in time is no deadlock", what_comes_just_in_time_is_no_deadlock),
        TEST("a fork finds its own deadlocks", a_fork_finds_its_own_deadlocks),
        TEST("a dump shows all tasks and where they are", a_dump_shows_all_tasks_and_where_they_are),
        TEST("several loops begin and end together", several_loops_begin_and_end_together),
        TEST("shields do not hide a deadlock", shields_do_not_hide_a_deadlock),
        TEST("a report of a slow task may dump all", a_report_of_a_slow_task_may_dump_all),
        TEST("a dump spares a stack that is nearly full", a_dump_spares_a_stack_that_is_nearly_full),
        TEST("what is sent to a loop that closes is answered", what_is_sent_to_a_loop_that_closes_is_answered),
        TEST("loops may end while who waits for them is cancelled",
             loops_may_end_while_who_waits_for_them_is_cancelled),
        TEST("a run waits for tasks that have not begun", a_run_waits_for_tasks_that_have_not_begun),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
