/*
 * How commands are ended, with all that has come from them, and that nobody waits for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <sys/wait.h>

/* ---- time-outs and scopes ---- */

static int time_out(void *arg)
{
    salp_output o;
    (void)arg;
    EXPECT(salp_command_run(ARGV("sleep", "100000"), WITH(.timeout = SALP_MILLISECONDS(1)), &o) == -ETIMEDOUT);
    EXPECT(o.timed_out && o.exit_status == -1 && o.signal == SIGTERM && o.out_size == 0 && o.wall > 0);
    salp_output_free(&o);
    EXPECT(salp_command_run(ARGV("sleep", "100000"), WITH(.timeout = SALP_MILLISECONDS(1), .kill_after = -1), &o) ==
           -ETIMEDOUT);
    EXPECT(o.timed_out && o.exit_status == -1 && o.signal == SIGKILL);
    salp_output_free(&o);
    expect(ARGV("true"), WITH(.timeout = SALP_FOREVER), 0, "", "");
    return 0;
}

static void a_time_out_ends_a_command(void **state)
{
    (void)state;
    in_both(time_out);
}

static int end_by_scope(void *arg)
{
    salp_scope scope;
    salp_output o;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    int result = salp_command_run(ARGV("sleep", "100000"), NULL, &o);
    EXPECT(result == -ETIMEDOUT && !o.timed_out);
    /* It was over before the command began, or it has ended it. */
    EXPECT(o.exit_status == -1 && (o.signal == SIGTERM || (o.signal == 0 && o.wall == 0)));
    salp_output_free(&o);
    EXPECT(salp_command_run(ARGV("true"), NULL, &o) == -ETIMEDOUT && o.wall == 0);
    EXPECT(salp_system("true") == -ETIMEDOUT);
    salp_command *command;
    EXPECT(salp_command_start(&command, ARGV("true"), NULL) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    expect(ARGV("true"), NULL, 0, "", "");
    return 0;
}

static void a_deadline_ends_a_command(void **state)
{
    (void)state;
    in_both(end_by_scope);
}

static int end_fed(void *arg)
{
    salp_stream *ours, *its;
    salp_output o;
    salp_scope scope;
    (void)arg;
    EXPECT(salp_stream_pair(&ours, &its) == 0);
    EXPECT(salp_command_run(ARGV("cat"), WITH(.input_stream = its, .timeout = 1), &o) == -ETIMEDOUT && o.timed_out);
    salp_output_free(&o);
    salp_scope_open(&scope, SALP_MILLISECONDS(20));
    EXPECT(salp_command_run(ARGV("cat"), WITH(.input_stream = its), &o) == -ETIMEDOUT && !o.timed_out);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_output_free(&o);
    EXPECT(salp_command_run(ARGV("salp-no-such-program"), WITH(.input_stream = its), &o) == -ENOENT);
    salp_stream_close(ours);
    salp_stream_close(its);
    return 0;
}

static void a_command_is_ended_while_its_stream_gives_nothing(void **state)
{
    (void)state;
    in_both(end_fed);
}

/* ---- trees ---- */

enum { MAX = 16 };

/* The pids that a command tells in lines of "pid NUMBER"; when the last one is "ready", its scope is cancelled. */
typedef struct tale {
    salp_scope *scope;
    pid_t pids[MAX];
    int count;
} tale;

static void note(int fd, const char *line, size_t size, void *arg)
{
    tale *t = arg;
    (void)fd, (void)size;
    if (strncmp(line, "pid ", 4) == 0 && t->count < MAX)
        t->pids[t->count++] = atoi(line + 4);
    else if (strcmp(line, "ready") == 0)
        salp_scope_cancel(t->scope);
}

/* Runs the script until it says "ready"; then everybody that it has told of ends. */
static void cancel_when_ready(const char *script, int pids, const salp_command_options *options)
{
    salp_scope scope;
    salp_output o;
    tale t = { .scope = &scope };
    salp_command_options own = *options;
    own.on_line = note;
    own.arg = &t;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_command_run(SH(script), &own, &o) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    EXPECT(o.exit_status == -1 && o.signal != 0 && !o.timed_out);
    EXPECT(t.count == pids);
    for (int i = 0; i < t.count; i++)
        EXPECT(test_gone(t.pids[i], patience()));
    salp_output_free(&o);
}

#define SAY(what) "echo pid $" what "; "

static int end_trees(void *arg)
{
    static const salp_command_options soon = { .kill_after = SALP_MILLISECONDS(1) };
    (void)arg;
    /* It alone, and it with children. */
    cancel_when_ready(SAY("$") "echo ready; sleep 100000", 1, WITH(.linger = 0));
    cancel_when_ready(SAY("$") "sleep 100000 & " SAY("!") "sleep 100000 & " SAY("!") "echo ready; wait", 3,
                      WITH(.linger = 0));
    /* It ignores SIGTERM, as its children do then: they have to be killed. */
    cancel_when_ready("trap '' TERM; sleep 100000 & " SAY("!") "echo ready; sleep 100000; sleep 100000", 1, &soon);
    /* Its child ignores SIGTERM, it does not: it is gone first. */
    cancel_when_ready("(trap '' TERM; sleep 100000) & " SAY("!") "echo ready; sleep 100000", 1, &soon);
    /* A child in a session of its own, one below that, one that was orphaned. */
    cancel_when_ready("setsid sh -c '" SAY("$") "echo $! ; sleep 100000 & " SAY("!") "echo ready; wait' & wait", 2,
                      &soon);
    cancel_when_ready("(setsid sh -c '" SAY("$") "echo ready; sleep 100000; :' &); sleep 100000", 1, &soon);
    cancel_when_ready(
        "(setsid sh -c 'trap \"\" TERM; " SAY("$") "echo ready; while :; do sleep 1; done' &); sleep 100000", 1, &soon);
    /* It is stopped, and does not notice before it goes on. */
    cancel_when_ready(SAY("$") "echo ready; kill -STOP $$; sleep 100000", 1, WITH(.linger = 0));
    /* In our group, which is not to be ended. */
    cancel_when_ready(SAY("$") "(setsid sh -c '" SAY("$") "echo ready; sleep 100000; :' &); sleep 100000", 2,
                      WITH(.same_group = true));
    return 0;
}

static void a_whole_tree_is_ended(void **state)
{
    (void)state;
    in_both(end_trees);
}

static void wait_at_the_end(int fd, const char *line, size_t size, void *arg)
{
    (void)fd, (void)size;
    if (strcmp(line, "ready") == 0)
        salp_scope_cancel(arg);
    else
        EXPECT(strcmp(line, "last") == 0 && salp_sleep(SALP_FOREVER) == -ECANCELED);
}

/* What the command writes when it is asked to end is told by a function that waits. */
static int end_a_listener(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_command_run(SH("trap 'echo last; exit' TERM; echo ready; while :; do :; done"),
                            WITH(.on_line = wait_at_the_end, .arg = &scope, .kill_after = SALP_FOREVER),
                            NULL) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    return 0;
}

static void a_scope_ends_also_who_listens_to_the_last_lines(void **state)
{
    (void)state;
    in_both(end_a_listener);
}

static int keep_living(void *arg)
{
    salp_output o;
    (void)arg;
    /* What it has left behind when it ended by itself lives on, and holds its output. */
    EXPECT(salp_command_run(SH("sleep 100000 & echo $!; echo err >&2; exit 3"), WITH(.linger = 1), &o) == 0);
    EXPECT(o.exit_status == 3 && o.held && strcmp(o.err, "err\n") == 0);
    pid_t left = atoi(o.out);
    salp_output_free(&o);
    EXPECT(left > 1 && kill(left, 0) == 0);
    EXPECT(kill(left, SIGKILL) == 0 && test_gone(left, patience()));

    /* Nobody waits for who holds nothing. */
    EXPECT(salp_command_run(SH("sleep 100000 > /dev/null 2>&1 & echo $!"), WITH(.linger = SALP_FOREVER), &o) == 0);
    EXPECT(o.exit_status == 0 && !o.held);
    left = atoi(o.out);
    salp_output_free(&o);
    EXPECT(kill(left, SIGKILL) == 0 && test_gone(left, patience()));

    /* Who is patient, gets all. */
    expect(SH("(sleep 0.1; echo late) & echo early"), WITH(.linger = SALP_FOREVER), 0, "early\nlate\n", "");
    return 0;
}

static void what_a_command_leaves_behind_lives_and_holds_nobody_up(void **state)
{
    (void)state;
    in_both(keep_living);
}

/* The command has ended; its group is still its tree. */
static int cancel_late(void *arg)
{
    salp_scope scope;
    salp_output o;
    tale t = { .scope = &scope };
    (void)arg;
    salp_scope_open(&scope, SALP_FOREVER);
    int result = salp_command_run(SH("(until grep -q 'State:.Z' /proc/$$/status; do :; done; sh -c '" SAY(
                                      "$") "echo ready; exec sleep 100000') &"),
                                  WITH(.linger = SALP_FOREVER, .on_line = note, .arg = &t), &o);
    EXPECT(result == -ECANCELED && salp_scope_close(&scope) == -ECANCELED);
    EXPECT(o.exit_status == 0);
    EXPECT(t.count == 1 && test_gone(t.pids[0], patience()));
    salp_output_free(&o);
    return 0;
}

static void a_scope_ends_those_who_only_hold_the_output(void **state)
{
    (void)state;
    in_both(cancel_late);
}

static int cancel_from_task(void *arg)
{
    EXPECT(salp_sleep(SALP_MILLISECONDS(5)) == 0);
    salp_group_cancel(arg);
    return 0;
}

static int sleep_long(void *arg)
{
    salp_output o;
    (void)arg;
    int result = salp_command_run(ARGV("sleep", "100000"), NULL, &o);
    salp_output_free(&o);
    return result;
}

static int cancel_group(void *arg)
{
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_go(&group, sleep_long, NULL) == 0);
    EXPECT(salp_go(&group, cancel_from_task, &group) == 0);
    EXPECT(salp_group_close(&group) == -ECANCELED);
    EXPECT(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD);
    return 0;
}

