/*
 * Queues.
 *
 * One latch guards the items and the lines. An item goes from hand to hand where it can: who puts while somebody waits to
 * get copies into the getter's memory, and who gets while somebody waits to put takes that one's item into the store.
 *
 * I1  Somebody waits to get only while the store is empty and nobody waits to put; to put, only while it is full.
 * I2  `unfinished` counts what was put, whether it was taken or not, less what is done.
 *
 * One between processes is another thing behind the same handle: sync/shared_queue.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/queue.h"

#include <errno.h>

#include "os/memory.h"
#include "sync/shared_queue.h"
#include "sync/store.h"

struct salp_queue {
    salp__latch latch;
    bool shut;                  /* [latch] */
    salp__list getters;         /* [latch] */
    salp__list putters;         /* [latch] */
    salp__list joiners;         /* [latch] they wait for `unfinished` to be 0 */
    salp__store store;          /* [latch] */
    uint64_t unfinished;        /* [latch] */
    size_t capacity;            /* [const after open] */
    salp__shared_queue *shared; /* between processes: then nothing else here is used; or NULL [const after open] */
};

static int check(const salp_queue_options *options)
{
    bool sorted = options->order == SALP_PRIORITY;
    if (options->item_size == 0 || options->order < SALP_FIFO || options->order > SALP_PRIORITY)
        return -EINVAL;
    if (sorted != (options->compare != NULL) || (options->capacity == 0 && options->order != SALP_FIFO))
        return -EINVAL;
    return 0;
}

int salp_queue_open(salp_queue **out, const salp_queue_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!options)
        return -EINVAL;
    int error = check(options);
    if (error < 0)
        return error;
    salp_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    error =
        options->shared ? salp__shared_queue_open(&queue->shared, options) : salp__store_open(&queue->store, options);
    if (error < 0) {
        salp__free(queue);
        return error;
    }
    salp__list_open(&queue->getters);
    salp__list_open(&queue->putters);
    salp__list_open(&queue->joiners);
    queue->capacity = options->capacity;
    *out = queue;
    return 0;
}

int salp_queue_attach(salp_queue **out, int fd, const salp_queue_options *options)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    salp_queue *queue = salp__allocate(sizeof *queue);
    if (!queue)
        return -ENOMEM;
    int error = salp__shared_queue_attach(&queue->shared, fd, options);
    if (error < 0) {
        salp__free(queue);
        return error;
    }
    *out = queue;
    return 0;
}

int salp_queue_fd(const salp_queue *queue)
{
    return queue && queue->shared ? salp__shared_queue_fd(queue->shared) : -EINVAL;
}

void salp_queue_close(salp_queue *queue)
{
    if (!queue)
        return;
    if (queue->shared)
        salp__shared_queue_close(queue->shared);
    else
        salp__store_close(&queue->store);
    salp__free(queue);
}

/* ---- putting and getting ---- */

static bool put_locked(void *object, void *item, int *result, salp__spot **woken)
{
    salp_queue *queue = object;
    salp__spot *getter;
    *result = 0;
    if (queue->shut) {
        *result = -EPIPE;
        return true;
    }
    if ((getter = salp__line_next_locked(&queue->getters))) {
        salp__item_copy(getter->item, item, queue->store.item_size);
        *woken = getter;
    } else if (queue->store.count < queue->capacity) {
        *result = salp__store_put(&queue->store, item);
    } else {
        return false;
    }
    queue->unfinished += *result == 0;
    return true;
}

static bool get_locked(void *object, void *item, int *result, salp__spot **woken)
{
    salp_queue *queue = object;
    bool stored = queue->store.count > 0;
    if (stored)
        salp__store_get(&queue->store, item);
    salp__spot *putter = salp__line_next_locked(&queue->putters);
    if (putter) {
        if (stored)
            (void)salp__store_put(&queue->store, putter->item); /* where the other one was: it does not grow */
        else
            salp__item_copy(item, putter->item, queue->store.item_size);
        queue->unfinished++;
        *woken = putter;
    }
    *result = stored || putter ? 0 : -EPIPE;
    return stored || putter || queue->shut;
}

typedef bool try_locked(void *object, void *item, int *result, salp__spot **woken);

/* [latch] Whether it is done; lets go of the latch then. */
static inline bool finish_locked(salp_queue *queue, try_locked *function, void *item, int *result)
{
    salp__spot *woken = NULL;
    if (!function(queue, item, result, &woken))
        return false;
    salp__latch_release(&queue->latch);
    if (woken)
        salp__resume(woken);
    return true;
}

