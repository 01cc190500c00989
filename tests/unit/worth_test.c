/*
 * The model of salp_worth, as a function of numbers that nobody has measured: so nothing here depends on a machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "insight/figures.h"
#include "insight/model.h"
#include "insight/words.h"

/* ---- numbers ---- */

static const double us = 1e3, ms = 1e6;

/* A machine with pools that cost what they cost on many. */
static salp_worth_report machine(int processors, size_t count)
{
    return (salp_worth_report){
        .count = count,
        .in_size = 8,
        .out_size = 8,
        .sampled = 100,
        .crash_index = SIZE_MAX,
        .processors = processors,
        .capacity = processors,
        .threads = { .open = 50e3, .open_worker = 25e3, .call = 50e3, .call_worker = 10e3, .item = 0.5 },
        .processes = { .open = 400e3,
                       .open_worker = 300e3,
                       .call = 80e3,
                       .call_worker = 10e3,
                       .item = 3,
                       .in_byte = 0.2,
                       .out_byte = 0.3,
                       .first_byte = 0.3 },
    };
}

/* Items that all take as long, and need a processor for a part of it. */
static salp__figures alike(double time, double busy)
{
    salp__figures figures = { .groups = 100, .items = 100, .mean = time, .most = time, .longest = time, .busy = busy };
    for (int i = 0; i < 9; i++)
        figures.quantile[i] = time;
    return figures;
}

static salp_worth_report plan(salp_worth_report report, salp__figures figures, double threads, double processes)
{
    salp__stretches on_threads = { 0 }, on_processes = { 0 };
    salp__stretches_add(&on_threads, report.processors, threads);
    salp__stretches_add(&on_processes, report.processors, processes);
    salp__model(&report, &figures, &on_threads, &on_processes, 0);
    return report;
}

static const salp_worth_plan *find(const salp_worth_report *report, salp_worth_way way, int workers)
{
    for (int i = 0; i < report->plan_count; i++) {
        if (report->plans[i].way == way && report->plans[i].workers == workers)
            return &report->plans[i];
    }
    fail_msg("no plan %d with %d workers", way, workers);
    return NULL;
}

/* ---- the choice ---- */

static void little_work_stays_in_line(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(8, 14), alike(10, 1), 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_INLINE);
    assert_int_equal(report.best.time, 140);
    /* A thread more pays when its half of the items takes longer than it costs. */
    assert_true(report.break_even_threads > 1000 && report.break_even_threads < 100000);
    assert_non_null(strstr(report.reason, "loop without a pool"));
}

static void long_work_goes_to_as_many_threads_as_there_are_processors(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(8, 800), alike(10 * ms, 1), 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_THREADS);
    assert_int_equal(report.best.workers, 8);
    assert_int_equal(report.best.working, 1000 * (int64_t)ms);
    assert_int_equal(report.break_even_threads, 2);
    assert_int_equal(find(&report, SALP_WORTH_INLINE, 1)->time, 8000 * (int64_t)ms);
}

