/*
 * --json and --joblog: what is told of each job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

#include "job/json.h"
#include "map/joblog.h"
#include "map/watchers.h"

/* ---- JSON ---- */

static void expect_text(const char *bytes, size_t size, const char *text)
{
    struct job_json json = { 0 };
    job_json_text(&json, bytes, size);
    assert_int_equal(json.error, 0);
    assert_int_equal(json.buffer.size, strlen(text));
    assert_memory_equal(json.buffer.data, text, strlen(text));
    salp_buffer_free(&json.buffer);
}

static void a_text_is_escaped_where_it_has_to_be(void **state)
{
    (void)state;
    expect_text("", 0, "\"\"");
    expect_text("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    expect_text("\b\f\n\r\t\0\x1f\x7f", 8, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f\"");
    expect_text("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void what_is_no_text_is_base64(void **state)
{
    (void)state;
    expect_text("\xff", 1, "{\"base64\": \"/w==\"}");
    expect_text("\xff\xfe", 2, "{\"base64\": \"//4=\"}");
    expect_text("\xff\xfe\xfd", 3, "{\"base64\": \"//79\"}");
    expect_text("a\xc3", 2, "{\"base64\": \"YcM=\"}");
}

static bool is_text(const char *bytes)
{
    return job_json_is_text(bytes, strlen(bytes), false, NULL);
}

static void utf_8_is_known_from_what_only_looks_like_it(void **state)
{
    (void)state;
    assert_true(is_text("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"));
    assert_true(is_text("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
    static const char *const wrong[] = {
        "\x80",         "\xc0\xaf",         "\xc1\xbf",     "\xc2",         "\xc2\x7f",         "\xc2\xc0",
        "\xe0\x9f\xbf", "\xe2\x82",         "\xe2\x82\x41", "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80",     "\xf0\x9f\x98\x7f", "\xfe",         "\xff"
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(is_text(wrong[i]));
}

static void what_was_cut_in_a_character_has_its_whole_ones(void **state)
{
    (void)state;
    size_t whole = 9;
    for (size_t cut = 2; cut <= 4; cut++) {
        assert_true(job_json_is_text("a\xf0\x9f\x98\x80z", cut, true, &whole));
        assert_int_equal(whole, 1);
    }
    assert_true(job_json_is_text("a\xf0\x9f\x98\x80z", 5, true, &whole));
    assert_int_equal(whole, 5);
    assert_false(job_json_is_text("a\xf0\x9f\xc3", 4, true, &whole));
}

/* ---- --json ---- */

static struct output *output;
static struct job_watcher *records;

static int run(struct job *job, const char *const argv[])
{
    salp_command *command;
    salp_command_options options = { .in = SALP_DISCARDED };
    EXPECT(output_begin(output, job, &options) == 0);
    EXPECT(salp_command_start(&command, argv, &options) == 0);
    EXPECT(output_collect(output, job, command, NULL) == 0);
    salp_command_close(command);
    return 0;
}

static void finish(struct job *job)
{
    EXPECT(records->ended(records, job, true) == 0);
    EXPECT(output_end(output, job) == 0);
}

static int record(void *arg)
{
    (void)arg;
    struct job one = { .number = 1,
                       .slot = 2,
                       .attempt = 1,
                       .values = (const char *const[]){ "a b", "\xff" },
                       .value_count = 2,
                       .line = "echo 'a b'",
                       .state = JOB_FAILED,
                       .exit_status = 3,
                       .started = INT64_C(1234567890012345678),
                       .wall = SALP_SECONDS(2) + 5,
                       .user = 7,
                       .system = SALP_SECONDS(61),
                       .peak_memory = 4096 };
    struct job two = { .number = 2, .line = "x", .state = JOB_SKIPPED, .exit_status = -1, .slot = 1 };
    struct job three = {
        .number = 3, .line = "y", .state = JOB_UNSTARTED, .error = -ENOENT, .exit_status = -1, .slot = 1, .attempt = 2
    };
    EXPECT(output_open(&output, &(struct output_options){ .way = OUTPUT_NOT_SHOWN, .keep_order = true }) == 0);
    run(&one, (const char *const[]){ "sh", "-c", "printf '\\377\\000'; echo 'w\"' >&2", NULL });
    EXPECT(records->ended(records, &one, false) == 0); /* it is tried again */
    output_discard(output, &one);
    run(&one, (const char *const[]){ "sh", "-c", "printf '\\377'; echo 'w\"' >&2", NULL });
    finish(&two);
    finish(&one);
    finish(&three);
    return output_close(output);
}

/* Standard output goes to a file meanwhile; what is there afterwards, to be freed. */
static char *with_output(salp_fn *function, size_t *size)
{
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), before = dup(1);
    assert_true(file > 2 && before > 2);
    fflush(stdout);
    dup2(file, 1);
    int result = salp_run(function, NULL);
    dup2(before, 1);
    close(before);
    assert_int_equal(result, 0);
    *size = (size_t)lseek(file, 0, SEEK_END);
    char *text = malloc(*size + 1);
    assert_non_null(text);
    assert_int_equal(pread(file, text, *size, 0), (ssize_t)*size);
    text[*size] = '\0';
    close(file);
    return text;
}

static void each_job_is_a_line_of_json_when_it_has_ended_for_good(void **state)
{
    (void)state;
    size_t size;
    records = map_records_new(&output);
    assert_non_null(records);
    char *text = with_output(record, &size);
    assert_string_equal(
        text,
        "{\"number\": 1, \"slot\": 2, \"attempt\": 1, \"values\": [\"a b\", {\"base64\": \"/w==\"}], "
        "\"line\": \"echo 'a b'\", \"state\": \"failed\", \"exit_status\": 3, \"signal\": null, \"error\": null, "
        "\"started\": \"2009-02-13T23:31:30.012345678Z\", \"seconds\": 2.000000005, \"user\": 0.000000007, "
        "\"system\": 61.000000000, \"peak_memory\": 4096, \"stdout\": {\"base64\": \"/w==\"}, \"stdout_size\": 1, "
        "\"stderr\": \"w\\\"\\n\", \"stderr_size\": 3}\n"
        "{\"number\": 2, \"slot\": null, \"attempt\": null, \"values\": [], \"line\": \"x\", \"state\": \"skipped\", "
        "\"exit_status\": null, \"signal\": null, \"error\": null, \"started\": null, \"seconds\": null, \"user\": "
        "null, "
        "\"system\": null, \"peak_memory\": null, \"stdout\": \"\", \"stdout_size\": 0, \"stderr\": \"\", "
        "\"stderr_size\": 0}\n"
        "{\"number\": 3, \"slot\": 1, \"attempt\": 2, \"values\": [], \"line\": \"y\", \"state\": \"not started\", "
        "\"exit_status\": null, \"signal\": null, \"error\": \"No such file or directory\", \"started\": null, "
        "\"seconds\": null, \"user\": null, \"system\": null, \"peak_memory\": null, \"stdout\": \"\", "
        "\"stdout_size\": 0, \"stderr\": \"\", \"stderr_size\": 0}\n");
    free(text);
    assert_int_equal(records->close(records), 0);
}

static int record_much(void *arg)
{
    (void)arg;
    struct job job = { .number = 1, .slot = 1, .line = "" };
    EXPECT(output_open(&output, &(struct output_options){ .way = OUTPUT_NOT_SHOWN }) == 0);
    /* 3 MB of a character of three bytes: the bound is in the midst of one. */
    run(&job, (const char *const[]){ "sh", "-c", "yes '€' | head -n 1000000 | tr -d '\\n'", NULL });
    finish(&job);
    return output_close(output);
}

static void of_a_large_output_the_beginning_is_told_and_its_size(void **state)
{
    (void)state;
    size_t size;
    records = map_records_new(&output);
    assert_non_null(records);
    char *text = with_output(record_much, &size);
    char *begin = strstr(text, "\"stdout\": \""), *end = strstr(text, "\", \"stdout_size\": 3000000, ");
    assert_true(begin && end);
    begin += strlen("\"stdout\": \"");
    assert_int_equal(end - begin, OUTPUT_RECORDED / 3 * 3);
    for (char *next = begin; next < end; next += 3)
        assert_memory_equal(next, "€", 3);
    free(text);
    assert_int_equal(records->close(records), 0);
}

/* ---- --joblog ---- */

static char path[] = "/tmp/salp-joblog-XXXXXX";

static void make_path(void)
{
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void expect_file(const char *text)
{
    char bytes[4096];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    for (char *zero = bytes; (zero = memchr(zero, '\0', size - (size_t)(zero - bytes))) != NULL;)
        *zero = '~';
    bytes[size] = '\0';
    assert_string_equal(bytes, text);
}

#define TITLE "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n"

static void log_jobs(bool append, const struct job jobs[], int count)
{
    struct job_watcher *log = map_joblog_new(path, append);
    assert_non_null(log);
    for (int i = 0; i < count; i++)
        assert_int_equal(log->ended(log, &jobs[i], true), 0);
    assert_int_equal(log->close(log), 0);
}

static void the_joblog_is_gnu_parallels(void **state)
{
    (void)state;
    const struct job jobs[] = {
        { .number = 1,
          .state = JOB_DONE,
          .started = INT64_C(1795449943005400000),
          .wall = SALP_MILLISECONDS(1234),
          .out.size = 2,
          .line = "echo a" },
        { .number = 2, .state = JOB_FAILED, .exit_status = 3, .block_size = 10, .line = "a\nb\n" },
        { .number = 3, .state = JOB_KILLED, .exit_status = -1, .signal = SIGKILL, .line = "c" },
        { .number = 4, .state = JOB_TIMED_OUT, .exit_status = -1, .signal = SIGTERM, .line = "d" },
        { .number = 5, .state = JOB_UNSTARTED, .exit_status = -1, .line = "e" },
        { .number = 6, .state = JOB_HALTED, .exit_status = -1, .line = "f" },
        { .number = 7, .state = JOB_SKIPPED, .exit_status = -1, .line = "g" },
    };
    make_path();
    log_jobs(false, jobs, 7);
    static const char rows[] = TITLE "1\t:\t1795449943.005\t     1.234\t0\t2\t0\t0\techo a\n"
                                     "2\t:\t0.000\t     0.000\t10\t0\t3\t0\ta~b~\n"
                                     "3\t:\t0.000\t     0.000\t0\t0\t0\t9\tc\n"
                                     "4\t:\t0.000\t     0.000\t0\t0\t-1\t15\td\n"
                                     "5\t:\t0.000\t     0.000\t0\t0\t127\t0\te\n";
    expect_file(rows);
    log_jobs(false, jobs, 1);
    log_jobs(true, jobs + 4, 1);
    expect_file(TITLE
                "1\t:\t1795449943.005\t     1.234\t0\t2\t0\t0\techo a\n5\t:\t0.000\t     0.000\t0\t0\t127\t0\te\n");
    unlink(path);
}

static void write_path(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void an_earlier_run_tells_what_is_done(void **state)
{
    (void)state;
    make_path();
    write_path(TITLE "1\t:\t1795449943.005\t     0.004\t0\t2\t0\t0\techo a\n"
                     "5000\t:\t1795449943.005\t     0.004\t0\t2\t1\t0\techo b\n"
                     "3\t:\t1795449943.005\t     0.004\t0\t2\t0\t9\techo\tc\n"
                     "nonsense\n"
                     "4\t:\t1795449943.005\t     0.004\t0\t2\t0\t0\techo c");
    struct map_past *past = map_past_read(path, MAP_PAST_RESUME);
    assert_non_null(past);
    assert_true(map_past_has(past, 1) && map_past_has(past, 3) && map_past_has(past, 5000));
    /* The last line was cut off: it may be another number's. */
    assert_false(map_past_has(past, 0) || map_past_has(past, 2) || map_past_has(past, 4) ||
                 map_past_has(past, 1u << 30));
    map_past_free(past);
    past = map_past_read(path, MAP_PAST_RESUME_FAILED);
    assert_non_null(past);
    assert_true(map_past_has(past, 1));
    assert_false(map_past_has(past, 3) || map_past_has(past, 5000));
    map_past_free(past);

    /* What is written later is a line of its own. */
    log_jobs(true, &(struct job){ .number = 6, .line = "f" }, 1);
    past = map_past_read(path, MAP_PAST_RESUME);
    assert_true(map_past_has(past, 6));
    map_past_free(past);
    unlink(path);
    past = map_past_read(path, MAP_PAST_RESUME);
    assert_non_null(past);
    assert_false(map_past_has(past, 1));
    map_past_free(past);
}

static void an_earlier_run_tells_what_has_failed(void **state)
{
    (void)state;
    int count;
    const struct job jobs[] = {
        { .number = 2, .state = JOB_FAILED, .exit_status = 3, .line = "a\n\nb\tc" },
        { .number = 1, .state = JOB_DONE, .line = "c" },
        { .number = 5, .state = JOB_KILLED, .signal = SIGKILL, .line = "d" },
        { .number = 4, .state = JOB_FAILED, .exit_status = 1, .line = "e" },
        { .number = 4, .state = JOB_DONE, .line = "f" },
    };
    make_path();
    log_jobs(false, jobs, 5);
    struct map_past *past = map_past_read(path, MAP_PAST_COMMANDS);
    assert_non_null(past);
    const char *const *commands = map_past_commands(past, &count);
    assert_int_equal(count, 5);
    assert_string_equal(commands[1], "a\n\nb\tc");
    assert_string_equal(commands[2], "");
    assert_string_equal(commands[4], "d");
    for (uint64_t i = 1; i <= 5; i++)
        assert_int_equal(map_past_has(past, i), i != 2 && i != 5);
    map_past_free(past);
    unlink(path);
}

/* Standard error goes to a file meanwhile. */
static void without_errors(void (*function)(void), const char *expected)
{
    char text[1000] = "";
    int file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), before = dup(2);
    assert_true(file > 2 && before > 2);
    dup2(file, 2);
    function();
    dup2(before, 2);
    close(before);
    assert_true(pread(file, text, sizeof text - 1, 0) >= 0);
    close(file);
    assert_string_equal(text, expected);
}

static void refuse(void)
{
    EXPECT(!map_joblog_new("/nowhere/log", false));
    EXPECT(!map_joblog_new("/dev/full", false));
    EXPECT(!map_past_read("/dev/null/log", MAP_PAST_RESUME));
    EXPECT(!map_past_read("/nowhere/log", MAP_PAST_COMMANDS));
}

static void fill_up(void)
{
    struct job_watcher *log = map_joblog_new(path, false);
    EXPECT(log != NULL);
    signal(SIGXFSZ, SIG_IGN);
    EXPECT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 80, RLIM_INFINITY }) == 0);
    EXPECT(log->ended(log, &(struct job){ .number = 1, .line = "x" }, true) == -EFBIG);
    EXPECT(setrlimit(RLIMIT_FSIZE, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY }) == 0);
    EXPECT(log->close(log) == 0);
}

static void a_joblog_that_cannot_be_written_is_told(void **state)
{
    (void)state;
    without_errors(refuse, "salp map: /nowhere/log: No such file or directory\n"
                           "salp map: /dev/full: No space left on device\n"
                           "salp map: /dev/null/log: Not a directory\n"
                           "salp map: /nowhere/log: No such file or directory\n");
    char expected[100];
    make_path();
    snprintf(expected, sizeof expected, "salp map: %s: File too large\n", path);
    without_errors(fill_up, expected);
    unlink(path);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a text is escaped where it has to be", a_text_is_escaped_where_it_has_to_be),
        TEST("what is no text is base64", what_is_no_text_is_base64),
        TEST("UTF-8 is known from what only looks like it", utf_8_is_known_from_what_only_looks_like_it),
        TEST("what was cut in a character has its whole ones", what_was_cut_in_a_character_has_its_whole_ones),
        TEST("each job is a line of JSON when it has ended for good",
             each_job_is_a_line_of_json_when_it_has_ended_for_good),
        TEST("of a large output the beginning is told, and its size",
             of_a_large_output_the_beginning_is_told_and_its_size),
        TEST("the joblog is GNU parallel's", the_joblog_is_gnu_parallels),
        TEST("an earlier run tells what is done", an_earlier_run_tells_what_is_done),
        TEST("an earlier run tells what has failed", an_earlier_run_tells_what_has_failed),
        TEST("a joblog that cannot be written is told", a_joblog_that_cannot_be_written_is_told),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
