/*
 * Pools and futures meet tasks: a call suspends the task that makes it and no other, and scopes end it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "page.h"
#include "tasks.h"

static int job_doze(const void *in, void *out, void *context)
{
    (void)context;
    doze(SALP_MILLISECONDS(2));
    *(int *)out = *(const int *)in + 1;
    return 0;
}

static int call_nothing(void *arg)
{
    (void)arg;
    return salp_yield();
}

static int job_echo_twice(salp_bytes in, salp_buffer *out, void *context)
{
    int error = salp_buffer_append(out, in.data, in.size);
    (void)context;
    return error < 0 ? error : salp_buffer_append(out, in.data, in.size);
}

struct shared {
    salp_engine engine;
    salp_pool *pool;
    bool over;
};

static atomic_int *ticks; /* in memory that workers see, too */

/* Goes on only if the caller's other tasks do. */
static int job_wait_for_ticks(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    return reaches(ticks, atomic_load(ticks) + 5) ? 0 : -ETIMEDOUT;
}

static int tick(void *arg)
{
    struct shared *shared = arg;
    while (!shared->over) {
        EXPECT(salp_sleep(SALP_MICROSECONDS(200)) == 0);
        atomic_fetch_add(ticks, 1);
    }
    return 0;
}

static void check_calls(salp_pool *pool)
{
    enum { COUNT = 20 };
    int in[COUNT], out[COUNT], one = -1;
    salp_buffer answer = { 0 };
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    EXPECT(salp_map(pool, job_doze, in, sizeof *in, out, sizeof *out, COUNT, NULL) == 0);
    for (int i = 0; i < COUNT; i++)
        EXPECT(out[i] == i + 1);
    EXPECT(salp_apply(pool, job_doze, &in[5], sizeof *in, &one, sizeof one, NULL) == 0 && one == 6);
    EXPECT(salp_call(pool, job_echo_twice, (salp_bytes){ "ab", 2 }, &answer, NULL) == 0);
    EXPECT(answer.size == 4 && memcmp(answer.data, "abab", 4) == 0);
    salp_buffer_free(&answer);
}

static int call_and_tick(void *arg)
{
    struct shared *shared = arg;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, tick, shared) == 0);
    check_calls(shared->pool);
    EXPECT(salp_map(shared->pool, job_wait_for_ticks, NULL, 0, NULL, 0, 4, NULL) == 0);
    EXPECT(salp_apply(shared->pool, job_wait_for_ticks, NULL, 0, NULL, 0, NULL) == 0);
    shared->over = true;
    return salp_group_close(&group);
}

static void a_call_suspends_its_task_alone(void **state)
{
    ticks = shared_memory(sizeof *ticks);
    struct shared shared = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(call_and_tick, &shared), 0);
    assert_int_equal(salp_pool_close(shared.pool), 0);
}

static int begun; /* calls of call_once */

static int call_once(void *arg)
{
    salp_pool *pool = arg;
    int in = 1, out = 0;
    begun++;
    EXPECT(salp_apply(pool, job_doze, &in, sizeof in, &out, sizeof out, NULL) == 0);
    EXPECT(out == 2);
    return 0;
}

/* More than there are places for on processes: those that find none wait as tasks do. */
static int call_from_many(void *arg)
{
    struct shared *shared = arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_go(&group, call_once, shared->pool) == 0);
    return salp_group_close(&group);
}

static void many_tasks_may_call_at_once(void **state)
{
    struct shared shared = { .pool = open_pool(test_engine(state), 4) };
    assert_int_equal(salp_run(call_from_many, &shared), 0);
    assert_int_equal(salp_pool_close(shared.pool), 0);
}

/* All places of a pool of processes are taken, by calls of which each can be ended alone. */
enum { PLACES = 64, WAITERS = 6, GIVES_UP = 2 };

struct full {
    salp_pool *pool;
    struct gate *gate;
    salp_future *futures[PLACES];
    salp_scope impatient;
    int line, order[WAITERS], served; /* who has come, who got a place, in this order */
};

static int job_pass(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    return gate_pass(*(struct gate **)context);
}

static void take_all_places(struct full *full)
{
    for (int i = 0; i < PLACES; i++)
        EXPECT(salp_map_async(&full->futures[i], full->pool, job_pass, NULL, 0, NULL, 0, 1,
                              &(salp_map_options){ .context = &full->gate, .context_size = sizeof full->gate }) == 0);
    EXPECT(reaches(&full->gate->inside, 1));
}

static int come_for_a_place(void *arg)
{
    struct full *full = arg;
    salp_future *future;
    int me = full->line++;
    if (me == GIVES_UP)
        salp_scope_open(&full->impatient, SALP_FOREVER);
    int result = salp_map_async(&future, full->pool, job_pass, NULL, 0, NULL, 0, 1,
                                &(salp_map_options){ .context = &full->gate, .context_size = sizeof full->gate });
    full->order[full->served++] = me;
    if (me == GIVES_UP) {
        EXPECT(result == -ECANCELED && salp_scope_close(&full->impatient) == -ECANCELED);
        return 0;
    }
    EXPECT(result == 0);
    EXPECT(salp_future_wait(future) == 0);
    salp_future_free(future);
    return 0;
}

