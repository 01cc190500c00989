/*
 * A semaphore. A unit that is released while somebody waits is handed to the one who has waited longest.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <limits.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"

struct salp_semaphore {
    salp__latch latch;
    salp__list line; /* [latch] */
    unsigned value;  /* [latch] while it is above 0, nobody waits */
    unsigned most;   /* [const after open] */
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
    if (options->shared)
        return -ENOTSUP;
    salp_semaphore *semaphore = salp__allocate(sizeof *semaphore);
    if (!semaphore)
        return -ENOMEM;
    salp__list_open(&semaphore->line);
    semaphore->value = options->value;
    semaphore->most = most;
    *out = semaphore;
    return 0;
}

int salp_semaphore_acquire(salp_semaphore *semaphore)
{
    if (!semaphore)
        return -EINVAL;
    for (;;) {
        int error = salp__line_begin(&semaphore->latch);
        if (error < 0)
            return error;
        if (semaphore->value > 0) {
            semaphore->value--;
            salp__latch_release(&semaphore->latch);
            return 0;
        }
        error = salp__line_wait(&semaphore->latch, &semaphore->line, "a semaphore", NULL);
        if (error != -EINTR)
            return error;
    }
}

int salp_semaphore_try_acquire(salp_semaphore *semaphore)
{
    if (!semaphore)
        return -EINVAL;
    salp__latch_take(&semaphore->latch);
    bool there = semaphore->value > 0;
    semaphore->value -= there;
    salp__latch_release(&semaphore->latch);
    return there ? 0 : -EAGAIN;
}

int salp_semaphore_release(salp_semaphore *semaphore, unsigned count)
{
    if (!semaphore)
        return -EINVAL;
    salp__list woken;
    salp__list_open(&woken);
    salp__latch_take(&semaphore->latch);
    bool fits = count <= semaphore->most - semaphore->value;
    while (fits && count > 0) {
        salp__spot *next = salp__line_next_locked(&semaphore->line);
        if (!next)
            break;
        salp__list_append(&woken, &next->link);
        count--;
    }
    if (fits)
        semaphore->value += count;
    salp__latch_release(&semaphore->latch);
    salp__resume_all(&woken);
    return fits ? 0 : -EOVERFLOW;
}

void salp_semaphore_close(salp_semaphore *semaphore)
{
    salp__free(semaphore);
}
