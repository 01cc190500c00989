/*
 * A job is a slot's as any other; its first block is the one that the slot has fetched. While it runs, a task of the slot asks the
 * source for more, as the slots do who have no job yet, and in turn with them:
 *
 *     source --> task of job 1 --> pipe --> job 1
 *            `-> task of job 2 --> pipe --> job 2        a task asks for the next block when its pipe has taken the last one
 *            `-> slot 3: a job 3
 *
 * So whoever has room gets the next block, and what is held is a block for each job and what their pipes hold. The end of the
 * input is the end of each job's input.
 *
 *   I1  A job that ends, however, has taken all blocks that it has begun to read; and its first one, so that jobs which read
 *       nothing come to an end. Those behind come back, and go to whoever asks next: a job that runs, or a new one in its slot.
 *   I2  What a job has read is what its pipe has taken, less what is still in it when it has ended. We have the reading end, too:
 *       so nothing in it is lost, a job that has closed its end is seen when it ends, and nobody whom it has left behind
 *       reads what was taken back.
 *   I3  Blocks are kept until they were read to their end: as many bytes as a pipe holds, and the block that is being written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/round.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <salp/stream.h>

#include "command/runner.h"
#include "input/source.h"
#include "job/memory.h"
#include "map/run.h"

struct map_round_block {
    struct map_round_block *next;
    size_t size;
    uint64_t end; /* of all that the job was given, where it ends */
    char bytes[];
};

struct map_round {
    int in;                                /* I2 */
    salp_stream *out;                      /* NULL: the end of its input was told */
    uint64_t given;                        /* bytes of all its blocks */
    uint64_t taken;                        /* bytes that the pipe has taken; known when `out` is closed */
    struct map_round_block *first, **last; /* I3: the oldest first */
    struct job piece;                      /* what the source fills in */
};

/* ---- blocks ---- */

static struct map_round_block *copy_block(const struct job *job)
{
    struct map_round_block *block = malloc(sizeof *block + job->block_size);
    if (!block)
        return NULL;
    *block = (struct map_round_block){ .size = job->block_size };
    memcpy(block->bytes, job->block, job->block_size);
    return block;
}

static void keep(struct map_round *round, struct map_round_block *block)
{
    round->given += block->size;
    block->end = round->given;
    block->next = NULL;
    *round->last = block;
    round->last = &block->next;
}

static struct map_round_block *pop(struct map_round *round)
{
    struct map_round_block *block = round->first;
    round->first = block->next;
    if (!round->first)
        round->last = &round->first;
    return block;
}

/* I3 */
static void forget_read(struct map_round *round)
{
    int left = 0;
    (void)ioctl(round->in, FIONREAD, &left);
    uint64_t read = (uint64_t)salp_stream_written(round->out) - (uint64_t)left;
    while (round->first && round->first->end <= read)
        free(pop(round));
}

/* ---- those that have come back ---- */

/* `block` and those behind it. */
static void give_back(struct map_runner *runner, struct map_round_block *block)
{
    struct map_round_block **last = &runner->returned;
    while (*last)
        last = &(*last)->next;
    *last = block;
}

static struct map_round_block *take_returned(struct map_runner *runner)
{
    struct map_round_block *block = runner->stop == MAP_GOES_ON ? runner->returned : NULL;
    if (block)
        runner->returned = block->next;
    return block;
}

bool map_round_take(struct map_slot *slot)
{
    struct map_round_block *block = take_returned(slot->runner);
    if (!block)
        return false;
    job_clear(&slot->job);
    slot->job.block = job_memory_copy(slot->job.memory, block->bytes, block->size);
    slot->job.block_size = block->size;
    free(block);
    if (!slot->job.block)
        map_runner_fail(slot->runner, -ENOMEM);
    return slot->job.block;
}

void map_round_forget(struct map_runner *runner)
{
    while (runner->returned) {
        struct map_round_block *block = runner->returned;
        runner->returned = block->next;
        free(block);
    }
}

/* ---- feeding ---- */

static void tell_end(struct map_round *round)
{
    if (!round->out)
        return;
    round->taken = (uint64_t)salp_stream_written(round->out);
    salp_stream_close(round->out);
    round->out = NULL;
}