static int serve_in_turn(void *arg)
{
    static const int turns[WAITERS] = { GIVES_UP, 0, 1, 3, 4, 5 };
    struct full *full = arg;
    salp_group group;
    take_all_places(full);
    salp_group_open(&group);
    for (int i = 0; i < WAITERS; i++)
        EXPECT(salp_go(&group, come_for_a_place, full) == 0);
    while (full->line < WAITERS)
        EXPECT(salp_yield() == 0);
    for (int i = 0; i < WAITERS; i++) {
        if (turns[i] == GIVES_UP)
            salp_scope_cancel(&full->impatient);
        else
            EXPECT(salp_future_cancel(full->futures[PLACES - 1 - i]) == 0); /* that no worker has begun */
        while (full->served <= i)
            EXPECT(salp_yield() == 0);
        EXPECT(full->served == i + 1 && full->order[i] == turns[i]);
    }
    atomic_store(&full->gate->open, 1);
    EXPECT(salp_group_close(&group) == 0);
    for (int i = 0; i < PLACES; i++) {
        int result = salp_future_wait(full->futures[i]);
        EXPECT(result == 0 || result == -ECANCELED);
        salp_future_free(full->futures[i]);
    }
    return 0;
}

static void who_waits_for_a_place_is_served_in_turn(void **state)
{
    struct full full = { .gate = shared_memory(sizeof *full.gate) };
    (void)state;
    full.pool = open_pool(SALP_PROCESSES, 1);
    assert_int_equal(salp_run(serve_in_turn, &full), 0);
    assert_int_equal(salp_pool_close(full.pool), 0);
}

static int come_after_the_end(void *arg)
{
    struct full *full = arg;
    full->line++;
    int result = salp_map_async(NULL, full->pool, job_pass, NULL, 0, NULL, 0, 1,
                                &(salp_map_options){ .context = &full->gate, .context_size = sizeof full->gate });
    EXPECT(result == -ECANCELED);
    full->served++;
    return 0;
}

static void *wait_in_a_thread(void *arg)
{
    struct full *full = arg;
    struct gate *gate = full->gate;
    int result = salp_apply(full->pool, job_pass, NULL, 0, NULL, 0,
                            &(salp_map_options){ .context = &gate, .context_size = sizeof gate });
    EXPECT(result == -ECANCELED || result == SALP_ECLOSED);
    return NULL;
}

static int end_with_a_line(void *arg)
{
    struct full *full = arg;
    salp_group group;
    pthread_t thread;
    take_all_places(full);
    EXPECT(pthread_create(&thread, NULL, wait_in_a_thread, full) == 0);
    salp_group_open(&group);
    for (int i = 0; i < WAITERS; i++)
        EXPECT(salp_go(&group, come_after_the_end, full) == 0);
    while (full->line < WAITERS)
        EXPECT(salp_yield() == 0);
    EXPECT(salp_pool_terminate(full->pool) == 0);
    EXPECT(salp_group_close(&group) == 0 && full->served == WAITERS);
    EXPECT(pthread_join(thread, NULL) == 0);
    for (int i = 0; i < PLACES; i++) {
        EXPECT(salp_future_wait(full->futures[i]) == -ECANCELED);
        salp_future_free(full->futures[i]);
    }
    return 0;
}

/* Tasks, and a plain thread that may still be on its way there. */
static void the_end_of_a_pool_wakes_who_waits_for_a_place(void **state)
{
    struct full full = { .gate = shared_memory(sizeof *full.gate) };
    (void)state;
    full.pool = open_pool(SALP_PROCESSES, 1);
    assert_int_equal(salp_run(end_with_a_line, &full), 0);
    assert_int_equal(salp_pool_close(full.pool), 0);
}

/* In a task, and in a plain thread. */
static int call_in_a_scope(void *arg)
{
    enum { COUNT = 1000000 }; /* more than workers can do while a test lasts */
    struct shared *shared = arg;
    static int in[COUNT], out[COUNT];
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(20));
    EXPECT(salp_map(shared->pool, job_doze, in, sizeof *in, out, sizeof *out, COUNT, NULL) == -ETIMEDOUT);
    EXPECT(salp_apply(shared->pool, job_doze, in, sizeof *in, out, sizeof *out, NULL) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    check_calls(shared->pool);
    return 0;
}

static int job_fail_odd(const void *in, void *out, void *context)
{
    (void)out;
    (void)context;
    return *(const int *)in % 2 ? -EILSEQ : 0;
}

struct told {
    pthread_t caller;
    atomic_int failures, elsewhere;
    size_t done;
};

static void tell_failure(const salp_failure *failure, void *arg)
{
    struct told *told = arg;
    EXPECT(failure->error == -EILSEQ && failure->index % 2 == 1);
    atomic_fetch_add(&told->failures, 1);
    atomic_fetch_add(&told->elsewhere, !pthread_equal(pthread_self(), told->caller));
}

static void tell_progress(size_t done, size_t count, void *arg)
{
    struct told *told = arg;
    EXPECT(done <= count);
    told->done = done;
    atomic_fetch_add(&told->elsewhere, !pthread_equal(pthread_self(), told->caller));
}

