/*
 * The line at the bottom of a terminal that tells how far the jobs are.
 *
 *     erased --draw--> drawn --gives_way--> away --comes_back--> erased
 *        ^               |                   (output is written)
 *        '----close------'
 *
 *   I1  The line is drawn at most once in `pace`, and only when it says something else than what stands there.
 *   I2  Nothing is drawn between gives_way and comes_back, and then nothing of ours stands on the terminal.
 *   I3  The line is at least one column shorter than the window is when it is drawn: it never wraps, so that it can be
 *       erased. The cursor stays visible and behind it; a program that is killed leaves no more than this line.
 *   I4  Nobody knows in which column the output of others has left the cursor. As many blanks as the window has columns, and
 *       a return, lead to the beginning of an empty line: of the same one if the cursor was at its beginning (terminals wrap
 *       when the next character comes, not before), else of the next one. So what others have written without a newline stays.
 *   I5  A terminal that takes nothing now (Ctrl-S) is left alone, and so is one on which another process group is in front:
 *       the jobs go on.
 *
 * When the window has become narrower than a line that stands there, some terminals wrap the line, and all but its last part
 * stays. Moving up to erase it would take away output on those which do not wrap.
 *
 * Where lines cannot be redrawn (a file, TERM=dumb) whoever asked for progress gets some lines, one after another: after a
 * second, after two more, four more... and after each minute then, and a last one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/progress.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <salp/time.h>

#include "job/visible.h"
#include "map/estimate.h"
#include "map/watchers.h"

enum {
    NAME_BYTES = 240,  /* more than is shown */
    LINE_COLUMNS = 80, /* of lines that are not redrawn, and of a terminal that does not tell */
    COLUMNS_MOST = 4096,
    CONTROL_BYTES = 16, /* around a line */
    REMEMBERED = 32,    /* jobs, for the mean of what they take */
};

static const int64_t pace = SALP_MILLISECONDS(100);
static const int64_t patience = SALP_MILLISECONDS(200); /* what has ended by then needs no line */
static const int64_t line_gap_most = SALP_SECONDS(60);
static const double foreseeable = 1e8; /* seconds: some years */

/* What a slot runs. */
struct running {
    uint64_t number; /* of the job; 0: none */
    int64_t since;
    char name[NAME_BYTES];
};

struct progress {
    struct job_watcher watcher;
    struct map_progress_options options;
    int64_t begun;

    struct running *slots;
    int slot_count;
    struct map_progress_view view; /* its counts are kept, the rest is made when it is drawn */
    uint64_t ended_here;           /* of view.ended, without those that were skipped */
    double mean;                   /* nanoseconds that a job has taken, lately */
    struct map_estimate estimate;

    int64_t drawn_at;
    char drawn[MAP_PROGRESS_SIZE]; /* what stands there; empty: nothing */
    int drawn_columns;             /* of the window, then */
    bool away;                     /* I2 */
    bool unknown_column;           /* I4 */
    int64_t next_line, line_gap;   /* where lines follow each other */
};

static struct progress *of(struct job_watcher *watcher)
{
    return (struct progress *)watcher;
}

int64_t map_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SALP_SECONDS(1) + now.tv_nsec;
}

/* ---- what is shown ---- */

/* Jobs that have ended here, and of those that run the part that they probably have behind them. */
static double done_here(const struct progress *p, int64_t now, const struct running **oldest)
{
    double done = (double)p->ended_here;
    *oldest = NULL;
    for (int i = 0; i < p->slot_count; i++) {
        const struct running *running = &p->slots[i];
        if (running->number == 0)
            continue;
        if (!*oldest || running->since < (*oldest)->since)
            *oldest = running;
        double age = (double)(now - running->since);
        if (p->ended_here > 0 && age > 0)
            done += age < p->mean ? age / p->mean : 1;
    }
    return done;
}