static void a_cancelled_group_has_no_commands_left(void **state)
{
    (void)state;
    assert_int_equal(salp_run(cancel_group, NULL), 0);
}

static int system_in_scope(void *arg)
{
    salp_scope scope;
    char line[400];
    const char *path = scratch_path("pid");
    (void)arg;
    snprintf(line, sizeof line, "sleep 100000 & echo $! > %s.new; mv %s.new %s; wait", path, path, path);
    /* With so little time that it may not have begun, and then more and more. */
    for (int64_t time = SALP_MILLISECONDS(10);; time *= 2) {
        unlink(path);
        salp_scope_open(&scope, time);
        EXPECT(salp_system(line) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        int pid = 0;
        EXPECT(fscanf(file, "%d", &pid) == 1 && fclose(file) == 0);
        EXPECT(test_gone(pid, patience()));
        return 0;
    }
}

static void a_scope_ends_what_a_line_of_the_shell_has_started(void **state)
{
    (void)state;
    in_both(system_in_scope);
    scratch_remove();
}

/* ---- who reaps ---- */

static void look_at_end(const char *const argv[], int exit_status, int signal)
{
    salp_output o;
    int result = salp_command_run(argv, NULL, &o);
    EXPECT(result == 0 || result == -ECHILD);
    if (result == 0)
        EXPECT(o.exit_status == exit_status && o.signal == signal);
    else
        EXPECT(o.exit_status == -1 && o.signal == 0);
    salp_output_free(&o);
}

static int end_in_all_ways(void *arg)
{
    (void)arg;
    look_at_end(SH("exit 0"), 0, 0);
    look_at_end(SH("exit 7"), 7, 0);
    look_at_end(SH("kill -KILL $$"), -1, SIGKILL);
    expect_error(ARGV("salp-no-such-program"), NULL, -ENOENT);
    salp_output o;
    EXPECT(salp_command_run(ARGV("sleep", "100000"), WITH(.timeout = 1), &o) == -ETIMEDOUT && o.timed_out);
    salp_output_free(&o);
    return 0;
}

static void a_program_may_ignore_sigchld(void **state)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, default_and_gone = { .sa_flags = SA_NOCLDWAIT };
    (void)state;
    assert_int_equal(sigaction(SIGCHLD, &ignore, NULL), 0);
    in_both(end_in_all_ways);
    assert_int_equal(sigaction(SIGCHLD, &default_and_gone, NULL), 0);
    in_both(end_in_all_ways);
}