static void work_that_crashes_goes_to_processes(void **state)
{
    (void)state;
    salp_worth_report report = machine(8, 800);
    report.crashes = 2;
    report.crash_index = 17;
    report.crash_signal = 11;
    report = plan(report, alike(ms, 1), 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
    assert_int_equal(report.best.workers, 8);
    assert_true(find(&report, SALP_WORTH_INLINE, 1)->unsafe && find(&report, SALP_WORTH_THREADS, 8)->unsafe);
    assert_int_equal(report.break_even_threads, SIZE_MAX);
    assert_non_null(strstr(report.reason, "crashes"));
}

static void a_little_work_that_crashes_still_goes_to_a_process(void **state)
{
    (void)state;
    salp_worth_report report = machine(8, 3);
    report.crashes = 1;
    report = plan(report, alike(10, 1), 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
    assert_int_equal(report.best.workers, 1);
}

static void work_that_crashes_on_threads_only_may_run_in_line(void **state)
{
    (void)state;
    salp_worth_report report = machine(8, 3);
    report.crashes = 1;
    report.crash_beside = true;
    report = plan(report, alike(10, 1), 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_INLINE);
    assert_true(find(&report, SALP_WORTH_THREADS, 2)->unsafe);
    assert_non_null(strstr(report.reason, "threads"));
}

static void nothing_is_known_of_items_that_all_crash_and_processes_are_chosen(void **state)
{
    (void)state;
    salp_worth_report report = machine(4, 100);
    report.crashes = 8;
    report = plan(report, (salp__figures){ 0 }, 1, 1);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
    for (int i = 0; i < report.plan_count; i++)
        assert_true(report.plans[i].low <= report.plans[i].time && report.plans[i].time <= report.plans[i].high);
}

static void work_that_waits_gets_more_workers_than_processors(void **state)
{
    (void)state;
    salp__figures figures = alike(2 * ms, 0.01);
    salp_worth_report report = machine(2, 1000);
    salp__stretches threads = { 0 }, processes = { 0 };
    salp__stretches_add(&threads, 32, 1);
    salp__stretches_add(&processes, 32, 1);
    salp__model(&report, &figures, &threads, &processes, 0);
    assert_true(report.waits);
    assert_int_equal(report.best.way, SALP_WORTH_THREADS);
    assert_true(report.best.workers > 16);
    assert_non_null(strstr(report.reason, "waits"));
}

static void beyond_what_was_tried_those_who_are_crowded_gain_nothing(void **state)
{
    (void)state;
    salp__figures figures = alike(ms, 0.5);
    salp_worth_report report = machine(2, 100000);
    report.kept = true;
    salp__stretches threads = { 0 }, processes = { 0 };
    salp__stretches_add(&threads, 16, 4);
    salp__stretches_add(&processes, 16, 1);
    salp__model(&report, &figures, &threads, &processes, 0);
    const salp_worth_plan *crowded = find(&report, SALP_WORTH_THREADS, 64),
                          *others = find(&report, SALP_WORTH_PROCESSES, 64);
    assert_int_equal(crowded->stretch * 1000, 16000);
    assert_int_equal(others->stretch * 1000, 1000);
    assert_false(crowded->stretched || others->stretched);
}

static void a_part_on_the_processor_limits_how_many_workers_help(void **state)
{
    (void)state;
    salp__figures figures = alike(ms, 0.25);
    salp_worth_report report = machine(2, 1000);
    salp__stretches none = { 0 };
    salp__model(&report, &figures, &none, &none, 0);
    /* 1000 items of a quarter of a millisecond each on two processors. */
    assert_int_equal(find(&report, SALP_WORTH_THREADS, 64)->working, 125 * (int64_t)ms);
    assert_true(report.best.workers >= 8 && report.best.workers < 32);
}

static void work_that_memory_limits_gets_fewer_workers(void **state)
{
    (void)state;
    salp__figures figures = alike(100 * us, 1);
    salp_worth_report report = machine(16, 10000);
    salp__stretches threads = { 0 };
    /* Four workers take all that memory gives. */
    static const int workers[] = { 2, 4, 8, 16 };
    static const double times[] = { 1, 1, 2, 4 };
    for (int i = 3; i >= 0; i--)
        salp__stretches_add(&threads, workers[i], times[i]);
    salp__model(&report, &figures, &threads, &threads, 0);
    assert_true(report.crowded);
    assert_false(report.contended);
    assert_int_equal(report.best.way, SALP_WORTH_THREADS);
    assert_int_equal(report.best.workers, 4);
    assert_int_equal(find(&report, SALP_WORTH_THREADS, 6)->stretch * 1000, 1500);
}

static void work_that_gains_nothing_from_others_stays_in_line(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(2, 10000), alike(100 * us, 1), 2, 2);
    assert_int_equal(report.best.way, SALP_WORTH_INLINE);
    assert_int_equal(report.break_even_threads, SIZE_MAX);
    assert_int_equal(report.break_even_processes, SIZE_MAX);
}

static void threads_that_hold_each_other_up_are_left_for_processes(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(4, 10000), alike(100 * us, 1), 3.5, 1);
    assert_true(report.contended);
    assert_int_equal(report.best.way, SALP_WORTH_PROCESSES);
    assert_int_equal(report.best.workers, 4);
    assert_non_null(strstr(report.reason, "malloc"));
}

