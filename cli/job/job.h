/*
 * A job of salp map: one run of the command, with what it is given and what has become of it.
 *
 * A job is made by the source of inputs (input/source.h), gets its command from the template (input/template.h), is run by
 * a slot (command/runner.h), its output is collected and shown by output/output.h, and what has become of it is told to the
 * watchers: the journal, the progress line, --joblog, --json, the summary.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_JOB_H
#define CLI_JOB_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has become of it. */
enum job_state {
    JOB_WAITING, /* nothing was started */
    JOB_RUNNING,
    JOB_DONE,        /* exit status 0 */
    JOB_FAILED,      /* another exit status */
    JOB_KILLED,      /* a signal has ended it */
    JOB_TIMED_OUT,   /* it took longer than --timeout */
    JOB_OVER_MEMORY, /* it had more memory than --memory-limit */
    JOB_UNSTARTED,   /* it could not be started: `error` */
    JOB_HALTED,      /* it was ended because of --halt or of the user */
    JOB_SKIPPED,     /* not run: done by an earlier run that is resumed, or left out */
};

enum { JOB_EXCERPT = 1024 }; /* bytes of the beginning and of the end of an output that are kept */

/* One output of a job, as far as others than its reader need to know. */
struct job_text {
    uint64_t size;          /* bytes, all of it */
    char head[JOB_EXCERPT]; /* the first min(size, JOB_EXCERPT) bytes */
    char tail[JOB_EXCERPT]; /* the last ones: min(size - head, JOB_EXCERPT), in order, nothing that is in head */
    size_t head_size, tail_size;
};

struct job {
    uint64_t number; /* {#}: from 1, in the order of the inputs */
    int slot;        /* {%}: from 1; no two jobs that run at the same time have the same one */
    int attempt;     /* from 1 */

    /* Its inputs: {1}, {2}, ...; owned by `memory` below. None with --pipe. No value has a zero byte in it. */
    const char *const *values;
    int value_count;

    /* With --pipe: what goes to its standard input, until the job has ended for good. */
    const void *block;
    size_t block_size;
    const char
        *block_name; /* with --cat and --fifo: the file that has the block instead, which {} is; NULL: none has */

    /* What is run, ends with NULL; and the same as a line for people (and for --dry-run), quoted for the shell. */
    const char *const *argv;
    const char *line;

    /* With --results that has replacement strings: what has become of those; NULL: it has none. */
    const char *results;

    /* With --tag and --tagstring: what each line of its output begins with; NULL: nothing. */
    const char *tag;

    enum job_state state;
    bool left_out;        /* JOB_SKIPPED: the command says that it is not to be run ({uniq}, {choose_k}) */
    int exit_status;      /* 0 to 255; -1: it did not exit */
    int signal;           /* that ended it; 0: none */
    int error;            /* JOB_UNSTARTED: why, a negative error; also of a function that has failed with one */
    int64_t started;      /* CLOCK_REALTIME, nanoseconds since 1970 */
    int64_t wall;         /* nanoseconds from the start to the end of this attempt */
    int64_t user, system; /* nanoseconds of processor time */
    int64_t peak_memory;  /* bytes; 0: not known */
    struct job_text out, err;

    struct job_memory *memory; /* all that is pointed to above (job/memory.h) */
    void *output;              /* [owner: output/] what is collected of this job */

    /* [owner: journal/] What journal_wants has found out. */
    struct job_note {
        uint64_t row;    /* its row in the journal; 0: journal_wants was not asked */
        uint64_t key[2]; /* a hash of its inputs */
        int earlier;     /* attempts in earlier runs */
    } note;
};

/* Forgets the inputs and the outcome; the memory stays, for the next one. */
void job_clear(struct job *job);

/* What the clock shows now, as in `started`. */
int64_t job_clock(void);

/* One word for a state, as in the journal and in JSON: "done", "failed", ... */
const char *job_state_name(enum job_state state);

/* The state of that name; -1: there is none. */
int job_state_of(const char *name);

/* Did it end as it should: JOB_DONE or JOB_SKIPPED? */
bool job_succeeded(const struct job *job);

/* How GNU parallel tells it in its tables: what could not be started has 127, as a shell says; what was ended for time or memory
   has -1 and the signal. */
int job_exit_value(const struct job *job);
int job_signal_value(const struct job *job);

/* Why it failed, for people: "exit status 3", "SIGSEGV", "no such program: foo", "longer than 2 s". Into `text`. */
void job_describe(const struct job *job, char *text, size_t size);

#endif
