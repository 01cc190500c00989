/* A function in a process of its own: the public face. SPDX-License-Identifier: MIT */
#include "process/process.h"

#include <errno.h>

#include <salp/error.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"
#include "process/copy.h"
#include "task/descriptor.h"
#include "task/scope.h"
#include "task/task.h"

static const salp_process_options defaults;
static const int64_t gone_within = SALP_SECONDS(5); /* of a process that was killed */

/* In a fork of the program a process is not ours: its signals would reach somebody else's. */
static int look_at(const salp_process *p)
{
    if (!p)
        return -EINVAL;
    return p->owner == salp__process_self() ? 0 : SALP_EFORKED;
}

/* ---- starting ---- */

static bool is_sound(salp_fn *function, const void *arg, const salp_process_options *o)
{
    bool argument = arg ? o->start == SALP_FORK || o->argument_size > 0 : o->argument_size == 0;
    bool handed = o->descriptor_count >= 0 && o->descriptor_count <= SALP_PROCESS_DESCRIPTORS_MAX &&
                  (o->descriptors || o->descriptor_count == 0);
    return function && (unsigned)o->start <= SALP_SPAWN && argument && handed && o->argument_size <= SIZE_MAX / 4;
}

/* Before anything is opened here, which would come to lie at a number that is not open, and be taken for it. */
static int look_at_descriptors(const salp_process_options *o)
{
    salp__file_identity any;
    for (int i = 0; i < o->descriptor_count; i++) {
        if (!salp__file_identify(o->descriptors[i], &any))
            return -EBADF;
    }
    return 0;
}

int salp_process_start(salp_process **process, salp_fn *function, void *arg, const salp_process_options *options)
{
    if (!options)
        options = &defaults;
    if (!process)
        return -EINVAL;
    *process = NULL;
    if (!is_sound(function, arg, options))
        return -EINVAL;
    if (options->start != SALP_FORK && salp__cannot_wait())
        return SALP_EINSIDE;
    int error = salp__wait_refused();
    if (error == 0)
        error = look_at_descriptors(options);
    if (error < 0)
        return error;
    salp_process *made = salp__allocate_raw(sizeof *made);
    if (!made)
        return -ENOMEM;
    error = salp__process_begin(made, function, arg, options);
    if (error < 0) {
        salp__free(made);
        return error;
    }
    *process = made;
    return 0;
}

/* ---- how it has ended ---- */

/* I4. 1: the server has told; 0: not yet; -ECHILD: there is no server any more. */
static int ask_server(const salp_process *p, salp__account *account)
{
    salp__copy_news news;
    bool told = false;
    int none;
    if (salp__poll(&p->news, &told, 1, 0) <= 0)
        return 0;
    int result = salp__channel_receive(p->news, &news, sizeof news, NULL, 0, &none);
    if (result != 1 || !news.ended)
        return salp__process_take(p->watch, account) == 1 ? 1 : -ECHILD;
    *account = (salp__account){ .signal = news.ending.signal, .exit_status = news.ending.exit_status };
    return 1;
}

static int returned(const salp_process *p)
{
    /* acquire: pairs with the release in the process. */
    return (int)atomic_load_explicit(&p->sheet->returned, memory_order_acquire);
}

static int fault_of(const salp_process *p)
{
    return atomic_load_explicit(&p->sheet->note.signal, memory_order_acquire); /* likewise */
}

/* Others have reaped it: what it has said of itself is left. */
static void guess(salp_process *p)
{
    p->account = (salp__account){ .exit_status = -1 };
    if (returned(p))
        p->account.exit_status = salp__process_exit_status(p->sheet->result);
    else if (fault_of(p) != 0)
        p->account.signal = fault_of(p);
    else
        p->unknown = -ECHILD;
}

/* Whether it has ended, and how is known. I3 */
static bool reap(salp_process *p)
{
    salp__lock_take(&p->lock);
    if (!p->reaped && (p->news < 0 || salp__process_has_ended(p->watch))) {
        int result = p->news >= 0 ? ask_server(p, &p->account) : salp__process_take(p->watch, &p->account);
        if (result == -ECHILD)
            guess(p);
        p->reaped = result != 0;
    }
    bool reaped = p->reaped;
    salp__lock_release(&p->lock);
    return reaped;
}

/* After it was reaped: nothing changes any more. */
static int tell(const salp_process *p, salp_process_ending *ending)
{
    const salp__account *a = &p->account;
    bool crashed = a->signal != 0 && a->signal == fault_of(p);
    if (ending)
        *ending = (salp_process_ending){
            .exit_status = a->exit_status,
            .signal = a->signal,
            .result = a->signal != 0 ? SALP_EKILLED
                      : returned(p)  ? p->sheet->result
                                     : a->exit_status,
            .address = crashed ? (void *)(uintptr_t)p->sheet->note.address : NULL,
        };
    return p->unknown;
}

