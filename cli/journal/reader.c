/*
 * One transaction for as long as the reader is open, so that all that it gives out belongs together. Each kind of thing has a
 * statement of its own, which is made with the first question and begins again after the last answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp/error.h>

#include "journal/tables.h"

enum statement { WORDS, RUNS, JOBS, RETRIED, OUTPUT, STATEMENTS };

static const char *const statements[STATEMENTS] = {
    [WORDS] = "SELECT text FROM word ORDER BY word",
    [RUNS] = "SELECT run, version, host, folder, process, slots, memory_limit, memory_limit_by, started, ended FROM run"
             " ORDER BY run",
    [JOBS] =
        "SELECT job, run, state, cause, attempt, slot, started, ended, exit_status, signal, user, system, peak_memory,"
        " out_size, err_size, final, number, input, line, block_size FROM job ORDER BY job",
    [RETRIED] = "SELECT job, run, state, cause, attempt, slot, started, ended, exit_status, signal, user, system,"
                " peak_memory, out_size, err_size, 0, 0, NULL, NULL, NULL FROM retried",
    [OUTPUT] = "SELECT out_head, out_tail, err_head, err_tail FROM output WHERE job = ?1",
};

struct journal_reader {
    sqlite3 *db;
    char *path;
    const char *program;
    bool is_written;
    int64_t last_run;
    sqlite3_stmt *statements[STATEMENTS];
};

static void tell(const struct journal_reader *reader, const char *text)
{
    fprintf(stderr, "%s: journal '%s': %s\n", reader->program, reader->path, text);
}

static int tell_database(struct journal_reader *reader)
{
    struct tables_why why;
    int error = journal_tables_error(reader->db, &why);
    tell(reader, why.text);
    return error;
}

/* ---- opening ---- */

static int begin(struct journal_reader *reader)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_exec(reader->db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(reader->db, "SELECT max(run) FROM run", -1, &statement, NULL) != SQLITE_OK)
        return tell_database(reader);
    if (sqlite3_step(statement) == SQLITE_ROW)
        reader->last_run = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement) == SQLITE_OK ? 0 : tell_database(reader);
}

int journal_reader_open(struct journal_reader **result, const char *path, const char *program)
{
    *result = NULL;
    struct journal_reader *reader = calloc(1, sizeof *reader);
    char *copy = strdup(path);
    if (!reader || !copy) {
        free(reader);
        free(copy);
        fprintf(stderr, "%s: %s\n", program, salp_strerror(-ENOMEM));
        return -ENOMEM;
    }
    reader->path = copy;
    reader->program = program;
    /* Before the database is opened: this closes a descriptor of the file. */
    int locked = journal_tables_locked(path);
    reader->is_written = locked > 0;
    struct tables_why why;
    int error = locked == -ENOENT ? locked : journal_tables_read(&reader->db, path, &why);
    if (locked == -ENOENT)
        tell(reader, salp_strerror(locked));
    else if (error < 0)
        tell(reader, why.text);
    else
        error = begin(reader);
    if (error == 0)
        *result = reader;
    else
        journal_reader_close(reader);
    return error;
}

void journal_reader_close(struct journal_reader *reader)
{
    if (!reader)
        return;
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(reader->statements[i]);
    sqlite3_close(reader->db);
    free(reader->path);
    free(reader);
}

bool journal_reader_is_written(const struct journal_reader *reader)
{
    return reader->is_written;
}

/* ---- rows ---- */

static sqlite3_stmt *statement_of(struct journal_reader *reader, enum statement which)
{
    sqlite3_stmt **statement = &reader->statements[which];
    if (!*statement && journal_tables_prepare(reader->db, statement, statements[which]) != SQLITE_OK)
        return NULL;
    return *statement;
}

/* The next row: 1; 0: there is none left, and the statement begins again; a negative error, told. */
static int step(struct journal_reader *reader, enum statement which, sqlite3_stmt **statement)
{
    *statement = statement_of(reader, which);
    int result = *statement ? sqlite3_step(*statement) : SQLITE_ERROR;
    if (result == SQLITE_ROW)
        return 1;
    if (result == SQLITE_DONE) {
        sqlite3_reset(*statement);
        return 0;
    }
    int error = tell_database(reader);
    sqlite3_reset(*statement);
    return error;
}

