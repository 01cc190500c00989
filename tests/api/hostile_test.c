/*
 * Jobs that return, but leave their worker in a state in which nobody would want to be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <sys/resource.h>
#include <sys/stat.h>

enum evil {
    GOOD,
    CLOSE_ALL,
    OPEN_INSTEAD,
    MEMORY_INSTEAD,
    FORK_AND_RETURN_TWICE,
    LEAVE_CHILD,
    LEAVE_DAEMON,
    FORBID_WRITING,
    FORBID_MEMORY,
    IGNORE_SIGNALS,
    LEAVE_DIRECTORY,
};

enum { COUNT = 60 };

struct item {
    int number;
    enum evil evil;
};

static struct notes {
    atomic_int runs[COUNT];
    atomic_int left_running;
    atomic_int opened; /* how often the file was opened in place of closed descriptors */
} * notes;

static char victim[64]; /* that file */

static void occupy_descriptors(int file)
{
    for (int fd = 3; fd < 1024; fd++)
        if (fd != file)
            dup2(file, fd);
}

/* As a daemon does it: no parent, no session, nothing that would tell whose it was. */
static void leave_daemon(void)
{
    if (fork() == 0) {
        setsid();
        if (fork() == 0) {
            atomic_store(&notes->left_running, getpid());
            for (;;)
                pause();
        }
        _exit(0);
    }
}

static void leave_child(void)
{
    pid_t pid = fork();

    if (pid == 0)
        for (;;)
            pause();
    atomic_store(&notes->left_running, pid);
}

static void do_evil(enum evil evil)
{
    int file;

    switch (evil) {
    case GOOD:
        break;
    case CLOSE_ALL:
        for (int fd = 0; fd < 1024; fd++)
            close(fd);
        break;
    case OPEN_INSTEAD:
        for (int fd = 3; fd < 1024; fd++)
            close(fd);
        file = open(victim, O_RDWR);
        if (file >= 0)
            atomic_fetch_add(&notes->opened, 1);
        occupy_descriptors(file);
        break;
    case MEMORY_INSTEAD:
        file = memfd_create("other", 0);
        if (ftruncate(file, (off_t)1 << 30) == 0)
            occupy_descriptors(file);
        break;
    case FORK_AND_RETURN_TWICE:
        fork();
        break;
    case LEAVE_CHILD:
        leave_child();
        break;
    case LEAVE_DAEMON:
        leave_daemon();
        break;
    case FORBID_WRITING:
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 0, 0 });
        break;
    case FORBID_MEMORY:
        setrlimit(RLIMIT_AS, &(struct rlimit){ 1 << 20, 1 << 20 });
        break;
    case IGNORE_SIGNALS:
        for (int s = 1; s < NSIG; s++)
            signal(s, SIG_IGN);
        break;
    case LEAVE_DIRECTORY:
        if (chdir("/proc/self/fd") == 0 && setsid() < 0)
            umask(0777);
        break;
    }
}

static int job_fill(const void *in, void *out, void *context)
{
    (void)in;
    (void)context;
    memset(out, 'x', 100000);
    return 0;
}

static int job_evil(const void *in, void *out, void *context)
{
    const struct item *item = in;

    atomic_fetch_add(&notes->runs[item->number], 1);
    do_evil(item->evil);
    return job_square(&item->number, out, context);
}

/*
 * The evil item may end with its result or as crashed; every other item has its result, and each
 * has run once. Then the pool still works.
 */
static salp_pool *check_evil(enum evil evil, int workers)
{
    static const size_t chunks[] = { 0, 1, 20, 1000 };
    static const int places[] = { 0, 31, COUNT - 1 };
    salp_pool *pool;

    notes = shared_memory(sizeof *notes);
    pool = open_pool(SALP_PROCESSES, workers);
    for (size_t round = 0; round < LENGTH(chunks) * LENGTH(places); round++) {
        int place = places[round % LENGTH(places)], result;
        struct item in[COUNT];
        int out[COUNT], errors[COUNT];

        for (int i = 0; i < COUNT; i++) {
            in[i] = (struct item){ i, i == place ? evil : GOOD };
            out[i] = errors[i] = -12345;
        }
        result = salp_map(pool, job_evil, in, sizeof *in, out, sizeof *out, COUNT,
                          &(salp_map_options){ .chunk = chunks[round / LENGTH(places)], .errors = errors });
        assert_int_equal(result, errors[place]);
        if (errors[place] != 0)
            assert_int_equal(errors[place], SALP_ECRASHED);
        for (int i = 0; i < COUNT; i++) {
            if (i != place)
                assert_int_equal(errors[i], 0);
            assert_int_equal(out[i], errors[i] == 0 ? i * i : -12345);
            assert_int_equal(atomic_exchange(&notes->runs[i], 0), 1);
        }
        for (int i = 0; i < 5; i++)
            assert_int_equal(check_squares(pool, 100, &(salp_map_options){ .chunk = (size_t)i }), 0);
    }
    assert_string_equal(salp_pool_reason(pool), "");
    return pool;
}

static void a_job_may_close_all_descriptors(void **state)
{
    (void)state;
    assert_int_equal(salp_pool_close(check_evil(CLOSE_ALL, 1)), 0);
    assert_int_equal(salp_pool_close(check_evil(CLOSE_ALL, 2)), 0);
}

