/*
 * Taking a sample.
 *
 *   this process           first fork                       other forks
 *   makes the sheet
 *   waits, with a limit    rung 0: alone
 *                          rungs of threads: 2, 4, ... processors, and more if the work waits
 *   makes the others       (it ends)
 *   waits, with a limit                                     rungs of processes
 *   figures
 *
 * When the first fork crashes in rung 0, another one goes on there with fresh items, up to SALP__CRASHES times; it tries no
 * threads. When it crashes in a rung of threads, the job is one that threads cannot run, and that is all there is to know.
 *
 * The budget is shared out beforehand: three tenths for rung 0, four for the rungs of threads, three for those of
 * processes. A rung that would begin after the budget's end is left out. So long items are tried at least once, and no
 * more than that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "insight/sample.h"

#include <errno.h>

#include <salp/process.h>
#include <salp/task.h>

#include "insight/sheet.h"
#include "os/clock.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/thread.h"
#include "pool/control.h"

enum {
    WAITING_MOST = 64, /* threads that are tried with work that waits */
    RESULTS_MOST =
        8 * 1024 * 1024, /* bytes for the results of all threads: more would take longer to get than to fill */
};

/* ---- in the forks ---- */

static void set_rung(salp__worth_sheet *sheet, int number, int workers, int64_t length, size_t share, size_t window)
{
    size_t results = sheet->work.out_size * sheet->work.count;
    salp__rung *rung = &sheet->rung[number];
    rung->workers = workers;
    rung->length = length;
    rung->share = share;
    rung->window = window < results ? window : results;
}

typedef struct thread {
    salp__worth_sheet *sheet;
    salp__rung *rung;
    int index;
    salp__thread handle;
} thread;

static void *thread_main(void *arg)
{
    thread *t = arg;
    (void)salp__rung_run(t->sheet, t->rung, t->index);
    return NULL;
}

/* Those that cannot be started are missing: the rung says how many have come. */
static void run_threads(salp__worth_sheet *sheet, salp__rung *rung)
{
    thread threads[SALP__RUNNERS];
    int started = 1;
    while (started < rung->workers) {
        threads[started] = (thread){ .sheet = sheet, .rung = rung, .index = started };
        if (salp__thread_start(&threads[started].handle, thread_main, &threads[started]) < 0)
            break;
        started++;
    }
    (void)salp__rung_run(sheet, rung, 0);
    for (int i = 1; i < started; i++)
        salp__thread_join(threads[i].handle);
}

/* How many threads the rungs have, the most important first. Returns how many rungs. */
static int choose_threads(const salp__work *work, bool waits, int workers[SALP__FIRST_PROCESSES])
{
    int top = waits && work->processors < WAITING_MOST ? WAITING_MOST : work->processors, count = 0;
    if (work->workers_max > 0 && work->workers_max < top)
        top = work->workers_max;
    if (top > SALP__RUNNERS)
        top = SALP__RUNNERS;
    while ((size_t)top > work->count * 3 / 8)
        top /= 2; /* each is to have an item of the share that try_threads gives it */
    for (; top > 1 && count < SALP__FIRST_PROCESSES - SALP__FIRST_THREADS; top = waits ? top / 4 : top / 2)
        workers[count++] = top;
    return count;
}

static void try_threads(salp__worth_sheet *sheet)
{
    const salp__work *work = &sheet->work;
    static salp__group groups[SALP__GROUPS]; /* of this process, which has one thread here; large for a stack */
    salp__figures alone;
    salp__alone_figures(sheet, &alone, groups);
    int workers[SALP__FIRST_PROCESSES], all = 0;
    int count = choose_threads(work, alone.busy < SALP__WAITS, workers);
    for (int i = 0; i < count; i++)
        all += workers[i];
    for (int i = 0; i < count && salp__now() < sheet->end; i++) {
        /* Half of the items, so many for each worker. */
        size_t share = (size_t)((double)work->count / 2 * workers[i] / all);
        if (share < (size_t)workers[i])
            continue;
        /* relaxed: read after the death of this process. */
        atomic_store_explicit(&sheet->stage, SALP__FIRST_THREADS + i, memory_order_relaxed);
        set_rung(sheet, SALP__FIRST_THREADS + i, workers[i], work->budget * 4 / 10 / count, share, RESULTS_MOST);
        run_threads(sheet, &sheet->rung[SALP__FIRST_THREADS + i]);
    }
}

static int run_first(void *arg)
{
    salp__worth_sheet *sheet = arg;
    if (!salp__process_end_with(sheet->program))
        return 0;
    int error = salp__rung_run(sheet, &sheet->rung[SALP__ALONE], 0);
    if (error == 0 && sheet->beside)
        try_threads(sheet);
    return error;
}

/* One of the processes of a rung. */
typedef struct member {
    salp__worth_sheet *sheet;
    int rung;
    int index;
} member;

