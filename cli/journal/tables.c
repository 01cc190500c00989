/*
 * Opening the database of a journal, and what its statements have in common.
 *
 * WAL: a commit appends to a log beside the file, one fsync; a reader sees the last commit and holds up nobody. It needs memory
 * shared by all who have the file open, which a disk of another machine has not: there the older way is taken, in which a commit
 * costs several fsyncs and locks readers out for as long.
 *
 * When the writer closes it, it goes back to the older way, if nobody reads just then: whoever has only the one file, in a folder
 * that cannot be written, can read it, and readers leave nothing beside it.
 *
 * A new file is made without fsync, since nothing is in it that could be lost: the writer syncs it before its first commit, and
 * asks for an fsync with each commit from then on.
 *
 * The lock of the one writer is on a byte of the file that SQLite never uses nor locks (its own are the 512 bytes from 2^30
 * on). It belongs to the open file and not to the process, since SQLite gives back all locks of the process at once; so it ends
 * with the process and with those that it has forked and that still hold the descriptor. The system does not tell whose
 * such a lock is: the table of runs does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <salp/error.h>

#include "job/utf8.h"

static const off_t lock_byte = ((off_t)1 << 30) + 1000;

static const char schema[] =
    "CREATE TABLE run(run INTEGER PRIMARY KEY, version TEXT, host TEXT, process INTEGER, folder, slots INTEGER,"
    " memory_limit INTEGER, memory_limit_by TEXT, started INTEGER, ended INTEGER);"
    "CREATE TABLE word(word INTEGER PRIMARY KEY, text);"
    "CREATE TABLE job(job INTEGER PRIMARY KEY, key BLOB, run INTEGER, number INTEGER, input, block_size INTEGER, line,"
    " state TEXT, final INTEGER, cause TEXT, attempt INTEGER, slot INTEGER, started INTEGER, ended INTEGER,"
    " exit_status INTEGER, signal INTEGER, user INTEGER, system INTEGER, peak_memory INTEGER, out_size INTEGER,"
    " err_size INTEGER);"
    "CREATE TABLE output(job INTEGER PRIMARY KEY, out_head BLOB, out_tail BLOB, err_head BLOB, err_tail BLOB);"
    "CREATE TABLE retried(job INTEGER, run INTEGER, state TEXT, cause TEXT, attempt INTEGER, slot INTEGER,"
    " started INTEGER, ended INTEGER, exit_status INTEGER, signal INTEGER, user INTEGER, system INTEGER,"
    " peak_memory INTEGER, out_size INTEGER, err_size INTEGER);";

/* ---- errors ---- */

/* Without an errno of the system: what SQLite's results come nearest to. */
static int errno_of(int result)
{
    switch (result & 0xff) {
    case SQLITE_OK:
        return 0;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_PERM:
        return -EACCES;
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return -EINVAL;
    default:
        return -EIO;
    }
}

/* What the system has said of a file the last time that something was wrong with it; 0: nothing. */
static int last_errno(sqlite3_file *file)
{
    int number = 0;
    if (file && file->pMethods)
        file->pMethods->xFileControl(file, SQLITE_FCNTL_LAST_ERRNO, &number);
    return number;
}

/* SQLite keeps errno only if nothing else was called since; the files remember it, the log or the database. */
static int system_errno(sqlite3 *db)
{
    sqlite3_file *log = NULL, *file = NULL;
    int number = sqlite3_system_errno(db);
    if (number == 0 && sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) == SQLITE_OK)
        number = last_errno(log);
    if (number == 0 && sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK)
        number = last_errno(file);
    return number;
}

int journal_tables_error(sqlite3 *db, struct tables_why *why)
{
    int result = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    int error = errno_of(result);
    bool of_system = (result & 0xff) == SQLITE_IOERR || (result & 0xff) == SQLITE_CANTOPEN;
    int number = of_system ? system_errno(db) : 0;
    if (number > 0)
        error = -number;
    if (number > 0 || error == -ENOSPC || error == -ENOMEM)
        snprintf(why->text, sizeof why->text, "%s", salp_strerror(error));
    else if (error == -EBUSY)
        snprintf(why->text, sizeof why->text, "another program has it locked");
    else if (result == SQLITE_READONLY_DIRECTORY)
        snprintf(why->text, sizeof why->text, "no file can be made beside it");
    else
        snprintf(why->text, sizeof why->text, "%s", db ? sqlite3_errmsg(db) : salp_strerror(error));
    return error != 0 ? error : -EIO;
}

static int because(struct tables_why *why, int error)
{
    snprintf(why->text, sizeof why->text, "%s", salp_strerror(error));
    return error;
}

/* ---- opening ---- */

