/*
 * What a command gets, and what it does not: the program that is meant, its environment, folder, descriptors, signals, group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <sys/resource.h>

/* ---- the program ---- */

static int cannot_be_executed(void *arg)
{
    static char large[3000000]; /* no system takes one argument above 128 KiB */
    (void)arg;
    expect_error(ARGV("salp-no-such-program"), NULL, -ENOENT);
    expect_error(ARGV("/salp-no-such-program"), NULL, -ENOENT);
    expect_error(ARGV(""), NULL, -ENOENT);
    expect_error(ARGV(scratch()), NULL, -EACCES);
    expect_error(ARGV("/etc/passwd"), NULL, -EACCES);
    expect_error(ARGV("/etc/passwd/x"), NULL, -ENOTDIR);
    expect_error(ARGV("true"), WITH(.cwd = "/salp-no-such-folder"), -ENOENT);
    expect_error(ARGV("true"), WITH(.cwd = "/etc/passwd"), -ENOTDIR);
    expect_error(ARGV("cat"), WITH(.in = SALP_DESCRIPTOR, .in_fd = 9999), -EBADF);
    memset(large, 'x', sizeof large - 1);
    expect_error(ARGV("echo", large), NULL, -E2BIG);
    write_file(scratch_path("garbage"), "\177no program", 0700);
    expect_error(ARGV(scratch_path("garbage")), NULL, -ENOEXEC);
    write_file(scratch_path("script"), "#!/salp-no-such-shell\n", 0700);
    expect_error(ARGV(scratch_path("script")), NULL, -ENOENT);
    return 0;
}

static void what_cannot_be_executed_is_an_error_of_the_call(void **state)
{
    (void)state;
    in_both(cannot_be_executed);
    scratch_remove();
}

static void make_program(const char *folder, const char *name, const char *text, mode_t mode)
{
    char path[300], script[300];
    snprintf(path, sizeof path, "%s/%s", scratch(), folder);
    EXPECT(mkdir(path, 0700) == 0 || errno == EEXIST);
    snprintf(path, sizeof path, "%s/%s/%s", scratch(), folder, name);
    snprintf(script, sizeof script, "#!/bin/sh\necho %s\n", text);
    write_file(path, script, mode);
}

static void with_path(const char *path, const char *cwd, const char *name, const char *out, int error)
{
    char variable[2000];
    snprintf(variable, sizeof variable, "PATH=%s", path);
    salp_command_options options = { .env_changes = ARGV(variable), .cwd = cwd };
    if (error < 0)
        expect_error(ARGV(name), &options, error);
    else
        expect(ARGV(name), &options, 0, out, "");
}

static int look_it_up(void *arg)
{
    char path[1000];
    const char *folder = scratch(), *here = scratch_path("here");
    (void)arg;
    make_program("a", "both", "a", 0700);
    make_program("b", "both", "b", 0700);
    make_program("a", "closed", "a", 0600);
    make_program("b", "closed", "b", 0700);
    make_program("a", "shut", "a", 0600);
    make_program("here", "local", "here", 0700);

    snprintf(path, sizeof path, "%s/a:%s/b", folder, folder);
    with_path(path, NULL, "both", "a\n", 0);
    with_path(path, NULL, "closed", "b\n", 0); /* one that may not be executed is passed over */
    with_path(path, NULL, "shut", NULL, -EACCES);
    with_path(path, NULL, "local", NULL, -ENOENT);
    with_path(path, here, "local", NULL, -ENOENT); /* where it works is no place to look */
    with_path(path, here, "./local", "here\n", 0); /* a relative path begins there */
    snprintf(path, sizeof path, "%s/none:%s/a/both:%s/b", folder, folder, folder);
    with_path(path, NULL, "both", "b\n", 0); /* neither a missing folder nor a file ends the search */

    /* An empty entry is the folder that it works in, wherever it stands. */
    static const char *const around[][2] = { { ":", "" }, { "", ":" }, { "", "::/none" } };
    for (size_t i = 0; i < LENGTH(around); i++) {
        snprintf(path, sizeof path, "%s%s/a%s", around[i][0], folder, around[i][1]);
        with_path(path, here, "local", "here\n", 0);
        with_path(path, NULL, "local", NULL, -ENOENT);
    }
    with_path("", here, "local", "here\n", 0);

    /* PATH is that of the environment which it gets, and else the usual one. */
    expect_error(ARGV("true"), WITH(.env = ARGV("PATH=/none")), -ENOENT);
    expect(ARGV("true"), WITH(.env = ARGV("A=b")), 0, "", "");
    return 0;
}

static void a_name_is_looked_up_in_path(void **state)
{
    (void)state;
    in_both(look_it_up);
    scratch_remove();
}

static int busy_file = -1;

