/* Catching signals. SPDX-License-Identifier: MIT */
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "base/assert.h"

static struct sigaction before[SALP__SIGNALS];

int salp__signal_catch(int number, void (*handler)(int number))
{
    if (number <= 0 || number >= SALP__SIGNALS)
        return -EINVAL;
    struct sigaction action = { .sa_handler = handler, .sa_flags = SA_RESTART };
    sigfillset(&action.sa_mask);
    return sigaction(number, &action, &before[number]) < 0 ? -errno : 0;
}

void salp__signal_restore(int number)
{
    salp__must(sigaction(number, &before[number], NULL) == 0);
}
