/*
 * Workers from a clean copy of this program, started for one pool or kept for all. The tests run in
 * programs of their own, because what is kept for all pools lives as long as the program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <dirent.h>
#include <sys/stat.h>

static int constructed, main_has_run, number = 1;

__attribute__((constructor)) static void construct(void)
{
    constructed = 4711;
}

static salp_start fresh_starts[] = { SALP_SPAWN, SALP_SERVER };

static int open_fresh(salp_pool **pool, salp_start start)
{
    return salp_pool_open(pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .start = start });
}

static void run_with_each_start(int (*program)(void *arg))
{
    for (size_t i = 0; i < LENGTH(fresh_starts); i++)
        assert_int_equal(run_program(program, &fresh_starts[i]), 0);
}

static int program_squares(void *arg)
{
    salp_pool *pool;

    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    OR_FAIL(salp_pool_workers(pool) == 2);
    for (size_t chunk = 0; chunk < 50; chunk += 7)
        OR_FAIL(check_squares(pool, 10000, &(salp_map_options){ .chunk = chunk }) == 0);
    OR_FAIL(strcmp(salp_pool_reason(pool), "") == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void static_functions_of_the_program_run_in_fresh_workers(void **state)
{
    (void)state;
    run_with_each_start(program_squares);
}

struct look {
    int constructed, main_has_run, number;
    bool variable;
    struct stat standard[3];
    pid_t pid;
};

static int job_look(const void *in, void *out, void *context)
{
    struct look *look = out;

    (void)in;
    (void)context;
    look->constructed = constructed;
    look->main_has_run = main_has_run;
    look->number = number;
    look->variable = getenv("SALP_HANDOVER") != NULL;
    look->pid = getpid();
    for (int fd = 0; fd < 3; fd++)
        if (fstat(fd, &look->standard[fd]) < 0)
            return -errno;
    return 0;
}

static int program_looks(void *arg)
{
    struct look look[40];
    salp_pool *pool;

    number = 2;
    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    OR_FAIL(salp_map(pool, job_look, NULL, 0, look, sizeof *look, LENGTH(look), NULL) == 0);
    for (size_t i = 0; i < LENGTH(look); i++) {
        OR_FAIL(look[i].constructed == 4711);
        OR_FAIL(look[i].main_has_run == 0);
        OR_FAIL(look[i].number == 1);
        OR_FAIL(!look[i].variable);
        OR_FAIL(look[i].pid != getpid());
        for (int fd = 0; fd < 3; fd++) {
            struct stat own;

            OR_FAIL(fstat(fd, &own) == 0);
            OR_FAIL(own.st_ino == look[i].standard[fd].st_ino && own.st_dev == look[i].standard[fd].st_dev);
        }
    }
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void fresh_workers_are_constructed_but_main_is_not_run(void **state)
{
    (void)state;
    assert_int_equal(main_has_run, 1);
    run_with_each_start(program_looks);
}

static int job_leave(const void *in, void *out, void *context)
{
    (void)in, (void)out, (void)context;
    pthread_exit(NULL);
}

/* There is nothing below the job that the C library could go back to. */
static int program_leaves_thread(void *arg)
{
    static struct failures failures; /* a program to itself */
    salp_pool *pool;
    int in = 1;

    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    OR_FAIL(salp_map(pool, job_leave, &in, sizeof in, NULL, 0, 1,
                     &(salp_map_options){ .on_failure = note_failure, .on_failure_arg = &failures }) == SALP_ECRASHED);
    OR_FAIL(failures.count == 1 && failures.each[0].signal == 0 && failures.each[0].exit_status == 0);
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_job_in_a_fresh_worker_may_end_its_thread(void **state)
{
    (void)state;
    run_with_each_start(program_leaves_thread);
}

static int job_count_descriptors(const void *in, void *out, void *context)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    char target[64];

    (void)in;
    (void)context;
    if (!directory)
        return -errno;
    *(int *)out = 0;
    while ((entry = readdir(directory))) {
        ssize_t n = readlinkat(dirfd(directory), entry->d_name, target, sizeof target - 1);

        target[n < 0 ? 0 : n] = '\0';
        *(int *)out += strcmp(target, "/dev/zero") == 0;
    }
    closedir(directory);
    return 0;
}