static int close_busy_file(void *arg)
{
    (void)arg;
    EXPECT(close(busy_file) == 0);
    return 0;
}

static void open_busy_file(void)
{
    expect(ARGV("cp", "/bin/true", scratch_path("busy")), NULL, 0, "", "");
    busy_file = open(scratch_path("busy"), O_WRONLY | O_CLOEXEC);
    EXPECT(busy_file >= 0);
}

static int run_busy_file(void *arg)
{
    salp_group group;
    salp_scope scope;
    (void)arg;
    open_busy_file();
    expect_error(ARGV(scratch_path("busy")), NULL, -ETXTBSY);
    /* A scope ends the waiting for it. */
    salp_output o;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_command_run(ARGV(scratch_path("busy")), NULL, &o) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    /* The other task has its turn as soon as this one waits. */
    salp_group_open(&group);
    EXPECT(salp_go(&group, close_busy_file, NULL) == 0);
    expect(ARGV(scratch_path("busy")), NULL, 0, "", "");
    return salp_group_close(&group);
}

static void a_program_that_is_still_being_written_is_waited_for(void **state)
{
    (void)state;
    assert_int_equal(salp_run(run_busy_file, NULL), 0);
    scratch_remove();
}

/* ---- environment and folder ---- */

static int change_environment(void *arg)
{
    (void)arg;
    expect(ARGV("env"), WITH(.env = ARGV("A=1", "B=2")), 0, "A=1\nB=2\n", "");
    expect(ARGV("env"), WITH(.env = ARGV("A=1", "B=2", "C=3"), .env_changes = ARGV("B", "C=x=y", "D=4", "D=5", "NO")),
           0, "A=1\nC=x=y\nD=5\n", "");
    expect(ARGV("env"), WITH(.env = (const char *const[]){ NULL }), 0, "", "");
    EXPECT(setenv("SALP_TEST", "ours", 1) == 0);
    expect(SH("echo $SALP_TEST"), NULL, 0, "ours\n", "");
    expect(SH("echo $SALP_TEST"), WITH(.env_changes = ARGV("SALP_TEST=other")), 0, "other\n", "");
    expect(SH("echo $SALP_TEST"), WITH(.env_changes = ARGV("SALP_TEST")), 0, "\n", "");
    EXPECT(strcmp(getenv("SALP_TEST"), "ours") == 0);
    return 0;
}

static void the_environment_is_given_or_changed(void **state)
{
    (void)state;
    in_both(change_environment);
}

static int change_folder(void *arg)
{
    char before[PATH_MAX], after[PATH_MAX];
    (void)arg;
    EXPECT(getcwd(before, sizeof before) != NULL);
    expect(ARGV("pwd", "-P"), WITH(.cwd = "/"), 0, "/\n", "");
    EXPECT(getcwd(after, sizeof after) != NULL && strcmp(before, after) == 0);
    return 0;
}

static void the_folder_is_the_commands_alone(void **state)
{
    (void)state;
    in_both(change_folder);
}

/* ---- descriptors ---- */

#define LIST_DESCRIPTORS ARGV("ls", "-1v", "/proc/self/fd") /* itself, it opens that folder: as 3 */

static int count_descriptors(void *arg)
{
    int open_ones[40], kept[3];
    char expected[100];
    (void)arg;
    for (size_t i = 0; i < LENGTH(open_ones); i++)
        EXPECT((open_ones[i] = fcntl(0, F_DUPFD, 20)) >= 20); /* not close-on-exec */
    expect(LIST_DESCRIPTORS, NULL, 0, "0\n1\n2\n3\n", "");
    kept[0] = open_ones[17];
    kept[1] = open_ones[3];
    EXPECT((kept[2] = fcntl(0, F_DUPFD_CLOEXEC, 200)) >= 200);
    snprintf(expected, sizeof expected, "0\n1\n2\n3\n%d\n%d\n%d\n", kept[1], kept[0], kept[2]);
    expect(LIST_DESCRIPTORS, WITH(.keep = kept, .keep_count = 3), 0, expected, "");
    expect_error(ARGV("true"), WITH(.keep = (const int[]){ 9999 }, .keep_count = 1), -EBADF);
    EXPECT(fcntl(kept[2], F_GETFD) == FD_CLOEXEC && fcntl(kept[0], F_GETFD) == 0); /* ours are as they were */
    for (size_t i = 0; i < LENGTH(open_ones); i++)
        close(open_ones[i]);
    close(kept[2]);
    return 0;
}

static void no_descriptor_leaks_into_a_command(void **state)
{
    (void)state;
    in_both(count_descriptors);
}

