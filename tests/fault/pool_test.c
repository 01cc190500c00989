/*
 * Pools of processes, while calls of the system and allocations fail one by one: in the program, in the steward, in the
 * workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "page.h"
#include "sweep.h"

#define PLAN "SALP_TEST_PLAN"

enum { LARGE = 70000, LARGE_ITEMS = 3, CRASHES = 40, CRASHES_AT = 7 };

/* ---- the plan, where copies of this program find it ---- */

/* Before the library's own constructor diverts the copy: it comes last. */
__attribute__((constructor)) static void find_plan(void)
{
    void *page = page_found(PLAN);
    if (page)
        salp__fault_share(page);
}

/* Has the plan of the test shared with the copies that it starts. Returns the descriptor to close in the end. */
static int share_plan(void)
{
    int fd = page_hand_on(PLAN);
    find_plan();
    return fd;
}

/* ---- what is done ---- */

static void use_all(salp_pool *pool)
{
    use_map(pool);
    use_starmap(pool);
    use_async(pool);
    use_message(pool);
    use_imap(pool);
}

/* Results that have no room in a worker's window. */
struct large {
    int number;
    char rest[LARGE - sizeof(int)];
};

static int fill_large(const void *in, void *out, void *context)
{
    struct large *large = out;
    (void)context;
    large->number = *(const int *)in;
    memset(large->rest, *(const int *)in, sizeof large->rest);
    return 0;
}

static void use_large(salp_pool *pool)
{
    static struct large out[LARGE_ITEMS];
    int in[LARGE_ITEMS] = { 1, 2, 3 }, errors[LARGE_ITEMS] = { UNTOUCHED, UNTOUCHED, UNTOUCHED };
    memset(out, 0, sizeof out);
    int result = salp_map(pool, fill_large, in, sizeof *in, out, sizeof *out, LARGE_ITEMS,
                          &(salp_map_options){ .errors = errors, .chunk = 1 });
    judge("large map", result);
    for (int i = 0; i < LARGE_ITEMS; i++) {
        SWEEP_CHECK(result < 0 || errors[i] == 0, "large map: item %d ended with %d\n", i, errors[i]);
        if (errors[i] == 0)
            SWEEP_CHECK(out[i].number == in[i] && out[i].rest[0] == in[i] && out[i].rest[sizeof out->rest - 1] == in[i],
                        "large map: item %d is wrong\n", i);
    }
}

/* Two items that take their worker with them, and are tried once more. */
static int square_or_crash(const void *in, void *out, void *context)
{
    if (*(const int *)in % 20 == CRASHES_AT)
        raise(SIGKILL);
    return square(in, out, context);
}

struct told {
    int count;
    bool odd;
};

static void note_failure(const salp_failure *failure, void *arg)
{
    struct told *told = arg;
    told->count++;
    told->odd |= !failure->backtrace || failure->index >= CRASHES;
}

static void use_crash(salp_pool *pool)
{
    int in[CRASHES], out[CRASHES], errors[CRASHES];
    struct told told = { 0 };
    for (int i = 0; i < CRASHES; i++) {
        in[i] = i;
        out[i] = errors[i] = UNTOUCHED;
    }
    int result = salp_map(pool, square_or_crash, in, sizeof *in, out, sizeof *out, CRASHES,
                          &(salp_map_options){ .errors = errors, .on_failure = note_failure, .on_failure_arg = &told });
    SWEEP_CHECK(result < 0, "crash: the map succeeded\n");
    if (result != SALP_ECRASHED)
        judge("crash", result);
    for (int i = 0; i < CRASHES; i++) {
        if (i % 20 == CRASHES_AT)
            SWEEP_CHECK(errors[i] < 0 || errors[i] == UNTOUCHED, "crash: item %d ended with %d\n", i, errors[i]);
        else if (errors[i] == 0)
            SWEEP_CHECK(out[i] == i * i, "crash: item %d has the result %d\n", i, out[i]);
        if (errors[i] != 0)
            SWEEP_CHECK(out[i] == UNTOUCHED, "crash: item %d ended with %d, but has the result %d\n", i, errors[i],
                        out[i]);
        if (result == SALP_ECRASHED) /* the call as a whole was not hurt */
            SWEEP_CHECK((errors[i] == 0) == (i % 20 != CRASHES_AT), "crash: item %d ended with %d\n", i, errors[i]);
    }
    SWEEP_CHECK(!told.odd && (result != SALP_ECRASHED || told.count == 2), "crash: %d failures were told\n",
                told.count);
}

static int initialize(void *arg)
{
    return *(const int *)arg == 42 ? 0 : -EILSEQ;
}

static void use_nothing(salp_pool *pool)
{
    (void)pool;
}

/* ---- workers that are forked ---- */

