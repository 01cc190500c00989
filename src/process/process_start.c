/* Processes are made. SPDX-License-Identifier: MIT */
#include "process/process.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <salp/error.h>

#include "os/epoll.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "os/socket.h"
#include "process/copy.h"
#include "task/descriptor.h"
#include "task/task.h"

/* What is gathered for a start. */
typedef struct start {
    salp_process *process;
    salp_fn *function;
    void *arg;
    const salp_process_options *options;
    salp__terms terms;
    int program;                                   /* a pidfd of this process, for a daemon and for copies; -1 */
    int file;                                      /* of the sheet, for a copy */
    int news;                                      /* the copy's end of the channel */
    int numbers[SALP_PROCESS_DESCRIPTORS_MAX + 3]; /* of what is handed on */
    int count;
    int error;
} start;

/* ---- what both need ---- */

static void set_terms(start *s)
{
    if (s->options->name)
        strncpy(s->terms.name, s->options->name, sizeof s->terms.name - 1);
    s->terms.daemon = s->options->daemon;
}

/* Out of the way of what the function opens and closes by number. */
static int watch_program(start *s)
{
    int fd = salp__process_watch(salp__process_self());
    if (fd < 0)
        return fd;
    s->program = salp__file_move_high(fd);
    if (s->program < 0)
        salp__file_close(fd);
    return s->program < 0 ? s->program : 0;
}

/* I2 */
static void let_go(salp_process *p)
{
    /* release: pairs with the acquire in the process. */
    if (atomic_exchange_explicit(&p->sheet->go, SALP__GO, memory_order_release) == SALP__WAITS)
        (void)salp__futex_wake(&p->sheet->go, 1, true);
}

/* ---- a fork ---- */

/* The function's copy of its argument. */
static int copy_argument(start *s)
{
    if (s->options->argument_size == 0)
        return 0;
    void *copy = salp__allocate_raw(s->options->argument_size);
    if (!copy)
        return -ENOMEM;
    memcpy(copy, s->arg, s->options->argument_size);
    s->arg = copy;
    return 0;
}

static int watch_fork(salp_process *p, pid_t pid)
{
    int watch = salp__process_watch(pid);
    if (watch < 0) {
        salp__process_signal(pid, SIGKILL);
        salp__process_reap(pid);
        return watch;
    }
    p->pid = pid;
    p->watch = watch;
    return 0;
}

/* With every signal blocked: it must not run this program's handlers before it is ready for that. */
static int fork_process(start *s)
{
    salp__signals_block(&s->terms.signals);
    pid_t pid = salp__process_fork();
    if (pid == 0)
        salp__process_live_in_fork(s->process->sheet, s->function, s->arg, &s->terms, s->process->owner, s->program);
    int error = pid < 0 ? pid : watch_fork(s->process, pid);
    if (error == 0)
        let_go(s->process);
    salp__signals_restore(&s->terms.signals);
    return error;
}

/* One sheet is kept for the next fork: to map another one, and to unmap it, takes a tenth of the time of a fork. */
static _Atomic(salp__sheet *) kept;

static void unmap_sheet(salp__sheet *sheet)
{
    salp__unmap(sheet, salp__pages(sizeof *sheet));
}

/* NULL: there is none. */
static salp__sheet *take_kept_sheet(unsigned forks)
{
    /* acquire: pairs with the release of who has kept it, and has looked at it before. */
    salp__sheet *sheet = atomic_exchange_explicit(&kept, NULL, memory_order_acquire);
    if (!sheet || sheet->forks == forks)
        return sheet;
    unmap_sheet(sheet); /* who has forked this process may use it by now */
    return NULL;
}

static int share_sheet(salp_process *p)
{
    unsigned forks = salp__forks();
    p->sheet_size = salp__pages(sizeof *p->sheet);
    p->sheet = take_kept_sheet(forks);
    if (p->sheet) {
        memset(p->sheet, 0, sizeof *p->sheet);
    } else {
        void *sheet;
        int error = salp__map_shared(&sheet, p->sheet_size);
        if (error < 0)
            return error;
        p->sheet = sheet;
    }
    p->sheet->forks = forks;
    return 0;
}