static atomic_int reaping;

static void *reap_all(void *arg)
{
    (void)arg;
    while (atomic_load(&reaping)) {
        if (waitpid(-1, NULL, 0) < 0)
            doze(SALP_MICROSECONDS(100));
    }
    return NULL;
}

static void a_program_may_reap_everybody_itself(void **state)
{
    pthread_t thread;
    (void)state;
    reaping = 1;
    assert_int_equal(pthread_create(&thread, NULL, reap_all, NULL), 0);
    for (int i = 0; i < test_scale(30); i++)
        in_both(end_in_all_ways);
    reaping = 0;
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void nothing_is_left_to_reap(void **state)
{
    (void)state;
    in_both(end_in_all_ways);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* ---- beside us ---- */

static int start_and_wait(void *arg)
{
    salp_command *command;
    salp_output o;
    (void)arg;
    EXPECT(salp_command_start(&command, SH("exit 9"), NULL) == 0);
    EXPECT(salp_command_pid(command) > 1);
    for (int i = 0; i < 2; i++) {
        EXPECT(salp_command_wait(command, &o) == 0);
        EXPECT(o.exit_status == 9 && o.signal == 0 && o.wall > 0 && o.out == NULL);
    }
    EXPECT(salp_command_wait(command, NULL) == 0);
    EXPECT(salp_command_terminate(command) == 0 && salp_command_kill(command) == 0);
    EXPECT(salp_command_signal(command, SIGTERM) == -ESRCH);
    EXPECT(salp_command_close(command) == 0);
    return 0;
}

static void a_command_is_started_and_waited_for(void **state)
{
    (void)state;
    in_both(start_and_wait);
}

static int talk(void *arg)
{
    salp_command *command;
    salp_output o;
    char line[100];
    (void)arg;
    EXPECT(salp_command_start(&command, SH("while read x; do echo \"<$x>\"; done; echo end >&2; exit 5"), NULL) == 0);
    for (int i = 0; i < 20; i++) {
        EXPECT(salp_write(salp_command_stdin(command), "word\n", 5) == 5);
        EXPECT(salp_read_line(salp_command_stdout(command), line, sizeof line) == 7 && strcmp(line, "<word>\n") == 0);
    }
    EXPECT(salp_shutdown(salp_command_stdin(command)) == 0);
    EXPECT(salp_read_line(salp_command_stderr(command), line, sizeof line) == 4 && strcmp(line, "end\n") == 0);
    EXPECT(salp_read(salp_command_stdout(command), line, sizeof line) == 0);
    EXPECT(salp_command_wait(command, &o) == 0 && o.exit_status == 5);
    EXPECT(salp_command_close(command) == 0);

    /* Whoever reads from one that says nothing is ended by his scope. */
    salp_scope scope;
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), WITH(.in = SALP_DISCARDED, .merge_stderr = true)) ==
           0);
    EXPECT(salp_command_stdin(command) == NULL && salp_command_stderr(command) == NULL);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_read(salp_command_stdout(command), line, sizeof line) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_command_close(command) == 0);
    EXPECT(salp_command_stdin(NULL) == NULL && salp_command_stdout(NULL) == NULL && salp_command_stderr(NULL) == NULL);
    return 0;
}

