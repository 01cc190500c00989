/*
 * A function in a process of its own, by each start method, from a task and from a plain thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"
#include "tasks.h"

#include <dlfcn.h>

#include <salp/loop.h>
#include <salp/process.h>
#include <salp/select.h>
#include <salp/signal.h>

static salp_start start_now; /* what the test at hand uses */

/* What a test starts with, beside the method. */
#define WITH(...) (&(salp_process_options){ .start = start_now, __VA_ARGS__ })

/* Runs it by each method, in a plain thread and in a task. */
static void each(salp_fn *function)
{
    test_keeps_descriptors(2); /* the server, and the channel to it */
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++) {
        print_message("start %d\n", (int)start_now);
        in_both(function);
    }
}

static salp_process *started(salp_fn *function, const void *arg, size_t size)
{
    salp_process *process;
    int result = salp_process_start(&process, function, (void *)(uintptr_t)arg, WITH(.argument_size = size));
    if (result < 0)
        fprintf(stderr, "# %s\n", salp_strerror(result));
    EXPECT(result == 0);
    return process;
}

static salp_process_ending ended(salp_process *process)
{
    salp_process_ending status;
    EXPECT(salp_process_wait_ending(process, &status) == 0);
    int number = 12345;
    EXPECT(salp_process_wait(process, &number) == 0);
    EXPECT(number == (status.signal != 0 ? -status.signal : status.exit_status));
    EXPECT(!salp_process_alive(process));
    EXPECT(salp_process_close(process) == 0);
    return status;
}

/* ---- results ---- */

static int give_back(void *arg)
{
    return *(int *)arg;
}

static int results(void *arg)
{
    static const int cases[][2] = { { 0, 0 },      { 7, 7 },       { 255, 255 },       { 256, 255 },
                                    { 4096, 255 }, { -ENOENT, 1 }, { SALP_ECLOSED, 1 } };
    (void)arg;
    for (size_t i = 0; i < LENGTH(cases); i++) {
        salp_process_ending s = ended(started(give_back, &cases[i][0], sizeof(int)));
        EXPECT(s.result == cases[i][0] && s.exit_status == cases[i][1]);
        EXPECT(s.signal == 0 && s.address == NULL);
    }
    return 0;
}

static void a_result_becomes_the_exit_status(void **state)
{
    (void)state;
    each(results);
}

static int exit_with(void *arg)
{
    printf("written and not flushed\n");
    if (*(int *)arg == 1)
        exit(9);
    if (*(int *)arg == 2)
        _exit(8);
    pthread_exit(NULL);
}

static int exits(void *arg)
{
    static const int ways[] = { 1, 2, 3 }, statuses[] = { 9, 8, 0 };
    (void)arg;
    for (int i = 0; i < 3; i++) {
        salp_process_ending s = ended(started(exit_with, &ways[i], sizeof(int)));
        EXPECT(s.exit_status == statuses[i] && s.result == statuses[i] && s.signal == 0);
    }
    return 0;
}

static void a_function_may_exit(void **state)
{
    (void)state;
    each(exits);
}

/* Both come back from the function: the fork first. */
static int return_twice(void *arg)
{
    (void)arg;
    pid_t other = fork();
    if (other == 0)
        return -EILSEQ;
    if (other < 0 || waitpid(other, NULL, 0) != other)
        return -EIO;
    _exit(7);
}

static int forks_inside(void *arg)
{
    (void)arg;
    salp_process_ending s = ended(started(return_twice, NULL, 0));
    EXPECT(s.result == 7 && s.exit_status == 7 && s.signal == 0);
    return 0;
}

static void the_result_of_a_fork_inside_is_not_that_of_the_process(void **state)
{
    (void)state;
    each(forks_inside);
}

static int is_null(void *arg)
{
    return arg == NULL ? 3 : 4;
}

static int without_argument(void *arg)
{
    salp_process *process;
    (void)arg;
    EXPECT(ended(started(is_null, NULL, 0)).result == 3);
    if (start_now == SALP_FORK) {
        EXPECT(salp_process_start(&process, is_null, NULL, NULL) == 0);
        EXPECT(ended(process).result == 3);
    }
    return 0;
}

static void an_argument_may_be_missing(void **state)
{
    (void)state;
    each(without_argument);
}

struct large {
    int go; /* descriptor: the argument here is another one by now */
    _Alignas(16) char bytes[100000];
};

static int sum_up(void *arg)
{
    struct large *l = arg;
    char byte;
    int sum = 0;
    if ((uintptr_t)arg % 16 != 0 || read(l->go, &byte, 1) != 1)
        return -EIO;
    for (size_t i = 0; i < sizeof l->bytes; i++)
        sum += l->bytes[i];
    l->bytes[0] = 99; /* it is the process's own */
    return sum == (int)sizeof l->bytes ? 0 : -EILSEQ;
}

