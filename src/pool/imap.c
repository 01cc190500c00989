/*
 * A map over inputs that come one by one.
 *
 *   source --pull--> | batch | batch | batch | --asynchronous maps--> results --next--> reader
 *                    `------- window ------'
 *
 * Inputs are pulled by the reader's own thread, in batches, as room appears in the window; each batch is an
 * asynchronous map with an error for each item. So a slow reader holds the source back, and there is nothing here that
 * a dead worker could spoil.
 *
 * I1  Items that were pulled and not yet fetched are never more than the window.
 * I2  `done` of a batch is set under the lock, and then the reader is called, under the lock still: salp_results_close
 *     may free everything once it has seen all of them done.
 * I3  What was pulled is not lost when a scope ends a wait of the reader's: a batch that found no place in the pool
 *     stays `late`, and is begun before anything else is pulled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <salp/pool.h>

#include "base/list.h"
#include "os/clock.h"
#include "os/memory.h"
#include "pool/engine.h"
#include "task/seat.h"

enum { WINDOW_PER_WORKER = 4, WINDOW_MOST = 1024 };

static const int64_t batch_short = SALP_MICROSECONDS(500); /* shorter ones are made larger */
static const int64_t batch_long = SALP_MILLISECONDS(5);    /* longer ones smaller */

/* A failure, kept until the reader comes to its item. */
typedef struct kept {
    struct kept *next;
    salp_failure failure;
    char text[];
} kept;

typedef struct batch {
    salp__list link; /* [owner: reader] in the order of the inputs */
    salp_results *results;
    size_t first; /* index of its first item */
    size_t count;
    size_t fetched;
    char *in, *out;
    int *errors;
    kept *failures;       /* [lock] */
    int64_t began, ended; /* ended: [lock] */
    bool done;            /* [lock] */
    salp_future *future;
} batch;

struct salp_results {
    salp_pool *pool;
    salp_job *job;
    salp_source *next;
    void *source_arg;
    size_t in_size, out_size;
    salp_imap_options options;
    salp__lock lock;
    salp__seat reader; /* [lock] called when a batch is done */
    /* All below: [owner: reader] */
    salp__list batches;
    batch *late;       /* was pulled, and could not be begun yet; or NULL. I3 */
    size_t batch_size; /* of the next batch */
    size_t pulled, fetched;
    bool exhausted;  /* the source has ended, or nothing more may be pulled */
    int error;       /* what the results end with */
    int start_error; /* of the first batch that could not be begun */
};

/* ---- batches ---- */

static void free_batch(batch *b)
{
    while (b->failures) {
        kept *one = b->failures;
        b->failures = one->next;
        salp__free(one);
    }
    salp_future_free(b->future);
    salp__free(b);
}

static size_t align(size_t size)
{
    return (size + 63) / 64 * 64;
}

static batch *make_batch(salp_results *r, size_t count)
{
    size_t each, head = align(sizeof(batch));
    if (__builtin_add_overflow(r->in_size, r->out_size + sizeof(int), &each) || count > PTRDIFF_MAX / 2 / each)
        return NULL;
    size_t in = align(count * r->in_size), out = align(count * r->out_size);
    batch *b = salp__allocate(head + in + out + count * sizeof(int));
    if (!b)
        return NULL;
    b->results = r;
    b->first = r->pulled;
    b->in = (char *)b + head;
    b->out = b->in + in;
    b->errors = (int *)(b->out + out);
    return b;
}

static void on_batch_done(salp_future *future, void *arg)
{
    batch *b = arg;
    salp_results *r = b->results;
    (void)future;
    salp__lock_take(&r->lock);
    b->ended = salp__now();
    b->done = true;
    salp__seat_call_locked(&r->reader); /* I2 */
    salp__lock_release(&r->lock);
}

static void on_batch_failure(const salp_failure *failure, void *arg)
{
    batch *b = arg;
    size_t length = strlen(failure->backtrace) + 1;
    kept *one = salp__allocate(sizeof *one + length);
    if (!one)
        return; /* the reader is told with less detail */
    memcpy(one->text, failure->backtrace, length);
    one->failure = *failure;
    one->failure.index += b->first;
    one->failure.backtrace = one->text;
    salp__lock_take(&b->results->lock);
    one->next = b->failures;
    b->failures = one;
    salp__lock_release(&b->results->lock);
}

static int start_batch(salp_results *r, batch *b)
{
    salp_map_options options = {
        .chunk = r->options.chunk,
        .context = r->options.context,
        .context_size = r->options.context_size,
        .errors = b->errors,
        .on_failure = r->options.on_failure ? on_batch_failure : NULL,
        .on_failure_arg = b,
        .on_done = on_batch_done,
        .on_done_arg = b,
    };
    b->began = salp__now();
    return salp_map_async(&b->future, r->pool, r->job, b->in, r->in_size, r->out_size > 0 ? b->out : NULL, r->out_size,
                          b->count, &options);
}

/* ---- the source ---- */

