/*
 * The memory of batches, and what workers do with it. batch.h has the picture and the invariants.
 *
 * Workers take the answer area in pieces of some KiB, by one addition to a counter, and fill them one answer behind the other.
 * What follows one another was mostly run by the same worker, so that it lies together.
 *
 * SPDX-License-Identifier: MIT
 */
#include "function/batch.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
    PAGE = 4096,
    LINE = 64,
    IN_ALL = 1024 * 1024, /* of all batches together, within the bounds of each */
    IN_LEAST = 64 * 1024,
    IN_MOST = 256 * 1024,
    OUT_TIMES = 4,                    /* the answer area is so many times as large */
    IN_FILE_ENOUGH = 4 * 1024 * 1024, /* inputs in the file: no more are added, but for one */
    LONG = 16 * 1024,                 /* what is longer goes by the file */
    PIECE_LEAST = 1024,               /* of the answer area */
    PIECE_MOST = 32 * 1024,
    KEPT = 1024 * 1024, /* a worker's buffer that is larger goes back to the system */
    UNTOUCHED = 1,      /* an error that no item has: it was not run */
};

_Static_assert(PIECE_MOST >= LONG, "an answer fits in a piece, or goes by the file");

/* What workers change of a batch. */
struct batch_shared {
    _Alignas(LINE) _Atomic uint64_t out_used; /* relaxed, all of them: a map begins and ends in between */
    _Atomic uint64_t file_used;
    _Atomic uint64_t cycle; /* how often it was cleared: pieces of earlier ones are void */
};

/* What workers share. */
struct common {
    _Atomic bool stop;                        /* relaxed: a request */
    _Alignas(LINE) _Atomic uint64_t ended;    /* items that count for the next */
    _Alignas(LINE) uint64_t stop_after;       /* 0: never. [const] */
    enum batch_stops stops_on;                /* [const] */
    _Atomic int32_t owners[SALP_WORKERS_MAX]; /* processes that workers are, or -1; 0: free */
};

struct worker;

struct batch_store {
    struct batch_options options;
    struct batch *batches;
    struct common *common;           /* all that is shared lies in one mapping, this first */
    size_t mapped, in_begin, in_end; /* bytes of it; where the input areas are */
    bool has_input, has_errors;      /* standard input and standard error are open */
    pthread_mutex_t lock;
    struct worker *workers; /* [lock] those that are threads */
};

/* A worker, in its thread or process. */
struct worker {
    struct worker *next;
    uint32_t number;
    salp_buffer answer; /* what the function appends to */
    /* A piece of an answer area: of which batch and cycle, from where to where. */
    const struct batch *batch;
    uint64_t cycle, at, end;
};

static _Thread_local struct worker *self;

/* ---- in a worker ---- */

