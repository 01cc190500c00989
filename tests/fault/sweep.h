/*
 * A sweep: the same things are done with a pool again and again, and in the n-th run the n-th call of the system, or
 * allocation, of one role fails; until a run is over before that many were made.
 *
 * Whatever failed, each call has to come back with success or with an error that is documented; what is said to have
 * succeeded is right; the pool works on; and nothing is left over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SWEEP_H
#define SWEEP_H

#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "os/fault.h"

enum { ITEMS = 200, STAR_ITEMS = 60, IMAP_ITEMS = 50, ANSWER = 100000 };
enum { UNTOUCHED = 12345 }; /* what results and errors are before the call */

typedef void use_function(salp_pool *pool);

/* What one run does, and as it goes. */
static struct sweep {
    long number;               /* of the call that fails in this run */
    bool process;              /* an item that did not succeed has left its result as it was */
    bool served;               /* a server may end, and its descriptor with it */
    int descriptors, children; /* before all runs */
    int errors;                /* calls that ended with an error in this run */
} sweep;

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* Fails the test, saying in which run. */
#define SWEEP_CHECK(condition, ...)                              \
    do {                                                         \
        if (!(condition)) {                                      \
            print_error("when call %ld failed: ", sweep.number); \
            print_error(__VA_ARGS__);                            \
            fail_msg("%s", #condition);                          \
        }                                                        \
    } while (0)

static bool among(int error, const int errors[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (errors[i] == error)
            return true;
    return false;
}

/* Counts the result of a call that may fail. */
static int judge(const char *what, int result)
{
    static const int documented[] = { -ENOMEM, -ENOSPC, -EIO, SALP_EUNKNOWN, SALP_EBROKEN, -EAGAIN };
    if (result < 0) {
        print_error("run %ld: %s: %s (%d)\n", sweep.number, what, salp_strerror(result), result);
        sweep.errors++;
        SWEEP_CHECK(among(result, documented, LENGTH(documented)), "%s: not a documented error: %d\n", what, result);
        SWEEP_CHECK(salp__fault_fired(), "%s: an error without a cause: %d\n", what, result);
    }
    return result;
}

/* ---- maps ---- */

static int square(const void *in, void *out, void *context)
{
    int x = *(const int *)in;
    (void)context;
    *(int *)out = x * x;
    return 0;
}

/* Judges the items of a map one by one. */
static void check_items(const char *what, int result, const int out[], const int errors[], int count, int (*right)(int))
{
    for (int i = 0; i < count; i++) {
        SWEEP_CHECK(errors[i] <= 0 || (result < 0 && errors[i] == UNTOUCHED), "%s: item %d: error %d\n", what, i,
                    errors[i]);
        if (errors[i] == 0)
            SWEEP_CHECK(out[i] == right(i), "%s: item %d has the result %d\n", what, i, out[i]);
        else if (sweep.process)
            SWEEP_CHECK(out[i] == UNTOUCHED, "%s: item %d ended with %d, but has the result %d\n", what, i, errors[i],
                        out[i]);
        SWEEP_CHECK(result < 0 || errors[i] == 0, "%s: item %d ended with %d, the map did not\n", what, i, errors[i]);
    }
}

static int squared(int i)
{
    return i * i;
}

static void use_map(salp_pool *pool)
{
    int in[ITEMS], out[ITEMS], errors[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = errors[i] = UNTOUCHED;
    }
    int result =
        salp_map(pool, square, in, sizeof *in, out, sizeof *out, ITEMS, &(salp_map_options){ .errors = errors });
    check_items("map", judge("map", result), out, errors, ITEMS, squared);
}

/* Two columns, and a context of its own for each worker. */
static int add_scaled(const void *const in[], void *out, void *context)
{
    *(int *)out = *(const int *)in[0] * *(const int *)context + *(const short *)in[1];
    return 0;
}

static int added(int i)
{
    return 3 * i - i;
}

static void use_starmap(salp_pool *pool)
{
    int first[STAR_ITEMS], out[STAR_ITEMS], errors[STAR_ITEMS], factor = 3;
    short second[STAR_ITEMS];
    for (int i = 0; i < STAR_ITEMS; i++) {
        first[i] = i;
        second[i] = (short)-i;
        out[i] = errors[i] = UNTOUCHED;
    }
    const salp_column columns[] = { { first, sizeof *first }, { second, sizeof *second } };
    int result = salp_starmap(
        pool, add_scaled, columns, 2, out, sizeof *out, STAR_ITEMS,
        &(salp_map_options){ .errors = errors, .chunk = 7, .context = &factor, .context_size = sizeof factor });
    check_items("starmap", judge("starmap", result), out, errors, STAR_ITEMS, added);
}

/* ---- asynchronous calls ---- */

static void count_done(salp_future *future, void *arg)
{
    (void)future;
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void use_async(salp_pool *pool)
{
    int in = 12, out = UNTOUCHED, factor = 5;
    atomic_int done = 0;
    salp_future *future = (salp_future *)&in;
    int result = salp_apply_async(
        &future, pool, square, &in, sizeof in, &out, sizeof out,
        &(salp_map_options){
            .context = &factor, .context_size = sizeof factor, .on_done = count_done, .on_done_arg = &done });
    in = 0; /* it was copied */
    if (judge("apply_async", result) < 0) {
        SWEEP_CHECK(future == NULL && atomic_load(&done) == 0, "apply_async: a call that was refused began\n");
        return;
    }
    result = judge("the future", salp_future_wait(future));
    salp_future_free(future);
    SWEEP_CHECK(out == (result < 0 ? UNTOUCHED : 144) || !sweep.process, "apply_async: the result is %d\n", out);
    SWEEP_CHECK(result < 0 || out == 144, "apply_async: the result is %d\n", out);
    /* on_done comes after the result can be read. */
    while (atomic_load(&done) == 0)
        usleep(100);
    SWEEP_CHECK(atomic_load(&done) == 1, "apply_async: on_done was called %d times\n", atomic_load(&done));
}

/* ---- messages ---- */

static int answer_long(salp_bytes in, salp_buffer *out, void *context)
{
    static char piece[1000];
    (void)context;
    for (int i = 0; i < ANSWER / (int)sizeof piece; i++) {
        memset(piece, i % 100, sizeof piece);
        int error = salp_buffer_append(out, piece, sizeof piece);
        if (error < 0)
            return error;
    }
    return salp_buffer_append(out, in.data, in.size);
}

static void use_message(salp_pool *pool)
{
    salp_buffer answer = { 0 };
    int result = salp_buffer_append(&answer, "before ", 7);
    assert_int_equal(result, 0);
    result = judge("call", salp_call(pool, answer_long, (salp_bytes){ "tail", 4 }, &answer, NULL));
    SWEEP_CHECK(memcmp(answer.data, "before ", 7) == 0, "call: what was in the buffer is gone\n");
    if (result == 0) {
        const char *text = (const char *)answer.data + 7;
        SWEEP_CHECK(answer.size == 7 + ANSWER + 4, "call: the answer has %zu bytes\n", answer.size);
        for (int i = 0; i < ANSWER; i++)
            SWEEP_CHECK(text[i] == i / 1000 % 100, "call: byte %d of the answer is wrong\n", i);
        SWEEP_CHECK(memcmp(text + ANSWER, "tail", 4) == 0, "call: the end of the answer is wrong\n");
    } else {
        SWEEP_CHECK(answer.size == 7, "call: %zu bytes of an answer that failed\n", answer.size - 7);
    }
    salp_buffer_free(&answer);
}

/* ---- results one by one ---- */

static int count_up(void *in, void *arg)
{
    int *next = arg;
    *(int *)in = *next;
    return (*next)++ < IMAP_ITEMS;
}

static void use_imap(salp_pool *pool)
{
    int next = 0, fetched = 0, out;
    bool seen[IMAP_ITEMS] = { false };
    size_t index;
    salp_results *results = NULL;
    int result = salp_imap(&results, pool, square, count_up, &next, sizeof(int), sizeof(int), NULL);
    if (judge("imap", result) < 0) {
        SWEEP_CHECK(results == NULL, "imap: it failed, but has results\n");
        return;
    }
    /* Each item comes once at most; then comes the end, which may be an error. */
    for (int calls = 0;; calls++) {
        SWEEP_CHECK(calls <= IMAP_ITEMS, "imap: the results do not end\n");
        index = SIZE_MAX;
        out = UNTOUCHED;
        result = salp_results_next(results, &out, &index);
        if (result < 0)
            judge("results_next", result);
        if (result == 0 || index == SIZE_MAX)
            break;
        SWEEP_CHECK(index < IMAP_ITEMS && !seen[index], "imap: index %zu\n", index);
        seen[index] = true;
        fetched += result > 0;
        SWEEP_CHECK(result < 0 || out == (int)(index * index), "imap: item %zu has the result %d\n", index, out);
    }
    SWEEP_CHECK(result < 0 || sweep.errors > 0 || fetched == IMAP_ITEMS, "imap: %d results\n", fetched);
    salp_results_close(results);
}

/* ---- the sweep ---- */

/* A map that has to work once the fault is over. */
static void use_again(salp_pool *pool)
{
    bool over = salp__fault_fired();
    int in[10], out[10];
    for (int i = 0; i < 10; i++)
        in[i] = i;
    int result = salp_map(pool, square, in, sizeof *in, out, sizeof *out, 10, NULL);
    if (over)
        SWEEP_CHECK(result == 0, "the pool does not work on: %s, '%s'\n", salp_strerror(result),
                    salp_pool_reason(pool));
    else
        judge("the last map", result);
    for (int i = 0; i < 10 && result == 0; i++)
        SWEEP_CHECK(out[i] == i * i, "the last map: item %d has the result %d\n", i, out[i]);
}

/* One run. Returns whether the call that was to fail was made. */
static bool run_with_fault(const salp_pool_options *options, salp__role role, use_function *use)
{
    static const int documented[] = { -EAGAIN, -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, SALP_EUNKNOWN, SALP_EBROKEN };
    salp_pool *pool = NULL;
    int descriptors = sweep.descriptors, children = sweep.children;
    sweep.errors = 0;
    salp__fault_arm(role, sweep.number);
    int result = salp_pool_open(&pool, options);
    if (result == 0) {
        use(pool);
        use_again(pool);
        SWEEP_CHECK(salp_pool_close(pool) == 0, "the pool cannot be closed\n");
    } else {
        print_error("run %ld: open: %s (%d)\n", sweep.number, salp_strerror(result), result);
        SWEEP_CHECK(among(result, documented, LENGTH(documented)), "open: not a documented error: %d\n", result);
        SWEEP_CHECK(salp__fault_fired(), "open: an error without a cause: %d\n", result);
        SWEEP_CHECK(pool == NULL, "open: it failed, but there is a pool\n");
    }
    bool fired = salp__fault_fired();
    salp__fault_arm(role, 0);
    int left = test_count_descriptors();
    SWEEP_CHECK(left == descriptors || (sweep.served && left == descriptors - 2), "%d descriptors were open, now %d\n",
                descriptors, left);
    SWEEP_CHECK(test_count_children(getpid()) <= children, "a process was left\n");
    return fired;
}

/* All runs. Something has to fail in them, or nothing was shown. */
static void run_sweep(const salp_pool_options *options, salp__role role, use_function *use)
{
    sweep = (struct sweep){ .process = options->engine == SALP_PROCESSES,
                            .served = options->engine == SALP_PROCESSES && options->start == SALP_SERVER,
                            .descriptors = test_count_descriptors(),
                            .children = test_count_children(getpid()) };
    do
        sweep.number++;
    while (run_with_fault(options, role, use));
    if (sweep.number == 1)
        fail_msg("no call was made that could fail");
    print_message("%ld calls\n", sweep.number - 1);
}

#endif