static size_t window_of(const salp_results *r)
{
    if (r->options.window > 0)
        return r->options.window;
    size_t workers = (size_t)r->pool->options.workers, window = WINDOW_PER_WORKER * workers;
    if (r->options.chunk > 0) {
        /* Two chunks for each worker, or the one that was asked for when that is beyond all measure. */
        size_t wanted;
        if (__builtin_mul_overflow(2 * workers, r->options.chunk, &wanted))
            wanted = r->options.chunk;
        return wanted > window ? wanted : window;
    }
    if (window < 2 * workers * r->batch_size)
        window = 2 * workers * r->batch_size;
    return window > WINDOW_MOST ? WINDOW_MOST : window;
}

static void end_with(salp_results *r, int error)
{
    r->exhausted = true;
    if (r->error == 0)
        r->error = error;
}

/* Whether it is a scope that has ended the wait for a place. */
static bool is_of_scope(const salp_results *r, int error)
{
    return (error == -ETIMEDOUT || error == -ECANCELED) && salp__pool_ended(r->pool) == 0;
}

/* 0; or the error of a scope, and then the batch is late. Any other error ends the results. */
static int begin_batch(salp_results *r, batch *b)
{
    int error = start_batch(r, b);
    r->late = NULL;
    if (is_of_scope(r, error)) {
        r->late = b;
        return error;
    }
    if (error < 0) {
        r->start_error = error;
        r->error = 0; /* of the source, perhaps: what it gave before is lost, which is worse */
        end_with(r, error);
        free_batch(b);
        return 0;
    }
    r->pulled += b->count;
    salp__list_append(&r->batches, &b->link);
    return 0;
}

/* Pulls one batch and begins it. */
static int pull_batch(salp_results *r, size_t count)
{
    batch *b = make_batch(r, count);
    if (!b) {
        end_with(r, -ENOMEM);
        return 0;
    }
    while (b->count < count && !r->exhausted) {
        int pulled = r->next(b->in + b->count * r->in_size, r->source_arg);
        if (pulled > 0)
            b->count++;
        else
            end_with(r, pulled);
    }
    if (b->count == 0) {
        free_batch(b);
        return 0;
    }
    return begin_batch(r, b);
}

/* 0, or the error of a scope that has ended the wait for a place. */
static int fill(salp_results *r)
{
    int error = r->late ? begin_batch(r, r->late) : 0;
    while (error == 0 && !r->exhausted) {
        size_t window = window_of(r), waiting = r->pulled - r->fetched, count = r->batch_size;
        /* The window shrinks when items turn out to be long: there may be more of them already than it holds now. */
        size_t room = waiting < window ? window - waiting : 0;
        /* Not a batch of one for each result that was fetched: wait until a whole one has room, unless nothing is under
           way at all. */
        if (room == 0 || (room < count && !salp__list_empty(&r->batches)))
            break;
        error = pull_batch(r, count < room ? count : room);
    }
    return error;
}

static void adapt(salp_results *r, const batch *b)
{
    if (r->options.chunk > 0)
        return;
    int64_t lasted = b->ended - b->began;
    size_t most = window_of(r) / (2 * (size_t)r->pool->options.workers);
    if (lasted < batch_short && b->count >= r->batch_size)
        r->batch_size *= 2;
    else if (lasted > batch_long)
        r->batch_size /= 2;
    if (r->options.window == 0)
        most = WINDOW_MOST / (2 * (size_t)r->pool->options.workers);
    if (r->batch_size > most)
        r->batch_size = most;
    if (r->batch_size == 0)
        r->batch_size = 1;
}

/* ---- results ---- */

static batch *find_done_locked(const salp_results *r)
{
    for (salp__list *node = r->batches.next; node != &r->batches; node = node->next) {
        batch *b = SALP__CONTAINER(node, batch, link);
        if (b->done)
            return b;
        if (r->options.ordered)
            break;
    }
    return NULL;
}

static bool has_done_locked(const void *results)
{
    return find_done_locked(results) != NULL;
}

/* The batch whose results come next, or NULL and why not. */
static batch *wait_for_batch(salp_results *r, int *error)
{
    *error = salp__seat_wait(&r->reader, &r->lock, has_done_locked, r);
    if (*error < 0)
        return NULL;
    salp__lock_take(&r->lock);
    batch *b = find_done_locked(r);
    salp__lock_release(&r->lock);
    return b;
}

static void tell_failure(const salp_results *r, const batch *b, size_t index, int error)
{
    if (!r->options.on_failure)
        return;
    salp_failure plain = { .index = index, .error = error, .exit_status = -1, .attempt = 1, .backtrace = "" };
    const salp_failure *failure = &plain;
    for (const kept *one = b->failures; one; one = one->next) {
        if (one->failure.index == index)
            failure = &one->failure;
    }
    r->options.on_failure(failure, r->options.on_failure_arg);
}

