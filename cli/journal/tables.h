/*
 * The file of a journal: an SQLite database with these tables, known by its application_id and the version of its tables.
 *
 *     run      a row for each time that salp map was run with this journal
 *     word     the words of the command
 *     job      a row for each job: its inputs, and what has become of its last attempt
 *     output   the beginnings and the ends of what that attempt has written, where it has written something
 *     retried  the attempts before the last one
 *
 * They are part of the interface: docs/journal.md says what each column means. Bytes that the user gave (inputs, lines, words) are
 * TEXT where they are UTF-8 without zero bytes, and else a BLOB.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_TABLES_H
#define CLI_JOURNAL_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include <sqlite3.h>

enum {
    TABLES_APPLICATION = 0x53616c70, /* "Salp" */
    TABLES_VERSION = 1,
};

/* An error in words. */
struct tables_why {
    char text[300];
};

/* How commits reach the file. */
enum tables_way {
    TABLES_BY_PLACE,  /* the first of these that can be had where the file is */
    TABLES_LOG,       /* a log beside it (WAL): readers and the writer do not wait for each other */
    TABLES_ROLL_BACK, /* old pages are kept beside it: also on a disk of another machine, and slower */
};

/*
 * Opens a journal to write it; an empty file or none becomes one. Errors, with the reason in *why: -EINVAL: it is something
 * else, or its tables are of another version; -EACCES, -ENOENT, -ENOSPC, ... of the system.
 */
int journal_tables_open(sqlite3 **db, const char *path, enum tables_way way, struct tables_why *why);

/* Closes one that was written: all is in the one file afterwards, unless somebody reads it. No statement is left. */
void journal_tables_close(sqlite3 *db);

/* Opens one to read it, also while it is written. Nothing is changed. Errors as above. */
int journal_tables_read(sqlite3 **db, const char *path, struct tables_why *why);

/* Compiles a statement that is to be used often. An SQLite result. */
int journal_tables_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql);

/* The last error of a database as a negative errno, with its text. */
int journal_tables_error(sqlite3 *db, struct tables_why *why);

/* Binds bytes, which must stay until the statement is reset: as TEXT or BLOB, NULL as NULL. An SQLite result. */
int journal_tables_bind(sqlite3_stmt *statement, int index, const char *bytes, size_t size);

/*
 * The one writer. Takes the lock, and returns its descriptor, to be closed after the database is: closing any descriptor of
 * the file takes the locks of SQLite away. -EBUSY: somebody has it.
 */
int journal_tables_lock(const char *path);

/* Is somebody writing it: 1 or 0. Not to be asked by a program that has it open (see above). Negative error. */
int journal_tables_locked(const char *path);

/* Who that is, as far as the journal says: "process 123 on host", or "another program". */
void journal_tables_writer(const char *path, char *text, size_t size);

#endif
