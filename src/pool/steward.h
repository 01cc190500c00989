/* The steward of a pool of processes. SPDX-License-Identifier: MIT */
#ifndef SALP__STEWARD_H
#define SALP__STEWARD_H

#include "pool/control.h"
#include "pool/recovery.h"

typedef struct salp__steward_start {
    int program; /* descriptor: readable when the program has ended */
    int door;    /* eventfd: the program wants something */
} salp__steward_start;

/* Starts the workers and keeps them until the pool is closed or the program ends; never returns. Called in a process
   with one thread and every signal blocked. */
_Noreturn void salp__steward_main(salp__control *control, const salp__steward_start *start);

#endif