static int copied(void *arg)
{
    int ends[2];
    struct large *l = malloc(sizeof *l);
    salp_process *process;
    (void)arg;
    EXPECT(l && pipe(ends) == 0);
    l->go = ends[0];
    memset(l->bytes, 1, sizeof l->bytes);
    EXPECT(salp_process_start(&process, sum_up, l,
                              WITH(.argument_size = sizeof *l, .descriptors = ends, .descriptor_count = 1)) == 0);
    memset(l, 2, sizeof *l);
    EXPECT(write(ends[1], "x", 1) == 1);
    EXPECT(ended(process).result == 0);
    EXPECT(l->bytes[0] == 2);
    free(l);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void an_argument_is_copied(void **state)
{
    (void)state;
    each(copied);
}

/* ---- descriptors ---- */

struct held {
    int reading, writing, unlisted, twice;
};

static int use_descriptors(void *arg)
{
    struct held *h = arg;
    char text[6] = { 0 };
    if (read(h->reading, text, 5) != 5 || strcmp(text, "hello") != 0)
        return -EIO;
    if (write(h->writing, "world", 5) != 5)
        return -EIO;
    if (fcntl(h->reading, F_GETFD) != FD_CLOEXEC)
        return -EILSEQ;
    return fcntl(h->unlisted, F_GETFD) < 0 ? 1 : 2;
}

static int hand_on(void *arg)
{
    int to[2], from[2];
    char text[6] = { 0 };
    salp_process *process;
    (void)arg;
    EXPECT(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    EXPECT(dup3(from[1], 234, O_CLOEXEC) == 234);
    struct held h = { .reading = to[0], .writing = 234, .unlisted = from[0] };
    const int listed[] = { 234, to[0], 234, 1 };
    EXPECT(write(to[1], "hello", 5) == 5);
    EXPECT(salp_process_start(
               &process, use_descriptors, &h,
               WITH(.argument_size = sizeof h, .descriptors = listed, .descriptor_count = LENGTH(listed))) == 0);
    EXPECT(ended(process).result == (start_now == SALP_FORK ? 2 : 1));
    EXPECT(read(from[0], text, 5) == 5 && strcmp(text, "world") == 0);
    close(234);
    close(from[1]);
    EXPECT(read(from[0], text, 5) == 0); /* nobody else holds it any more */
    close(from[0]);
    close(to[0]);
    close(to[1]);
    EXPECT(salp_process_start(&process, use_descriptors, &h,
                              WITH(.argument_size = sizeof h, .descriptors = &to[0], .descriptor_count = 1)) == -EBADF);
    EXPECT(process == NULL);
    return 0;
}

static void descriptors_keep_their_numbers(void **state)
{
    (void)state;
    each(hand_on);
}

static int read_all(void *arg)
{
    int *fds = arg, sum = 0;
    for (int i = 0; i < SALP_PROCESS_DESCRIPTORS_MAX; i++) {
        char byte = 0;
        if (pread(fds[i], &byte, 1, i) != 1)
            return -EIO;
        sum += byte;
    }
    return sum == SALP_PROCESS_DESCRIPTORS_MAX ? 0 : -EILSEQ;
}

static int hand_on_many(void *arg)
{
    int fds[SALP_PROCESS_DESCRIPTORS_MAX + 1];
    char ones[SALP_PROCESS_DESCRIPTORS_MAX];
    salp_process *process;
    (void)arg;
    memset(ones, 1, sizeof ones);
    for (size_t i = 0; i < LENGTH(fds); i++) {
        fds[i] = memfd_create("many", MFD_CLOEXEC);
        EXPECT(fds[i] >= 0 && write(fds[i], ones, sizeof ones) == sizeof ones);
    }
    EXPECT(salp_process_start(&process, read_all, fds,
                              WITH(.argument_size = sizeof fds, .descriptors = fds,
                                   .descriptor_count = SALP_PROCESS_DESCRIPTORS_MAX)) == 0);
    EXPECT(ended(process).result == 0);
    EXPECT(salp_process_start(&process, read_all, fds,
                              WITH(.argument_size = sizeof fds, .descriptors = fds,
                                   .descriptor_count = SALP_PROCESS_DESCRIPTORS_MAX + 1)) == -EINVAL);
    for (size_t i = 0; i < LENGTH(fds); i++)
        close(fds[i]);
    return 0;
}

static void many_descriptors_can_be_handed_on(void **state)
{
    (void)state;
    each(hand_on_many);
}

/* Standard output is the one of now, not that of the time when the server was started. */
static int write_output(void *arg)
{
    (void)arg;
    printf("to whom it may concern");
    return 0;
}

static int redirect(void *arg)
{
    int ends[2], before = dup(1);
    char text[30] = { 0 };
    (void)arg;
    fflush(stdout);
    EXPECT(before >= 0 && pipe(ends) == 0 && dup2(ends[1], 1) == 1);
    salp_process_ending s = ended(started(write_output, NULL, 0));
    EXPECT(dup2(before, 1) == 1 && s.result == 0);
    close(ends[1]);
    EXPECT(read(ends[0], text, sizeof text) == 22 && strcmp(text, "to whom it may concern") == 0);
    close(ends[0]);
    close(before);
    return 0;
}

static void output_goes_where_that_of_the_program_goes(void **state)
{
    (void)state;
    each(redirect);
}

/* Which of the first three are open: a sum of 1, 2 and 4. */
static int find_standard(void *arg)
{
    int found = 0;
    (void)arg;
    for (int i = 0; i < 3; i++)
        found += fcntl(i, F_GETFD) >= 0 ? 1 << i : 0;
    return found;
}

/* Where standard input was, whatever is opened next lies: not before the first start, and something of Salp's after it. A
   fork has all that is open. */
static int close_standard_input(void *arg)
{
    int before = dup(0);
    (void)arg;
    EXPECT(before >= 0 && close(0) == 0);
    salp_process *first = started(find_standard, NULL, 0), *second = started(find_standard, NULL, 0);
    int found = ended(first).result, found_then = ended(second).result;
    EXPECT(dup2(before, 0) == 0 && close(before) == 0);
    if (start_now != SALP_FORK)
        EXPECT(found == 6 && found_then == 6);
    return 0;
}

static void what_is_closed_here_is_closed_there(void **state)
{
    (void)state;
    /* As `each`, but in no task: what its loop opens would lie there, too, when we put back what was. */
    test_keeps_descriptors(2);
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++)
        EXPECT(close_standard_input(NULL) == 0);
    /* And once more by a server that was there before. */
    start_now = SALP_SERVER;
    EXPECT(close_standard_input(NULL) == 0);
}

/* ---- crashes ---- */

static volatile int always = 1;

static __attribute__((noinline, no_sanitize("address", "thread", "undefined"))) void touch_badly(void)
{
    *(volatile int *)(uintptr_t)0x123450 = always;
    always++;
}

static int crash(void *arg)
{
    (void)arg;
    touch_badly();
    return 0;
}

static int crash_in_task(void *arg)
{
    return salp_run(crash, arg);
}

static int do_abort(void *arg)
{
    (void)arg;
    abort();
}

static int crashes(void *arg)
{
    salp_fn *functions[] = { crash, crash_in_task };
    salp_process_ending s;
    (void)arg;
    for (size_t i = 0; i < LENGTH(functions); i++) {
        salp_process *process = started(functions[i], NULL, 0);
        EXPECT(salp_process_wait_ending(process, &s) == 0);
        EXPECT(s.signal == SIGSEGV && s.exit_status == -1 && s.result == SALP_EKILLED);
        EXPECT(s.address == (void *)(uintptr_t)0x123450);
        const char *text = salp_process_backtrace(process);
        if (!strstr(text, "touch_badly") || !strstr(text, "process_test.c"))
            fprintf(stderr, "# the backtrace is:\n%s", text);
        EXPECT(strstr(text, "#0 touch_badly at ") && strstr(text, "process_test.c"));
        EXPECT(salp_process_backtrace(process) == text);
        EXPECT(salp_process_close(process) == 0);
    }
    s = ended(started(do_abort, NULL, 0));
    EXPECT(s.signal == SIGABRT && s.address == NULL && s.exit_status == -1);
    return 0;
}

static void a_crash_tells_its_signal_and_where(void **state)
{
    (void)state;
    each(crashes);
}

/* ---- ending ---- */

static int wait_for_ever(void *arg)
{
    if (arg)
        signal(SIGTERM, SIG_IGN);
    if (arg && write(*(int *)arg, "x", 1) != 1)
        return -EIO;
    for (;;)
        pause();
}

static int end_each_way(void *arg)
{
    (void)arg;
    salp_process *process = started(wait_for_ever, NULL, 0);
    EXPECT(salp_process_alive(process) && salp_process_pid(process) > 0 && salp_process_fd(process) >= 0);
    EXPECT(kill(salp_process_pid(process), 0) == 0);
    EXPECT(strcmp(salp_process_backtrace(process), "") == 0);
    EXPECT(salp_process_terminate(process) == 0);
    salp_process_ending s;
    EXPECT(salp_process_wait_ending(process, &s) == 0 && s.signal == SIGTERM && s.result == SALP_EKILLED);
    EXPECT(strcmp(salp_process_backtrace(process), "") == 0);
    EXPECT(salp_process_terminate(process) == 0 && salp_process_kill(process) == 0); /* it has ended */
    EXPECT(salp_process_wait_ending(process, &s) == 0 && s.signal == SIGTERM);       /* again */
    EXPECT(salp_process_close(process) == 0);

    process = started(wait_for_ever, NULL, 0);
    EXPECT(salp_process_kill(process) == 0);
    EXPECT(ended(process).signal == SIGKILL);
    return 0;
}

static void it_can_be_terminated_and_killed(void **state)
{
    (void)state;
    each(end_each_way);
}

/* One that SIGTERM does not end is killed, and one that has ended costs no time. */
static int close_the_deaf(void *arg)
{
    int ends[2];
    char byte;
    salp_process *process;
    (void)arg;
    EXPECT(pipe(ends) == 0);
    for (int round = 0; round < 2; round++) {
        EXPECT(salp_process_start(&process, wait_for_ever, &ends[1],
                                  WITH(.argument_size = sizeof(int), .descriptors = &ends[1], .descriptor_count = 1,
                                       .kill_after = round == 0 ? SALP_MILLISECONDS(1) : -1)) == 0);
        EXPECT(read(ends[0], &byte, 1) == 1);
        pid_t pid = salp_process_pid(process);
        EXPECT(salp_process_close(process) == 0);
        EXPECT(test_gone(pid, patience()));
    }
    close(ends[0]);
    close(ends[1]);
    process = started(wait_for_ever, NULL, 0);
    pid_t pid = salp_process_pid(process);
    EXPECT(salp_process_close(process) == 0);
    EXPECT(test_gone(pid, patience()));
    EXPECT(salp_process_close(NULL) == 0);
    return 0;
}

static void closing_ends_it(void **state)
{
    (void)state;
    each(close_the_deaf);
}

/* ---- waiting ---- */

static int scopes(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_process *process = started(wait_for_ever, NULL, 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_process_wait(process, NULL) == -ETIMEDOUT);
    EXPECT(salp_process_wait(process, NULL) == -ETIMEDOUT);
    salp_process *none;
    EXPECT(salp_process_start(&none, is_null, NULL, WITH(0)) == -ETIMEDOUT && none == NULL);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_process_alive(process));
    salp_scope_open(&scope, SALP_FOREVER);
    salp_scope_cancel(&scope);
    EXPECT(salp_process_wait(process, NULL) == -ECANCELED);
    EXPECT(salp_process_close(process) == 0); /* a scope does not end that */
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    return 0;
}

