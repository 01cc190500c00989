/*
 * salp/signal.h - waiting for signals.
 *
 *     static int stop(void *listener)                  // a task, beside the one that serves
 *     {
 *         salp_signals *signals;
 *         int error = salp_signals_open(&signals, (int[]){ SIGINT, SIGTERM }, 2);
 *         if (error < 0)
 *             return error;
 *         int number = salp_signals_wait(signals);     // or the scope's error
 *         salp_listener_shutdown(listener);
 *         salp_signals_close(signals);
 *         return number < 0 ? number : 0;
 *     }
 *
 * From opening on signals are collected, so that none is lost between two waits. Before
 * it and after closing, what the program had arranged for them is done. Where callbacks
 * are wanted: salp_loop_signal (salp/loop.h).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_SIGNAL_H
#define SALP_SIGNAL_H

#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

typedef struct salp_signals salp_signals;

/*
 * Collects the signals with these numbers (SIGTERM and the like, of signal(7)), by a
 * handler for each of them and for no other. One at a time of those objects and of the
 * loops of the program has a signal. Some thread of the program must not block it.
 * Forks of the program do not collect: there such a signal does nothing, until the fork arranges something of its own.
 *
 * The array need not stay. Threads: any. Waits: no. Errors, after which *signals is
 * NULL and nothing is collected: -EINVAL: a NULL argument, no numbers, or a signal that
 * cannot be caught; -EBUSY: somebody has it, or it is there twice; -EMFILE, -ENFILE, -ENOMEM.
 */
SALP_API int salp_signals_open(salp_signals **signals, const int numbers[], int count);

/*
 * The number of a signal that has come, the lowest of several. One that has come
 * several times before it was told is told once. Several tasks and threads may wait:
 * each signal is told to one of them.
 *
 * Threads: any, and tasks. Waits: yes. Errors: -EINVAL: signals is NULL; -ETIMEDOUT,
 * -ECANCELED: by the scope, and nothing is lost; SALP_EINSIDE: in a callback of a loop, and
 * none has come; SALP_EFORKED: this process is a fork of the one that has opened it; -ENOMEM, -EMFILE, -ENFILE.
 */
SALP_API int salp_signals_wait(salp_signals *signals);

/*
 * Ends it; NULL is accepted. What was collected and not told is dropped. Nobody may be waiting.
 * Threads: any. Waits: no; for handlers that are just running.
 */
SALP_API void salp_signals_close(salp_signals *signals);

SALP_END

#endif
