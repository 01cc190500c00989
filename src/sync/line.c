/* Waiting in a line; the header tells how. SPDX-License-Identifier: MIT */
#include "sync/line.h"

#include <errno.h>

void salp__line_open(salp__line *line)
{
    salp__lock_open(&line->lock);
    salp__list_open(&line->waiters);
}

void salp__line_close(salp__line *line)
{
    salp__lock_close(&line->lock);
}

int salp__line_begin(salp__line *line)
{
    int error = salp__wait_refused();
    if (error == 0)
        salp__lock_take(&line->lock);
    return error;
}

void salp__line_end(salp__line *line)
{
    salp__lock_release(&line->lock);
}

int salp__line_wait(salp__line *line)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter);
    salp__list_append(&line->waiters, &waiter.link);
    salp__lock_release(&line->lock);
    int error = salp__wait(&waiter);
    if (error == 0)
        return 0;
    salp__lock_take(&line->lock);
    if (waiter.link.next)
        salp__list_remove(&waiter.link);
    salp__lock_release(&line->lock);
    return error == -EINTR ? error : salp__scope_feel(waiter.actor);
}

salp__waiter *salp__line_next_locked(salp__line *line)
{
    while (!salp__list_empty(&line->waiters)) {
        salp__waiter *waiter = SALP__CONTAINER(line->waiters.next, salp__waiter, link);
        salp__list_remove(&waiter->link);
        if (salp__claim(waiter))
            return waiter;
    }
    return NULL;
}
