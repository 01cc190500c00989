/*
 * What the user wants of salp map, from its arguments. The names and meanings are GNU parallel's where it has them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_OPTIONS_H
#define CLI_MAP_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "input/source.h"
#include "input/template.h"
#include "output/output.h"

/* -j: so many jobs at a time. */
struct map_slots {
    enum map_slots_kind {
        MAP_SLOTS_ALLOWED, /* the usual: what this program may use of the machine; below make: its jobserver's tokens */
        MAP_SLOTS_NUMBER, /* -j 8; 0: as many as there are jobs, up to what the system has descriptors and processes for */
        MAP_SLOTS_PERCENT,  /* -j 150% of the processors that may be used, at least one */
        MAP_SLOTS_RELATIVE, /* -j +2, -j -1: to the processors that may be used, at least one */
        MAP_SLOTS_FILE,     /* -j FILE: read again whenever a job has ended */
    } kind;
    double number;
    const char *path;
};

/* --halt: when, on what, how many or how much of all. */
struct map_halt {
    enum map_halt_when { MAP_HALT_NEVER, MAP_HALT_SOON, MAP_HALT_NOW } when;
    enum map_halt_on { MAP_HALT_FAIL, MAP_HALT_SUCCESS, MAP_HALT_DONE } on;
    uint64_t count; /* 0: `percent` */
    double percent;
};

struct map_options {
    struct template_options template;
    struct input_options input;
    struct output_options output;
    struct map_slots slots;
    struct map_halt halt;
    bool cat, fifo;   /* blocks are files, or fifos, in a folder of their own (map/spool.h) */
    bool round_robin; /* a job gets one block after another (command/round.h) */
    bool tee;         /* each job gets all of standard input, and values (map/tee.h) */
    bool pipe_part;   /* --pipe was said in that way */

    int64_t timeout;        /* nanoseconds; 0: none */
    double timeout_percent; /* --timeout 200%: of the median of what has ended by itself so far; 0: none */
    int tries;              /* --retries N: a job is run up to N times in all; 0: once */
    int64_t delay;          /* nanoseconds between two starts */
    double load;            /* --load: no start while the load of the machine is above that; 0: not looked at */
    bool load_percent;      /* it is per cent of the processors */
    int64_t
        memory_free; /* --memfree: no start while less memory is available; below half, the youngest job is ended and put back; 0: not looked at */
    int64_t memory_limit;      /* --memory-limit: bytes that the tree of a job may have; 0: none */
    int nice;                  /* what it is to be; 0: as it is */
    const char *term_sequence; /* --termseq TERM,200,TERM,100,TERM,50,KILL,25; NULL: that */
    const char *folder;        /* --workdir */
    const char *slot_variable; /* --process-slot-var; NULL: none */

    bool dry_run;        /* shows the lines, runs nothing */
    int shell_quotes;    /* --shellquote: the same, and quotes them for a shell so often; 0: no */
    bool verbose;        /* -t, --verbose: shows each line on standard error (GNU: -t), or output (-v) before it runs */
    bool verbose_output; /* -v */
    bool interactive;    /* -p */
    bool skip_if_empty;  /* no inputs: nothing is said */

    enum map_progress { MAP_PROGRESS_AUTO, MAP_PROGRESS_BAR, MAP_PROGRESS_OFF } progress;
    enum map_summary { MAP_SUMMARY_AUTO, MAP_SUMMARY_SHOWN, MAP_SUMMARY_OFF } summary;
    bool json; /* --json: a record for each job on standard output */

    const char *joblog; /* --joblog: GNU parallel's table */
    const char *journal;
    bool resume, resume_failed; /* of the journal; without one: of the joblog */
    bool
        retry_failed; /* the commands of the joblog that have failed are run; the command and the inputs are not looked at */

    const char *function; /* --function FILE:NAME; NULL: a command */
    bool threads;         /* --threads: the function runs on threads, not in processes */

    /* What the options above are made of when all were read. */
    bool trims;                         /* --trim was said */
    const char *value_mark, *file_mark; /* --arg-sep, --arg-file-sep; NULL: ":::", "::::" */
    const char *header;                 /* --header */
    bool csv;                           /* --csv */
    bool shares_out;                    /* -m, -X: input.fill_slots is to be the number of slots */
    int blocks_each;                    /* --block -N: so many to a slot, which makes input.block_count; 0: not */
};

/* Exit statuses of salp map, besides the number of jobs that have failed (0 to 100). */
enum {
    MAP_EXIT_MANY = 101,       /* so many have failed, or more */
    MAP_EXIT_NOT_RUN = 126,    /* the command cannot be executed; no job was run */
    MAP_EXIT_NO_COMMAND = 127, /* there is no such command */
    MAP_EXIT_ERROR = 255, /* standard error says why: wrong arguments, inputs that cannot be read, a full disk, ... */
};

/* Frees what reading has allocated. */
void map_options_free(struct map_options *options);

/* The same, of the inputs alone. */
void map_options_forget_inputs(struct map_options *options);

/*
 * Reads argv. Does not return when it is wrong (MAP_EXIT_ERROR, with the nearest option that there is), nor after --help,
 * --help-all, --version. What the options point to are argv and the environment, or lives until the program ends.
 */
void map_options_read(struct map_options *options, int argc, char **argv);

#endif