static int map_and_be_told(void *arg)
{
    enum { COUNT = 20 };
    struct shared *shared = arg;
    struct told told = { .caller = pthread_self() };
    int in[COUNT], errors[COUNT];
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    EXPECT(salp_map(shared->pool, job_fail_odd, in, sizeof *in, NULL, 0, COUNT,
                    &(salp_map_options){ .errors = errors,
                                         .on_failure = tell_failure,
                                         .on_failure_arg = &told,
                                         .on_progress = tell_progress,
                                         .on_progress_arg = &told }) == -EILSEQ);
    EXPECT(atomic_load(&told.failures) == COUNT / 2);
    EXPECT(told.done == COUNT);
    EXPECT(atomic_load(&told.elsewhere) >= COUNT / 2 + 1); /* all of it, on a thread of the pool */
    return 0;
}

static void failures_and_progress_are_told_on_a_thread_of_the_pool(void **state)
{
    struct shared shared = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(map_and_be_told, &shared), 0);
    assert_int_equal(salp_pool_close(shared.pool), 0);
}

static atomic_int *runs;

static int job_count(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    atomic_fetch_add(runs, 1);
    return 0;
}

static int call_too_late(void *arg)
{
    struct shared *shared = arg;
    salp_scope scope;
    salp_scope_open(&scope, 0);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_map(shared->pool, job_count, NULL, 0, NULL, 0, 10, NULL) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(atomic_load(runs) == 0);
    return 0;
}

static void a_call_in_a_scope_that_is_over_runs_nothing(void **state)
{
    struct shared shared;
    runs = shared_memory(sizeof *runs);
    shared = (struct shared){ .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(call_too_late, &shared), 0);
    assert_int_equal(call_too_late(&shared), 0);
    assert_int_equal(salp_pool_close(shared.pool), 0);
}

static void a_scope_ends_a_call(void **state)
{
    struct shared shared = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(call_in_a_scope, &shared), 0);
    assert_int_equal(call_in_a_scope(&shared), 0);
    assert_int_equal(salp_pool_close(shared.pool), 0);
}

/* ---- pools that are opened in tasks ---- */

static int job_use_tasks(const void *in, void *out, void *context)
{
    volatile char much[200 * 1024];
    (void)context;
    memset((char *)much, *(const int *)in, sizeof much);
    int slept = salp_sleep(SALP_MICROSECONDS(100)), ran = salp_run(call_nothing, NULL);
    *(int *)out = much[sizeof much - 1];
    return slept < 0 ? slept : ran;
}

static int bystander(void *arg)
{
    pid_t program = *(pid_t *)arg;
    for (int i = 0; i < 50; i++) {
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
        EXPECT(getpid() == program);
    }
    return 0;
}

static int open_in_task(void *arg)
{
    enum { COUNT = 20 };
    struct shared *shared = arg;
    int in[COUNT], out[COUNT];
    pid_t program = getpid();
    salp_group group;
    salp_scope scope;
    salp_group_open(&group);
    for (int i = 0; i < 5; i++)
        EXPECT(salp_go(&group, bystander, &program) == 0);
    EXPECT(salp_yield() == 0);
    salp_scope_open(&scope, NEVER_SEEN);
    EXPECT(salp_pool_open(&shared->pool, &(salp_pool_options){ .engine = shared->engine, .workers = 2 }) == 0);
    EXPECT(salp_scope_close(&scope) == 0);
    for (int i = 0; i < COUNT; i++)
        in[i] = i;
    EXPECT(salp_map(shared->pool, job_use_tasks, in, sizeof *in, out, sizeof *out, COUNT, NULL) == 0);
    for (int i = 0; i < COUNT; i++)
        EXPECT(out[i] == i);
    EXPECT(salp_pool_close(shared->pool) == 0);
    return salp_group_close(&group);
}

/* Its workers know nothing of the program's tasks, and have the stack that they would have elsewhere. */
static void a_pool_may_be_opened_in_a_task(void **state)
{
    struct shared shared = { .engine = test_engine(state) };
    assert_int_equal(salp_run(open_in_task, &shared), 0);
}

static int close_among_callers(void *arg)
{
    struct shared *shared = arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_go(&group, call_once, shared->pool) == 0);
    while (begun < 100)
        EXPECT(salp_yield() == 0);
    EXPECT(salp_pool_close(shared->pool) == 0);
    return salp_group_close(&group);
}

static void closing_waits_for_calls_of_other_tasks(void **state)
{
    struct shared shared = { .pool = open_pool(test_engine(state), 4) };
    assert_int_equal(salp_run(close_among_callers, &shared), 0);
}

static void sleep_in_callback(salp_future *done, void *arg)
{
    (void)done;
    EXPECT(salp_sleep(SALP_MILLISECONDS(*(int *)arg)) == 0);
}

static int call_back_late(void *arg)
{
    static salp_pool *pool;
    static int milliseconds[] = { 5, 15 };
    static int calls;
    pool = *(salp_pool **)arg;
    return salp_map_async(NULL, pool, job_doze, NULL, 0, NULL, 0, 0,
                          &(salp_map_options){ .on_done = sleep_in_callback, .on_done_arg = &milliseconds[calls++] });
}

static int call_beside_callbacks(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 2; i++)
        EXPECT(salp_go(&group, call_back_late, arg) == 0);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
    check_calls(*(salp_pool **)arg); /* this task is inside of nothing */
    EXPECT(salp_group_close(&group) == 0);
    check_calls(*(salp_pool **)arg);
    return 0;
}