static void one_talks_with_a_started_command(void **state)
{
    (void)state;
    in_both(talk);
}

static int end_started(void *arg)
{
    salp_command *command;
    salp_output o;
    (void)arg;
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    EXPECT(salp_command_terminate(command) == 0);
    EXPECT(salp_command_wait(command, &o) == 0 && o.signal == SIGTERM && !o.timed_out);
    EXPECT(salp_command_close(command) == 0);

    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    EXPECT(salp_command_kill(command) == 0);
    EXPECT(salp_command_wait(command, &o) == 0 && o.signal == SIGKILL);
    EXPECT(salp_command_close(command) == 0);

    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    EXPECT(salp_command_signal(command, 1000) == -EINVAL);
    EXPECT(salp_command_signal(command, SIGUSR1) == 0);
    EXPECT(salp_command_wait(command, &o) == 0 && o.signal == SIGUSR1);
    EXPECT(salp_command_close(command) == 0);

    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), WITH(.timeout = SALP_MILLISECONDS(1))) == 0);
    EXPECT(salp_command_wait(command, &o) == -ETIMEDOUT && o.timed_out && o.signal == SIGTERM);
    EXPECT(salp_command_wait(command, &o) == 0 && o.timed_out && o.signal == SIGTERM);
    EXPECT(salp_command_close(command) == 0);
    return 0;
}