static void a_scope_ends_the_wait_not_the_process(void **state)
{
    (void)state;
    each(scopes);
}

static int waited;

static int wait_for_seven(void *process)
{
    salp_process_ending s;
    EXPECT(salp_process_wait_ending(process, &s) == 0 && s.result == 7);
    waited++;
    return 0;
}

static int read_and_give_back(void *arg)
{
    int *fds = arg;
    char byte;
    return read(fds[0], &byte, 1) == 1 ? 7 : -EIO;
}

static int tasks_wait(void *arg)
{
    int ends[2];
    salp_group group;
    salp_process *process;
    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(salp_process_start(&process, read_and_give_back, ends,
                              WITH(.argument_size = sizeof ends, .descriptors = ends, .descriptor_count = 1)) == 0);
    waited = 0;
    salp_group_open(&group);
    for (int i = 0; i < 5; i++)
        EXPECT(salp_go(&group, wait_for_seven, process) == 0);
    let_others_wait();
    EXPECT(waited == 0 && write(ends[1], "x", 1) == 1); /* the loop goes on meanwhile */
    EXPECT(salp_group_close(&group) == 0 && waited == 5);
    EXPECT(salp_process_close(process) == 0);
    close(ends[0]);
    close(ends[1]);
    return 0;
}

static void several_tasks_wait_for_one(void **state)
{
    (void)state;
    test_keeps_descriptors(2);
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++)
        assert_int_equal(salp_run(tasks_wait, NULL), 0);
}

