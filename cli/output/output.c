/*
 * The parts put together: a lane for each slot, an entry for what each job has to show.
 *
 *   output_begin     an entry; the pipes of the slot's lane            (or our own descriptors: nothing is collected)
 *   output_collect   lane: the text of the entry grows
 *   output_end       the entry is shown, now or when it is its turn (output/entries.h)
 *
 * SPDX-License-Identifier: MIT
 */
#include "output/output.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>

#include "output/entries.h"
#include "job/unnamed.h"
#include "output/excerpt.h"
#include "output/lane.h"
#include "output/table.h"

enum { MEMORY = 64 * 1024 * 1024 };

struct output {
    struct output_common common;
    struct output_lane **lanes; /* by slot */
    int lane_count;
    struct output_entries entries;
    bool passes; /* jobs have our own descriptors */
    bool titled; /* the table of results has its title */
};

/* ---- opening ---- */

/* Jobs are no foreground processes of the terminal: those that write to one with `stty tostop` are stopped, for ever. */
static bool stops_writers(int fd)
{
    struct termios terminal;
    return tcgetattr(fd, &terminal) == 0 && (terminal.c_lflag & TOSTOP);
}

/* Nothing has to be done with what the jobs write: they may have our own descriptors. */
static bool may_pass(const struct output_options *options)
{
    bool alone =
        options->one_at_a_time && !options->tried_again && !options->excerpts && !stops_writers(1) && !stops_writers(2);
    bool plain = !options->results && !options->files && options->way != OUTPUT_NOT_SHOWN;
    return plain && (options->way == OUTPUT_UNGROUPED || alone);
}

/* Lines without our help have no tags; with -u the user has wanted that. */
static bool passes(const struct output *output, const struct job *job)
{
    return output->passes && (!job->tag || output->common.options.way == OUTPUT_UNGROUPED);
}

/* What follows from the options. */
static void set_rules(struct output *output)
{
    struct output_common *common = &output->common;
    const struct output_options *options = &common->options;
    enum output_results_kind results = common->results.kind;
    bool recorded = options->way == OUTPUT_NOT_SHOWN;
    uint64_t kept = results == OUTPUT_RESULTS_TABLE ? UINT64_MAX : recorded ? OUTPUT_RECORDED : UINT64_MAX;
    bool elsewhere = !recorded && (results == OUTPUT_RESULTS_FOLDER || results == OUTPUT_RESULTS_FILES);
    common->kept[0] = elsewhere ? 0 : kept;
    common->kept[1] = elsewhere && results == OUTPUT_RESULTS_FOLDER ? 0 : kept;
    common->live = results == OUTPUT_RESULTS_NONE &&
                   (options->way == OUTPUT_BY_LINE ||
                    (options->way == OUTPUT_GROUPED && options->keep_order && !options->tried_again));
    common->unread = results == OUTPUT_RESULTS_NONE && options->way == OUTPUT_GROUPED && !options->excerpts;
    output->passes = may_pass(options);
}

static int open_table(struct output *output)
{
    const struct output_results *results = &output->common.results;
    if (results->kind != OUTPUT_RESULTS_TABLE || strcmp(results->path, "-.csv") == 0 ||
        strcmp(results->path, "-.tsv") == 0)
        return 0;
    output->entries.table = 2;
    return output_screen_open_table(&output->common.screen, results->path);
}

