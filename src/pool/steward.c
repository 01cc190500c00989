/*
 * The steward: a small process that stands between the program and its workers.
 *
 *   program --- pidfd, eventfd ---> steward --- fork, wait ---> worker 0, worker 1, ...
 *
 * It forks the workers when the pool is opened, so that they see memory as it was then and nothing is forked from a
 * program with threads later on; it reaps them, puts in order what a dead one leaves (recovery.c), and forks a
 * successor. It ends everything when the program closes the pool or is no more. It sleeps unless something happened;
 * it looks at the clock only while a limit on time or memory is set and a job runs, or a call has to be settled after
 * a death.
 *
 * A worker dies  ->  its process group is killed, then it is reaped  ->  orphans of it, which became our children, are
 * killed  ->  recovery  ->  successor.
 *
 * Threads: none but this one, so PR_SET_PDEATHSIG in the workers, which is about the thread that forked, is about us.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/steward.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/crash.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "pool/worker.h"
#include "task/park.h"
#include "task/task.h"

enum {
    HOPELESS_STARTS = 5,   /* starts in a row that failed by themselves */
    HOPELESS_KILLS = 1000, /* starts in a row that were ended by SIGKILL: somebody else's doing */
    CHILDREN_MAX = 2048,
};

static const int64_t settle_interval = SALP_MILLISECONDS(1);
static const int64_t longest_watch = SALP_MILLISECONDS(5);
static const int64_t shortest_watch = SALP_MICROSECONDS(200);
static const int64_t first_count = SALP_MILLISECONDS(5);
static const int64_t fork_pause = SALP_MILLISECONDS(5);
static const int64_t fork_patience = SALP_SECONDS(10);
static const int64_t freeze_patience = SALP_MILLISECONDS(2);
static const int64_t close_patience = SALP_SECONDS(2);
static const int64_t end_patience = SALP_SECONDS(10);

typedef struct child {
    pid_t pid;      /* 0: none */
    bool unsettled; /* it is dead, and `death` could not be recovered from yet */
    salp__death death;
    salp__verdict verdict;
    bool successor;
    uint64_t watched; /* the item that it was seen on, and since when */
    int64_t since;
    int64_t memory; /* of its own, when it was first looked at; -1: not yet */
} child;

typedef struct steward {
    salp__control *control;
    salp__steward_start start;
    struct sigaction children_before;
    pid_t self;
    int endings; /* descriptor: SIGCHLD */
    salp__recovery recovery;
    child *children;
    uint32_t count;
    bool suspects;
    uint64_t memory_kills;  /* the kernel's count, as last seen */
    int64_t count_kills_at; /* when to look at it first, not in everybody's way; 0: that was done */
    int failed_starts, killed_starts;
    uint32_t readied;         /* as last seen */
    int64_t fork_fails_since; /* 0: the last fork worked */
} steward;

/* ---- saying it is broken ---- */

static void tell_all(const steward *s)
{
    for (int slot = 0; slot < SALP__SLOTS; slot++)
        salp__wake(&s->control->shared->live[slot].bell, INT32_MAX, true);
    salp__wake(&s->control->shared->attend, INT32_MAX, true);
}

static bool broken(const steward *s)
{
    return atomic_load_explicit(&s->control->records->broken, memory_order_relaxed); /* only we write it */
}

static void break_pool(steward *s, const char *what, const char *detail, int number)
{
    salp__records *records = s->control->records;
    if (broken(s))
        return;
    snprintf(records->reason, sizeof records->reason, "%s: %s (%d)", what, detail, number);
    /* release: pairs with the acquire in the program; the reason is then readable. */
    atomic_store_explicit(&records->broken, 1, memory_order_release);
}

/* ---- workers come ---- */

static void clear_place(salp__place *place)
{
    atomic_store_explicit(&place->stage, SALP__IDLE, memory_order_relaxed); /* its process does not exist yet */
    atomic_store_explicit(&place->done, 0, memory_order_relaxed);
    atomic_store_explicit(&place->limit, 0, memory_order_relaxed);
    atomic_store_explicit(&place->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&place->ready, 0, memory_order_relaxed);
    atomic_store_explicit(&place->start_error, 0, memory_order_relaxed);
    atomic_store_explicit(&place->note.signal, 0, memory_order_relaxed);
}

