/*
 * Jobs that end their worker in every way that a program knows, and a map in which one or two items
 * do so while all others have to come out right.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef FAULTS_H
#define FAULTS_H

#include "processes.h"

#include <sys/resource.h>

#include <salp/task.h>

enum fault {
    NO_FAULT,
    BAD_ACCESS,
    BAD_ACCESS_DEAF,
    BAD_THREAD,
    BAD_TASK,
    BAD_PAGE,
    BAD_INSTRUCTION,
    DEEP_RECURSION,
    DIVISION,
    ABORT,
    KILL,
    TERMINATE,
    EXIT_3,
    EXIT_NOW_4,
    EXIT_NOW_0,
    EXIT_THREAD,
    EXIT_THREAD_OF_TWO,
    WRITE_INPUT,
};

enum { FAULT_ITEMS = 60 };

#define BAD_ADDRESS ((void *)(uintptr_t)0x123450)

struct fault_item {
    int number;
    enum fault fault;
};

/* What jobs tell the test, in memory that both see. */
struct fault_notes {
    atomic_int runs[FAULT_ITEMS];
    void *address; /* which the job is about to touch */
    pid_t worker;  /* that is about to end */
};

static struct fault_notes *fault_notes;

static volatile int always = 1; /* keeps calls from becoming jumps, which would leave no frame */

static __attribute__((noinline)) void access_badly(void)
{
    *(volatile int *)BAD_ADDRESS = always;
    always++;
}

static inline int access_badly_in_task(void *arg)
{
    access_badly();
    return arg != NULL;
}

static __attribute__((noinline)) int recurse(int depth)
{
    volatile char frame[512];

    frame[depth & 511] = (char)depth;
    return always == INT_MAX ? 0 : recurse(depth + 1) + frame[0];
}

static __attribute__((noinline)) void divide(void)
{
#if defined __x86_64__ || defined __i386__
    __asm__ volatile("xorl %%ecx, %%ecx\n\tmovl $1, %%eax\n\tcltd\n\tidivl %%ecx" ::: "eax", "ecx", "edx", "cc");
#endif
    always++;
}

static __attribute__((noinline)) void execute_badly(void)
{
#if defined __x86_64__ || defined __i386__
    __asm__ volatile("ud2");
#elif defined __aarch64__
    __asm__ volatile(".inst 0");
#endif
    always++;
}

static inline void *thread_of_job(void *arg)
{
    access_badly();
    return arg;
}

static inline void *thread_that_waits(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static inline void touch_bad_page(void)
{
    int file = memfd_create("empty", MFD_CLOEXEC);
    volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0); /* behind the file's end */

    fault_notes->address = (void *)(uintptr_t)(page + 100);
    page[100] = 1;
}

static inline void commit(enum fault fault, const void *in)
{
    sigset_t all;
    pthread_t thread;

    switch (fault) {
    case NO_FAULT:
        break;
    case BAD_ACCESS_DEAF:
        sigfillset(&all);
        sigprocmask(SIG_BLOCK, &all, NULL);
        access_badly();
        break;
    case BAD_TASK:
        salp_run(access_badly_in_task, NULL);
        break;
    case BAD_ACCESS:
        access_badly();
        break;
    case BAD_THREAD:
        pthread_create(&thread, NULL, thread_of_job, NULL);
        pthread_join(thread, NULL);
        break;
    case BAD_PAGE:
        touch_bad_page();
        break;
    case BAD_INSTRUCTION:
        execute_badly();
        break;
    case DEEP_RECURSION:
        setrlimit(RLIMIT_STACK, &(struct rlimit){ 1 << 20, RLIM_INFINITY }); /* the sooner it ends */
        recurse(0);
        break;
    case DIVISION:
        divide();
        break;
    case ABORT:
        abort();
    case KILL:
        raise(SIGKILL);
        break;
    case TERMINATE:
        raise(SIGTERM);
        break;
    case EXIT_3:
        exit(3);
    case EXIT_NOW_4:
        _exit(4);
    case EXIT_NOW_0:
        _exit(0);
    case EXIT_THREAD_OF_TWO:
        pthread_create(&thread, NULL, thread_that_waits, NULL);
        pthread_exit(NULL);
    case EXIT_THREAD:
        pthread_exit(NULL);
    case WRITE_INPUT:
        fault_notes->address = (void *)(uintptr_t)in;
        *(volatile int *)(uintptr_t)in = 1;
        break;
    }
}

static inline int job_fault(const void *in, void *out, void *context)
{
    const struct fault_item *item = in;

    atomic_fetch_add(&fault_notes->runs[item->number], 1);
    if (item->fault != NO_FAULT)
        fault_notes->worker = getpid();
    commit(item->fault, in);
    return job_square(&item->number, out, context);
}

/*
 * Runs maps in which one item commits the fault: the first, the last, and one in the middle of a
 * chunk, whose neighbours before and behind it have to come out right. Each item runs once. Then a
 * healthy map has to work. Returns the backtrace of the last failure, and that failure.
 */
static inline const char *check_fault(enum fault fault, int error, salp_failure *last)
{
    static const int places[] = { 0, 31, FAULT_ITEMS - 1, 31 };
    static const size_t chunks[] = { 0, 1, 20, 1000 };
    static struct failures failures;
    struct fault_item in[FAULT_ITEMS];
    int out[FAULT_ITEMS], errors[FAULT_ITEMS];
    salp_pool *pool;

    fflush(NULL); /* a job that calls exit would write this program's buffers a second time */
    fault_notes = shared_memory(sizeof *fault_notes);
    pool = open_pool(SALP_PROCESSES, 2);
    for (size_t round = 0; round < LENGTH(places) * LENGTH(chunks); round++) {
        int place = places[round % LENGTH(places)];

        memset(&failures, 0, sizeof failures);
        for (int i = 0; i < FAULT_ITEMS; i++) {
            in[i] = (struct fault_item){ i, i == place ? fault : NO_FAULT };
            out[i] = errors[i] = -12345;
        }
        assert_int_equal(salp_map(pool, job_fault, in, sizeof *in, out, sizeof *out, FAULT_ITEMS,
                                  &(salp_map_options){ .chunk = chunks[round / LENGTH(places)],
                                                       .errors = errors,
                                                       .on_failure = note_failure,
                                                       .on_failure_arg = &failures }),
                         error);
        for (int i = 0; i < FAULT_ITEMS; i++) {
            assert_int_equal(errors[i], i == place ? error : 0);
            assert_int_equal(out[i], i == place ? -12345 : i * i);
            assert_int_equal(atomic_exchange(&fault_notes->runs[i], 0), 1);
            assert_int_equal(in[i].number, i);
        }
        assert_int_equal(failures.count, 1);
        assert_int_equal(failures.each[0].index, place);
        assert_int_equal(failures.each[0].error, error);
        assert_int_equal(failures.each[0].attempt, 1);
        assert_int_equal(failures.each[0].worker, fault_notes->worker);
        assert_false(failures.odd);
    }
    assert_int_equal(check_squares(pool, 1000, NULL), 0);
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_pool_close(pool), 0);
    *last = failures.each[0];
    return failures.backtrace;
}

#endif
