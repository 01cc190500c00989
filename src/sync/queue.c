/*
 * Queues.
 *
 * An item goes from hand to hand where it can: who puts while somebody waits to get copies into the getter's memory, and
 * who gets while somebody waits to put takes that one's item into the queue.
 *
 * Those who put and those who get have a latch each, so that they do not wait for each other while there are both items
 * and room: a put needs its own latch alone while nobody waits to get, a get while nobody waits to put. Whoever finds it
 * otherwise takes both, the one of puts first, and asks again from the beginning. That is so of a bounded queue in the
 * order FIFO, whose items lie on a belt; not of one so small that puts and gets would mostly find it full or empty. In any
 * other queue one latch is both.
 *
 * I1  Somebody waits to get only while no item is there and nobody waits to put; to put, only while it is full.
 * I2  `unfinished` counts what was put, whether it was taken or not, less what is done.
 * I3  Who must wait has found so with both latches. Until he stands in his line he keeps the one that guards it, which is
 *     that of the other side: so no put comes between a getter's look and his wait, no get between a putter's, and
 *     whoever comes then sees him with his own latch alone.
 * I4  A put with its own latch alone passes no getter by, since `getters` is guarded by that latch; and it overtakes no
 *     putter who waits, since then there is no room: who gets then does so with both latches, and hands the room on.
 * I5  Whoever gets the last item may close the queue, while the one who has put it still lets go of his latch. So
 *     closing takes the latches: after that nobody else touches the queue.
 *
 * One between processes is another thing behind the same handle: sync/shared_queue.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/queue.h"

#include <errno.h>

#include "os/memory.h"
#include "sync/belt.h"
#include "sync/shared_queue.h"
#include "sync/store.h"

enum {
#ifdef SALP_HOSTILE
    APART = 1,
#else
    APART = 16, /* the least capacity of a queue with two latches */
#endif
    LINE = 64, /* bytes that processors exchange at once: what one side changes is that far from all else */
};