static int many(void *arg)
{
    salp_process *processes[20];
    int numbers[20];
    (void)arg;
    for (int i = 0; i < 20; i++) {
        numbers[i] = i + 10;
        processes[i] = started(give_back, &numbers[i], sizeof(int));
    }
    for (int i = 19; i >= 0; i--)
        EXPECT(ended(processes[i]).exit_status == i + 10);
    return 0;
}

static void many_run_at_a_time(void **state)
{
    (void)state;
    each(many);
}

/* ---- several things at a time ---- */

static int select_each(void *arg)
{
    enum { COUNT = 20 };
    salp_process *processes[COUNT];
    salp_case cases[COUNT + 2] = { { 0 } };
    int go[COUNT][2], fds[COUNT], in = 1, out = 0;
    salp_queue *queue;
    salp_scope scope;
    (void)arg;
    EXPECT(salp_queue_open(&queue, &(salp_queue_options){ .item_size = sizeof(int), .capacity = 1 }) == 0);
    cases[COUNT] = (salp_case){ .get = queue, .item = &out };
    cases[COUNT + 1] = (salp_case){ .after = SALP_MILLISECONDS(1) };
    for (int i = 0; i < COUNT; i++) {
        EXPECT(pipe2(go[i], O_CLOEXEC) == 0);
        EXPECT(salp_process_start(&processes[i], read_and_give_back, go[i],
                                  WITH(.argument_size = sizeof go[i], .descriptors = go[i], .descriptor_count = 1)) ==
               0);
        fds[i] = salp_process_fd(processes[i]);
        cases[i] = (salp_case){ .readable = &fds[i] };
    }
    EXPECT(salp_select(cases, COUNT + 2) == COUNT + 1); /* time */
    cases[COUNT + 1] = (salp_case){ 0 };
    for (int i = COUNT - 1; i >= 0; i -= 2) {
        EXPECT(write(go[i][1], "x", 1) == 1);
        cases[COUNT].get = i % 4 == 1 ? queue : NULL; /* with and without anything else */
        EXPECT(salp_select(cases, COUNT + 1) == i && cases[i].result == 0);
        EXPECT(!salp_process_alive(processes[i]));
        cases[i].readable = NULL;
    }
    cases[COUNT].get = queue;
    EXPECT(salp_queue_put(queue, &in) == 0);
    EXPECT(salp_select(cases, COUNT + 1) == COUNT && out == 1); /* the others run */
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_select(cases, COUNT + 1) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    for (int i = 0; i < COUNT; i++) {
        EXPECT(salp_process_close(processes[i]) == 0);
        close(go[i][0]);
        close(go[i][1]);
    }
    EXPECT(salp_select(cases, COUNT) == -EBADF);
    salp_queue_close(queue);
    return 0;
}

static void a_select_waits_for_the_first_of_many(void **state)
{
    (void)state;
    each(select_each);
}

struct feed {
    salp_queue *queue;
    int writing;
    atomic_int taken;
};

/* Puts an item, waits until it was taken; writes a byte, waits likewise. */
static void *feed(void *arg)
{
    struct feed *f = arg;
    for (int i = 0; i < 200; i += 2) {
        EXPECT(salp_queue_put(f->queue, &i) == 0);
        EXPECT(reaches(&f->taken, i + 1));
        EXPECT(write(f->writing, "x", 1) == 1);
        EXPECT(reaches(&f->taken, i + 2));
    }
    return NULL;
}

static int select_from_thread(void *arg)
{
    struct feed f = { .queue = NULL };
    int ends[2], item;
    char byte;
    pthread_t thread;
    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    EXPECT(salp_queue_open(&f.queue, &(salp_queue_options){ .item_size = sizeof(int) }) == 0); /* a rendezvous */
    f.writing = ends[1];
    salp_case cases[] = { { .readable = &ends[0] }, { .get = f.queue, .item = &item } };
    EXPECT(pthread_create(&thread, NULL, feed, &f) == 0);
    for (int i = 0; i < 200; i++) {
        int chosen = salp_select(cases, 2);
        EXPECT(chosen == (i % 2 == 0 ? 1 : 0) && cases[chosen].result == 0);
        EXPECT(chosen == 1 ? item == i : read(ends[0], &byte, 1) == 1);
        atomic_fetch_add(&f.taken, 1);
    }
    EXPECT(pthread_join(thread, NULL) == 0);
    cases[1] = cases[0]; /* the same descriptor twice */
    EXPECT(write(ends[1], "x", 1) == 1 && salp_select(cases, 2) == 0);
    EXPECT(read(ends[0], &byte, 1) == 1);
    close(ends[1]);
    EXPECT(salp_select(cases + 1, 1) == 0); /* the end can be read */
    cases[0].after = 1;
    EXPECT(salp_select(cases, 2) == -EINVAL);
    salp_queue_close(f.queue);
    close(ends[0]);
    return 0;
}

static void a_select_waits_for_queues_and_descriptors_alike(void **state)
{
    (void)state;
    in_both(select_from_thread);
}

/* ---- who reaps ---- */

