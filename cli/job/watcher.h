/*
 * Those who look on while jobs run: the journal, --joblog, --json, the progress line, the summary. The runner knows them by
 * these functions alone, and calls all of them in the order in which they were added, from its one thread. None of
 * them may keep a pointer into a job after it returns.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_JOB_WATCHER_H
#define CLI_JOB_WATCHER_H

#include <stdint.h>

#include "job/job.h"

struct job_watcher {
    /* An attempt is about to start (state JOB_RUNNING). Negative error: the run is halted, nothing more is started. NULL: not
       interested; so with all others. */
    int (*starts)(struct job_watcher *watcher, const struct job *job);

    /* An attempt has ended. `final`: it is not tried again. JOB_SKIPPED comes without a start. An error as above. */
    int (*ended)(struct job_watcher *watcher, const struct job *job, bool final);

    /* How many jobs there will be; known at the start, later, or never. Again when it changes. */
    void (*total)(struct job_watcher *watcher, uint64_t jobs);

    /* Called while the program waits, at least each `period` (nanoseconds); 0: never. */
    int64_t period;
    void (*tick)(struct job_watcher *watcher);

    /* Something is about to be written to standard output or to standard error: what is drawn on the terminal makes way.
       And afterwards: it may come back. */
    void (*gives_way)(struct job_watcher *watcher);
    void (*comes_back)(struct job_watcher *watcher);

    /* The run is over; frees the watcher. Returns 0, or a negative error: something of what it was told is lost. */
    int (*close)(struct job_watcher *watcher);
};

#endif