static void threads_are_preferred_where_processes_are_about_as_good(void **state)
{
    (void)state;
    salp_worth_report report = machine(4, 10000);
    report.processes = report.threads;
    report = plan(report, alike(100 * us, 1), 1.03, 1);
    assert_int_equal(report.best.way, SALP_WORTH_THREADS);
}

static void a_quota_limits_what_many_processors_do(void **state)
{
    (void)state;
    salp_worth_report report = machine(8, 1000);
    report.capacity = 1.5;
    report.processors = 2;
    report = plan(report, alike(3 * ms, 1), 1, 1);
    assert_int_equal(report.best.working, 2000 * (int64_t)ms);
    assert_non_null(strstr(report.reason, "quota"));
}

static void a_kept_pool_costs_no_opening(void **state)
{
    (void)state;
    salp_worth_report opened = machine(2, 200), kept = machine(2, 200);
    kept.kept = true;
    opened = plan(opened, alike(us, 1), 1, 1);
    kept = plan(kept, alike(us, 1), 1, 1);
    assert_int_equal(opened.best.way, SALP_WORTH_INLINE);
    assert_int_equal(kept.best.way, SALP_WORTH_THREADS);
    assert_true(kept.break_even_threads < opened.break_even_threads);
    assert_true(find(&kept, SALP_WORTH_PROCESSES, 2)->handing < find(&opened, SALP_WORTH_PROCESSES, 2)->handing);
}

static void one_long_item_is_the_least_that_a_map_takes(void **state)
{
    (void)state;
    salp__figures figures = alike(ms, 1);
    figures.mean = 2 * ms;
    figures.most = 5 * ms;
    figures.longest = 100 * ms;
    salp_worth_report report = plan(machine(8, 100), figures, 1, 1);
    assert_true(report.skewed);
    assert_true(find(&report, SALP_WORTH_THREADS, 8)->working >= 100 * (int64_t)ms);
}

static void the_last_round_of_few_items_counts_whole(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(2, 15), alike(10 * ms, 1), 1, 1);
    assert_int_equal(find(&report, SALP_WORTH_THREADS, 2)->working, 80 * (int64_t)ms);
}

static void plans_end_at_the_count_and_at_what_was_asked_for(void **state)
{
    (void)state;
    int counts[40];
    assert_int_equal(salp__model_ladder(8, 3, false, 0, counts, 40), 2);
    assert_int_equal(counts[1], 3);
    assert_int_equal(salp__model_ladder(8, 1000, true, 5, counts, 40), 4);
    assert_int_equal(counts[3], 5);
    assert_int_equal(salp__model_ladder(1, 1000, false, 0, counts, 40), 0);
    int n = salp__model_ladder(1000, 100000, false, 0, counts, 39);
    assert_int_equal(counts[n - 1], 1000);
    n = salp__model_ladder(2, 100000, true, 0, counts, 39);
    assert_int_equal(counts[n - 1], 64);
    assert_int_equal(counts[0], 2);
}

/* ---- figures ---- */

static salp__group group(int64_t wall, uint32_t items)
{
    return (salp__group){ .wall = wall, .cpu = wall, .items = items };
}

static void the_mean_is_of_items_and_not_of_groups(void **state)
{
    (void)state;
    salp__group groups[] = { group(1000, 1), group(9000, 99), { 0 } };
    salp__figures figures;
    salp__figures_make(&figures, groups, 3, false);
    assert_int_equal(figures.groups, 2);
    assert_int_equal(figures.items, 100);
    assert_true(figures.mean == 100);
    assert_true(figures.longest == 1000);
    assert_true(figures.error > 0);
    assert_true(figures.busy == 1);
}

