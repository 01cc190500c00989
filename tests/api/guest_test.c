/*
 * The library is a guest in its program: it leaves the settings, the children, the descriptors and
 * the output of its host alone, and bears with what the host does to them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <sys/prctl.h>
#include <sys/stat.h>

static void save_handlers(struct sigaction actions[NSIG], sigset_t *mask)
{
    memset(actions, 0, NSIG * sizeof *actions);
    for (int s = 1; s < NSIG; s++)
        sigaction(s, NULL, &actions[s]);
    memset(mask, 0, sizeof *mask);
    sigprocmask(SIG_SETMASK, NULL, mask);
}

static void a_pool_changes_nothing_of_the_settings_of_its_program(void **state)
{
    static struct sigaction before[NSIG], now[NSIG];
    sigset_t mask_before, mask_now;
    char directory[256], directory_now[256];
    mode_t creation = umask(022);
    pid_t group = getpgrp(), session = getsid(0);
    int subreaper, subreaper_now;
    salp_pool *pool;

    save_handlers(before, &mask_before);
    assert_non_null(getcwd(directory, sizeof directory));
    prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    pool = open_pool(test_engine(state), 2);
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            assert_int_equal(check_squares(pool, 1000, NULL), 0);
        else
            assert_int_equal(salp_pool_close(pool), 0);
        save_handlers(now, &mask_now);
        for (int s = 1; s < NSIG; s++) {
            assert_ptr_equal(before[s].sa_handler, now[s].sa_handler);
            assert_int_equal(before[s].sa_flags, now[s].sa_flags);
        }
        assert_memory_equal(&mask_before, &mask_now, sizeof mask_now);
        assert_non_null(getcwd(directory_now, sizeof directory_now));
        assert_string_equal(directory, directory_now);
        prctl(PR_GET_CHILD_SUBREAPER, &subreaper_now);
        assert_int_equal(subreaper, subreaper_now);
        assert_int_equal(group, getpgrp());
        assert_int_equal(session, getsid(0));
        assert_null(getenv("SALP_HANDOVER"));
        assert_int_equal(umask(022), 022);
    }
    umask(creation);
}

static int job_crash_some(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    if (i % 20 == 5)
        raise(SIGKILL);
    if (i % 20 == 15)
        *(volatile int *)(uintptr_t)0x123450 = i; /* a fault, which no mask holds back */
    return job_square(in, out, context);
}

static void check_crashing_pool(void)
{
    int in[40], out[40], errors[40];
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    for (int i = 0; i < 40; i++)
        in[i] = i;
    assert_int_equal(
        salp_map(pool, job_crash_some, in, sizeof *in, out, sizeof *out, 40, &(salp_map_options){ .errors = errors }),
        SALP_ECRASHED);
    for (int i = 0; i < 40; i++)
        assert_int_equal(errors[i], i % 10 == 5 ? SALP_ECRASHED : 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void *reap_everything(void *arg)
{
    int status;

    while (!atomic_load((atomic_int *)arg))
        if (waitpid(-1, &status, WNOHANG) <= 0)
            doze(SALP_MICROSECONDS(100));
    return NULL;
}

/* A program that collects whatever child ends takes the steward's status, too. */
static void a_program_may_reap_all_its_children(void **state)
{
    pthread_t thread;
    atomic_int ended = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, reap_everything, &ended), 0);
    for (int round = 0; round < 20; round++)
        check_crashing_pool();
    atomic_store(&ended, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_program_may_ignore_the_ends_of_children(void **state)
{
    (void)state;
    signal(SIGCHLD, SIG_IGN);
    for (int round = 0; round < 20; round++)
        check_crashing_pool();
}

static void a_program_may_block_all_signals(void **state)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    (void)state;
    check_crashing_pool();
}

/* Programs that are started by exec inherit nothing of a pool. */
static void descriptors_of_a_pool_are_closed_on_exec(void **state)
{
    bool before[1024];
    int opened = 0;
    salp_pool *pool;

    for (int fd = 0; fd < 1024; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    pool = open_pool(test_engine(state), 2);
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    for (int fd = 0; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0 && !before[fd]) {
            assert_true(flags & FD_CLOEXEC);
            opened++;
        }
    }
    if (test_engine(state) == SALP_PROCESSES)
        assert_true(opened > 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int program_without_standard_descriptors(void *arg)
{
    int in[40], out[40], errors[40];
    salp_pool *pool;

    for (int fd = 0; fd < 3; fd++)
        close(fd);
    if (salp_pool_open(
            &pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .start = *(salp_start *)arg }) != 0)
        return 10;
    for (int i = 0; i < 40; i++)
        in[i] = i;
    for (int round = 0; round < 3; round++) {
        if (salp_map(pool, job_crash_some, in, sizeof *in, out, sizeof *out, 40,
                     &(salp_map_options){ .errors = errors }) != SALP_ECRASHED)
            return 11;
        for (int i = 0; i < 40; i++)
            if (errors[i] != (i % 10 == 5 ? SALP_ECRASHED : 0) || (errors[i] == 0 && out[i] != i * i))
                return 12;
    }
    return salp_pool_close(pool) == 0 ? 0 : 13;
}

/* As daemons do it; what is opened next has the numbers 0 to 2. */
static void a_program_may_have_no_standard_descriptors(void **state)
{
    salp_start starts[] = { SALP_FORK, SALP_SPAWN, SALP_SERVER };

    (void)state;
    for (size_t i = 0; i < LENGTH(starts); i++)
        assert_int_equal(run_program(program_without_standard_descriptors, &starts[i]), 0);
}

/* Nothing is printed, whatever happens in the workers. */
static void a_pool_prints_nothing(void **state)
{
    int out = dup(1), err = dup(2), file = memfd_create("output", MFD_CLOEXEC);
    struct stat printed;

    (void)state;
    assert_true(out >= 0 && err >= 0 && file >= 0);
    fflush(NULL);
    dup2(file, 1);
    dup2(file, 2);
    check_crashing_pool();
    fflush(NULL);
    dup2(out, 1);
    dup2(err, 2);
    assert_int_equal(fstat(file, &printed), 0);
    assert_int_equal(printed.st_size, 0);
    close(out);
    close(err);
    close(file);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a pool changes nothing of the settings of its program",
                     a_pool_changes_nothing_of_the_settings_of_its_program),
        TEST("a program may reap all its children", a_program_may_reap_all_its_children),
        TEST("a program may ignore the ends of children", a_program_may_ignore_the_ends_of_children),
        TEST("a program may block all signals", a_program_may_block_all_signals),
        TEST_ENGINES("descriptors of a pool are closed on exec", descriptors_of_a_pool_are_closed_on_exec),
        TEST("a program may have no standard descriptors", a_program_may_have_no_standard_descriptors),
        TEST("a pool prints nothing", a_pool_prints_nothing),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
