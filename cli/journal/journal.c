/*
 * Opening a journal, what earlier runs have done, and the watcher that hands on to the writer's thread.
 *
 * The database belongs to the caller's thread until the writer has been started, and then to the writer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/journal.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <salp/error.h>
#include <salp/time.h>

#include "journal/past.h"
#include "journal/siphash.h"
#include "journal/tables.h"
#include "journal/writer.h"

struct journal {
    struct job_watcher watcher; /* first */
    char *path;
    int lock; /* the descriptor that holds it; -1: none */
    sqlite3 *db;
    struct journal_past *past; /* NULL: none that counts */
    struct journal_writer *writer;
    int64_t run;
    uint64_t highest; /* row that is there, or was given to a job */
    bool told;        /* that it cannot be written */
};

__attribute__((format(printf, 2, 3))) static void tell(const struct journal *journal, const char *format, ...)
{
    char text[1000];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    fprintf(stderr, "salp map: journal '%s': %s\n", journal->path, text);
}

static int tell_database(const struct journal *journal)
{
    struct tables_why why;
    int error = journal_tables_error(journal->db, &why);
    tell(journal, "%s", why.text);
    return error;
}

/* ---- the command ---- */

/* Appends a word, in quotes where a shell would need them. */
static size_t append_word(char *to, size_t size, size_t used, const char *word, size_t length)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=,@%+{}";
    bool quoted = length == 0 || strnlen(word, length) < length || strspn(word, plain) < length;
    int more =
        snprintf(used < size ? to + used : NULL, used < size ? size - used : 0, "%s%s%.*s%s", used > 0 ? " " : "",
                 quoted ? "'" : "", (int)(length > INT_MAX ? INT_MAX : length), word, quoted ? "'" : "");
    return used + (size_t)(more > 0 ? more : 0);
}

static void show_given(char *to, size_t size, const struct journal_options *options)
{
    size_t used = 0;
    to[0] = '\0';
    for (int i = 0; i < options->word_count; i++)
        used = append_word(to, size, used, options->words[i], strlen(options->words[i]));
}