/* Hands out the next item of a batch that is done. */
static int fetch(salp_results *r, batch *b, void *out, size_t *index)
{
    size_t item = b->fetched++;
    int error = b->errors[item];
    if (index)
        *index = b->first + item;
    if (error < 0)
        tell_failure(r, b, b->first + item, error);
    else if (out && r->out_size > 0)
        memcpy(out, b->out + item * r->out_size, r->out_size);
    r->fetched++;
    if (b->fetched == b->count) {
        adapt(r, b);
        salp__list_remove(&b->link);
        free_batch(b);
    }
    return error < 0 ? error : 1;
}

static int end_of_results(const salp_results *r, size_t *index)
{
    if (index)
        *index = SIZE_MAX;
    return r->error;
}

/* Whether the item was never run because the pool has ended. */
static int ended_before(const salp_results *r, const batch *b)
{
    int error = b->errors[b->fetched];
    return error < 0 && error == salp__pool_ended(r->pool) ? error : 0;
}

int salp_results_next(salp_results *r, void *out, size_t *index)
{
    if (!r)
        return -EINVAL;
    if (index)
        *index = SIZE_MAX;
    if (!*r->pool->mine)
        return SALP_EFORKED;
    if (salp__inside(r->pool))
        return SALP_EINSIDE;
    int error = salp__wait_refused();
    if (error == 0)
        error = fill(r);
    if (error < 0)
        return error; /* and nothing is lost */
    if (salp__list_empty(&r->batches))
        return end_of_results(r, index);
    batch *b = wait_for_batch(r, &error);
    if (!b)
        return error;
    int ended = ended_before(r, b);
    if (ended == 0)
        return fetch(r, b, out, index);
    end_with(r, ended);
    r->error = ended;
    return end_of_results(r, index);
}

static int check(salp_pool *pool, salp_job *job, salp_source *next, size_t in_size, size_t out_size,
                 const salp_imap_options *options)
{
    if (!pool || !job || !next || in_size == 0)
        return -EINVAL;
    if (in_size > PTRDIFF_MAX / 4096 || out_size > PTRDIFF_MAX / 4096)
        return -EINVAL;
    if (options->context_size > 0 && !options->context)
        return -EINVAL;
    if (!*pool->mine)
        return SALP_EFORKED;
    if (salp__inside(pool))
        return SALP_EINSIDE;
    int ended = salp__pool_ended(pool);
    return ended == -ECANCELED ? SALP_ECLOSED : ended;
}

int salp_imap(salp_results **results, salp_pool *pool, salp_job *job, salp_source *next, void *source_arg,
              size_t in_size, size_t out_size, const salp_imap_options *options)
{
    static const salp_imap_options defaults;
    if (!results)
        return -EINVAL;
    *results = NULL;
    if (!options)
        options = &defaults;
    int error = check(pool, job, next, in_size, out_size, options);
    if (error < 0)
        return error;
    salp_results *r = salp__allocate(sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (salp_results){
        .pool = pool,
        .job = job,
        .next = next,
        .source_arg = source_arg,
        .in_size = in_size,
        .out_size = out_size,
        .options = *options,
        .batch_size = options->chunk > 0 ? options->chunk : 1,
    };
    if (options->window > 0 && r->batch_size > options->window)
        r->batch_size = options->window;
    if (options->context_size > 0) {
        r->options.context = salp__allocate(options->context_size);
        if (!r->options.context) {
            salp__free(r);
            return -ENOMEM;
        }
        memcpy(r->options.context, options->context, options->context_size);
    }
    salp__lock_open(&r->lock);
    salp__list_open(&r->batches);
    r->reader.what = "results of a pool";
    *results = r;
    error = fill(r);
    if (error == 0)
        error = r->start_error;
    /* What cannot even begin is told at once; the inputs that the source has given are lost with it. */
    if (error < 0 && r->pulled > 0) {
        error = 0;
    } else if (error < 0) {
        salp_results_close(r);
        *results = NULL;
    }
    return error;
}

static bool are_all_done_locked(const void *results)
{
    const salp_results *r = results;
    for (salp__list *node = r->batches.next; node != &r->batches; node = node->next) {
        if (!SALP__CONTAINER(node, batch, link)->done)
            return false;
    }
    return true;
}

void salp_results_close(salp_results *r)
{
    /* In a fork of the program there is nothing to wait for, and the batches are not this process's to cancel. */
    if (!r || !*r->pool->mine)
        return;
    for (salp__list *node = r->batches.next; node != &r->batches; node = node->next)
        salp_future_cancel(SALP__CONTAINER(node, batch, link)->future);
    salp__seat_wait_through(&r->reader, &r->lock, are_all_done_locked, r);
    while (!salp__list_empty(&r->batches)) {
        batch *b = SALP__CONTAINER(r->batches.next, batch, link);
        salp__list_remove(&b->link);
        free_batch(b);
    }
    if (r->late)
        free_batch(r->late);
    salp__lock_close(&r->lock);
    if (r->options.context_size > 0)
        salp__free(r->options.context);
    salp__free(r);
}
