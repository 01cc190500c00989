/*
 * Commands: what goes in, what comes out, and how they end by themselves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "commands.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- output ---- */

static int tell_how_they_end(void *arg)
{
    (void)arg;
    expect(ARGV("echo", "hello", "world"), NULL, 0, "hello world\n", "");
    expect(SH("echo out; echo err >&2; exit 3"), NULL, 3, "out\n", "err\n");
    expect(ARGV("true"), NULL, 0, "", "");
    expect(SH("exit 127"), NULL, 127, "", "");
    expect(SH("printf 'a\\0b' | tr '\\0' x"), NULL, 0, "axb", "");

    salp_output o;
    EXPECT(salp_command_run(SH("echo out; kill -KILL $$"), NULL, &o) == 0);
    EXPECT(o.signal == SIGKILL && o.exit_status == -1 && strcmp(o.out, "out\n") == 0);
    salp_output_free(&o);
    salp_output_free(NULL);
    return 0;
}

static void the_output_tells_how_a_command_ended(void **state)
{
    (void)state;
    in_both(tell_how_they_end);
}

static int without_an_output(void *arg)
{
    (void)arg;
    EXPECT(salp_command_run(SH("echo ignored; exit 0"), NULL, NULL) == 0);
    EXPECT(salp_command_run(SH("head -c 1000000 /dev/zero; exit 7"), NULL, NULL) == SALP_EFAILED);
    EXPECT(salp_command_run(SH("kill -TERM $$"), NULL, NULL) == SALP_EKILLED);
    return 0;
}

static void without_an_output_a_failure_is_an_error(void **state)
{
    (void)state;
    in_both(without_an_output);
}

static int fill_both_pipes(void *arg)
{
    (void)arg;
    salp_output o;
    EXPECT(salp_command_run(SH("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2;"
                               "head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"),
                            NULL, &o) == 0);
    EXPECT(o.out_size == 2000000 && o.err_size == 2000000 && o.exit_status == 0);
    EXPECT(o.out[0] == 0 && o.out[1999999] == 0 && o.out[2000000] == 0);
    salp_output_free(&o);
    return 0;
}

static void full_pipes_do_not_stop_a_command(void **state)
{
    (void)state;
    in_both(fill_both_pipes);
}

static int bound(void *arg)
{
    (void)arg;
    salp_output o;
    EXPECT(salp_command_run(SH("printf 0123456789; head -c 3000000 /dev/zero; printf err >&2"), WITH(.limit_output = 5),
                            &o) == 0);
    EXPECT(o.exit_status == 0 && o.truncated);
    EXPECT(o.out_size == 5 && strcmp(o.out, "01234") == 0);
    EXPECT(o.err_size == 3 && strcmp(o.err, "err") == 0);
    salp_output_free(&o);
    expect(ARGV("printf", "01234"), WITH(.limit_output = 5), 0, "01234", "");
    return 0;
}

static void captured_output_is_bounded(void **state)
{
    (void)state;
    in_both(bound);
}

static int merge(void *arg)
{
    (void)arg;
    expect(SH("echo a; echo b >&2; echo c"), WITH(.merge_stderr = true), 0, "a\nb\nc\n", "(none)");
    expect(SH("echo a; echo b >&2"), WITH(.out = SALP_DISCARDED), 0, "(none)", "b\n");
    expect(SH("echo a; echo b >&2"), WITH(.out = SALP_DISCARDED, .merge_stderr = true), 0, "(none)", "(none)");
    expect(SH("echo a; echo b >&2"), WITH(.err = SALP_DISCARDED), 0, "a\n", "(none)");
    return 0;
}

static void outputs_are_merged_or_discarded(void **state)
{
    (void)state;
    in_both(merge);
}

static int use_files(void *arg)
{
    (void)arg;
    const char *path = scratch_path("log");
    expect(SH("echo 1; echo 2 >&2"), WITH(.out_path = path, .merge_stderr = true), 0, "(none)", "(none)");
    expect(ARGV("echo", "3"), WITH(.out_path = path, .append = true), 0, "(none)", "");
    expect(ARGV("cat"), WITH(.in_path = path), 0, "1\n2\n3\n", "");
    expect(ARGV("echo", "4"), WITH(.out_path = path), 0, "(none)", "");
    int fd = open(path, O_RDWR | O_APPEND | O_CLOEXEC);
    expect(ARGV("cat"), WITH(.in = SALP_DESCRIPTOR, .in_fd = fd), 0, "4\n", "");
    expect(ARGV("echo", "5"), WITH(.out = SALP_DESCRIPTOR, .out_fd = fd), 0, "(none)", "");
    expect(ARGV("cat"), WITH(.in_path = path), 0, "4\n5\n", "");
    EXPECT(close(fd) == 0);
    expect_error(ARGV("cat"), WITH(.in_path = scratch_path("none")), -ENOENT);
    expect_error(ARGV("cat"), WITH(.out_path = scratch()), -EISDIR);
    expect_error(ARGV("cat"), WITH(.in = SALP_DESCRIPTOR, .in_fd = -1), -EBADF);
    return 0;
}