static int start_worker(steward *s, uint32_t index)
{
    child *c = &s->children[index];
    clear_place(&s->control->places[index]);
    pid_t pid = salp__process_fork();
    if (pid < 0)
        return pid;
    if (pid == 0) {
        salp__file_close(s->endings);
        salp__file_close(s->start.program);
        salp__file_close(s->start.door);
        salp__worker_main(&(salp__worker_start){
            .control = s->control,
            .index = (int)index,
            .steward = s->self,
            .successor = c->successor,
            .signals = &s->control->head->signals,
            .children = &s->children_before,
        });
    }
    salp__process_own_group(pid);
    *c = (child){ .pid = pid, .successor = true, .memory = -1 };
    atomic_store_explicit(&s->control->places[index].pid, pid, memory_order_relaxed); /* for people and tests */
    return 0;
}

static void fork_failed(steward *s, int error)
{
    int64_t now = salp__now();
    if (s->fork_fails_since == 0)
        s->fork_fails_since = now;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->children[i].pid > 0)
            return; /* somebody is left to do the work, if more slowly */
    }
    if (now - s->fork_fails_since > fork_patience)
        break_pool(s, "no worker can be started", salp_strerror(error), error);
}

/* Starts what is missing. Returns whether some still are. */
static bool start_missing(steward *s)
{
    bool missing = false;
    for (uint32_t i = 0; i < s->count && !broken(s); i++) {
        child *c = &s->children[i];
        if (c->pid > 0 || c->unsettled)
            continue;
        int error = missing ? -EAGAIN : start_worker(s, i);
        if (error == 0)
            s->fork_fails_since = 0;
        else if (!missing)
            fork_failed(s, error);
        missing |= error < 0;
    }
    return missing;
}

/* ---- workers go ---- */

static int find_child(const steward *s, pid_t pid)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->children[i].pid == pid)
            return (int)i;
    }
    return -1;
}

/* What a worker's job left behind has become our child: its time is over too. */
static void kill_orphans(const steward *s)
{
    pid_t pids[CHILDREN_MAX];
    int count = salp__process_children(pids, CHILDREN_MAX);
    for (int i = 0; i < count; i++) {
        if (find_child(s, pids[i]) < 0)
            salp__process_signal(pids[i], SIGKILL);
    }
}

static bool more_memory_kills(steward *s)
{
    uint64_t kills = salp__process_memory_kills();
    bool more = kills > s->memory_kills && s->count_kills_at == 0;
    s->memory_kills = kills;
    s->count_kills_at = 0;
    return more;
}

static bool killed_for_memory(steward *s, const salp__ending *ending)
{
    return ending->signal == SIGKILL && more_memory_kills(s);
}

/* A worker that fails before its first item would fail again. */
static void judge_start(steward *s, int index, const salp__ending *ending)
{
    salp__place *place = &s->control->places[index];
    uint32_t readied = atomic_load_explicit(&s->control->shared->readied, memory_order_relaxed);
    if (readied != s->readied) {
        s->readied = readied;
        s->failed_starts = s->killed_starts = 0;
    }
    if (atomic_load_explicit(&place->ready, memory_order_relaxed) || ending->exit_status == SALP__EXIT_CLOSED)
        return;
    if (ending->signal == SIGKILL) {
        if (++s->killed_starts >= HOPELESS_KILLS)
            break_pool(s, "workers are killed before or in the initializer", "signal", ending->signal);
        return;
    }
    if (++s->failed_starts < HOPELESS_STARTS)
        return;
    int error = atomic_load_explicit(&place->start_error, memory_order_relaxed);
    if (ending->exit_status == SALP__EXIT_INITIALIZER)
        break_pool(s, "the initializer fails again and again", salp_strerror(error), error);
    else if (ending->exit_status == SALP__EXIT_START)
        break_pool(s, "workers cannot get the memory they start with", "exit status", ending->exit_status);
    else if (ending->signal != 0)
        break_pool(s, "the initializer crashes again and again", strsignal(ending->signal), ending->signal);
    else
        break_pool(s, "the initializer exits again and again", "exit status", ending->exit_status);
}

static void recover(steward *s, int index)
{
    child *c = &s->children[index];
    c->unsettled = !salp__recover(&s->recovery, &c->death);
    s->suspects = true;
}

static void bury(steward *s, int index, const salp__ending *ending)
{
    child *c = &s->children[index];
    c->death = (salp__death){
        .worker = index,
        .ending = *ending,
        .verdict = ending->signal == SIGKILL ? c->verdict : SALP__NO_VERDICT,
    };
    if (c->death.verdict == SALP__NO_VERDICT)
        c->death.out_of_memory = killed_for_memory(s, ending);
    c->pid = 0;
    /* A ringer may have counted on it; the mark does not tell, since he takes it away. */
    atomic_store(&s->control->places[index].idle, SALP__AWAKE);
    salp__wake_idle(s->control, 1);
    judge_start(s, index, ending);
    recover(s, index);
}