/* Only if nobody stores to it any more. */
static bool keep_sheet(const salp_process *p)
{
    salp__sheet *none = NULL;
    bool forked = p->sheet_size < SALP__SHEET_ORDER, ended = p->watch < 0 || p->reaped;
    return forked && ended && p->owner == salp__process_self() &&
           atomic_compare_exchange_strong_explicit(&kept, &none, p->sheet, memory_order_release, memory_order_relaxed);
}

__attribute__((destructor)) static void drop_kept_sheet(void)
{
    salp__sheet *sheet = atomic_exchange_explicit(&kept, NULL, memory_order_acquire);
    if (sheet)
        unmap_sheet(sheet);
}

/* Not on a task's stack: the process goes on where it was forked, and the function needs more. */
static void start_fork(void *arg)
{
    start *s = arg;
    set_terms(s);
    salp__crash_prepare();
    s->error = share_sheet(s->process);
    if (s->error == 0 && s->options->daemon)
        s->error = watch_program(s);
    if (s->error == 0)
        s->error = copy_argument(s);
    if (s->error < 0)
        return;
    s->error = fork_process(s);
    if (s->options->argument_size > 0)
        salp__free(s->arg);
}

/* ---- a copy ---- */

static int fill_order(const start *s, salp__order *order)
{
    union {
        salp_fn *function;
        void *address;
    } found = { .function = s->function };
    *order = (salp__order){
        .argument_size = s->options->argument_size,
        .terms = s->terms,
        .group = salp__process_group(),
        .served = s->options->start == SALP_SERVER,
        .count = s->count,
    };
    for (int i = 0; i < s->count; i++)
        order->numbers[i] = s->numbers[i];
    int error = salp__module_of(found.address, &order->module, &order->offset);
    return error == -ENOENT ? SALP_EUNKNOWN : error;
}

static int write_order(const start *s)
{
    salp__order order;
    int error = fill_order(s, &order);
    if (error == 0)
        error = salp__file_write(s->file, &order, sizeof order, SALP__SHEET_ORDER);
    if (error == 0 && s->options->argument_size > 0)
        error = salp__file_write(s->file, s->arg, s->options->argument_size, SALP__SHEET_ARGUMENT);
    return error;
}

/* The parts that are not there yet are holes, but what is mapped and read here is backed. */
static int write_sheet(start *s)
{
    salp_process *p = s->process;
    void *sheet;
    s->file = salp__memfd_open("salp-process");
    if (s->file < 0)
        return s->file;
    int error = salp__file_extend(s->file, SALP__SHEET_ARGUMENT + salp__pages(s->options->argument_size));
    if (error == 0)
        error = salp__file_reserve(s->file, 0, salp__pages(sizeof *p->sheet));
    if (error == 0)
        error = write_order(s);
    if (error == 0)
        error = salp__map_file(&sheet, s->file, 0, SALP__SHEET_ORDER, true);
    if (error < 0)
        return error;
    p->sheet = sheet;
    p->sheet_size = SALP__SHEET_ORDER;
    return 0;
}

static int open_channel(start *s)
{
    int ends[2];
    int error = salp__channel_open(ends);
    if (error < 0)
        return error;
    s->process->news = ends[0];
    s->news = ends[1];
    return 0;
}

/* Those that are listed, each once; and for a server standard input, output and error as they are now. In a program that has
   closed these something else lies there, of ours or its own, that is not meant to be seen by others. */
static void choose_descriptors(start *s)
{
    const salp_process_options *o = s->options;
    for (int number = 0; number < 3 && o->start == SALP_SERVER; number++) {
        if (salp__file_outlives_exec(number))
            s->numbers[s->count++] = number;
    }
    for (int i = 0; i < o->descriptor_count; i++) {
        bool known = false;
        for (int k = 0; k < s->count; k++)
            known |= s->numbers[k] == o->descriptors[i];
        if (!known)
            s->numbers[s->count++] = o->descriptors[i];
    }
}