/* Is it on a disk that other machines may have, too? */
static bool is_elsewhere(const char *path)
{
    static const unsigned long
        far[] = { NFS_SUPER_MAGIC,       SMB_SUPER_MAGIC, CIFS_SUPER_MAGIC,  SMB2_SUPER_MAGIC,
                  CODA_SUPER_MAGIC,      AFS_SUPER_MAGIC, V9FS_MAGIC,        CEPH_SUPER_MAGIC,
                  FUSE_SUPER_MAGIC,      AFS_FS_MAGIC,    OCFS2_SUPER_MAGIC, 0x0bd00bd0 /* Lustre */,
                  0x01161970 /* GFS2 */, 0x47504653 /* GPFS */ };
    struct statfs disk;
    if (statfs(path, &disk) < 0)
        return false;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        if ((unsigned long)disk.f_type == far[i])
            return true;
    }
    return false;
}

/* SQLite gives a meaning to names that begin with ':' and "file:", and to the empty one. */
static char *plain_name(const char *path)
{
    char *name = NULL;
    if (asprintf(&name, "%s%s", path[0] == '/' ? "" : "./", path) < 0)
        return NULL;
    return name;
}

static int read_number(sqlite3 *db, const char *sql, int64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int result = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (result == SQLITE_OK)
        result = sqlite3_step(statement);
    if (result == SQLITE_ROW)
        *number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return result == SQLITE_ROW ? SQLITE_OK : result;
}

/* Is it a journal whose tables we know? *is_new: there is nothing in it. */
static int check_kind(sqlite3 *db, bool *is_new, struct tables_why *why)
{
    int64_t application = 0, version = 0, tables = 0;
    if (read_number(db, "PRAGMA application_id", &application) != SQLITE_OK ||
        read_number(db, "PRAGMA user_version", &version) != SQLITE_OK ||
        read_number(db, "SELECT count(*) FROM sqlite_schema", &tables) != SQLITE_OK)
        return journal_tables_error(db, why);
    *is_new = tables == 0 && application == 0 && version == 0;
    if (*is_new || (application == TABLES_APPLICATION && version == TABLES_VERSION))
        return 0;
    if (application == TABLES_APPLICATION)
        snprintf(why->text, sizeof why->text,
                 "it was made by another version of salp: its tables are of version %lld, "
                 "this one knows %d",
                 (long long)version, TABLES_VERSION);
    else
        snprintf(why->text, sizeof why->text, "it is an SQLite database, but no journal");
    return -EINVAL;
}

static int check_file(const char *path, struct tables_why *why)
{
    struct stat file;
    if (!path[0])
        return because(why, -ENOENT);
    if (stat(path, &file) < 0)
        return errno == ENOENT ? 0 : because(why, -errno);
    if (S_ISDIR(file.st_mode))
        return because(why, -EISDIR);
    if (S_ISREG(file.st_mode))
        return 0;
    snprintf(why->text, sizeof why->text, "it is no regular file");
    return -EINVAL;
}

static int open_database(sqlite3 **db, const char *path, int flags, struct tables_why *why)
{
    char *name = plain_name(path);
    if (!name)
        return because(why, -ENOMEM);
    /* Used by one thread at a time. */
    int result = sqlite3_open_v2(name, db, flags | SQLITE_OPEN_NOMUTEX, NULL);
    free(name);
    if (result != SQLITE_OK)
        return journal_tables_error(*db, why);
    sqlite3_extended_result_codes(*db, 1);
    sqlite3_busy_timeout(*db, 10000);
    return 0;
}

/* Sets the way of commits; where there can be no log, the other one. */
static int choose_way(sqlite3 *db, const char *path, enum tables_way way)
{
    if (way == TABLES_BY_PLACE)
        way = is_elsewhere(path) ? TABLES_ROLL_BACK : TABLES_LOG;
    if (way == TABLES_LOG) {
        sqlite3_stmt *statement = NULL;
        bool have = sqlite3_prepare_v2(db, "PRAGMA journal_mode = WAL", -1, &statement, NULL) == SQLITE_OK &&
                    sqlite3_step(statement) == SQLITE_ROW &&
                    strcmp((const char *)sqlite3_column_text(statement, 0), "wal") == 0;
        int result = sqlite3_finalize(statement);
        if (have || result != SQLITE_OK)
            return result;
    }
    return sqlite3_exec(db, "PRAGMA journal_mode = TRUNCATE", NULL, NULL, NULL);
}