static void output_goes_to_files_and_descriptors(void **state)
{
    (void)state;
    in_both(use_files);
    scratch_remove();
}

/* ---- input ---- */

static int echo_much(void *arg)
{
    enum { SIZE = 3000000 };
    (void)arg;
    char *text = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        text[i] = (char)(i * 7 + i / 4096);
    salp_output o;
    EXPECT(salp_command_run(ARGV("cat"), WITH(.input = text, .input_size = SIZE), &o) == 0);
    EXPECT(o.exit_status == 0 && o.out_size == SIZE && memcmp(o.out, text, SIZE) == 0);
    salp_output_free(&o);
    /* A command need not read it: nobody is killed by SIGPIPE, and that is no error. */
    expect(ARGV("true"), WITH(.input = text, .input_size = SIZE), 0, "", "");
    expect(SH("exec <&-; echo on; exec true"), WITH(.input = text, .input_size = SIZE), 0, "on\n", "");
    free(text);
    expect(ARGV("sort"), WITH(.input = "b\na\n", .input_size = 4), 0, "a\nb\n", "");
    expect(ARGV("cat"), NULL, 0, "", ""); /* an empty one, not ours */
    return 0;
}

static void input_is_given_while_output_is_taken(void **state)
{
    sigset_t pending;
    (void)state;
    in_both(echo_much);
    sigpending(&pending);
    assert_false(sigismember(&pending, SIGPIPE));
}

static void a_pending_sigpipe_of_the_program_stays(void **state)
{
    sigset_t set, pending;
    (void)state;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &set, NULL), 0);
    raise(SIGPIPE);
    echo_much(NULL);
    sigpending(&pending);
    assert_true(sigismember(&pending, SIGPIPE));
}

static int feed_from_stream(void *arg)
{
    static char text[10000];
    salp_stream *ours, *its;
    salp_output o;
    (void)arg;
    memset(text, 'x', sizeof text);
    EXPECT(salp_stream_pair(&ours, &its) == 0);
    EXPECT(salp_write(ours, text, sizeof text) == sizeof text && salp_shutdown(ours) == 0);
    EXPECT(salp_command_run(ARGV("cat"), WITH(.input_stream = its), &o) == 0);
    EXPECT(o.exit_status == 0 && o.out_size == sizeof text && memcmp(o.out, text, sizeof text) == 0);
    salp_output_free(&o);
    salp_stream_close(ours);
    salp_stream_close(its);

    /* The stream does not end, the command does. */
    EXPECT(salp_stream_pair(&ours, &its) == 0);
    EXPECT(salp_write(ours, "ab\ncd\n", 6) == 6);
    expect(ARGV("head", "-n", "1"), WITH(.input_stream = its), 0, "ab\n", "");
    salp_stream_close(ours);
    salp_stream_close(its);
    return 0;
}

static void input_comes_from_a_stream(void **state)
{
    (void)state;
    in_both(feed_from_stream);
}

/* The system counts what is polled by that limit, too. */
static int run_with_few(rlim_t count)
{
    struct rlimit limit;
    salp_output o;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    syscall(SYS_close_range, 0, ~0U, 0);
    setrlimit(RLIMIT_NOFILE, &limit);
    int error =
        salp_command_run(SH("read x; exit 7"),
                         WITH(.input = "hello", .input_size = 5, .out = SALP_DISCARDED, .err = SALP_DISCARDED), &o);
    return error == 0 ? o.exit_status != 7 : error != -EMFILE;
}

