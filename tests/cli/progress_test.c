/*
 * The progress line: its fields, its figures, and what a person sees of it on a terminal. That is a pseudo-terminal, whose
 * bytes are fed to a small model of one: cells, a cursor, and the few sequences that the line may use; any other fails the
 * test. The clock is the test's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <wchar.h>

#include "job/visible.h"
#include "map/estimate.h"
#include "map/progress.h"

/* ---- a terminal ---- */

enum { ROWS = 24, COLUMNS_MOST = 200 };

static struct {
    int master, slave;
    int columns;
    wchar_t cells[ROWS][COLUMNS_MOST]; /* 0: the second half of a wide one */
    int row, column;                   /* column == columns: the next character wraps */
    int written;                       /* bytes that have come */
} terminal;

static int64_t now;

static int64_t pretended_now(void)
{
    return now;
}

static void resize(int columns)
{
    terminal.columns = columns;
    assert_int_equal(ioctl(terminal.master, TIOCSWINSZ, &(struct winsize){ .ws_row = ROWS, .ws_col = columns }), 0);
}

static void open_terminal(int columns)
{
    assert_int_equal(openpty(&terminal.master, &terminal.slave, NULL, NULL, NULL), 0);
    for (int i = 0; i < ROWS; i++)
        wmemset(terminal.cells[i], L' ', COLUMNS_MOST);
    resize(columns);
}

static void close_terminal(void)
{
    close(terminal.master);
    close(terminal.slave);
}

static void put_cell(wchar_t c)
{
    int width = wcwidth(c);
    EXPECT(width >= 0);
    if (width == 0)
        return;
    if (terminal.column + width > terminal.columns) {
        terminal.column = 0;
        terminal.row++;
    }
    EXPECT(terminal.row < ROWS);
    terminal.cells[terminal.row][terminal.column] = c;
    if (width == 2)
        terminal.cells[terminal.row][terminal.column + 1] = 0;
    terminal.column += width;
}

/* One character or sequence; returns its size. */
static size_t feed(const char *bytes)
{
    if (*bytes == '\r') {
        terminal.column = 0;
        return 1;
    }
    if (*bytes == '\n') {
        terminal.row++;
        EXPECT(terminal.row < ROWS);
        return 1;
    }
    if (strncmp(bytes, "\033[K", 3) == 0) {
        for (int i = terminal.column; i < COLUMNS_MOST; i++)
            terminal.cells[terminal.row][i] = L' ';
        return 3;
    }
    if (strncmp(bytes, "\033[31m", 5) == 0)
        return 5;
    if (strncmp(bytes, "\033[m", 3) == 0)
        return 3;
    wchar_t c;
    mbstate_t state = { 0 };
    size_t size = mbrtowc(&c, bytes, MB_LEN_MAX, &state);
    EXPECT(size > 0 && size <= MB_LEN_MAX); /* all else are letters of UTF-8 */
    put_cell(c);
    return size;
}

/* All that was written comes out, until a bell that is written behind it. */
static void watch(void)
{
    char bytes[65536];
    size_t size = 0;
    assert_int_equal(write(terminal.slave, "\a", 1), 1);
    while (size == 0 || bytes[size - 1] != '\a') {
        ssize_t more = read(terminal.master, bytes + size, sizeof bytes - 1 - size);
        assert_true(more > 0);
        size += (size_t)more;
    }
    bytes[--size] = 0;
    terminal.written += (int)size;
    locale_t letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    locale_t before = uselocale(letters);
    for (size_t i = 0; i < size;)
        i += feed(bytes + i);
    uselocale(before);
    freelocale(letters);
}

/* A line as it is seen, without the blanks behind it; '#' stands for what is not ASCII. */
static const char *seen(int row)
{
    static char line[COLUMNS_MOST + 1];
    int size = 0;
    watch();
    for (int i = 0; i < terminal.columns; i++) {
        wchar_t c = terminal.cells[row][i];
        if (c != 0)
            line[size++] = c < 0x80 ? (char)c : '#';
    }
    while (size > 0 && line[size - 1] == ' ')
        size--;
    line[size] = 0;
    return line;
}

static void say(const char *text)
{
    assert_int_equal(write(terminal.slave, text, strlen(text)), strlen(text));
}

/* ---- jobs ---- */

static struct job_watcher *watcher;

static void begin(bool redrawn)
{
    now = SALP_SECONDS(1000);
    watcher = map_progress_open(&(struct map_progress_options){ .fd = terminal.slave,
                                                                .redrawn = redrawn,
                                                                .letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL),
                                                                .now = pretended_now });
    assert_non_null(watcher);
}

