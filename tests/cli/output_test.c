/*
 * What the jobs of salp map write: collected, kept, shown.
 *
 * Standard output and standard error of each test are files or pipes of its own. Jobs that have to wait for something read
 * their standard input, which the test ends when it has come.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "output/output.h"
#include "output/sink.h"
#include "output/text.h"

/* ---- standard output and standard error ---- */

static int shown[2], kept[2]; /* where they go to, by a descriptor to read; what they were */

static void redirect(int which, int to, int from)
{
    kept[which] = dup(which + 1);
    assert_true(kept[which] > 2);
    assert_int_equal(dup2(to, which + 1), which + 1);
    close(to);
    shown[which] = from;
}

static void redirect_to_file(int which)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    redirect(which, dup(file), file);
}

static void redirect_to_pipe(int which)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    redirect(which, ends[1], ends[0]);
}

static void redirect_to(int which, const char *path)
{
    int file = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(file >= 0);
    redirect(which, file, -1);
}

static void restore(int which)
{
    fflush(which == 0 ? stdout : stderr);
    dup2(kept[which], which + 1);
    close(kept[which]);
}

/* What has come to the file that it goes to. To be freed. */
static char *take_shown(int which, size_t *size)
{
    struct stat status;
    restore(which);
    assert_int_equal(fstat(shown[which], &status), 0);
    *size = (size_t)status.st_size;
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(pread(shown[which], bytes, *size, 0), (ssize_t)*size);
    bytes[*size] = '\0';
    close(shown[which]);
    return bytes;
}

static void expect_shown(int which, const char *text)
{
    size_t size;
    char *bytes = take_shown(which, &size);
    assert_string_equal(bytes, text);
    assert_int_equal(size, strlen(text));
    free(bytes);
}

/* ---- a folder ---- */

static char folder[] = "/tmp/salp-output-XXXXXX";

static void make_folder(void)
{
    assert_non_null(mkdtemp(folder));
}

static void remove_folder(void)
{
    const char *const argv[] = { "rm", "-r", folder, NULL };
    assert_int_equal(salp_command_run(argv, NULL, NULL), 0);
}

/* ---- jobs ---- */

static struct output *output;

static void open_output(const struct output_options *options)
{
    EXPECT(output_open(&output, options) == 0);
}

/* A job of its own slot, run by the shell; `in`: what its standard input is, -1: nothing. Returns what output_end does. */
struct run {
    struct job job;
    const char *line;
    int in;
    int result; /* of output_end */
};

static int start(struct run *run, salp_command **command)
{
    const char *const argv[] = { "sh", "-c", run->line, NULL };
    salp_command_options options = { .in = run->in < 0 ? SALP_DISCARDED : SALP_DESCRIPTOR,
                                     .in_fd = run->in < 0 ? 0 : run->in };
    int error = output_begin(output, &run->job, &options);
    return error < 0 ? error : salp_command_start(command, argv, &options);
}

static int attempt(struct run *run)
{
    salp_command *command = NULL;
    salp_output outcome;
    EXPECT(start(run, &command) == 0);
    int error = output_collect(output, &run->job, command, &outcome);
    salp_command_close(command);
    run->job.exit_status = outcome.exit_status;
    return error;
}

static int run_job(void *arg)
{
    struct run *run = arg;
    attempt(run);
    run->result = output_end(output, &run->job);
    return 0;
}

static struct run make(uint64_t number, const char *line)
{
    return (struct run){ .job = { .number = number, .slot = (int)number }, .line = line, .in = -1 };
}

/* One after the other. */
static void run_all(struct run *runs, int count)
{
    for (int i = 0; i < count; i++)
        run_job(&runs[i]);
}

static void in_task(salp_fn *function)
{
    assert_int_equal(salp_run(function, NULL), 0);
}

/* ---- grouped ---- */

static int show_two(void *arg)
{
    (void)arg;
    struct run runs[] = { make(1, "echo one; echo wrong >&2; printf 'two\\0three'"), make(2, "echo four") };
    open_output(&(struct output_options){ 0 });
    run_all(runs, 2);
    EXPECT(runs[0].job.out.size == 13 && memcmp(runs[0].job.out.head, "one\ntwo\0three", 13) == 0);
    EXPECT(runs[0].job.out.tail_size == 0);
    EXPECT(runs[0].job.err.size == 6 && runs[0].job.err.head_size == 6);
    return output_close(output);
}

static void output_and_errors_are_shown_byte_by_byte_as_they_were_written(void **state)
{
    (void)state;
    redirect_to_file(0);
    redirect_to_file(1);
    in_task(show_two);
    size_t size;
    char *bytes = take_shown(0, &size);
    assert_int_equal(size, 18);
    assert_memory_equal(bytes, "one\ntwo\0threefour\n", 18);
    free(bytes);
    expect_shown(1, "wrong\n");
}

static int show_both(void *arg)
{
    (void)arg;
    struct run runs[] = { make(1, "echo wrong >&2; echo one"), make(2, "echo bad >&2; echo two") };
    open_output(&(struct output_options){ 0 });
    run_all(runs, 2);
    return output_close(output);
}

static void output_comes_before_errors_where_both_go_to_the_same_file(void **state)
{
    (void)state;
    redirect_to_file(0);
    int before = dup(2);
    dup2(1, 2);
    in_task(show_both);
    dup2(before, 2);
    close(before);
    expect_shown(0, "one\nwrong\ntwo\nbad\n");
}

static int start_two_at_once(void *arg)
{
    (void)arg;
    /* Each waits until the other has written its first half. */
    struct run a = make(1, "echo a1; echo > $F.a; read x < $F.b; echo a2"),
               b = make(2, "echo b1; read x < $F.a; echo > $F.b; echo b2");
    salp_group group;
    open_output(&(struct output_options){ 0 });
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &a) == 0);
    EXPECT(salp_go(&group, run_job, &b) == 0);
    EXPECT(salp_group_close(&group) == 0);
    return output_close(output);
}

static void jobs_that_write_at_the_same_time_are_not_mixed(void **state)
{
    (void)state;
    char name[64];
    make_folder();
    for (int i = 0; i < 2; i++) {
        snprintf(name, sizeof name, "%s/f.%c", folder, 'a' + i);
        assert_int_equal(mkfifo(name, 0600), 0);
    }
    snprintf(name, sizeof name, "%s/f", folder);
    setenv("F", name, 1);
    redirect_to_file(0);
    in_task(start_two_at_once);
    size_t size;
    char *bytes = take_shown(0, &size);
    assert_true(strcmp(bytes, "a1\na2\nb1\nb2\n") == 0 || strcmp(bytes, "b1\nb2\na1\na2\n") == 0);
    free(bytes);
    remove_folder();
}

/* ---- in order ---- */

