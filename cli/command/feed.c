/*
 *     --pipe    a file without a name, its standard input. Not a pipe that is written to while the job reads: nobody has to
 *               wait, a job that does not read all of it harms nobody, and one that is tried again begins at the beginning.
 *     --cat     a file in the spool, {}, written anew for each attempt: the job may have changed it.
 *     --fifo    a fifo there, {}, written to by a task as long as the command runs.
 *     --round-robin    one of many, all of which go through a pipe: command/round.h
 *     --tee     no block: all of standard input, for each job: map/tee.h
 *
 * A fifo cannot be opened for writing before somebody has opened it for reading (without waiting; and a thread that waits for
 * that could not be called back). So it is tried again and again, an eighth of the time later that has passed so far: that is how
 * much longer a job may take. From then on it is not needed any more, and goes: a second reader would wait for ever, and
 * gets an error instead.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <salp/file.h>
#include <salp/stream.h>

#include "command/round.h"
#include "command/runner.h"
#include "job/unnamed.h"
#include "map/tee.h"

static const int64_t soonest = SALP_MILLISECONDS(1) / 4, latest = SALP_MILLISECONDS(100);

/* ---- a file without a name ---- */

/* A descriptor, or an error. */
static int open_unnamed(const struct job *job)
{
    int fd = memfd_create("salp-block", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = job_unnamed_write(fd, job->block, job->block_size, 0);
    if (error < 0)
        close(fd);
    return error < 0 ? error : fd;
}

/* ---- --cat ---- */

static int write_file(const struct job *job)
{
    salp_file *file;
    int error = salp_file_open(&file, job->block_name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (error < 0)
        return error;
    error = salp_file_write(file, job->block, job->block_size);
    int closed = salp_file_close(file);
    if (error == 0)
        error = closed;
    if (error < 0)
        (void)unlink(job->block_name);
    return error;
}

/* ---- --fifo ---- */

static int make_fifo(const struct job *job)
{
    (void)unlink(job->block_name); /* a job that was tried before may have made something else of it */
    return mkfifo(job->block_name, 0600) < 0 ? -errno : 0;
}

/* A descriptor, or an error: -ENOENT: the command does not want it any more. */
static int open_fifo(const char *name)
{
    int64_t began = salp_now();
    for (;;) {
        int fd = open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        if (fd >= 0 || errno != ENXIO)
            return fd < 0 ? -errno : fd;
        int64_t pause = (salp_now() - began) / 8;
        int error = salp_sleep(pause < soonest ? soonest : pause > latest ? latest : pause);
        if (error < 0)
            return error;
    }
}

/* That the command reads no more is no error. */
static int write_fifo(const struct job *job)
{
    salp_stream *stream;
    int fd = open_fifo(job->block_name);
    if (fd < 0)
        return fd;
    (void)unlink(job->block_name);
    int error = salp_stream_from_fd(&stream, fd, NULL);
    if (error < 0) {
        close(fd);
        return error;
    }
    (void)salp_write(stream, job->block, job->block_size);
    salp_stream_close(stream);
    return 0;
}

/* ---- all of them ---- */

int map_feed_open(struct map_slot *slot)
{
    const struct map_options *o = slot->runner->given->options;
    const struct job *job = &slot->job;
    if (slot->input >= 0)
        return 0;
    if (o->round_robin)
        return map_round_open(slot);
    if (o->tee || (job->block && !job->block_name)) {
        int fd = o->tee ? map_tee_open(slot->runner->tee) : open_unnamed(job);
        slot->input = fd < 0 ? -1 : fd;
        return fd < 0 ? fd : 0;
    }
    int error = o->cat ? write_file(job) : o->fifo ? make_fifo(job) : 0;
    if (error == 0)
        slot->input = slot->runner->null;
    return error;
}

void map_feed_give(struct map_slot *slot)
{
    if (slot->input >= 0 && slot->input != slot->runner->null && !slot->round)
        close(slot->input);
    slot->input = -1;
}

bool map_feed_goes_on(const struct map_slot *slot)
{
    return slot->round || slot->runner->given->options->fifo;
}

int map_feed_run(void *arg)
{
    const struct map_slot *slot = arg;
    return slot->round ? map_round_feed(arg) : write_fifo(&slot->job);
}

void map_feed_close(struct map_slot *slot)
{
    if (slot->round)
        map_round_close(slot);
    if (slot->job.block_name)
        (void)unlink(slot->job.block_name);
}