static void look(struct progress *p, int64_t now)
{
    struct map_progress_view *view = &p->view;
    const struct running *oldest;
    double done = done_here(p, now, &oldest);
    map_estimate_mark(&p->estimate, now, done);
    view->rate = p->ended_here > 0 ? map_estimate_rate(&p->estimate, now, done) : 0;
    view->elapsed = now - p->begun;
    view->name = oldest ? oldest->name : NULL;
    view->left = -1;
    if (!view->total_known)
        return;
    if (view->ended >= view->total) {
        view->left = 0;
    } else if (view->rate > 0) {
        double seconds = ((double)(view->total - (view->ended - p->ended_here)) - done) / view->rate;
        if (seconds < foreseeable)
            view->left = seconds > 0 ? (int64_t)(seconds * 1e9) : 0;
    }
}

/* ---- on a terminal ---- */

/* I5 */
static bool may_write(const struct progress *p)
{
    struct pollfd ready = { .fd = p->options.fd, .events = POLLOUT };
    pid_t front = tcgetpgrp(p->options.fd);
    return (front < 0 || front == getpgrp()) && poll(&ready, 1, 0) == 1 && ready.revents & POLLOUT;
}

static void write_out(const struct progress *p, const char *bytes, size_t size)
{
    /* What does not come out is not worth more than the next line, which comes soon. */
    if (write(p->options.fd, bytes, size) < 0)
        return;
}

static void erase(struct progress *p)
{
    static const char sequence[] = "\r\033[K";
    if (!p->drawn[0])
        return;
    write_out(p, sequence, sizeof sequence - 1);
    p->drawn[0] = 0;
}

static void draw(struct progress *p, int64_t now)
{
    char line[MAP_PROGRESS_SIZE], bytes[COLUMNS_MOST + MAP_PROGRESS_SIZE + CONTROL_BYTES];
    if (p->away || now - p->drawn_at < pace || now - p->begun < patience || !may_write(p))
        return;
    int columns = job_terminal_columns(p->options.fd);
    if (columns <= 0 || columns > COLUMNS_MOST)
        columns = LINE_COLUMNS;
    look(p, now);
    int width = map_progress_line(&p->view, columns - 1, p->options.colour, p->options.letters, line, sizeof line);
    if (strcmp(line, p->drawn) == 0 && columns == p->drawn_columns)
        return;
    int blanks = p->unknown_column && width > 0 ? columns : 0;
    int size = snprintf(bytes, sizeof bytes, "%*s\r%s\033[K", blanks, "", line);
    write_out(p, bytes, (size_t)size);
    p->unknown_column = p->unknown_column && width == 0;
    p->drawn_at = now;
    p->drawn_columns = columns;
    memcpy(p->drawn, line, sizeof line);
}

/* ---- elsewhere ---- */

static void write_line(struct progress *p, int64_t now)
{
    char line[MAP_PROGRESS_SIZE], bytes[MAP_PROGRESS_SIZE + CONTROL_BYTES];
    look(p, now);
    p->view.name = NULL;
    p->view.no_bar = true;
    map_progress_line(&p->view, LINE_COLUMNS - (int)strlen("salp map: "), false, p->options.letters, line, sizeof line);
    int size = snprintf(bytes, sizeof bytes, "salp map: %s\n", line);
    write_out(p, bytes, (size_t)size);
}

static void write_line_when_due(struct progress *p, int64_t now)
{
    if (p->away || now < p->next_line)
        return;
    write_line(p, now);
    p->line_gap = p->line_gap * 2 < line_gap_most ? p->line_gap * 2 : line_gap_most;
    p->next_line = now + p->line_gap;
}

static void show(struct progress *p, int64_t now)
{
    if (p->options.redrawn)
        draw(p, now);
    else
        write_line_when_due(p, now);
}

/* ---- what it is told ---- */

/* The slot of a job, whose place is made if there is none; NULL: no memory, and it is not shown. */
static struct running *slot_of(struct progress *p, const struct job *job)
{
    int index = job->slot > 0 ? job->slot - 1 : 0;
    if (index >= p->slot_count) {
        int count = index + 1 > 2 * p->slot_count ? index + 1 : 2 * p->slot_count;
        struct running *slots = realloc(p->slots, (size_t)count * sizeof *slots);
        if (!slots)
            return NULL;
        memset(slots + p->slot_count, 0, (size_t)(count - p->slot_count) * sizeof *slots);
        p->slots = slots;
        p->slot_count = count;
    }
    return &p->slots[index];
}