static int show_in_order(void *arg)
{
    (void)arg;
    struct run runs[] = { make(3, "echo three; echo e3 >&2"), make(5, "echo five"), make(2, "echo two"),
                          make(1, "echo one") };
    struct job never = { .number = 4 };
    open_output(&(struct output_options){ .keep_order = true });
    run_all(runs, 3);
    EXPECT(lseek(1, 0, SEEK_CUR) == 0);
    run_all(runs + 3, 1);
    EXPECT(lseek(1, 0, SEEK_CUR) == 14);
    EXPECT(output_end(output, &never) == 0);
    EXPECT(lseek(1, 0, SEEK_CUR) == 19);
    return output_close(output);
}

static void with_keep_order_each_waits_for_its_turn(void **state)
{
    (void)state;
    redirect_to_file(0);
    redirect_to_file(1);
    in_task(show_in_order);
    expect_shown(0, "one\ntwo\nthree\nfive\n");
    expect_shown(1, "e3\n");
}

static int leave_gaps(void *arg)
{
    (void)arg;
    struct run runs[] = { make(200, "echo last"), make(3, "echo three"), make(100, "echo middle") };
    open_output(&(struct output_options){ .keep_order = true });
    run_all(runs, 3);
    return output_close(output);
}

static void what_waits_for_jobs_that_never_came_is_shown_at_the_end(void **state)
{
    (void)state;
    redirect_to_file(0);
    in_task(leave_gaps);
    expect_shown(0, "three\nmiddle\nlast\n");
}

/* ---- while jobs run ---- */

/* Reads what is shown until it is as long as the text. In a task. */
static void await_shown(int which, const char *text)
{
    char bytes[1000];
    size_t size = 0;
    salp_stream *stream;
    EXPECT(salp_stream_from_fd(&stream, fcntl(shown[which], F_DUPFD_CLOEXEC, 3), NULL) == 0);
    while (size < strlen(text)) {
        int64_t got = salp_read(stream, bytes + size, strlen(text) - size);
        EXPECT(got > 0);
        size += (size_t)got;
    }
    if (memcmp(bytes, text, size) != 0) {
        fprintf(stderr, "# shown: %.*s\n", (int)size, bytes);
        abort();
    }
    salp_stream_close(stream);
}

/* A job that reads its standard input, and the end to write to that. */
static int give_input(struct run *run)
{
    int ends[2];
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    run->in = ends[0];
    return ends[1];
}

static void let_go_on(int fd)
{
    EXPECT(write(fd, "\n", 1) == 1);
}

static int show_the_one_whose_turn_it_is(void *arg)
{
    const struct output_options *options = arg;
    struct run one = make(1, "printf 1a; read x; printf 1b"), two = make(2, "echo wrong >&2; echo 2a; read x; echo 2b"),
               three = make(3, "echo 3");
    int in_one = give_input(&one), in_two = give_input(&two);
    salp_group group;
    open_output(options);
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &one) == 0);
    EXPECT(salp_go(&group, run_job, &two) == 0);
    await_shown(0, "1a");
    run_job(&three);
    let_go_on(in_one);
    await_shown(0, "1b2a\n");
    let_go_on(in_two);
    EXPECT(salp_group_close(&group) == 0);
    await_shown(0, "2b\n3\n");
    await_shown(1, "wrong\n");
    close(one.in), close(two.in), close(in_one), close(in_two);
    return output_close(output);
}

static void with_keep_order_the_one_whose_turn_it_is_is_shown_while_it_runs(void **state)
{
    (void)state;
    redirect_to_pipe(0);
    redirect_to_pipe(1);
    int result = salp_run(show_the_one_whose_turn_it_is, &(struct output_options){ .keep_order = true });
    restore(0), restore(1);
    close(shown[0]), close(shown[1]);
    assert_int_equal(result, 0);
}

static int show_lines(void *arg)
{
    (void)arg;
    struct run one = make(1, "printf 'a\nb'; read x; printf 'c\nd'; read x; echo e >&2; read x"),
               two = make(2, "echo 2");
    int in = give_input(&one);
    salp_group group;
    open_output(&(struct output_options){ .way = OUTPUT_BY_LINE });
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &one) == 0);
    await_shown(0, "a\n");
    run_job(&two);
    await_shown(0, "2\n");
    let_go_on(in);
    await_shown(0, "bc\n");
    let_go_on(in);
    await_shown(1, "e\n");
    let_go_on(in);
    EXPECT(salp_group_close(&group) == 0);
    await_shown(0, "d");
    close(one.in), close(in);
    return output_close(output);
}

static void by_line_each_line_is_shown_when_it_is_whole(void **state)
{
    (void)state;
    redirect_to_pipe(0);
    redirect_to_pipe(1);
    int result = salp_run(show_lines, NULL);
    restore(0), restore(1);
    close(shown[0]), close(shown[1]);
    assert_int_equal(result, 0);
}

/* ---- tags ---- */

static int show_tags(void *arg)
{
    struct run runs[] = { make(1, "printf 'a\\n\\n\\0b\\n'; printf e >&2"), make(2, ":"),
                          make(3, "printf c; printf d") };
    runs[0].job.tag = "1\t";
    runs[1].job.tag = "2\t";
    runs[2].job.tag = "3\t";
    open_output(arg);
    for (int i = 2; i >= 0; i--)
        run_all(&runs[i], 1);
    return output_close(output);
}