static int reaped_by_others(void *arg)
{
    struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
    int seven = 7;
    salp_process_ending s;
    (void)arg;
    EXPECT(sigaction(SIGCHLD, &ignore, &before) == 0);
    s = ended(started(give_back, &seven, sizeof seven));
    EXPECT(s.exit_status == 7 && s.result == 7);
    s = ended(started(crash, NULL, 0));
    EXPECT(s.signal == SIGSEGV && s.exit_status == -1);
    salp_process *process = started(wait_for_ever, NULL, 0);
    EXPECT(salp_process_kill(process) == 0);
    int result = salp_process_wait_ending(process, &s);
    EXPECT(result == 0 ? s.signal == SIGKILL : result == -ECHILD && s.signal == 0 && s.exit_status == -1);
    EXPECT(salp_process_wait(process, NULL) == result);
    EXPECT(salp_process_close(process) == 0);
    EXPECT(sigaction(SIGCHLD, &before, NULL) == 0);
    return 0;
}

static void somebody_else_may_reap_it(void **state)
{
    (void)state;
    each(reaped_by_others);
}

/* ---- what it finds ---- */

static int look_at_signals(void *arg)
{
    sigset_t blocked;
    struct sigaction action;
    (void)arg;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    sigaction(SIGUSR1, NULL, &action);
    return sigismember(&blocked, SIGUSR2) && !sigismember(&blocked, SIGUSR1) && action.sa_handler == SIG_DFL ? 5 : 6;
}

static void told(int number, void *arg)
{
    (void)number, (void)arg;
}

static int signals(void *arg)
{
    sigset_t set, before;
    (void)arg;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    EXPECT(pthread_sigmask(SIG_BLOCK, &set, &before) == 0);
    salp_loop *loop = salp_loop_current();
    if (loop)
        EXPECT(salp_loop_signal(loop, SIGUSR1, told, NULL) == 0);
    EXPECT(ended(started(look_at_signals, NULL, 0)).result == 5);
    if (loop)
        EXPECT(salp_loop_signal(loop, SIGUSR1, NULL, NULL) == 0);
    EXPECT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return 0;
}

static void signals_are_as_they_were_and_none_is_caught(void **state)
{
    (void)state;
    each(signals);
}

static int look_at_name(void *arg)
{
    char name[32] = { 0 };
    FILE *file = fopen("/proc/self/comm", "re");
    if (!file || !fgets(name, sizeof name, file))
        return -EIO;
    fclose(file);
    return strcmp(name, arg) == 0 && getpgrp() == *(pid_t *)((char *)arg + 28) ? 0 : -EILSEQ;
}

static int name_it(void *arg)
{
    char expected[32] = "a long name tha\n";
    pid_t group = getpgrp();
    salp_process *process;
    (void)arg;
    memcpy(expected + 28, &group, sizeof group);
    EXPECT(salp_process_start(&process, look_at_name, expected,
                              WITH(.argument_size = sizeof expected, .name = "a long name that is cut")) == 0);
    EXPECT(ended(process).result == 0);
    return 0;
}

static void it_has_its_name_and_the_group_of_the_program(void **state)
{
    (void)state;
    each(name_it);
}

static int sleep_a_little(void *arg)
{
    (void)arg;
    return salp_sleep(SALP_MILLISECONDS(1));
}

static int start_more(void *arg)
{
    static const int depth = 3;
    salp_pool *pool;
    salp_process *process;
    salp_process_ending s;
    int left = *(int *)arg - 1, result = salp_run(sleep_a_little, NULL);
    if (result == 0)
        result = salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES, .workers = 2 });
    if (result == 0)
        result = check_squares(pool, 100, NULL);
    if (result == 0)
        result = salp_pool_close(pool);
    if (result < 0 || left == 0)
        return result < 0 ? result : depth;
    result = salp_process_start(&process, start_more, &left,
                                &(salp_process_options){ .start = *(int *)arg == depth ? SALP_FORK : SALP_SPAWN,
                                                         .argument_size = sizeof left });
    if (result < 0)
        return result;
    result = salp_process_wait_ending(process, &s);
    salp_process_close(process);
    return result < 0 ? result : s.result;
}

static int nest(void *arg)
{
    int depth = 3;
    (void)arg;
    EXPECT(ended(started(start_more, &depth, sizeof depth)).result == depth);
    return 0;
}

static void it_may_open_runs_pools_and_processes(void **state)
{
    (void)state;
    each(nest);
}

/* A fork of one that watches itself for crashes does so, too, and nothing comes back to it. */
static int crash_below(void *arg)
{
    salp_process *process;
    salp_process_ending s;
    (void)arg;
    if (salp_process_start(&process, crash, NULL, NULL) < 0 || salp_process_wait_ending(process, &s) < 0)
        return -EIO;
    bool named = strstr(salp_process_backtrace(process), "touch_badly");
    salp_process_close(process);
    return s.signal == SIGSEGV && named ? 0 : -EILSEQ;
}

static int crash_nested(void *arg)
{
    (void)arg;
    salp_process *process = started(crash_below, NULL, 0);
    salp_process_ending s;
    EXPECT(salp_process_wait_ending(process, &s) == 0 && s.result == 0 && s.signal == 0);
    EXPECT(salp_process_close(process) == 0);
    return 0;
}

static void a_crash_below_is_told_to_who_has_started_it(void **state)
{
    (void)state;
    each(crash_nested);
}

/* ---- a fork's memory, and whose objects ---- */

static int memory_now;

static int look_at_memory(void *arg)
{
    int seen = memory_now;
    memory_now = 99;
    return arg == &memory_now ? seen : -EILSEQ;
}

static int forks(void *arg)
{
    salp_process *process;
    (void)arg;
    memory_now = 42;
    EXPECT(salp_process_start(&process, look_at_memory, &memory_now, NULL) == 0);
    EXPECT(ended(process).result == 42 && memory_now == 42);
    return 0;
}

