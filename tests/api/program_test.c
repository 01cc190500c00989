/*
 * A pool and the life of its program: all its ends, and signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <sys/time.h>

static struct notes {
    struct gate gate;
    struct meeting meeting;
    atomic_int children;
} * notes;

struct program {
    struct lifeline line;
    salp_start start;
    int way; /* how the program ends */
    int64_t killed;
};

enum { RETURN, EXIT, CRASH, WAIT_TO_BE_KILLED };

/* Has one child and one child of a child, and waits for ever. */
static int job_with_children(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    if (fork() == 0) {
        if (fork() == 0)
            setsid();
        atomic_fetch_add(&notes->children, 1);
        for (;;)
            pause();
    }
    return gate_pass(&notes->gate);
}

static int job_hang(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    for (;;)
        pause();
    return 0;
}

static int program_with_busy_workers(void *arg)
{
    struct program *program = arg;
    salp_pool *pool;
    salp_future *future;
    bool fresh = program->start != SALP_FORK; /* then nothing of `notes` is seen by workers */

    lifeline_hold(&program->line);
    OR_FAIL(salp_pool_open(
                &pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 3, .start = program->start }) == 0);
    OR_FAIL(salp_map_async(&future, pool, fresh ? job_hang : job_with_children, NULL, 0, NULL, 0, 100, NULL) == 0);
    OR_FAIL(fresh || reaches(&notes->children, 6));
    if (program->way == CRASH)
        abort();
    if (program->way == EXIT)
        exit(0);
    while (program->way == WAIT_TO_BE_KILLED) {
        atomic_store(&notes->meeting.gate.inside, 1);
        pause();
    }
    return 0;
}

static void check_end_of_program(int way, salp_start start, int expected)
{
    struct program program = { .start = start, .way = way };
    pid_t pid;
    int64_t took;

    notes = shared_memory(sizeof *notes);
    lifeline_open(&program.line);
    pid = start_program(program_with_busy_workers, &program);
    lifeline_watch(&program.line);
    if (way == WAIT_TO_BE_KILLED) {
        assert_true(reaches(&notes->meeting.gate.inside, 1));
        assert_int_equal(kill(pid, SIGKILL), 0);
    }
    assert_int_equal(end_of_program(pid), expected);
    took = lifeline_wait(&program.line);
    assert_true(took >= 0);
    printf("# everything was gone %.1f ms after the program\n", (double)took / 1e6);
}

static void all_processes_are_gone_when_the_program_is_killed(void **state)
{
    (void)state;
    check_end_of_program(WAIT_TO_BE_KILLED, SALP_FORK, 1000 + SIGKILL);
}

static void all_processes_are_gone_when_a_program_with_fresh_workers_is_killed(void **state)
{
    (void)state;
    check_end_of_program(WAIT_TO_BE_KILLED, SALP_SPAWN, 1000 + SIGKILL);
    check_end_of_program(WAIT_TO_BE_KILLED, SALP_SERVER, 1000 + SIGKILL);
}

static void all_processes_are_gone_when_the_program_ends_without_closing(void **state)
{
    (void)state;
    check_end_of_program(RETURN, SALP_FORK, 0);
    check_end_of_program(EXIT, SALP_FORK, 0);
    check_end_of_program(CRASH, SALP_FORK, 1000 + SIGABRT);
}

/* Its child has every descriptor of the pool, and lives on. */
static int program_with_a_child_of_its_own(void *arg)
{
    struct program *program = arg;
    salp_pool *pool;
    pid_t child;

    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2 }) == 0);
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    child = fork();
    if (child == 0) {
        close(program->line.writing);
        atomic_store(&notes->children, getpid());
        for (;;)
            pause();
    }
    OR_FAIL(reaches(&notes->children, 1));
    raise(SIGKILL);
    return 0;
}

