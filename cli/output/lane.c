/* Collecting from pipes. SPDX-License-Identifier: MIT */
#include "output/lane.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <salp/task.h>

#include "output/excerpt.h"

enum {
    SWEEPS = 32, /* reads of what a pipe holds, so that somebody who goes on writing does not keep us for ever */
    MOVED = 1024 * 1024,
    WORTH_MOVING = 64 * 1024,
};

/* ---- reading ---- */

/* So many of the new bytes are kept. */
static size_t kept(const struct output_channel *ch, size_t size)
{
    const struct output_common *common = ch->lane->common;
    if (common->screen.error < 0)
        return 0; /* nobody will see them */
    uint64_t room = common->kept[ch->which] - ch->lane->entry->texts[ch->which].size;
    return size <= room ? size : (size_t)room;
}

static void note_lines(struct output_channel *ch, const char *bytes, size_t size)
{
    struct output_entry *entry = ch->lane->entry;
    const char *newline = memrchr(bytes, '\n', size);
    if (newline)
        entry->lines[ch->which] = entry->come[ch->which] + (uint64_t)(newline - bytes) + 1;
}

/* I5. Returns how many bytes; 0: what there is has to be read. */
static int64_t put_aside(struct output_channel *ch)
{
    struct output_common *common = ch->lane->common;
    struct output_entry *entry = ch->lane->entry;
    int there;
    if (!common->unread || ch->which != 0 || !ch->pipe.wide || entry->tag || common->screen.error < 0 ||
        ioctl(ch->pipe.in, FIONREAD, &there) < 0 || there < WORTH_MOVING)
        return 0;
    int64_t moved = output_text_move(&entry->texts[0], &common->store, ch->pipe.in, MOVED);
    if (moved <= 0)
        return 0;
    ch->lane->job->out.size += (uint64_t)moved;
    entry->come[0] += (uint64_t)moved;
    return moved;
}

/* Reads once. Returns more than 0: there may be more; 0: the end; -EAGAIN. An error of ours is the screen's: the job is read on. */
static int64_t read_once(struct output_channel *ch)
{
    static char nowhere[64 * 1024];
    struct output_common *common = ch->lane->common;
    struct output_text *text = &ch->lane->entry->texts[ch->which];
    struct job *job = ch->lane->job;
    char *bytes = nowhere;
    size_t room = sizeof nowhere;
    int64_t aside = put_aside(ch);
    if (aside > 0)
        return aside;
    if (common->screen.error == 0) {
        int error = output_text_room(text, &common->store, &bytes, &room);
        if (error < 0) {
            output_screen_fail(&common->screen, "output that is put aside", error);
            bytes = nowhere;
            room = sizeof nowhere;
        }
    }
    int64_t got = output_pipe_read(&ch->pipe, bytes, room);
    if (got <= 0)
        return got;
    output_excerpt_add(ch->which == 0 ? &job->out : &job->err, bytes, (size_t)got);
    int error = output_copies_write(&ch->lane->entry->copies, ch->which, bytes, (size_t)got);
    if (error < 0)
        output_screen_fail(&common->screen, "--results", error);
    size_t size = kept(ch, (size_t)got);
    if (bytes == nowhere || size == 0)
        return got;
    if (common->options.way == OUTPUT_BY_LINE)
        note_lines(ch, bytes, size);
    ch->lane->entry->come[ch->which] += size;
    output_text_grown(text, &common->store, size);
    if (ch->lane->entry->come[ch->which] >= OUTPUT_MUCH)
        output_pipe_widen(&ch->pipe);
    return got;
}

/* ---- showing while it runs ---- */

/* So many bytes may be shown before the job has ended. */
static uint64_t showable(const struct output_lane *lane, int which)
{
    const struct output_common *common = lane->common;
    const struct output_entry *entry = lane->entry;
    if (!common->live || lane->given_up || (common->options.keep_order && entry->number != common->turn.next))
        return 0;
    uint64_t size = entry->texts[which].size, shown = entry->come[which] - size;
    if (common->options.way == OUTPUT_BY_LINE)
        return entry->lines[which] > shown ? entry->lines[which] - shown : 0;
    return which == 0 ? size : 0; /* errors come behind all of the output */
}

