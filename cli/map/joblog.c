/*
 * --joblog: GNU parallel's table of the jobs that have ended, so that what reads those reads these.
 *
 *     Seq Host Starttime JobRuntime Send Receive Exitval Signal Command       (tabs between them)
 *     1   :    1795449943.005     0.004  0  2  0  0  echo a
 *
 * A line is written as soon as its job has ended for good: a run that is killed leaves whole lines, of which --resume knows what
 * is done. Jobs that were halted are not done, and not told. What could not be started has 127, as a shell says; what ran into its
 * time-out -1 and SIGTERM. A newline within a command is a zero byte, so that --retry-failed can run it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/joblog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/error.h>
#include <salp/time.h>

#include "map/watchers.h"

static const char title[] = "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n";

struct joblog {
    struct job_watcher watcher;
    const char *path;
    int fd;
};

static int tell(const char *path, int error)
{
    fprintf(stderr, "salp map: %s: %s\n", path, salp_strerror(error));
    return error;
}

/* ---- writing ---- */

static int write_all(const struct joblog *log, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(log->fd, text, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return tell(log->path, written < 0 ? -errno : -EIO);
        text += written;
        size -= (size_t)written;
    }
    return 0;
}

static double seconds(int64_t nanoseconds)
{
    return (double)nanoseconds / 1e9;
}

static int on_ended(struct job_watcher *watcher, const struct job *job, bool final)
{
    const struct joblog *log = (const struct joblog *)watcher;
    char *row;
    if (!final || job->state == JOB_HALTED || job->state == JOB_SKIPPED)
        return 0;
    int size = asprintf(&row, "%" PRIu64 "\t:\t%.3f\t%10.3f\t%zu\t%" PRIu64 "\t%d\t%d\t%s\n", job->number,
                        seconds(job->started), seconds(job->wall), job->block_size, job->out.size, job_exit_value(job),
                        job_signal_value(job), job->line);
    if (size < 0)
        return tell(log->path, -ENOMEM);
    for (char *newline = row; (newline = memchr(newline, '\n', (size_t)(row + size - 1 - newline)));)
        *newline = '\0';
    int error = write_all(log, row, (size_t)size);
    free(row);
    return error;
}

static int on_close(struct job_watcher *watcher)
{
    struct joblog *log = (struct joblog *)watcher;
    int error = close(log->fd) < 0 ? tell(log->path, -errno) : 0;
    free(log);
    return error;
}

/* Is there nothing in it so far? */
static bool is_empty(int fd)
{
    struct stat status;
    return fstat(fd, &status) < 0 || status.st_size == 0;
}

/* Whatever it is, a table of another kind is not to be added to. */
static int check_title(const struct joblog *log)
{
    static const char begin[] = "Seq\tHost\t";
    char there[sizeof begin - 1];
    if (pread(log->fd, there, sizeof there, 0) == sizeof there && memcmp(there, begin, sizeof there) == 0)
        return 0;
    fprintf(stderr, "salp map: %s: it is no joblog: nothing is added to it\n", log->path);
    return -EINVAL;
}

/* A run that was killed while it wrote may have left a line without its end. */
static int end_last_line(const struct joblog *log)
{
    char last;
    off_t size = lseek(log->fd, 0, SEEK_END);
    if (size <= 0 || pread(log->fd, &last, 1, size - 1) != 1 || last == '\n')
        return 0;
    return write_all(log, "\n", 1);
}

struct job_watcher *map_joblog_new(const char *path, bool append)
{
    struct joblog *log = calloc(1, sizeof *log);
    if (!log) {
        tell(path, -ENOMEM);
        return NULL;
    }
    *log = (struct joblog){ .watcher = { .ended = on_ended, .close = on_close }, .path = path };
    log->fd = open(path, (append ? O_RDWR | O_APPEND : O_WRONLY | O_TRUNC) | O_CREAT | O_CLOEXEC, 0666);
    int error = log->fd < 0 ? tell(path, -errno) : 0;
    bool empty = error == 0 && is_empty(log->fd);
    if (error == 0)
        error = empty ? write_all(log, title, sizeof title - 1) : check_title(log);
    if (error == 0 && !empty)
        error = end_last_line(log);
    if (error == 0)
        return &log->watcher;
    if (log->fd >= 0)
        close(log->fd);
    free(log);
    return NULL;
}