static void cold_groups_of_short_items_do_not_count(void **state)
{
    (void)state;
    salp__group groups[20];
    salp__figures figures;
    for (int i = 0; i < 20; i++) {
        groups[i] = group(i < 5 ? 900 : 100, 1);
        groups[i].cold = i < 5;
    }
    salp__figures_make(&figures, groups, 20, false);
    assert_int_equal(figures.groups, 15);
    assert_true(figures.mean == 100 && figures.cold == 900);
}

static void items_that_became_faster_are_taken_as_they_are_in_the_end(void **state)
{
    (void)state;
    salp__group groups[60];
    salp__figures figures;
    for (int i = 0; i < 60; i++)
        groups[i] = group(i < 40 ? 50000 - 600 * i : 25000, 1);
    salp__figures_make(&figures, groups, 60, false);
    assert_int_equal(figures.groups, 20);
    assert_true(figures.mean == 25000);
    /* Slower ones are no reason to forget what was before. */
    for (int i = 0; i < 60; i++)
        groups[i] = group(25000 + 600 * i, 1);
    salp__figures_make(&figures, groups, 60, false);
    assert_int_equal(figures.groups, 60);
}

static void what_others_took_of_the_processor_does_not_count(void **state)
{
    (void)state;
    salp__group groups[] = { group(1000, 1), group(1000, 1), group(50000, 1) };
    groups[2].cpu = 1000;
    salp__figures figures;
    salp__figures_make(&figures, groups, 3, true);
    assert_true(figures.mean == 1000 && figures.longest == 1000);
}

/* Groups of 90 to 109 microseconds, times a factor; one in 16 a hundred times as long if asked for. */
static salp__figures many(double factor, bool skewed, size_t count)
{
    static salp__group groups[1000];
    salp__figures figures;
    for (size_t i = 0; i < count; i++) {
        double time = (90000 + 1000 * (double)(i * 7 % 20)) * factor;
        groups[i] = group((int64_t)(skewed && i % 16 == 3 ? time * 100 : time), 1);
    }
    salp__figures_make(&figures, groups, count, false);
    return figures;
}

static void a_stretch_is_told_from_chance(void **state)
{
    (void)state;
    salp__figures alone = many(1, false, 100), slower = many(1.5, false, 100), same = many(1.001, false, 100);
    assert_true(salp__figures_stretch(&alone, &slower) > 1.49 && salp__figures_stretch(&alone, &slower) < 1.51);
    assert_true(salp__figures_stretch(&alone, &same) == 1);
    assert_true(salp__figures_stretch(&slower, &alone) == 1);
    salp__figures one = many(1, false, 1), another = many(1.2, false, 1), far = many(1.5, false, 1);
    assert_true(salp__figures_stretch(&one, &another) == 1);
    assert_true(salp__figures_stretch(&one, &far) > 1.4);
    salp__figures none = { 0 };
    assert_true(salp__figures_stretch(&alone, &none) == 1 && salp__figures_stretch(&none, &alone) == 1);
}

static void a_stretch_of_skewed_items_does_not_depend_on_how_many_long_ones_were_met(void **state)
{
    (void)state;
    /* The second has no more of them than a third of the first. */
    salp__figures alone = many(1, true, 400), beside = many(1.5, true, 20);
    assert_true(salp__figures_skewed(&alone));
    double stretch = salp__figures_stretch(&alone, &beside);
    assert_true(stretch > 1.4 && stretch < 1.6);
}

/* ---- reports ---- */

static char *text_of(const salp_worth_report *report, int (*form)(const salp_worth_report *, salp_buffer *))
{
    salp_buffer buffer = { 0 };
    assert_int_equal(form(report, &buffer), 0);
    assert_int_equal(salp_buffer_append(&buffer, "", 1), 0);
    assert_int_equal(strlen(buffer.data), buffer.size - 1);
    return buffer.data;
}

