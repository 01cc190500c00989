/*
 * The thread sleeps until there is something to write, writes it, and then sleeps until 50 ms have passed since it began: what
 * comes meanwhile is one commit. So jobs that last long are noted at once, and short ones cost a part of a commit.
 *
 *     loop's thread:   add -> [filling]            thread:   [writing] -> database
 *                                  \__ they change places __/
 *
 * I1  Notes are in `filling` or in `writing`, in the order in which they came, or committed.
 * I2  Notes leave `writing` when they are committed and not before: after a failure they stay, and nothing is taken from
 *     `filling` until they are written. Nobody starts jobs then, so that both are bounded.
 * I3  The thread alone uses the database and `writing`. The lock is held for as long as it takes to copy a note.
 *
 * A fault stays one even if later commits succeed, since the run ends for it; whether something is lost is seen at the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <salp/error.h>
#include <salp/sync.h>
#include <salp/time.h>

static const int64_t period = SALP_MILLISECONDS(50);

enum {
    MANY = 1000,        /* notes that are written at once */
    MUCH = 1 << 20,     /* bytes likewise */
    TOO_MUCH = 4 << 20, /* bytes for which the next start waits */
    SPARE = 1 << 20,    /* bytes that have to be left on the disk */
};

enum statement { KEEP_ATTEMPT, FORGET_OUTPUT, WRITE_JOB, WRITE_OUTPUT, END_RUN, STATEMENTS };

static const char *const statements[STATEMENTS] = {
    [KEEP_ATTEMPT] =
        "INSERT INTO retried SELECT job, run, state, cause, attempt, slot, started, ended, exit_status, signal,"
        " user, system, peak_memory, out_size, err_size FROM job WHERE job = ?1",
    [FORGET_OUTPUT] = "DELETE FROM output WHERE job = ?1",
    [WRITE_JOB] =
        "INSERT OR REPLACE INTO job VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,"
        " ?17, ?18, ?19, ?20, ?21)",
    [WRITE_OUTPUT] = "INSERT OR REPLACE INTO output VALUES(?1, ?2, ?3, ?4, ?5)",
    [END_RUN] = "UPDATE run SET ended = ?2 WHERE run = ?1",
};

struct journal_writer {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* there is something for the thread to do */
    salp_event *room;       /* set whenever the thread has taken something */

    struct journal_notes *filling; /* [lock] */
    bool ending;                   /* [lock] */
    int fault;                     /* [lock] the first one */
    struct tables_why fault_why;   /* [lock] */

    /* [owner: thread] */
    struct journal_notes *writing;
    sqlite3 *db;
    sqlite3_stmt *statements[STATEMENTS];
    int fd, folder_fd;
    const char *path;
    int64_t run;
    uint64_t highest; /* no row above is there */

    struct journal_notes notes[2];
};

/* ---- writing ---- */

static int run_statement(sqlite3_stmt *statement)
{
    sqlite3_step(statement);
    return sqlite3_reset(statement);
}

/* A number that a job need not have. */
static int bind_known(sqlite3_stmt *statement, int index, bool known, int64_t number)
{
    return known ? sqlite3_bind_int64(statement, index, number) : sqlite3_bind_null(statement, index);
}

static int bind_text(sqlite3_stmt *statement, int index, const struct journal_note *note, enum note_text which)
{
    if (note->begin[which] < 0)
        return sqlite3_bind_null(statement, index);
    return journal_tables_bind(statement, index, note->bytes + note->begin[which], note->length[which]);
}