static void a_task_in_a_callback_does_not_hinder_others(void **state)
{
    salp_pool *pool = open_pool(test_engine(state), 2);
    assert_int_equal(salp_run(call_beside_callbacks, &pool), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- a call that goes on only when another task has gone on ---- */

/* Held back until the other task opens it. In memory that copies of the program find, too, by their environment. */
static struct gate *barrier;

#define BARRIER "SALP_TEST_BARRIER"

static void stand_at_barrier(void)
{
    if (barrier)
        gate_pass(barrier);
}

/* In a copy of this program, which is to become a steward or the server of stewards: before it is either. */
__attribute__((constructor)) static void find_barrier(void)
{
    barrier = page_found(BARRIER);
    stand_at_barrier();
}

/* Returns a descriptor to close in the end. */
static int make_barrier(void)
{
    int fd = page_hand_on(BARRIER);
    barrier = page_found(BARRIER);
    assert_non_null(barrier);
    return fd;
}

struct held {
    salp_pool_options options;
    salp_pool *pool;
    pid_t stopped; /* who is let go on as well, or 0 */
    bool over;     /* the call that is held back has returned */
};

/* Lets it go on when somebody stands there; that call must not have returned before. */
static int open_barrier(void *arg)
{
    struct held *held = arg;
    while (atomic_load(&barrier->inside) == 0)
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
    EXPECT(!held->over);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_yield() == 0);
    EXPECT(!held->over);
    atomic_store(&barrier->open, 1);
    if (held->stopped > 0)
        EXPECT(kill(held->stopped, SIGCONT) == 0);
    return 0;
}

static int with_opener(struct held *held, int (*call)(struct held *held))
{
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, open_barrier, held) == 0);
    int result = call(held);
    held->over = true;
    EXPECT(salp_group_close(&group) == 0);
    return result;
}

static int call_open(struct held *held)
{
    return salp_pool_open(&held->pool, &held->options);
}

static int open_beside_another(void *arg)
{
    struct held *held = arg;
    EXPECT(with_opener(held, call_open) == 0);
    check_calls(held->pool);
    return salp_pool_close(held->pool);
}

static void check_opening(salp_start start)
{
    int fd = make_barrier();
    struct held held = { .options = { .engine = SALP_PROCESSES, .start = start, .workers = 2 } };
    if (start == SALP_FORK)
        assert_int_equal(pthread_atfork(NULL, NULL, stand_at_barrier), 0);
    if (start == SALP_SERVER)
        test_keeps_descriptors(2);
    assert_int_equal(salp_run(open_beside_another, &held), 0);
    close(fd);
}

static void opening_a_pool_suspends_its_task_alone(void **state)
{
    (void)state;
    check_opening(SALP_FORK);
}

static void opening_a_pool_in_a_copy_suspends_its_task_alone(void **state)
{
    (void)state;
    test_needs_execution();
    check_opening(SALP_SPAWN);
}

static void opening_a_pool_by_a_server_suspends_its_task_alone(void **state)
{
    (void)state;
    test_needs_execution();
    check_opening(SALP_SERVER);
}

static int open_many(void *arg)
{
    struct held held = *(struct held *)arg;
    EXPECT(call_open(&held) == 0);
    check_calls(held.pool);
    return salp_pool_close(held.pool);
}

static int several_open(void *arg)
{
    salp_group group;
    salp_group_open(&group);
    for (int i = 0; i < 5; i++)
        EXPECT(salp_go(&group, open_many, arg) == 0);
    return salp_group_close(&group);
}

static void several_tasks_may_open_pools_at_once(void **state)
{
    (void)state;
    test_needs_execution();
    for (int start = SALP_FORK; start <= SALP_SPAWN; start++) {
        struct held held = { .options = { .engine = SALP_PROCESSES, .start = (salp_start)start, .workers = 2 } };
        assert_int_equal(salp_run(several_open, &held), 0);
    }
    test_keeps_descriptors(2); /* the server's */
}