/* The numbers are those that the next descriptors get: what is opened for the command does not stand in for them. */
static int give_closed(void *arg)
{
    int next = dup(0), after = dup(0);
    const int fds[] = { next, after };
    (void)arg;
    EXPECT(next >= 3 && close(next) == 0 && close(after) == 0);
    for (size_t i = 0; i < LENGTH(fds); i++) {
        expect_error(ARGV("true"), WITH(.in = SALP_DESCRIPTOR, .in_fd = fds[i], .out_path = "/dev/null"), -EBADF);
        expect_error(ARGV("true"), WITH(.out = SALP_DESCRIPTOR, .out_fd = fds[i]), -EBADF);
        expect_error(ARGV("true"), WITH(.err = SALP_DESCRIPTOR, .err_fd = fds[i]), -EBADF);
        expect_error(ARGV("true"), WITH(.keep = &fds[i], .keep_count = 1), -EBADF);
    }
    return 0;
}

static void a_descriptor_that_is_not_open_is_an_error(void **state)
{
    (void)state;
    in_both(give_closed);
}

/* Our ends do not block; its ends, as most programs expect, do. */
static int look_at_flags(void *arg)
{
    (void)arg;
    expect(SH("for fd in 0 1 2; do grep flags: /proc/$$/fdinfo/$fd; done"), WITH(.input = "x", .input_size = 1), 0,
           "flags:\t00\nflags:\t01\nflags:\t01\n", "");
    return 0;
}

static void the_ends_of_a_command_block(void **state)
{
    (void)state;
    in_both(look_at_flags);
}

/* What is to become 1 and 2 lies at 2 and 1. */
static int cross(void *arg)
{
    (void)arg;
    int out = open(scratch_path("out"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    int err = open(scratch_path("err"), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    int saved[3] = { dup(0), dup(1), dup(2) };
    fflush(stdout);
    EXPECT(dup2(out, 2) == 2 && dup2(err, 1) == 1);
    salp_output o;
    int result = salp_command_run(SH("echo out; echo err >&2"),
                                  WITH(.out = SALP_DESCRIPTOR, .out_fd = 2, .err = SALP_DESCRIPTOR, .err_fd = 1), &o);
    /* Three for one. */
    int second = salp_command_run(SH("echo in >&0"),
                                  WITH(.in = SALP_DESCRIPTOR, .in_fd = 2, .out = SALP_DESCRIPTOR, .out_fd = 2,
                                       .err = SALP_DESCRIPTOR, .err_fd = 2),
                                  &o);
    /* The program has none of them: ours come to lie at their numbers. */
    close(0);
    close(1);
    close(2);
    salp_output third;
    int last = salp_command_run(SH("cat; echo err >&2"), WITH(.input = "text", .input_size = 4), &third);
    salp_output fourth;
    int none = salp_command_run(SH("cat; echo lost; echo lost >&2; exit 5"),
                                WITH(.in = SALP_PASSED, .out = SALP_PASSED, .err = SALP_PASSED), &fourth);
    salp_output fifth;
    int some = salp_command_run(SH("echo $(readlink /proc/$$/fd/1) >&2"),
                                WITH(.input = "text", .input_size = 4, .out = SALP_PASSED), &fifth);
    for (int i = 0; i < 3; i++) {
        EXPECT(dup2(saved[i], i) == i);
        close(saved[i]);
    }
    close(out);
    close(err);
    EXPECT(result == 0 && second == 0 && last == 0 && none == 0 && some == 0);
    EXPECT(strcmp(third.out, "text") == 0 && strcmp(third.err, "err\n") == 0);
    EXPECT(fourth.exit_status == 5);
    EXPECT(strcmp(fifth.err, "/dev/null\n") == 0);
    salp_output_free(&third);
    salp_output_free(&fifth);
    expect(ARGV("cat", scratch_path("out")), NULL, 0, "out\nin\n", "");
    expect(ARGV("cat", scratch_path("err")), NULL, 0, "err\n", "");
    return 0;
}

static void the_three_come_from_anywhere(void **state)
{
    (void)state;
    in_both(cross);
    scratch_remove();
}

static int without_descriptors(void *arg)
{
    struct rlimit before, few;
    (void)arg;
    EXPECT(getrlimit(RLIMIT_NOFILE, &before) == 0);
    int highest = dup(0);
    close(highest);
    int result;
    salp_output o;
    /* From none to enough: an error or a success, and nothing is left over. */
    int successes = 0, failures = 0;
    for (int more = 0; more < 16; more++) {
        few = (struct rlimit){ .rlim_cur = (rlim_t)(highest + more), .rlim_max = before.rlim_max };
        EXPECT(setrlimit(RLIMIT_NOFILE, &few) == 0);
        result = salp_command_run(ARGV("cat"), WITH(.input = "text", .input_size = 4), &o);
        EXPECT(setrlimit(RLIMIT_NOFILE, &before) == 0);
        EXPECT(result == 0 || result == -EMFILE);
        EXPECT(result < 0 || strcmp(o.out, "text") == 0);
        successes += result == 0;
        failures += result < 0;
        salp_output_free(&o);
    }
    EXPECT(successes > 0 && failures > 0);
    return 0;
}

static void too_few_descriptors_are_an_error(void **state)
{
    (void)state;
    in_both(without_descriptors);
}

/* ---- signals and groups ---- */

static int look_at_signals(void *arg)
{
    (void)arg;
    expect(ARGV("sed", "-n", "/^Sig[BIC]/p", "/proc/self/status"), NULL, 0,
           "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\n", "");
    expect(SH("yes | head -n 1"), NULL, 0, "y\n", ""); /* yes has to be ended by SIGPIPE */
    return 0;
}

static void catch_nothing(int number)
{
    (void)number;
}

static void a_command_has_all_signals_as_by_default(void **state)
{
    sigset_t all, now;
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGRTMAX, SIG_IGN);
    signal(SIGUSR1, catch_nothing);
    sigfillset(&all);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, &all, NULL), 0);
    in_both(look_at_signals);
    /* The program's are as they were. */
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &now), 0);
    assert_true(sigismember(&now, SIGTERM) == 1 && sigismember(&now, SIGUSR1) == 1);
    assert_true(signal(SIGPIPE, SIG_DFL) == SIG_IGN);
    assert_true(signal(SIGUSR1, SIG_DFL) == catch_nothing);
}