/* Of TEXT or a BLOB. */
static struct journal_bytes bytes_of(sqlite3_stmt *statement, int column)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL)
        return (struct journal_bytes){ NULL, 0 };
    /* An empty BLOB is NULL to SQLite. */
    const char *data = sqlite3_column_type(statement, column) == SQLITE_BLOB
                           ? sqlite3_column_blob(statement, column)
                           : (const char *)sqlite3_column_text(statement, column);
    return (struct journal_bytes){ data ? data : "", (size_t)sqlite3_column_bytes(statement, column) };
}

static const char *text_of(sqlite3_stmt *statement, int column)
{
    return (const char *)sqlite3_column_text(statement, column);
}

/* A time, a size, a number. Others may have written to the file: nobody who adds two of them, or takes one from another, is to overflow. */
static int64_t amount_of(sqlite3_stmt *row, int column)
{
    int64_t amount = sqlite3_column_int64(row, column);
    return amount < 0 ? 0 : amount > JOURNAL_AMOUNT_MAX ? JOURNAL_AMOUNT_MAX : amount;
}

static int count_of(sqlite3_stmt *row, int column)
{
    int64_t amount = amount_of(row, column);
    return amount > INT_MAX ? INT_MAX : (int)amount;
}

int journal_reader_word(struct journal_reader *reader, struct journal_bytes *word)
{
    sqlite3_stmt *statement;
    int result = step(reader, WORDS, &statement);
    if (result == 1)
        *word = bytes_of(statement, 0);
    return result;
}

int journal_reader_run(struct journal_reader *reader, struct journal_run *run)
{
    sqlite3_stmt *row;
    int result = step(reader, RUNS, &row);
    if (result == 1)
        *run = (struct journal_run){
            .run = sqlite3_column_int64(row, 0),
            .version = text_of(row, 1),
            .host = text_of(row, 2),
            .folder = text_of(row, 3),
            .process = sqlite3_column_int64(row, 4),
            .slots = count_of(row, 5),
            .memory_limit = amount_of(row, 6),
            .memory_limit_by = text_of(row, 7),
            .started = amount_of(row, 8),
            .ended = amount_of(row, 9),
        };
    return result;
}

static int exit_status_of(sqlite3_stmt *row, int column)
{
    return sqlite3_column_type(row, column) == SQLITE_NULL ? -1 : sqlite3_column_int(row, column);
}

int journal_reader_row(struct journal_reader *reader, enum journal_which which, struct journal_row *job)
{
    sqlite3_stmt *row;
    int result = step(reader, which == JOURNAL_LAST ? JOBS : RETRIED, &row);
    if (result != 1)
        return result;
    const char *name = text_of(row, 2);
    int state = name ? job_state_of(name) : -1;
    *job = (struct journal_row){
        .row = (uint64_t)sqlite3_column_int64(row, 0),
        .run = sqlite3_column_int64(row, 1),
        .state = state < 0 ? JOB_WAITING : (enum job_state)state,
        .cause = bytes_of(row, 3),
        .attempt = count_of(row, 4),
        .slot = count_of(row, 5),
        .started = amount_of(row, 6),
        .ended = amount_of(row, 7),
        .exit_status = exit_status_of(row, 8),
        .signal = sqlite3_column_int(row, 9),
        .user = amount_of(row, 10),
        .system = amount_of(row, 11),
        .peak_memory = amount_of(row, 12),
        .out_size = (uint64_t)amount_of(row, 13),
        .err_size = (uint64_t)amount_of(row, 14),
        .final = sqlite3_column_int(row, 15) != 0,
        .number = (uint64_t)amount_of(row, 16),
        .input = bytes_of(row, 17),
        .line = bytes_of(row, 18),
        .block_size = sqlite3_column_type(row, 19) == SQLITE_NULL ? -1 : sqlite3_column_int64(row, 19),
    };
    job->broken_off =
        job->state == JOB_RUNNING && (which == JOURNAL_RETRIED || !reader->is_written || job->run != reader->last_run);
    return 1;
}

int journal_reader_output(struct journal_reader *reader, uint64_t row, struct journal_output *output)
{
    sqlite3_stmt *statement = statement_of(reader, OUTPUT);
    if (!statement)
        return tell_database(reader);
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, (int64_t)row);
    int result = step(reader, OUTPUT, &statement);
    if (result == 1)
        *output = (struct journal_output){
            .out_head = bytes_of(statement, 0),
            .out_tail = bytes_of(statement, 1),
            .err_head = bytes_of(statement, 2),
            .err_tail = bytes_of(statement, 3),
        };
    return result;
}
