/*
 * Porters: how tasks are told.
 *
 * A thread that waits sleeps on its node. A task cannot: its loop has other things to do. So for each handle of which tasks
 * wait there is one thread, the porter, that sleeps on the doorbell of the handle's slot. Who grants something to a task,
 * in whichever process, puts the node into the slot's `granted` and rings; the porter takes it out and has the task go
 * on, as anybody does within a process (task/wait.h). The task then looks under the latch, as every waiter.
 *
 *     granter            | segment: granted of the slot, doorbell |   porter -- spots[node] --> claim, resume --> task
 *
 * What a node says in shared memory is its index; whose it is is known here alone (`spots`). So no other process can make
 * us touch an address.
 *
 * I1  `spots[node]` is read, and its waiter claimed, under `tell_latch`; a task that does not want to be told takes itself
 *     out under it. So no waiter is touched whose frame is gone. (One that is claimed stays until it is resumed.)
 * I2  A task may be told for nothing: its node was granted, given back by it in another way, taken anew by another task.
 *     That one looks, and waits on.
 * I3  The porter silences the doorbell before it looks at anything.
 *
 * It starts with the first task that waits, and ends with the handle; no time passes for it in between. In a fork there is
 * none, and the child has one of its own as soon as one of its tasks waits.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared/porter.h"

#include <salp/time.h>

#include "os/memory.h"
#include "os/modules.h"
#include "shared/deaths.h"
#include "shared/latch.h"
#include "shared/line.h"
#include "task/scope.h"

static const size_t spots_size = SALP__NODES * sizeof(salp__spot *); /* backed where it is used */

static void tell(salp__shared *shared, uint32_t node)
{
    salp__latch_take(&shared->tell_latch);
    salp__spot *spot =
        shared->spots ? shared->spots[node] : NULL; /* a task may be in the line before it has a porter */
    if (spot)
        shared->spots[node] = NULL;
    bool claimed = spot && salp__claim(spot); /* I1 */
    salp__latch_release(&shared->tell_latch);
    if (claimed)
        salp__resume(spot);
}

/* Takes some out of `granted`: returns how many. */
static int take_granted(salp__shared *shared, uint32_t nodes[], int most)
{
    const salp__shared_line *granted = &shared->segment->participants[shared->slot].granted;
    int count = 0;
    salp__shared_latch(shared);
    for (salp__node *node; count < most && (node = salp__line_first_locked(shared, granted)); count++) {
        nodes[count] = (uint32_t)(node - shared->segment->nodes);
        salp__line_remove_locked(shared, node);
        salp__shared_commit(shared);
    }
    salp__shared_unlatch(shared);
    return count;
}

void salp__porter_deliver(salp__shared *shared)
{
    enum { SOME = 32 };
    uint32_t nodes[SOME];
    int count;
    do {
        count = take_granted(shared, nodes, SOME);
        for (int i = 0; i < count; i++)
            tell(shared, nodes[i]);
    } while (count == SOME);
}

/* Somebody has come. If he cannot be watched, each task has to know: it tries that itself, and says so. */
static void watch_newcomers(salp__shared *shared)
{
    if (salp__deaths_watch(shared) == 0)
        return;
    uint64_t used = salp__word_get(&shared->segment->nodes_used);
    for (uint32_t node = 0; node < used; node++)
        tell(shared, node);
}

static void *run_porter(void *arg)
{
    salp__shared *shared = arg;
    salp__chime *doorbell = &shared->segment->participants[shared->slot].doorbell;
    for (;;) {
        salp__chime_silence(doorbell); /* I3 */
        /* seq_cst: after the silence. */
        if (atomic_load(&shared->porter_ends))
            return NULL;
        salp__porter_deliver(shared);
        watch_newcomers(shared);
        salp__chime_sleep(doorbell, SALP_FOREVER);
    }
}

/* [tell_latch] */
static int start_locked(salp__shared *shared)
{
    void *spots;
    int error = salp__map_private(&spots, spots_size);
    if (error < 0)
        return error;
    shared->spots = spots;
    atomic_store(&shared->porter_ends, false);
    error = salp__thread_start(&shared->porter, run_porter, shared);
    if (error < 0) {
        shared->spots = NULL;
        salp__unmap(spots, spots_size);
        return error;
    }
    salp__module_keep(&spots_size); /* its code has to stay as long as it runs */
    return 0;
}

int salp__porter_start(salp__shared *shared)
{
    salp__latch_take(&shared->tell_latch);
    int error = shared->spots ? 0 : start_locked(shared);
    salp__latch_release(&shared->tell_latch);
    return error;
}

void salp__porter_expect(salp__shared *shared, uint32_t node, salp__spot *spot)
{
    salp__self()->expected = spot != NULL;
    salp__latch_take(&shared->tell_latch);
    if (shared->spots)
        shared->spots[node] = spot;
    salp__latch_release(&shared->tell_latch);
}

void salp__porter_end(salp__shared *shared)
{
    if (!shared->spots)
        return;
    atomic_store(&shared->porter_ends, true); /* seq_cst: before the ring */
    salp__chime_ring(&shared->segment->participants[shared->slot].doorbell);
    salp__thread_join(shared->porter);
    salp__porter_forget(shared);
}

void salp__porter_forget(salp__shared *shared)
{
    salp__unmap(shared->spots, spots_size);
    shared->spots = NULL;
}