static int try(salp_queue *queue, try_locked *function, void *item)
{
    int result;
    salp__latch_take(&queue->latch);
    if (finish_locked(queue, function, item, &result))
        return result;
    salp__latch_release(&queue->latch);
    return -EAGAIN;
}

/*
 * [latch held on entry, released] It could not be done at once. Apart from those who call it last of all: so that what goes
 * without waiting saves no registers for this, and so that the calls above who waits are the same for all.
 */
static __attribute__((noinline)) int wait_for(salp_queue *queue, try_locked *function, salp__list *line,
                                              const char *what, void *item)
{
    for (;;) {
        int result = salp__line_wait(&queue->latch, line, what, item);
        if (result != -EINTR)
            return result;
        result = salp__line_begin(&queue->latch);
        if (result < 0 || finish_locked(queue, function, item, &result))
            return result;
    }
}

int salp_queue_put(salp_queue *queue, const void *item)
{
    void *from = (void *)(uintptr_t)item;
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_put(queue->shared, item, true);
    int result = salp__line_begin(&queue->latch);
    if (result < 0 || finish_locked(queue, put_locked, from, &result))
        return result;
    return wait_for(queue, put_locked, &queue->putters, "room in a queue", from);
}

int salp_queue_get(salp_queue *queue, void *item)
{
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_get(queue->shared, item, true);
    int result = salp__line_begin(&queue->latch);
    if (result < 0 || finish_locked(queue, get_locked, item, &result))
        return result;
    return wait_for(queue, get_locked, &queue->getters, "an item of a queue", item);
}

int salp_queue_try_put(salp_queue *queue, const void *item)
{
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_put(queue->shared, item, false);
    return try(queue, put_locked, (void *)(uintptr_t)item);
}

int salp_queue_try_get(salp_queue *queue, void *item)
{
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_get(queue->shared, item, false);
    return try(queue, get_locked, item);
}

salp__source salp__queue_get_source(salp_queue *queue)
{
    if (queue->shared)
        return salp__shared_queue_get_source(queue->shared);
    return (salp__source){ .object = queue, .latch = &queue->latch, .line = &queue->getters, .try_locked = get_locked };
}

salp__source salp__queue_put_source(salp_queue *queue)
{
    if (queue->shared)
        return salp__shared_queue_put_source(queue->shared);
    return (salp__source){ .object = queue, .latch = &queue->latch, .line = &queue->putters, .try_locked = put_locked };
}

/* ---- the end of it ---- */

static void refuse_locked(salp__list *line, salp__list *refused)
{
    salp__spot *place;
    while ((place = salp__line_next_locked(line))) {
        place->result = -EPIPE;
        salp__list_append(refused, &place->link);
    }
}

int salp_queue_shutdown(salp_queue *queue)
{
    if (!queue)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_shutdown(queue->shared);
    salp__list refused;
    salp__list_open(&refused);
    salp__latch_take(&queue->latch);
    queue->shut = true;
    refuse_locked(&queue->putters, &refused);
    refuse_locked(&queue->getters, &refused);
    salp__latch_release(&queue->latch);
    salp__resume_all(&refused);
    return 0;
}

int salp_queue_done(salp_queue *queue)
{
    if (!queue)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_done(queue->shared);
    salp__list woken;
    salp__list_open(&woken);
    salp__latch_take(&queue->latch);
    bool counted = queue->unfinished > 0;
    queue->unfinished -= counted;
    if (queue->unfinished == 0)
        salp__claim_all(&queue->joiners, &woken);
    salp__latch_release(&queue->latch);
    salp__resume_all(&woken);
    return counted ? 0 : -EINVAL;
}

int salp_queue_join(salp_queue *queue)
{
    if (!queue)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_join(queue->shared);
    for (;;) {
        int result = salp__line_begin(&queue->latch);
        if (result < 0)
            return result;
        if (queue->unfinished == 0) {
            salp__latch_release(&queue->latch);
            return 0;
        }
        result = salp__line_wait(&queue->latch, &queue->joiners, "the work on a queue's items", NULL);
        if (result != -EINTR)
            return result;
    }
}

size_t salp_queue_count(salp_queue *queue)
{
    if (!queue)
        return 0;
    if (queue->shared)
        return salp__shared_queue_count(queue->shared);
    salp__latch_take(&queue->latch);
    size_t count = queue->store.count;
    salp__latch_release(&queue->latch);
    return count;
}