static struct job job_of(uint64_t number, int slot, const char *const *name)
{
    return (struct job){ .number = number, .slot = slot, .values = name, .value_count = 1, .state = JOB_RUNNING };
}

static void start(uint64_t number, int slot, const char *name)
{
    struct job job = job_of(number, slot, &name);
    assert_int_equal(watcher->starts(watcher, &job), 0);
}

static void end(uint64_t number, int slot, enum job_state state, int64_t wall, bool final)
{
    struct job job = job_of(number, slot, (const char *const[]){ "" });
    job.state = state;
    job.wall = wall;
    assert_int_equal(watcher->ended(watcher, &job, final), 0);
}

static void pass(int64_t time)
{
    now += time;
    watcher->tick(watcher);
}

static void finish(void)
{
    assert_int_equal(watcher->close(watcher), 0);
}

/* ---- tests ---- */

static const char *line_of(const struct map_progress_view *view, int columns)
{
    static char line[MAP_PROGRESS_SIZE];
    int width = map_progress_line(view, columns, false, NULL, line, sizeof line);
    assert_int_equal(width, strlen(line));
    assert_true(width <= columns);
    return line;
}

static void a_wide_line_has_all_and_a_narrow_one_what_counts(void **state)
{
    (void)state;
    const struct map_progress_view view = { .ended = 420,
                                            .total = 1000,
                                            .total_known = true,
                                            .failed = 3,
                                            .running = 2,
                                            .rate = 12.3,
                                            .elapsed = SALP_SECONDS(12),
                                            .left = SALP_SECONDS(47),
                                            .name = "a.jpg" };
    assert_string_equal(line_of(&view, 120),
                        "42% [==========>               ] 420/1000  2 running  3 failed  12/s  0:12 so far  "
                        "0:47 left  a.jpg");
    assert_string_equal(line_of(&view, 80),
                        "42% [====>     ] 420/1000  2 running  3 failed  12/s  0:12 so far  0:47 left");
    assert_string_equal(line_of(&view, 50), "42%  420/1000  2 running  3 failed  0:47 left");
    assert_string_equal(line_of(&view, 20), "420/1000  3 failed");
    assert_string_equal(line_of(&view, 8), "420/1000");
    assert_string_equal(line_of(&view, 7), "42%");
    assert_string_equal(line_of(&view, 2), "");
    assert_string_equal(line_of(&view, 0), "");
    for (int columns = 0; columns < 200; columns++)
        (void)line_of(&view, columns);
}

static void what_is_not_known_is_not_said(void **state)
{
    (void)state;
    assert_string_equal(line_of(&(struct map_progress_view){ .ended = 7, .left = -1 }, 60),
                        "7  0 running  0:00 so far  --:-- left");
    assert_string_equal(line_of(&(struct map_progress_view){ .total_known = true, .left = -1 }, 60),
                        "0  0 running  0:00 so far  --:-- left");
}

static void a_hundred_per_cent_is_said_when_all_have_ended(void **state)
{
    (void)state;
    struct map_progress_view view = { .ended = 999999, .total = 1000000, .total_known = true };
    assert_memory_equal(line_of(&view, 100), "99% ", 4);
    view.ended++;
    assert_memory_equal(line_of(&view, 100), "100% [======", 12);
    view.ended++;
    assert_memory_equal(line_of(&view, 100), "100% [======", 12);
}

static void expect_time(int64_t seconds, const char *text)
{
    char got[32];
    map_progress_time(seconds < 0 ? -1 : SALP_SECONDS(seconds), got, sizeof got);
    assert_string_equal(got, text);
}

static void times_are_written_as_people_do(void **state)
{
    (void)state;
    expect_time(0, "0:00");
    expect_time(47, "0:47");
    expect_time(3599, "59:59");
    expect_time(3600 + 62, "1:01:02");
    expect_time(86400 * 2 + 3 * 3600, "2d 03h");
    expect_time(86400 * 1000, "--:--");
    expect_time(-1, "--:--");
}

static void rates_are_written_with_the_unit_that_they_need(void **state)
{
    (void)state;
    assert_non_null(strstr(line_of(&(struct map_progress_view){ .rate = 12345.6 }, 90), "  12346/s  "));
    assert_non_null(strstr(line_of(&(struct map_progress_view){ .rate = 1.23 }, 90), "  1.2/s  "));
    assert_non_null(strstr(line_of(&(struct map_progress_view){ .rate = 0.5 }, 90), "  30/min  "));
    assert_non_null(strstr(line_of(&(struct map_progress_view){ .rate = 2.0 / 3600 }, 90), "  2.0/h  "));
}

