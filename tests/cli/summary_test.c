/*
 * The summary at the end of salp map.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>

#include "map/summary.h"

static struct job_watcher *watcher;
static FILE *file;
static char *text;
static size_t text_size;
static int64_t now;

static int64_t pretended_now(void)
{
    return now;
}

static void begin(int columns)
{
    now = SALP_SECONDS(1000);
    file = open_memstream(&text, &text_size);
    assert_non_null(file);
    watcher = map_summary_open(
        &(struct map_summary_options){ .file = file, .columns = columns, .slots = 2, .now = pretended_now });
    assert_non_null(watcher);
}

static void end(struct job job, bool final)
{
    assert_int_equal(watcher->ended(watcher, &job, final), 0);
}

/* The lines that were written; each ends, and there are no more than was promised. */
static int finish(void)
{
    int lines = 0;
    assert_int_equal(watcher->close(watcher), 0);
    fclose(file);
    assert_true(text_size > 0 && text[text_size - 1] == '\n');
    for (size_t i = 0; i < text_size; i++)
        lines += text[i] == '\n';
    assert_true(lines <= MAP_SUMMARY_LINES);
    return lines;
}

static void expect(const char *expected)
{
    (void)finish();
    assert_string_equal(text, expected);
    free(text);
}

static void it_tells_counts_times_memory_and_failures(void **state)
{
    (void)state;
    begin(160);
    watcher->total(watcher, 6);
    end((struct job){ .number = 1, .state = JOB_SKIPPED }, true);
    end((struct job){ .number = 2,
                      .state = JOB_DONE,
                      .line = "gzip a",
                      .wall = SALP_SECONDS(2),
                      .user = SALP_SECONDS(3),
                      .system = SALP_MILLISECONDS(500),
                      .peak_memory = 3 << 20 },
        true);
    end((struct job){ .number = 4, .state = JOB_TIMED_OUT, .line = "gzip \033c", .wall = SALP_SECONDS(200) }, true);
    end((struct job){ .number = 3,
                      .state = JOB_KILLED,
                      .signal = SIGSEGV,
                      .line = "gzip b",
                      .wall = SALP_MILLISECONDS(20),
                      .user = SALP_SECONDS(1) },
        false);
    end(
        (struct job){
            .number = 3, .state = JOB_KILLED, .signal = SIGSEGV, .line = "gzip b", .wall = SALP_MILLISECONDS(15) },
        true);
    now += SALP_SECONDS(5);
    expect("salp map: 1 done, 2 failed, 1 done before, 2 not run, 1 tried again; 5 s, 0.600 jobs a second\n"
           "  processors  4.5 s of their time (4 s user, 500 ms system), so 0.90 were busy on average, with 2 slots\n"
           "  memory      3.0 MiB at most: job 2: gzip a\n"
           "  failed      SIGSEGV: job 3: gzip b\n"
           "              timed out after 200 s: job 4: gzip ?c\n"
           "  slowest     3:20: job 4: gzip ?c\n"
           "              2 s: job 2: gzip a\n"
           "              15 ms: job 3: gzip b\n");
}

static void what_was_left_out_was_not_done_before(void **state)
{
    (void)state;
    begin(160);
    watcher->total(watcher, 3);
    end((struct job){ .number = 1, .state = JOB_SKIPPED, .left_out = true }, true);
    end((struct job){ .number = 2, .state = JOB_SKIPPED, .left_out = true }, true);
    expect("salp map: 0 done, 2 left out, 1 not run; 0 ms\n");
}

static void a_run_without_jobs_says_so(void **state)
{
    (void)state;
    begin(160);
    watcher->total(watcher, 0);
    expect("salp map: there were no jobs\n");
}

static void one_job_has_no_list_of_the_slowest(void **state)
{
    (void)state;
    begin(160);
    end((struct job){ .number = 1, .state = JOB_DONE, .line = "x", .wall = 1 }, true);
    now += SALP_MILLISECONDS(12);
    expect("salp map: 1 done; 12 ms\n");
}

static void many_failures_are_told_by_their_causes(void **state)
{
    (void)state;
    begin(60);
    uint64_t number = 0;
    for (int status = 1; status <= 60; status++) {
        for (int i = 0; i < status; i++)
            end((struct job){ .number = ++number, .state = JOB_FAILED, .exit_status = 61 - status, .line = "false" },
                true);
    }
    for (int i = 0; i < 100; i++)
        end((struct job){ .number = ++number,
                          .state = JOB_TIMED_OUT,
                          .wall = SALP_SECONDS(i + 1),
                          .line = "sleep 1000 and again and again and again" },
            true);
    now += SALP_SECONDS(1);
    assert_int_equal(finish(), 1 + 10 + 5);
    assert_non_null(strstr(text, "salp map: 0 done, 1930 failed; 1 s, 1930 jobs a second\n"
                                 "  failed      100 times timed out, first job 1831: sleep ...\n"
                                 "              60 times exit status 1, first job 1771: false\n"));
    /* Those with the statuses 1 to 8 are told, 60 to 53 of them. */
    assert_non_null(strstr(text, "              1378 times for other causes\n"));
    assert_non_null(strstr(text, "  slowest     1:40: job 1930: sleep 1000 and again and ag...\n"));
    free(text);
}

static void the_slowest_of_many_are_found(void **state)
{
    (void)state;
    begin(160);
    const int jobs = 100003;
    for (int i = 0; i < jobs; i++)
        end(
            (struct job){
                .number = (uint64_t)i + 1, .state = JOB_DONE, .line = "x", .wall = (int64_t)i * 7919 % jobs + 1 },
            true);
    now += 1;
    assert_int_equal(finish(), 6);
    const char *at = strstr(text, "slowest");
    assert_non_null(at);
    for (int rank = 0; rank < 5; rank++) {
        /* The one whose wall is jobs - rank. */
        int64_t i = 0;
        while (i * 7919 % jobs + 1 != jobs - rank)
            i++;
        char expected[40];
        snprintf(expected, sizeof expected, "job %d: x\n", (int)i + 1);
        at = strstr(at, expected);
        assert_non_null(at);
    }
    free(text);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it tells counts, times, memory and failures", it_tells_counts_times_memory_and_failures),
        TEST("what was left out was not done before", what_was_left_out_was_not_done_before),
        TEST("a run without jobs says so", a_run_without_jobs_says_so),
        TEST("one job has no list of the slowest", one_job_has_no_list_of_the_slowest),
        TEST("many failures are told by their causes", many_failures_are_told_by_their_causes),
        TEST("the slowest of many are found", the_slowest_of_many_are_found),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