static void few_descriptors_are_told(void **state)
{
    (void)state;
    for (rlim_t count = 0; count < 16; count++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(run_with_few(count));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
}

/* ---- lines ---- */

enum { LONG = 200000, PIECE = 64 * 1024 };

static struct {
    char text[1000];
    size_t longest, bytes;
    int count;
    bool wrong;
} told;

static void tell(int fd, const char *line, size_t size, void *arg)
{
    size_t length = strlen(told.text);
    told.wrong |= arg != &told || line[size] != '\0' || strlen(line) != size;
    told.count++;
    told.bytes += size;
    told.longest = size > told.longest ? size : told.longest;
    snprintf(told.text + length, sizeof told.text - length, "%d:%.20s;", fd, line);
    salp_yield(); /* it may wait */
}

#define BY_LINE .on_line = tell, .arg = &told

static int tell_lines(void *arg)
{
    (void)arg;
    memset(&told, 0, sizeof told);
    expect(SH("printf 'a\\n\\nbc\\nlast'"), WITH(BY_LINE), 0, "(none)", "(none)");
    EXPECT(strcmp(told.text, "1:a;1:;1:bc;1:last;") == 0 && !told.wrong);

    memset(&told, 0, sizeof told);
    expect(SH("echo x >&2"), WITH(BY_LINE), 0, "(none)", "(none)");
    EXPECT(strcmp(told.text, "2:x;") == 0 && !told.wrong);

    memset(&told, 0, sizeof told);
    expect(SH("seq 1 20000"), WITH(BY_LINE), 0, "(none)", "(none)");
    EXPECT(told.count == 20000 && told.bytes == 88894 && told.longest == 5 && !told.wrong);

    memset(&told, 0, sizeof told);
    expect(SH("head -c 200000 /dev/zero | tr '\\0' x; echo; echo y"), WITH(BY_LINE), 0, "(none)", "(none)");
    EXPECT(told.count == 5 && told.longest == PIECE && told.bytes == LONG + 1 && !told.wrong);
    return 0;
}

static void output_is_told_line_by_line(void **state)
{
    (void)state;
    in_both(tell_lines);
}

/* ---- several at a time ---- */

static int open_fifo(void *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK); /* there is a reader once the command has opened it */
    while (fd < 0 && errno == ENXIO) {
        EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
        fd = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK);
    }
    EXPECT(fd >= 0 && write(fd, "go\n", 3) == 3 && close(fd) == 0);
    return 0;
}

static int read_fifo(void *path)
{
    expect(ARGV("head", "-n", "1", path), NULL, 0, "go\n", "");
    return 0;
}

static int wait_beside(void *path)
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, read_fifo, path) == 0);
    EXPECT(salp_go(&group, open_fifo, path) == 0);
    return salp_group_close(&group);
}

static void other_tasks_go_on_while_one_waits_for_a_command(void **state)
{
    const char *path = scratch_path("fifo");
    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(salp_run(wait_beside, (void *)path), 0);
    scratch_remove();
}

static int run_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < test_scale(20); i++) {
        expect(ARGV("cat"), WITH(.input = "text", .input_size = 4), 0, "text", "");
        expect(SH("echo a; echo b >&2; exit 1"), NULL, 1, "a\n", "b\n");
    }
    return 0;
}

static int run_tasks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 4; i++)
        EXPECT(salp_go(&group, run_some, arg) == 0);
    return salp_group_close(&group);
}

/* Each would wait for the end of its output as long as the other's command holds it. */
static void commands_of_several_threads_and_tasks_do_not_hold_each_others_pipes(void **state)
{
    (void)state;
    assert_int_equal(salp_run_loops(3, run_tasks, NULL), 0);
}

/* ---- what it has used ---- */

static int account(void *arg)
{
    enum { MUCH = 100 * 1024 * 1024 };
    (void)arg;
    salp_output o;
    int64_t before = salp_now();
    EXPECT(salp_command_run(ARGV("dd", "bs=100M", "count=1", "if=/dev/zero", "of=/dev/null"), NULL, &o) == 0);
    EXPECT(o.exit_status == 0 && o.peak_memory >= MUCH);
    EXPECT(o.wall > 0 && o.wall <= salp_now() - before);
    salp_output_free(&o);
    /* Also of those below it, and it has to be some time in the end. */
    EXPECT(salp_command_run(SH("while [ $(cut -d. -f1 /proc/$$/stat | wc -c) = 0 ]; do :; done; seq 1 2000000 | wc -l"),
                            NULL, &o) == 0);
    EXPECT(o.exit_status == 0 && o.user + o.system > 0);
    salp_output_free(&o);
    return 0;
}

static void time_and_memory_are_accounted(void **state)
{
    (void)state;
    in_both(account);
}

/* ---- a line for the shell ---- */