static void a_started_command_is_ended(void **state)
{
    (void)state;
    in_both(end_started);
}

static int close_running(void *arg)
{
    salp_command *command;
    (void)arg;
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    pid_t pid = salp_command_pid(command);
    EXPECT(salp_command_close(command) == 0);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
    /* Also one that takes its time, and in a scope that is over. */
    salp_scope scope;
    EXPECT(salp_command_start(&command, SH("trap '' TERM; while :; do sleep 1; done"), WITH(.kill_after = 1)) == 0);
    pid = salp_command_pid(command);
    salp_scope_open(&scope, 0);
    EXPECT(salp_command_close(command) == 0);
    EXPECT(salp_scope_close(&scope) == 0);
    EXPECT(kill(pid, 0) < 0 && errno == ESRCH);
    return 0;
}

static void closing_ends_a_command_within_bounds(void **state)
{
    (void)state;
    in_both(close_running);
}

static int leave_waiting(void *arg)
{
    salp_command *command;
    salp_scope scope;
    salp_output o;
    (void)arg;
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_command_wait(command, &o) == -ETIMEDOUT && o.exit_status == -1 && o.signal == 0);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_command_signal(command, 0) == 0); /* it lives */
    EXPECT(salp_command_close(command) == 0);
    return 0;
}

static void a_scope_ends_the_waiting_not_the_started_command(void **state)
{
    (void)state;
    in_both(leave_waiting);
}

static int end_it(void *command)
{
    EXPECT(salp_command_end(command) == 0);
    return 0;
}

/* Who has left its group holds its output: that ends only if all of the tree do. */
static int end_beside_reader(void *arg)
{
    static const char script[] = "trap 'echo asked; exit 3' TERM; setsid sleep 100000 & echo ready; wait; wait";
    salp_command *command;
    salp_group group;
    salp_scope scope;
    salp_output o;
    char line[16];
    (void)arg;
    EXPECT(salp_command_start(&command, SH(script), NULL) == 0);
    EXPECT(salp_read_line(salp_command_stdout(command), line, sizeof line) == 6 && strcmp(line, "ready\n") == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, end_it, command) == 0);
    EXPECT(salp_read_line(salp_command_stdout(command), line, sizeof line) == 6 && strcmp(line, "asked\n") == 0);
    EXPECT(salp_read(salp_command_stdout(command), line, sizeof line) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(salp_command_wait(command, &o) == 0 && o.exit_status == 3 && !o.timed_out);
    EXPECT(salp_command_end(command) == 0);
    EXPECT(salp_command_close(command) == 0);
    EXPECT(salp_command_end(NULL) == -EINVAL);

    /* A scope that is over does not keep it from being ended. */
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), WITH(.kill_after = -1)) == 0);
    salp_scope_open(&scope, 0);
    EXPECT(salp_command_end(command) == 0);
    EXPECT(salp_command_signal(command, 0) == -ESRCH);
    salp_scope_close(&scope);
    return salp_command_close(command);
}

static void a_tree_is_ended_while_its_output_is_read(void **state)
{
    (void)state;
    assert_int_equal(salp_run(end_beside_reader, NULL), 0);
}

static int wait_for_it(void *command)
{
    salp_output o;
    EXPECT(salp_command_wait(command, &o) == 0 && o.signal == SIGKILL);
    return 0;
}

static void *wait_in_thread(void *command)
{
    wait_for_it(command);
    return NULL;
}