static int open_too_late(void *arg)
{
    struct held *held = arg;
    salp_scope scope;
    salp_scope_open(&scope, 0);
    EXPECT(salp_pool_open(&held->pool, &held->options) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static int cancel_scope(void *arg)
{
    while (atomic_load(&barrier->inside) == 0)
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
    salp_scope_cancel(arg);
    for (int i = 0; i < 100; i++)
        EXPECT(salp_yield() == 0);   /* who opens looks at its scope before the pool may be open */
    atomic_store(&barrier->open, 1); /* a steward that has not begun cannot be told to end */
    return 0;
}

static int open_and_be_cancelled(void *arg)
{
    struct held *held = arg;
    salp_group group;
    salp_scope scope;
    salp_group_open(&group);
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(salp_go(&group, cancel_scope, &scope) == 0);
    EXPECT(salp_pool_open(&held->pool, &held->options) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    return salp_group_close(&group);
}

static void a_scope_ends_the_opening_of_a_pool(void **state)
{
    int fd = make_barrier();
    struct held held = { .options = { .engine = test_engine(state), .workers = 2 } };
    assert_int_equal(salp_run(open_too_late, &held), 0);
    assert_int_equal(open_too_late(&held), 0);
    if (held.options.engine == SALP_PROCESSES) {
        assert_int_equal(pthread_atfork(NULL, NULL, stand_at_barrier), 0);
        assert_int_equal(salp_run(open_and_be_cancelled, &held), 0);
    }
    close(fd);
}

static int initialize_at_barrier(void *arg)
{
    (void)arg;
    stand_at_barrier();
    return 0;
}

/* A scope that is over does not hinder what ends something. */
static int call_close(struct held *held)
{
    salp_scope scope;
    salp_scope_open(&scope, 0);
    int result = salp_pool_close(held->pool);
    salp_scope_close(&scope);
    return result;
}

/* Workers end when they have been initialized. */
static int close_beside_another(void *arg)
{
    struct held *held = arg;
    EXPECT(salp_pool_open(&held->pool, &held->options) == 0);
    EXPECT(with_opener(held, call_close) == 0);
    return 0;
}

static void closing_a_pool_suspends_its_task_alone(void **state)
{
    int fd = make_barrier();
    struct held held = { .options = {
                             .engine = test_engine(state), .workers = 2, .initializer = initialize_at_barrier } };
    assert_int_equal(salp_run(close_beside_another, &held), 0);
    close(fd);
}

static int job_at_barrier(const void *in, void *out, void *context)
{
    (void)context;
    stand_at_barrier();
    return in && out ? job_square(in, out, NULL) : 0;
}

static int call_terminate(struct held *held)
{
    salp_scope scope;
    salp_scope_open(&scope, 0);
    int result = salp_pool_terminate(held->pool);
    salp_scope_close(&scope);
    return result;
}

static int job_tell_steward(const void *in, void *out, void *context)
{
    (void)in;
    (void)context;
    *(pid_t *)out = getppid();
    return 0;
}

static char state_of(pid_t pid)
{
    char path[64], text[512], state = '?';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    if (file && fgets(text, sizeof text, file) && strrchr(text, ')'))
        state = strrchr(text, ')')[2];
    if (file)
        fclose(file);
    return state;
}

/* Processes of the pool are killed at once, so it is the steward that has to wait. */
static void stop_steward(struct held *held)
{
    EXPECT(salp_apply(held->pool, job_tell_steward, NULL, 0, &held->stopped, sizeof held->stopped, NULL) == 0);
    EXPECT(kill(held->stopped, SIGSTOP) == 0);
    while (state_of(held->stopped) != 'T')
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
}

static int terminate_beside_another(void *arg)
{
    struct held *held = arg;
    salp_future *pending;
    if (held->options.engine == SALP_PROCESSES)
        stop_steward(held);
    EXPECT(salp_map_async(&pending, held->pool, job_at_barrier, NULL, 0, NULL, 0, 2, NULL) == 0);
    EXPECT(reaches(&barrier->inside, 1));
    EXPECT(with_opener(held, call_terminate) == 0);
    int result = salp_future_wait(pending);
    EXPECT(result == -ECANCELED || result == 0); /* 0: both items were running */
    salp_future_free(pending);
    return salp_pool_close(held->pool);
}

static void terminating_a_pool_suspends_its_task_alone(void **state)
{
    int fd = make_barrier();
    struct held held = { .options.engine = test_engine(state), .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(terminate_beside_another, &held), 0);
    close(fd);
}

/* ---- large inputs ---- */

enum { LARGE_INPUT = 16 * 1024 * 1024, SPELL = 256 * 1024 };

struct large {
    salp_pool *pool;
    char *in;
    int turns; /* of the other task */
    bool over;
    salp_scope *cancelled; /* by the other task, at its first turn; or NULL */
    int *errors;
};

static int take_turns(void *arg)
{
    struct large *large = arg;
    while (!large->over) {
        if (large->turns++ == 0 && large->cancelled)
            salp_scope_cancel(large->cancelled);
        EXPECT(salp_yield() == 0);
    }
    return 0;
}

static int job_last_byte(salp_bytes in, salp_buffer *out, void *context)
{
    (void)context;
    return salp_buffer_append(out, (const char *)in.data + in.size - 1, 1);
}

static int job_of_page(const void *in, void *out, void *context)
{
    (void)context;
    *(char *)out = *((const char *)in + 4095);
    return 0;
}

static int copy_beside_another(void *arg)
{
    struct large *large = arg;
    enum { PAGES = LARGE_INPUT / 4096 };
    static char out[PAGES];
    salp_buffer answer = { 0 };
    salp_future *message, *map;
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, take_turns, large) == 0);
    EXPECT(salp_call_async(&message, large->pool, job_last_byte, (salp_bytes){ large->in, LARGE_INPUT }, &answer,
                           NULL) == 0);
    EXPECT(large->turns >= LARGE_INPUT / SPELL - 1);
    large->turns = 0;
    EXPECT(salp_map_async(&map, large->pool, job_of_page, large->in, 4096, out, 1, PAGES, NULL) == 0);
    int turns = large->turns;
    EXPECT(salp_future_wait(message) == 0 && answer.size == 1 && *(char *)answer.data == 'z');
    EXPECT(salp_future_wait(map) == 0);
    for (int i = 0; i < PAGES; i++)
        EXPECT(out[i] == 'z');
    large->over = true;
    EXPECT(salp_group_close(&group) == 0);
    salp_future_free(message);
    salp_future_free(map);
    salp_buffer_free(&answer);
    return turns;
}

static void fill_large(struct large *large)
{
    large->in = malloc(LARGE_INPUT);
    assert_non_null(large->in);
    memset(large->in, 'z', LARGE_INPUT);
}

static void other_tasks_go_on_while_large_inputs_are_copied(void **state)
{
    struct large large = { .pool = open_pool(test_engine(state), 2) };
    fill_large(&large);
    int turns = salp_run(copy_beside_another, &large);
    if (test_engine(state) == SALP_PROCESSES)
        assert_true(turns >= LARGE_INPUT / SPELL - 1);
    else
        assert_int_equal(turns, 0); /* nothing is copied */
    assert_int_equal(salp_pool_close(large.pool), 0);
    free(large.in);
}

static int cancel_the_copying(void *arg)
{
    struct large *large = arg;
    static char out[LARGE_INPUT / 4096];
    salp_group group;
    salp_scope scope;
    salp_group_open(&group);
    salp_scope_open(&scope, SALP_FOREVER);
    large->cancelled = &scope;
    EXPECT(salp_go(&group, take_turns, large) == 0);
    EXPECT(salp_map(large->pool, job_of_page, large->in, 4096, out, 1, sizeof out, NULL) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    large->over = true;
    EXPECT(salp_group_close(&group) == 0);
    check_calls(large->pool);
    return 0;
}

static void a_scope_ends_the_copying_of_large_inputs(void **state)
{
    struct large large = { .pool = open_pool(SALP_PROCESSES, 2) };
    (void)state;
    fill_large(&large);
    assert_int_equal(salp_run(cancel_the_copying, &large), 0);
    assert_int_equal(salp_pool_close(large.pool), 0);
    free(large.in);
}

static salp_future *cancelled_early;

static int cancel_when_it_is_seen(void *arg)
{
    (void)arg;
    while (!cancelled_early)
        EXPECT(salp_yield() == 0);
    return salp_future_cancel(cancelled_early);
}

static int begin_and_be_cancelled(void *arg)
{
    struct large *large = arg;
    static char out[LARGE_INPUT / 4096];
    salp_group group;
    salp_group_open(&group);
    EXPECT(salp_go(&group, cancel_when_it_is_seen, NULL) == 0);
    EXPECT(salp_map_async(&cancelled_early, large->pool, job_of_page, large->in, 4096, out, 1, sizeof out,
                          &(salp_map_options){ .errors = large->errors }) == 0);
    EXPECT(salp_group_close(&group) == 0);
    return salp_future_wait(cancelled_early);
}

/* By another task, while this one copies. */
static void a_call_may_be_cancelled_while_it_is_begun(void **state)
{
    static int errors[LARGE_INPUT / 4096];
    struct large large = { .pool = open_pool(SALP_PROCESSES, 2), .errors = errors };
    (void)state;
    fill_large(&large);
    assert_int_equal(salp_run(begin_and_be_cancelled, &large), -ECANCELED);
    salp_future_free(cancelled_early);
    assert_int_equal(salp_pool_close(large.pool), 0);
    free(large.in);
}

/* ---- imap ---- */

static int next_of_ten(void *in, void *arg)
{
    int *next = arg;
    *(int *)in = *next;
    return (*next)++ < 10;
}

static salp_results *results;

static int call_next(struct held *held)
{
    int out = -1;
    size_t index;
    (void)held;
    EXPECT(salp_results_next(results, &out, &index) == 1 && out == 0 && index == 0);
    return 0;
}

static int read_beside_another(void *arg)
{
    struct held *held = arg;
    int next = 0, out;
    size_t index;
    EXPECT(salp_imap(&results, held->pool, job_at_barrier, next_of_ten, &next, sizeof(int), sizeof(int),
                     &(salp_imap_options){ .ordered = true }) == 0);
    EXPECT(with_opener(held, call_next) == 0);
    for (int i = 1; i < 10; i++)
        EXPECT(salp_results_next(results, &out, &index) == 1 && out == i * i && index == (size_t)i);
    EXPECT(salp_results_next(results, &out, &index) == 0);
    salp_results_close(results);
    return 0;
}

static void waiting_for_a_result_suspends_its_task_alone(void **state)
{
    int fd = make_barrier();
    struct held held = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(read_beside_another, &held), 0);
    assert_int_equal(salp_pool_close(held.pool), 0);
    close(fd);
}

static int call_results_close(struct held *held)
{
    salp_scope scope;
    (void)held;
    salp_scope_open(&scope, 0);
    salp_results_close(results);
    salp_scope_close(&scope);
    return 0;
}

static int stop_reading_beside_another(void *arg)
{
    struct held *held = arg;
    int next = 0;
    EXPECT(salp_imap(&results, held->pool, job_at_barrier, next_of_ten, &next, sizeof(int), sizeof(int), NULL) == 0);
    EXPECT(reaches(&barrier->inside, 1));
    EXPECT(with_opener(held, call_results_close) == 0);
    return 0;
}

static void closing_results_suspends_its_task_alone(void **state)
{
    int fd = make_barrier();
    struct held held = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(stop_reading_beside_another, &held), 0);
    assert_int_equal(salp_pool_close(held.pool), 0);
    close(fd);
}