static int make_tables(sqlite3 *db)
{
    char sql[sizeof schema + 200];
    snprintf(sql, sizeof sql, "BEGIN IMMEDIATE; PRAGMA application_id = %d; PRAGMA user_version = %d; %s COMMIT",
             TABLES_APPLICATION, TABLES_VERSION, schema);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int prepare_to_write(sqlite3 *db, const char *path, enum tables_way way, struct tables_why *why)
{
    bool is_new;
    int error = check_kind(db, &is_new, why);
    if (error < 0)
        return error;
    if (sqlite3_db_readonly(db, "main") > 0)
        return because(why, access(path, W_OK) < 0 ? -errno : -EROFS);
    if (sqlite3_exec(db, is_new ? "PRAGMA synchronous = OFF" : "PRAGMA synchronous = NORMAL", NULL, NULL, NULL) !=
            SQLITE_OK ||
        choose_way(db, path, way) != SQLITE_OK || (is_new && make_tables(db) != SQLITE_OK))
        return journal_tables_error(db, why);
    return 0;
}

int journal_tables_open(sqlite3 **db, const char *path, enum tables_way way, struct tables_why *why)
{
    *db = NULL;
    int error = check_file(path, why);
    if (error == 0)
        error = open_database(db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, why);
    if (error == 0)
        error = prepare_to_write(*db, path, way, why);
    if (error == 0)
        return 0;
    sqlite3_close(*db);
    *db = NULL;
    return error;
}

/* Brings all of the log to the file, and that to the disk. Did it succeed? Not while somebody reads what was before. */
static bool empty_log(sqlite3 *db)
{
    sqlite3_stmt *statement = NULL;
    bool done = sqlite3_prepare_v2(db, "PRAGMA wal_checkpoint", -1, &statement, NULL) == SQLITE_OK &&
                sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 0 &&
                sqlite3_column_int(statement, 1) == sqlite3_column_int(statement, 2);
    return sqlite3_finalize(statement) == SQLITE_OK && done;
}

void journal_tables_close(sqlite3 *db)
{
    sqlite3_busy_timeout(db, 0);
    /* What is left to write is two bytes of the first page, which say that there is no log: a file with either is good. */
    if (empty_log(db))
        sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE", NULL, NULL, NULL);
    sqlite3_close(db);
}

/* A file with a log, in a folder where none can be made, is read as it is: there is none. */
static int open_unchanging(sqlite3 **db, const char *path, struct tables_why *why)
{
    char *uri = malloc(strlen(path) * 3 + 32);
    if (!uri)
        return because(why, -ENOMEM);
    char *end = stpcpy(uri, path[0] == '/' ? "file://" : "file:./");
    for (; *path; path++)
        end += sprintf(end, strchr("%?#", *path) ? "%%%02x" : "%c", (unsigned char)*path);
    strcpy(end, "?immutable=1");
    sqlite3_close(*db);
    int result = sqlite3_open_v2(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, NULL);
    free(uri);
    return result == SQLITE_OK ? 0 : journal_tables_error(*db, why);
}

static bool has_log(const char *path)
{
    char *log = NULL;
    if (asprintf(&log, "%s-wal", path) < 0)
        return true;
    struct stat file;
    bool has = stat(log, &file) == 0 && file.st_size > 0;
    free(log);
    return has;
}

int journal_tables_read(sqlite3 **db, const char *path, struct tables_why *why)
{
    *db = NULL;
    bool is_new = false;
    int error = check_file(path, why);
    if (error == 0)
        error = open_database(db, path, SQLITE_OPEN_READONLY, why);
    if (error == 0) {
        error = check_kind(*db, &is_new, why);
        int result = sqlite3_errcode(*db) & 0xff;
        if (error < 0 && (result == SQLITE_CANTOPEN || result == SQLITE_READONLY) && !has_log(path)) {
            error = open_unchanging(db, path, why);
            if (error == 0)
                error = check_kind(*db, &is_new, why);
        }
    }
    if (error == 0 && is_new) {
        snprintf(why->text, sizeof why->text, "it is empty");
        error = -EINVAL;
    }
    if (error == 0)
        return 0;
    sqlite3_close(*db);
    *db = NULL;
    return error;
}

/* ---- statements ---- */

int journal_tables_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql)
{
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
}

/* Is it UTF-8, without zero bytes? */
static bool is_text(const char *bytes, size_t size)
{
    for (const char *next = bytes, *end = bytes + size; next < end;) {
        size_t letter = job_utf8_letter(next, (size_t)(end - next));
        if (letter == 0 || *next == '\0')
            return false;
        next += letter;
    }
    return true;
}

int journal_tables_bind(sqlite3_stmt *statement, int index, const char *bytes, size_t size)
{
    if (!bytes)
        return sqlite3_bind_null(statement, index);
    if (is_text(bytes, size))
        return sqlite3_bind_text64(statement, index, bytes, size, SQLITE_STATIC, SQLITE_UTF8);
    return sqlite3_bind_blob64(statement, index, bytes, size, SQLITE_STATIC);
}

/* ---- the lock ---- */

static struct flock whole_lock(void)
{
    return (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = lock_byte, .l_len = 1 };
}

int journal_tables_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0)
        return -errno;
    struct flock lock = whole_lock();
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return fd;
    int error = errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
    close(fd);
    return error;
}

int journal_tables_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    struct flock lock = whole_lock();
    int result = fcntl(fd, F_OFD_GETLK, &lock) < 0 ? -errno : lock.l_type != F_UNLCK;
    close(fd);
    return result;
}

void journal_tables_writer(const char *path, char *text, size_t size)
{
    struct tables_why why;
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    snprintf(text, size, "another program");
    if (journal_tables_read(&db, path, &why) < 0)
        return;
    const char *sql = "SELECT 'process ' || process || ' on ' || host FROM run WHERE ended IS NULL ORDER BY run DESC";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW &&
        sqlite3_column_text(statement, 0))
        snprintf(text, size, "%s", (const char *)sqlite3_column_text(statement, 0));
    sqlite3_finalize(statement);
    sqlite3_close(db);
}