static void a_fork_sees_memory_as_it_is_now(void **state)
{
    (void)state;
    in_both(forks);
}

static int use_that_of_the_program(void *arg)
{
    salp_process *process = arg;
    salp_process_ending s;
    bool refused = salp_process_wait_ending(process, &s) == SALP_EFORKED &&
                   salp_process_kill(process) == SALP_EFORKED && salp_process_terminate(process) == SALP_EFORKED;
    return refused && salp_process_close(process) == 0 ? 0 : -EILSEQ;
}

static int inherited(void *arg)
{
    salp_process *other = started(wait_for_ever, NULL, 0), *process;
    (void)arg;
    EXPECT(salp_process_start(&process, use_that_of_the_program, other, NULL) == 0);
    EXPECT(ended(process).result == 0);
    EXPECT(salp_process_alive(other)); /* the fork's close has ended nothing */
    EXPECT(salp_process_close(other) == 0);
    return 0;
}

static void a_fork_cannot_end_what_the_program_has_started(void **state)
{
    (void)state;
    each(inherited);
}

/* ---- with the program, or without ---- */

struct plan {
    int line[2], ready[2];
    bool daemon, in_thread;
};

/* As programs do that want to begin with nothing open. */
static void close_what_is_unknown(const struct plan *p)
{
    for (int fd = 3; fd < 100; fd++) {
        if (fd != p->line[0] && fd != p->line[1] && fd != p->ready[1])
            close(fd);
    }
}

static int tell_and_wait(void *arg)
{
    const struct plan *p = arg;
    char byte;
    close_what_is_unknown(p);
    if (write(p->ready[1], "x", 1) != 1)
        return -EIO;
    return read(p->line[0], &byte, 1) == 1 ? 0 : -EIO; /* nothing comes, and the other end is held by us, too */
}

static void *start_it(void *arg)
{
    struct plan *p = arg;
    const int fds[] = { p->line[0], p->line[1], p->ready[1] };
    salp_process *process;
    EXPECT(salp_process_start(&process, tell_and_wait, p,
                              WITH(.argument_size = sizeof *p, .daemon = p->daemon, .descriptors = fds,
                                   .descriptor_count = LENGTH(fds))) == 0);
    return NULL; /* the program ends without closing it */
}

static int leave_it(void *arg)
{
    struct plan *p = arg;
    char byte;
    pthread_t thread;
    if (!p->in_thread) {
        start_it(p);
    } else {
        OR_FAIL(pthread_create(&thread, NULL, start_it, p) == 0);
        OR_FAIL(pthread_join(thread, NULL) == 0);
    }
    close(p->ready[1]);
    OR_FAIL(read(p->ready[0], &byte, 1) == 1);
    return 0;
}

/* The lifeline is held by the daemon, and by those it comes from. */
static int with_the_program(bool in_thread)
{
    struct lifeline line;
    struct plan p = { .daemon = true, .in_thread = in_thread };
    lifeline_open(&line);
    fflush(NULL);
    pid_t pid = fork();
    EXPECT(pid >= 0);
    if (pid == 0) {
        lifeline_hold(&line);
        EXPECT(pipe(p.line) == 0 && pipe(p.ready) == 0);
        _exit(leave_it(&p));
    }
    lifeline_watch(&line);
    EXPECT(end_of_program(pid) == 0);
    EXPECT(lifeline_wait(&line) >= 0);
    return 0;
}

static void a_daemon_ends_with_its_program(void **state)
{
    (void)state;
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++) {
        with_the_program(false);
        with_the_program(true);
    }
}

/* A copy that waits for its program's answer when that is killed, while a fork has the program's end of what it waits at. */
struct loss {
    int ready[2]; /* a copy is there: written by it */
    int held[2];  /* the fork is there, too: written by that */
    int copy[2];  /* held by the copy, and by the program: ends with them */
    int end[2];   /* the fork lives until this ends */
};

/* In the copy, before its function is found. */
__attribute__((constructor)) static void lose_the_program(void)
{
    const char *text = getenv("TEST_LOSES_PROGRAM");
    int ready, held;
    char byte;
    if (text && sscanf(text, "%d:%d", &ready, &held) == 2 && write(ready, "x", 1) == 1 && read(held, &byte, 1) == 1)
        kill(getppid(), SIGKILL);
}

static void *fork_beside(void *arg)
{
    struct loss *l = arg;
    char byte;
    EXPECT(read(l->ready[0], &byte, 1) == 1);
    if (fork() == 0) {
        close(l->copy[1]);
        close(l->end[1]);
        EXPECT(write(l->held[1], "x", 1) == 1);
        _exit(read(l->end[0], &byte, 1) != 0);
    }
    return NULL;
}

static int start_and_be_killed(void *arg)
{
    struct loss *l = arg;
    const int fds[] = { l->ready[1], l->held[0], l->copy[1] };
    char text[32];
    pthread_t thread;
    salp_process *process;
    snprintf(text, sizeof text, "%d:%d", l->ready[1], l->held[0]);
    OR_FAIL(setenv("TEST_LOSES_PROGRAM", text, 1) == 0);
    OR_FAIL(pthread_create(&thread, NULL, fork_beside, l) == 0);
    (void)salp_process_start(&process, is_null, NULL, WITH(.descriptors = fds, .descriptor_count = LENGTH(fds)));
    return -EILSEQ; /* it was to be killed meanwhile */
}

