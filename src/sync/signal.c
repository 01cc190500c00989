/*
 * Signals that are collected until somebody waits for them.
 *
 *   handler --> came: a bit for each --> who waits takes the lowest
 *           --> bell: an eventfd, which those who wait watch
 *
 * I1  As long as a bit is set the bell can be read, or somebody is about to ring it: the handler rings it after it has set
 *     the bit, and who has silenced it looks at the bits afterwards. So none of several who wait sleeps over a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#include <salp/signal.h>

#include "os/epoll.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"
#include "os/signal.h"
#include "task/descriptor.h"
#include "task/scope.h"
#include "task/wait.h"

struct salp_signals {
    salp__catcher catcher;
    int bell;              /* [const after open] */
    unsigned forks;        /* of which process it is [const after open] */
    uint64_t numbers;      /* that are ours [owner] */
    _Atomic uint64_t came; /* I1 */
};

static uint64_t bit_of(int number)
{
    return UINT64_C(1) << (number - 1);
}

/* In the handler. */
static void came(salp__catcher *catcher, int number)
{
    salp_signals *signals = (salp_signals *)catcher; /* its first member */
    /* seq_cst, as where they are taken: I1 */
    atomic_fetch_or(&signals->came, bit_of(number));
    salp__eventfd_ring(signals->bell);
}

static void let_go(salp_signals *signals)
{
    for (int number = 1; number < SALP__SIGNALS; number++) {
        if (signals->numbers & bit_of(number))
            salp__signal_let_go(number, &signals->catcher); /* nothing in a fork */
    }
}

static int catch_all(salp_signals *signals, const int numbers[], int count)
{
    for (int i = 0; i < count; i++) {
        int error = salp__signal_catch(numbers[i], &signals->catcher);
        if (error < 0) {
            let_go(signals);
            return error;
        }
        signals->numbers |= bit_of(numbers[i]);
    }
    return 0;
}

int salp_signals_open(salp_signals **out, const int numbers[], int count)
{
    if (!out)
        return -EINVAL;
    *out = NULL;
    if (!numbers || count <= 0)
        return -EINVAL;
    salp_signals *signals = salp__allocate(sizeof *signals);
    if (!signals)
        return -ENOMEM;
    signals->catcher.came = came;
    signals->forks = salp__forks();
    signals->bell = salp__eventfd_open();
    int error = signals->bell < 0 ? signals->bell : catch_all(signals, numbers, count);
    if (error < 0) {
        salp__file_close(signals->bell);
        salp__free(signals);
        return error;
    }
    *out = signals;
    return 0;
}

/* Its number, or 0: there is none. */
static int take(salp_signals *signals)
{
    uint64_t seen = atomic_load(&signals->came); /* seq_cst, here and below: with the handler's, I1 */
    while (seen != 0) {
        int number = __builtin_ctzll(seen) + 1;
        if (atomic_compare_exchange_weak(&signals->came, &seen, seen & ~bit_of(number)))
            return number;
    }
    return 0;
}

int salp_signals_wait(salp_signals *signals)
{
    if (!signals)
        return -EINVAL;
    if (signals->forks != salp__forks())
        return SALP_EFORKED;
    int error = salp__wait_begin();
    while (error >= 0) {
        int number = take(signals);
        if (number > 0)
            return number;
        salp__eventfd_drain(signals->bell);
        if (atomic_load(&signals->came) != 0)
            salp__eventfd_ring(signals->bell); /* I1 */
        error = salp__descriptor_wait(signals->bell, SALP__POLL_IN, "a signal");
    }
    return error;
}

void salp_signals_close(salp_signals *signals)
{
    if (!signals)
        return;
    let_go(signals);
    salp__file_close(signals->bell);
    salp__free(signals);
}
