/*
 * In the process: from its beginning to its end.
 *
 *   fork:   waits until the program has its pidfd (I2)                                   \
 *   copy:   takes its descriptors, finds the function, gives word, waits for an answer   / prepares, calls the function, ends
 *
 * A daemon has a thread that looks whether the program is still there. PR_SET_PDEATHSIG would not do: it is about the
 * thread that has started the process, which may end long before its program.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/process.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include <salp/error.h>
#include <salp/time.h>

#include "os/clock.h"
#include "os/epoll.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "os/signal.h"
#include "process/copy.h"
#include "task/task.h"

static const int64_t parent_look = SALP_MILLISECONDS(20);

/* ---- both ---- */

int salp__process_exit_status(int result)
{
    return result < 0 ? 1 : result > 255 ? 255 : result;
}

/* If the function closes the descriptor, which has a high number, this knows nothing of the program any more. */
static void *end_with_program(void *arg)
{
    int program = (int)(intptr_t)arg;
    bool ended = false;
    while (salp__poll(&program, &ended, 1, SALP_FOREVER) < 0)
        continue; /* the process was stopped meanwhile */
    /* Not a pidfd any more: it was closed after all, and we know nothing. */
    int error = salp__process_send_watched(program, 0);
    if (error == 0 || error == -ESRCH)
        salp__process_signal(salp__process_self(), SIGKILL);
    return NULL;
}

static int prepare(const salp__terms *terms, int program)
{
    int error = terms->daemon ? salp__thread_send(end_with_program, (void *)(intptr_t)program) : 0;
    if (error < 0)
        return error;
    salp__crash_watch_exit();
    if (terms->name[0] != '\0')
        salp__process_rename(terms->name);
    return 0;
}

static _Noreturn void end(salp__sheet *sheet, int result)
{
    /* A fork that the function has made may come here as well: its result is none of the process's. */
    if (salp__crash_is_watched()) {
        sheet->result = result;
        /* release: whoever reads it does so after this process has ended; the order matters to the compiler alone. */
        atomic_store_explicit(&sheet->returned, 1, memory_order_release);
    }
    salp__flush_output();
    salp__process_leave(salp__process_exit_status(result));
}

static _Noreturn void call(salp__sheet *sheet, const salp__terms *terms, salp_fn *function, void *arg)
{
    salp__signals_restore(&terms->signals);
    end(sheet, salp__crash_call(function, arg));
}

/* ---- a fork ---- */

/* I2. A program that has been killed lets nobody go. The word is rarely waited for: preparing takes longer. */
static void wait_for_program(salp__sheet *sheet, pid_t parent)
{
    uint32_t go = SALP__NOT_YET;
    /* acquire: pairs with the release in the program; nothing but the word is handed over. */
    (void)atomic_compare_exchange_strong_explicit(&sheet->go, &go, SALP__WAITS, memory_order_acquire,
                                                  memory_order_acquire);
    while (atomic_load_explicit(&sheet->go, memory_order_acquire) != SALP__GO && salp__process_parent() == parent)
        (void)salp__futex_wait(&sheet->go, SALP__WAITS, salp__later(parent_look), true);
}

void salp__process_live_in_fork(salp__sheet *sheet, salp_fn *function, void *arg, const salp__terms *terms,
                                pid_t parent, int program)
{
    salp__fault_enter(SALP__WORKER);
    salp__task_forget_all();
    salp__forget_unflushed();
    salp__signal_give_back_all();
    salp__crash_watch(&sheet->note);
    int error = prepare(terms, program);
    wait_for_program(sheet, parent);
    if (error < 0)
        end(sheet, error);
    call(sheet, terms, function, arg);
}

/* ---- a copy ---- */

enum { SHEET = SALP__COPY_FIRST, NEWS = SALP__COPY_SECOND, PROGRAM = SALP__COPY_PROGRAM };

/* All that it has, so that the rest can be closed. */
typedef struct belongings {
    int fds[SALP__CHANNEL_MAX]; /* its own, and those that came along */
    int count;
} belongings;

/* Nothing but those that it was given is open from here on; those that came along have other numbers yet. */
static void close_others(const belongings *b, const salp__order *order)
{
    int keep[SALP__CHANNEL_MAX + SALP_PROCESS_DESCRIPTORS_MAX], count = 0;
    for (int i = 0; i < b->count; i++)
        keep[count++] = b->fds[i];
    for (int i = 0; i < order->count && b->count == SALP__COPY_OWN; i++)
        keep[count++] = order->numbers[i];
    salp__copy_close_others(keep, count);
}

static int highest_number(const salp__order *order)
{
    int highest = 2;
    for (int i = 0; i < order->count; i++) {
        if (order->numbers[i] > highest)
            highest = order->numbers[i];
    }
    return highest;
}