/* 1: the next block is in round->piece; 0: there is none; an error: -ECANCELED: the command has ended, or the run. */
static int ask_source(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    struct job *piece = &slot->round->piece;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    slot->waiting = &scope;
    int got = salp_mutex_lock(runner->turn);
    if (got == 0) {
        bool ended = runner->drained || runner->stop != MAP_GOES_ON;
        job_clear(piece);
        got = ended ? 0 : input_source_next(runner->given->source, piece);
        runner->drained |= got <= 0 && got != -ECANCELED;
        salp_mutex_unlock(runner->turn);
    }
    slot->waiting = NULL;
    salp_scope_close(&scope);
    if (got < 0 && got != -ECANCELED)
        map_runner_stop(runner, MAP_STOP_SOON, got);
    return got;
}

/* NULL: there is none for this job. */
static struct map_round_block *next_block(struct map_slot *slot)
{
    struct map_runner *runner = slot->runner;
    struct map_round_block *block = take_returned(runner);
    if (block)
        return block;
    int got = ask_source(slot);
    if (got == 0)
        return take_returned(runner); /* meanwhile */
    block = got > 0 ? copy_block(&slot->round->piece) : NULL;
    if (got > 0 && !block)
        map_runner_fail(runner, -ENOMEM);
    return block;
}

int map_round_feed(void *arg)
{
    struct map_slot *slot = arg;
    struct map_round *round = slot->round;
    struct map_round_block *block = copy_block(&slot->job);
    if (!block)
        map_runner_fail(slot->runner, -ENOMEM);
    while (block) {
        keep(round, block);
        if (salp_write(round->out, block->bytes, block->size) < 0)
            return 0; /* the command has ended */
        forget_read(round);
        block = next_block(slot);
    }
    tell_end(round);
    return 0;
}

/* ---- opening and closing ---- */

static int open_pipe(struct map_round *round)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    int error = fcntl(ends[1], F_SETFL, O_NONBLOCK) < 0 ? -errno : salp_stream_from_fd(&round->out, ends[1], NULL);
    if (error < 0) {
        close(ends[0]);
        close(ends[1]);
        return error;
    }
    round->in = ends[0];
    return 0;
}

int map_round_open(struct map_slot *slot)
{
    if (slot->round)
        return 0;
    struct map_round *round = calloc(1, sizeof *round);
    if (!round)
        return -ENOMEM;
    round->last = &round->first;
    round->piece.memory = job_memory_new();
    int error = round->piece.memory ? open_pipe(round) : -ENOMEM;
    if (error < 0) {
        job_memory_free(round->piece.memory);
        free(round);
        return error;
    }
    slot->round = round;
    slot->input = round->in;
    return 0;
}

/* How many bytes there are in the pipe, whose other end is closed: they are gone then. */
static uint64_t empty(int fd)
{
    char bytes[4096];
    uint64_t sum = 0;
    for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;)
        sum += (uint64_t)got;
    return sum;
}

static void tell_loss(const struct map_slot *slot, uint64_t lost)
{
    if (lost > 0 && slot->runner->stop != MAP_STOP_NOW && slot->job.state != JOB_UNSTARTED)
        map_run_say(slot->runner->given, "job %llu has not read all that it was given: %llu bytes of a block are lost",
                    (unsigned long long)slot->job.number, (unsigned long long)lost);
}

/* I1, if the job has read so many bytes. */
static bool is_its_own(const struct map_round_block *block, uint64_t read)
{
    uint64_t start = block->end - block->size;
    return start == 0 || start < read;
}

void map_round_close(struct map_slot *slot)
{
    struct map_round *round = slot->round;
    uint64_t lost = 0;
    tell_end(round);
    uint64_t read = round->taken - empty(round->in);
    close(round->in);
    while (round->first && is_its_own(round->first, read)) {
        struct map_round_block *block = pop(round);
        lost = block->end > read ? block->end - read : 0;
        free(block);
    }
    give_back(slot->runner, round->first);
    slot->job.block_size = read;
    job_memory_free(round->piece.memory);
    free(round);
    slot->round = NULL;
    slot->input = -1;
    tell_loss(slot, lost);
}
