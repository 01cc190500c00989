/* A task that waits for a descriptor. SPDX-License-Identifier: MIT */
#include "task/ready.h"

#include <errno.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "task/task.h"

/* One thing that may call the task; all have the same spot, and the first one claims it. */
typedef struct caller {
    union {
        salp__watch watch;
        salp__timer timer;
    } by;
    salp__spot *spot;
} caller;

typedef struct readiness {
    salp__waiter waiter;
    salp__spot spot;
    caller watches[SALP__INTERESTS];
    int watched;
    caller clock;
} readiness;

static void call(const caller *c)
{
    if (salp__claim(c->spot))
        salp__resume(c->spot);
}

static void ready(salp__watch *watch, uint32_t events)
{
    (void)events;
    call((caller *)watch); /* its first member */
}

static void ring(salp__timer *timer)
{
    call((caller *)timer); /* likewise */
}

static salp__loop *loop_of(const readiness *r)
{
    return &r->waiter.actor->task->runtime->loop;
}

static void begin(readiness *r, const salp__interest interests[], int count, int64_t deadline)
{
    salp__must(count <= SALP__INTERESTS);
    salp__waiter_open(&r->waiter, "a process");
    r->spot = salp__spot_of(&r->waiter);
    bool watched = true;
    for (r->watched = 0; r->watched < count && watched; r->watched += watched) {
        const salp__interest *interest = &interests[r->watched];
        caller *c = &r->watches[r->watched];
        c->by.watch = (salp__watch){ .fd = interest->fd, .events = interest->events, .ready = ready };
        c->spot = &r->spot;
        watched = salp__loop_watch(loop_of(r), &c->by.watch) == 0;
    }
    if (!watched)
        deadline = salp__later(SALP_MILLISECONDS(1));
    r->clock = (caller){ .by.timer = { .fire = ring }, .spot = &r->spot };
    if (deadline != SALP_FOREVER)
        salp__timer_set(loop_of(r), &r->clock.by.timer, deadline, ring);
}

static void end(readiness *r)
{
    salp__timer_cancel(loop_of(r), &r->clock.by.timer);
    for (int i = 0; i < r->watched; i++)
        salp__loop_unwatch(loop_of(r), &r->watches[i].by.watch);
}

int salp__wait_ready(const salp__interest interests[], int count)
{
    readiness r;
    begin(&r, interests, count, SALP_FOREVER);
    int error = salp__wait(&r.waiter);
    end(&r);
    if (error == 0 || error == -EINTR)
        return 0;
    int over = salp__scope_feel(r.waiter.actor);
    return over < 0 ? over : error;
}

void salp__wait_ready_through(const salp__interest interests[], int count, int64_t deadline)
{
    readiness r;
    begin(&r, interests, count, deadline);
    salp__wait_through(&r.waiter);
    end(&r);
}