static void a_copy_ends_when_its_program_is_killed_before_it_begins(void **state)
{
    struct loss l;
    int status;
    (void)state;
    start_now = SALP_SPAWN;
    assert_int_equal(pipe(l.ready) | pipe(l.held) | pipe(l.copy) | pipe(l.end), 0);
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(start_and_be_killed(&l) != 0);
    close(l.copy[1]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    struct pollfd copy = { .fd = l.copy[0], .events = POLLIN };
    assert_int_equal(poll(&copy, 1, (int)(patience() / SALP_MILLISECONDS(1))), 1);
    close(l.copy[0]);
    for (int i = 0; i < 2; i++) {
        close(l.ready[i]);
        close(l.held[i]);
        close(l.end[i]);
    }
}

/* Its thread has ended: the daemon goes on, as does one that is none after its program. */
static int outlive(void *arg)
{
    struct plan p = { .daemon = true, .in_thread = true };
    pthread_t thread;
    char byte;
    (void)arg;
    OR_FAIL(pipe(p.line) == 0 && pipe(p.ready) == 0);
    OR_FAIL(pthread_create(&thread, NULL, start_it, &p) == 0);
    OR_FAIL(pthread_join(thread, NULL) == 0);
    OR_FAIL(read(p.ready[0], &byte, 1) == 1);
    /* It still reads: else the byte would stay. */
    OR_FAIL(write(p.line[1], "x", 1) == 1);
    close(p.line[1]);
    close(p.ready[1]);
    OR_FAIL(read(p.ready[0], &byte, 1) == 0); /* its end */
    struct pollfd taken = { .fd = p.line[0], .events = POLLIN };
    OR_FAIL(poll(&taken, 1, 0) >= 0 && !(taken.revents & POLLIN));
    return 0;
}

static void a_daemon_does_not_end_with_the_thread_that_has_started_it(void **state)
{
    (void)state;
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++)
        assert_int_equal(run_program(outlive, NULL), 0);
}

static void one_that_is_no_daemon_lives_on(void **state)
{
    (void)state;
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++) {
        struct plan p = { .daemon = false };
        char byte;
        assert_int_equal(pipe(p.line), 0);
        assert_int_equal(pipe(p.ready), 0);
        assert_int_equal(run_program(leave_it, &p), 0);
        close(p.ready[1]);
        assert_int_equal(write(p.line[1], "x", 1), 1);   /* it is there to read it, */
        assert_int_equal(read(p.ready[0], &byte, 1), 0); /* and ends then */
        close(p.ready[0]);
        close(p.line[0]);
        close(p.line[1]);
    }
}

/* ---- the server ---- */

static int lose_the_server(void *arg)
{
    int ends[2];
    salp_process *process;
    salp_process_ending s;
    (void)arg;
    start_now = SALP_SERVER;
    OR_FAIL(pipe2(ends, O_CLOEXEC) == 0);
    OR_FAIL(salp_process_start(&process, read_and_give_back, ends,
                               WITH(.argument_size = sizeof ends, .descriptors = ends, .descriptor_count = 1)) == 0);
    pid_t parent = parent_of(salp_process_pid(process));
    OR_FAIL(parent != getpid() && kill(parent, SIGKILL) == 0);
    OR_FAIL(salp_process_alive(process));
    OR_FAIL(write(ends[1], "x", 1) == 1);
    OR_FAIL(salp_process_wait_ending(process, &s) == 0 && s.result == 7 &&
            s.exit_status == 7); /* it has said so itself */
    OR_FAIL(salp_process_close(process) == 0);
    for (int64_t end = clock_now() + patience(); parent_of(parent) >= 0;)
        OR_FAIL(clock_now() < end);
    EXPECT(ended(started(is_null, NULL, 0)).result == 3); /* by another one */
    return 0;
}

static void a_server_that_was_killed_leaves_its_processes(void **state)
{
    (void)state;
    assert_int_equal(run_program(lose_the_server, NULL), 0);
}

/* ---- functions ---- */

static void *find_in(const char *path, const char *name, void **library)
{
    *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!*library)
        fail_msg("%s", dlerror());
    return dlsym(*library, name);
}

static void plugin_path(char path[PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 20);
    assert_true(n > 0);
    path[n] = '\0';
    strcpy(strrchr(path, '/') + 1, "plugin.so");
}

static void a_function_may_come_from_a_library(void **state)
{
    char path[PATH_MAX];
    void *library;
    salp_fn *function;
    int arg = 5;
    (void)state;
    test_keeps_descriptors(2);
    plugin_path(path);
    *(void **)&function = find_in(path, "plugin_initialize", &library);
    assert_non_null(function);
    for (start_now = SALP_FORK; start_now <= SALP_SPAWN; start_now++)
        assert_int_equal(ended(started(function, &arg, sizeof arg)).exit_status, 0);
    dlclose(library);
}

static void copy_file(const char *from, const char *to)
{
    char command[2 * PATH_MAX + 20];
    snprintf(command, sizeof command, "cp '%s' '%s'", from, to);
    assert_int_equal(system(command), 0);
}

/* The library is another one where the copy looks for it, or is not there. */
static void a_function_that_is_not_found_again_is_refused(void **state)
{
    char path[PATH_MAX], folder[] = "/tmp/salp-process-XXXXXX", copy[64], other[64];
    void *library;
    salp_fn *function;
    salp_process *process;
    int arg = 5;
    (void)state;
    test_keeps_descriptors(2);
    plugin_path(path);
    assert_non_null(mkdtemp(folder));
    snprintf(copy, sizeof copy, "%s/plugin.so", folder);
    snprintf(other, sizeof other, "%s/other.so", folder);
    copy_file(path, copy);
    *(void **)&function = find_in(copy, "plugin_initialize", &library);
    assert_non_null(function);
    copy_file(SALP_TEST_LIBRARY, other);
    for (int round = 0; round < 2; round++) {
        if (round == 0)
            assert_int_equal(rename(other, copy), 0);
        else
            assert_int_equal(unlink(copy), 0);
        for (start_now = SALP_SERVER; start_now <= SALP_SPAWN; start_now++) {
            assert_int_equal(salp_process_start(&process, function, &arg, WITH(.argument_size = sizeof arg)),
                             SALP_EUNKNOWN);
            assert_null(process);
            assert_int_equal(ended(started(is_null, NULL, 0)).result, 3);
        }
    }
    assert_int_equal(rmdir(folder), 0);
    dlclose(library);
}

