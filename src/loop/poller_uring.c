/*
 * The poller on io_uring.
 *
 * A watch has one request under way, which is answered once; after that it is asked for again with the next wait, so
 * that what is still ready is told again, as epoll does.
 *
 *   | new | --ask--> | asked | --answer--> | answered: in `again` | --ask--> ...
 *                        `--> | unwanted | --take back--> | orphan: waits for its answer, and is freed with it |
 *
 * To take back is a request, too, for which there may be no room now: then the next wait tries again.
 *
 * An operation has none of that: it is asked once, and answered once. What the kernel has of it is its address, with a mark
 * that tells it from a request's.
 *
 * I1  A request is freed when the kernel will not answer it any more: its answer has come, or it was never asked.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stddef.h>

#include <salp/time.h>

#include "base/list.h"
#include "loop/poller.h"
#include "os/clock.h"
#include "os/epoll.h"
#include "os/memory.h"
#include "os/ring.h"

typedef struct uring_poller {
    salp__poller poller;
    salp__ring *ring;
    salp__list again;    /* requests to be asked */
    salp__list unwanted; /* requests of no watch any more, to be taken back */
    salp__list orphans;  /* those that were, not answered yet */
    salp__list stopping; /* operations to be taken back */
} uring_poller;

typedef struct request {
    salp__list link;    /* in one of the lists, or in none: it is asked */
    salp__watch *watch; /* NULL: orphan */
} request;

static int open_poller(salp__poller **out)
{
    uring_poller *p = salp__allocate(sizeof *p);
    if (!p)
        return -ENOMEM;
    int error = salp__ring_open(&p->ring);
    if (error < 0) {
        salp__free(p);
        return error;
    }
    p->poller.type = &salp__poller_uring;
    salp__list_open(&p->again);
    salp__list_open(&p->unwanted);
    salp__list_open(&p->orphans);
    salp__list_open(&p->stopping);
    *out = &p->poller;
    return 0;
}

static void free_all(salp__list *requests)
{
    while (!salp__list_empty(requests)) {
        request *r = SALP__CONTAINER(requests->next, request, link);
        salp__list_remove(&r->link);
        salp__free(r);
    }
}

static void close_poller(salp__poller *poller)
{
    uring_poller *p = (uring_poller *)poller;
    salp__ring_close(p->ring); /* nothing is answered any more: I1 */
    free_all(&p->again);
    free_all(&p->unwanted);
    free_all(&p->orphans);
    salp__free(p);
}

static int add(salp__poller *poller, salp__watch *watch)
{
    request *r = salp__allocate(sizeof *r);
    if (!r)
        return -ENOMEM;
    r->watch = watch;
    watch->request = r;
    salp__list_append(&((uring_poller *)poller)->again, &r->link);
    return 0;
}

enum { OPERATION = 1 }; /* added to its address */

static void *marked(salp__operation *operation)
{
    return (char *)operation + OPERATION;
}

/* What there was no room for when it was to be taken back. */
static void take_back_more(uring_poller *p)
{
    while (!salp__list_empty(&p->unwanted)) {
        request *r = SALP__CONTAINER(p->unwanted.next, request, link);
        if (salp__ring_take_back(p->ring, r) < 0)
            return;
        salp__list_remove(&r->link);
        salp__list_append(&p->orphans, &r->link);
    }
    while (!salp__list_empty(&p->stopping)) {
        salp__operation *o = SALP__CONTAINER(p->stopping.next, salp__operation, link);
        if (salp__ring_cancel(p->ring, marked(o)) < 0)
            return;
        salp__list_remove(&o->link);
    }
}

/* It was asked: the kernel has its address until it has answered. */
static void take_back(uring_poller *p, request *r)
{
    bool taken = salp__ring_take_back(p->ring, r) == 0;
    r->watch = NULL;
    salp__list_append(taken ? &p->orphans : &p->unwanted, &r->link);
}