static void the_rate_is_that_of_the_recent_past(void **state)
{
    (void)state;
    struct map_estimate estimate = { 0 };
    assert_true(map_estimate_rate(&estimate, 0, 0) == 0);
    double done = 0;
    int64_t time = 0;
    for (; time < SALP_SECONDS(1000); time += SALP_MILLISECONDS(100), done += 1)
        map_estimate_mark(&estimate, time, done);
    double rate = map_estimate_rate(&estimate, time, done);
    assert_true(rate > 9.9 && rate < 10.1);
    for (; time < SALP_SECONDS(2000); time += SALP_MILLISECONDS(100), done += 0.1)
        map_estimate_mark(&estimate, time, done);
    rate = map_estimate_rate(&estimate, time, done);
    assert_true(rate > 0.99 && rate < 1.01);
    /* Nothing ends any more: it falls. */
    for (int i = 0; i < 100; i++, time += SALP_SECONDS(10))
        map_estimate_mark(&estimate, time, done);
    assert_true(map_estimate_rate(&estimate, time, done) < 0.5 * rate);
}

static void names_become_harmless(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns;
        const char *ascii, *utf8;
    } cases[] = {
        { "plain", 10, "plain", "plain" },
        { "plain", 5, "plain", "plain" },
        { "longer", 5, "lo...", "long\u2026" },
        { "longer", 2, "lo", "l\u2026" },
        { "longer", 0, "", "" },
        { "a\nb\tc", 9, "a b c", "a b c" },
        { "\033[2Jx\a\x7f", 9, "?[2Jx??", "?[2Jx??" },
        { "\u00e9t\u00e9", 9, "??t??", "\u00e9t\u00e9" },
        { "e\u0301", 9, "e??", "e\u0301" },
        { "\u6f22\u5b57\u6f22\u5b57", 20, "????????????", "\u6f22\u5b57\u6f22\u5b57" },
        { "\u6f22\u5b57\u6f22\u5b57", 6, "???...", "\u6f22\u5b57\u2026" },
        { "\xff\xc3_\xe2\x82", 9, "??_??", "??_??" },
        { "\u202ecod.exe", 20, "???cod.exe", "?cod.exe" },
        { "\xc2\x9b"
          "2J",
          9, "??2J", "?2J" },
    };
    locale_t letters = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    assert_non_null(letters);
    char text[100];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_true(job_visible(text, sizeof text, cases[i].text, cases[i].columns, NULL) <= cases[i].columns);
        assert_string_equal(text, cases[i].ascii);
        assert_true(job_visible(text, sizeof text, cases[i].text, cases[i].columns, letters) <= cases[i].columns);
        assert_string_equal(text, cases[i].utf8);
    }
    /* Few bytes rather than few columns. */
    for (size_t size = 1; size < sizeof text; size++) {
        memset(text, 1, sizeof text);
        job_visible(text, size, "\u6f22\u5b57\u6f22\u5b57 and e\u0301\u0301\u0301\u0301\u0301\u0301\u0301", 50,
                    letters);
        assert_true(strlen(text) < size);
        assert_true(size == sizeof text || text[size] == 1);
    }
    freelocale(letters);
}

static void letters_are_what_the_environment_says(void **state)
{
    (void)state;
    unsetenv("LC_ALL");
    unsetenv("LC_CTYPE");
    setenv("LANG", "de_DE.UTF-8", 1);
    locale_t letters = job_letters_new();
    assert_non_null(letters);
    job_letters_free(letters);
    setenv("LC_ALL", "C", 1);
    assert_null(job_letters_new());
    setenv("LC_ALL", "", 1);
    setenv("LC_CTYPE", "en_US.utf8", 1);
    letters = job_letters_new();
    assert_non_null(letters);
    job_letters_free(letters);
    job_letters_free(NULL);
}

