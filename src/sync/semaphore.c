/*
 * A semaphore. A unit that is released while somebody waits is handed to the one who has waited longest. So a thread
 * looks for a while before it stands in the line: where units are held shortly, nobody has to be woken, and no unit is
 * given to one who still sleeps while others could use it.
 *
 * One between processes is another thing behind the same handle: sync/shared_semaphore.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/shared_semaphore.h"

struct salp_semaphore {
    salp__latch latch;
    salp__list line;                /* [latch] */
    unsigned value;                 /* [latch] while it is above 0, nobody waits */
    unsigned most;                  /* [const after open] */
    salp__shared_semaphore *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_semaphore_open(salp_semaphore **out, const salp_semaphore_options *options)
{
    static const salp_semaphore_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    unsigned most = options->most > 0 ? options->most : UINT_MAX;
    if (options->value > most)
        return -EINVAL;
    salp_semaphore *semaphore = salp__allocate(sizeof *semaphore);
    if (!semaphore)
        return -ENOMEM;
    int error = options->shared ? salp__shared_semaphore_open(&semaphore->shared, options->value, most) : 0;
    if (error < 0) {
        salp__free(semaphore);
        return error;
    }
    salp__list_open(&semaphore->line);
    semaphore->value = options->value;
    semaphore->most = most;
    *out = semaphore;
    return 0;
}

int salp_semaphore_attach(salp_semaphore **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_semaphore *semaphore = salp__allocate(sizeof *semaphore);
    if (!semaphore)
        return -ENOMEM;
    int error = salp__shared_semaphore_attach(&semaphore->shared, fd);
    if (error < 0) {
        salp__free(semaphore);
        return error;
    }
    *out = semaphore;
    return 0;
}

int salp_semaphore_fd(const salp_semaphore *semaphore)
{
    return semaphore && semaphore->shared ? salp__shared_semaphore_fd(semaphore->shared) : -EINVAL;
}

/* [latch] */
static bool take_locked(salp_semaphore *semaphore)
{
    bool there = semaphore->value > 0;
    semaphore->value -= there;
    return there;
}

static bool take(salp_semaphore *semaphore)
{
    salp__latch_take(&semaphore->latch);
    bool there = take_locked(semaphore);
    salp__latch_release(&semaphore->latch);
    return there;
}

/* A thread looks for one that may be released sooner than a sleep and a wake take. */
static bool look_for(salp_semaphore *semaphore)
{
    for (unsigned tries = 0; tries < SALP__LOOKS; tries++) {
        salp__pause(tries);
        if (take(semaphore))
            return true;
    }
    return false;
}

/* There was none. [latch held on entry, released] Not in the frame of those who need not wait. */
static __attribute__((noinline)) int wait_for(salp_semaphore *semaphore)
{
    if (!salp__self()->task) {
        salp__latch_release(&semaphore->latch);
        if (look_for(semaphore))
            return 0;
        int error = salp__line_begin(&semaphore->latch);
        if (error < 0)
            return error;
    }
    while (!take_locked(semaphore)) {
        int error = salp__line_wait(&semaphore->latch, &semaphore->line, "a semaphore", NULL);
        if (error == -EINTR)
            error = salp__line_begin(&semaphore->latch);
        else if (error == 0)
            return 0;
        if (error < 0)
            return error;
    }
    salp__latch_release(&semaphore->latch);
    return 0;
}

int salp_semaphore_acquire(salp_semaphore *semaphore)
{
    if (!semaphore)
        return -EINVAL;
    if (semaphore->shared)
        return salp__shared_semaphore_acquire(semaphore->shared);
    int error = salp__line_begin(&semaphore->latch);
    if (error < 0)
        return error;
    if (!take_locked(semaphore))
        return wait_for(semaphore);
    salp__latch_release(&semaphore->latch);
    return 0;
}

int salp_semaphore_try_acquire(salp_semaphore *semaphore)
{
    if (!semaphore)
        return -EINVAL;
    if (semaphore->shared)
        return salp__shared_semaphore_try_acquire(semaphore->shared);
    return take(semaphore) ? 0 : -EAGAIN;
}

/* To those who wait first. [latch held on entry, released] */
static __attribute__((noinline)) void give_out(salp_semaphore *semaphore, unsigned count)
{
    salp__list woken;
    salp__list_open(&woken);
    for (salp__spot *next; count > 0 && (next = salp__line_next_locked(&semaphore->line)); count--)
        salp__list_append(&woken, &next->link);
    semaphore->value += count;
    salp__latch_release(&semaphore->latch);
    salp__resume_all(&woken);
}

int salp_semaphore_release(salp_semaphore *semaphore, unsigned count)
{
    if (!semaphore)
        return -EINVAL;
    if (semaphore->shared)
        return salp__shared_semaphore_release(semaphore->shared, count);
    salp__latch_take(&semaphore->latch);
    bool fits = count <= semaphore->most - semaphore->value;
    if (fits && !salp__list_empty(&semaphore->line)) {
        give_out(semaphore, count);
        return 0;
    }
    semaphore->value += fits ? count : 0;
    salp__latch_release(&semaphore->latch);
    return fits ? 0 : -EOVERFLOW;
}

void salp_semaphore_close(salp_semaphore *semaphore)
{
    if (semaphore && semaphore->shared)
        salp__shared_semaphore_close(semaphore->shared);
    salp__free(semaphore);
}
