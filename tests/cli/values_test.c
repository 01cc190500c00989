/*
 * What is written behind salp map's options, and the numbers that follow from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>

#include "command/median.h"
#include "map/halt.h"
#include "map/slots.h"
#include "map/stop.h"
#include "map/values.h"

static void times_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t time;
    } good[] = {
        { "0", 0 },
        { "3", SALP_SECONDS(3) },
        { "2.5", SALP_MILLISECONDS(2500) },
        { ".5s", SALP_MILLISECONDS(500) },
        { "500ms", SALP_MILLISECONDS(500) },
        { "1m", SALP_SECONDS(60) },
        { "1m30s", SALP_SECONDS(90) },
        { "1h0.5m", SALP_SECONDS(3630) },
        { "2d", SALP_SECONDS(172800) },
        { "1d3.5h16.6m4s", SALP_SECONDS(86400 + 12600 + 996 + 4) },
    };
    static const char *const bad[] = { "",    " ",   "s",    "-1",  "+1",
                                       "1x",  "1 s", "1s2",  "1s ", ".",
                                       "inf", "nan", "0x10", "1e3", "99999999999999999999d" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t time = -1;
        assert_true(map_value_duration(good[i].text, &time));
        assert_int_equal(time, good[i].time);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t time = 77;
        assert_false(map_value_duration(bad[i], &time));
        assert_int_equal(time, 77);
    }
}

static void sizes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t size;
    } good[] = {
        { "0", 0 },          { "100", 100 },        { "1k", 1000 },      { "1K", 1024 },  { "1.5M", 3 << 19 },
        { "2G", 2LL << 30 }, { "10MiB", 10 << 20 }, { "1Ki", 1024 },     { "7kB", 7000 }, { "1g", 1000000000 },
        { "1T", 1LL << 40 }, { "5B", 5 },           { "1P", 1LL << 50 },
    };
    static const char *const bad[] = { "", "k", "-1", "1x", "1 k", "1kk", "1KiBB", "9999999P" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        int64_t size = -1;
        assert_true(map_value_size(good[i].text, &size));
        assert_int_equal(size, good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t size;
        assert_false(map_value_size(bad[i], &size));
    }
}

static void numbers_of_slots_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct map_slots slots;
    } good[] = {
        { "8", { .kind = MAP_SLOTS_NUMBER, .number = 8 } },
        { "0", { .kind = MAP_SLOTS_NUMBER, .number = 0 } },
        { "150%", { .kind = MAP_SLOTS_PERCENT, .number = 150 } },
        { "12.5%", { .kind = MAP_SLOTS_PERCENT, .number = 12.5 } },
        { "+2", { .kind = MAP_SLOTS_RELATIVE, .number = 2 } },
        { "-1", { .kind = MAP_SLOTS_RELATIVE, .number = -1 } },
        { "file", { .kind = MAP_SLOTS_FILE, .path = "file" } },
        { "8x", { .kind = MAP_SLOTS_FILE, .path = "8x" } },
    };
    static const char *const bad[] = { "", "-", "+", "+x", "--1", "-1%" };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct map_slots slots;
        assert_true(map_value_slots(good[i].text, &slots));
        assert_int_equal(slots.kind, good[i].slots.kind);
        assert_true(slots.number == good[i].slots.number);
        assert_true(!slots.path == !good[i].slots.path);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct map_slots slots;
        assert_false(map_value_slots(bad[i], &slots));
    }
}

static void slots_are_counted(void **state)
{
    (void)state;
    int processors = map_slots_processors();
    assert_true(processors >= 1);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_ALLOWED }), processors);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_NUMBER, .number = 7 }), 7);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_PERCENT, .number = 200 }), 2 * processors);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_PERCENT, .number = 0.001 }), 1);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_RELATIVE, .number = 3 }), processors + 3);
    assert_int_equal(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_RELATIVE, .number = -1000 }), 1);
    assert_true(map_slots_count(&(struct map_slots){ .kind = MAP_SLOTS_NUMBER }) > 7);
}

static void halts_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        struct map_halt halt;
    } good[] = {
        { "never", { MAP_HALT_NEVER, MAP_HALT_FAIL, 0, 0 } },
        { "0", { MAP_HALT_NEVER, MAP_HALT_FAIL, 0, 0 } },
        { "1", { MAP_HALT_SOON, MAP_HALT_FAIL, 1, 0 } },
        { "2", { MAP_HALT_NOW, MAP_HALT_FAIL, 1, 0 } },
        { "-1", { MAP_HALT_SOON, MAP_HALT_SUCCESS, 1, 0 } },
        { "-2", { MAP_HALT_NOW, MAP_HALT_SUCCESS, 1, 0 } },
        { "30%", { MAP_HALT_SOON, MAP_HALT_FAIL, 0, 30 } },
        { "now,fail=1", { MAP_HALT_NOW, MAP_HALT_FAIL, 1, 0 } },
        { "soon,success=3", { MAP_HALT_SOON, MAP_HALT_SUCCESS, 3, 0 } },
        { "soon,done=25%", { MAP_HALT_SOON, MAP_HALT_DONE, 0, 25 } },
    };
    static const char *const bad[] = {
        "",           "3",           "now",         "now,",        "fail=1", "now,fail",    "now,fail=",
        "now,fail=0", "now,fail=0%", "now,fail=-1", "soon,lost=1", "101%",   "now,fail=1,2"
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct map_halt halt = { 0 };
        assert_true(map_value_halt(good[i].text, &halt));
        assert_int_equal(halt.when, good[i].halt.when);
        assert_int_equal(halt.count, good[i].halt.count);
        assert_true(halt.percent == good[i].halt.percent);
        assert_true(halt.when == MAP_HALT_NEVER || halt.on == good[i].halt.on);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct map_halt halt;
        assert_false(map_value_halt(bad[i], &halt));
    }
}

static struct map_halt halt_of(const char *text)
{
    struct map_halt halt = { 0 };
    assert_true(map_value_halt(text, &halt));
    return halt;
}

static bool reached(const char *text, uint64_t done, uint64_t failed, uint64_t total)
{
    struct map_halt halt = halt_of(text);
    return map_halt_reached(&halt, &(struct map_result){ .done = done, .failed = failed }, total);
}

static void a_halt_is_reached(void **state)
{
    (void)state;
    assert_false(reached("never", 1000, 1000, 2000));
    assert_false(reached("now,fail=2", 9, 1, 0));
    assert_true(reached("now,fail=2", 0, 2, 0));
    assert_false(reached("now,success=2", 1, 9, 0));
    assert_true(reached("now,success=2", 2, 0, 0));
    assert_false(reached("now,done=4", 1, 2, 0));
    assert_true(reached("now,done=4", 1, 3, 0));
    assert_false(reached("soon,fail=50%", 0, 4, 10));
    assert_true(reached("soon,fail=50%", 0, 5, 10));
    assert_false(reached("soon,fail=50%", 0, 5, 0)); /* of how many, nobody knows */
    assert_false(reached("soon,fail=1%", 5, 0, 10));
}

