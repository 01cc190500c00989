/*
 * A hash table of all rows. Rows of the same key are in the chain of a bucket in the order of their numbers, since they are put at
 * its front in the reverse order; one that is taken leaves it. So a list with a million times the same input costs no more
 * than any other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "job/job.h"
#include "journal/tables.h"

struct entry {
    uint64_t key[2];
    uint64_t rests : 1, attempts : 23, row : 40;
};

struct journal_past {
    struct entry *entries;
    uint32_t *next;    /* for each entry: the index of the next one in its bucket and one; 0: it is the last */
    uint32_t *buckets; /* likewise, the first one */
    uint64_t room, count, bucket_count;
    uint64_t failures;
};

static uint32_t *bucket_of(const struct journal_past *past, const uint64_t key[2])
{
    return &past->buckets[(uint64_t)((unsigned __int128)key[0] * past->bucket_count >> 64)];
}

static int count_jobs(sqlite3 *db, uint64_t *count)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(db, "SELECT count(*) FROM job", -1, &statement, NULL) != SQLITE_OK)
        return -EIO;
    int result = sqlite3_step(statement);
    *count = result == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
    sqlite3_finalize(statement);
    return result == SQLITE_ROW && *count < UINT32_MAX ? 0 : -EIO;
}

static int make_room(struct journal_past *past, uint64_t count)
{
    past->room = count;
    past->bucket_count = count + count / 3 + 1;
    past->entries = malloc((count + 1) * sizeof *past->entries);
    past->next = malloc((count + 1) * sizeof *past->next);
    past->buckets = calloc(past->bucket_count, sizeof *past->buckets);
    return past->entries && past->next && past->buckets ? 0 : -ENOMEM;
}

/* Is what became of it the last word? A job that a user, a halt or a crash has ended, or that was to be tried again, is not done. */
static bool rests(int state, bool final, bool failed)
{
    switch (state) {
    case JOB_DONE:
        return true;
    case JOB_FAILED:
    case JOB_KILLED:
    case JOB_TIMED_OUT:
    case JOB_OVER_MEMORY:
    case JOB_UNSTARTED:
        return final && !failed;
    default:
        return false;
    }
}

static void add(struct journal_past *past, sqlite3_stmt *row, bool failed)
{
    const void *key = sqlite3_column_blob(row, 1);
    if (sqlite3_column_bytes(row, 1) != sizeof past->entries->key || past->count == past->room)
        return;
    const char *name = (const char *)sqlite3_column_text(row, 2);
    int state = name ? job_state_of(name) : -1;
    int64_t attempts = sqlite3_column_int64(row, 4);
    uint64_t index = past->count++;
    struct entry *entry = &past->entries[index];
    memcpy(entry->key, key, sizeof entry->key);
    entry->row = (uint64_t)sqlite3_column_int64(row, 0);
    entry->attempts = (uint64_t)attempts & 0x7fffff;
    entry->rests = rests(state, sqlite3_column_int(row, 3), failed);
    if (entry->rests && state != JOB_DONE)
        past->failures++;
    uint32_t *bucket = bucket_of(past, entry->key);
    past->next[index] = *bucket;
    *bucket = (uint32_t)index + 1;
}

static int read_rows(struct journal_past *past, sqlite3 *db, bool failed)
{
    sqlite3_stmt *statement = NULL;
    const char *sql = "SELECT job, key, state, final, attempt FROM job ORDER BY job DESC";
    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -EIO;
    int result;
    while ((result = sqlite3_step(statement)) == SQLITE_ROW)
        add(past, statement, failed);
    sqlite3_finalize(statement);
    return result == SQLITE_DONE ? 0 : -EIO;
}

int journal_past_read(struct journal_past **past, sqlite3 *db, bool failed)
{
    uint64_t count;
    int error = count_jobs(db, &count);
    if (error < 0)
        return error;
    *past = calloc(1, sizeof **past);
    if (!*past)
        return -ENOMEM;
    error = make_room(*past, count);
    if (error == 0)
        error = read_rows(*past, db, failed);
    if (error == 0)
        return 0;
    journal_past_free(*past);
    *past = NULL;
    return error;
}

void journal_past_free(struct journal_past *past)
{
    if (!past)
        return;
    free(past->entries);
    free(past->next);
    free(past->buckets);
    free(past);
}

bool journal_past_take(struct journal_past *past, const uint64_t key[2], struct journal_before *before)
{
    for (uint32_t *link = bucket_of(past, key); *link != 0; link = &past->next[*link - 1]) {
        const struct entry *entry = &past->entries[*link - 1];
        if (entry->key[0] != key[0] || entry->key[1] != key[1])
            continue;
        *before = (struct journal_before){ .row = entry->row, .attempts = (int)entry->attempts, .rests = entry->rests };
        *link = past->next[*link - 1];
        return true;
    }
    return false;
}

uint64_t journal_past_failures(const struct journal_past *past)
{
    return past->failures;
}