/* ---- waiting ---- */

/* Nothing but its end ends the wait of a thread without a scope: so that is one call of the system, where the longer way takes
   three. For a child of ours. */
static void sleep_until_end(const salp_process *p)
{
    const salp__actor *self = salp__self();
    if (p->news < 0 && !self->task && !self->scope && !salp__cannot_wait())
        salp__process_await(p->watch);
}

/* What is to be read when there is more to know. Of a process of the server's the news: to wake up for its pidfd as well would be
   to wake up twice. If they have come before its end, they say that there is no server any more. */
static int next_sign(const salp_process *p)
{
    bool told = false;
    if (p->news >= 0 && !salp__process_has_ended(p->watch))
        (void)salp__poll(&p->news, &told, 1, 0);
    return p->news < 0 || told ? p->watch : p->news;
}

int salp_process_wait_ending(salp_process *p, salp_process_ending *ending)
{
    if (ending)
        *ending = (salp_process_ending){ .exit_status = -1 };
    int error = look_at(p);
    if (error < 0)
        return error;
    error = salp__wait_refused();
    if (error == 0)
        sleep_until_end(p);
    while (error == 0 && !reap(p)) {
        int came = salp__descriptor_wait(next_sign(p), SALP__POLL_IN, "a process to end");
        error = came < 0 ? came : 0;
    }
    return error < 0 ? error : tell(p, ending);
}

int salp_process_wait(salp_process *p, int *status)
{
    salp_process_ending ending;
    int error = salp_process_wait_ending(p, &ending);
    if (error == 0 && status)
        *status = ending.signal != 0 ? -ending.signal : ending.exit_status;
    return error;
}

bool salp_process_alive(const salp_process *p)
{
    return p && !salp__process_has_ended(p->watch);
}

/* ---- where it has crashed ---- */

static void describe(void *arg)
{
    salp_process *p = arg;
    char *mappings = p->sheet_size > SALP__SHEET_MAPPINGS ? (char *)p->sheet + SALP__SHEET_MAPPINGS : NULL;
    salp__lock_take(&p->lock);
    if (!p->backtrace)
        p->backtrace = salp__process_describe(p->sheet, mappings);
    salp__lock_release(&p->lock);
}

const char *salp_process_backtrace(salp_process *p)
{
    if (look_at(p) < 0 || !reap(p) || p->account.signal == 0 || p->account.signal != fault_of(p))
        return "";
    salp__on_large_stack(describe, p);
    salp__lock_take(&p->lock);
    const char *text = p->backtrace ? p->backtrace : "";
    salp__lock_release(&p->lock);
    return text;
}

/* ---- ending ---- */

static int send_signal(salp_process *p, int number)
{
    int error = look_at(p);
    if (error == 0)
        error = salp__process_send_watched(p->watch, number);
    return error == -ESRCH ? 0 : error;
}

int salp_process_terminate(salp_process *p)
{
    return send_signal(p, SIGTERM);
}

int salp_process_kill(salp_process *p)
{
    return send_signal(p, SIGKILL);
}

static void await(const salp_process *p, int64_t until)
{
    while (!salp__process_has_ended(p->watch) && salp__now() < until)
        salp__descriptor_wait_through(p->watch, SALP__POLL_IN, until, "a process to end");
}

void salp__process_finish(const salp_process *p)
{
    salp__process_signal_watched(p->watch, SIGKILL);
    await(p, salp__later(gone_within));
}

static void end(const salp_process *p)
{
    if (p->kill_after >= 0) {
        salp__process_signal_watched(p->watch, SIGTERM);
        await(p, salp__later(p->kill_after));
    }
    if (salp_process_alive(p))
        salp__process_finish(p);
}

pid_t salp_process_pid(const salp_process *p)
{
    return p ? p->pid : -EINVAL;
}

int salp_process_fd(const salp_process *p)
{
    return p ? p->watch : -EINVAL;
}

int salp_process_close(salp_process *p)
{
    if (!p)
        return 0;
    if (look_at(p) == 0 && !reap(p)) {
        if (salp_process_alive(p) && salp__cannot_wait()) {
            (void)salp_process_kill(p);
            return SALP_EINSIDE;
        }
        if (salp_process_alive(p))
            end(p);
        (void)reap(p);
    }
    salp__process_release(p);
    salp__free(p);
    return 0;
}
