/*
 * When the lookout looks.
 *
 * Of the threads of a pool that have nothing to do one is the lookout: it sleeps for some time only, and then looks
 * whether there is something after all. So a call, or a run, that was brief the last time needs to wake nobody: if it
 * takes longer this time, it is helped all the same.
 *
 *   nobody --an idle thread, soon after a call or a run--> one naps --over, or woken--> nobody: it looks
 *
 * Each look is a wake-up. Where something tiny comes each millisecond, a look each millisecond would cost as much as
 * what comes. So each nap is twice as long as the one before, up to eight milliseconds, until somebody has found
 * something: then the next one lasts a millisecond again. When nothing has come for ten milliseconds nobody naps any
 * more, and an idle pool makes no wake-up.
 *
 * Threads: all of it under the lock of the engine.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__LOOKOUT_H
#define SALP__LOOKOUT_H

#include <stdbool.h>
#include <stdint.h>

#include <salp/time.h>

#define SALP__NAP_FIRST SALP_MILLISECONDS(1)
#define SALP__NAP_LAST SALP_MILLISECONDS(8)
#define SALP__LOOKOUT_LASTS SALP_MILLISECONDS(10) /* after the last call, or run */

typedef struct salp__lookout {
    bool naps;        /* there is one */
    int64_t next_nap; /* how long the next one sleeps; 0: as the first */
} salp__lookout;

/* Somebody has found something to do. */
static inline void salp__lookout_found(salp__lookout *lookout)
{
    lookout->next_nap = SALP__NAP_FIRST;
}

/* Whether an idle thread is to be the lookout: there is none, and the last call or run was begun recently, or `lively`,
   is still there. Sets *until to the end of its nap. Each that is true is followed by an end. */
static inline bool salp__lookout_begin(salp__lookout *lookout, int64_t now, int64_t last, bool lively, int64_t *until)
{
    if (lookout->naps || !(lively || now - last < SALP__LOOKOUT_LASTS))
        return false;
    int64_t nap = lookout->next_nap > 0 ? lookout->next_nap : SALP__NAP_FIRST;
    lookout->naps = true;
    lookout->next_nap = nap < SALP__NAP_LAST ? 2 * nap : nap;
    *until = now + nap;
    return true;
}

static inline void salp__lookout_end(salp__lookout *lookout)
{
    lookout->naps = false;
}

#endif
