/*
 * What the journal still has to write: copies of what is to be known of jobs, one behind the other in one piece of memory.
 *
 * An attempt that starts is noted, and noted again when it ends. If the first note has not been taken to be written by then, the
 * second one takes its place: for short jobs there is one row to write instead of two.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_NOTES_H
#define CLI_JOURNAL_NOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "job/job.h"

/* The texts of a note. One that a job has not is NULL in the database. */
enum note_text {
    NOTE_INPUT, /* the values, with tabs between them */
    NOTE_LINE,
    NOTE_CAUSE,
    NOTE_OUT_HEAD,
    NOTE_OUT_TAIL,
    NOTE_ERR_HEAD,
    NOTE_ERR_TAIL,
    NOTE_TEXTS,
};

struct journal_note {
    size_t size;    /* bytes, to the next one */
    bool replaced;  /* it need not be written */
    bool starts;    /* it is the first one of an attempt: what the row holds is of another */
    bool has_ended; /* the job is not running */
    bool final;     /* it has ended for good */
    enum job_state state;
    uint64_t row, number;
    uint64_t key[2];
    int64_t block_size; /* -1: there is no block */
    int attempt, slot, exit_status, signal;
    int64_t started, ended, user, system, peak_memory;
    uint64_t out_size, err_size;
    ptrdiff_t begin[NOTE_TEXTS]; /* of the texts, in `bytes`; -1: there is none */
    size_t length[NOTE_TEXTS];
    char bytes[];
};

/* All zeros is an empty one. */
struct journal_notes {
    char *bytes;
    size_t size, room;
    uint64_t count; /* without those that were replaced */

    /* For each slot: where in `bytes` the note of the attempt begins that runs there; SIZE_MAX: it is not here. */
    size_t *running;
    int slots;
};

enum note_event { NOTE_STARTS, NOTE_ENDED, NOTE_ENDED_FOR_GOOD };

/* Copies what is to be known. -ENOMEM: nothing was added. */
int journal_notes_add(struct journal_notes *notes, const struct job *job, enum note_event event);

/* Goes through them: the first one for NULL; NULL: there is no other. */
const struct journal_note *journal_notes_next(const struct journal_notes *notes, const struct journal_note *note);

/* Forgets them; keeps memory for more, unless it is much. */
void journal_notes_clear(struct journal_notes *notes);

void journal_notes_free(struct journal_notes *notes);

#endif
