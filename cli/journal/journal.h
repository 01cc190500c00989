/*
 * The journal of a run: an SQLite file with a row for each job, for --resume, for salp report, and for whoever asks with SQL.
 *
 * An attempt is noted when it starts and when it ends. Notes are written by a thread, so that a slow disk does not hold up the
 * loop that starts jobs: the first one at once, then what has come together every 50 ms (sooner when it is much), each time as
 * one commit that is brought to the disk (fsync). So what was noted more than a moment ago is there whatever happens, a loss of
 * power included; a program that is killed by SIGKILL loses at most what the last 50 ms have brought (and what a slow disk
 * holds up), one that ends by itself loses nothing. A job whose end is lost is run again when the journal is resumed, and so is
 * one of which the journal says that it runs though its program is gone.
 *
 * When a commit fails, or when there is less than a MiB left on the disk, `starts` and `ended` of the watcher return an error
 * from then on, which was told: no more jobs are to be started, but those that run are still to be told of. What could not be
 * written is kept and tried again, the last time in `close`.
 *
 * One writer: a second program is refused, with the name of the first. Readers are welcome at any time. The tables are part of
 * the interface: journal/tables.h, docs/journal.md.
 *
 * Errors are told to standard error when they occur ("salp map: journal 'x': ..."), with what to do.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOURNAL_JOURNAL_H
#define CLI_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "job/job.h"
#include "job/watcher.h"

struct journal_options {
    const char *path;
    bool resume; /* go on with it: jobs that have ended for good are not run again. A new file is simply begun */
    bool
        resume_failed; /* likewise, but those that have failed are run again. Neither: a file with jobs in it is refused */
    const char *const *words; /* the command (--function FILE:NAME: these two words), kept; another than the kept one is
                                 refused */
    int word_count;

    /* For the report, and for a second writer. */
    int64_t process; /* whom signals are to be sent to; 0: this one */
    int slots;
    int64_t memory_limit;        /* bytes that a job may have; 0: no limit */
    const char *memory_limit_by; /* how that is seen to: "cgroup", "watching"; NULL: not at all */
};

struct journal;

/*
 * Opens a journal, or makes one. What the options point to is not needed afterwards. With `resume` it reads what was done
 * before: about 33 bytes of memory for each job, and half a second for a million.
 *
 * Errors: -EEXIST: there are jobs in it, and no `resume`; -EBUSY: another program writes it; -EINVAL: it is no journal, or one
 * of another version, or of another command; -ENOMEM, -EAGAIN; those of the system: -EACCES, -EROFS, -ENOENT, -ENOSPC, ...
 */
int journal_open(struct journal **journal, const struct journal_options *options);

/*
 * Is this job still to be run? To be asked once for each job, before it is told of; fills in job->note, or the state
 * JOB_SKIPPED. Inputs that occur several times in the list are as many jobs; blocks (--pipe) are known by their bytes. Returns
 * 1 or 0. Waits: no.
 */
int journal_wants(struct journal *journal, struct job *job);

/*
 * To be told of all jobs by one thread; `starts` may wait when much is not written yet (a task is suspended). Errors: those
 * above: of writing, told once; -EINVAL: a job that journal_wants was not asked for; -ENOMEM, told. Its `close` waits for what
 * is not written, closes the journal and frees it; an error: something of what it was told is lost, told.
 */
struct job_watcher *journal_watcher(struct journal *journal);

#endif
