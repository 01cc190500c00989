/*
 * What salp worth says, of reports that are made up here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "cli/worth.h"

enum { JOBS = 12 };

static struct worth_job jobs[JOBS];
static unsigned char marks[JOBS];

/* Ten of twelve jobs that compute and do not disturb each other, on two processors: what each test changes. */
static struct worth usual(void)
{
    for (int i = 0; i < JOBS; i++) {
        jobs[i] = (struct worth_job){ .number = (uint64_t)i + 1, .line = "gzip a\033b" };
        marks[i] = i == 0 || (i >= 4 && i != 8) ? WORTH_DONE : WORTH_NOT_RUN;
    }
    const salp_worth_plan alone = { .way = SALP_WORTH_INLINE, .workers = 1, .time = SALP_SECONDS(10), .stretch = 1 };
    const salp_worth_plan two = {
        .way = SALP_WORTH_THREADS, .workers = 2, .time = SALP_SECONDS(5), .stretch = 1, .stretched = true
    };
    return (struct worth){ .jobs = jobs,
                           .count = JOBS,
                           .marks = marks,
                           .sampled = true,
                           .report = { .count = JOBS - 1,
                                       .item_time = 9e8,
                                       .median = 9e8,
                                       .longest = 1e9,
                                       .busy = 1,
                                       .processors = 2,
                                       .capacity = 2,
                                       .plan_count = 2,
                                       .plans = { alone, two },
                                       .best = two } };
}

/* Whether it is said; line ends count as blanks. */
static bool says(const struct worth *w, const char *text)
{
    char *got = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&got, &size);
    assert_non_null(file);
    cli_worth_write_text(file, w);
    fclose(file);
    for (size_t i = 0; i < size; i++) {
        assert_true(got[i] == '\n' || (unsigned char)got[i] >= ' ');
        if (got[i] == '\n')
            got[i] = ' ';
    }
    bool found = strstr(got, text) != NULL;
    free(got);
    return found;
}

static void it_says_which_jobs_were_run(void **state)
{
    (void)state;
    struct worth w = usual();
    assert_true(says(&w, "Run so far: 8 of 12 jobs. What they do is done."));
    assert_true(says(&w, " 5  gzip a?b "));
    marks[4] = WORTH_FAILED;
    marks[5] = WORTH_BEGUN;
    assert_true(says(&w, " 5  gzip a?b  (failed) "));
    assert_true(says(&w, " 6  gzip a?b  (ended by salp worth) "));
    assert_true(says(&w, "1 of 8 jobs failed: "));
    w.more = true;
    assert_true(says(&w, "8 of 12 jobs (more were not looked at)."));
}

static void of_many_jobs_the_first_have_lines_and_the_others_numbers(void **state)
{
    (void)state;
    struct worth w = usual();
    memset(marks, WORTH_DONE, sizeof marks);
    assert_true(says(&w, "10  gzip a?b             2 more: 11-12 "));
    marks[0] = WORTH_NOT_RUN;
    assert_true(says(&w, "11  gzip a?b             1 more: 12 "));
}

static void it_says_what_is_best_and_how_long_that_takes(void **state)
{
    (void)state;
    struct worth w = usual();
    assert_true(says(&w, "-j 2: 5.00 s for the other 11 jobs, instead of 10.0 s one after another."));
    assert_true(says(&w, "  *  2     5.00 s "));
    assert_true(says(&w, "     1     10.0 s "));
    w.report.best = w.report.plans[0];
    assert_true(says(&w, "-j 1: 10.0 s for the other 11 jobs; more at a time would gain nothing to speak of."));
    assert_true(says(&w, "  *  1     10.0 s "));
}

static void it_says_why(void **state)
{
    (void)state;
    struct worth w = usual();
    assert_false(says(&w, "waits") || says(&w, "quota") || says(&w, "only") || says(&w, "Beside") || says(&w, "tried"));
    w.report.waits = true;
    w.report.busy = 0.07;
    assert_true(says(&w, "A job is on a processor for 7 % of its time: for the rest it waits, or others are there."));
    w.report.best.workers = 3;
    assert_true(says(&w, "A job waits for 93 % of its time, so more of them than processors are worth it"));
    w = usual();
    w.report.capacity = 1.5;
    assert_true(says(&w, "A quota allows 1.5 of the 2 processors."));
    w = usual();
    w.report.crowded = true;
    assert_true(says(&w, "Beside others a job takes longer"));
    w = usual();
    w.report.processors = 1;
    w.report.capacity = 1;
    assert_true(says(&w, "There is one processor to use."));
}

static void it_says_what_makes_it_doubtful(void **state)
{
    (void)state;
    struct worth w = usual();
    w.report.count = 3;
    assert_true(says(&w, "There are only 3 jobs left: more at a time than that cannot help"));
    w = usual();
    w.report.best.stretched = w.report.plans[1].stretched = false;
    assert_true(says(&w, "was not tried: a longer --budget tells."));
    assert_true(says(&w, "1.00 times as long? "));
    w = usual();
    w.report.overdue = true;
    assert_true(says(&w, "A job was ended since it took so long"));
    w = usual();
    w.report.others = 1.25;
    assert_true(says(&w, "Others wanted 1.2 processors meanwhile"));
    w = usual();
    w.report.skewed = true;
    assert_true(says(&w, "A few jobs take much of the time"));
}

static void of_one_job_there_is_nothing_to_choose(void **state)
{
    (void)state;
    struct worth w = usual();
    w.count = 1;
    w.sampled = false;
    w.first = SALP_SECONDS(3);
    assert_true(says(&w, "There is one job, and it took 3.00 s: -j says nothing here."));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it says which jobs were run", it_says_which_jobs_were_run),
        TEST("of many jobs the first have lines, and the others numbers",
             of_many_jobs_the_first_have_lines_and_the_others_numbers),
        TEST("it says what is best, and how long that takes", it_says_what_is_best_and_how_long_that_takes),
        TEST("it says why", it_says_why),
        TEST("it says what makes it doubtful", it_says_what_makes_it_doubtful),
        TEST("of one job there is nothing to choose", of_one_job_there_is_nothing_to_choose),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