int output_open(struct output **out, const struct output_options *options)
{
    struct output *output = calloc(1, sizeof *output);
    if (!output)
        return -ENOMEM;
    struct output_common *common = &output->common;
    const char *temporary = job_temporary_folder(options->temporary);
    common->options = *options;
    if (options->way == OUTPUT_UNGROUPED && (stops_writers(1) || stops_writers(2)))
        common->options.way = OUTPUT_BY_LINE;
    output_results_open(&common->results, options, temporary);
    output->entries.common = common;
    set_rules(output);
    output_store_open(&common->store, temporary, options->memory > 0 ? options->memory : MEMORY);
    output_turn_open(&common->turn, &common->store);
    int error = output_screen_open(&common->screen, &common->store, &common->options);
    if (error < 0)
        output_screen_fail(&common->screen, "standard output", error);
    else
        error = open_table(output);
    if (error < 0) {
        output_screen_close(&common->screen);
        output_store_close(&common->store);
        free(output);
        return error;
    }
    /* A file that may not be larger is an error of ours, as a full disk is, and a pipe that nobody reads. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    *out = output;
    return 0;
}

/* ---- while a job runs ---- */

static struct output_lane *find_lane(struct output *output, int slot)
{
    if (slot >= output->lane_count) {
        int count = slot + 1 > 2 * output->lane_count ? slot + 1 : 2 * output->lane_count;
        struct output_lane **lanes = realloc(output->lanes, (size_t)count * sizeof *lanes);
        if (!lanes)
            return NULL;
        memset(lanes + output->lane_count, 0, (size_t)(count - output->lane_count) * sizeof *lanes);
        output->lanes = lanes;
        output->lane_count = count;
    }
    if (!output->lanes[slot])
        output->lanes[slot] = output_lane_new(&output->common);
    return output->lanes[slot];
}

int output_begin(struct output *output, struct job *job, salp_command_options *options)
{
    if (passes(output, job)) {
        options->out = options->err = SALP_PASSED;
        return 0;
    }
    struct output_lane *lane = find_lane(output, job->slot);
    struct output_entry *entry = output_entries_take(&output->entries, job);
    if (!lane || !entry)
        return -ENOMEM;
    if (!job->output)
        output_entries_adopt(&output->entries, entry);
    job->output = entry;
    int error = output_lane_begin(lane, job, entry);
    if (error < 0)
        return error;
    entry->lane = lane;
    entry->tag = job->tag; /* it may tell the attempt */
    options->out = options->err = SALP_DESCRIPTOR;
    options->out_fd = lane->channels[0].pipe.out;
    options->err_fd = lane->channels[1].pipe.out;
    return 0;
}

/* Its lane is free for the next job. */
static void stop(struct output_entry *entry)
{
    output_lane_cease(entry->lane);
    entry->lane = NULL;
}

/* By the signal itself, or as a shell tells it of one of its commands. */
static bool died_of_closed_pipe(const salp_output *outcome)
{
    return outcome->signal == SIGPIPE || outcome->exit_status == 128 + SIGPIPE;
}

/* It writes by itself. That nobody reads any more is nothing to those who write nothing: only a job that has died of it tells. */
static int wait_for_writer(struct output *output, salp_command *command, salp_output *outcome)
{
    struct output_screen *screen = &output->common.screen;
    int error = salp_command_wait(command, outcome);
    if (error == 0 && died_of_closed_pipe(outcome) && !output_sink_is_read(&screen->sinks[0]))
        error = output_screen_fail(screen, "standard output", -EPIPE);
    return error;
}

int output_collect(struct output *output, struct job *job, salp_command *command, salp_output *outcome)
{
    struct output_entry *entry = job->output;
    struct output_lane *lane = entry ? entry->lane : NULL;
    salp_output own = { .exit_status = -1 };
    int result = 0;
    if (!outcome)
        outcome = &own;
    if (lane && command)
        result = output_lane_collect(lane, command, outcome);
    else if (command)
        result = wait_for_writer(output, command, outcome);
    if (lane && !output_lane_was_interrupted(result, outcome))
        stop(entry);
    return result < 0 ? result : output->common.screen.error;
}

/* The entry of a job that is no command, whose attempt may begin with this. NULL: why is the screen's error. */
static struct output_entry *begin_giving(struct output *output, struct job *job)
{
    struct output_common *common = &output->common;
    struct output_entry *entry = output_entries_take(&output->entries, job);
    if (!entry) {
        output_screen_fail(&common->screen, "output that is put aside", -ENOMEM);
        return NULL;
    }
    if (!job->output)
        output_entries_adopt(&output->entries, entry);
    job->output = entry;
    entry->tag = job->tag;
    if (entry->given)
        return entry;
    entry->given = true;
    output_excerpt_clear(&job->out);
    output_excerpt_clear(&job->err);
    int error = output_lane_copy(common, job, entry);
    return error < 0 ? (output_screen_fail(&common->screen, "--results", error), NULL) : entry;
}

int output_give(struct output *output, struct job *job, int fd, const void *bytes, size_t size)
{
    struct output_common *common = &output->common;
    struct output_entry *entry = common->screen.error == 0 ? begin_giving(output, job) : NULL;
    output_excerpt_add(fd == 1 ? &job->out : &job->err, bytes, size);
    if (!entry)
        return common->screen.error;
    struct output_text *text = &entry->texts[fd - 1];
    int error = output_copies_write(&entry->copies, fd - 1, bytes, size);
    if (error < 0)
        return output_screen_fail(&common->screen, "--results", error);
    uint64_t room = common->kept[fd - 1] - text->size;
    error = output_text_add(text, &common->store, bytes, size <= room ? size : (size_t)room);
    return error < 0 ? output_screen_fail(&common->screen, "output that is put aside", error) : 0;
}

int64_t output_recorded(const struct output *output, const struct job *job, int fd, void *bytes, size_t size)
{
    const struct output_entry *entry = job->output;
    return entry ? output_text_copy(&entry->texts[fd - 1], &output->common.store, bytes, size) : 0;
}

void output_discard(struct output *output, struct job *job)
{
    struct output_entry *entry = job->output;
    if (!entry)
        return;
    output_entries_forget(&output->entries, entry);
    entry->given = false;
}

/* ---- its end ---- */

/* What is told of a job in place of its output. */
static int tell_results(struct output *output, const struct job *job, struct output_entry *entry)
{
    struct output_store *store = &output->common.store;
    const struct output_results *results = &output->common.results;
    int error = output_copies_close(&entry->copies);
    if (error == 0 && results->kind == OUTPUT_RESULTS_TABLE && job->state != JOB_SKIPPED) {
        if (!output->titled)
            error = output_table_title(&output->entries.title, store, job->value_count, results->separator);
        output->titled = true;
        if (error == 0)
            error = output_table_row(&entry->row, store, job, entry->texts, results->separator);
    }
    if (output->common.options.files && entry->copies.name && error == 0)
        error = output_text_add(&entry->said, store, entry->copies.name, strlen(entry->copies.name));
    if (output->common.options.files && entry->copies.name && error == 0)
        error = output_text_add(&entry->said, store, "\n", 1);
    return error < 0 ? output_screen_fail(&output->common.screen, "--results", error) : 0;
}

/* Without anything to show it has results all the same. */
static bool was_run(const struct job *job)
{
    return job->state == JOB_DONE || job->state == JOB_FAILED || job->state == JOB_KILLED ||
           job->state == JOB_TIMED_OUT || job->state == JOB_OVER_MEMORY || job->state == JOB_UNSTARTED;
}

int output_end(struct output *output, struct job *job)
{
    struct output_entry *entry = output_entries_find(&output->entries, job);
    if (!entry && output->common.results.kind != OUTPUT_RESULTS_NONE && was_run(job))
        entry = begin_giving(output, job);
    if (entry && !job->output)
        output_entries_adopt(&output->entries, entry);
    job->output = NULL;
    if (entry && entry->lane)
        stop(entry);
    if (entry && output->common.results.kind != OUTPUT_RESULTS_NONE)
        tell_results(output, job, entry);
    return output_entries_end(&output->entries, job->number, entry);
}

/* ---- what is said beside it ---- */

/* What is said of a job comes with what it writes, unless that is shown line by line, or not by us. */
static bool comes_with_job(const struct output *output, const struct job *job)
{
    const struct output_options *options = &output->common.options;
    if (!job || passes(output, job) || output->common.screen.error < 0)
        return false;
    return options->keep_order || options->way != OUTPUT_BY_LINE;
}

int output_say(struct output *output, const struct job *job, int fd, const void *bytes, size_t size)
{
    struct output_screen *screen = &output->common.screen;
    if (fd == 1 && comes_with_job(output, job)) {
        struct output_entry *entry = output_entries_take(&output->entries, job);
        int error = entry ? output_text_add(&entry->said, &output->common.store, bytes, size) : -ENOMEM;
        return error < 0 ? output_screen_fail(screen, "output that is put aside", error) : 0;
    }
    int error = output_screen_take(screen);
    if (error < 0)
        return error;
    error = output_screen_write(screen, fd - 1, bytes, size);
    output_screen_give(screen);
    return error;
}

int output_close(struct output *output)
{
    if (!output)
        return 0;
    struct output_common *common = &output->common;
    output_entries_close(&output->entries);
    for (int i = 0; i < output->lane_count; i++)
        output_lane_free(output->lanes[i]);
    free(output->lanes);
    int error = output_screen_flush(&common->screen);
    output_turn_close(&common->turn);
    output_screen_close(&common->screen);
    output_store_close(&common->store);
    free(output);
    return error;
}