static int program_counts_descriptors(void *arg)
{
    int out[10];
    salp_pool *pool;

    for (int i = 0; i < 20; i++) /* an exec would pass them on */
        OR_FAIL(open("/dev/zero", O_RDONLY) >= 0);
    OR_FAIL(dup2(3, 700) == 700);
    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    OR_FAIL(salp_map(pool, job_count_descriptors, NULL, 0, out, sizeof *out, 10, NULL) == 0);
    for (int i = 0; i < 10; i++)
        OR_FAIL(out[i] == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void fresh_workers_have_no_open_files_of_the_program(void **state)
{
    (void)state;
    run_with_each_start(program_counts_descriptors);
}

struct settings {
    int number;
    char text[100];
};

static struct settings kept;

static int initialize(void *arg)
{
    kept = *(struct settings *)arg;
    return 0;
}

static int job_read_settings(const void *in, void *out, void *context)
{
    (void)in;
    memcpy(out, &kept, sizeof kept);
    ((struct settings *)out)->number += ((struct settings *)context)->number++;
    return 0;
}

static int program_with_settings(void *arg)
{
    struct settings settings = { 1000, "copied" }, context = { 5, "context" }, out[20];
    salp_pool *pool;

    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES,
                                                        .workers = 1,
                                                        .start = *(salp_start *)arg,
                                                        .initializer = initialize,
                                                        .initializer_arg = &settings,
                                                        .initializer_arg_size = sizeof settings }) == 0);
    memset(&settings, 0, sizeof settings);
    OR_FAIL(salp_map(pool, job_read_settings, NULL, 0, out, sizeof *out, LENGTH(out),
                     &(salp_map_options){ .context = &context, .context_size = sizeof context }) == 0);
    for (size_t i = 0; i < LENGTH(out); i++) {
        OR_FAIL(strcmp(out[i].text, "copied") == 0);
        OR_FAIL(out[i].number >= 1005 && out[i].number < 1025); /* one worker: each number once */
        for (size_t k = 0; k < i; k++)
            OR_FAIL(out[k].number != out[i].number);
    }
    OR_FAIL(context.number == 5);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void arguments_and_contexts_with_a_size_reach_fresh_workers(void **state)
{
    (void)state;
    run_with_each_start(program_with_settings);
}

static int program_with_pointers(void *arg)
{
    static int context;
    int in = 1, out = 0, result;
    salp_pool *pool;

    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    result = salp_apply(pool, job_square, &in, sizeof in, &out, sizeof out, &(salp_map_options){ .context = &context });
    OR_FAIL(result == -EINVAL || result == SALP_EUNKNOWN);
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    result = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES,
                                                         .workers = 2,
                                                         .start = *(salp_start *)arg,
                                                         .initializer = initialize,
                                                         .initializer_arg = &context });
    OR_FAIL(result == -EINVAL || result == SALP_EUNKNOWN);
    return 0;
}

static void pointers_without_a_size_are_refused(void **state)
{
    (void)state;
    run_with_each_start(program_with_pointers);
}

static __attribute__((noinline)) void access_badly(void)
{
    *(volatile int *)(uintptr_t)0x123450 = number;
    number++;
}

static int job_crash_some(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    if (i % 30 == 17)
        access_badly();
    if (i % 30 == 27)
        _exit(6);
    return job_square(in, out, context);
}