/* ---- reading ---- */

struct map_past {
    uint64_t *bits;  /* of the numbers that are done */
    uint64_t room;   /* numbers that there are bits for */
    char **commands; /* [--retry-failed] of numbers from 1, the last one of each; NULL: it had none */
    int command_count;
};

static int note(struct map_past *past, uint64_t number)
{
    if (number >= past->room) {
        uint64_t room = past->room > 0 ? past->room : 1024;
        while (room <= number && room <= UINT64_MAX / 2)
            room *= 2;
        uint64_t *bits = number < room ? reallocarray(past->bits, room / 64, sizeof *bits) : NULL;
        if (!bits)
            return -ENOMEM;
        memset(bits + past->room / 64, 0, (room - past->room) / 8);
        past->bits = bits;
        past->room = room;
    }
    past->bits[number / 64] |= UINT64_C(1) << number % 64;
    return 0;
}

/* The command of a number, with its newlines. */
static int keep(struct map_past *past, uint64_t number, char *command, size_t size)
{
    if (number == 0 || number > INT32_MAX)
        return -EOVERFLOW;
    if (number > (uint64_t)past->command_count) {
        char **commands = reallocarray(past->commands, number, sizeof *commands);
        if (!commands)
            return -ENOMEM;
        memset(commands + past->command_count, 0, (number - (uint64_t)past->command_count) * sizeof *commands);
        past->commands = commands;
        past->command_count = (int)number;
    }
    for (char *zero = command; (zero = memchr(zero, '\0', size - (size_t)(zero - command))) != NULL;)
        *zero = '\n';
    free(past->commands[number - 1]);
    past->commands[number - 1] = strndup(command, size);
    return past->commands[number - 1] ? 0 : -ENOMEM;
}

/* A line that is not one of a joblog's tells nothing. */
static int read_row(struct map_past *past, char *row, size_t size, enum map_past_wish wish)
{
    uint64_t number;
    int status, number_of_signal, end = 0;
    if (sscanf(row, "%" SCNu64 "\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%*[^\t]\t%d\t%d\t%n", &number, &status,
               &number_of_signal, &end) < 3 ||
        end == 0 || row[size - 1] != '\n')
        return 0;
    int error = 0;
    if (wish == MAP_PAST_COMMANDS && (size_t)end < size)
        error = keep(past, number, row + end, size - 1 - (size_t)end);
    bool done = status == 0 && number_of_signal == 0;
    return error == 0 && (done || wish == MAP_PAST_RESUME) ? note(past, number) : error;
}

/* What has no command, or is done, is not run again. */
static int settle_commands(struct map_past *past)
{
    int error = 0;
    for (int i = 0; i < past->command_count && error == 0; i++) {
        if (!past->commands[i])
            error = note(past, (uint64_t)i + 1);
        if (!past->commands[i] && error == 0)
            past->commands[i] = strdup("");
        if (!past->commands[i])
            error = -ENOMEM;
    }
    return error;
}

const char *const *map_past_commands(const struct map_past *past, int *count)
{
    *count = past->command_count;
    return (const char *const *)past->commands;
}

struct map_past *map_past_read(const char *path, enum map_past_wish wish)
{
    struct map_past *past = calloc(1, sizeof *past);
    FILE *file = past ? fopen(path, "re") : NULL;
    if (!file && (!past || errno != ENOENT || wish == MAP_PAST_COMMANDS)) {
        tell(path, past ? -errno : -ENOMEM);
        free(past);
        return NULL;
    }
    if (!file)
        return past;
    char *row = NULL;
    size_t room = 0;
    int error = 0;
    for (ssize_t size; error == 0 && (size = getline(&row, &room, file)) > 0;)
        error = read_row(past, row, (size_t)size, wish);
    if (error == 0)
        error = settle_commands(past);
    if (error == 0 && ferror(file))
        error = -EIO;
    free(row);
    fclose(file);
    if (error == 0)
        return past;
    tell(path, error);
    map_past_free(past);
    return NULL;
}

bool map_past_has(const struct map_past *past, uint64_t number)
{
    return number < past->room && past->bits[number / 64] >> number % 64 & 1;
}

void map_past_free(struct map_past *past)
{
    if (!past)
        return;
    for (int i = 0; i < past->command_count; i++)
        free(past->commands[i]);
    free(past->commands);
    free(past->bits);
    free(past);
}