static int run_member(void *arg)
{
    const member *m = arg;
    if (!salp__process_end_with(m->sheet->program))
        return 0;
    return salp__rung_run(m->sheet, &m->sheet->rung[m->rung], m->index);
}

/* ---- in this process ---- */

/* Nobody is on an item. */
static void forget_attempts(salp__worth_sheet *sheet)
{
    for (int i = 0; i < SALP__RUNNERS; i++)
        atomic_store_explicit(&sheet->attempt[i].first, SIZE_MAX, memory_order_relaxed);
}

/*
 * Whether a process has left its function in another way than by returning: a signal, or a worker was on an item. If so,
 * it is noted. Its workers are `first` and those behind it.
 */
static bool note_crash(const salp__worth_sheet *sheet, int first, int count, const salp_process_ending *ending,
                       salp__found *found)
{
    size_t index = SIZE_MAX;
    for (int i = first; i < first + count && index == SIZE_MAX; i++)
        index = atomic_load_explicit(&sheet->attempt[i].first, memory_order_relaxed);
    if (ending->signal == 0 && index == SIZE_MAX)
        return false;
    if (found->crashes++ == 0) {
        found->crash_index = index;
        found->crash_signal = ending->signal;
    }
    return true;
}

/* The item that was ended for being too long: it takes at least as long as it was let. */
static void note_overdue(salp__worth_sheet *sheet, salp__found *found)
{
    salp__rung *rung = &sheet->rung[SALP__ALONE];
    found->overdue = true;
    if (atomic_load_explicit(&rung->groups, memory_order_relaxed) > 0)
        return;
    int64_t since = atomic_load_explicit(&sheet->attempt[0].since, memory_order_relaxed);
    int64_t wall = since > 0 ? salp__now() - since : 1;
    rung->group[0] = (salp__group){ .wall = wall, .cpu = wall, .items = 1 };
    atomic_store_explicit(&rung->groups, 1, memory_order_relaxed);
}

/* Waits until a process has ended, but not after `end`: -ETIME. Other errors: it could not be waited for, or a scope of the
   caller's is over. */
static int wait_until(salp_process *process, int64_t end, salp_process_ending *ending)
{
    salp_scope scope;
    int64_t left = end - salp__now();
    salp_scope_open(&scope, left > 0 ? left : 1);
    int error = salp_process_wait_ending(process, ending);
    return salp_scope_close(&scope) < 0 && error < 0 ? -ETIME : error;
}

/* Ends it, if it has not ended. `error` is what the wait for it has given; returns that, or -ENOMEM: the process had none. */
static int close_process(salp_process *process, int error, const salp_process_ending *ending)
{
    int closed = salp_process_close(process);
    if (error == 0 && closed < 0)
        error = closed;
    if (error == 0 && ending->signal == 0 && ending->result == -ENOMEM)
        error = -ENOMEM; /* of salp__rung_run, or of the process's beginning */
    return error;
}

/* When the item that the first process is on will have been let for as long as it may be. Where processors are busy it may
   begin late. */
static int64_t end_of_patience(const salp__worth_sheet *sheet)
{
    int64_t since = atomic_load_explicit(&sheet->attempt[0].since, memory_order_relaxed);
    return since > 0 ? since + sheet->work.patience : salp__later(SALP_MILLISECONDS(1));
}

/* As wait_until. One that has begun nothing for long is given up, too. */
static int wait_for_first(const salp__worth_sheet *sheet, salp_process *process, salp_process_ending *ending)
{
    int64_t end = sheet->end + sheet->work.patience, last = end + SALP_SECONDS(10);
    for (;;) {
        int error = wait_until(process, end, ending);
        if (error != -ETIME || atomic_load_explicit(&sheet->stage, memory_order_relaxed) != SALP__ALONE)
            return error;
        end = end_of_patience(sheet);
        if (end <= salp__now() || end > last)
            return error;
    }
}

static const salp_process_options at_once = { .name = "salp-worth", .kill_after = -1 };

static int take_first(salp__worth_sheet *sheet, salp__found *found)
{
    sheet->beside = true;
    for (;;) {
        salp_process *process;
        salp_process_ending ending;
        int error = salp_process_start(&process, run_first, sheet, &at_once);
        if (error == 0)
            error = close_process(process, wait_for_first(sheet, process, &ending), &ending);
        if (error == -ETIME) {
            note_overdue(sheet, found);
            return 0;
        }
        if (error < 0 || !note_crash(sheet, 0, SALP__RUNNERS, &ending, found))
            return error;
        forget_attempts(sheet);
        sheet->beside = false;
        if (atomic_load_explicit(&sheet->stage, memory_order_relaxed) != SALP__ALONE) {
            found->crash_beside = true;
            return 0;
        }
        if (found->crashes == SALP__CRASHES || salp__now() >= sheet->end)
            return 0;
        /* The next one begins a rung of its own, with the groups of those before. */
        atomic_store_explicit(&sheet->rung[SALP__ALONE].arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&sheet->rung[SALP__ALONE].begin, 0, memory_order_relaxed);
    }
}

