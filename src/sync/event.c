/*
 * Something that has happened, or not. One between processes is another thing behind the same handle: sync/shared_event.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/event.h"

#include <errno.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/shared_event.h"

struct salp_event {
    _Atomic bool set; /* changed under the latch; release in set, acquire where it is asked for. Then nobody waits */
    salp__latch latch;
    salp__list line;            /* [latch] */
    salp__shared_event *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_event_open(salp_event **out, const salp_event_options *options)
{
    static const salp_event_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    salp_event *event = salp__allocate(sizeof *event);
    if (!event)
        return -ENOMEM;
    int error = options->shared ? salp__shared_event_open(&event->shared, options->set) : 0;
    if (error < 0) {
        salp__free(event);
        return error;
    }
    salp__list_open(&event->line);
    atomic_init(&event->set, options->set);
    *out = event;
    return 0;
}

int salp_event_attach(salp_event **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_event *event = salp__allocate(sizeof *event);
    if (!event)
        return -ENOMEM;
    int error = salp__shared_event_attach(&event->shared, fd);
    if (error < 0) {
        salp__free(event);
        return error;
    }
    *out = event;
    return 0;
}

int salp_event_fd(const salp_event *event)
{
    return event && event->shared ? salp__shared_event_fd(event->shared) : -EINVAL;
}

int salp_event_set(salp_event *event)
{
    if (!event)
        return -EINVAL;
    if (event->shared)
        return salp__shared_event_set(event->shared);
    salp__list woken;
    salp__latch_take(&event->latch);
    atomic_store_explicit(&event->set, true, memory_order_release);
    salp__claim_all(&event->line, &woken);
    salp__latch_release(&event->latch);
    salp__resume_all(&woken);
    return 0;
}

int salp_event_clear(salp_event *event)
{
    if (!event)
        return -EINVAL;
    if (event->shared)
        return salp__shared_event_clear(event->shared);
    salp__latch_take(&event->latch);
    atomic_store_explicit(&event->set, false, memory_order_release);
    salp__latch_release(&event->latch);
    return 0;
}

static bool is_set(const salp_event *event)
{
    /* acquire: what was done before it was set can be read. */
    return atomic_load_explicit(&event->set, memory_order_acquire);
}

bool salp_event_is_set(salp_event *event)
{
    if (!event)
        return false;
    return event->shared ? salp__shared_event_is_set(event->shared) : is_set(event);
}

int salp_event_wait(salp_event *event)
{
    if (!event)
        return -EINVAL;
    if (event->shared)
        return salp__shared_event_wait(event->shared);
    for (;;) {
        int error = salp__line_begin(&event->latch);
        if (error < 0)
            return error;
        if (is_set(event)) {
            salp__latch_release(&event->latch);
            return 0;
        }
        error = salp__line_wait(&event->latch, &event->line, "an event", NULL);
        if (error != -EINTR)
            return error;
    }
}

static bool try_locked(void *object, void *item, int *result, salp__spot **woken)
{
    (void)item;
    (void)woken;
    *result = 0;
    return is_set(object);
}

salp__source salp__event_source(salp_event *event)
{
    if (event->shared)
        return salp__shared_event_source(event->shared);
    return (salp__source){ .object = event,
                           .latch = &event->latch,
                           .line = &event->line,
                           .line_latch = &event->latch,
                           .try_locked = try_locked };
}

void salp_event_close(salp_event *event)
{
    if (!event)
        return;
    if (event->shared)
        salp__shared_event_close(event->shared);
    else
        salp__latch_take(&event->latch); /* who has set it may still be about to let go of the latch */
    salp__free(event);
}
