/*
 * The progress line:
 *
 *     42% [========>           ] 420/1000  2 running  3 failed  12.3/s  0:12 so far  0:47 left  a.jpg
 *
 * Its fields have ranks. They are taken in the order of these, as long as there is room, and shown in the order above. The bar
 * and the name take what is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <salp/time.h>

#include "job/visible.h"

enum field { PERCENT, BAR, COUNT, RUNNING, FAILED, RATE, ELAPSED, LEFT, NAME, FIELDS };

static const enum field ranks[] = { COUNT, FAILED, PERCENT, LEFT, RUNNING, RATE, ELAPSED };

enum {
    RANKS = sizeof ranks / sizeof *ranks,
    FIELD_SIZE = 64,
    BAR_LEAST = 12, /* columns, with its brackets */
    BAR_MOST = 32,
    NAME_LEAST = 8,
    NAME_MOST = 60,
    NAME_SIZE = 480, /* bytes */
};

void map_progress_time(int64_t time, char *text, size_t size)
{
    int64_t seconds = time / SALP_SECONDS(1), minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (time < 0 || days > 999)
        snprintf(text, size, "--:--");
    else if (days > 0)
        snprintf(text, size, "%" PRId64 "d %02" PRId64 "h", days, hours % 24);
    else if (hours > 0)
        snprintf(text, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, hours, minutes % 60, seconds % 60);
    else
        snprintf(text, size, "%" PRId64 ":%02" PRId64, minutes, seconds % 60);
}

static void write_rate(double rate, char *text, size_t size)
{
    const char *unit = "s";
    if (rate < 1) {
        rate *= 60;
        unit = "min";
    }
    if (rate < 1) {
        rate *= 60;
        unit = "h";
    }
    snprintf(text, size, "%.*f/%s", rate < 9.95 ? 1 : 0, rate, unit);
}

static int percent(const struct map_progress_view *view)
{
    /* 100 is said when all have ended, and not before. */
    return view->ended >= view->total ? 100 : (int)((double)view->ended / (double)view->total * 100);
}

static void write_bar(const struct map_progress_view *view, int columns, char *text)
{
    int room = columns - 2,
        filled = view->ended >= view->total ? room : (int)((double)view->ended / (double)view->total * room);
    text[0] = '[';
    for (int i = 0; i < room; i++)
        text[i + 1] = i < filled ? '=' : i == filled ? '>' : ' ';
    text[columns - 1] = ']';
    text[columns] = 0;
}

/* All fields but the bar and the name; an empty one has nothing to say. */
static void write_fields(const struct map_progress_view *view, char fields[FIELDS][FIELD_SIZE])
{
    char time[FIELD_SIZE / 2];
    if (view->total_known && view->total > 0) {
        snprintf(fields[PERCENT], FIELD_SIZE, "%d%%", percent(view));
        snprintf(fields[COUNT], FIELD_SIZE, "%" PRIu64 "/%" PRIu64, view->ended, view->total);
    } else {
        snprintf(fields[COUNT], FIELD_SIZE, "%" PRIu64, view->ended);
    }
    snprintf(fields[RUNNING], FIELD_SIZE, "%" PRIu64 " running", view->running);
    if (view->failed > 0)
        snprintf(fields[FAILED], FIELD_SIZE, "%" PRIu64 " failed", view->failed);
    if (view->rate > 0)
        write_rate(view->rate, fields[RATE], FIELD_SIZE);
    map_progress_time(view->elapsed, time, sizeof time);
    snprintf(fields[ELAPSED], FIELD_SIZE, "%s so far", time);
    map_progress_time(view->left, time, sizeof time);
    snprintf(fields[LEFT], FIELD_SIZE, "%s left", time);
}

/* What stands between a field and the one before it. The bar belongs to the numbers beside it. */
static int gap(enum field field, bool bar)
{
    return field == BAR || (field == COUNT && bar) ? 1 : 2;
}

int map_progress_line(const struct map_progress_view *view, int columns, bool colour, locale_t letters, char *line,
                      size_t size)
{
    char fields[FIELDS][FIELD_SIZE] = { 0 }, name[NAME_SIZE] = "";
    bool shown[FIELDS] = { false };
    int width = 0;
    write_fields(view, fields);
    for (int i = 0; i < RANKS; i++) {
        int more = (int)strlen(fields[ranks[i]]) + (width > 0 ? 2 : 0);
        shown[ranks[i]] = fields[ranks[i]][0] && width + more <= columns;
        width += shown[ranks[i]] ? more : 0;
    }
    /* One gap is by one smaller beside a bar, so it costs no more than its own columns. */
    if (!view->no_bar && shown[PERCENT] && shown[COUNT] && columns - width >= BAR_LEAST) {
        int room = (columns - width) / 2;
        room = room < BAR_LEAST ? BAR_LEAST : room > BAR_MOST ? BAR_MOST : room;
        write_bar(view, room, fields[BAR]);
        shown[BAR] = true;
        width += room;
    }
    int room = columns - width - 2;
    if (view->name && width > 0 && room >= NAME_LEAST) {
        int taken = job_visible(name, sizeof name, view->name, room < NAME_MOST ? room : NAME_MOST, letters);
        shown[NAME] = taken > 0;
        width += taken > 0 ? taken + 2 : 0;
    }
    size_t end = 0;
    line[0] = 0;
    for (int field = 0; field < FIELDS && end < size; field++) {
        if (!shown[field])
            continue;
        bool red = field == FAILED && colour;
        end += (size_t)snprintf(line + end, size - end, "%*s%s%s%s", end > 0 ? gap(field, shown[BAR]) : 0, "",
                                red ? "\033[31m" : "", field == NAME ? name : fields[field], red ? "\033[m" : "");
    }
    return width;
}