/* All processes of a rung. Those that could not be started are missing. */
static int take_rung(salp__worth_sheet *sheet, int number, salp__found *found)
{
    salp__rung *rung = &sheet->rung[number];
    salp_process *processes[SALP__RUNNERS];
    member members[SALP__RUNNERS];
    int started = 0, error = 0;
    while (started < rung->workers && error == 0) {
        members[started] = (member){ .sheet = sheet, .rung = number, .index = started };
        error = salp_process_start(&processes[started], run_member, &members[started], &at_once);
        started += error == 0;
    }
    for (int i = 0; i < started; i++) {
        salp_process_ending ending;
        int64_t end = error < 0 ? 0 : sheet->end + sheet->work.patience;
        int ended = close_process(processes[i], wait_until(processes[i], end, &ending), &ending);
        if (ended == -ETIME)
            found->overdue = true;
        else if (ended < 0)
            error = error < 0 ? error : ended;
        else
            (void)note_crash(sheet, i, 1, &ending, found);
    }
    return error;
}

static int take_processes(salp__worth_sheet *sheet, salp__found *found)
{
    const salp__work *work = &sheet->work;
    int workers = work->processors < SALP__RUNNERS ? work->processors : SALP__RUNNERS, error = 0;
    if (work->workers_max > 0 && work->workers_max < workers)
        workers = work->workers_max;
    while ((size_t)workers > work->count / 4)
        workers /= 2;
    int rungs = workers >= 4 ? 2 : 1;
    for (int i = 0; i < rungs && workers > 1 && error == 0 && salp__now() < sheet->end; i++, workers /= 2) {
        size_t window = (size_t)workers * SALP__WINDOW_BYTES, share = work->count / 4 / (size_t)rungs;
        set_rung(sheet, SALP__FIRST_PROCESSES + i, workers, work->budget * 3 / 10 / rungs, share, window);
        if (sheet->rung[SALP__FIRST_PROCESSES + i].share < (size_t)workers)
            continue;
        error = take_rung(sheet, SALP__FIRST_PROCESSES + i, found);
    }
    return error;
}

/* ---- figures ---- */

static void add_stretches(const salp__worth_sheet *sheet, int first, int end, const salp__figures *alone,
                          salp__stretches *stretches, salp__group groups[])
{
    for (int i = first; i < end; i++) {
        const salp__rung *rung = &sheet->rung[i];
        size_t count = salp__rung_groups(rung, groups);
        int workers = atomic_load_explicit(&rung->arrived, memory_order_relaxed);
        if (workers != rung->workers || count < (size_t)workers)
            continue;
        salp__figures beside;
        salp__figures_make(&beside, groups, count, false);
        salp__stretches_add(stretches, workers, salp__figures_stretch(alone, &beside));
    }
}

static int make_figures(const salp__worth_sheet *sheet, salp__found *found)
{
    salp__group *groups = salp__allocate_raw(SALP__GROUPS * sizeof *groups);
    if (!groups)
        return -ENOMEM;
    salp__alone_figures(sheet, &found->alone, groups);
    add_stretches(sheet, SALP__FIRST_THREADS, SALP__FIRST_PROCESSES, &found->alone, &found->threads, groups);
    add_stretches(sheet, SALP__FIRST_PROCESSES, SALP__RUNGS, &found->alone, &found->processes, groups);
    /* More processes than processors were not tried: if that is worth it, they are not in each other's way there. */
    const salp__stretches *threads = &found->threads;
    for (int i = 0; i < threads->count && !found->crash_beside; i++) {
        if (threads->workers[i] > sheet->work.processors)
            salp__stretches_add(&found->processes, threads->workers[i], threads->times[i]);
    }
    found->sampled = atomic_load_explicit(&sheet->ran, memory_order_relaxed) + (size_t)found->crashes;
    found->failed = atomic_load_explicit(&sheet->failed, memory_order_relaxed);
    salp__free(groups);
    return 0;
}

int salp__sample(const salp__work *work, salp__found *found)
{
    salp__worth_sheet *sheet;
    size_t size = salp__pages(sizeof *sheet);
    *found = (salp__found){ .crash_index = SIZE_MAX };
    int error = salp__map_shared((void **)&sheet, size);
    if (error < 0)
        return error;
    sheet->work = *work;
    sheet->program = salp__process_self();
    sheet->end = salp__later(work->budget);
    sheet->place_size = work->count / SALP__PLACES + (work->count % SALP__PLACES > 0);
    forget_attempts(sheet);
    size_t share = work->count / 4 > 0 ? work->count / 4 : 1;
    set_rung(sheet, SALP__ALONE, 1, work->budget * 3 / 10, share, RESULTS_MOST);
    error = take_first(sheet, found);
    if (error == 0 && found->crashes == 0 && !found->overdue)
        error = take_processes(sheet, found);
    if (error == 0)
        error = make_figures(sheet, found);
    salp__unmap(sheet, size);
    return error;
}