static int64_t now_on(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static uint64_t mix(uint64_t sum, uint64_t value)
{
    /* The multiplier of Knuth's MMIX generator. */
    sum = (sum << 23 | sum >> 41) ^ value;
    return sum * 6364136223846793005U + 1442695040888963407U;
}

static uint32_t sum_of(const char *data, size_t size)
{
    uint64_t sum = size, value;
    for (; size >= sizeof value; data += sizeof value, size -= sizeof value) {
        memcpy(&value, data, sizeof value);
        sum = mix(sum, value);
    }
    value = 0;
    memcpy(&value, data, size);
    sum = mix(sum, value);
    return (uint32_t)(sum >> 32);
}

static uint64_t in_pages(uint64_t size)
{
    return (size + PAGE - 1) / PAGE * PAGE;
}

/* Appends to the file, where it lies in pages of its own. A zero byte follows, or `size` is 0. */
static int append_to_file(const struct batch *batch, const void *data, size_t size, uint64_t *place)
{
    uint64_t begin = atomic_fetch_add_explicit(&batch->shared->file_used, in_pages(size + 1), memory_order_relaxed);
    struct iovec parts[] = { { .iov_base = (void *)(uintptr_t)data, .iov_len = size },
                             { .iov_base = "", .iov_len = 1 } };
    uint64_t done = 0;
    while (done < size + 1) {
        ssize_t more = pwritev(batch->file, parts, 2, (off_t)(begin + done));
        if (more < 0 && errno != EINTR)
            return -errno;
        for (int i = 0; more > 0 && i < 2; i++) {
            size_t part = (size_t)more < parts[i].iov_len ? (size_t)more : parts[i].iov_len;
            parts[i].iov_base = (char *)parts[i].iov_base + part;
            parts[i].iov_len -= part;
            more -= (ssize_t)part;
            done += part;
        }
    }
    *place = BATCH_IN_FILE | begin;
    return 0;
}

static int map_of_file(const struct batch *batch, uint64_t place, size_t size, const void **data)
{
    void *address = mmap(NULL, in_pages(size + 1), PROT_READ, MAP_SHARED, batch->file, (off_t)(place & ~BATCH_IN_FILE));
    if (address == MAP_FAILED)
        return -errno;
    *data = address;
    return 0;
}

static void unmap_of_file(const void *data, size_t size)
{
    munmap((void *)(uintptr_t)data, in_pages(size + 1));
}

/* A piece of the answer area that has room for so much. false: there is none left. */
static bool take_piece(struct worker *w, const struct batch *batch, uint64_t cycle, size_t size)
{
    size_t piece = batch->out_size / (8 * (size_t)batch->store->options.workers);
    piece = piece < PIECE_LEAST ? PIECE_LEAST : piece > PIECE_MOST ? PIECE_MOST : piece;
    piece = piece < size ? size : piece;
    /* The counter goes on beyond the end, but not so often that it would overflow. */
    if (atomic_load_explicit(&batch->shared->out_used, memory_order_relaxed) + size > batch->out_size)
        return false;
    uint64_t at = atomic_fetch_add_explicit(&batch->shared->out_used, piece, memory_order_relaxed);
    if (at + size > batch->out_size)
        return false;
    w->batch = batch;
    w->cycle = cycle;
    w->at = at;
    w->end = at + piece < batch->out_size ? at + piece : batch->out_size;
    return true;
}

/* Puts what was answered where the program finds it: I1. */
static int put_answer(struct worker *w, const struct batch *batch, struct batch_answer *answer)
{
    size_t size = w->answer.size;
    uint64_t cycle = atomic_load_explicit(&batch->shared->cycle, memory_order_relaxed);
    answer->size = size;
    if (size == 0)
        return 0;
    if (size > LONG)
        return append_to_file(batch, w->answer.data, size, &answer->place);
    if (w->batch != batch || w->cycle != cycle || w->end - w->at < size) {
        if (!take_piece(w, batch, cycle, size))
            return append_to_file(batch, w->answer.data, size, &answer->place);
    }
    memcpy(batch->out + w->at, w->answer.data, size);
    answer->place = w->at;
    answer->sum = sum_of(w->answer.data, size);
    w->at += size;
    return 0;
}

/* Ends the run when as many have ended as were to. */
static void count_result(struct common *common, int result)
{
    bool counts = common->stops_on == BATCH_STOPS_ON_ALL || (result == 0) == (common->stops_on == BATCH_STOPS_ON_ZERO);
    if (counts && atomic_fetch_add_explicit(&common->ended, 1, memory_order_relaxed) + 1 >= common->stop_after)
        atomic_store_explicit(&common->stop, true, memory_order_relaxed);
}

static int64_t nanoseconds(struct timeval time)
{
    return time.tv_sec * INT64_C(1000000000) + time.tv_usec * INT64_C(1000);
}

static int call(const struct batch_options *options, salp_bytes in, struct worker *w, struct batch_times *times)
{
    struct rusage before, after;
    if (!options->timed)
        return options->function(in, &w->answer, NULL);
    times->started = now_on(CLOCK_REALTIME);
    getrusage(RUSAGE_THREAD, &before);
    int64_t began = now_on(CLOCK_MONOTONIC);
    int result = options->function(in, &w->answer, NULL);
    times->wall = now_on(CLOCK_MONOTONIC) - began;
    getrusage(RUSAGE_THREAD, &after);
    times->user = nanoseconds(after.ru_utime) - nanoseconds(before.ru_utime);
    times->system = nanoseconds(after.ru_stime) - nanoseconds(before.ru_stime);
    return result;
}

/* A salp_job. A negative result is about where inputs and answers lie; the function's own is in the answer. */
static int run_item(const void *in, void *out, void *context)
{
    const struct batch *batch = context;
    const struct batch_options *options = &batch->store->options;
    struct common *common = batch->store->common;
    const struct batch_item *item = in;
    struct batch_answer *answer = out;
    struct batch_times *times = options->timed ? (struct batch_times *)(answer + 1) : NULL;
    struct worker *w = self;
    *answer = (struct batch_answer){ .worker = w->number };
    if (times)
        *times = (struct batch_times){ 0 };
    if (atomic_load_explicit(&common->stop, memory_order_relaxed)) {
        answer->skipped = true;
        return 0;
    }
    bool in_file = item->place & BATCH_IN_FILE;
    salp_bytes bytes = { .size = item->size };
    if (!in_file)
        bytes.data = batch->in + item->place;
    else if (map_of_file(batch, item->place, item->size, &bytes.data) < 0)
        return -ENOMEM;
    w->answer.size = 0;
    answer->result = call(options, bytes, w, times);
    if (in_file)
        unmap_of_file(bytes.data, bytes.size);
    int error = put_answer(w, batch, answer);
    if (w->answer.capacity > KEPT)
        salp_buffer_free(&w->answer);
    if (common->stop_after > 0)
        count_result(common, answer->result);
    return error;
}

/* The lowest number that no living worker has. Who dies does not give it back. */
static uint32_t take_number(struct batch_store *store)
{
    struct common *common = store->common;
    int32_t own = store->options.processes ? (int32_t)getpid() : -1;
    for (int i = 0; i < SALP_WORKERS_MAX; i++) {
        int32_t owner = atomic_load_explicit(&common->owners[i], memory_order_relaxed);
        bool dead = owner > 0 && kill(owner, 0) < 0 && errno == ESRCH;
        if ((owner == 0 || dead) && atomic_compare_exchange_strong_explicit(&common->owners[i], &owner, own,
                                                                            memory_order_relaxed, memory_order_relaxed))
            return (uint32_t)i + 1;
    }
    return SALP_WORKERS_MAX;
}

/* What this process has to itself from now on. */
static void separate(struct batch_store *store)
{
    if (store->has_input) {
        int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (nothing >= 0) {
            dup2(nothing, STDIN_FILENO);
            close(nothing);
        }
    }
    if (store->has_errors)
        dup2(STDERR_FILENO, STDOUT_FILENO);
    /* What a function prints is seen also when it crashes later. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    mprotect((char *)store->common + store->in_begin, store->in_end - store->in_begin, PROT_READ); /* I2 */
}

int batch_enter(void *arg)
{
    struct batch_store *store = arg;
    self = calloc(1, sizeof *self);
    if (!self)
        return -ENOMEM;
    self->number = take_number(store);
    if (store->options.processes) {
        separate(store);
        return 0;
    }
    pthread_mutex_lock(&store->lock);
    self->next = store->workers;
    store->workers = self;
    pthread_mutex_unlock(&store->lock);
    return 0;
}

/* ---- the store ---- */

static size_t area_size(int batches)
{
    size_t size = IN_ALL / (size_t)batches / PAGE * PAGE;
    return size < IN_LEAST ? IN_LEAST : size > IN_MOST ? IN_MOST : size;
}

static int map_all(struct batch_store *store)
{
    size_t count = (size_t)store->options.batches, in = area_size(store->options.batches), out = OUT_TIMES * in;
    size_t shared = in_pages(sizeof *store->common);
    store->in_begin = in_pages(shared + count * sizeof(struct batch_shared));
    store->in_end = store->in_begin + count * in;
    store->mapped = store->in_end + count * out;
    char *all = mmap(NULL, store->mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (all == MAP_FAILED) {
        store->mapped = 0;
        return -errno;
    }
    store->common = (struct common *)all;
    for (size_t i = 0; i < count; i++) {
        struct batch *batch = &store->batches[i];
        batch->shared = (struct batch_shared *)(all + shared) + i;
        batch->in = all + store->in_begin + i * in;
        batch->in_size = in;
        batch->out = all + store->in_end + i * out;
        batch->out_size = out;
    }
    return 0;
}

int batch_store_open(struct batch_store **made, const struct batch_options *options)
{
    *made = NULL;
    struct batch_store *store = calloc(1, sizeof *store);
    if (!store)
        return -ENOMEM;
    store->options = *options;
    store->has_input = fcntl(STDIN_FILENO, F_GETFD) >= 0;
    store->has_errors = fcntl(STDERR_FILENO, F_GETFD) >= 0 && fcntl(STDOUT_FILENO, F_GETFD) >= 0;
    pthread_mutex_init(&store->lock, NULL);
    store->batches = calloc((size_t)options->batches, sizeof *store->batches);
    int error = store->batches ? map_all(store) : -ENOMEM;
    for (int i = 0; store->batches && i < options->batches; i++) {
        store->batches[i].store = store;
        store->batches[i].file = -1;
    }
    for (int i = 0; error == 0 && i < options->batches; i++) {
        store->batches[i].file = memfd_create("salp-map-batch", MFD_CLOEXEC);
        if (store->batches[i].file < 0)
            error = -errno;
    }
    if (error < 0)
        batch_store_close(store);
    else
        *made = store;
    return error;
}

static void forget_losses(struct batch *batch)
{
    while (batch->losses) {
        struct batch_loss *loss = batch->losses;
        batch->losses = loss->next;
        free(loss);
    }
}

void batch_store_close(struct batch_store *store)
{
    if (!store)
        return;
    for (int i = 0; store->batches && i < store->options.batches; i++) {
        struct batch *batch = &store->batches[i];
        forget_losses(batch);
        free(batch->items);
        free(batch->answers);
        free(batch->errors);
        if (batch->file >= 0)
            close(batch->file);
    }
    free(store->batches);
    while (store->workers) {
        struct worker *worker = store->workers;
        store->workers = worker->next;
        salp_buffer_free(&worker->answer);
        free(worker);
    }
    if (store->mapped > 0)
        munmap(store->common, store->mapped);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

struct batch *batch_of(struct batch_store *store, int number)
{
    return &store->batches[number];
}

void batch_stop(struct batch_store *store)
{
    atomic_store_explicit(&store->common->stop, true, memory_order_relaxed);
}

void batch_stop_after(struct batch_store *store, enum batch_stops on, uint64_t count)
{
    store->common->stops_on = on;
    store->common->stop_after = count;
}

bool batch_stopped(const struct batch_store *store)
{
    return atomic_load_explicit(&store->common->stop, memory_order_relaxed);
}

/* ---- inputs ---- */

static size_t answer_size(const struct batch *batch)
{
    return sizeof(struct batch_answer) + (batch->store->options.timed ? sizeof(struct batch_times) : 0);
}

static int grow(struct batch *batch)
{
    size_t room = batch->room > 0 ? 2 * batch->room : 64;
    struct batch_item *items = realloc(batch->items, room * sizeof *items);
    if (items)
        batch->items = items;
    void *answers = realloc(batch->answers, room * answer_size(batch));
    if (answers)
        batch->answers = answers;
    int *errors = realloc(batch->errors, room * sizeof *errors);
    if (errors)
        batch->errors = errors;
    if (!items || !answers || !errors)
        return -ENOMEM;
    batch->room = room;
    return 0;
}

void batch_clear(struct batch *batch)
{
    struct batch_shared *shared = batch->shared;
    forget_losses(batch);
    batch->count = 0;
    batch->in_used = 0;
    batch->in_file = 0;
    batch->full = false;
    atomic_store_explicit(&shared->out_used, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&shared->cycle, 1, memory_order_relaxed);
    if (atomic_exchange_explicit(&shared->file_used, 0, memory_order_relaxed) > 0)
        (void)ftruncate(batch->file, 0); /* what stays would be written over */
}

int batch_add(struct batch *batch, const void *data, size_t size)
{
    uint64_t place = batch->in_used;
    if (batch->count == batch->room && grow(batch) < 0)
        return -ENOMEM;
    bool fits = batch->in_size - batch->in_used > size;
    if (size > LONG || !fits) {
        int error = append_to_file(batch, data, size, &place);
        if (error < 0)
            return error;
        batch->in_file += size;
        batch->full = !fits || batch->in_file >= IN_FILE_ENOUGH;
    } else {
        if (size > 0)
            memcpy(batch->in + place, data, size);
        batch->in[place + size] = '\0';
        batch->in_used += size + 1;
    }
    batch->items[batch->count] = (struct batch_item){ .place = place, .size = size };
    batch->errors[batch->count++] = UNTOUCHED;
    return 0;
}

/* ---- a run ---- */

/* One map, which may be of some of the items only. */
struct round {
    struct batch *batch;
    const size_t *which; /* NULL: all */
};

static size_t item_of(const struct round *round, size_t index)
{
    return round->which ? round->which[index] : index;
}

/* Called by a thread of the pool, in the midst of the map: nobody else is at the list then. */
static void on_loss(const salp_failure *failure, void *arg)
{
    struct round *round = arg;
    size_t length = strlen(failure->backtrace) + 1;
    struct batch_loss *loss = malloc(sizeof *loss + length);
    if (!loss)
        return; /* it is told with less detail */
    memcpy(loss->backtrace, failure->backtrace, length);
    loss->failure = *failure;
    loss->failure.backtrace = loss->backtrace;
    loss->item = item_of(round, failure->index);
    loss->next = round->batch->losses;
    round->batch->losses = loss;
}

static char *answer_at(const struct batch *batch, size_t item)
{
    return (char *)batch->answers + item * answer_size(batch);
}

/* The items of the round, one behind the other. What is not given (NULL) is there already. */
static int run_some(struct round *round, salp_pool *pool, size_t count, const salp_map_options *options)
{
    struct batch *batch = round->batch;
    size_t size = answer_size(batch);
    struct batch_item *items = malloc(count * sizeof *items);
    char *answers = malloc(count * size);
    int *errors = malloc(count * sizeof *errors), error = -ENOMEM;
    salp_map_options own = *options;
    own.errors = errors;
    if (items && answers && errors) {
        for (size_t i = 0; i < count; i++) {
            items[i] = batch->items[round->which[i]];
            errors[i] = UNTOUCHED;
        }
        error = salp_map(pool, run_item, items, sizeof *items, answers, size, count, &own);
        for (size_t i = 0; i < count; i++) {
            memcpy(answer_at(batch, round->which[i]), answers + i * size, size);
            batch->errors[round->which[i]] = errors[i];
        }
    }
    free(items);
    free(answers);
    free(errors);
    return error;
}

static void forget_losses_of(struct batch *batch, const size_t *which, size_t count)
{
    struct batch_loss **link = &batch->losses;
    while (*link) {
        struct batch_loss *loss = *link;
        bool again = !which;
        for (size_t i = 0; i < count && !again; i++)
            again = which[i] == loss->item;
        if (!again) {
            link = &loss->next;
            continue;
        }
        *link = loss->next;
        free(loss);
    }
}

/* Whether the answer is as the worker has left it: I2. */
static bool is_whole(const struct batch *batch, const struct batch_answer *answer)
{
    if (answer->size == 0 || (answer->place & BATCH_IN_FILE))
        return true;
    if (answer->place > batch->out_size || answer->size > batch->out_size - answer->place)
        return false;
    return sum_of(batch->out + answer->place, answer->size) == answer->sum;
}

int batch_run(struct batch *batch, salp_pool *pool, const size_t *which, size_t count)
{
    struct round round = { .batch = batch, .which = which };
    salp_map_options options = {
        .context = batch,
        .errors = batch->errors,
        .on_failure = on_loss,
        .on_failure_arg = &round,
    };
    forget_losses_of(batch, which, count);
    int64_t began = now_on(CLOCK_MONOTONIC);
    int error;
    if (which)
        error = run_some(&round, pool, count, &options);
    else
        error = salp_map(pool, run_item, batch->items, sizeof *batch->items, batch->answers, answer_size(batch), count,
                         &options);
    batch->lasted = now_on(CLOCK_MONOTONIC) - began;
    bool all = true;
    for (size_t i = 0; i < count; i++) {
        size_t item = item_of(&round, i);
        if (batch->errors[item] == 0 && !is_whole(batch, (const struct batch_answer *)answer_at(batch, item)))
            batch->errors[item] = SALP_EDAMAGED;
        all = all && batch->errors[item] != UNTOUCHED;
    }
    return all ? 0 : error; /* one without an outcome: the map itself has failed */
}

/* ---- answers ---- */

static const struct batch_loss *loss_of(const struct batch *batch, size_t item)
{
    const struct batch_loss *loss = batch->losses;
    while (loss && loss->item != item)
        loss = loss->next;
    return loss;
}

struct batch_outcome batch_outcome_of(const struct batch *batch, size_t item)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    struct batch_outcome outcome = { .error = batch->errors[item] };
    if (outcome.error == UNTOUCHED || outcome.error == -ECANCELED) {
        outcome.error = 0;
        outcome.skipped = true;
        return outcome;
    }
    if (outcome.error < 0) {
        outcome.loss = loss_of(batch, item);
        return outcome;
    }
    outcome.result = answer->result;
    outcome.skipped = answer->skipped;
    outcome.worker = (int)answer->worker;
    if (batch->store->options.timed)
        outcome.times = *(const struct batch_times *)(answer + 1);
    return outcome;
}

static int see(const struct batch *batch, const char *area, uint64_t place, size_t size, salp_bytes *bytes)
{
    *bytes = (salp_bytes){ .size = size };
    if (place & BATCH_IN_FILE)
        return map_of_file(batch, place, size, &bytes->data);
    bytes->data = area + place;
    return 0;
}

int batch_see(const struct batch *batch, size_t item, salp_bytes *bytes)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    return see(batch, batch->out, answer->place, answer->size, bytes);
}

void batch_unsee(const struct batch *batch, size_t item, salp_bytes bytes)
{
    const struct batch_answer *answer = (const struct batch_answer *)answer_at(batch, item);
    if (answer->place & BATCH_IN_FILE)
        unmap_of_file(bytes.data, bytes.size);
}

int batch_see_input(const struct batch *batch, size_t item, salp_bytes *bytes)
{
    return see(batch, batch->in, batch->items[item].place, batch->items[item].size, bytes);
}

void batch_unsee_input(const struct batch *batch, size_t item, salp_bytes bytes)
{
    if (batch->items[item].place & BATCH_IN_FILE)
        unmap_of_file(bytes.data, bytes.size);
}