static void expect_tags(const struct output_options *options, const char *text, size_t length)
{
    struct output_options own = *options;
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(show_tags, &own);
    size_t size;
    char *bytes = take_shown(0, &size);
    expect_shown(1, "1\te");
    assert_int_equal(result, 0);
    assert_int_equal(size, length);
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

static void each_line_begins_with_its_tag(void **state)
{
    (void)state;
    static const char in_order[] = "1\ta\n1\t\n1\t\0b\n3\tcd", as_they_end[] = "3\tcd1\ta\n1\t\n1\t\0b\n";
    expect_tags(&(struct output_options){ .keep_order = true }, in_order, sizeof in_order - 1);
    expect_tags(&(struct output_options){ .way = OUTPUT_BY_LINE, .keep_order = true }, in_order, sizeof in_order - 1);
    expect_tags(&(struct output_options){ 0 }, as_they_end, sizeof as_they_end - 1);
    expect_tags(&(struct output_options){ .way = OUTPUT_BY_LINE }, as_they_end, sizeof as_they_end - 1);
    expect_tags(&(struct output_options){ .one_at_a_time = true }, as_they_end, sizeof as_they_end - 1);
}

/* ---- much ---- */

/* The decimal numbers from 1 on, a line each, as seq(1) writes them. */
static void expect_numbers(int fd, unsigned count, unsigned times)
{
    char bytes[4096], *end = NULL;
    FILE *file = fdopen(fd, "r");
    assert_non_null(file);
    rewind(file);
    for (unsigned round = 0; round < times; round++) {
        for (unsigned i = 1; i <= count; i++) {
            assert_non_null(fgets(bytes, sizeof bytes, file));
            assert_int_equal(strtoul(bytes, &end, 10), i);
            assert_string_equal(end, "\n");
        }
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

enum { NUMBERS = 300000 }; /* 2 MB */

static int show_much(void *arg)
{
    struct run runs[] = { make(3, "seq 300000"), make(2, "seq 300000"), make(1, "seq 300000") };
    open_output(arg);
    run_all(runs, 3);
    EXPECT(runs[2].job.out.size == 1988895);
    if (!((const struct output_options *)arg)->excerpts)
        return output_close(output);
    EXPECT(runs[2].job.out.head_size == JOB_EXCERPT && memcmp(runs[2].job.out.head, "1\n2\n3\n", 6) == 0);
    EXPECT(runs[2].job.out.tail_size == JOB_EXCERPT);
    EXPECT(memcmp(runs[2].job.out.tail + JOB_EXCERPT - 7, "300000\n", 7) == 0);
    return output_close(output);
}

static void expect_much(const struct output_options *options)
{
    struct output_options own = *options;
    redirect_to_file(0);
    int result = salp_run(show_much, &own);
    restore(0);
    assert_int_equal(result, 0);
    expect_numbers(shown[0], NUMBERS, 3);
}

static void output_that_is_larger_than_its_memory_is_put_aside_and_shown_whole(void **state)
{
    (void)state;
    for (size_t memory = 1; memory <= 10 * 1024 * 1024; memory *= 1000) {
        expect_much(&(struct output_options){ .memory = memory, .excerpts = true });
        expect_much(&(struct output_options){ .memory = memory, .keep_order = true });
        expect_much(&(struct output_options){ .memory = memory, .keep_order = true, .excerpts = true });
        expect_much(&(struct output_options){ .memory = memory, .way = OUTPUT_BY_LINE, .keep_order = true });
    }
}

/* ---- straight from the job's pipe ---- */

static void expect_straight(struct output_options options)
{
    options.keep_order = true;
    int result = salp_run(show_much, &options);
    restore(0);
    assert_int_equal(result, 0);
    expect_numbers(shown[0], NUMBERS, 3);
}

static void much_of_the_one_whose_turn_it_is_comes_whole_to_whatever_takes_it(void **state)
{
    (void)state;
    for (int excerpts = 0; excerpts < 2; excerpts++) {
        redirect_to_file(0);
        assert_int_equal(fcntl(1, F_SETFL, O_APPEND), 0); /* which cannot be spliced to */
        expect_straight((struct output_options){ .excerpts = excerpts });
        expect_much(&(struct output_options){ .excerpts = excerpts });
        redirect_to_file(0);
        expect_straight((struct output_options){ .excerpts = excerpts, .tried_again = true });
    }
}

/* A pipe of ours with so much in it. */
static int fill_pipe(int ends[2], size_t size)
{
    static const char bytes[8192];
    EXPECT(pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
    return write(ends[1], bytes, size) == (ssize_t)size ? 0 : -EIO;
}

/* Part of it, all of it, nothing, the end. */
static int splice_to_something(void *arg)
{
    struct output_sink sink;
    int ends[2];
    (void)arg;
    EXPECT(fill_pipe(ends, 8192) == 0);
    EXPECT(output_sink_open(&sink, 1) == 0);
    EXPECT(output_sink_splice(&sink, ends[0], 5000) == 5000);
    int64_t rest = output_sink_splice(&sink, ends[0], 8192);
    EXPECT(rest == 3192);
    EXPECT(output_sink_splice(&sink, ends[0], 8192) == -EAGAIN);
    close(ends[1]);
    EXPECT(output_sink_splice(&sink, ends[0], 8192) == 0);
    EXPECT(sink.splices);
    close(ends[0]);
    output_sink_close(&sink);
    return 0;
}

/* Nothing is lost of what could not be moved. */
static int splice_in_vain(void *arg)
{
    struct output_sink sink;
    char bytes[8192];
    int ends[2];
    EXPECT(fill_pipe(ends, 8192) == 0);
    EXPECT(output_sink_open(&sink, 1) == 0);
    EXPECT(output_sink_splice(&sink, ends[0], 8192) == *(const int *)arg);
    EXPECT(sink.splices == (*(const int *)arg != -ENOTSUP));
    EXPECT(read(ends[0], bytes, sizeof bytes) == sizeof bytes);
    close(ends[0]), close(ends[1]);
    output_sink_close(&sink);
    return 0;
}

static void what_cannot_be_spliced_to_is_found_out_and_loses_nothing(void **state)
{
    (void)state;
    int no = -ENOTSUP, gone = -EPIPE;
    signal(SIGPIPE, SIG_IGN);
    redirect_to_file(0);
    int result = salp_run(splice_to_something, NULL);
    restore(0);
    close(shown[0]);
    assert_int_equal(result, 0);
    redirect_to_pipe(0);
    result = salp_run(splice_to_something, NULL);
    restore(0);
    close(shown[0]);
    assert_int_equal(result, 0);
    redirect_to(0, "/dev/full");
    result = salp_run(splice_in_vain, &no);
    restore(0);
    assert_int_equal(result, 0);
    redirect_to_file(0);
    assert_int_equal(fcntl(1, F_SETFL, O_APPEND), 0);
    result = salp_run(splice_in_vain, &no);
    restore(0);
    close(shown[0]);
    assert_int_equal(result, 0);
    redirect_to_pipe(0);
    close(shown[0]);
    result = salp_run(splice_in_vain, &gone);
    restore(0);
    assert_int_equal(result, 0);
}

/* A text that is in a pipe of the store. */
static void put_aside(struct output_text *text, struct output_store *store, const char *bytes)
{
    int ends[2];
    size_t size = strlen(bytes);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(write(ends[1], bytes, size), size);
    assert_int_equal(output_text_move(text, store, ends[0], 1024 * 1024), size);
    assert_true(output_text_is_piped(text));
    close(ends[0]), close(ends[1]);
}

static void what_is_kept_in_a_pipe_may_be_read_after_all_and_may_be_forgotten(void **state)
{
    (void)state;
    struct output_store store;
    struct output_text text = { 0 };
    const char *bytes;
    output_store_open(&store, "/tmp", 64 * 1024 * 1024);
    put_aside(&text, &store, "one");
    assert_int_equal(output_text_add(&text, &store, "two", 3), 0);
    put_aside(&text, &store, "three");
    put_aside(&text, &store, "four");
    assert_int_equal(text.size, 15);
    assert_int_equal(output_text_peek(&text, &store, &bytes), 3);
    assert_memory_equal(bytes, "one", 3);
    output_text_take(&text, &store, 3);
    assert_int_equal(output_text_peek(&text, &store, &bytes), 3);
    assert_memory_equal(bytes, "two", 3);
    output_text_take(&text, &store, 3);
    assert_int_equal(output_text_peek(&text, &store, &bytes), 9);
    assert_memory_equal(bytes, "threefour", 9);
    output_text_clear(&text, &store);
    /* What was in a pipe is not in it when it is used again. */
    put_aside(&text, &store, "five");
    output_text_clear(&text, &store);
    put_aside(&text, &store, "six");
    assert_int_equal(output_text_peek(&text, &store, &bytes), 3);
    assert_memory_equal(bytes, "six", 3);
    output_text_clear(&text, &store);
    assert_int_equal(store.used, 0);
    output_store_close(&store);
}

/* ---- many that wait ---- */

enum { MANY = 100000, MANY_MEMORY = 1024 * 1024, PLACE = 8 };

static size_t held_by_many; /* bytes, as the allocator counts them; 0 where another one counts nothing */

static void give_number(struct job *job, uint64_t number)
{
    char line[32];
    *job = (struct job){ .number = number, .tag = job->tag };
    int size = snprintf(line, sizeof line, "%d\n", (int)number);
    EXPECT(output_give(output, job, 1, line, (size_t)size) == 0);
    EXPECT(output_end(output, job) == 0);
}

/* The first one comes last. */
static int give_many(void *arg)
{
    static struct job job;
    open_output(arg);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (uint64_t number = MANY; number > 1; number--)
        give_number(&job, number);
    held_by_many = mallinfo2().uordblks + mallinfo2().hblkhd - before;
    give_number(&job, 1);
    return output_close(output);
}

static void what_waits_and_is_small_has_a_place_in_the_queue_and_no_more_beside_its_bound(void **state)
{
    (void)state;
    redirect_to_file(0);
    int result = salp_run(give_many, &(struct output_options){ .memory = MANY_MEMORY, .keep_order = true });
    restore(0);
    assert_int_equal(result, 0);
    expect_numbers(shown[0], MANY, 1);
    /* The queue has a power of two of places; one block is there to read with. */
    assert_true(held_by_many < 2 * MANY * PLACE + MANY_MEMORY + 512 * 1024);
}

/* Of all that a job can have something waits: what is said, both outputs, tags, and zero bytes. */
static int give_all_kinds(void *arg)
{
    static struct job jobs[3];
    open_output(arg);
    for (uint64_t number = 3; number > 0; number--) {
        char tag[] = "a\t";
        struct job *job = &jobs[number - 1];
        *job = (struct job){ .number = number, .tag = number > 1 ? tag : NULL };
        EXPECT(output_say(output, job, 1, "said\n", 5) == 0);
        EXPECT(output_give(output, job, 1, "one\n\0\n", 6) == 0);
        EXPECT(output_give(output, job, 2, "wrong", 5) == 0);
        EXPECT(output_end(output, job) == 0);
        tag[0] = 'x'; /* it is the job's */
    }
    return output_close(output);
}

static void what_waits_is_shown_as_it_came_from_memory_and_from_the_file(void **state)
{
    (void)state;
    static const char expected[] = "said\none\n\0\nsaid\na\tone\na\t\0\nsaid\na\tone\na\t\0\n";
    for (size_t memory = 0; memory <= 1; memory++) {
        size_t size;
        redirect_to_file(0);
        redirect_to_file(1);
        int result = salp_run(give_all_kinds, &(struct output_options){ .memory = memory, .keep_order = true });
        expect_shown(1, "wronga\twronga\twrong");
        char *bytes = take_shown(0, &size);
        assert_int_equal(size, sizeof expected - 1);
        assert_memory_equal(bytes, expected, size);
        free(bytes);
        assert_int_equal(result, 0);
    }
}

/* ---- what is said ---- */

static int say(void *arg)
{
    struct run runs[] = { make(1, "echo one"), make(2, "echo two") };
    open_output(arg);
    for (int i = 1; i >= 0; i--) {
        salp_command *command;
        EXPECT(output_say(output, &runs[i].job, 1, i == 0 ? "a\n" : "b\n", 2) == 0);
        EXPECT(start(&runs[i], &command) == 0);
        EXPECT(output_collect(output, &runs[i].job, command, NULL) == 0);
        salp_command_close(command);
        EXPECT(output_end(output, &runs[i].job) == 0);
    }
    struct job never = { .number = 3 }, nor_this = { .number = 4 };
    EXPECT(output_say(output, &nor_this, 1, "e\n", 2) == 0);
    EXPECT(output_say(output, &never, 1, "c", 1) == 0);
    EXPECT(output_say(output, &never, 1, "\n", 1) == 0);
    EXPECT(output_end(output, &never) == 0);
    EXPECT(output_end(output, &nor_this) == 0);
    EXPECT(output_say(output, NULL, 2, "d\n", 2) == 0);
    return output_close(output);
}

static void expect_said(struct output_options options, const char *text)
{
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(say, &options);
    expect_shown(0, text);
    expect_shown(1, "d\n");
    assert_int_equal(result, 0);
}

static void what_is_said_of_a_job_comes_before_what_it_writes(void **state)
{
    (void)state;
    expect_said((struct output_options){ 0 }, "b\ntwo\na\none\nc\ne\n");
    expect_said((struct output_options){ .keep_order = true }, "a\none\nb\ntwo\nc\ne\n");
    expect_said((struct output_options){ .way = OUTPUT_NOT_SHOWN }, "b\na\nc\ne\n");
    expect_said((struct output_options){ .way = OUTPUT_NOT_SHOWN, .keep_order = true }, "a\nb\nc\ne\n");
    expect_said((struct output_options){ .one_at_a_time = true, .excerpts = true }, "b\ntwo\na\none\nc\ne\n");
}

/* ---- jobs that are no commands ---- */

/* The second one first; in two pieces; with a tag. */
static int give(void *arg)
{
    struct job jobs[] = { { .number = 1, .slot = 1, .tag = "a: " }, { .number = 2, .slot = 2 } };
    open_output(arg);
    EXPECT(output_give(output, &jobs[1], 1, "two\n", 4) == 0);
    EXPECT(output_give(output, &jobs[0], 1, "one\non", 6) == 0);
    EXPECT(output_give(output, &jobs[0], 2, "wrong\n", 6) == 0);
    EXPECT(output_give(output, &jobs[0], 1, "ce more\n", 8) == 0);
    EXPECT(jobs[0].out.size == 14 && jobs[0].err.size == 6);
    EXPECT(memcmp(jobs[0].out.head, "one\nonce more\n", 14) == 0);
    EXPECT(output_end(output, &jobs[1]) == 0);
    EXPECT(output_end(output, &jobs[0]) == 0);
    return output_close(output);
}

static void expect_given(struct output_options options, const char *out, const char *err)
{
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(give, &options);
    expect_shown(0, out);
    expect_shown(1, err);
    assert_int_equal(result, 0);
}

static void what_is_given_for_a_job_is_shown_as_what_a_command_writes(void **state)
{
    (void)state;
    expect_given((struct output_options){ 0 }, "two\na: one\na: once more\n", "a: wrong\n");
    expect_given((struct output_options){ .keep_order = true }, "a: one\na: once more\ntwo\n", "a: wrong\n");
    expect_given((struct output_options){ .way = OUTPUT_BY_LINE }, "two\na: one\na: once more\n", "a: wrong\n");
    expect_given((struct output_options){ .way = OUTPUT_UNGROUPED }, "two\na: one\na: once more\n", "a: wrong\n");
    expect_given((struct output_options){ .one_at_a_time = true }, "two\na: one\na: once more\n", "a: wrong\n");
    expect_given((struct output_options){ .way = OUTPUT_NOT_SHOWN }, "", "");
}

/* ---- not collected ---- */

static int pass(void *arg)
{
    struct run runs[] = { make(1, "echo one; echo wrong >&2"), make(2, "echo two") };
    open_output(arg);
    run_all(runs, 2);
    EXPECT(runs[0].job.out.size == 0);
    return output_close(output);
}

static void expect_passed(struct output_options options)
{
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(pass, &options);
    expect_shown(0, "one\ntwo\n");
    expect_shown(1, "wrong\n");
    assert_int_equal(result, 0);
}

static void ungrouped_or_one_at_a_time_jobs_have_our_own_descriptors(void **state)
{
    (void)state;
    expect_passed((struct output_options){ .way = OUTPUT_UNGROUPED });
    expect_passed((struct output_options){ .one_at_a_time = true });
    expect_passed((struct output_options){ .one_at_a_time = true, .keep_order = true });
}

/* ---- attempts ---- */

static int try_again(void *arg)
{
    struct run run = make(1, "echo $A; echo no $A >&2; test $A = 3");
    open_output(arg);
    setenv("A", "1", 1);
    attempt(&run);
    EXPECT(run.job.exit_status == 1);
    output_discard(output, &run.job);
    setenv("A", "2", 1);
    run.job.slot = 7;
    attempt(&run);
    output_discard(output, &run.job);
    setenv("A", "3", 1);
    EXPECT(run_job(&run) == 0 && run.result == 0);
    EXPECT(run.job.out.size == 2 && run.job.out.head[0] == '3' && run.job.err.size == 5);
    return output_close(output);
}

static void expect_last_attempt(struct output_options options)
{
    options.tried_again = true;
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(try_again, &options);
    expect_shown(0, "3\n");
    expect_shown(1, "no 3\n");
    assert_int_equal(result, 0);
}

static void of_several_attempts_the_last_one_is_shown(void **state)
{
    (void)state;
    expect_last_attempt((struct output_options){ 0 });
    expect_last_attempt((struct output_options){ .keep_order = true });
    expect_last_attempt((struct output_options){ .one_at_a_time = true });
}

/* ---- those who stay behind ---- */

/* It holds the output until the test ends its standard input. */
static const char leaves_one[] = "exec 3<&0; echo one; (cat <&3; echo late) &";

static int leave_behind(void *arg)
{
    (void)arg;
    struct run one = make(1, leaves_one), two = make(2, "echo two");
    int in = give_input(&one);
    open_output(&(struct output_options){ .linger = SALP_MILLISECONDS(1) });
    run_job(&one);
    two.job.slot = one.job.slot;
    run_job(&two);
    close(in), close(one.in);
    return output_close(output);
}

static void who_stays_behind_and_holds_the_output_is_waited_for_and_then_told(void **state)
{
    (void)state;
    redirect_to_file(0);
    redirect_to_file(1);
    in_task(leave_behind);
    expect_shown(0, "one\ntwo\n");
    expect_shown(1, "salp map: job 1 has left a process behind that holds its output: what it writes is lost\n");
}

static int wait_for_the_last_one(void *arg)
{
    struct run one = make(1, leaves_one);
    int in = give_input(&one);
    salp_group group;
    open_output(arg);
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &one) == 0);
    let_go_on(in);
    close(in);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(one.job.out.size == 10);
    close(one.in);
    return output_close(output);
}

static void expect_all_of(struct output_options options)
{
    options.linger = SALP_SECONDS(1000);
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(wait_for_the_last_one, &options);
    expect_shown(0, "one\n\nlate\n");
    expect_shown(1, "");
    assert_int_equal(result, 0);
}

static void what_comes_from_behind_soon_belongs_to_the_job(void **state)
{
    (void)state;
    expect_all_of((struct output_options){ 0 });
    expect_all_of((struct output_options){ .keep_order = true });
    expect_all_of((struct output_options){ .way = OUTPUT_BY_LINE });
}

/* ---- results ---- */

static void expect_in(const char *name, const char *text)
{
    char path[1000], bytes[1000];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (!file)
        fail_msg("there is no %s", path);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[size] = '\0';
    assert_string_equal(bytes, text);
}

static const char *const values[][2] = { { "a/b", "x" },  { "", "." },          { "..", "c d" },
                                         { "\t\\", "x" }, { "a\nb\"c,d", "y" }, { "1", "22" } };

enum { RESULTS = sizeof values / sizeof *values };

/* The last ones first. */
static int write_results(void *arg)
{
    struct run runs[RESULTS];
    open_output(arg);
    for (int i = RESULTS - 1; i >= 0; i--) {
        runs[i] = make((uint64_t)i + 1, "printf \"$N\\\"\"; echo $N >&2; exit $N");
        char number[8];
        snprintf(number, sizeof number, "%d", i + 1);
        setenv("N", number, 1);
        runs[i].job.values = values[i];
        runs[i].job.value_count = 2;
        runs[i].job.line = "x \"y\"";
        runs[i].job.started = SALP_SECONDS(1000) + SALP_MILLISECONDS(5);
        runs[i].job.wall = SALP_MILLISECONDS(1500);
        attempt(&runs[i]);
        EXPECT(output_end(output, &runs[i].job) == 0);
    }
    return output_close(output);
}

/* Nothing is shown but `text`. */
static void expect_results(struct output_options options, const char *text)
{
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(write_results, &options);
    expect_shown(0, text);
    expect_shown(1, "");
    assert_int_equal(result, 0);
}

static void results_are_files_in_folders_named_after_the_values(void **state)
{
    (void)state;
    make_folder();
    char path[100];
    snprintf(path, sizeof path, "%s/new/results", folder);
    for (int times = 0; times < 2; times++) {
        expect_results((struct output_options){ .results = path, .keep_order = times > 0 }, "");
        expect_in("new/results/1/a\\_b/2/x/stdout", "1\"");
        expect_in("new/results/1/a\\_b/2/x/stderr", "1\n");
        expect_in("new/results/1/a\\_b/2/x/seq", "1");
        expect_in("new/results/1/\\e/2/\\./seq", "2");
        expect_in("new/results/1/\\../2/c d/seq", "3");
        expect_in("new/results/1/\\t\\\\/2/x/stdout", "4\"");
        expect_in("new/results/1/a\nb\"c,d/2/y/seq", "5");
    }
    remove_folder();
}

static const char title[] = "Seq,Host,Starttime,JobRuntime,Send,Receive,Exitval,Signal,Command,V1,V2,Stdout,Stderr\n";

static void results_are_a_table_if_their_name_says_so(void **state)
{
    (void)state;
    char path[100], text[2000];
    make_folder();
    snprintf(path, sizeof path, "%s/table.csv", folder);
    static const char *const rows[] = {
        "1,:,1000.005,1.500,0,2,1,0,\"x \"\"y\"\"\",a/b,x,\"1\"\"\",\"1\n\"\n",
        "2,:,1000.005,1.500,0,2,2,0,\"x \"\"y\"\"\",,.,\"2\"\"\",\"2\n\"\n",
        "3,:,1000.005,1.500,0,2,3,0,\"x \"\"y\"\"\",..,\"c d\",\"3\"\"\",\"3\n\"\n",
        "4,:,1000.005,1.500,0,2,4,0,\"x \"\"y\"\"\",\t\\,x,\"4\"\"\",\"4\n\"\n",
        "5,:,1000.005,1.500,0,2,5,0,\"x \"\"y\"\"\",\"a\nb\"\"c,d\",y,\"5\"\"\",\"5\n\"\n",
        "6,:,1000.005,1.500,0,2,6,0,\"x \"\"y\"\"\",1,22,\"6\"\"\",\"6\n\"\n"
    };
    strcpy(text, title);
    for (int i = 0; i < RESULTS; i++)
        strcat(text, rows[i]);
    for (size_t memory = 0; memory <= 1; memory++) {
        expect_results((struct output_options){ .results = path, .keep_order = true, .memory = memory }, "");
        expect_in("table.csv", text);
        expect_results((struct output_options){ .results = "-.csv", .keep_order = true, .memory = memory }, text);
    }
    strcpy(text, title);
    for (int i = RESULTS - 1; i >= 0; i--)
        strcat(text, rows[i]);
    expect_results((struct output_options){ .results = path, .way = OUTPUT_BY_LINE }, "");
    expect_in("table.csv", text);
    expect_results((struct output_options){ .results = path, .way = OUTPUT_NOT_SHOWN }, "");
    expect_in("table.csv", text);
    remove_folder();
}

static int give_results(void *arg)
{
    struct job jobs[] = { { .number = 1, .slot = 1, .state = JOB_DONE, .line = "f" },
                          { .number = 2, .slot = 2, .state = JOB_FAILED, .line = "f" },
                          { .number = 3, .slot = 1, .state = JOB_SKIPPED, .line = "f" } };
    open_output(arg);
    EXPECT(output_give(output, &jobs[0], 1, "no", 2) == 0);
    EXPECT(output_give(output, &jobs[0], 1, "ne", 2) == 0);
    output_discard(output, &jobs[0]);
    EXPECT(output_give(output, &jobs[0], 1, "on", 2) == 0);
    EXPECT(output_give(output, &jobs[0], 1, "e", 1) == 0);
    EXPECT(jobs[0].out.size == 3);
    for (int i = 0; i < 3; i++)
        EXPECT(output_end(output, &jobs[i]) == 0);
    return output_close(output);
}

static void what_is_given_for_a_job_goes_to_its_results(void **state)
{
    (void)state;
    char path[100];
    make_folder();
    redirect_to_file(0);
    int result = salp_run(give_results, &(struct output_options){ .results = folder });
    snprintf(path, sizeof path, "%s/t.tsv", folder);
    if (result == 0)
        result = salp_run(give_results, &(struct output_options){ .results = path });
    expect_shown(0, "");
    assert_int_equal(result, 0);
    expect_in("1/stdout", "one");
    expect_in("1/seq", "1");
    expect_in("2/stdout", "");
    expect_in("t.tsv", "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\tStdout\tStderr\n"
                       "1\t:\t0.000\t0.000\t0\t3\t0\t0\tf\t\"one\"\t\n"
                       "2\t:\t0.000\t0.000\t0\t0\t0\t0\tf\t\t\n");
    remove_folder();
}

static int show_names(void *arg)
{
    struct run runs[] = { make(2, "echo two"), make(1, "echo one; echo wrong >&2") };
    struct output_options options = { .files = true, .keep_order = true, .temporary = folder };
    (void)arg;
    open_output(&options);
    run_all(runs, 1);
    attempt(&runs[1]);
    output_discard(output, &runs[1].job);
    run_all(runs + 1, 1);
    return output_close(output);
}

static void with_files_the_names_of_files_are_shown_that_have_the_output(void **state)
{
    (void)state;
    make_folder();
    redirect_to_file(0);
    redirect_to_file(1);
    in_task(show_names);
    size_t size;
    char *names = take_shown(0, &size), *second = strchr(names, '\n');
    expect_shown(1, "wrong\n");
    assert_non_null(second);
    *second++ = '\0';
    assert_true(strncmp(names, folder, strlen(folder)) == 0 && strncmp(second, folder, strlen(folder)) == 0);
    second[strlen(second) - 1] = '\0';
    expect_in(names + strlen(folder) + 1, "one\n");
    expect_in(second + strlen(folder) + 1, "two\n");
    free(names);
    /* Of the attempt that was forgotten there is none. */
    salp_entry *entries;
    assert_int_equal(salp_directory_list(&entries, folder), 2);
    salp_entries_free(entries);
    remove_folder();
}

static int refuse_results(void *arg)
{
    struct run run = make(1, "echo one");
    salp_command *command;
    open_output(arg);
    EXPECT(start(&run, &command) == -ENOTDIR);
    EXPECT(output_end(output, &run.job) == -ENOTDIR);
    EXPECT(output_close(output) == -ENOTDIR);
    return 0;
}

static void results_that_cannot_be_written_are_told(void **state)
{
    (void)state;
    redirect_to_file(1);
    int result = salp_run(refuse_results, &(struct output_options){ .results = "/dev/null/results" });
    int refused = output_open(&output, &(struct output_options){ .results = "/dev/null/table.csv" });
    expect_shown(1, "salp map: --results: Not a directory\nsalp map: /dev/null/table.csv: Not a directory\n");
    assert_int_equal(result, 0);
    assert_int_equal(refused, -ENOTDIR);
}

/* ---- what goes wrong ---- */

static int fill_the_disk(void *arg)
{
    struct run run = make(1, "echo one");
    open_output(arg);
    run_job(&run);
    EXPECT(run.result == -ENOSPC);
    run = make(2, "echo two");
    run_job(&run);
    EXPECT(run.result == -ENOSPC);
    EXPECT(output_close(output) == -ENOSPC);
    return 0;
}

static void a_full_disk_is_told_once_and_is_the_answer_from_then_on(void **state)
{
    (void)state;
    redirect_to(0, "/dev/full");
    redirect_to_file(1);
    int result = salp_run(fill_the_disk, &(struct output_options){ 0 });
    restore(0);
    expect_shown(1, "salp map: standard output: No space left on device\n");
    assert_int_equal(result, 0);
}

static int end_without_reader(void *arg)
{
    struct run run = make(1, "echo one");
    open_output(arg);
    run_job(&run);
    EXPECT(run.result == -EPIPE);
    EXPECT(output_say(output, NULL, 1, "x", 1) == -EPIPE);
    EXPECT(output_close(output) == -EPIPE);
    return 0;
}

static void that_nobody_reads_any_more_is_an_error_and_nothing_is_said(void **state)
{
    (void)state;
    redirect_to_file(1);
    redirect_to_pipe(0);
    close(shown[0]);
    int result = salp_run(end_without_reader, &(struct output_options){ 0 });
    restore(0);
    expect_shown(1, "");
    assert_int_equal(result, 0);
}

static int write_to_nothing(void *arg)
{
    struct run quiet = make(1, ":"), run = make(2, "echo one");
    open_output(arg);
    run_job(&quiet);
    EXPECT(quiet.result == 0);
    run_job(&run);
    EXPECT(run.result == -EBADF);
    EXPECT(output_close(output) == -EBADF);
    return 0;
}

static void a_standard_output_that_is_closed_is_an_error_when_something_is_to_be_shown(void **state)
{
    (void)state;
    redirect_to_file(1);
    kept[0] = dup(1);
    close(1);
    int result = salp_run(write_to_nothing, &(struct output_options){ 0 });
    restore(0);
    expect_shown(1, "salp map: standard output: Bad file descriptor\n");
    assert_int_equal(result, 0);
}

enum { NUMBERS_SIZE = 1988895 };

static int read_slowly(void *arg)
{
    (void)arg;
    char bytes[1000];
    int64_t got, size = 0;
    salp_stream *stream;
    EXPECT(salp_stream_from_fd(&stream, fcntl(shown[0], F_DUPFD_CLOEXEC, 3), NULL) == 0);
    while (size < NUMBERS_SIZE && (got = salp_read(stream, bytes, sizeof bytes)) > 0) {
        for (int i = 0; i < got; i++)
            EXPECT(bytes[i] == '\n' || (bytes[i] >= '0' && bytes[i] <= '9'));
        size += got;
        salp_yield();
    }
    EXPECT(size == NUMBERS_SIZE);
    salp_stream_close(stream);
    return 0;
}

/* The reader of the pipe is a task of this loop: if writing held up the loop, nothing would ever go on. */
static int show_slowly(void *arg)
{
    struct run run = make(1, "seq 300000");
    salp_group group;
    open_output(arg);
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &run) == 0);
    EXPECT(salp_go(&group, read_slowly, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(run.result == 0);
    return output_close(output);
}

static void expect_slow(struct output_options options, int flags)
{
    redirect_to_pipe(0);
    assert_int_equal(fcntl(1, F_SETFL, O_WRONLY | flags), 0);
    int result = salp_run(show_slowly, &options);
    int after = fcntl(1, F_GETFL);
    restore(0);
    close(shown[0]);
    assert_int_equal(result, 0);
    assert_int_equal(after & O_NONBLOCK, flags);
}

static void a_slow_reader_holds_up_nobody_else_and_no_flag_is_changed(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        expect_slow((struct output_options){ 0 }, i * O_NONBLOCK);
        expect_slow((struct output_options){ .keep_order = true }, i * O_NONBLOCK);
        expect_slow((struct output_options){ .way = OUTPUT_BY_LINE }, i * O_NONBLOCK);
    }
}

static int be_cancelled(void *arg)
{
    struct run run = make(1, "seq 300000");
    salp_group group;
    open_output(arg);
    salp_group_open(&group);
    EXPECT(salp_go(&group, run_job, &run) == 0);
    await_shown(0, "1\n2\n");
    salp_group_cancel(&group);
    salp_group_close(&group);
    EXPECT(run.result == -ECANCELED);
    EXPECT(output_close(output) == -ECANCELED);
    return 0;
}

static void a_scope_ends_the_showing_to_somebody_who_does_not_read(void **state)
{
    (void)state;
    redirect_to_pipe(0);
    redirect_to_file(1);
    int result = salp_run(be_cancelled, &(struct output_options){ 0 });
    restore(0);
    close(shown[0]);
    expect_shown(1, "");
    assert_int_equal(result, 0);
}

static int be_interrupted(void *arg)
{
    struct run run = make(1, "echo one; read x"), two = make(2, "echo two");
    int in = give_input(&run);
    salp_command *command;
    salp_scope scope;
    open_output(arg);
    EXPECT(start(&run, &command) == 0);
    salp_scope_open(&scope, SALP_FOREVER);
    salp_scope_cancel(&scope);
    EXPECT(output_collect(output, &run.job, command, NULL) == -ECANCELED);
    salp_scope_close(&scope);
    salp_command_close(command);
    output_discard(output, &run.job);
    EXPECT(output_end(output, &run.job) == 0);
    two.job.slot = 1;
    run_job(&two);
    EXPECT(two.result == 0);
    close(in), close(run.in);
    return output_close(output);
}

static void a_job_that_is_given_up_leaves_its_slot_as_new(void **state)
{
    (void)state;
    redirect_to_file(0);
    redirect_to_file(1);
    int result = salp_run(be_interrupted, &(struct output_options){ 0 });
    if (result == 0)
        result = salp_run(be_interrupted, &(struct output_options){ .way = OUTPUT_BY_LINE });
    expect_shown(0, "two\ntwo\n");
    expect_shown(1, "");
    assert_int_equal(result, 0);
}

/* Files may not be as large as what is to be put aside. */
static int have_no_room(void *arg)
{
    struct run runs[] = { make(2, "seq 300000"), make(1, "echo one") };
    EXPECT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 300000, RLIM_INFINITY }) == 0);
    open_output(arg);
    run_all(runs, 2);
    EXPECT(runs[0].job.out.size == NUMBERS_SIZE);
    EXPECT(runs[0].result == -EFBIG && runs[1].result == -EFBIG);
    EXPECT(output_close(output) == -EFBIG);
    EXPECT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }) == 0);
    return 0;
}