static void what_is_no_code_is_refused(void **state)
{
    salp_process *process;
    salp_fn *function;
    (void)state;
    test_keeps_descriptors(2);
    *(void **)&function = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (start_now = SALP_SERVER; start_now <= SALP_SPAWN; start_now++)
        assert_int_equal(salp_process_start(&process, function, NULL, WITH(0)), SALP_EUNKNOWN);
}

/* ---- what is refused ---- */

static int refuse(void *arg)
{
    salp_process *process = NULL;
    int number = 0;
    (void)arg;
    EXPECT(salp_process_start(NULL, is_null, NULL, NULL) == -EINVAL);
    EXPECT(salp_process_start(&process, NULL, NULL, NULL) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .start = (salp_start)3 }) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .argument_size = 1 }) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, &number, &(salp_process_options){ .start = SALP_SERVER }) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, &number, &(salp_process_options){ .start = SALP_SPAWN }) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .descriptor_count = -1 }) == -EINVAL);
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .descriptor_count = 1 }) == -EINVAL);
    EXPECT(process == NULL);
    EXPECT(salp_process_wait(NULL, NULL) == -EINVAL && salp_process_kill(NULL) == -EINVAL);
    EXPECT(salp_process_terminate(NULL) == -EINVAL && salp_process_pid(NULL) == -EINVAL);
    EXPECT(salp_process_fd(NULL) == -EINVAL && !salp_process_alive(NULL));
    EXPECT(strcmp(salp_process_backtrace(NULL), "") == 0);
    return 0;
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    in_both(refuse);
}

/* In a callback only what need not wait is done. */
static salp_process *kept;
static salp_event *called;

static void call_from_loop(void *arg)
{
    salp_process *process;
    (void)arg;
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .start = SALP_SPAWN }) == SALP_EINSIDE);
    EXPECT(salp_process_start(&process, is_null, NULL, &(salp_process_options){ .start = SALP_SERVER }) ==
           SALP_EINSIDE);
    EXPECT(salp_process_start(&kept, wait_for_ever, NULL, NULL) == 0);
    EXPECT(salp_process_wait(kept, NULL) == SALP_EINSIDE);
    EXPECT(salp_process_close(kept) == SALP_EINSIDE); /* it was killed */
    salp_event_set(called);
}

static int from_callback(void *arg)
{
    (void)arg;
    EXPECT(salp_event_open(&called, NULL) == 0);
    EXPECT(salp_loop_call(salp_loop_current(), call_from_loop, NULL) == 0);
    EXPECT(salp_event_wait(called) == 0);
    EXPECT(ended(kept).signal == SIGKILL);
    salp_event_close(called);
    return 0;
}

static void a_callback_of_a_loop_cannot_wait(void **state)
{
    (void)state;
    assert_int_equal(salp_run(from_callback, NULL), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a result becomes the exit status", a_result_becomes_the_exit_status),
        TEST("a function may exit", a_function_may_exit),
        TEST("the result of a fork inside is not that of the process",
             the_result_of_a_fork_inside_is_not_that_of_the_process),
        TEST("an argument may be missing", an_argument_may_be_missing),
        TEST("an argument is copied", an_argument_is_copied),
        TEST("descriptors keep their numbers", descriptors_keep_their_numbers),
        TEST("many descriptors can be handed on", many_descriptors_can_be_handed_on),
        TEST("output goes where that of the program goes", output_goes_where_that_of_the_program_goes),
        TEST("what is closed here is closed there", what_is_closed_here_is_closed_there),
        TEST("a crash tells its signal and where", a_crash_tells_its_signal_and_where),
        TEST("it can be terminated and killed", it_can_be_terminated_and_killed),
        TEST("closing ends it", closing_ends_it),
        TEST("a scope ends the wait, not the process", a_scope_ends_the_wait_not_the_process),
        TEST("several tasks wait for one", several_tasks_wait_for_one),
        TEST("many run at a time", many_run_at_a_time),
        TEST("a select waits for the first of many", a_select_waits_for_the_first_of_many),
        TEST("a select waits for queues and descriptors alike", a_select_waits_for_queues_and_descriptors_alike),
        TEST("somebody else may reap it", somebody_else_may_reap_it),
        TEST("signals are as they were, and none is caught", signals_are_as_they_were_and_none_is_caught),
        TEST("it has its name, and the group of the program", it_has_its_name_and_the_group_of_the_program),
        TEST("it may open runs, pools and processes", it_may_open_runs_pools_and_processes),
        TEST("a crash below is told to who has started it", a_crash_below_is_told_to_who_has_started_it),
        TEST("a fork sees memory as it is now", a_fork_sees_memory_as_it_is_now),
        TEST("a fork cannot end what the program has started", a_fork_cannot_end_what_the_program_has_started),
        TEST("a daemon ends with its program", a_daemon_ends_with_its_program),
        TEST("a copy ends when its program is killed before it begins",
             a_copy_ends_when_its_program_is_killed_before_it_begins),
        TEST("a daemon does not end with the thread that has started it",
             a_daemon_does_not_end_with_the_thread_that_has_started_it),
        TEST("one that is no daemon lives on", one_that_is_no_daemon_lives_on),
        TEST("a server that was killed leaves its processes", a_server_that_was_killed_leaves_its_processes),
        TEST("a function may come from a library", a_function_may_come_from_a_library),
        TEST("a function that is not found again is refused", a_function_that_is_not_found_again_is_refused),
        TEST("what is no code is refused", what_is_no_code_is_refused),
        TEST("what makes no sense is refused", what_makes_no_sense_is_refused),
        TEST("a callback of a loop cannot wait", a_callback_of_a_loop_cannot_wait),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