static atomic_int interruptions;

static void count_interruption(int number)
{
    (void)number;
    interruptions++;
}

static void *interrupt(void *arg)
{
    pthread_t *whom = arg;
    while (atomic_load(&interruptions) >= 0) {
        pthread_kill(*whom, SIGUSR1);
        doze(SALP_MICROSECONDS(300));
    }
    return NULL;
}

/* Its handler would run in the child as well, in our memory, if it could. */
static void a_storm_of_signals_disturbs_nothing(void **state)
{
    pthread_t self = pthread_self(), storm;
    struct sigaction action = { .sa_handler = count_interruption }; /* calls are interrupted, not begun again */
    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(pthread_create(&storm, NULL, interrupt, &self), 0);
    int rounds = 0;
    int64_t end = clock_now() + patience();
    do {
        expect(SH("cat; echo err >&2; sleep 0.01"), WITH(.input = "text", .input_size = 4), 0, "text", "err\n");
        expect_error(ARGV("/salp-no-such-program"), NULL, -ENOENT);
    } while ((++rounds < 20 || interruptions < 20) && clock_now() < end);
    int came = atomic_exchange(&interruptions, -1000000);
    assert_int_equal(pthread_join(storm, NULL), 0);
    assert_true(came >= 20);
}

static int look_at_group(void *arg)
{
    char ours[20];
    (void)arg;
    snprintf(ours, sizeof ours, "%d\n", (int)getpgrp());
    expect(SH("[ $(cut -d' ' -f5 /proc/$$/stat) = $$ ]"), NULL, 0, "", "");
    expect(SH("cut -d' ' -f5 /proc/$$/stat"), WITH(.same_group = true), 0, ours, "");
    expect(SH("cut -d' ' -f5 /proc/$$/stat"), WITH(.in = SALP_PASSED), 0, ours, "");
    return 0;
}

static void a_command_leads_a_group_of_its_own(void **state)
{
    (void)state;
    in_both(look_at_group);
}

static void errno_stays(void **state)
{
    salp_command *command;
    (void)state;
    errno = 4711;
    assert_int_equal(salp_command_start(&command, ARGV("/salp-no-such-program"), NULL), -ENOENT);
    assert_int_equal(errno, 4711);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what cannot be executed is an error of the call", what_cannot_be_executed_is_an_error_of_the_call),
        TEST("a name is looked up in PATH", a_name_is_looked_up_in_path),
        TEST("a program that is still being written is waited for",
             a_program_that_is_still_being_written_is_waited_for),
        TEST("the environment is given or changed", the_environment_is_given_or_changed),
        TEST("the folder is the command's alone", the_folder_is_the_commands_alone),
        TEST("no descriptor leaks into a command", no_descriptor_leaks_into_a_command),
        TEST("a descriptor that is not open is an error", a_descriptor_that_is_not_open_is_an_error),
        TEST("the ends of a command block", the_ends_of_a_command_block),
        TEST("the three come from anywhere", the_three_come_from_anywhere),
        TEST("too few descriptors are an error", too_few_descriptors_are_an_error),
        TEST("a command has all signals as by default", a_command_has_all_signals_as_by_default),
        TEST("a storm of signals disturbs nothing", a_storm_of_signals_disturbs_nothing),
        TEST("a command leads a group of its own", a_command_leads_a_group_of_its_own),
        TEST("errno stays", errno_stays),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