static int write_job(struct journal_writer *writer, const struct journal_note *note)
{
    sqlite3_stmt *job = writer->statements[WRITE_JOB];
    int bad = 0, ended = note->has_ended;
    bad |= sqlite3_bind_int64(job, 1, (int64_t)note->row);
    bad |= sqlite3_bind_blob(job, 2, note->key, sizeof note->key, SQLITE_STATIC);
    bad |= sqlite3_bind_int64(job, 3, writer->run);
    bad |= sqlite3_bind_int64(job, 4, (int64_t)note->number);
    bad |= bind_text(job, 5, note, NOTE_INPUT);
    bad |= bind_known(job, 6, note->block_size >= 0, note->block_size);
    bad |= bind_text(job, 7, note, NOTE_LINE);
    bad |= sqlite3_bind_text(job, 8, job_state_name(note->state), -1, SQLITE_STATIC);
    bad |= sqlite3_bind_int(job, 9, note->final);
    bad |= bind_text(job, 10, note, NOTE_CAUSE);
    bad |= sqlite3_bind_int(job, 11, note->attempt);
    bad |= sqlite3_bind_int(job, 12, note->slot);
    bad |= bind_known(job, 13, note->started > 0, note->started);
    bad |= bind_known(job, 14, ended && note->started > 0, note->ended);
    bad |= bind_known(job, 15, note->exit_status >= 0, note->exit_status);
    bad |= bind_known(job, 16, note->signal > 0, note->signal);
    bad |= bind_known(job, 17, ended, note->user);
    bad |= bind_known(job, 18, ended, note->system);
    bad |= bind_known(job, 19, note->peak_memory > 0, note->peak_memory);
    bad |= bind_known(job, 20, ended, (int64_t)note->out_size);
    bad |= bind_known(job, 21, ended, (int64_t)note->err_size);
    return bad ? bad : run_statement(job);
}

static int bind_bytes(sqlite3_stmt *statement, int index, const struct journal_note *note, enum note_text which)
{
    if (note->begin[which] < 0)
        return sqlite3_bind_null(statement, index);
    return sqlite3_bind_blob64(statement, index, note->bytes + note->begin[which], note->length[which], SQLITE_STATIC);
}

static int write_output(struct journal_writer *writer, const struct journal_note *note)
{
    bool some = false;
    for (int i = NOTE_OUT_HEAD; i <= NOTE_ERR_TAIL; i++)
        some |= note->begin[i] >= 0;
    if (!some)
        return SQLITE_OK;
    sqlite3_stmt *output = writer->statements[WRITE_OUTPUT];
    int bad = sqlite3_bind_int64(output, 1, (int64_t)note->row);
    for (int i = NOTE_OUT_HEAD; i <= NOTE_ERR_TAIL; i++)
        bad |= bind_bytes(output, 2 + i - NOTE_OUT_HEAD, note, (enum note_text)i);
    return bad ? bad : run_statement(output);
}

static int with_row(sqlite3_stmt *statement, uint64_t row)
{
    int bad = sqlite3_bind_int64(statement, 1, (int64_t)row);
    return bad ? bad : run_statement(statement);
}

static int write_note(struct journal_writer *writer, const struct journal_note *note)
{
    int result = SQLITE_OK;
    if (note->starts && note->row <= writer->highest) {
        result = with_row(writer->statements[KEEP_ATTEMPT], note->row);
        if (result == SQLITE_OK)
            result = with_row(writer->statements[FORGET_OUTPUT], note->row);
    }
    if (result == SQLITE_OK)
        result = write_job(writer, note);
    if (result == SQLITE_OK)
        result = write_output(writer, note);
    if (note->row > writer->highest)
        writer->highest = note->row;
    return result;
}

static int64_t clock_now(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * SALP_SECONDS(1) + now.tv_nsec;
}

static int write_end(struct journal_writer *writer)
{
    sqlite3_stmt *statement = writer->statements[END_RUN];
    int bad = sqlite3_bind_int64(statement, 1, writer->run);
    bad |= sqlite3_bind_int64(statement, 2, clock_now(CLOCK_REALTIME));
    return bad ? bad : run_statement(statement);
}

static int write_all(struct journal_writer *writer, bool last)
{
    const struct journal_note *note = NULL;
    int result = SQLITE_OK;
    while (result == SQLITE_OK && (note = journal_notes_next(writer->writing, note)))
        result = write_note(writer, note);
    if (result == SQLITE_OK && last)
        result = write_end(writer);
    return result;
}

