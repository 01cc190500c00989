/*
 * Barriers. Who waits knows how many came before; the last one lets all go on, if all are still there.
 * One between processes is another thing behind the same handle: sync/shared_barrier.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>

#include <salp/sync.h>

#include "os/memory.h"
#include "sync/line.h"
#include "sync/shared_barrier.h"

struct salp_barrier {
    salp__latch latch;
    salp__list line;              /* [latch] those who have come */
    unsigned come;                /* [latch] how many */
    unsigned parties;             /* [const after open] */
    bool broken;                  /* [latch] */
    salp__shared_barrier *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

int salp_barrier_open(salp_barrier **out, const salp_barrier_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options || options->parties == 0 || options->parties > INT32_MAX)
        return -EINVAL;
    salp_barrier *barrier = salp__allocate(sizeof *barrier);
    if (!barrier)
        return -ENOMEM;
    int error = options->shared ? salp__shared_barrier_open(&barrier->shared, options->parties) : 0;
    if (error < 0) {
        salp__free(barrier);
        return error;
    }
    salp__list_open(&barrier->line);
    barrier->parties = options->parties;
    *out = barrier;
    return 0;
}

int salp_barrier_attach(salp_barrier **out, int fd)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_barrier *barrier = salp__allocate(sizeof *barrier);
    if (!barrier)
        return -ENOMEM;
    int error = salp__shared_barrier_attach(&barrier->shared, fd);
    if (error < 0) {
        salp__free(barrier);
        return error;
    }
    *out = barrier;
    return 0;
}

int salp_barrier_fd(const salp_barrier *barrier)
{
    return barrier && barrier->shared ? salp__shared_barrier_fd(barrier->shared) : -EINVAL;
}

void salp_barrier_close(salp_barrier *barrier)
{
    if (barrier && barrier->shared)
        salp__shared_barrier_close(barrier->shared);
    salp__free(barrier);
}

/* [latch] All who can be reached go to `woken`. Returns how many. */
static unsigned send_all(salp_barrier *barrier, salp__list *woken)
{
    unsigned count = 0;
    salp__spot *spot;
    salp__list_open(woken);
    while ((spot = salp__line_next_locked(&barrier->line))) {
        salp__list_append(woken, &spot->link);
        count++;
    }
    barrier->come = 0;
    return count;
}

static void fail_all(salp__list *woken)
{
    for (salp__list *node = woken->next; node != woken; node = node->next)
        SALP__CONTAINER(node, salp__spot, link)->result = SALP_EBROKEN;
}

/* [latch held on entry, released] */
static void break_it(salp_barrier *barrier, bool broken)
{
    salp__list woken;
    send_all(barrier, &woken);
    fail_all(&woken);
    barrier->broken = broken;
    salp__latch_release(&barrier->latch);
    salp__resume_all(&woken);
}

/* [latch held on entry, released] The last one has come. */
static int let_all_go(salp_barrier *barrier)
{
    salp__list woken;
    int last = (int)barrier->come;
    bool complete = send_all(barrier, &woken) == barrier->parties - 1;
    if (!complete) { /* somebody's scope is over, and he has not yet had the time to leave the line */
        fail_all(&woken);
        barrier->broken = true;
    }
    salp__latch_release(&barrier->latch);
    salp__resume_all(&woken);
    return complete ? last : SALP_EBROKEN;
}

/* The wait has failed. true: only for a moment, and he stays in the line. */
static bool stays(salp_barrier *barrier, salp__spot *spot, int error)
{
    salp__latch_take(&barrier->latch);
    if (!spot->link.next) { /* the barrier was broken when it was found that he was on his way out */
        salp__latch_release(&barrier->latch);
        return false;
    }
    if (error == -EINTR) {
        salp__waiter_open(spot->waiter, spot->waiter->what);
        salp__latch_release(&barrier->latch);
        return true;
    }
    salp__list_remove(&spot->link);
    break_it(barrier, true);
    return false;
}

static int wait_in_line(salp__spot *spot, salp_barrier *barrier)
{
    for (;;) {
        int error = salp__wait(spot->waiter);
        if (error == 0)
            return spot->result;
        if (stays(barrier, spot, error))
            continue;
        int over = salp__scope_feel(spot->waiter->actor);
        return over < 0 ? over : error == -EINTR ? SALP_EBROKEN : error;
    }
}

int salp_barrier_wait(salp_barrier *barrier)
{
    if (!barrier)
        return -EINVAL;
    if (barrier->shared)
        return salp__shared_barrier_wait(barrier->shared);
    salp__latch_take(&barrier->latch);
    int error = salp__scope_error(salp__self());
    if (error < 0) { /* a party that will not come */
        break_it(barrier, true);
        return salp__wait_refused();
    }
    if (barrier->broken) {
        salp__latch_release(&barrier->latch);
        return SALP_EBROKEN;
    }
    if (barrier->come == barrier->parties - 1)
        return let_all_go(barrier);
    if (salp__cannot_wait()) {
        salp__latch_release(&barrier->latch);
        return SALP_EINSIDE; /* it has not come */
    }
    salp__waiter waiter;
    salp__waiter_open(&waiter, "a barrier");
    salp__spot spot = { .waiter = &waiter, .result = (int)barrier->come++ };
    salp__list_append(&barrier->line, &spot.link);
    salp__latch_release(&barrier->latch);
    return wait_in_line(&spot, barrier);
}

int salp_barrier_break(salp_barrier *barrier)
{
    if (!barrier)
        return -EINVAL;
    if (barrier->shared)
        return salp__shared_barrier_reset(barrier->shared, true);
    salp__latch_take(&barrier->latch);
    break_it(barrier, true);
    return 0;
}

int salp_barrier_reset(salp_barrier *barrier)
{
    if (!barrier)
        return -EINVAL;
    if (barrier->shared)
        return salp__shared_barrier_reset(barrier->shared, false);
    salp__latch_take(&barrier->latch);
    break_it(barrier, false);
    return 0;
}