static const salp_pool_options forked = { .engine = SALP_PROCESSES, .workers = 2 };

static void sweep_roles(const salp_pool_options *options, use_function *use)
{
    run_sweep(options, SALP__PROGRAM, use);
    run_sweep(options, SALP__STEWARD, use);
    run_sweep(options, SALP__WORKER, use);
}

#define SURVIVES(name, use)        \
    static void name(void **state) \
    {                              \
        (void)state;               \
        sweep_roles(&forked, use); \
    }

SURVIVES(a_map_survives, use_map)
SURVIVES(a_map_with_large_results_survives, use_large)
SURVIVES(a_starmap_survives, use_starmap)
SURVIVES(an_asynchronous_call_survives, use_async)
SURVIVES(a_message_survives, use_message)
SURVIVES(an_imap_survives, use_imap)

static void crashes_survive(void **state)
{
    (void)state;
    sweep_roles(&(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2, .retries = 1 }, use_crash);
}

static void workers_that_are_initialized_and_replaced_survive(void **state)
{
    int arg = 42;
    (void)state;
    sweep_roles(&(salp_pool_options){ .engine = SALP_PROCESSES,
                                      .workers = 2,
                                      .items_per_worker = 20,
                                      .initializer = initialize,
                                      .initializer_arg = &arg,
                                      .initializer_arg_size = sizeof arg },
                use_map);
}

static void limits_survive(void **state)
{
    (void)state;
    sweep_roles(&(salp_pool_options){ .engine = SALP_PROCESSES,
                                      .workers = 2,
                                      .item_timeout = SALP_SECONDS(1000),
                                      .memory_limit = (size_t)1 << 40 },
                use_map);
}

static void a_pool_without_a_number_of_workers_survives(void **state)
{
    (void)state;
    run_sweep(&(salp_pool_options){ .engine = SALP_PROCESSES }, SALP__PROGRAM, use_nothing);
}

/* ---- workers of a fresh copy of the program ---- */

static void sweep_copies(salp_start start, salp__role role)
{
    int arg = 42, plan = share_plan();
    const salp_pool_options options = { .engine = SALP_PROCESSES,
                                        .workers = 2,
                                        .start = start,
                                        .initializer = initialize,
                                        .initializer_arg = &arg,
                                        .initializer_arg_size = sizeof arg };
    if (start == SALP_SERVER) {
        /* The server stays, and the channel to it. */
        salp_pool *pool;
        test_keeps_descriptors(2);
        assert_int_equal(salp_pool_open(&pool, &options), 0);
        assert_int_equal(salp_pool_close(pool), 0);
    }
    run_sweep(&options, role, use_all);
    close(plan);
}

static void a_spawned_pool_survives_its_program(void **state)
{
    (void)state;
    sweep_copies(SALP_SPAWN, SALP__PROGRAM);
}

static void a_spawned_pool_survives_its_steward(void **state)
{
    (void)state;
    sweep_copies(SALP_SPAWN, SALP__STEWARD);
}

static void a_spawned_pool_survives_its_workers(void **state)
{
    (void)state;
    sweep_copies(SALP_SPAWN, SALP__WORKER);
}

static void a_served_pool_survives_its_program(void **state)
{
    (void)state;
    sweep_copies(SALP_SERVER, SALP__PROGRAM);
}

static void a_served_pool_survives_its_steward(void **state)
{
    (void)state;
    sweep_copies(SALP_SERVER, SALP__STEWARD);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("a map survives", a_map_survives, 60),
        TEST_LIMIT("a map with large results survives", a_map_with_large_results_survives, 60),
        TEST_LIMIT("a starmap survives", a_starmap_survives, 60),
        TEST_LIMIT("an asynchronous call survives", an_asynchronous_call_survives, 60),
        TEST_LIMIT("a message survives", a_message_survives, 60),
        TEST_LIMIT("an imap survives", an_imap_survives, 60),
        TEST_LIMIT("crashes survive", crashes_survive, 60),
        TEST_LIMIT("workers that are initialized and replaced survive",
                   workers_that_are_initialized_and_replaced_survive, 60),
        TEST_LIMIT("limits survive", limits_survive, 60),
        TEST_LIMIT("a pool without a number of workers survives", a_pool_without_a_number_of_workers_survives, 60),
        TEST_LIMIT("a spawned pool survives its program", a_spawned_pool_survives_its_program, 120),
        TEST_LIMIT("a spawned pool survives its steward", a_spawned_pool_survives_its_steward, 120),
        TEST_LIMIT("a spawned pool survives its workers", a_spawned_pool_survives_its_workers, 120),
        TEST_LIMIT("a served pool survives its program", a_served_pool_survives_its_program, 120),
        TEST_LIMIT("a served pool survives its steward", a_served_pool_survives_its_steward, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