struct salp_queue {
    /* ---- the side of puts ---- */
    salp__latch latch;   /* of puts; of gets, too, if there is one only */
    salp__belt_end in;   /* [latch] */
    uint64_t unfinished; /* [latch] */
    char before_gets[LINE];
    /* ---- the side of gets ---- */
    salp__latch get_latch; /* if there are two */
    salp__belt_end out;    /* [latch of gets] */
    char before_rest[LINE];
    /* ---- what changes rarely ---- */
    salp__latch *gets;          /* the latch of gets, this one or that [const after open] */
    bool shut;                  /* [latch] */
    salp__list getters;         /* [latch] */
    salp__list putters;         /* [latch of gets] */
    salp__list joiners;         /* [latch] they wait for `unfinished` to be 0 */
    salp__belt belt;            /* [const after open] */
    salp__store store;          /* [latch] */
    size_t item_size;           /* [const after open] */
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
    bool apart = options->order == SALP_FIFO && options->capacity >= APART && options->capacity != SALP_UNBOUNDED;
    if (options->shared)
        error = salp__shared_queue_open(&queue->shared, options);
    else if (apart)
        error = salp__belt_open(&queue->belt, options->item_size, options->capacity);
    else
        error = salp__store_open(&queue->store, options);
    if (error < 0) {
        salp__free(queue);
        return error;
    }
    salp__list_open(&queue->getters);
    salp__list_open(&queue->putters);
    salp__list_open(&queue->joiners);
    queue->gets = apart ? &queue->get_latch : &queue->latch;
    queue->item_size = options->item_size;
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

/* ---- both latches ---- */

static inline bool is_apart(const salp_queue *queue)
{
    return queue->gets != &queue->latch;
}

static inline void take_both(salp_queue *queue)
{
    salp__latch_take(&queue->latch);
    if (is_apart(queue))
        salp__latch_take(&queue->get_latch);
}

static inline void release(salp_queue *queue, bool apart)
{
    if (apart)
        salp__latch_release(&queue->get_latch);
    salp__latch_release(&queue->latch);
}

void salp_queue_close(salp_queue *queue)
{
    if (!queue)
        return;
    if (queue->shared) {
        salp__shared_queue_close(queue->shared);
        salp__free(queue);
        return;
    }
    take_both(queue); /* I5 */
    if (is_apart(queue))
        salp__belt_close(&queue->belt);
    else
        salp__store_close(&queue->store);
    salp__free(queue);
}

/* ---- putting and getting with both latches ---- */

/* `apart`: what is_apart says. It is known where these are called, and they are part of each caller for that: so it is not
   asked again, and what holds the items is reached without a call. */
static inline bool has_item(salp_queue *queue, bool apart)
{
    return apart ? salp__belt_has_item(&queue->out, &queue->in) : queue->store.count > 0;
}

static inline bool has_room(salp_queue *queue, bool apart)
{
    return apart ? salp__belt_has_room(&queue->belt, &queue->in, &queue->out) : queue->store.count < queue->capacity;
}

static inline int add(salp_queue *queue, bool apart, const void *item)
{
    if (!apart)
        return salp__store_put(&queue->store, item);
    salp__belt_put(&queue->belt, &queue->in, item);
    return 0;
}

static inline void take_out(salp_queue *queue, bool apart, void *item)
{
    if (apart)
        salp__belt_get(&queue->belt, &queue->out, item);
    else
        salp__store_get(&queue->store, item);
}

static __attribute__((always_inline)) inline bool put_now(salp_queue *queue, bool apart, void *item, int *result,
                                                          salp__spot **woken)
{
    salp__spot *getter;
    *result = 0;
    if (queue->shut) {
        *result = -EPIPE;
        return true;
    }
    if ((getter = salp__line_next_locked(&queue->getters))) {
        salp__item_copy(getter->item, item, queue->item_size);
        *woken = getter;
    } else if (has_room(queue, apart)) {
        *result = add(queue, apart, item);
    } else {
        return false;
    }
    queue->unfinished += *result == 0;
    return true;
}

static __attribute__((always_inline)) inline bool get_now(salp_queue *queue, bool apart, void *item, int *result,
                                                          salp__spot **woken)
{
    bool stored = has_item(queue, apart);
    if (stored)
        take_out(queue, apart, item);
    salp__spot *putter = salp__line_next_locked(&queue->putters);
    if (putter) {
        if (stored)
            (void)add(queue, apart, putter->item); /* where the other one was: it does not grow */
        else
            salp__item_copy(item, putter->item, queue->item_size);
        queue->unfinished++;
        *woken = putter;
    }
    *result = stored || putter ? 0 : -EPIPE;
    return stored || putter || queue->shut;
}

typedef bool try_now(salp_queue *queue, bool apart, void *item, int *result, salp__spot **woken);

/* Whether it is done; lets go of the latches then. */
static __attribute__((always_inline)) inline bool finish(salp_queue *queue, bool apart, try_now *function, void *item,
                                                         int *result)
{
    salp__spot *woken = NULL;
    if (!function(queue, apart, item, result, &woken))
        return false;
    release(queue, apart);
    if (woken)
        salp__resume(woken);
    return true;
}

/* ---- and of two latches with one's own ---- */

/* [latch of puts] Whether it is done; lets go of the latch then. I4 */
static inline bool put_alone(salp_queue *queue, const void *item)
{
    if (queue->shut || !salp__list_empty(&queue->getters) ||
        !salp__belt_has_room(&queue->belt, &queue->in, &queue->out))
        return false;
    queue->unfinished++;
    salp__belt_put(&queue->belt, &queue->in, item);
    salp__latch_release(&queue->latch);
    return true;
}

/* The same of the latch of gets. */
static inline bool get_alone(salp_queue *queue, void *item)
{
    if (!salp__list_empty(&queue->putters) || !salp__belt_has_item(&queue->out, &queue->in))
        return false;
    salp__belt_get(&queue->belt, &queue->out, item);
    salp__latch_release(queue->gets);
    return true;
}

/* ---- and waiting ---- */

/*
 * [both latches on entry, released] It could not be done at once. Apart from those who call it last of all: so that what
 * goes without waiting saves no registers for this, and so that the calls above who waits are the same for all.
 */
static __attribute__((noinline)) int wait_for(salp_queue *queue, bool gets, void *item)
{
    bool apart = is_apart(queue);
    salp__latch *own = gets ? queue->gets : &queue->latch, *other = gets ? &queue->latch : queue->gets;
    for (;;) {
        if (apart)
            salp__latch_release(own); /* I3 */
        int result = salp__line_wait(other, gets ? &queue->getters : &queue->putters,
                                     gets ? "an item of a queue" : "room in a queue", item);
        if (result != -EINTR)
            return result;
        result = salp__wait_begin();
        if (result < 0)
            return result;
        take_both(queue);
        if (finish(queue, apart, gets ? get_now : put_now, item, &result))
            return result;
    }
}

/* Both latches are held. */
static inline int give_up(salp_queue *queue, bool apart)
{
    release(queue, apart);
    return -EAGAIN;
}

/* [latch of puts, of two, on entry; released] It could not be done with that alone. Apart for the same reason. */
static __attribute__((noinline)) int put_with_both(salp_queue *queue, void *item, bool waits)
{
    int result;
    salp__latch_take(&queue->get_latch);
    if (finish(queue, true, put_now, item, &result))
        return result;
    return waits ? wait_for(queue, false, item) : give_up(queue, true);
}

/* The same of the latch of gets. */
static __attribute__((noinline)) int get_with_both(salp_queue *queue, void *item, bool waits)
{
    int result;
    salp__latch_release(&queue->get_latch); /* that of puts comes first */
    take_both(queue);
    if (finish(queue, true, get_now, item, &result))
        return result;
    return waits ? wait_for(queue, true, item) : give_up(queue, true);
}

int salp_queue_put(salp_queue *queue, const void *item)
{
    void *from = (void *)(uintptr_t)item;
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_put(queue->shared, item, true);
    int result = salp__line_begin(&queue->latch);
    if (result < 0)
        return result;
    if (is_apart(queue))
        return put_alone(queue, item) ? 0 : put_with_both(queue, from, true);
    return finish(queue, false, put_now, from, &result) ? result : wait_for(queue, false, from);
}

int salp_queue_get(salp_queue *queue, void *item)
{
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_get(queue->shared, item, true);
    int result = salp__line_begin(queue->gets);
    if (result < 0)
        return result;
    if (is_apart(queue))
        return get_alone(queue, item) ? 0 : get_with_both(queue, item, true);
    return finish(queue, false, get_now, item, &result) ? result : wait_for(queue, true, item);
}

int salp_queue_try_put(salp_queue *queue, const void *item)
{
    int result;
    void *from = (void *)(uintptr_t)item;
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_put(queue->shared, item, false);
    salp__latch_take(&queue->latch);
    if (is_apart(queue))
        return put_alone(queue, item) ? 0 : put_with_both(queue, from, false);
    return finish(queue, false, put_now, from, &result) ? result : give_up(queue, false);
}

int salp_queue_try_get(salp_queue *queue, void *item)
{
    int result;
    if (!queue || !item)
        return -EINVAL;
    if (queue->shared)
        return salp__shared_queue_get(queue->shared, item, false);
    salp__latch_take(queue->gets);
    if (is_apart(queue))
        return get_alone(queue, item) ? 0 : get_with_both(queue, item, false);
    return finish(queue, false, get_now, item, &result) ? result : give_up(queue, false);
}

/* ---- in a select ---- */

static bool put_locked(void *object, void *item, int *result, salp__spot **woken)
{
    salp_queue *queue = object;
    return put_now(queue, is_apart(queue), item, result, woken);
}

static bool get_locked(void *object, void *item, int *result, salp__spot **woken)
{
    salp_queue *queue = object;
    return get_now(queue, is_apart(queue), item, result, woken);
}

salp__source salp__queue_get_source(salp_queue *queue)
{
    if (queue->shared)
        return salp__shared_queue_get_source(queue->shared);
    return (salp__source){ .object = queue,
                           .latch = &queue->latch,
                           .second = is_apart(queue) ? queue->gets : NULL,
                           .line = &queue->getters,
                           .line_latch = &queue->latch,
                           .try_locked = get_locked };
}

salp__source salp__queue_put_source(salp_queue *queue)
{
    if (queue->shared)
        return salp__shared_queue_put_source(queue->shared);
    return (salp__source){ .object = queue,
                           .latch = &queue->latch,
                           .second = is_apart(queue) ? queue->gets : NULL,
                           .line = &queue->putters,
                           .line_latch = queue->gets,
                           .try_locked = put_locked };
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
    take_both(queue);
    queue->shut = true;
    refuse_locked(&queue->putters, &refused);
    refuse_locked(&queue->getters, &refused);
    release(queue, is_apart(queue));
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
    /* relaxed: those who put are kept out; those who get may go on, so it was right when it was asked. */
    size_t count = is_apart(queue)
                       ? atomic_load_explicit(&queue->in.passed, memory_order_relaxed) - salp__belt_passed(&queue->out)
                       : queue->store.count;
    salp__latch_release(&queue->latch);
    return count;
}