static void a_person_sees_how_far_it_is(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    watcher->total(watcher, 10);
    start(1, 1, "one");
    start(2, 2, "two");
    assert_string_equal(seen(0), "");
    pass(SALP_SECONDS(1));
    assert_string_equal(seen(0), "0% [>                        ] 0/10  2 running  0:01 so far  --:-- left  one");
    end(1, 1, JOB_DONE, SALP_SECONDS(1), true);
    pass(SALP_SECONDS(1));
    end(2, 2, JOB_FAILED, SALP_SECONDS(2), true);
    pass(SALP_SECONDS(1));
    assert_string_equal(seen(0), "20% [===>            ] 2/10  0 running  1 failed  40/min  0:03 so far  0:12 left");
    finish();
    assert_string_equal(seen(0), "");
    assert_int_equal(terminal.row, 0);
    assert_int_equal(terminal.column, 0);
    close_terminal();
}

static void nothing_is_written_when_nothing_has_changed(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    start(1, 1, "one");
    pass(SALP_SECONDS(1));
    (void)seen(0);
    int written = terminal.written;
    assert_true(written > 0);
    for (int i = 0; i < 9; i++)
        pass(SALP_MILLISECONDS(100));
    (void)seen(0);
    assert_int_equal(terminal.written, written);
    pass(SALP_MILLISECONDS(100));
    (void)seen(0);
    assert_true(terminal.written > written);
    finish();
    close_terminal();
}

static void it_is_drawn_ten_times_a_second_at_most(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    pass(SALP_SECONDS(1));
    (void)seen(0);
    int written = terminal.written, changes = 0;
    for (uint64_t i = 1; i <= 1000; i++) {
        start(i, 1, "x");
        now += SALP_MILLISECONDS(1);
        end(i, 1, JOB_DONE, SALP_MILLISECONDS(1), true);
        (void)seen(0);
        changes += terminal.written != written;
        written = terminal.written;
    }
    assert_in_range(changes, 9, 10);
    finish();
    close_terminal();
}

static void output_is_never_touched(void **state)
{
    (void)state;
    open_terminal(60);
    begin(true);
    start(1, 1, "one");
    pass(SALP_SECONDS(1));
    assert_non_null(strstr(seen(0), "1 running"));
    watcher->gives_way(watcher);
    assert_string_equal(seen(0), "");
    pass(SALP_SECONDS(1));
    assert_string_equal(seen(0), ""); /* not while it is away */
    say("whole line\r\nhalf a line");
    watcher->comes_back(watcher);
    assert_string_equal(seen(0), "whole line");
    assert_string_equal(seen(1), "half a line");
    assert_non_null(strstr(seen(2), "1 running"));
    watcher->gives_way(watcher);
    say("another\r\n");
    pass(SALP_SECONDS(1));
    watcher->comes_back(watcher);
    assert_string_equal(seen(1), "half a line");
    assert_string_equal(seen(2), "another");
    assert_non_null(strstr(seen(3), "1 running"));
    /* A line that ends at the border. */
    watcher->gives_way(watcher);
    say("123456789.123456789.123456789.123456789.123456789.123456789.");
    pass(SALP_SECONDS(1));
    watcher->comes_back(watcher);
    assert_string_equal(seen(3), "123456789.123456789.123456789.123456789.123456789.123456789.");
    assert_non_null(strstr(seen(4), "1 running"));
    finish();
    assert_string_equal(seen(4), "");
    close_terminal();
}

static void every_width_has_one_line(void **state)
{
    (void)state;
    open_terminal(COLUMNS_MOST);
    begin(true);
    watcher->total(watcher, 100);
    start(1, 1, "\u6f22\u5b57 \033[2J\u0301 a long name with \xff bytes of all kinds");
    for (int columns = COLUMNS_MOST; columns > 0; columns--) {
        resize(columns);
        pass(SALP_SECONDS(1));
        (void)seen(0);
        assert_int_equal(terminal.row, 0);
        assert_true(terminal.column < columns);
    }
    for (int columns = 1; columns < COLUMNS_MOST; columns += 7) {
        resize(columns);
        pass(SALP_SECONDS(1));
        (void)seen(0);
        assert_int_equal(terminal.row, 0);
        assert_true(terminal.column < columns);
    }
    assert_non_null(strstr(seen(0), "## ?[2J# a long name with ? bytes of all kinds")
                        ? ""
                        : strstr(seen(0), "## ?[2J a long name with ? bytes of all kinds"));
    finish();
    assert_string_equal(seen(0), "");
    close_terminal();
}

