/*
 * A worker dies between any two steps of what it does for a call. Whichever they are, the call ends, one item has its
 * error at most, the others have run once and have their results, and the pool works on. And a steward that neither dies
 * nor answers holds up nobody for ever.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/processes.h"

#include <salp/task.h>

#include <salp/shared.h>

#include "os/fault.h"
#include "os/pretend.h"

enum { ITEMS = 24, LONG_ANSWER = 9000, UNTOUCHED = 12345 };

/* What jobs say of themselves: how often each item was begun. */
static atomic_int *begun;

static long step; /* at which the worker dies in this run */

#define CHECK(condition, ...)                         \
    do {                                              \
        if (!(condition)) {                           \
            print_error("death at step %ld: ", step); \
            print_error(__VA_ARGS__);                 \
            fail_msg("%s", #condition);               \
        }                                             \
    } while (0)

static int begin_item(int i)
{
    atomic_fetch_add(&begun[i], 1);
    return i;
}

static int squared(int i)
{
    return i * i + 1;
}

static int job(const void *in, void *out, void *context)
{
    int i = begin_item(*(const int *)in);
    (void)context;
    *(int *)out = squared(i);
    return 0;
}

/* The first lane begins with short items, which makes claims long; then come long ones, while those of the second lane
   are short: its worker falls asleep, and a rest is given back and it is woken. */
static int uneven_job(const void *in, void *out, void *context)
{
    int i = *(const int *)in;
    if (i >= ITEMS / 4 && i < ITEMS / 2)
        nanosleep(&(struct timespec){ .tv_nsec = 300000 }, NULL);
    return job(in, out, context);
}

/* Both items of a map are inside at once. */
static int meeting_job(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(&begun[0], 1);
    return reaches(&begun[0], 2) ? 0 : -ETIMEDOUT;
}

static int star_job(const void *const in[], void *out, void *context)
{
    return job(in[0], out, context);
}

/* A positive result goes another way than 0. */
static int value_job(const void *in, void *out, void *context)
{
    int result = job(in, out, context);
    return result < 0 ? result : *(const int *)in + 1;
}

static int message_job(salp_bytes in, salp_buffer *out, void *context)
{
    static const char zeros[LONG_ANSWER];
    int i = begin_item(0), size = *(const int *)in.data;
    (void)context;
    (void)i;
    return salp_buffer_append(out, zeros, (size_t)size);
}

/* An item that a death has cost; at most one in a run. */
static int note_error(int i, int error, int lost)
{
    CHECK(error == SALP_ECRASHED, "item %d ended with %d\n", i, error);
    CHECK(atomic_load(&begun[i]) <= 1, "item %d was begun %d times\n", i, atomic_load(&begun[i]));
    CHECK(lost == 0, "item %d is the second one lost\n", i);
    return lost + 1;
}

static void check_run_once(int i)
{
    CHECK(atomic_load(&begun[i]) == 1, "item %d was begun %d times\n", i, atomic_load(&begun[i]));
}

static void check_items(int result, const int out[], const int errors[], bool values)
{
    int lost = 0;
    for (int i = 0; i < ITEMS; i++) {
        if (errors[i] < 0) {
            lost = note_error(i, errors[i], lost);
            continue;
        }
        check_run_once(i);
        CHECK(errors[i] == (values ? i + 1 : 0), "item %d: %d\n", i, errors[i]);
        CHECK(out[i] == squared(i), "item %d has the result %d\n", i, out[i]);
    }
    CHECK(result == (lost ? SALP_ECRASHED : 0), "the map returned %d, %d items were lost\n", result, lost);
}

static void map_with(salp_pool *pool, salp_job *the_job, bool values, const salp_map_options *wanted)
{
    int in[ITEMS], out[ITEMS], errors[ITEMS];
    salp_map_options options = *wanted;
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = errors[i] = UNTOUCHED;
    }
    options.errors = errors;
    check_items(salp_map(pool, the_job, in, sizeof *in, out, sizeof *out, ITEMS, &options), out, errors, values);
}

static void use_map(salp_pool *pool)
{
    map_with(pool, job, false, &(salp_map_options){ 0 });
}

/* Inputs and results lie in an array that the workers have, too. */
static int *shared_in, *shared_out;

static void use_map_in_place(salp_pool *pool)
{
    int errors[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        shared_in[i] = i;
        shared_out[i] = errors[i] = UNTOUCHED;
    }
    int result = salp_map(pool, job, shared_in, sizeof *shared_in, shared_out, sizeof *shared_out, ITEMS,
                          &(salp_map_options){ .errors = errors });
    check_items(result, shared_out, errors, false);
    for (int i = 0; i < ITEMS; i++)
        CHECK(errors[i] == 0 || shared_out[i] == UNTOUCHED, "item %d has left %d behind\n", i, shared_out[i]);
}

static void use_map_in_ones(salp_pool *pool)
{
    map_with(pool, job, false, &(salp_map_options){ .chunk = 1 });
}

