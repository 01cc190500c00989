/* A worker process. SPDX-License-Identifier: MIT */
#ifndef SALP__WORKER_H
#define SALP__WORKER_H

#include <signal.h>

#include "pool/control.h"

/*
 * Runs jobs until the pool is closed; never returns. Called in a process that the steward has just forked, with every
 * signal blocked.
 */
typedef struct salp__worker_start {
    salp__control *control;
    int index;
    pid_t steward;
    bool successor;                   /* another process has used the window */
    const sigset_t *signals;          /* what the program had blocked */
    const struct sigaction *children; /* what the program does about SIGCHLD */
} salp__worker_start;

_Noreturn void salp__worker_main(const salp__worker_start *start);

#endif