/* In a task, and in a plain thread. */
static int read_in_a_scope(void *arg)
{
    struct held *held = arg;
    int next = 0, out;
    size_t index;
    salp_scope scope;
    atomic_store(&barrier->open, 0);
    EXPECT(salp_imap(&results, held->pool, job_at_barrier, next_of_ten, &next, sizeof(int), sizeof(int),
                     &(salp_imap_options){ .ordered = true, .window = 3 }) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    for (int i = 0; i < 3; i++)
        EXPECT(salp_results_next(results, &out, &index) == -ETIMEDOUT && index == SIZE_MAX);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    atomic_store(&barrier->open, 1);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_results_next(results, &out, &index) == 1 && out == i * i && index == (size_t)i);
    EXPECT(salp_results_next(results, &out, &index) == 0);
    salp_results_close(results);
    return 0;
}

static void a_scope_ends_a_wait_for_a_result_and_loses_none(void **state)
{
    int fd = make_barrier();
    struct held held = { .pool = open_pool(test_engine(state), 2) };
    assert_int_equal(salp_run(read_in_a_scope, &held), 0);
    assert_int_equal(read_in_a_scope(&held), 0);
    assert_int_equal(salp_pool_close(held.pool), 0);
    close(fd);
}

static int read_without_a_place(void *arg)
{
    struct full *full = arg;
    int next = 0, out;
    size_t index;
    salp_scope scope;
    EXPECT(salp_imap(&results, full->pool, job_square, next_of_ten, &next, sizeof(int), sizeof(int),
                     &(salp_imap_options){ .ordered = true, .window = 1, .chunk = 1 }) == 0);
    EXPECT(salp_results_next(results, &out, &index) == 1 && out == 0);
    take_all_places(full);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    for (int i = 0; i < 3; i++)
        EXPECT(salp_results_next(results, &out, &index) == -ETIMEDOUT && index == SIZE_MAX);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(next == 2); /* pulled once, and kept */
    atomic_store(&full->gate->open, 1);
    for (int i = 1; i < 10; i++)
        EXPECT(salp_results_next(results, &out, &index) == 1 && out == i * i && index == (size_t)i);
    EXPECT(salp_results_next(results, &out, &index) == 0);
    salp_results_close(results);
    for (int i = 0; i < PLACES; i++) {
        EXPECT(salp_future_wait(full->futures[i]) == 0);
        salp_future_free(full->futures[i]);
    }
    return 0;
}