static void the_text_has_a_line_for_each_plan_and_the_reason(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(4, 1000), alike(100 * us, 1), 1, 1);
    report.plans[0].measured = 123456789;
    char *text = text_of(&report, salp_worth_text);
    assert_non_null(strstr(text, "measured 123 ms"));
    assert_non_null(strstr(text, report.reason));
    int stars = 0, lines = 0;
    for (const char *line = text; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        stars += line[0] == '*';
        lines += strncmp(line + (line[0] != '\0'), " threads ", 9) == 0;
    }
    assert_int_equal(stars, 1);
    assert_int_equal(lines, 3);
    free(text);
}

/* Reads one JSON value and returns what is behind it; NULL: it is none. */
static const char *json_value(const char *at);

static const char *json_text(const char *at)
{
    for (at++; *at != '"'; at++) {
        if (*at == '\0' || (unsigned char)*at < 0x20)
            return NULL;
        if (*at == '\\' && !strchr("\"\\/bfnrtu", *++at))
            return NULL;
    }
    return at + 1;
}

static const char *json_list(const char *at, bool object)
{
    char end = object ? '}' : ']';
    if (*++at == end)
        return at + 1;
    for (;;) {
        if (object) {
            at = *at == '"' ? json_text(at) : NULL;
            if (!at || *at++ != ':')
                return NULL;
        }
        at = json_value(at);
        if (!at || *at == end)
            return at ? at + 1 : NULL;
        if (*at++ != ',')
            return NULL;
    }
}

static const char *json_value(const char *at)
{
    static const char *const words[] = { "true", "false", "null" };
    if (*at == '"')
        return json_text(at);
    if (*at == '{' || *at == '[')
        return json_list(at, *at == '{');
    for (int i = 0; i < 3; i++) {
        if (strncmp(at, words[i], strlen(words[i])) == 0)
            return at + strlen(words[i]);
    }
    at += *at == '-';
    size_t digits = strspn(at, "0123456789");
    if (digits == 0)
        return NULL;
    at += digits;
    if (*at != '.')
        return at;
    digits = strspn(at + 1, "0123456789");
    return digits > 0 ? at + 1 + digits : NULL;
}

static void the_json_is_json(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(4, 1000), alike(100 * us, 1), 1, 4);
    strcpy(report.reason, "a \"reason\" with \\ and\n a line");
    report.others = -1.5;
    char *text = text_of(&report, salp_worth_json);
    const char *end = json_value(text);
    assert_non_null(end);
    assert_string_equal(end, "\n");
    assert_non_null(strstr(text, "\"count\":1000,"));
    assert_non_null(strstr(text, "\"item_time\":100000.000,"));
    assert_non_null(strstr(text, "\"others\":-1.500,"));
    assert_non_null(strstr(text, "\"break_even_processes\":null,"));
    assert_non_null(strstr(text, "\"reason\":\"a \\\"reason\\\" with \\\\ and\\u000a a line\"}"));
    free(text);
}

/* Elements that are opened are closed in turn, and attributes are in quotes. */
static void the_picture_is_well_formed(void **state)
{
    (void)state;
    salp_worth_report report = plan(machine(16, 1000), alike(100 * us, 1), 1.2, 1);
    report.plans[2].measured = report.plans[2].time;
    char *text = text_of(&report, salp_worth_svg);
    char open[16][16];
    int depth = 0, dots = 0;
    for (char *at = strchr(text, '<'); at; at = strchr(at, '<')) {
        char *end = strchr(at, '>');
        assert_non_null(end);
        char name[16] = "";
        size_t length = strcspn(at + 1, " />\n");
        if (at[1] == '/') {
            length = strcspn(at + 2, " >");
            assert_true(depth > 0);
            assert_int_equal(strncmp(open[--depth], at + 2, length), 0);
        } else {
            assert_true(length > 0 && length < sizeof name && depth < 16);
            memcpy(name, at + 1, length);
            dots += strcmp(name, "circle") == 0;
            int quotes = 0;
            for (const char *c = at; c < end; c++)
                quotes += *c == '"';
            assert_int_equal(quotes % 2, 0);
            if (end[-1] != '/')
                strcpy(open[depth++], name);
        }
        at = end;
    }
    assert_int_equal(depth, 0);
    assert_int_equal(dots, 2);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    free(text);
}