static int use_system(void *arg)
{
    const char *path = scratch_path("system");
    char line[400];
    (void)arg;
    EXPECT(salp_system("exit 0") == 0);
    EXPECT(salp_system("exit 42") == 42);
    EXPECT(salp_system("kill -KILL $$") == SALP_EKILLED);
    EXPECT(salp_system("-no-such-option 2> /dev/null") == 127);
    EXPECT(salp_system(NULL) == -EINVAL);
    /* Input, output and errors are the program's. */
    snprintf(line, sizeof line, "readlink /proc/self/fd/0 > %s; echo out; echo err >&2", path);
    int saved[2] = { dup(1), dup(2) }, file = open(scratch_path("out"), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    fflush(stdout);
    EXPECT(dup2(file, 1) == 1 && dup2(file, 2) == 2);
    int result = salp_system(line);
    EXPECT(dup2(saved[0], 1) == 1 && dup2(saved[1], 2) == 2);
    EXPECT(close(saved[0]) == 0 && close(saved[1]) == 0 && close(file) == 0);
    EXPECT(result == 0);
    expect(ARGV("cat", path, scratch_path("out")), NULL, 0, "/dev/null\nout\nerr\n", "");
    return 0;
}

static void a_line_runs_as_in_a_shell(void **state)
{
    (void)state;
    in_both(use_system);
    scratch_remove();
}

/* ---- misuse ---- */

static int misuse(void *arg)
{
    (void)arg;
    expect_error((const char *const[]){ NULL }, NULL, -EINVAL);
    expect_error(ARGV("true"), WITH(.timeout = -1), -EINVAL);
    expect_error(ARGV("true"), WITH(.linger = -1), -EINVAL);
    expect_error(ARGV("true"), WITH(.in = (salp_command_way)9), -EINVAL);
    expect_error(ARGV("true"), WITH(.in = SALP_DISCARDED, .input = "x", .input_size = 1), -EINVAL);
    expect_error(ARGV("true"), WITH(.err = SALP_PASSED, .merge_stderr = true), -EINVAL);
    salp_stream *ours, *its;
    EXPECT(salp_stream_pair(&ours, &its) == 0);
    expect_error(ARGV("cat"), WITH(.input_stream = its, .input = "x", .input_size = 1), -EINVAL);
    expect_error(ARGV("cat"), WITH(.input_stream = its, .in = SALP_DISCARDED), -EINVAL);
    salp_stream_close(ours);
    salp_stream_close(its);
    expect_error(ARGV("true"), WITH(.in_fd = 1), -EINVAL); /* it does not say so */
    expect_error(ARGV("true"), WITH(.out = SALP_PASSED, .out_path = "/dev/null"), -EINVAL);
    expect_error(ARGV("true"), WITH(.err_path = "/dev/null", .merge_stderr = true), -EINVAL);
    expect_error(ARGV("true"), WITH(.input_size = 1), -EINVAL);
    expect_error(ARGV("true"), WITH(.keep_count = 1), -EINVAL);
    EXPECT(salp_command_run(NULL, NULL, NULL) == -EINVAL);
    salp_command *command;
    EXPECT(salp_command_start(&command, NULL, NULL) == -EINVAL);
    EXPECT(salp_command_start(NULL, ARGV("true"), NULL) == -EINVAL);
    EXPECT(salp_command_start(&command, ARGV("true"), WITH(.input = "x", .input_size = 1)) == -EINVAL);
    EXPECT(salp_command_start(&command, ARGV("true"), WITH(.on_line = tell)) == -EINVAL);
    EXPECT(salp_command_wait(NULL, NULL) == -EINVAL);
    EXPECT(salp_command_terminate(NULL) == -EINVAL && salp_command_kill(NULL) == -EINVAL);
    EXPECT(salp_command_signal(NULL, SIGTERM) == -EINVAL && salp_command_pid(NULL) == -EINVAL);
    EXPECT(salp_command_close(NULL) == 0);
    return 0;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    in_both(misuse);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the output tells how a command ended", the_output_tells_how_a_command_ended),
        TEST("without an output a failure is an error", without_an_output_a_failure_is_an_error),
        TEST("full pipes do not stop a command", full_pipes_do_not_stop_a_command),
        TEST("captured output is bounded", captured_output_is_bounded),
        TEST("outputs are merged or discarded", outputs_are_merged_or_discarded),
        TEST("output goes to files and descriptors", output_goes_to_files_and_descriptors),
        TEST("input is given while output is taken", input_is_given_while_output_is_taken),
        TEST("a pending SIGPIPE of the program stays", a_pending_sigpipe_of_the_program_stays),
        TEST("input comes from a stream", input_comes_from_a_stream),
        TEST_PROCESSES("few descriptors are told", few_descriptors_are_told),
        TEST("output is told line by line", output_is_told_line_by_line),
        TEST("other tasks go on while one waits for a command", other_tasks_go_on_while_one_waits_for_a_command),
        TEST("commands of several threads and tasks do not hold each other's pipes",
             commands_of_several_threads_and_tasks_do_not_hold_each_others_pipes),
        TEST("time and memory are accounted", time_and_memory_are_accounted),
        TEST("a line runs as in a shell", a_line_runs_as_in_a_shell),
        TEST("what makes no sense is refused", what_makes_no_sense_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
