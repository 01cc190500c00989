/*
 * Catching signals.
 *
 * I1  A signal is given up only when no handler is between looking who catches it and having told him: `handlers` counts
 *     them. A handler in this very thread is not under way while we look, since it runs to its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/thread.h"

typedef struct entry {
    _Atomic(salp__catcher *) owner; /* who has it; NULL: nobody */
    _Atomic(salp__catcher *) told;  /* whom the handler tells: the same, but NULL sooner */
    struct sigaction before;        /* [owner] */
    bool installed; /* [owner; in a fork: whoever runs it] our handler stands in the place of `before` */
} entry;

static entry entries[SALP__SIGNALS];
static _Atomic int handlers; /* I1 */
static bool any;             /* was ever caught; else a fork need not look through them all */

static void handle(int number)
{
    int before = errno;
    /* seq_cst, all three: either we see that it was given up, or who gives it up sees us. I1 */
    atomic_fetch_add(&handlers, 1);
    salp__catcher *catcher = atomic_load(&entries[number].told);
    if (catcher)
        catcher->came(catcher, number);
    atomic_fetch_sub(&handlers, 1);
    errno = before;
}

/* In a fork the catchers are another process's: a signal there is not for them. */
static void forget_in_fork(void)
{
    for (int i = 0; i < SALP__SIGNALS; i++) {
        atomic_store(&entries[i].told, NULL);
        atomic_store(&entries[i].owner, NULL);
    }
    atomic_store(&handlers, 0); /* those of other threads are not here */
}

static void watch_forks(void)
{
    any = true;
    salp__after_fork(forget_in_fork);
}

static int install(int number, struct sigaction *before)
{
    SALP__FAULT(-EINVAL);
    struct sigaction action = { .sa_handler = handle, .sa_flags = SA_RESTART };
    sigfillset(&action.sa_mask);
    return sigaction(number, &action, before) < 0 ? -errno : 0;
}

int salp__signal_catch(int number, salp__catcher *catcher)
{
    static salp__once watched = SALP__ONCE;
    salp__catcher *nobody = NULL;
    if (number <= 0 || number >= SALP__SIGNALS)
        return -EINVAL;
    salp__do_once(&watched, watch_forks); /* before anybody can have one in a fork */
    entry *e = &entries[number];
    if (!atomic_compare_exchange_strong(&e->owner, &nobody, catcher))
        return -EBUSY;
    atomic_store(&e->told, catcher);
    int error = install(number, &e->before);
    e->installed = error == 0;
    if (error < 0) {
        atomic_store(&e->told, NULL);
        atomic_store(&e->owner, NULL);
    }
    return error;
}

/* I1. It sleeps after some looks, since giving way does not let those run whom the system places below us. */
static void wait_for_handlers(void)
{
    enum { LOOKS = 64 };
    for (unsigned tries = 0; atomic_load(&handlers) > 0; tries++) {
        if (tries < LOOKS)
            salp__give_way();
        else
            salp__doze(SALP_MICROSECONDS(20));
    }
}

void salp__signal_let_go(int number, salp__catcher *catcher)
{
    entry *e = &entries[number];
    if (atomic_load(&e->owner) != catcher)
        return;
    salp__must(sigaction(number, &e->before, NULL) == 0);
    e->installed = false;
    atomic_store(&e->told, NULL);
    wait_for_handlers();
    atomic_store(&e->owner, NULL); /* the last: now it may be another one's */
}

void salp__signal_give_back_all(void)
{
    for (int i = 0; i < SALP__SIGNALS && any; i++) {
        if (entries[i].installed)
            salp__must(sigaction(i, &entries[i].before, NULL) == 0);
        entries[i].installed = false;
    }
}