static void numbers_are_told_in_units(void **state)
{
    (void)state;
    char text[SALP__WORD];
    assert_string_equal(salp__word_time(text, 1.74), "1.74 ns");
    assert_string_equal(salp__word_time(text, 48300), "48.3 µs");
    assert_string_equal(salp__word_time(text, 1.5e9), "1.50 s");
    assert_string_equal(salp__word_size(text, 100), "100 bytes");
    assert_string_equal(salp__word_size(text, 3 * 1024 * 1024), "3.00 MiB");
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("little work stays in line", little_work_stays_in_line),
        TEST("long work goes to as many threads as there are processors",
             long_work_goes_to_as_many_threads_as_there_are_processors),
        TEST("work that crashes goes to processes", work_that_crashes_goes_to_processes),
        TEST("a little work that crashes still goes to a process", a_little_work_that_crashes_still_goes_to_a_process),
        TEST("work that crashes on threads only may run in line", work_that_crashes_on_threads_only_may_run_in_line),
        TEST("nothing is known of items that all crash, and processes are chosen",
             nothing_is_known_of_items_that_all_crash_and_processes_are_chosen),
        TEST("work that waits gets more workers than processors", work_that_waits_gets_more_workers_than_processors),
        TEST("beyond what was tried, those who are crowded gain nothing",
             beyond_what_was_tried_those_who_are_crowded_gain_nothing),
        TEST("a part on the processor limits how many workers help",
             a_part_on_the_processor_limits_how_many_workers_help),
        TEST("work that memory limits gets fewer workers", work_that_memory_limits_gets_fewer_workers),
        TEST("work that gains nothing from others stays in line", work_that_gains_nothing_from_others_stays_in_line),
        TEST("threads that hold each other up are left for processes",
             threads_that_hold_each_other_up_are_left_for_processes),
        TEST("threads are preferred where processes are about as good",
             threads_are_preferred_where_processes_are_about_as_good),
        TEST("a quota limits what many processors do", a_quota_limits_what_many_processors_do),
        TEST("a kept pool costs no opening", a_kept_pool_costs_no_opening),
        TEST("one long item is the least that a map takes", one_long_item_is_the_least_that_a_map_takes),
        TEST("the last round of few items counts whole", the_last_round_of_few_items_counts_whole),
        TEST("plans end at the count and at what was asked for", plans_end_at_the_count_and_at_what_was_asked_for),
        TEST("the mean is of items and not of groups", the_mean_is_of_items_and_not_of_groups),
        TEST("cold groups of short items do not count", cold_groups_of_short_items_do_not_count),
        TEST("items that became faster are taken as they are in the end",
             items_that_became_faster_are_taken_as_they_are_in_the_end),
        TEST("what others took of the processor does not count", what_others_took_of_the_processor_does_not_count),
        TEST("a stretch is told from chance", a_stretch_is_told_from_chance),
        TEST("a stretch of skewed items does not depend on how many long ones were met",
             a_stretch_of_skewed_items_does_not_depend_on_how_many_long_ones_were_met),
        TEST("the text has a line for each plan, and the reason", the_text_has_a_line_for_each_plan_and_the_reason),
        TEST("the JSON is JSON", the_json_is_json),
        TEST("the picture is well formed", the_picture_is_well_formed),
        TEST("numbers are told in units", numbers_are_told_in_units),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