static void use_map_in_fives(salp_pool *pool)
{
    map_with(pool, value_job, true, &(salp_map_options){ .chunk = 5 });
}

static void use_uneven_map(salp_pool *pool)
{
    map_with(pool, uneven_job, false, &(salp_map_options){ 0 });
}

static void use_starmap(salp_pool *pool)
{
    int in[ITEMS], out[ITEMS], errors[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = errors[i] = UNTOUCHED;
    }
    const salp_column column = { in, sizeof *in };
    int result =
        salp_starmap(pool, star_job, &column, 1, out, sizeof *out, ITEMS, &(salp_map_options){ .errors = errors });
    check_items(result, out, errors, false);
}

static void check_single(int result, int out)
{
    if (result < 0) {
        note_error(0, result, 0);
        return;
    }
    check_run_once(0);
    CHECK(result == 0 && out == squared(0), "the result is %d, %d\n", result, out);
}

static void use_apply(salp_pool *pool)
{
    int in = 0, out = UNTOUCHED;
    int result = salp_apply(pool, job, &in, sizeof in, &out, sizeof out, NULL);
    check_single(result, out);
}

static void use_future(salp_pool *pool)
{
    int in = 0, out = UNTOUCHED;
    salp_future *future;
    int result = salp_apply_async(&future, pool, job, &in, sizeof in, &out, sizeof out, NULL);
    CHECK(result == 0, "apply_async: %d\n", result);
    result = salp_future_wait(future);
    salp_future_free(future);
    check_single(result, out);
}

static void call_with(salp_pool *pool, int size)
{
    salp_buffer answer = { 0 };
    int result = salp_call(pool, message_job, (salp_bytes){ &size, sizeof size }, &answer, NULL);
    CHECK(answer.size == (result < 0 ? 0 : (size_t)size), "an answer of %zu bytes\n", answer.size);
    check_single(result, squared(0));
    salp_buffer_free(&answer);
}

static void use_call(salp_pool *pool)
{
    call_with(pool, 10);
}

static void use_call_with_a_long_answer(salp_pool *pool)
{
    call_with(pool, LONG_ANSWER);
}

static int count_up(void *in, void *arg)
{
    int *next = arg;
    *(int *)in = *next;
    return (*next)++ < ITEMS;
}

static void use_imap(salp_pool *pool)
{
    int next = 0, result, lost = 0, fetched = 0;
    salp_results *results;
    size_t index;
    result = salp_imap(&results, pool, job, count_up, &next, sizeof(int), sizeof(int), NULL);
    CHECK(result == 0, "imap: %d\n", result);
    for (int out = UNTOUCHED; (result = salp_results_next(results, &out, &index)) != 0; fetched++) {
        CHECK(index < ITEMS, "index %zu\n", index);
        if (result < 0) {
            lost = note_error((int)index, result, lost);
            continue;
        }
        check_run_once((int)index);
        CHECK(out == squared((int)index), "item %zu has the result %d\n", index, out);
    }
    CHECK(fetched == ITEMS, "%d results\n", fetched);
    salp_results_close(results);
}

/* Every worker can still be woken: none was forgotten, asleep. */
static void meet(salp_pool *pool)
{
    atomic_store(&begun[0], 0);
    int result = salp_map(pool, meeting_job, NULL, 0, NULL, 0, 2, &(salp_map_options){ .chunk = 1 });
    CHECK(result == 0, "the workers did not meet: %d\n", result);
}

/* A run for each step, until one is over before a worker came to it. */
static void sweep(const salp_pool_options *options, void (*use)(salp_pool *pool))
{
    salp_pool *pool;
    bool died = true;
    begun = mmap(NULL, ITEMS * sizeof *begun, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(begun != MAP_FAILED);
    salp__fault_arm_death(0); /* the workers are to find the plan */
    assert_int_equal(salp_pool_open(&pool, options), 0);
    for (step = 1; died; step++) {
        for (int i = 0; i < ITEMS; i++)
            atomic_store(&begun[i], 0);
        salp__fault_arm_death(step);
        use(pool);
        died = salp__fault_fired();
        salp__fault_arm_death(0);
        if (options->workers == 2)
            meet(pool);
    }
    print_message("%ld steps\n", step - 2);
    assert_true(step > 10);
    for (int i = 0; i < ITEMS; i++)
        atomic_store(&begun[i], 0);
    use_map(pool);
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_pool_close(pool), 0);
    munmap(begun, ITEMS * sizeof *begun);
}

static const salp_pool_options one = { .engine = SALP_PROCESSES, .workers = 1 };
static const salp_pool_options two = { .engine = SALP_PROCESSES, .workers = 2 };

/* With retries a death costs nothing, and nobody is told of a failure. */
static void count_failure(const salp_failure *failure, void *arg)
{
    (void)failure;
    (*(int *)arg)++;
}