static void a_child_of_the_program_does_not_keep_workers_alive(void **state)
{
    struct program program = { 0 };
    pid_t pid, child;

    (void)state;
    notes = shared_memory(sizeof *notes);
    lifeline_open(&program.line);
    pid = start_program(program_with_a_child_of_its_own, &program);
    lifeline_watch(&program.line);
    assert_int_equal(end_of_program(pid), 1000 + SIGKILL);
    assert_true(lifeline_wait(&program.line) >= 0);
    child = atomic_load(&notes->children);
    assert_int_equal(kill(child, 0), 0); /* it is no business of the pool's */
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_true(test_gone(child, patience()));
}

static atomic_int interrupts;

static void count_interrupt(int number)
{
    (void)number;
    atomic_fetch_add(&interrupts, 1);
}

static int job_gated_square(const void *in, void *out, void *context)
{
    int error = gate_pass(&notes->gate);

    return error < 0 ? error : job_square(in, out, context);
}

static int program_that_is_interrupted(void *arg)
{
    pid_t ids[2], steward;
    int in[10], out[10];
    struct sigaction action = { .sa_handler = count_interrupt };
    salp_future *future;
    salp_pool *pool;

    (void)arg;
    OR_FAIL(setpgid(0, 0) == 0);
    sigaction(SIGINT, &action, NULL);
    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2 }) == 0);
    OR_FAIL(children_of(getpid(), &steward, 1) == 1);
    OR_FAIL(children_of(steward, ids, 2) == 2);
    for (int i = 0; i < 10; i++)
        in[i] = i;
    OR_FAIL(salp_map_async(&future, pool, job_gated_square, in, sizeof *in, out, sizeof *out, 10, NULL) == 0);
    OR_FAIL(reaches(&notes->gate.inside, 2));
    OR_FAIL(getpgid(steward) != getpgrp());
    OR_FAIL(getpgid(ids[0]) != getpgrp() && getpgid(ids[1]) != getpgrp());
    OR_FAIL(kill(0, SIGINT) == 0); /* as the terminal does it */
    OR_FAIL(reaches(&interrupts, 1));
    atomic_store(&notes->gate.open, 1);
    OR_FAIL(salp_future_wait(future) == 0);
    salp_future_free(future);
    for (int i = 0; i < 10; i++)
        OR_FAIL(out[i] == i * i);
    OR_FAIL(kill(ids[0], 0) == 0 && kill(ids[1], 0) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void an_interrupt_from_the_terminal_reaches_the_program_alone(void **state)
{
    (void)state;
    notes = shared_memory(sizeof *notes);
    assert_int_equal(run_program(program_that_is_interrupted, NULL), 0);
}

static void calls_go_on_while_signals_interrupt_them(void **state)
{
    struct sigaction action = { .sa_handler = count_interrupt }; /* without SA_RESTART */
    struct itimerval often = { { 0, 700 }, { 0, 700 } }, never = { { 0, 0 }, { 0, 0 } };

    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    for (int round = 0; round < 20; round++) {
        salp_pool *pool = open_pool(test_engine(state), 2);

        for (int i = 0; i < 10; i++)
            assert_int_equal(check_squares(pool, 3000, &(salp_map_options){ .chunk = (size_t)i }), 0);
        assert_int_equal(salp_pool_close(pool), 0);
    }
    assert_true(reaches(&interrupts, 10));
    setitimer(ITIMER_REAL, &never, NULL);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("all processes are gone when the program is killed", all_processes_are_gone_when_the_program_is_killed),
        TEST("all processes are gone when a program with fresh workers is killed",
             all_processes_are_gone_when_a_program_with_fresh_workers_is_killed),
        TEST("all processes are gone when the program ends without closing",
             all_processes_are_gone_when_the_program_ends_without_closing),
        TEST("a child of the program does not keep workers alive", a_child_of_the_program_does_not_keep_workers_alive),
        TEST("an interrupt from the terminal reaches the program alone",
             an_interrupt_from_the_terminal_reaches_the_program_alone),
        TEST_ENGINES("calls go on while signals interrupt them", calls_go_on_while_signals_interrupt_them),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