static int status(const char *text, const struct map_result *result, uint64_t total)
{
    struct map_halt halt = halt_of(text);
    return map_halt_exit_status(&halt, result, total);
}

static void exit_statuses_tell_how_many_have_failed(void **state)
{
    (void)state;
    assert_int_equal(status("never", &(struct map_result){ .done = 5 }, 0), 0);
    assert_int_equal(status("never", &(struct map_result){ .failed = 1 }, 0), 1);
    assert_int_equal(status("never", &(struct map_result){ .failed = 100 }, 0), 100);
    assert_int_equal(status("never", &(struct map_result){ .failed = 101 }, 0), 101);
    assert_int_equal(status("never", &(struct map_result){ .failed = 100000 }, 0), 101);
    assert_int_equal(status("1", &(struct map_result){ .failed = 2, .halted = true, .halting_status = 7 }, 0), 7);
    assert_int_equal(status("soon,fail=2", &(struct map_result){ .failed = 3, .halted = true, .halting_status = 7 }, 0),
                     3);
    assert_int_equal(status("30%", &(struct map_result){ .failed = 4, .halted = true }, 10), 40);
    assert_int_equal(status("-1", &(struct map_result){ .done = 1, .failed = 4, .halted = true }, 10), 0);
    assert_int_equal(status("-1", &(struct map_result){ .failed = 4 }, 4), 4);
}