static void use_map_with_retries(salp_pool *pool)
{
    int in[ITEMS], out[ITEMS], errors[ITEMS], told = 0;
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = errors[i] = UNTOUCHED;
    }
    int result =
        salp_map(pool, job, in, sizeof *in, out, sizeof *out, ITEMS,
                 &(salp_map_options){ .errors = errors, .on_failure = count_failure, .on_failure_arg = &told });
    CHECK(result == 0 && told == 0, "the map returned %d, %d failures were told\n", result, told);
    for (int i = 0; i < ITEMS; i++) {
        CHECK(errors[i] == 0 && out[i] == squared(i), "item %d: error %d, result %d\n", i, errors[i], out[i]);
        CHECK(atomic_load(&begun[i]) <= 2, "item %d was begun %d times\n", i, atomic_load(&begun[i]));
    }
}

static void use_map_with_retries_sweep(void **state)
{
    (void)state;
    sweep(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 1, .retries = 1 }, use_map_with_retries);
    sweep(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .retries = 1 }, use_map_with_retries);
}

/* Failures are told, once each, and workers are replaced all the time. */
static void use_told_map(salp_pool *pool)
{
    int in[ITEMS], told = 0, lost = 0, errors[ITEMS];
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        errors[i] = UNTOUCHED;
    }
    salp_map(pool, job, in, sizeof *in, (int[ITEMS]){ 0 }, sizeof(int), ITEMS,
             &(salp_map_options){ .errors = errors, .on_failure = count_failure, .on_failure_arg = &told });
    for (int i = 0; i < ITEMS; i++) {
        if (errors[i] < 0)
            lost = note_error(i, errors[i], lost);
        else
            check_run_once(i);
    }
    CHECK(told == lost, "%d failures were told, %d items were lost\n", told, lost);
}

static void use_told_map_sweep(void **state)
{
    (void)state;
    sweep(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .items_per_worker = 7 }, use_told_map);
}

#define SWEEP(function)                        \
    static void function##_sweep(void **state) \
    {                                          \
        (void)state;                           \
        sweep(&one, function);                 \
        sweep(&two, function);                 \
    }

static void use_map_in_place_sweep(void **state)
{
    (void)state;
    salp_shared *shared;
    assert_int_equal(salp_shared_array(&shared, ITEMS * 2, sizeof(int)), 0);
    shared_in = salp_shared_data(shared);
    shared_out = shared_in + ITEMS;
    sweep(&one, use_map_in_place);
    sweep(&two, use_map_in_place);
    salp_shared_close(shared);
}

SWEEP(use_map)
SWEEP(use_map_in_ones)
SWEEP(use_map_in_fives)
SWEEP(use_uneven_map)
SWEEP(use_starmap)
SWEEP(use_apply)
SWEEP(use_future)
SWEEP(use_call)
SWEEP(use_call_with_a_long_answer)
SWEEP(use_imap)

/* ---- the steward ---- */

/* Nobody answers any more, but to SIGKILL. How long that is waited for, the clock that jumps tells. */
static int ends_a_stopped_pool(void *arg)
{
    pid_t steward = -1;
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);
    (void)arg;
    EXPECT(children_of(getpid(), &steward, 1) == 1 && kill(steward, SIGSTOP) == 0);
    salp__pretend_time();
    int64_t begin = salp_now();
    EXPECT(salp_pool_terminate(pool) == 0);
    int64_t took = salp_now() - begin;
    EXPECT(took >= SALP_SECONDS(12) && took < SALP_SECONDS(20)); /* a steward that lives needs 12 seconds at most */
    EXPECT(salp_pool_close(pool) == 0);
    return 0;
}

static void a_steward_that_was_stopped_does_not_hold_up_a_thread(void **state)
{
    (void)state;
    assert_int_equal(ends_a_stopped_pool(NULL), 0);
}

static void a_steward_that_was_stopped_does_not_hold_up_a_task(void **state)
{
    (void)state;
    assert_int_equal(salp_run(ends_a_stopped_pool, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a death at any step of a map", use_map_sweep),
        TEST("a death at any step of a map in a shared array", use_map_in_place_sweep),
        TEST("a death at any step of a map in chunks of one", use_map_in_ones_sweep),
        TEST("a death at any step of a map in chunks of five, with values", use_map_in_fives_sweep),
        TEST("a death at any step of a map of uneven items", use_uneven_map_sweep),
        TEST("a death at any step of a map with retries", use_map_with_retries_sweep),
        TEST("a death at any step of a map whose failures are told", use_told_map_sweep),
        TEST("a death at any step of a starmap", use_starmap_sweep),
        TEST("a death at any step of an apply", use_apply_sweep),
        TEST("a death at any step of an apply that is waited for later", use_future_sweep),
        TEST("a death at any step of a call", use_call_sweep),
        TEST("a death at any step of a call with a long answer", use_call_with_a_long_answer_sweep),
        TEST("a death at any step of an imap", use_imap_sweep),
        TEST("a steward that was stopped does not hold up a thread",
             a_steward_that_was_stopped_does_not_hold_up_a_thread),
        TEST("a steward that was stopped does not hold up a task", a_steward_that_was_stopped_does_not_hold_up_a_task),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
