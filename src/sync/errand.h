/*
 * Errands: calls that block in the kernel or in libc, with no descriptor that could be waited for, run by threads of
 * their own while a task waits politely.
 *
 *     typedef struct lookup {
 *         salp__errand errand;     first
 *         ... copies of all that it needs, and its results
 *     } lookup;
 *
 *     lookup *l = salp__allocate(sizeof *l);
 *     l->errand.sort = &lookups;
 *     int error = salp__errand_do(&l->errand);
 *     if (error < 0)
 *         return error;            a scope is over: the errand is nobody's any more, and goes by itself
 *     ... take the results out
 *     free_lookup(&l->errand);
 *
 * Since who waits may leave, an errand must not touch anything of his: neither his stack nor his buffers.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__ERRAND_H
#define SALP__ERRAND_H

#include <stdbool.h>

#include "base/list.h"
#include "task/wait.h"

struct salp__errand;

/* Each crew has threads and a bound of its own, so that name servers that are slow hold up no file. */
typedef enum salp__crew {
    SALP__NAMES,
    SALP__FILES,
    SALP__CREWS,
} salp__crew;

/* What errands of one sort have in common. */
typedef struct salp__errand_sort {
    salp__crew crew;
    const char *what; /* what those who wait for it wait for, in words */
    /* Does it. May block for as long as it likes, but must not wait for another errand. */
    void (*run)(struct salp__errand *errand);
    /* Frees it, with whatever of its results is still its own. Called once: by the owner, or if he has left. */
    void (*free)(struct salp__errand *errand);
    /* Its owner leaves it behind while it runs: `free` will follow. Must not wait. NULL: no matter. */
    void (*left)(struct salp__errand *errand);
    bool always; /* it is also run when nobody waits for it any more: salp__errand_do never takes it back */
} salp__errand_sort;

/* All zeros but for the sort, at first. */
typedef struct salp__errand {
    const salp__errand_sort *sort;
    salp__list link;  /* [latch] in the queue of its crew */
    int state;        /* [latch] */
    bool left;        /* [latch] nobody waits for it, now or later */
    int refused;      /* [latch until it has ended] 0, or why it was not run */
    salp__spot *spot; /* [latch] of its owner, while he waits; NULL */
} salp__errand;

/*
 * Has it run, and waits for that. In a plain thread that is in no scope, the thread does it itself: nothing could end
 * its wait.
 *
 * Returns 0: it has run, and is the caller's again. After an error it is the caller's no longer, and `free` has been
 * called or will be: -ECANCELED, -ETIMEDOUT: a scope is over, and it may run on (if it has run already, this is 0);
 * SALP_EINSIDE: a callback of a loop; -EAGAIN, -ENOMEM: no thread could be started.
 */
int salp__errand_do(salp__errand *errand);

/* Whether salp__errand_do would have the calling thread do it itself: then an errand may use what is the caller's. */
bool salp__errand_in_place(void);

/* In `run`: whether nobody waits for it any more. */
bool salp__errand_is_left(const salp__errand *errand);

/* Has it run some time, and freed, without waiting. If no thread can be started, it is done before this returns. */
void salp__errand_send(salp__errand *errand);

#endif