static void remove_watch(salp__poller *poller, salp__watch *watch)
{
    uring_poller *p = (uring_poller *)poller;
    request *r = watch->request;
    watch->request = NULL;
    if (r->link.next) {
        salp__list_remove(&r->link);
        salp__free(r);
    } else {
        /* The descriptor may be closed now, and must not be held open by us; and the loop may not look here again soon. */
        take_back(p, r);
        for (int tries = 0; tries < 2; tries++) {
            if (salp__ring_submit(p->ring) && salp__list_empty(&p->unwanted))
                break;
            take_back_more(p); /* there was no room */
        }
    }
}

static int change(salp__poller *poller, salp__watch *watch)
{
    request *before = watch->request;
    if (before->link.next)
        return 0; /* not asked yet */
    int error = add(poller, watch);
    if (error == 0)
        take_back((uring_poller *)poller, before);
    return error;
}

static void ask(uring_poller *p)
{
    take_back_more(p);
    while (!salp__list_empty(&p->again)) {
        request *r = SALP__CONTAINER(p->again.next, request, link);
        if (salp__ring_poll(p->ring, r->watch->fd, r->watch->events, r) < 0)
            break; /* with the next wait */
        salp__list_remove(&r->link);
    }
}

/* ---- operations ---- */

static int start(salp__poller *poller, salp__operation *o)
{
    salp__ring *ring = ((uring_poller *)poller)->ring;
    o->link.next = NULL;
    switch (o->kind) {
    case SALP__POLL:
        return salp__ring_poll(ring, o->fd, o->events, marked(o));
    case SALP__SEND:
        return salp__ring_send(ring, o->fd, o->from, o->size, marked(o));
    default:
        return salp__ring_receive(ring, o->fd, o->to, o->size, o->kind == SALP__RECEIVE_LATER, marked(o));
    }
}

static void stop(salp__poller *poller, salp__operation *operation)
{
    uring_poller *p = (uring_poller *)poller;
    if (salp__ring_cancel(p->ring, marked(operation)) < 0)
        salp__list_append(&p->stopping, &operation->link);
}

static void finish(salp__operation *operation, int32_t result)
{
    if (operation->link.next)
        salp__list_remove(&operation->link); /* there is nothing to be stopped any more */
    operation->result = result;
    operation->finished = true;
    operation->done(operation);
}

/* ---- answers ---- */

static void take_answer(uring_poller *p, const salp__answer *answer)
{
    if ((uintptr_t)answer->what & OPERATION) {
        finish((salp__operation *)((char *)answer->what - OPERATION), answer->result);
        return;
    }
    request *r = answer->what;
    salp__watch *watch = r->watch;
    if (!watch) {
        salp__list_remove(&r->link);
        salp__free(r);
        return;
    }
    salp__list_append(&p->again, &r->link);
    if (watch->ready)
        watch->ready(watch, answer->result < 0 ? SALP__POLL_ERROR : (uint32_t)answer->result);
}

static bool is_told_all(const uring_poller *p)
{
    return salp__list_empty(&p->again) && salp__list_empty(&p->unwanted) && salp__list_empty(&p->stopping);
}

static void wait_poller(salp__poller *poller, int64_t deadline)
{
    uring_poller *p = (uring_poller *)poller;
    salp__answer answers[64];
    ask(p);
    if (!is_told_all(p) && deadline > salp__later(SALP_MILLISECONDS(1)))
        deadline = salp__later(SALP_MILLISECONDS(1)); /* there was no memory to ask for all: soon again */
    int count = salp__ring_wait(p->ring, answers, 64, deadline);
    for (int i = 0; i < count; i++)
        take_answer(p, &answers[i]);
}

static bool prepare(salp__poller *poller)
{
    uring_poller *p = (uring_poller *)poller;
    ask(p);
    return salp__ring_submit(p->ring) && is_told_all(p);
}

static int fd_of(const salp__poller *poller)
{
    return salp__ring_fd(((const uring_poller *)poller)->ring);
}

const salp__poller_type salp__poller_uring = {
    .name = "io_uring",
    .open = open_poller,
    .close = close_poller,
    .add = add,
    .change = change,
    .remove = remove_watch,
    .wait = wait_poller,
    .prepare = prepare,
    .fd = fd_of,
    .start = start,
    .stop = stop,
};