/* I4, when what was read is shown. */
static bool may_move(const struct output_lane *lane)
{
    const struct output_common *common = lane->common;
    const struct output_entry *entry = lane->entry;
    return common->unread && common->live && !lane->given_up && lane->channels[0].pipe.wide &&
           common->screen.sinks[0].splices && common->screen.error == 0 && entry->number == common->turn.next &&
           !entry->tag;
}

static bool is_straight(const struct output_lane *lane)
{
    return may_move(lane) && lane->entry->texts[0].size == 0;
}

/* Who has taken the screen: moves what the pipe holds. */
static void move(struct output_lane *lane)
{
    struct output_pipe *pipe = &lane->channels[0].pipe;
    for (int times = 0; times < SWEEPS && is_straight(lane); times++) {
        int64_t moved = output_screen_splice(&lane->common->screen, 0, pipe->in, MOVED);
        pipe->ended |= moved == 0;
        if (moved <= 0)
            return;
        lane->job->out.size += (uint64_t)moved;
        lane->entry->come[0] += (uint64_t)moved;
        if (salp_yield() < 0)
            return;
    }
}

/* Errors: of the scope; what could not be shown is still there. */
static int show(struct output_lane *lane)
{
    struct output_common *common = lane->common;
    struct output_entry *entry = lane->entry;
    uint64_t sizes[2] = { showable(lane, 0), showable(lane, 1) };
    if (sizes[0] + sizes[1] == 0 && !may_move(lane))
        return 0;
    int error = output_screen_take(&common->screen);
    if (error < 0)
        return error;
    bool silent = false;
    error = output_screen_show(&common->screen, 0, &entry->said, entry->said.size, NULL, &silent);
    for (int i = 0; i < 2 && error == 0; i++)
        error = output_screen_show(&common->screen, i, &entry->texts[i], sizes[i], entry->tag, &entry->in_line[i]);
    if (error == 0)
        move(lane);
    output_screen_give(&common->screen);
    return common->screen.error < 0 ? 0 : error;
}

static void go_on(struct output_lane *lane)
{
    for (int i = 0; i < 2; i++) {
        struct output_channel *ch = &lane->channels[i];
        if (!ch->paused)
            continue;
        ch->paused = false;
        int error = output_pipe_watch(&ch->pipe, true);
        if (error < 0)
            output_screen_fail(&lane->common->screen, "output of a job", error);
    }
}

/* By the loop. */
static void on_readable(int fd, unsigned events, void *arg)
{
    struct output_channel *ch = arg;
    struct output_lane *lane = ch->lane;
    (void)fd;
    if (!lane->job || (ch->pipe.out >= 0 && !(events & SALP_READABLE)))
        return; /* it is the end of the job before */
    if (ch->which == 0 && is_straight(lane)) {
        output_pipe_watch(&ch->pipe, false);
        ch->paused = true;
        salp_event_set(lane->news);
        return;
    }
    if (read_once(ch) == 0)
        output_pipe_watch(&ch->pipe, false);
    uint64_t waiting = showable(lane, ch->which);
    if (waiting > 0 || ch->pipe.ended)
        salp_event_set(lane->news);
    if (waiting >= OUTPUT_AHEAD) {
        output_pipe_watch(&ch->pipe, false); /* I2, I3 */
        ch->paused = true;
    }
}

/* ---- until it has ended ---- */

struct waiting {
    struct output_lane *lane;
    salp_command *command;
    salp_output *outcome;
    int result;
};

static int wait_for_command(void *arg)
{
    struct waiting *w = arg;
    w->result = salp_command_wait(w->command, w->outcome);
    w->lane->command_ended = true;
    salp_event_set(w->lane->news);
    return 0;
}

/* Shows what comes until the command has ended, or a scope. */
static void watch_live(struct output_lane *lane)
{
    int error = 0;
    while (!lane->command_ended && error == 0) {
        error = salp_event_wait(lane->news);
        salp_event_clear(lane->news);
        if (error == 0)
            error = show(lane);
        go_on(lane);
    }
}

static int wait_live(struct output_lane *lane, salp_command *command, salp_output *outcome)
{
    struct waiting w = { lane, command, outcome, -ECANCELED };
    salp_group group;
    salp_group_open(&group);
    if (salp_go(&group, wait_for_command, &w) == 0)
        watch_live(lane);
    else
        wait_for_command(&w);
    salp_group_close(&group);
    return w.result; /* that the showing was ended is no error: it is gone on with */
}

