/*
 * Commands, while calls of the system and allocations fail one by one: each run ends with success or with an error, and leaves
 * no process, no descriptor and no memory behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <salp/command.h>
#include <salp/task.h>

#include "os/fault.h"

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })

static bool is_documented(int result)
{
    return result == 0 || result == -ENOMEM || result == -EMFILE || result == -EAGAIN || result == -EIO ||
           result == -ECONNRESET; /* of a stream that is its input */
}

/* Runs it until no call is left to fail. When a tree is looked for, there are some for each process of the system: then not
   for each of them. */
static void sweep(salp_fn *function)
{
    int descriptors = test_count_descriptors(), result;
    long number = 0;
    bool fired;
    do {
        number += number < 50 ? 1 : number / 5;
        salp__fault_arm(SALP__PROGRAM, number);
        result = function(NULL);
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        if (result != 0)
            print_message("call %ld fails: %s\n", number, salp_strerror(result));
        assert_true(is_documented(result) && (fired || result == 0));
        assert_int_equal(test_count_descriptors(), descriptors);
        assert_true(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* neither a process nor a zombie */
    } while (fired);
    assert_int_equal(result, 0);
    assert_true(number > 5);
}

static int in_task(void *function)
{
    return ((salp_fn *)function)(NULL);
}

/* The same in a task; what the loop needs fails, too. */
static salp_fn *inner;

static int run_in_task(void *arg)
{
    (void)arg;
    return salp_run(in_task, (void *)inner);
}

static void sweep_both(salp_fn *function)
{
    sweep(function);
    inner = function;
    sweep(run_in_task);
}

/* ---- what is done ---- */

static int converse(void *arg)
{
    salp_output o;
    (void)arg;
    int result = salp_command_run(ARGV("sh", "-c", "cat; echo err >&2; exit 3"),
                                  &(salp_command_options){ .input = "text",
                                                           .input_size = 4,
                                                           .cwd = "/",
                                                           .env_changes = ARGV("A=b"),
                                                           .keep = (const int[]){ 2 },
                                                           .keep_count = 1 },
                                  &o);
    if (result == 0) {
        EXPECT(o.exit_status == 3 && strcmp(o.err, "err\n") == 0);
        /* A pipe that breaks is no error: the command had less of the input. */
        EXPECT(strcmp(o.out, "text") == 0 || (o.out_size == 0 && salp__fault_fired()));
    }
    salp_output_free(&o);
    return result;
}

static void a_command_that_runs_survives(void **state)
{
    (void)state;
    sweep_both(converse);
}

/* Children that were reaped leave some. */
static long faults_of_children(void)
{
    struct rusage usage;
    EXPECT(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    return usage.ru_minflt;
}

static int feed(void *arg)
{
    salp_stream *ours, *its;
    salp_output o;
    (void)arg;
    int result = salp_stream_pair(&ours, &its);
    if (result < 0)
        return result;
    int64_t written = salp_write(ours, "text", 4);
    result = written == -EPIPE ? -EIO : written < 0 ? (int)written : salp_shutdown(ours);
    if (result == 0) {
        long before = faults_of_children();
        result = salp_command_run(ARGV("cat"), &(salp_command_options){ .input_stream = its }, &o);
        EXPECT((o.wall > 0) == (faults_of_children() > before)); /* the output tells of what was started */
        EXPECT(result < 0 || o.out_size == 4 || salp__fault_fired());
        salp_output_free(&o);
    }
    salp_stream_close(ours);
    salp_stream_close(its);
    return result;
}

static void input_from_a_stream_survives(void **state)
{
    (void)state;
    sweep_both(feed);
}

static void count_line(int fd, const char *line, size_t size, void *arg)
{
    EXPECT(fd == 1 && size == 1 && line[0] == 'x');
    ++*(int *)arg;
}

static int tell(void *arg)
{
    int lines = 0;
    (void)arg;
    int result = salp_command_run(ARGV("printf", "x\nx\nx"),
                                  &(salp_command_options){ .on_line = count_line, .arg = &lines }, NULL);
    EXPECT(result < 0 || lines == 3);
    return result;
}

static void lines_survive(void **state)
{
    (void)state;
    sweep_both(tell);
}

/* Its tree has somebody outside of its group, and is ended as soon as he has told his number; all are gone, whatever has
   failed. */
typedef struct ending {
    salp_scope scope;
    pid_t pid;
} ending;

static void note_and_cancel(int fd, const char *line, size_t size, void *arg)
{
    ending *e = arg;
    (void)fd, (void)size;
    e->pid = atoi(line);
    salp_scope_cancel(&e->scope);
}

static int end_tree(void *arg)
{
    ending e = { .pid = 0 };
    salp_output o;
    (void)arg;
    salp_scope_open(&e.scope, SALP_FOREVER);
    int result = salp_command_run(ARGV("sh", "-c", "setsid sh -c 'echo $$; exec sleep 100000' & wait"),
                                  &(salp_command_options){ .on_line = note_and_cancel, .arg = &e }, &o);
    salp_scope_close(&e.scope);
    EXPECT(result < 0);
    if (result == -ECANCELED)
        EXPECT(e.pid > 0 && !o.timed_out && o.exit_status == -1);
    EXPECT(e.pid == 0 || test_gone(e.pid, SALP_SECONDS(20)));
    salp_output_free(&o);
    return result == -ECANCELED ? 0 : result;
}

static void ending_a_tree_survives(void **state)
{
    (void)state;
    sweep_both(end_tree);
}

static int start(void *arg)
{
    salp_command *command;
    salp_output o;
    char text[10];
    (void)arg;
    int result = salp_command_start(&command, ARGV("cat"), NULL);
    if (result < 0)
        return result;
    int64_t moved = salp_write(salp_command_stdin(command), "text", 4);
    if (moved == 4) {
        EXPECT(salp_shutdown(salp_command_stdin(command)) == 0);
        moved = salp_read_exactly(salp_command_stdout(command), text, 4);
        if (moved == 4)
            moved = salp_command_wait(command, &o);
        EXPECT(moved < 0 || o.exit_status == 0);
    }
    EXPECT(salp_command_close(command) == 0);
    return moved == -EPIPE ? -EIO : (int)moved;
}

static void a_command_beside_us_survives(void **state)
{
    (void)state;
    sweep_both(start);
}

static int leave_running(void *arg)
{
    salp_command *command;
    (void)arg;
    int result = salp_command_start(&command, ARGV("sleep", "100000"), NULL);
    if (result == 0) {
        EXPECT(salp_command_terminate(command) == 0);
        EXPECT(salp_command_close(command) == 0);
    }
    return result;
}

static void closing_survives(void **state)
{
    (void)state;
    sweep_both(leave_running);
}

static int no_program(void *arg)
{
    salp_output o;
    (void)arg;
    int result = salp_command_run(ARGV("salp-no-such-program"), NULL, &o);
    return result == -ENOENT ? 0 : result;
}

static void a_program_that_is_not_there_survives(void **state)
{
    (void)state;
    sweep_both(no_program);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a command that runs survives", a_command_that_runs_survives),
        TEST("input from a stream survives", input_from_a_stream_survives),
        TEST("lines survive", lines_survive),
        TEST_LIMIT("ending a tree survives", ending_a_tree_survives, 100),
        TEST("a command beside us survives", a_command_beside_us_survives),
        TEST("closing survives", closing_survives),
        TEST("a program that is not there survives", a_program_that_is_not_there_survives),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
