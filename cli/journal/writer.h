/*
 * The thread that writes the journal, and what waits for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_WRITER_H
#define CLI_JOURNAL_WRITER_H

#include <stdint.h>

#include <sqlite3.h>

#include "job/job.h"
#include "journal/notes.h"
#include "journal/tables.h"

struct journal_writer;

struct journal_writer_options {
    sqlite3 *db;        /* the writer's from its start on: closed by journal_writer_finish */
    int fd;             /* of the database's file */
    const char *path;   /* likewise; needed as long as it writes */
    const char *folder; /* that the file is in; needed by journal_writer_start only */
    int64_t run;        /* the row of this run */
    uint64_t highest;   /* row in `job` that is there */
};

/* Starts the thread. After an error the database is the caller's still. -ENOMEM, -EAGAIN; or what the database says, in *why. */
int journal_writer_start(struct journal_writer **writer, const struct journal_writer_options *options,
                         struct tables_why *why);

/*
 * Notes something. By one thread. May wait with NOTE_STARTS. -ENOMEM, or -ECANCELED and the like of waiting: it was not noted.
 */
int journal_writer_add(struct journal_writer *writer, const struct job *job, enum note_event event);

/* Why nothing more can be written; 0: nothing has gone wrong. -ESTALE: the file was removed, and with it all that was written. */
int journal_writer_fault(struct journal_writer *writer, struct tables_why *why);

/* Writes what is not written yet, and that the run has ended; ends the thread, closes the database. Returns the first
   fault, with the reason, or 0; *lost: how many notes could not be written in the end. Frees the writer. */
int journal_writer_finish(struct journal_writer *writer, uint64_t *lost, struct tables_why *why);

#endif