static void nothing_is_written_to_files_opened_in_place_of_closed_descriptors(void **state)
{
    char name[] = "/tmp/salp-test-XXXXXX", text[64] = "";
    int file = mkostemp(name, O_CLOEXEC);
    salp_pool *pool;

    (void)state;
    assert_true(file >= 0);
    assert_int_equal(unlink(name), 0); /* jobs find it below /proc, and nothing is left whatever happens */
    assert_int_equal(write(file, "untouched", 9), 9);
    snprintf(victim, sizeof victim, "/proc/%d/fd/%d", (int)getpid(), file);

    pool = check_evil(OPEN_INSTEAD, 2);
    assert_true(atomic_load(&notes->opened) > 0);
    assert_int_equal(salp_pool_close(pool), 0);

    assert_int_equal(pread(file, text, sizeof text, 0), 9);
    assert_string_equal(text, "untouched");
    close(file);
}

/* Writing to a descriptor works there, and yet the result would never arrive. */
static void results_arrive_although_other_memory_has_taken_the_descriptors(void **state)
{
    (void)state;
    assert_int_equal(salp_pool_close(check_evil(MEMORY_INSTEAD, 1)), 0);
    assert_int_equal(salp_pool_close(check_evil(MEMORY_INSTEAD, 2)), 0);
}

/* A single result needs no descriptor, so the worker lives on; what comes then is larger than anything it has mapped. */
static void a_map_after_an_apply_that_took_the_descriptors_is_right(void **state)
{
    static const enum evil evils[] = { CLOSE_ALL, MEMORY_INSTEAD };
    enum { SIZE = 100000 };
    static char large[3][SIZE];

    (void)state;
    notes = shared_memory(sizeof *notes);
    for (size_t e = 0; e < LENGTH(evils); e++) {
        salp_pool *pool = open_pool(SALP_PROCESSES, 1);
        for (int round = 0; round < 3; round++) {
            struct item in = { 7, evils[e] };
            int out = -1, result = salp_apply(pool, job_evil, &in, sizeof in, &out, sizeof out, NULL);
            assert_true(result == SALP_ECRASHED || (result == 0 && out == 49));
            assert_int_equal(check_squares(pool, 1000 << (4 * round), NULL), 0);
            result = salp_apply(pool, job_evil, &in, sizeof in, &out, sizeof out, NULL);
            assert_true(result == SALP_ECRASHED || (result == 0 && out == 49));
            assert_int_equal(salp_map(pool, job_fill, NULL, 0, large, SIZE, 3, NULL), 0);
            for (int i = 0; i < 3; i++)
                assert_true(large[i][0] == 'x' && large[i][SIZE - 1] == 'x');
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static void a_job_that_returns_in_a_fork_too_is_counted_once(void **state)
{
    (void)state;
    assert_int_equal(salp_pool_close(check_evil(FORK_AND_RETURN_TWICE, 1)), 0);
    assert_int_equal(salp_pool_close(check_evil(FORK_AND_RETURN_TWICE, 3)), 0);
}

static void check_left_running(enum evil evil)
{
    salp_pool *pool = check_evil(evil, 2);
    pid_t pid;

    assert_true(reaches(&notes->left_running, 1));
    pid = atomic_load(&notes->left_running);
    assert_int_equal(salp_pool_close(pool), 0);
    assert_true(test_gone(pid, patience()));
}

static void a_process_that_a_job_leaves_running_is_gone_after_the_close(void **state)
{
    (void)state;
    check_left_running(LEAVE_CHILD);
}

static void a_daemon_that_a_job_leaves_running_is_gone_after_the_close(void **state)
{
    (void)state;
    check_left_running(LEAVE_DAEMON);
}

static void a_job_may_forbid_its_process_to_write_files(void **state)
{
    (void)state;
    assert_int_equal(salp_pool_close(check_evil(FORBID_WRITING, 1)), 0);
    assert_int_equal(salp_pool_close(check_evil(FORBID_WRITING, 2)), 0);
}

static void a_job_may_forbid_its_process_more_memory(void **state)
{
    (void)state;
    if (test_slow())
        test_skip("a sanitizer needs more memory as it goes");
    assert_int_equal(salp_pool_close(check_evil(FORBID_MEMORY, 1)), 0);
    assert_int_equal(salp_pool_close(check_evil(FORBID_MEMORY, 2)), 0);
}

static void a_job_may_ignore_all_signals_and_leave_its_directory_and_session(void **state)
{
    (void)state;
    assert_int_equal(salp_pool_close(check_evil(IGNORE_SIGNALS, 2)), 0);
    assert_int_equal(salp_pool_close(check_evil(LEAVE_DIRECTORY, 2)), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a job may close all descriptors", a_job_may_close_all_descriptors),
        TEST("nothing is written to files opened in place of closed descriptors",
             nothing_is_written_to_files_opened_in_place_of_closed_descriptors),
        TEST("results arrive although other memory has taken the descriptors",
             results_arrive_although_other_memory_has_taken_the_descriptors),
        TEST("a map after an apply that took the descriptors is right",
             a_map_after_an_apply_that_took_the_descriptors_is_right),
        TEST("a job that returns in a fork too is counted once", a_job_that_returns_in_a_fork_too_is_counted_once),
        TEST("a process that a job leaves running is gone after the close",
             a_process_that_a_job_leaves_running_is_gone_after_the_close),
        TEST("a daemon that a job leaves running is gone after the close",
             a_daemon_that_a_job_leaves_running_is_gone_after_the_close),
        TEST("a job may forbid its process to write files", a_job_may_forbid_its_process_to_write_files),
        TEST("a job may forbid its process more memory", a_job_may_forbid_its_process_more_memory),
        TEST("a job may ignore all signals and leave its directory and session",
             a_job_may_ignore_all_signals_and_leave_its_directory_and_session),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