static int program_with_crashes(void *arg)
{
    int in[90], out[90], errors[90];
    static struct failures failures;
    salp_pool *pool;

    OR_FAIL(open_fresh(&pool, *(salp_start *)arg) == 0);
    for (int i = 0; i < 90; i++)
        in[i] = i;
    OR_FAIL(salp_map(pool, job_crash_some, in, sizeof *in, out, sizeof *out, 90,
                     &(salp_map_options){
                         .errors = errors, .chunk = 10, .on_failure = note_failure, .on_failure_arg = &failures }) ==
            SALP_ECRASHED);
    OR_FAIL(failures.count == 6);
    for (int i = 0; i < 90; i++) {
        OR_FAIL(errors[i] == (i % 30 == 17 || i % 30 == 27 ? SALP_ECRASHED : 0));
        OR_FAIL(errors[i] != 0 || out[i] == i * i);
    }
    for (int i = 0; i < 6; i++) {
        bool exited = failures.each[i].index % 30 == 27;

        OR_FAIL(failures.each[i].signal == (exited ? 0 : SIGSEGV));
        OR_FAIL(failures.each[i].exit_status == (exited ? 6 : -1));
        OR_FAIL(failures.each[i].address == (exited ? NULL : (void *)(uintptr_t)0x123450));
    }
    in[0] = 17;
    failures.count = 0;
    OR_FAIL(salp_apply(pool, job_crash_some, in, sizeof *in, out, sizeof *out,
                       &(salp_map_options){ .on_failure = note_failure, .on_failure_arg = &failures }) ==
            SALP_ECRASHED);
    OR_FAIL(strstr(failures.backtrace, "access_badly"));
    OR_FAIL(check_squares(pool, 1000, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_crash_in_a_fresh_worker_costs_its_item(void **state)
{
    (void)state;
    run_with_each_start(program_with_crashes);
}

static int program_with_many_pools(void *arg)
{
    salp_pool *pools[10];

    (void)arg;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < LENGTH(pools); i++)
            OR_FAIL(open_fresh(&pools[i], SALP_SERVER) == 0);
        for (size_t i = 0; i < LENGTH(pools); i++)
            OR_FAIL(check_squares(pools[i], 100, NULL) == 0);
        for (size_t i = 0; i < LENGTH(pools); i++)
            OR_FAIL(salp_pool_close(pools[(i * 3 + 1) % LENGTH(pools)]) == 0);
        OR_FAIL(test_count_children(getpid()) <= 1); /* the server alone stays */
    }
    return 0;
}

static void one_server_serves_many_pools(void **state)
{
    (void)state;
    assert_int_equal(run_program(program_with_many_pools, NULL), 0);
}

static int program_that_loses_its_server(void *arg)
{
    salp_pool *pool;
    pid_t child;

    (void)arg;
    OR_FAIL(open_fresh(&pool, SALP_SERVER) == 0);
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    if (children_of(getpid(), &child, 1) == 1) {
        OR_FAIL(kill(child, SIGKILL) == 0);
        for (int64_t end = clock_now() + patience(); parent_of(child) >= 0;)
            OR_FAIL(clock_now() < end);
    }
    OR_FAIL(open_fresh(&pool, SALP_SERVER) == 0); /* another one is started */
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_server_that_was_killed_is_started_again(void **state)
{
    (void)state;
    assert_int_equal(run_program(program_that_loses_its_server, NULL), 0);
}

static void *wait_for_end(void *arg)
{
    reaches(arg, 1);
    return NULL;
}

/* Nothing that the threads of the program do, or the memory that it has, reaches the workers. */
static int program_with_threads(void *arg)
{
    pthread_t threads[20];
    atomic_int end = 0;
    int result;

    for (size_t i = 0; i < LENGTH(threads); i++)
        OR_FAIL(pthread_create(&threads[i], NULL, wait_for_end, &end) == 0);
    result = program_squares(arg);
    atomic_store(&end, 1);
    for (size_t i = 0; i < LENGTH(threads); i++)
        OR_FAIL(pthread_join(threads[i], NULL) == 0);
    return result;
}

static void a_program_with_threads_may_start_fresh_workers(void **state)
{
    (void)state;
    run_with_each_start(program_with_threads);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("static functions of the program run in fresh workers",
             static_functions_of_the_program_run_in_fresh_workers),
        TEST("fresh workers are constructed but main is not run", fresh_workers_are_constructed_but_main_is_not_run),
        TEST("fresh workers have no open files of the program", fresh_workers_have_no_open_files_of_the_program),
        TEST("arguments and contexts with a size reach fresh workers",
             arguments_and_contexts_with_a_size_reach_fresh_workers),
        TEST("pointers without a size are refused", pointers_without_a_size_are_refused),
        TEST("a crash in a fresh worker costs its item", a_crash_in_a_fresh_worker_costs_its_item),
        TEST("a job in a fresh worker may end its thread", a_job_in_a_fresh_worker_may_end_its_thread),
        TEST("one server serves many pools", one_server_serves_many_pools),
        TEST("a server that was killed is started again", a_server_that_was_killed_is_started_again),
        TEST("a program with threads may start fresh workers", a_program_with_threads_may_start_fresh_workers),
    };

    main_has_run = 1;
    return test_main(argc, argv, tests, LENGTH(tests));
}
