/*
 * What the jobs of salp map write: collected, and shown so that nothing is mixed.
 *
 * Grouped (the usual): all of a job's standard output when it has ended, then all of its errors; in the order of the
 * input with keep_order, where the job whose turn it is is shown while it runs. By line: each line when it is whole. Ungrouped:
 * the jobs have the terminal themselves. With one job at a time nothing needs to be collected.
 *
 * Jobs write to pipes, not to files: a job that opens /dev/stderr anew would truncate a file. What they write is held in memory up
 * to a bound of the whole run, and what is more in files without names. A job that leaves processes behind which hold its
 * pipes is not waited for longer than a second: that is told, and what they write later is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_OUTPUT_OUTPUT_H
#define CLI_OUTPUT_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

#include <salp/command.h>

#include "job/job.h"

enum output_way {
    OUTPUT_GROUPED,   /* --group */
    OUTPUT_BY_LINE,   /* --line-buffer */
    OUTPUT_UNGROUPED, /* -u. By line on a terminal that stops those who write to it, and are no foreground processes */
    OUTPUT_NOT_SHOWN, /* --json: records only */
};

struct output_options {
    enum output_way way;
    bool keep_order;    /* -k */
    bool one_at_a_time; /* never more than one job runs */
    bool tried_again; /* --retries: what a failed attempt has written is not to be seen, save for lines that were shown
                         as they came (OUTPUT_BY_LINE) */
    bool excerpts; /* job->out and job->err are wanted whole: a journal. Without, their heads and tails may be missing,
                         and where jobs have our own descriptors also their sizes */
    const char *const *names; /* of the values, which folders of results are called by; NULL: by their numbers */
    int name_count;
    const char *results;   /* --results: what is written goes there instead of being shown (output/results.h); NULL: no.
                            With replacement strings, which job->results has: any text that ends with "/" */
    bool files;            /* --files: not the output is shown, but the name of the file that has it */
    const char *temporary; /* folder for what is spilled; NULL: TMPDIR, or /tmp */
    size_t memory;         /* bytes of output that are held in memory at most; 0: 64 MiB */
    int64_t linger;        /* nanoseconds for those whom a job has left behind and who hold its output; 0: a second */

    /* Called around writing to standard output or standard error; NULL: nobody needs to know. */
    void (*gives_way)(void *arg);
    void (*comes_back)(void *arg);
    void *arg;
};

enum { OUTPUT_RECORDED = 1024 * 1024 }; /* bytes of each output that are kept with OUTPUT_NOT_SHOWN */

struct output;

/* Errors were told. In a task, as all below; several tasks may be in these functions, for different jobs. */
int output_open(struct output **output, const struct output_options *options);

/*
 * Before an attempt of a job is started: sets where its output and errors go to, in the options of its command. Errors, told by
 * nobody: -EMFILE, -ENFILE, -ENOMEM, -ENOSPC: there is nothing left for its pipes (four descriptors for a slot). Others are of
 * --results, told, and end the run.
 */
int output_begin(struct output *output, struct job *job, salp_command_options *options);

/*
 * The command runs (or could not be started: NULL): waits until it has ended as salp_command_wait does, and reads what it
 * writes meanwhile, and until its output is closed, but no longer than `linger` after its end. Fills in job->out and job->err
 * (see `excerpts`), and the outcome (NULL: not needed). Showing it may make it wait.
 *
 * Returns what salp_command_wait returns; a scope that ends it leaves the command running, what it has written so far is
 * there, and another call goes on.
 * If that is 0, an error of ours, the same for all calls from then on: -EPIPE: nobody reads our standard output any
 * more; -ENOSPC, ...: told; the run is to be ended.
 */
int output_collect(struct output *output, struct job *job, salp_command *command, salp_output *outcome);

/*
 * For a job that is no command, instead of output_begin and output_collect: more of what it writes to its standard output (fd 1)
 * or its errors (2), which is shown when it ends. Copied. Counted in job->out and job->err. Errors as above.
 */
int output_give(struct output *output, struct job *job, int fd, const void *bytes, size_t size);

/* Copies the beginning of what a job has written to its standard output (fd 1) or errors (2), with OUTPUT_NOT_SHOWN, between
   output_collect and output_end. OUTPUT_RECORDED are kept. Returns how many bytes, or an error of reading. */
int64_t output_recorded(const struct output *output, const struct job *job, int fd, void *bytes, size_t size);

/* The attempt is not the last one: forget what it has written. */
void output_discard(struct output *output, struct job *job);

/* The job has ended for good: shows its output, now or when it is its turn. Every job number comes here once, in any
   order, also those that were not run. Errors as above. */
int output_end(struct output *output, struct job *job);

/*
 * Writes bytes in one piece, to standard output (fd 1) or standard error (2): --json, --dry-run, -v; -t. What is said of a job
 * to standard output comes together with what that writes, and before it: when output_end shows it. All else is written at once:
 * to standard error, of no job (NULL), by line without an order, and where jobs have our own descriptors. May wait.
 * Errors as above.
 */
int output_say(struct output *output, const struct job *job, int fd, const void *bytes, size_t size);

/* Shows what is still held, also what waits for jobs that never came. 0, or an error as above. Frees it. Accepts NULL. */
int output_close(struct output *output);

#endif
