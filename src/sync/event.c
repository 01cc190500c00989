/* Something that has happened, or not. SPDX-License-Identifier: MIT */
#include <errno.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"

struct salp_event {
    salp__line line;
    bool set; /* [lock] then nobody waits */
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
    salp__line_open(&event->line);
    event->set = options->set;
    *out = event;
    return 0;
}

int salp_event_set(salp_event *event)
{
    if (!event)
        return -EINVAL;
    salp__list woken;
    salp__lock_take(&event->line.lock);
    event->set = true;
    salp__claim_all(&event->line.waiters, &woken);
    salp__lock_release(&event->line.lock);
    salp__resume_all(&woken);
    return 0;
}

int salp_event_clear(salp_event *event)
{
    if (!event)
        return -EINVAL;
    salp__lock_take(&event->line.lock);
    event->set = false;
    salp__lock_release(&event->line.lock);
    return 0;
}

bool salp_event_is_set(salp_event *event)
{
    if (!event)
        return false;
    salp__lock_take(&event->line.lock);
    bool set = event->set;
    salp__lock_release(&event->line.lock);
    return set;
}

int salp_event_wait(salp_event *event)
{
    if (!event)
        return -EINVAL;
    for (;;) {
        int error = salp__line_begin(&event->line);
        if (error < 0)
            return error;
        if (event->set) {
            salp__line_end(&event->line);
            return 0;
        }
        error = salp__line_wait(&event->line);
        if (error != -EINTR)
            return error;
    }
}

void salp_event_close(salp_event *event)
{
    if (!event)
        return;
    salp__line_close(&event->line);
    salp__free(event);
}