static int have_no_folder(void *arg)
{
    struct run runs[] = { make(2, "seq 300000"), make(1, "echo one") };
    open_output(arg);
    run_all(runs, 2);
    EXPECT(runs[0].result == -ENOENT && runs[1].result == -ENOENT);
    EXPECT(output_close(output) == -ENOENT);
    return 0;
}

static void output_that_cannot_be_put_aside_is_told_and_nothing_is_shown_in_part(void **state)
{
    (void)state;
    redirect_to_pipe(0);
    redirect_to_file(1);
    int result = salp_run(have_no_room, &(struct output_options){ .memory = 1, .keep_order = true });
    if (result == 0)
        result = salp_run(have_no_folder, &(struct output_options){ .memory = 1, .temporary = "/nowhere" });
    restore(0);
    char byte;
    assert_int_equal(read(shown[0], &byte, 1), 0);
    close(shown[0]);
    expect_shown(1, "salp map: output that is put aside: File too large\n"
                    "salp map: output that is put aside: No such file or directory\n");
    assert_int_equal(result, 0);
}

static int run_out_of_descriptors(void *arg)
{
    struct run run = make(1, "echo one");
    struct rlimit limit, none;
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    none = limit;
    open_output(arg);
    /* One more at a time, until a job can be run. */
    for (none.rlim_cur = 3;; none.rlim_cur++) {
        salp_command *command = NULL;
        EXPECT(setrlimit(RLIMIT_NOFILE, &none) == 0);
        int error = start(&run, &command);
        EXPECT(error == 0 || error == -EMFILE);
        if (error == 0)
            error = output_collect(output, &run.job, command, NULL);
        else
            EXPECT(output_collect(output, &run.job, NULL, NULL) == 0);
        salp_command_close(command);
        if (error == 0)
            break;
        output_discard(output, &run.job);
    }
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    EXPECT(output_end(output, &run.job) == 0);
    return output_close(output);
}