static void reap(steward *s)
{
    salp__ending ending;
    bool died = false;
    while (salp__process_ended(&ending) > 0) {
        int index = find_child(s, ending.pid);
        /* Before it is reaped, while the number of its group cannot belong to anybody else. */
        if (index >= 0)
            salp__process_signal_group(ending.pid, SIGKILL);
        salp__process_reap(ending.pid);
        if (index >= 0) {
            died = true;
            bury(s, index, &ending);
        }
    }
    if (died)
        kill_orphans(s);
}

/* ---- limits ---- */

static bool limited(const steward *s)
{
    return s->control->head->item_timeout > 0 || s->control->head->memory_limit > 0;
}

static int64_t watch_interval(const steward *s)
{
    int64_t timeout = s->control->head->item_timeout, interval = longest_watch;
    if (timeout > 0 && timeout / 8 < interval)
        interval = timeout / 8;
    return interval < shortest_watch ? shortest_watch : interval;
}

/* Names what the worker is on; 0: no item is running. Two looks that see the same number see the same item. */
static uint64_t present_item(const salp__place *place)
{
    /* relaxed, all: a mixture of two moments is a number that the next look will not see again. */
    if (atomic_load_explicit(&place->stage, memory_order_acquire) != SALP__BUSY)
        return 0;
    uint64_t attached = atomic_load_explicit(&place->attached, memory_order_relaxed);
    uint64_t begin = atomic_load_explicit(&place->begin, memory_order_relaxed);
    uint64_t done = atomic_load_explicit(&place->done, memory_order_relaxed);
    return attached == 0 ? 0 : salp__mix(salp__mix(1, attached), begin + done) | 1;
}

/* Ends a worker for the item that it is on; not when it has gone on to another one meanwhile. */
static void sentence(steward *s, uint32_t index, salp__verdict verdict, uint64_t item)
{
    child *c = &s->children[index];
    bool frozen = salp__process_freeze(c->pid, freeze_patience);
    if (frozen && present_item(&s->control->places[index]) != item) {
        salp__process_signal(c->pid, SIGCONT);
        return;
    }
    c->verdict = verdict;
    salp__process_signal_group(c->pid, SIGKILL);
    salp__process_signal(c->pid, SIGKILL);
}

static void watch_worker(steward *s, uint32_t index, int64_t now)
{
    const salp__head *head = s->control->head;
    child *c = &s->children[index];
    if (c->pid == 0 || c->verdict != SALP__NO_VERDICT)
        return;
    uint64_t item = present_item(&s->control->places[index]);
    if (head->memory_limit > 0) {
        int64_t memory = salp__process_own_memory(c->pid);
        if (c->memory < 0)
            c->memory = memory;
        if (memory >= 0 && c->memory >= 0 && memory - c->memory > (int64_t)head->memory_limit) {
            sentence(s, index, SALP__TOO_LARGE, item);
            return;
        }
    }
    if (item == 0 || item != c->watched) {
        c->watched = item;
        c->since = now;
    } else if (head->item_timeout > 0 && now - c->since >= head->item_timeout) {
        sentence(s, index, SALP__TIMED_OUT, item);
    }
}

/* Returns whether there is anything to watch: calls, since a worker may come to one at any time. */
static bool watch_workers(steward *s)
{
    if (!limited(s))
        return false;
    int64_t now = salp__now();
    for (uint32_t i = 0; i < s->count; i++)
        watch_worker(s, i, now);
    /* relaxed: the program rings the door after it has set a bit. */
    return atomic_load_explicit(&s->control->shared->running, memory_order_relaxed) != 0;
}

/* ---- the end ---- */

static void kill_workers(const steward *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->children[i].pid == 0)
            continue;
        salp__process_signal_group(s->children[i].pid, SIGKILL);
        salp__process_signal(s->children[i].pid, SIGKILL);
    }
}

