/* Something that has happened, or not. SPDX-License-Identifier: MIT */
#include "sync/event.h"

#include <errno.h>

#include "os/memory.h"
#include "sync/line.h"

struct salp_event {
    _Atomic bool set; /* changed under the latch; release in set, acquire where it is asked for. Then nobody waits */
    salp__latch latch;
    salp__list line; /* [latch] */
};

int salp_event_open(salp_event **out, const salp_event_options *options)
{
    static const salp_event_options defaults;
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        options = &defaults;
    if (options->shared)
        return -ENOTSUP;
    salp_event *event = salp__allocate(sizeof *event);
    if (!event)
        return -ENOMEM;
    salp__list_open(&event->line);
    atomic_init(&event->set, options->set);
    *out = event;
    return 0;
}

int salp_event_set(salp_event *event)
{
    if (!event)
        return -EINVAL;
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
    salp__latch_take(&event->latch);
    atomic_store_explicit(&event->set, false, memory_order_release);
    salp__latch_release(&event->latch);
    return 0;
}

bool salp_event_is_set(salp_event *event)
{
    /* acquire: what was done before it was set can be read. */
    return event && atomic_load_explicit(&event->set, memory_order_acquire);
}

int salp_event_wait(salp_event *event)
{
    if (!event)
        return -EINVAL;
    for (;;) {
        int error = salp__line_begin(&event->latch);
        if (error < 0)
            return error;
        if (salp_event_is_set(event)) {
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
    return salp_event_is_set(object);
}

salp__source salp__event_source(salp_event *event)
{
    return (salp__source){ .object = event, .latch = &event->latch, .line = &event->line, .try_locked = try_locked };
}

void salp_event_close(salp_event *event)
{
    if (!event)
        return;
    salp__latch_take(&event->latch); /* who has set it may still be about to let go of the latch */
    salp__free(event);
}