static void a_retried_job_is_one_job(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    watcher->total(watcher, 2);
    start(1, 1, "one");
    end(1, 1, JOB_FAILED, SALP_SECONDS(1), false);
    start(1, 1, "one");
    pass(SALP_SECONDS(1));
    assert_non_null(strstr(seen(0), "0/2  1 running  0:01"));
    end(1, 1, JOB_DONE, SALP_SECONDS(1), true);
    end(2, 0, JOB_SKIPPED, 0, true);
    pass(SALP_SECONDS(1));
    assert_non_null(strstr(seen(0), "2/2  0 running"));
    assert_non_null(strstr(seen(0), "0:00 left"));
    assert_null(strstr(seen(0), "failed"));
    finish();
    close_terminal();
}

static void what_was_skipped_makes_no_rate(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    watcher->total(watcher, 1000);
    for (uint64_t i = 1; i <= 900; i++)
        end(i, 0, JOB_SKIPPED, 0, true);
    start(901, 1, "x");
    pass(SALP_SECONDS(1));
    assert_non_null(strstr(seen(0), "900/1000"));
    assert_non_null(strstr(seen(0), "--:-- left"));
    end(901, 1, JOB_DONE, SALP_SECONDS(1), true);
    pass(SALP_MILLISECONDS(100));
    assert_non_null(strstr(seen(0), "1:48 left")); /* 99 jobs, of which one takes 1.1 s so far */
    finish();
    close_terminal();
}

static void a_terminal_that_takes_nothing_stops_nobody(void **state)
{
    (void)state;
    open_terminal(100);
    begin(true);
    start(1, 1, "one");
    assert_int_equal(tcflow(terminal.slave, TCOOFF), 0);
    for (int i = 0; i < 10000; i++)
        pass(SALP_SECONDS(1));
    assert_int_equal(tcflow(terminal.slave, TCOON), 0);
    pass(SALP_SECONDS(1));
    assert_non_null(strstr(seen(0), "1 running"));
    finish();
    close_terminal();
}

static void elsewhere_lines_follow_each_other_ever_more_seldom(void **state)
{
    (void)state;
    enum { SECONDS = 600 };
    open_terminal(100);
    begin(false);
    watcher->total(watcher, SECONDS);
    for (uint64_t i = 1; i <= SECONDS; i++) {
        start(i, 1, "x");
        now += SALP_SECONDS(1);
        end(i, 1, JOB_DONE, SALP_SECONDS(1), true);
    }
    finish();
    assert_string_equal(seen(0), "salp map: 0%  1/600  0 running  1.0/s  0:01 so far  9:59 left");
    assert_string_equal(seen(1), "salp map: 0%  3/600  0 running  1.0/s  0:03 so far  9:57 left");
    assert_string_equal(seen(2), "salp map: 1%  7/600  0 running  1.0/s  0:07 so far  9:53 left");
    assert_string_equal(seen(6), "salp map: 20%  123/600  0 running  1.0/s  2:03 so far  7:57 left");
    assert_string_equal(seen(7), "salp map: 30%  183/600  0 running  1.0/s  3:03 so far  6:57 left");
    assert_string_equal(seen(14), "salp map: 100%  600/600  0 running  1.0/s  10:00 so far  0:00 left");
    assert_int_equal(terminal.row, 15);
    close_terminal();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a wide line has all, and a narrow one what counts", a_wide_line_has_all_and_a_narrow_one_what_counts),
        TEST("what is not known is not said", what_is_not_known_is_not_said),
        TEST("a hundred per cent is said when all have ended", a_hundred_per_cent_is_said_when_all_have_ended),
        TEST("times are written as people do", times_are_written_as_people_do),
        TEST("rates are written with the unit that they need", rates_are_written_with_the_unit_that_they_need),
        TEST("the rate is that of the recent past", the_rate_is_that_of_the_recent_past),
        TEST("names become harmless", names_become_harmless),
        TEST("letters are what the environment says", letters_are_what_the_environment_says),
        TEST("a person sees how far it is", a_person_sees_how_far_it_is),
        TEST("nothing is written when nothing has changed", nothing_is_written_when_nothing_has_changed),
        TEST("it is drawn ten times a second at most", it_is_drawn_ten_times_a_second_at_most),
        TEST("output is never touched", output_is_never_touched),
        TEST("every width has one line", every_width_has_one_line),
        TEST("a retried job is one job", a_retried_job_is_one_job),
        TEST("what was skipped makes no rate", what_was_skipped_makes_no_rate),
        TEST("a terminal that takes nothing stops nobody", a_terminal_that_takes_nothing_stops_nobody),
        TEST("elsewhere, lines follow each other ever more seldom", elsewhere_lines_follow_each_other_ever_more_seldom),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
