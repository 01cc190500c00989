/* Waiting until descriptors are ready. SPDX-License-Identifier: MIT */
#include "task/descriptor.h"

#include <errno.h>

#include <salp/error.h>
#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "task/scope.h"
#include "task/task.h"

static int count_ready(const salp__interest set[], int count)
{
    int ready = 0;
    for (int i = 0; i < count; i++)
        ready += set[i].came != 0;
    return ready;
}

/* ---- tasks ---- */

static void note_ready(salp__watch *watch, uint32_t events)
{
    salp__interest *interest = SALP__CONTAINER(watch, salp__interest, watch);
    interest->came |= events;
    if (salp__claim(interest->spot))
        salp__resume(interest->spot);
}

/* Also of a descriptor that the poller knows already: by another number, since epoll takes each only once. */
static int watch_once_more(salp__loop *loop, salp__interest *interest)
{
    interest->copy = salp__file_copy(interest->fd);
    if (interest->copy < 0)
        return interest->copy;
    interest->watch.fd = interest->copy;
    int error = salp__loop_watch(loop, &interest->watch);
    if (error < 0)
        salp__file_close(interest->copy);
    return error;
}

static int watch(salp__loop *loop, salp__interest *interest)
{
    interest->watch = (salp__watch){ .fd = interest->fd, .events = interest->events, .ready = note_ready };
    interest->copy = -1;
    int error = salp__loop_watch(loop, &interest->watch);
    return error == -EEXIST ? watch_once_more(loop, interest) : error;
}

static void unwatch(salp__loop *loop, salp__interest *interest)
{
    salp__loop_unwatch(loop, &interest->watch);
    salp__file_close(interest->copy);
}

static salp__loop *loop_of(const salp__waiter *waiter)
{
    return &waiter->actor->task->runtime->loop;
}

int salp__interest_watch(const salp__waiter *waiter, salp__interest *interest)
{
    interest->came = 0;
    return watch(loop_of(waiter), interest);
}

void salp__interest_unwatch(const salp__waiter *waiter, salp__interest *interest)
{
    unwatch(loop_of(waiter), interest);
}

/* Returns as salp__wait_until. */
static int wait_in_task(salp__waiter *waiter, salp__interest set[], int count, int64_t until)
{
    salp__loop *loop = loop_of(waiter);
    salp__spot spot = salp__spot_of(waiter);
    int begun = 0, error = 0;
    for (; begun < count && error == 0; begun += error == 0) {
        set[begun].spot = &spot;
        set[begun].watch.request = NULL;
        error = set[begun].fd < 0 ? 0 : watch(loop, &set[begun]);
        if (error == -EPERM) {
            set[begun].came = set[begun].events; /* it is always ready */
            set[begun].watch.ready = NULL;
            until = 0;
            error = 0;
        }
    }
    if (error == 0)
        error = salp__wait_until(waiter, until);
    for (int i = 0; i < begun; i++) {
        if (set[i].fd >= 0 && set[i].watch.ready)
            unwatch(loop, &set[i]);
    }
    return error;
}

typedef struct alarm {
    salp__timer timer;
    salp__spot *spot;
} alarm;

static void ring(salp__timer *timer)
{
    const alarm *a = (alarm *)timer; /* its first member */
    if (salp__claim(a->spot))
        salp__resume(a->spot);
}

static void wait_through_in_task(salp__waiter *waiter, salp__interest *interest, int64_t until)
{
    salp__loop *loop = loop_of(waiter);
    salp__spot spot = salp__spot_of(waiter);
    alarm clock = { .spot = &spot };
    interest->spot = &spot;
    bool watched = watch(loop, interest) == 0;
    if (!watched && until > salp__later(SALP_MILLISECONDS(1)))
        until = salp__later(SALP_MILLISECONDS(1));
    if (until != SALP_FOREVER)
        salp__timer_set(loop, &clock.timer, until, ring);
    salp__wait_through(waiter);
    salp__timer_cancel(loop, &clock.timer);
    if (watched)
        unwatch(loop, interest);
}

/* ---- plain threads ---- */

static int wait_in_thread(salp__waiter *waiter, salp__interest set[], int count, int64_t until)
{
    salp__pollee pollees[SALP__MAX_INTERESTS];
    for (int i = 0; i < count; i++)
        pollees[i] = (salp__pollee){ .fd = set[i].fd, .events = set[i].events };
    int error = salp__wait_polling(waiter, pollees, count, until);
    for (int i = 0; i < count; i++) {
        set[i].came = pollees[i].came & ~(uint32_t)SALP__POLL_NOT_OPEN;
        if (pollees[i].came & SALP__POLL_NOT_OPEN)
            error = -EBADF;
    }
    return error;
}

/* ---- both ---- */

int salp__descriptors_wait(salp__interest set[], int count, int64_t until, const char *what)
{
    salp__must(count <= SALP__MAX_INTERESTS);
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    int error = salp__wait_refused();
    if (error < 0)
        return error;
    bool task = salp__self()->task; /* a thread hears of it from poll */
    for (int i = 0; i < count; i++) {
        set[i].came = 0;
        error = set[i].fd < 0 || !task ? 0 : salp__may_poll(set[i].fd);
        if (error == -EBADF)
            return error;
    }
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, what);
        error =
            waiter.actor->task ? wait_in_task(&waiter, set, count, until) : wait_in_thread(&waiter, set, count, until);
        int ready = count_ready(set, count);
        if (ready > 0 && error != -EBADF)
            return ready;
        if (error == 1)
            return 0;
        if (error < 0 && error != -EINTR) {
            int over = salp__scope_feel(waiter.actor);
            return over < 0 ? over : error;
        }
    }
}

int salp__descriptor_wait(int fd, uint32_t events, const char *what)
{
    salp__interest interest = { .fd = fd, .events = events };
    int ready = salp__descriptors_wait(&interest, 1, SALP_FOREVER, what);
    return ready < 0 ? ready : (int)interest.came;
}

void salp__descriptor_wait_through(int fd, uint32_t events, int64_t until, const char *what)
{
    salp__waiter waiter;
    salp__waiter_open(&waiter, what);
    if (waiter.actor->task)
        wait_through_in_task(&waiter, &(salp__interest){ .fd = fd, .events = events }, until);
    else
        (void)salp__poll_for(&(salp__pollee){ .fd = fd, .events = events }, 1, until);
}