/* Appends as much as there is room for. Returns the end. */
static char *append(char *end, const char *limit, const char *text)
{
    char *behind = memccpy(end, text, 0, (size_t)(limit - end));
    return behind ? behind - 1 : (char *)(uintptr_t)limit;
}

/* Its inputs; its command if it has none. What does not fit is not there. */
static void name_job(const struct job *job, char *name)
{
    const char *limit = name + NAME_BYTES - 1;
    char *end = name;
    for (int i = 0; i < job->value_count && end < limit; i++)
        end = append(i > 0 ? append(end, limit, " ") : end, limit, job->values[i]);
    if (job->value_count == 0 && job->line)
        end = append(end, limit, job->line);
    *end = 0;
}

static int on_start(struct job_watcher *watcher, const struct job *job)
{
    struct progress *p = of(watcher);
    int64_t now = p->options.now();
    struct running *running = slot_of(p, job);
    if (running) {
        p->view.running += running->number == 0;
        running->number = job->number;
        running->since = now;
        name_job(job, running->name);
    }
    if (p->estimate.count == 0)
        map_estimate_mark(&p->estimate, now, 0);
    show(p, now);
    return 0;
}

static int on_end(struct job_watcher *watcher, const struct job *job, bool final)
{
    struct progress *p = of(watcher);
    struct running *running = job->state == JOB_SKIPPED ? NULL : slot_of(p, job);
    if (running && running->number == job->number) {
        running->number = 0;
        p->view.running--;
    }
    if (final) {
        p->view.ended++;
        p->view.failed += !job_succeeded(job);
    }
    if (final && job->state != JOB_SKIPPED) {
        /* The mean of all at first, of about the last 32 later on. */
        p->ended_here++;
        double weight = p->ended_here < REMEMBERED ? 1.0 / (double)p->ended_here : 1.0 / REMEMBERED;
        p->mean += ((double)job->wall - p->mean) * weight;
    }
    show(p, p->options.now());
    return 0;
}

static void on_total(struct job_watcher *watcher, uint64_t jobs)
{
    struct progress *p = of(watcher);
    p->view.total = jobs;
    p->view.total_known = true;
}

static void on_tick(struct job_watcher *watcher)
{
    struct progress *p = of(watcher);
    show(p, p->options.now());
}

static void give_way(struct job_watcher *watcher)
{
    struct progress *p = of(watcher);
    erase(p);
    p->away = true;
}

static void come_back(struct job_watcher *watcher)
{
    struct progress *p = of(watcher);
    p->away = false;
    p->unknown_column = true;
    show(p, p->options.now());
}

static int close_progress(struct job_watcher *watcher)
{
    struct progress *p = of(watcher);
    if (p->options.redrawn)
        erase(p);
    else if (p->view.ended > 0)
        write_line(p, p->options.now());
    job_letters_free(p->options.letters);
    free(p->slots);
    free(p);
    return 0;
}

struct job_watcher *map_progress_open(const struct map_progress_options *options)
{
    struct progress *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->watcher = (struct job_watcher){
        .starts = on_start,
        .ended = on_end,
        .total = on_total,
        .period = pace,
        .tick = on_tick,
        .gives_way = give_way,
        .comes_back = come_back,
        .close = close_progress,
    };
    p->options = *options;
    p->begun = options->now();
    p->drawn_at = p->begun - pace;
    p->unknown_column = true;
    p->line_gap = SALP_SECONDS(1);
    p->next_line = p->begun + p->line_gap;
    return &p->watcher;
}

bool map_progress_fits(void)
{
    const char *terminal = getenv("TERM");
    return terminal && *terminal && strcmp(terminal, "dumb") != 0 && isatty(STDERR_FILENO);
}

struct job_watcher *map_progress_new(void)
{
    const char *no_colour = getenv("NO_COLOR");
    locale_t letters = job_letters_new();
    struct job_watcher *watcher = map_progress_open(&(struct map_progress_options){
        .fd = STDERR_FILENO,
        .redrawn = map_progress_fits(),
        .colour = !(no_colour && *no_colour),
        .letters = letters,
        .now = map_now,
    });
    if (!watcher)
        job_letters_free(letters);
    return watcher;
}
