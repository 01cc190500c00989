/* argv and options become a process. SPDX-License-Identifier: MIT */
#include "process/command.h"

#include <errno.h>
#include <string.h>

#include <salp/task.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/spawn.h"
#include "process/environment.h"
#include "task/wait.h"

enum { BUSY_TRIES = 11 }; /* with pauses of 1, 2, 4, ... milliseconds between: a second */

/* The descriptors to be kept, in rising order: 0 to 2 are set otherwise. */
static int *sort_kept(const int *keep, int *count)
{
    int *sorted = salp__allocate(((size_t)*count + 1) * sizeof *sorted), kept = 0;
    for (int i = 0; sorted && i < *count; i++) {
        if (keep[i] >= 0 && keep[i] < 3)
            continue;
        int at = kept++;
        for (; at > 0 && sorted[at - 1] > keep[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = keep[i];
    }
    *count = kept;
    return sorted;
}

/*
 * A program that was just written may still be open for writing in a child that another thread has forked, and that has not
 * executed its own program yet. That is over soon.
 */
static pid_t start_patiently(const salp__spawn *spawn, int *watch)
{
    int64_t pause = SALP_MILLISECONDS(1);
    for (int tries = 1;; tries++, pause *= 2) {
        pid_t pid = salp__spawn_start(spawn, watch);
        if (pid != -ETXTBSY || tries == BUSY_TRIES || salp__cannot_wait())
            return pid;
        int error = salp_sleep(pause);
        if (error < 0)
            return error;
    }
}

static int start(salp_command *command, salp__ends *ends, const char *const argv[], const salp_command_options *options)
{
    int error = -ENOMEM, keep_count = options->keep_count;
    const char **environment = NULL, **paths = NULL;
    int *keep = sort_kept(options->keep, &keep_count);
    if (keep)
        environment = salp__environment_make(options->env, options->env_changes);
    if (environment)
        paths = salp__environment_paths(argv[0], environment);
    if (paths) {
        salp__spawn spawn = {
            .paths = paths,
            .argv = argv,
            .environment = environment,
            .cwd = options->cwd,
            .standard = { ends->theirs[0], ends->theirs[1], ends->theirs[2] },
            .keep = keep,
            .keep_count = keep_count,
            .own_group = command->own_group,
            .adopts_orphans = !options->free_orphans,
        };
        command->born = salp__now();
        error = start_patiently(&spawn, &command->watch);
    }
    salp__free(paths);
    salp__free(environment);
    salp__free(keep);
    return error;
}

static bool reads_from_terminal(const salp_command_options *options)
{
    return options->in == SALP_PASSED;
}

static void close_streams(salp_command *command)
{
    for (int i = 0; i < 3; i++) {
        salp_stream_close(command->streams[i]);
        command->streams[i] = NULL;
    }
}

/* Ours become streams. After an error there are none, and the others are as before. */
static int open_streams(salp_command *command, salp__ends *ends)
{
    int error = 0;
    for (int i = 0; i < 3 && error == 0; i++) {
        if (ends->ours[i] >= 0)
            error = salp_stream_from_fd(&command->streams[i], ends->ours[i], NULL);
        if (command->streams[i])
            ends->ours[i] = -1;
    }
    if (error < 0)
        close_streams(command);
    return error;
}

int salp__command_start(salp_command *command, const char *const argv[], const salp_command_options *options,
                        bool streams)
{
    *command = (salp_command){
        .own_group = !options->same_group && !reads_from_terminal(options),
        .owner = salp__process_self(),
        .deadline = SALP_FOREVER,
        .kill_after = options->kill_after == 0 ? SALP_SECONDS(1) : options->kill_after,
        .linger = options->linger == 0 ? SALP_SECONDS(1) : options->linger,
    };
    salp__ends ends;
    int error = salp__ends_open(&ends, options);
    if (error < 0)
        return error;
    if (streams)
        error = open_streams(command, &ends);
    pid_t pid = error < 0 ? error : start(command, &ends, argv, options);
    salp__ends_close_theirs(&ends);
    if (pid < 0) {
        salp__ends_close_ours(&ends);
        close_streams(command);
        return pid;
    }
    command->pid = pid;
    memcpy(command->ends, ends.ours, sizeof command->ends);
    if (options->timeout > 0)
        command->deadline = salp__later(options->timeout);
    salp__lock_open(&command->lock);
    return 0;
}

void salp__command_close_ends(salp_command *command)
{
    for (int i = 0; i < 3; i++) {
        salp__file_close(command->ends[i]);
        command->ends[i] = -1;
    }
    close_streams(command);
}

void salp__command_release(salp_command *command)
{
    salp__command_close_ends(command);
    salp__file_close(command->watch);
    salp__lock_close(&command->lock);
}