static void ways_to_end_a_command_are_read(void **state)
{
    (void)state;
    struct map_stop stop;
    assert_true(map_stop_read(&stop, NULL));
    assert_int_equal(stop.count, 4);
    assert_int_equal(stop.before, 0);
    assert_int_equal(stop.kill_after, SALP_MILLISECONDS(350));
    assert_true(map_stop_read(&stop, "INT,100,sigterm,200,9"));
    assert_int_equal(stop.count, 3);
    assert_int_equal(stop.steps[0].signal, SIGINT);
    assert_int_equal(stop.steps[0].pause, SALP_MILLISECONDS(100));
    assert_int_equal(stop.steps[1].signal, SIGTERM);
    assert_int_equal(stop.steps[2].signal, SIGKILL);
    assert_int_equal(stop.before, 2);
    assert_int_equal(stop.kill_after, -1);
    assert_int_equal(stop.total, SALP_MILLISECONDS(300));
    assert_true(map_stop_read(&stop, "KILL"));
    assert_int_equal(stop.kill_after, -1);
    assert_int_equal(stop.before, 0);
    static const char *const bad[] = { "",          "NOTHING", "TERM,", "TERM,x",   "TERM,-1",
                                       "TERM,100,", "0",       "1000",  "TERM,TERM" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(map_stop_read(&stop, bad[i]));
}

static void delimiters_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *bytes;
        size_t size;
    } good[] = {
        { ",", ",", 1 },        { "\\n", "\n", 1 },   { "\\t\\t", "\t\t", 2 },  { "\\0", "\0", 1 },
        { "\\x0a", "\n", 1 },   { "\\012", "\n", 1 }, { "\\x1ez", "\x1ez", 2 }, { "\\\\", "\\", 1 },
        { "a\\0b", "a\0b", 3 }, { "\\", "\\", 1 },    { "\\q", "q", 1 },
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char text[16];
        strcpy(text, good[i].text);
        assert_int_equal(map_value_unescape(text), good[i].size);
        assert_memory_equal(text, good[i].bytes, good[i].size + 1);
    }
}

static void the_median_is_nearly_exact(void **state)
{
    (void)state;
    struct map_median *median = calloc(1, sizeof *median);
    assert_non_null(median);
    assert_int_equal(map_median_get(median), 0);
    for (int64_t length = 1; length <= 10001; length++)
        map_median_add(median, length * 1000003);
    int64_t exact = INT64_C(5001) * 1000003, found = map_median_get(median);
    assert_true(found >= exact && found <= exact + exact / 64);
    memset(median, 0, sizeof *median);
    map_median_add(median, INT64_MAX);
    assert_true(map_median_get(median) == INT64_MAX);
    memset(median, 0, sizeof *median);
    map_median_add(median, -5);
    map_median_add(median, 37);
    map_median_add(median, 37);
    assert_int_equal(map_median_get(median), 37);
    free(median);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("times are read", times_are_read),
        TEST("sizes are read", sizes_are_read),
        TEST("numbers of slots are read", numbers_of_slots_are_read),
        TEST("slots are counted", slots_are_counted),
        TEST("halts are read", halts_are_read),
        TEST("a halt is reached", a_halt_is_reached),
        TEST("exit statuses tell how many have failed", exit_statuses_tell_how_many_have_failed),
        TEST("ways to end a command are read", ways_to_end_a_command_are_read),
        TEST("delimiters are read", delimiters_are_read),
        TEST("the median is nearly exact", the_median_is_nearly_exact),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