/* ---- what is left ---- */

static bool has_ended(const struct output_lane *lane)
{
    return lane->channels[0].pipe.ended && lane->channels[1].pipe.ended;
}

/* Somebody else holds the pipes, and may write more. */
static void wait_for_others(struct output_lane *lane)
{
    salp_scope scope;
    int64_t linger = lane->common->options.linger;
    salp_scope_open(&scope, linger > 0 ? linger : SALP_SECONDS(1));
    while (!has_ended(lane) && salp_event_wait(lane->news) == 0) {
        salp_event_clear(lane->news);
        (void)show(lane);
        go_on(lane);
    }
    salp_scope_close(&scope);
    if (!has_ended(lane))
        output_screen_tell(&lane->common->screen,
                           "job %" PRIu64 " has left a process behind that holds its output: what it writes is lost",
                           lane->job->number);
}

static void read_rest(struct output_lane *lane)
{
    for (int i = 0; i < 2; i++)
        output_pipe_finish(&lane->channels[i].pipe);
    if (may_move(lane))
        (void)show(lane);
    for (int i = 0; i < 2; i++) {
        struct output_channel *ch = &lane->channels[i];
        for (int times = 0; times < SWEEPS && read_once(ch) > 0; times++)
            continue;
    }
}

bool output_lane_was_interrupted(int result, const salp_output *outcome)
{
    return result == -ECANCELED || (result == -ETIMEDOUT && !outcome->timed_out);
}

int output_lane_collect(struct output_lane *lane, salp_command *command, salp_output *outcome)
{
    bool live = lane->common->live && !lane->given_up;
    int result = live ? wait_live(lane, command, outcome) : salp_command_wait(command, outcome);
    lane->given_up = output_lane_was_interrupted(result, outcome);
    read_rest(lane);
    if (!has_ended(lane) && !lane->given_up)
        wait_for_others(lane);
    return result;
}

/* ---- from job to job ---- */

int output_lane_copy(struct output_common *common, const struct job *job, struct output_entry *entry)
{
    int error = output_copies_open(&entry->copies, &common->results, job);
    if (error == -EMFILE || error == -ENFILE)
        return error; /* others may end, and then there are some */
    return error < 0 ? output_screen_fail(&common->screen, "--results", error) : 0;
}

int output_lane_begin(struct output_lane *lane, struct job *job, struct output_entry *entry)
{
    int error = output_lane_copy(lane->common, job, entry);
    for (int i = 0; i < 2 && error == 0; i++)
        error = output_pipe_begin(&lane->channels[i].pipe);
    if (error < 0)
        return error;
    output_excerpt_clear(&job->out);
    output_excerpt_clear(&job->err);
    salp_event_clear(lane->news);
    lane->job = job;
    lane->entry = entry;
    lane->command_ended = lane->given_up = false;
    return 0;
}

void output_lane_cease(struct output_lane *lane)
{
    lane->job = NULL;
    int error = output_copies_close(&lane->entry->copies);
    if (error < 0)
        output_screen_fail(&lane->common->screen, "--results", error);
    for (int i = 0; i < 2; i++) {
        struct output_channel *ch = &lane->channels[i];
        ch->paused = false;
        output_pipe_renew(&ch->pipe);
    }
}

struct output_lane *output_lane_new(struct output_common *common)
{
    struct output_lane *lane = calloc(1, sizeof *lane);
    if (!lane || salp_event_open(&lane->news, NULL) < 0) {
        free(lane);
        return NULL;
    }
    lane->common = common;
    for (int i = 0; i < 2; i++) {
        struct output_channel *ch = &lane->channels[i];
        *ch = (struct output_channel){ .lane = lane, .which = i };
        output_pipe_init(&ch->pipe, on_readable, ch);
    }
    return lane;
}

void output_lane_free(struct output_lane *lane)
{
    if (!lane)
        return;
    for (int i = 0; i < 2; i++)
        output_pipe_close(&lane->channels[i].pipe);
    salp_event_close(lane->news);
    free(lane);
}