/* Waits until no child is left. Returns whether that was so by the deadline. */
static bool wait_for_children(steward *s, int64_t deadline, bool kill_all)
{
    for (;;) {
        salp__ending ending;
        int more;
        while ((more = salp__process_ended(&ending)) > 0) {
            int index = find_child(s, ending.pid);
            if (index >= 0)
                salp__process_signal_group(ending.pid, SIGKILL);
            salp__process_reap(ending.pid);
            if (index >= 0)
                s->children[index].pid = 0;
        }
        if (more == -ECHILD)
            return true;
        if (kill_all)
            kill_orphans(s);
        bool workers = false;
        for (uint32_t i = 0; i < s->count; i++)
            workers |= s->children[i].pid > 0;
        if (!workers && !kill_all)
            return false; /* only orphans are left */
        if (salp__now() >= deadline)
            return false;
        bool ready[2];
        int fds[2] = { s->endings, s->start.program };
        salp__poll(fds, ready, 2, salp__later(SALP_MILLISECONDS(20)));
        if (ready[1] && !kill_all)
            return false; /* the program is no more: nobody has time */
        if (ready[1])
            salp__doze(SALP_MICROSECONDS(200)); /* that descriptor stays readable */
        salp__signals_drain(s->endings);
    }
}

static _Noreturn void end(steward *s, bool gently)
{
    if (gently)
        (void)wait_for_children(s, salp__later(close_patience), false);
    kill_workers(s);
    (void)wait_for_children(s, salp__later(end_patience), true);
    tell_all(s);
    salp__process_leave(0);
}

/* ---- the beginning ---- */

static void report_opened(steward *s, int result)
{
    /* release: pairs with the acquire in the program; the places have their pids. */
    atomic_store_explicit(&s->control->records->opened, result, memory_order_release);
    salp__wake(&s->control->shared->opened, 1, true);
    salp__eventfd_drain(s->start.door); /* a task waits at the other side until there is room in it */
}

static void open_steward(steward *s, salp__control *control, const salp__steward_start *start)
{
    salp__fault_enter(SALP__STEWARD);
    salp__task_forget_all();
    *s =
        (steward){ .control = control, .start = *start, .count = control->head->workers, .self = salp__process_self() };
    salp__process_own_group(0);
    salp__forget_unflushed(); /* so that no worker writes it a second time either */
    salp__process_adopt_orphans();
    salp__signals_own_children(&s->children_before);
    salp__recovery_open(&s->recovery, control);
    s->endings = salp__signals_watch_children();
    s->children = salp__allocate(s->count * sizeof *s->children);
    int error = s->endings < 0 ? s->endings : s->children ? 0 : -ENOMEM;
    for (uint32_t i = 0; i < s->count && error == 0; i++)
        error = start_worker(s, i);
    report_opened(s, error < 0 ? error : 1);
    if (error < 0) {
        if (!s->children)
            salp__process_leave(1);
        end(s, false);
    }
    s->count_kills_at = salp__later(first_count);
}

static int64_t next_look(const steward *s, bool missing, bool busy)
{
    int64_t pause = INT64_MAX;
    if (s->suspects)
        pause = settle_interval;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->children[i].unsettled)
            pause = settle_interval;
    }
    if (missing && fork_pause < pause)
        pause = fork_pause;
    if (busy && watch_interval(s) < pause)
        pause = watch_interval(s);
    if (s->count_kills_at > 0 && first_count < pause)
        pause = first_count;
    return pause == INT64_MAX ? SALP_FOREVER : salp__later(pause);
}

static void settle(steward *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->children[i].unsettled)
            recover(s, (int)i);
    }
    if (s->suspects)
        s->suspects = salp__settle_suspects(&s->recovery);
}

void salp__steward_main(salp__control *control, const salp__steward_start *start)
{
    static steward s;
    open_steward(&s, control, start);
    for (;;) {
        reap(&s);
        /* acquire: pairs with the program's release. After reaping: workers that ended because the pool is being closed
           are not to be replaced. */
        uint32_t phase = atomic_load_explicit(&control->shared->phase, memory_order_acquire);
        if (phase != SALP__WORKING)
            end(&s, phase == SALP__CLOSING);
        settle(&s);
        bool missing = start_missing(&s);
        bool busy = watch_workers(&s);
        if (s.count_kills_at > 0 && salp__now() >= s.count_kills_at)
            more_memory_kills(&s);
        if (broken(&s))
            end(&s, false);

        enum { PROGRAM, DOOR, ENDINGS, COUNT };
        int fds[COUNT] = { start->program, start->door, s.endings };
        bool ready[COUNT] = { false };
        salp__poll(fds, ready, COUNT, next_look(&s, missing, busy));
        if (ready[PROGRAM])
            end(&s, false);
        if (ready[DOOR])
            salp__eventfd_drain(start->door);
        salp__signals_drain(s.endings);
    }
}