static void a_scope_ends_a_wait_for_a_place_and_loses_no_input(void **state)
{
    (void)state;
    for (int in_task = 0; in_task < 2; in_task++) {
        struct full full = { .gate = shared_memory(sizeof *full.gate) };
        full.pool = open_pool(SALP_PROCESSES, 1);
        assert_int_equal(in_task ? salp_run(read_without_a_place, &full) : read_without_a_place(&full), 0);
        assert_int_equal(salp_pool_close(full.pool), 0);
    }
}

/* ---- futures ---- */

static salp_future *future;
static int finished;

static int wait_for_it(void *arg)
{
    int result = salp_future_wait(future);
    EXPECT(result == *(int *)arg);
    finished++;
    return 0;
}

static int resolve_it(void *arg)
{
    (void)arg;
    EXPECT(salp_yield() == 0);
    EXPECT(finished == 0);
    return salp_future_resolve(future, 42);
}

static int wait_together(void *arg)
{
    static int expected = 42;
    salp_group group;
    (void)arg;
    salp_group_open(&group);
    for (int i = 0; i < 10; i++)
        EXPECT(salp_go(&group, wait_for_it, &expected) == 0);
    EXPECT(salp_go(&group, resolve_it, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(finished == 10);
    return 0;
}

static void tasks_wait_for_a_future_that_a_task_resolves(void **state)
{
    (void)state;
    assert_int_equal(salp_future_open(&future), 0);
    assert_int_equal(salp_run(wait_together, NULL), 0);
    salp_future_free(future);
}

static int give_up_waiting(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_future_wait(future) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(!salp_future_ready(future));
    return 0;
}

static void a_scope_ends_a_wait_for_a_future(void **state)
{
    (void)state;
    assert_int_equal(salp_future_open(&future), 0);
    assert_int_equal(salp_run(give_up_waiting, NULL), 0);
    assert_int_equal(give_up_waiting(NULL), 0);
    assert_int_equal(salp_future_resolve(future, 3), 0);
    assert_int_equal(salp_future_wait(future), 3);
    salp_future_free(future);
}

/* Loops and threads resolve futures for each other, again and again. */
struct rally {
    salp_future *ball[2][2000];
    int rounds;
};

static int play(struct rally *rally, int side)
{
    for (int i = 0; i < rally->rounds; i++) {
        if (side == 0)
            EXPECT(salp_future_resolve(rally->ball[0][i], i) == 0);
        EXPECT(salp_future_wait(rally->ball[!side][i]) == i);
        if (side == 1)
            EXPECT(salp_future_resolve(rally->ball[1][i], i) == 0);
    }
    return 0;
}

static int play_first(void *arg)
{
    return play(arg, 0);
}

static int play_second(void *arg)
{
    return play(arg, 1);
}

static void *play_in_loop(void *arg)
{
    EXPECT(salp_run(play_second, arg) == 0);
    return NULL;
}

static void *play_in_thread(void *arg)
{
    play(arg, 1);
    return NULL;
}

static void check_rally(void *(*other)(void *arg), bool in_loop)
{
    static struct rally rally;
    pthread_t thread;
    rally.rounds = test_scale(2000);
    for (int i = 0; i < 2 * rally.rounds; i++)
        assert_int_equal(salp_future_open(&rally.ball[i % 2][i / 2]), 0);
    assert_int_equal(pthread_create(&thread, NULL, other, &rally), 0);
    assert_int_equal(in_loop ? salp_run(play_first, &rally) : play(&rally, 0), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    for (int i = 0; i < 2 * rally.rounds; i++)
        salp_future_free(rally.ball[i % 2][i / 2]);
}

static void loops_and_threads_wake_each_other(void **state)
{
    (void)state;
    check_rally(play_in_loop, true);
    check_rally(play_in_thread, true);
    check_rally(play_in_loop, false);
    check_rally(play_in_thread, false);
}

/* The deadline comes just when the result does: the wait ends with one of them, and nothing is lost. */
struct race {
    salp_future *future;
    int64_t delay;
};

static void *resolve_after(void *arg)
{
    struct race *race = arg;
    doze(race->delay);
    EXPECT(salp_future_resolve(race->future, 7) == 0);
    return NULL;
}

static int wait_in_a_race(void *arg)
{
    struct race *race = arg;
    salp_scope scope;
    salp_scope_open(&scope, SALP_MICROSECONDS(100));
    int result = salp_future_wait(race->future);
    EXPECT(result == 7 || result == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == (result == 7 ? 0 : -ETIMEDOUT));
    EXPECT(salp_future_wait(race->future) == 7);
    return 0;
}

static void a_deadline_and_a_result_may_come_together(void **state)
{
    (void)state;
    for (int i = 0; i < test_scale(300); i++) {
        struct race race = { .delay = SALP_MICROSECONDS(1) * (i % 100) };
        pthread_t thread;
        assert_int_equal(salp_future_open(&race.future), 0);
        assert_int_equal(pthread_create(&thread, NULL, resolve_after, &race), 0);
        assert_int_equal(i % 2 ? salp_run(wait_in_a_race, &race) : wait_in_a_race(&race), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        salp_future_free(race.future);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a call suspends its task alone", a_call_suspends_its_task_alone),
        TEST_ENGINES("many tasks may call at once", many_tasks_may_call_at_once),
        TEST_PROCESSES("who waits for a place is served in turn", who_waits_for_a_place_is_served_in_turn),
        TEST_PROCESSES("the end of a pool wakes who waits for a place", the_end_of_a_pool_wakes_who_waits_for_a_place),
        TEST_ENGINES("failures and progress are told on a thread of the pool",
                     failures_and_progress_are_told_on_a_thread_of_the_pool),
        TEST_ENGINES("a call in a scope that is over runs nothing", a_call_in_a_scope_that_is_over_runs_nothing),
        TEST_ENGINES("a scope ends a call", a_scope_ends_a_call),
        TEST_ENGINES("a pool may be opened in a task", a_pool_may_be_opened_in_a_task),
        TEST_ENGINES("closing waits for calls of other tasks", closing_waits_for_calls_of_other_tasks),
        TEST_ENGINES("a task in a callback does not hinder others", a_task_in_a_callback_does_not_hinder_others),
        TEST_PROCESSES("opening a pool suspends its task alone", opening_a_pool_suspends_its_task_alone),
        TEST_PROCESSES("opening a pool in a copy suspends its task alone",
                       opening_a_pool_in_a_copy_suspends_its_task_alone),
        TEST_PROCESSES("opening a pool by a server suspends its task alone",
                       opening_a_pool_by_a_server_suspends_its_task_alone),
        TEST_PROCESSES("several tasks may open pools at once", several_tasks_may_open_pools_at_once),
        TEST_ENGINES("a scope ends the opening of a pool", a_scope_ends_the_opening_of_a_pool),
        TEST_ENGINES("closing a pool suspends its task alone", closing_a_pool_suspends_its_task_alone),
        TEST_ENGINES("terminating a pool suspends its task alone", terminating_a_pool_suspends_its_task_alone),
        TEST_ENGINES("waiting for a result suspends its task alone", waiting_for_a_result_suspends_its_task_alone),
        TEST_ENGINES("closing results suspends its task alone", closing_results_suspends_its_task_alone),
        TEST_ENGINES("a scope ends a wait for a result, and loses none",
                     a_scope_ends_a_wait_for_a_result_and_loses_none),
        TEST_PROCESSES("a scope ends a wait for a place, and loses no input",
                       a_scope_ends_a_wait_for_a_place_and_loses_no_input),
        TEST_ENGINES("other tasks go on while large inputs are copied",
                     other_tasks_go_on_while_large_inputs_are_copied),
        TEST_PROCESSES("a scope ends the copying of large inputs", a_scope_ends_the_copying_of_large_inputs),
        TEST_PROCESSES("a call may be cancelled while it is begun", a_call_may_be_cancelled_while_it_is_begun),
        TEST("tasks wait for a future that a task resolves", tasks_wait_for_a_future_that_a_task_resolves),
        TEST("a scope ends a wait for a future", a_scope_ends_a_wait_for_a_future),
        TEST("loops and threads wake each other", loops_and_threads_wake_each_other),
        TEST("a deadline and a result may come together", a_deadline_and_a_result_may_come_together),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