static int wait_together(void *arg)
{
    salp_command *command;
    salp_group group;
    pthread_t thread;
    (void)arg;
    EXPECT(salp_command_start(&command, ARGV("sleep", "100000"), NULL) == 0);
    EXPECT(pthread_create(&thread, NULL, wait_in_thread, command) == 0);
    salp_group_open(&group);
    for (int i = 0; i < 5; i++)
        EXPECT(salp_go(&group, wait_for_it, command) == 0);
    EXPECT(salp_yield() == 0);
    EXPECT(salp_command_kill(command) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(pthread_join(thread, NULL) == 0);
    return salp_command_close(command);
}

static void several_wait_for_one_command(void **state)
{
    (void)state;
    assert_int_equal(salp_run(wait_together, NULL), 0);
}

static void a_fork_leaves_the_programs_commands_alone(void **state)
{
    salp_command *command;
    int status;
    (void)state;
    assert_int_equal(salp_command_start(&command, ARGV("sleep", "100000"), NULL), 0);
    pid_t child = fork();
    if (child == 0) {
        bool right = salp_command_wait(command, NULL) == SALP_EFORKED && salp_command_kill(command) == SALP_EFORKED &&
                     salp_command_terminate(command) == SALP_EFORKED &&
                     salp_command_signal(command, SIGTERM) == SALP_EFORKED && salp_command_close(command) == 0;
        _exit(right ? 0 : 1);
    }
    assert_true(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    assert_int_equal(salp_command_signal(command, 0), 0);
    assert_int_equal(salp_command_close(command), 0);
}

/* One that is ended, and one that is closed: either is killed, and may have ended at once. */
struct pair {
    salp_command *ended, *closed;
};

static void call_back(void *arg)
{
    struct pair *pair = arg;
    salp_output o;
    EXPECT(salp_command_run(ARGV("true"), NULL, &o) == SALP_EINSIDE && o.exit_status == -1);
    EXPECT(salp_system("true") == SALP_EINSIDE);
    EXPECT(salp_command_start(&pair->ended, ARGV("sleep", "1000"), NULL) == 0);
    EXPECT(salp_command_wait(pair->ended, &o) == SALP_EINSIDE);
    EXPECT(salp_command_end(pair->ended) == SALP_EINSIDE);
    salp_command *closed;
    EXPECT(salp_command_start(&closed, ARGV("sleep", "1000"), NULL) == 0);
    EXPECT(salp_command_close(closed) == SALP_EINSIDE);
    pair->closed = closed;
}

static void expect_killed(salp_command *command)
{
    salp_output o;
    EXPECT(salp_command_wait(command, &o) == 0 && o.signal == SIGKILL);
    EXPECT(salp_command_close(command) == 0);
}

static int wait_for_callback(void *arg)
{
    struct pair pair = { NULL, NULL };
    (void)arg;
    EXPECT(salp_loop_call(salp_loop_current(), call_back, &pair) == 0);
    while (!pair.closed)
        EXPECT(salp_yield() == 0);
    expect_killed(pair.ended);
    expect_killed(pair.closed);
    return 0;
}

static void callbacks_of_a_loop_start_but_do_not_wait(void **state)
{
    (void)state;
    assert_int_equal(salp_run(wait_for_callback, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a time-out ends a command", a_time_out_ends_a_command),
        TEST("a deadline ends a command", a_deadline_ends_a_command),
        TEST("a command is ended while its stream gives nothing", a_command_is_ended_while_its_stream_gives_nothing),
        TEST_LIMIT("a whole tree is ended", a_whole_tree_is_ended, 100),
        TEST("a scope ends also who listens to the last lines", a_scope_ends_also_who_listens_to_the_last_lines),
        TEST("what a command leaves behind lives, and holds nobody up",
             what_a_command_leaves_behind_lives_and_holds_nobody_up),
        TEST("a scope ends those who only hold the output", a_scope_ends_those_who_only_hold_the_output),
        TEST("a cancelled group has no commands left", a_cancelled_group_has_no_commands_left),
        TEST("a scope ends what a line of the shell has started", a_scope_ends_what_a_line_of_the_shell_has_started),
        TEST("a program may ignore SIGCHLD", a_program_may_ignore_sigchld),
        TEST("a program may reap everybody itself", a_program_may_reap_everybody_itself),
        TEST("nothing is left to reap", nothing_is_left_to_reap),
        TEST("a command is started and waited for", a_command_is_started_and_waited_for),
        TEST("one talks with a started command", one_talks_with_a_started_command),
        TEST("a started command is ended", a_started_command_is_ended),
        TEST("closing ends a command within bounds", closing_ends_a_command_within_bounds),
        TEST("a scope ends the waiting, not the started command", a_scope_ends_the_waiting_not_the_started_command),
        TEST("a tree is ended while its output is read", a_tree_is_ended_while_its_output_is_read),
        TEST("several wait for one command", several_wait_for_one_command),
        TEST("a fork leaves the program's commands alone", a_fork_leaves_the_programs_commands_alone),
        TEST("callbacks of a loop start but do not wait", callbacks_of_a_loop_start_but_do_not_wait),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