/* Shows the kept words, and tells whether they are the given ones. An SQLite result. */
static int compare_words(struct journal *journal, const struct journal_options *options, char *kept, size_t size,
                         bool *same)
{
    sqlite3_stmt *statement = NULL;
    int count = 0;
    size_t used = 0;
    kept[0] = '\0';
    *same = true;
    int result = sqlite3_prepare_v2(journal->db, "SELECT text FROM word ORDER BY word", -1, &statement, NULL);
    while (result == SQLITE_OK && (result = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *word = sqlite3_column_blob(statement, 0);
        size_t length = (size_t)sqlite3_column_bytes(statement, 0);
        if (count >= options->word_count || strlen(options->words[count]) != length ||
            (length > 0 && memcmp(options->words[count], word, length) != 0))
            *same = false;
        used = append_word(kept, size, used, word ? word : "", length);
        count++;
        result = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    if (count != options->word_count)
        *same = false;
    return result == SQLITE_DONE ? SQLITE_OK : result;
}

static int check_command(struct journal *journal, const struct journal_options *options)
{
    char kept[300], given[300];
    bool same;
    if (compare_words(journal, options, kept, sizeof kept, &same) != SQLITE_OK)
        return tell_database(journal);
    if (same)
        return 0;
    show_given(given, sizeof given, options);
    tell(journal,
         "it is of another command:\n  in the journal: %s\n  now:            %s\nGive the same command, or name "
         "another file.",
         kept, given);
    return -EINVAL;
}

static int write_words(struct journal *journal, const struct journal_options *options)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_exec(journal->db, "DELETE FROM word", NULL, NULL, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_prepare_v2(journal->db, "INSERT INTO word VALUES(?1, ?2)", -1, &statement, NULL);
    for (int i = 0; result == SQLITE_OK && i < options->word_count; i++) {
        result = sqlite3_bind_int(statement, 1, i + 1);
        if (result == SQLITE_OK)
            result = journal_tables_bind(statement, 2, options->words[i], strlen(options->words[i]));
        sqlite3_step(statement);
        if (result == SQLITE_OK)
            result = sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return result;
}

/* ---- opening ---- */

/* The row of this run. An SQLite result. */
static int write_run(struct journal *journal, const struct journal_options *options)
{
    char host[HOST_NAME_MAX + 1] = "", folder[PATH_MAX];
    gethostname(host, sizeof host - 1);
    if (!getcwd(folder, sizeof folder))
        folder[0] = '\0';
    sqlite3_stmt *run = NULL;
    int bad = sqlite3_prepare_v2(journal->db, "INSERT INTO run VALUES(NULL, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)", -1,
                                 &run, NULL);
    if (bad)
        return bad;
    bad |= sqlite3_bind_text(run, 1, SALP_VERSION, -1, SQLITE_STATIC);
    bad |= journal_tables_bind(run, 2, host, strlen(host));
    bad |= sqlite3_bind_int64(run, 3, options->process > 0 ? options->process : getpid());
    bad |= journal_tables_bind(run, 4, folder, strlen(folder));
    bad |= sqlite3_bind_int(run, 5, options->slots);
    bad |= options->memory_limit > 0 ? sqlite3_bind_int64(run, 6, options->memory_limit) : sqlite3_bind_null(run, 6);
    bad |= sqlite3_bind_text(run, 7, options->memory_limit_by, -1, SQLITE_STATIC);
    bad |= sqlite3_bind_int64(run, 8, job_clock());
    sqlite3_step(run);
    int result = sqlite3_finalize(run);
    journal->run = sqlite3_last_insert_rowid(journal->db);
    return bad ? bad : result;
}

/* How many jobs are in it, and which is the highest row. An SQLite result. */
static int look_at_jobs(struct journal *journal, uint64_t *count)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(journal->db, "SELECT count(*), max(job) FROM job", -1, &statement, NULL);
    if (result == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        *count = (uint64_t)sqlite3_column_int64(statement, 0);
        journal->highest = (uint64_t)sqlite3_column_int64(statement, 1);
    }
    return sqlite3_finalize(statement);
}

static int read_past(struct journal *journal, const struct journal_options *options)
{
    int error = check_command(journal, options);
    if (error == 0)
        error = journal_past_read(&journal->past, journal->db, options->resume_failed);
    if (error == -ENOMEM)
        tell(journal, "%s", salp_strerror(error));
    else if (error == -EIO)
        return tell_database(journal);
    if (error < 0)
        return error;
    uint64_t failures = journal_past_failures(journal->past);
    if (failures > 0)
        tell(journal, "%llu of its jobs failed before, not run again (--resume-failed does that)",
             (unsigned long long)failures);
    return 0;
}

/* What the file has, and what this run adds to it before any job. */
static int begin(struct journal *journal, const struct journal_options *options)
{
    uint64_t count = 0;
    if (look_at_jobs(journal, &count) != SQLITE_OK)
        return tell_database(journal);
    if (count > 0 && !options->resume && !options->resume_failed) {
        tell(journal, "it has %llu job%s: go on with %s by --resume or --resume-failed, or name another file",
             (unsigned long long)count, count == 1 ? "" : "s", count == 1 ? "it" : "them");
        return -EEXIST;
    }
    if (count > 0) {
        int error = read_past(journal, options);
        if (error < 0)
            return error;
    }
    if (sqlite3_exec(journal->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK ||
        (count == 0 && write_words(journal, options) != SQLITE_OK) || write_run(journal, options) != SQLITE_OK ||
        sqlite3_exec(journal->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        return tell_database(journal);
    return 0;
}

static int take_lock(struct journal *journal)
{
    journal->lock = journal_tables_lock(journal->path);
    if (journal->lock >= 0)
        return 0;
    char writer[200];
    if (journal->lock == -EBUSY) {
        journal_tables_writer(journal->path, writer, sizeof writer);
        tell(journal, "%s is writing it", writer);
    } else {
        tell(journal, "%s", salp_strerror(journal->lock));
    }
    return journal->lock;
}

static int start_writer(struct journal *journal)
{
    struct tables_why why;
    char *copy = strdup(journal->path);
    int error = copy ? 0 : -ENOMEM;
    snprintf(why.text, sizeof why.text, "%s", salp_strerror(-ENOMEM));
    if (copy)
        error = journal_writer_start(&journal->writer,
                                     &(struct journal_writer_options){ .db = journal->db,
                                                                       .fd = journal->lock,
                                                                       .path = journal->path,
                                                                       .folder = dirname(copy),
                                                                       .run = journal->run,
                                                                       .highest = journal->highest },
                                     &why);
    free(copy);
    if (error < 0)
        tell(journal, "%s", why.text);
    return error;
}

/* In this order: closing a descriptor of the file takes the locks of SQLite away, too. */
static void free_journal(struct journal *journal)
{
    sqlite3_close(journal->db);
    if (journal->lock >= 0)
        close(journal->lock);
    journal_past_free(journal->past);
    free(journal->path);
    free(journal);
}

static int on_start(struct job_watcher *watcher, const struct job *job);
static int on_end(struct job_watcher *watcher, const struct job *job, bool final);
static int on_close(struct job_watcher *watcher);

int journal_open(struct journal **result, const struct journal_options *options)
{
    *result = NULL;
    struct journal *journal = calloc(1, sizeof *journal);
    char *path = strdup(options->path);
    if (!journal || !path) {
        free(journal);
        free(path);
        fprintf(stderr, "salp map: %s\n", salp_strerror(-ENOMEM));
        return -ENOMEM;
    }
    journal->watcher = (struct job_watcher){ .starts = on_start, .ended = on_end, .close = on_close };
    journal->path = path;
    int error = take_lock(journal);
    if (error == 0) {
        struct tables_why why;
        error = journal_tables_open(&journal->db, path, TABLES_BY_PLACE, &why);
        if (error < 0)
            tell(journal, "%s", why.text);
    }
    if (error == 0)
        error = begin(journal, options);
    if (error == 0)
        error = start_writer(journal);
    if (error == 0)
        *result = journal;
    else
        free_journal(journal);
    return error;
}

/* ---- jobs ---- */

/* What tells jobs apart: the values, each with the zero behind it, or the block. */
static void find_key(struct job *job)
{
    struct journal_siphash hash;
    journal_siphash_begin(&hash, NULL);
    journal_siphash_add(&hash, job->block ? "b" : "v", 1);
    for (int i = 0; i < job->value_count; i++)
        journal_siphash_add(&hash, job->values[i], strlen(job->values[i]) + 1);
    if (job->block)
        journal_siphash_add(&hash, job->block, job->block_size);
    journal_siphash_end(&hash, job->note.key);
}

int journal_wants(struct journal *journal, struct job *job)
{
    struct journal_before before;
    find_key(job);
    job->note.earlier = 0;
    if (!journal->past || !journal_past_take(journal->past, job->note.key, &before)) {
        job->note.row = ++journal->highest;
        return 1;
    }
    job->note.row = before.row;
    job->note.earlier = before.attempts;
    if (before.rests)
        job->state = JOB_SKIPPED;
    return !before.rests;
}

/* The first time it says what is wrong. */
static int check_fault(struct journal *journal)
{
    struct tables_why why;
    int fault = journal_writer_fault(journal->writer, &why);
    if (fault < 0 && !journal->told)
        tell(journal, "%s: no more jobs are started", why.text);
    journal->told |= fault < 0;
    return fault;
}

static int add(struct journal *journal, const struct job *job, enum note_event event)
{
    if (job->note.row == 0)
        return -EINVAL;
    int error = journal_writer_add(journal->writer, job, event);
    if (error == -ENOMEM)
        tell(journal, "%s", salp_strerror(error));
    return error;
}

/* A start is not noted when it is not to be. */
static int on_start(struct job_watcher *watcher, const struct job *job)
{
    struct journal *journal = (struct journal *)watcher;
    int error = check_fault(journal);
    return error < 0 ? error : add(journal, job, NOTE_STARTS);
}

static int on_end(struct job_watcher *watcher, const struct job *job, bool final)
{
    struct journal *journal = (struct journal *)watcher;
    if (job->state == JOB_SKIPPED)
        return 0;
    int error = add(journal, job, final ? NOTE_ENDED_FOR_GOOD : NOTE_ENDED);
    return error < 0 ? error : check_fault(journal);
}

static int on_close(struct job_watcher *watcher)
{
    struct journal *journal = (struct journal *)watcher;
    struct tables_why why;
    uint64_t lost;
    int error = journal_writer_finish(journal->writer, &lost, &why);
    bool removed = error == -ESTALE;
    journal->db = NULL;
    if (removed)
        tell(journal, "%s: nothing is kept", why.text);
    else if (lost > 0)
        tell(journal,
             "%s: what has become of the last jobs is not in it (%llu notes); when it is resumed they are run again",
             why.text, (unsigned long long)lost);
    free_journal(journal);
    return lost > 0 || removed ? error : 0;
}

struct job_watcher *journal_watcher(struct journal *journal)
{
    return &journal->watcher;
}