/* One commit, or nothing. */
static int commit(struct journal_writer *writer, bool last, struct tables_why *why)
{
    if (writer->writing->count == 0 && !last)
        return 0;
    int error = 0;
    bool begun = sqlite3_exec(writer->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    if (!begun || write_all(writer, last) != SQLITE_OK ||
        sqlite3_exec(writer->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
        error = journal_tables_error(writer->db, why);
    if (error < 0 && begun && !sqlite3_get_autocommit(writer->db))
        sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
    if (error == 0)
        journal_notes_clear(writer->writing);
    return error;
}

/* ---- the thread ---- */

/* The file may have been made without fsync (journal/tables.c). */
static void sync_file(struct journal_writer *writer)
{
    fsync(writer->fd);
    if (writer->folder_fd >= 0)
        fsync(writer->folder_fd);
    sqlite3_exec(writer->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
}

static int look_for_space(const struct journal_writer *writer, struct tables_why *why)
{
    struct statvfs disk;
    if (fstatvfs(writer->fd, &disk) < 0 || disk.f_blocks == 0 ||
        (uint64_t)disk.f_bavail * disk.f_frsize >= (uint64_t)SPARE)
        return 0;
    snprintf(why->text, sizeof why->text, "less than 1 MiB is left on its disk");
    return -ENOSPC;
}

/* What is written to a file without a name is gone with the program. */
static int look_for_name(const struct journal_writer *writer, struct tables_why *why)
{
    struct stat file;
    if (fstat(writer->fd, &file) < 0 || file.st_nlink > 0)
        return 0;
    snprintf(why->text, sizeof why->text, "it was removed while it was written");
    return -ESTALE;
}

/* It would be told apart from its log, which has the notes of the last moments and stays: by a kill these would be lost. */
static int look_for_place(const struct journal_writer *writer, struct tables_why *why)
{
    struct stat file, there;
    bool gone = stat(writer->path, &there) < 0;
    if (fstat(writer->fd, &file) < 0 || file.st_nlink == 0 || (gone && errno != ENOENT) ||
        (!gone && there.st_dev == file.st_dev && there.st_ino == file.st_ino))
        return 0;
    snprintf(why->text, sizeof why->text, "it was moved while it was written");
    return -ENOENT;
}

static void note_fault(struct journal_writer *writer, int error, const struct tables_why *why)
{
    pthread_mutex_lock(&writer->lock);
    if (writer->fault == 0) {
        writer->fault = error;
        writer->fault_why = *why;
    }
    salp_event_set(writer->room);
    pthread_mutex_unlock(&writer->lock);
}

/* Takes what has been noted, if what was taken before is written. */
static void take(struct journal_writer *writer)
{
    if (writer->writing->count == 0) {
        struct journal_notes *taken = writer->filling;
        writer->filling = writer->writing;
        writer->writing = taken;
    }
    salp_event_set(writer->room);
}

static bool is_much(const struct journal_writer *writer)
{
    return writer->filling->count >= MANY || writer->filling->size >= MUCH;
}

/* [lock] Sleeps until something is to be written: not before `earliest`, unless it is much. */
static void wait_for_notes(struct journal_writer *writer, int64_t earliest)
{
    struct timespec time = { .tv_sec = earliest / SALP_SECONDS(1), .tv_nsec = earliest % SALP_SECONDS(1) };
    int result = 0;
    while (!writer->ending && (writer->fault != 0 || !is_much(writer)) && result != ETIMEDOUT)
        result = pthread_cond_timedwait(&writer->changed, &writer->lock, &time);
    while (!writer->ending && writer->filling->count == 0)
        pthread_cond_wait(&writer->changed, &writer->lock);
}

static int write_once(struct journal_writer *writer, bool last)
{
    struct tables_why why;
    int error = look_for_name(writer, &why);
    if (error == 0)
        error = commit(writer, last, &why);
    if (error == 0 && !last)
        error = look_for_space(writer, &why);
    if (error == 0 && !last)
        error = look_for_place(writer, &why);
    if (error < 0)
        note_fault(writer, error, &why);
    return error;
}

/* Nobody adds any more. In two commits if there is something that could not be written before. */
static void write_rest(struct journal_writer *writer)
{
    if (writer->writing->count > 0 && write_once(writer, false) < 0 && writer->writing->count > 0)
        return;
    take(writer);
    write_once(writer, true);
}

/* Here and not in another thread, where a file that is too large would bring SIGXFSZ. */
static void close_database(struct journal_writer *writer)
{
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(writer->statements[i]);
    journal_tables_close(writer->db);
}

static void *run_writer(void *arg)
{
    struct journal_writer *writer = arg;
    int64_t earliest = 0;
    sync_file(writer);
    for (;;) {
        pthread_mutex_lock(&writer->lock);
        wait_for_notes(writer, earliest);
        if (writer->ending)
            break;
        take(writer);
        pthread_mutex_unlock(&writer->lock);
        earliest = clock_now(CLOCK_MONOTONIC) + period;
        write_once(writer, false);
    }
    pthread_mutex_unlock(&writer->lock);
    write_rest(writer);
    close_database(writer);
    return NULL;
}

/* ---- the loop's side ---- */

static int start_thread(struct journal_writer *writer)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = -pthread_create(&writer->thread, NULL, run_writer, writer);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

static int prepare(struct journal_writer *writer, struct tables_why *why)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (journal_tables_prepare(writer->db, &writer->statements[i], statements[i]) != SQLITE_OK)
            return journal_tables_error(writer->db, why);
    }
    return 0;
}

static void free_writer(struct journal_writer *writer)
{
    if (writer->folder_fd >= 0)
        close(writer->folder_fd);
    salp_event_close(writer->room);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    journal_notes_free(&writer->notes[0]);
    journal_notes_free(&writer->notes[1]);
    free(writer);
}

int journal_writer_start(struct journal_writer **result, const struct journal_writer_options *options,
                         struct tables_why *why)
{
    snprintf(why->text, sizeof why->text, "%s", salp_strerror(-ENOMEM));
    struct journal_writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return -ENOMEM;
    writer->filling = &writer->notes[0];
    writer->writing = &writer->notes[1];
    writer->db = options->db;
    writer->fd = options->fd;
    writer->path = options->path;
    writer->folder_fd = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    writer->run = options->run;
    writer->highest = options->highest;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&writer->lock, NULL);
    int error = salp_event_open(&writer->room, NULL);
    if (error == 0)
        error = prepare(writer, why);
    if (error == 0) {
        error = start_thread(writer);
        if (error < 0)
            snprintf(why->text, sizeof why->text, "a thread could not be started: %s", salp_strerror(error));
    }
    if (error == 0) {
        *result = writer;
        return 0;
    }
    for (int i = 0; i < STATEMENTS; i++)
        sqlite3_finalize(writer->statements[i]);
    free_writer(writer);
    return error;
}

/* A start waits while too much is not written, unless that is because nothing can be written. */
static int wait_for_room(struct journal_writer *writer)
{
    int error = 0;
    while (error == 0 && writer->fault == 0 && writer->filling->size >= TOO_MUCH) {
        salp_event_clear(writer->room);
        pthread_mutex_unlock(&writer->lock);
        error = salp_event_wait(writer->room);
        pthread_mutex_lock(&writer->lock);
    }
    return error;
}

int journal_writer_add(struct journal_writer *writer, const struct job *job, enum note_event event)
{
    pthread_mutex_lock(&writer->lock);
    int error = event == NOTE_STARTS ? wait_for_room(writer) : 0;
    bool was_idle = writer->filling->count == 0, was_much = is_much(writer);
    if (error == 0)
        error = journal_notes_add(writer->filling, job, event);
    if (was_idle || was_much != is_much(writer))
        pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return error;
}

int journal_writer_fault(struct journal_writer *writer, struct tables_why *why)
{
    pthread_mutex_lock(&writer->lock);
    int fault = writer->fault;
    if (fault < 0)
        *why = writer->fault_why;
    pthread_mutex_unlock(&writer->lock);
    return fault;
}

int journal_writer_finish(struct journal_writer *writer, uint64_t *lost, struct tables_why *why)
{
    pthread_mutex_lock(&writer->lock);
    writer->ending = true;
    pthread_cond_signal(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    pthread_join(writer->thread, NULL);
    int fault = writer->fault;
    *lost = writer->writing->count + writer->filling->count;
    *why = writer->fault_why;
    free_writer(writer);
    return fault;
}