static void without_descriptors_a_job_is_not_begun_and_may_be_later(void **state)
{
    (void)state;
    static const struct output_options options[] = { { 0 }, { .keep_order = true, .way = OUTPUT_BY_LINE } };
    for (int i = 0; i < 2; i++) {
        struct output_options own = options[i];
        redirect_to_file(0);
        redirect_to_file(1);
        int result = salp_run(run_out_of_descriptors, &own);
        expect_shown(0, "one\n");
        expect_shown(1, "");
        assert_int_equal(result, 0);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("output and errors are shown byte by byte as they were written",
             output_and_errors_are_shown_byte_by_byte_as_they_were_written),
        TEST("output comes before errors where both go to the same file",
             output_comes_before_errors_where_both_go_to_the_same_file),
        TEST("jobs that write at the same time are not mixed", jobs_that_write_at_the_same_time_are_not_mixed),
        TEST("with keep_order each waits for its turn", with_keep_order_each_waits_for_its_turn),
        TEST("what waits for jobs that never came is shown at the end",
             what_waits_for_jobs_that_never_came_is_shown_at_the_end),
        TEST("with keep_order the one whose turn it is is shown while it runs",
             with_keep_order_the_one_whose_turn_it_is_is_shown_while_it_runs),
        TEST("by line, each line is shown when it is whole", by_line_each_line_is_shown_when_it_is_whole),
        TEST("each line begins with its tag", each_line_begins_with_its_tag),
        TEST("output that is larger than its memory is put aside, and shown whole",
             output_that_is_larger_than_its_memory_is_put_aside_and_shown_whole),
        TEST("much of the one whose turn it is comes whole to whatever takes it",
             much_of_the_one_whose_turn_it_is_comes_whole_to_whatever_takes_it),
        TEST("what cannot be spliced to is found out, and loses nothing",
             what_cannot_be_spliced_to_is_found_out_and_loses_nothing),
        TEST("what is kept in a pipe may be read after all, and may be forgotten",
             what_is_kept_in_a_pipe_may_be_read_after_all_and_may_be_forgotten),
        TEST("what waits and is small has a place in the queue, and no more, beside its bound",
             what_waits_and_is_small_has_a_place_in_the_queue_and_no_more_beside_its_bound),
        TEST("what waits is shown as it came, from memory and from the file",
             what_waits_is_shown_as_it_came_from_memory_and_from_the_file),
        TEST("what is said of a job comes before what it writes", what_is_said_of_a_job_comes_before_what_it_writes),
        TEST("what is given for a job is shown as what a command writes",
             what_is_given_for_a_job_is_shown_as_what_a_command_writes),
        TEST("ungrouped, or one at a time, jobs have our own descriptors",
             ungrouped_or_one_at_a_time_jobs_have_our_own_descriptors),
        TEST("of several attempts the last one is shown", of_several_attempts_the_last_one_is_shown),
        TEST("who stays behind and holds the output is waited for, and then told",
             who_stays_behind_and_holds_the_output_is_waited_for_and_then_told),
        TEST("what comes from behind soon belongs to the job", what_comes_from_behind_soon_belongs_to_the_job),
        TEST("results are files in folders named after the values",
             results_are_files_in_folders_named_after_the_values),
        TEST("results are a table if their name says so", results_are_a_table_if_their_name_says_so),
        TEST("what is given for a job goes to its results", what_is_given_for_a_job_goes_to_its_results),
        TEST("with files, the names of files are shown that have the output",
             with_files_the_names_of_files_are_shown_that_have_the_output),
        TEST("results that cannot be written are told", results_that_cannot_be_written_are_told),
        TEST("a full disk is told once, and is the answer from then on",
             a_full_disk_is_told_once_and_is_the_answer_from_then_on),
        TEST("that nobody reads any more is an error, and nothing is said",
             that_nobody_reads_any_more_is_an_error_and_nothing_is_said),
        TEST("a standard output that is closed is an error when something is to be shown",
             a_standard_output_that_is_closed_is_an_error_when_something_is_to_be_shown),
        TEST("a slow reader holds up nobody else, and no flag is changed",
             a_slow_reader_holds_up_nobody_else_and_no_flag_is_changed),
        TEST("a scope ends the showing to somebody who does not read",
             a_scope_ends_the_showing_to_somebody_who_does_not_read),
        TEST("a job that is given up leaves its slot as new", a_job_that_is_given_up_leaves_its_slot_as_new),
        TEST("output that cannot be put aside is told, and nothing is shown in part",
             output_that_cannot_be_put_aside_is_told_and_nothing_is_shown_in_part),
        TEST("without descriptors a job is not begun, and may be later",
             without_descriptors_a_job_is_not_begun_and_may_be_later),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