/* Those that came along get their numbers; everything is moved out of the way of these first. */
static int place_descriptors(belongings *b, const salp__order *order)
{
    int above = highest_number(order) + 1;
    for (int i = 0; i < b->count; i++) {
        int moved = b->fds[i] >= above ? b->fds[i] : salp__file_move_above(b->fds[i], above);
        if (moved < 0)
            return moved;
        b->fds[i] = moved;
    }
    int error = 0;
    for (int i = 0; i < order->count && error == 0; i++) {
        int fd = b->fds[SALP__COPY_OWN + i];
        error = salp__file_copy_to(fd, order->numbers[i]);
        salp__file_close(fd);
    }
    b->count = SALP__COPY_OWN;
    return error;
}

/* Standard input and so on that the program has closed: the server may have them still. */
static void close_what_is_closed_there(const salp__order *order)
{
    for (int number = 0; number < 3; number++) {
        bool given = false;
        for (int i = 0; i < order->count; i++)
            given |= order->numbers[i] == number;
        if (!given)
            salp__file_close(number);
    }
}

/* Of one that was executed they lie where they belong. */
static void mark_descriptors(const salp__order *order)
{
    for (int i = 0; i < order->count; i++) {
        if (order->numbers[i] > 2)
            salp__file_close_on_exec(order->numbers[i]);
    }
}

static int find_function(const salp__order *order, salp_fn **function)
{
    union {
        void *address;
        salp_fn *function;
    } found;
    int error = salp__module_resolve(&order->module, order->offset, &found.address);
    if (error < 0)
        return error == -ENOENT || error == -ESTALE ? SALP_EUNKNOWN : error;
    *function = found.function;
    return 0;
}

/* The copy's own: nobody else looks at it. */
static int map_argument(int fd, const salp__order *order, void **arg)
{
    *arg = NULL;
    if (order->argument_size == 0)
        return 0;
    return salp__map_file(arg, fd, SALP__SHEET_ARGUMENT, salp__pages(order->argument_size), true);
}

/* Waits for an answer, or the end of the program: which its end of the channel does not tell, if a fork has inherited that. */
static bool is_answered(int news, int program)
{
    int fds[] = { news, program };
    bool ready[2] = { false };
    while (salp__poll(fds, ready, 2, SALP_FOREVER) <= 0)
        continue;
    return ready[0];
}

/* I2. Gives word, and waits for the answer; a program that has given up, or is no more, gives none. */
static void give_word(salp__sheet *sheet, int news, int program, int error)
{
    salp__copy_news ready = { .error = error };
    salp__go go;
    int none;
    if (salp__channel_send(news, &ready, sizeof ready, NULL, 0) < 0 || error < 0 || !is_answered(news, program))
        salp__process_leave(1);
    int answer = salp__channel_receive(news, &go, sizeof go, NULL, 0, &none);
    if (answer < 0)
        end(sheet, answer);
    if (answer == 0)
        salp__process_leave(1);
}

/* Only a daemon needs it, out of the way of what the function closes by number. */
static int keep_program(int program, bool daemon)
{
    int high = daemon ? salp__file_move_high(program) : -1;
    if (!daemon)
        salp__file_close(program);
    return high < 0 ? program : high; /* for want of a descriptor it stays where it is */
}

static void be_process(const int fds[], int count)
{
    void *sheet, *arg;
    salp_fn *function = NULL;
    belongings b = { .count = count };
    salp__fault_enter(SALP__WORKER);
    memcpy(b.fds, fds, (size_t)count * sizeof *fds);
    if (salp__map_file(&sheet, fds[SHEET], 0, SALP__SHEET_ARGUMENT, true) < 0)
        salp__process_leave(1); /* the program hears that it has ended */
    salp__crash_watch(&((salp__sheet *)sheet)->note);
    salp__crash_keep_mappings((char *)sheet + SALP__SHEET_MAPPINGS, SALP__SHEET_MAPPINGS_SIZE);
    const salp__order *order = (salp__order *)((char *)sheet + SALP__SHEET_ORDER);
    close_others(&b, order);
    int error = 0;
    if (order->served) {
        error = place_descriptors(&b, order);
        if (error == 0)
            close_what_is_closed_there(order);
    } else {
        mark_descriptors(order);
    }
    salp__process_join_group(order->group);
    if (error == 0)
        error = find_function(order, &function);
    if (error == 0)
        error = map_argument(b.fds[SHEET], order, &arg);
    give_word(sheet, b.fds[NEWS], b.fds[PROGRAM], error);
    salp__file_close(b.fds[SHEET]);
    salp__file_close(b.fds[NEWS]);
    int program = keep_program(b.fds[PROGRAM], order->terms.daemon);
    error = prepare(&order->terms, program);
    if (error < 0)
        end(sheet, error);
    call(sheet, &order->terms, function, arg);
}

__attribute__((constructor)) static void offer(void)
{
    salp__copy_offer(SALP__COPY_PROCESS, be_process);
}
