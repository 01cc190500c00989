/* Waiting in a line; the header tells how. SPDX-License-Identifier: MIT */
#include "sync/line.h"

void salp__line_leave(salp__latch *latch, salp__spot *spot)
{
    salp__latch_take(latch);
    if (spot->link.next)
        salp__list_remove(&spot->link);
    salp__latch_release(latch);
}

int salp__line_wait_at(salp__latch *latch, salp__spot *spot)
{
    int error = salp__wait(spot->waiter);
    if (error == 0)
        return spot->result;
    salp__line_leave(latch, spot);
    return salp__wait_end(spot->waiter->actor, error);
}

int salp__line_wait(salp__latch *latch, salp__list *line, const char *what, void *item)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, what);
    salp__spot spot = { .waiter = &waiter, .item = item };
    salp__list_append(line, &spot.link);
    salp__latch_release(latch);
    return salp__line_wait_at(latch, &spot);
}

salp__spot *salp__line_claim_first_locked(salp__list *line)
{
    while (!salp__list_empty(line)) {
        salp__spot *spot = SALP__CONTAINER(line->next, salp__spot, link);
        salp__list_remove(&spot->link);
        if (salp__claim(spot))
            return spot;
    }
    return NULL;
}