static void execute_copy(start *s)
{
    salp_process *p = s->process;
    sigset_t before;
    salp__signals_block(&before);
    s->error = salp__copy_execute(SALP__COPY_PROCESS, (const int[]){ s->file, s->news, s->program }, s->numbers,
                                  s->count, &p->pid, &p->watch);
    salp__signals_restore(&before);
}

/* Where there is room. */
static void prepare_copy(void *arg)
{
    start *s = arg;
    set_terms(s);
    salp__signals_blocked(&s->terms.signals);
    choose_descriptors(s);
    s->error = watch_program(s);
    if (s->error == 0)
        s->error = open_channel(s);
    if (s->error == 0)
        s->error = write_sheet(s);
    if (s->error == 0 && s->options->start == SALP_SPAWN)
        execute_copy(s);
}

/* What it says, or its end does; 1: nothing yet. */
static int hear(const salp_process *p)
{
    int fds[] = { p->news, p->watch }, none;
    bool ready[2] = { false };
    salp__copy_news news;
    if (salp__poll(fds, ready, 2, 0) <= 0)
        return 1;
    if (!ready[0])
        return -EAGAIN; /* it has ended without a word */
    int result = salp__channel_receive(p->news, &news, sizeof news, NULL, 0, &none);
    if (result < 0)
        return result;
    return result == 0 || news.ended ? -EAGAIN : news.error;
}

static int wait_until_ready(const salp_process *p)
{
    for (;;) {
        int result = hear(p);
        if (result <= 0)
            return result;
        salp__interest set[] = { { .fd = p->news, .events = SALP__POLL_IN },
                                 { .fd = p->watch, .events = SALP__POLL_IN } };
        result = salp__descriptors_wait(set, 2, SALP_FOREVER, "a process to start");
        if (result < 0)
            return result;
    }
}

/* It is not to be there. One that the server has forked, and that we do not know, hears that there will be no answer, also if
   a fork of another thread has inherited our end. */
static void undo(salp_process *p)
{
    if (p->news >= 0)
        (void)salp__socket_shutdown(p->news, SHUT_RDWR);
    if (p->watch < 0)
        return;
    salp__process_finish(p);
    salp__account any;
    (void)salp__process_take(p->watch, &any);
}

static void start_copy(start *s)
{
    salp_process *p = s->process;
    salp__on_large_stack(prepare_copy, s);
    if (s->error == 0 && s->options->start == SALP_SERVER)
        s->error = salp__copy_serve(SALP__COPY_PROCESS, (const int[]){ s->file, s->news, s->program }, s->numbers,
                                    s->count, &p->pid, &p->watch);
    salp__file_close(s->file);
    salp__file_close(s->news);
    s->file = s->news = -1;
    if (s->error == 0)
        s->error = wait_until_ready(p);
    if (s->error == 0 && salp__channel_send(p->news, &(salp__go){ 0 }, sizeof(salp__go), NULL, 0) < 0)
        s->error = -EAGAIN; /* it has ended */
    if (s->error < 0) {
        undo(p);
        return;
    }
    if (s->options->start == SALP_SERVER)
        return;
    salp__file_close(p->news); /* it has no more to say */
    p->news = -1;
}

/* ---- both ---- */

int salp__process_begin(salp_process *p, salp_fn *function, void *arg, const salp_process_options *options)
{
    *p = (salp_process){
        .watch = -1,
        .news = -1,
        .owner = salp__process_self(),
        .kill_after = options->kill_after == 0 ? SALP_SECONDS(1) : options->kill_after,
    };
    start s = {
        .process = p, .function = function, .arg = arg, .options = options, .program = -1, .file = -1, .news = -1
    };
    salp__lock_open(&p->lock);
    if (options->start == SALP_FORK)
        salp__on_large_stack(start_fork, &s);
    else
        start_copy(&s);
    salp__file_close(s.program);
    if (s.error < 0)
        salp__process_release(p);
    return s.error;
}

void salp__process_release(salp_process *p)
{
    salp__file_close(p->watch);
    salp__file_close(p->news);
    if (p->sheet && !keep_sheet(p))
        salp__unmap(p->sheet, p->sheet_size);
    salp__free(p->backtrace);
    salp__lock_close(&p->lock);
}
