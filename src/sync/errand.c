/*
 * Errands, and the threads that run them.
 *
 *     owner                                  its crew
 *     salp__errand_do --append--> queue --take--> runs --> ran --claim--> owner goes on, frees it
 *          |                        |               |
 *          |  (a scope is over)     |               |
 *          |--leave-----------------'               |       not begun: taken off, freed by its owner
 *          '--leave----------------------------------       begun: `left`; freed by the thread that runs it
 *
 * Nothing can be done about a thread that sits in the kernel: it cannot be interrupted without a handler of a signal, and
 * Salp installs none that was not asked for. So an errand owns all that it needs, and whoever has waited for it long
 * enough goes his way.
 *
 * The threads of a crew are started when there is more to do than idle ones can take, up to a bound, and end when they
 * have been idle for a while. So a program that needs no errands has none, and one that has needed some is soon as it
 * was. They are the one thing here that belongs to the process and not to an object: a loop or a run that had its own
 * could not end before the last of its errands, which may take as long as a name server that does not answer; and the
 * bounds are about what the system bears, however many loops there are. All that they share is the struct below.
 *
 * I1  Under the latch: if a crew has more errands in its queue than idle threads, it has as many threads as it may have,
 *     or one could not be started. An idle thread is one that will look at the queue next: it counts as idle from before
 *     it is started, or from when it has finished an errand, until it takes one or ends. And a thread that is not idle
 *     looks when it has finished. So each errand in a queue will be taken.
 * I2  An idle thread sleeps, or ends, only after it has seen an empty queue under the latch. What it sleeps on is the
 *     bell as it was then, which is rung after each append: it sees the errand, or is woken.
 * I3  A crew without threads has an empty queue: who fails to start the only one refuses all that are there, also those
 *     that others have put there meanwhile in trust of it.
 * I4  `state` goes from QUEUED to RUNS to RAN, under the latch, and who finds it there decides alone who frees the errand.
 *     The owner who leaves it QUEUED takes it off, unless it is one that is always run. If he leaves it so, or while it
 *     RUNS, he says `left`, before a thread has said RAN, and the thread frees it. If it RAN, he has it back. After it has
 *     said RAN, a thread touches the errand only if it was left, and the owner's waiter only if it has claimed it.
 *
 * Ends of the process: exit waits for nobody. The threads have no part in it, and what they hold is the system's.
 * Forks: in a child there are no such threads, and the errands of the parent are the parent's; the crews begin afresh.
 * dlclose: the library stays as soon as a thread was started, since the thread may be in the midst of its code.
 * Deadlocks: an idle thread is one more thread that could wake somebody. It is idle for less time than a run looks on
 * before it says that all its tasks wait for each other (task/run.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/errand.h"

#include <errno.h>

#include <salp/error.h>
#include <salp/time.h>

#include "base/assert.h"
#include "lockfree/bell.h"
#include "lockfree/latch.h"
#include "os/clock.h"
#include "os/modules.h"
#include "os/thread.h"
#include "task/scope.h"

enum { QUEUED, RUNS, RAN };

/* A thread that blocks costs little, and one too few holds somebody up. Disks and servers do the more at a time the more
   they are asked for, up to some dozens. */
#ifdef SALP_HOSTILE
enum { MOST_NAMES = 2, MOST_FILES = 2 };
static const int64_t idle_lasts = SALP_MILLISECONDS(1);
#else
enum { MOST_NAMES = 32, MOST_FILES = 32 };
static const int64_t idle_lasts = SALP_MILLISECONDS(50); /* starting one takes some 30 microseconds */
#endif

typedef struct crew {
    salp__list queue; /* [latch] QUEUED ones, oldest first */
    int queued;       /* [latch] their number */
    int threads;      /* [latch] started, or about to be, and not ended */
    int idle;         /* [latch] of these: I1 */
    int most;         /* [const] threads */
    salp__bell bell;  /* idle ones sleep here: I2 */
} crew;

static struct errands {
    salp__latch latch;
    crew crews[SALP__CREWS];
} errands = {
    .crews = {
        [SALP__NAMES] = { .queue = { &errands.crews[SALP__NAMES].queue, &errands.crews[SALP__NAMES].queue },
                          .most = MOST_NAMES },
        [SALP__FILES] = { .queue = { &errands.crews[SALP__FILES].queue, &errands.crews[SALP__FILES].queue },
                          .most = MOST_FILES },
    },
};

static crew *crew_of(const salp__errand *errand)
{
    return &errands.crews[errand->sort->crew];
}

/* What holds whenever the latch is free. */
static void check_locked(const crew *c)
{
    salp__assert(0 <= c->idle && c->idle <= c->threads && c->threads <= c->most);
    salp__assert(c->queued >= 0 && (c->queued == 0) == salp__list_empty(&c->queue));
    salp__assert(c->threads > 0 || c->queued == 0); /* I3 */
    (void)c;
}

static void append_locked(crew *c, salp__errand *errand)
{
    salp__list_append(&c->queue, &errand->link);
    c->queued++;
}

static void remove_locked(crew *c, salp__errand *errand)
{
    salp__list_remove(&errand->link);
    c->queued--;
}

/* The oldest, or NULL. */
static salp__errand *take_locked(crew *c)
{
    if (salp__list_empty(&c->queue))
        return NULL;
    salp__errand *errand = SALP__CONTAINER(c->queue.next, salp__errand, link);
    remove_locked(c, errand);
    errand->state = RUNS;
    return errand;
}

/* ---- a thread of a crew ---- */

/* It was run, or refused. `then_idle`: by a thread of the crew, which will look for more. I4 */
static void finish(crew *c, salp__errand *errand, bool then_idle)
{
    salp__latch_take(&errands.latch);
    errand->state = RAN;
    bool left = errand->left;
    salp__spot *spot = errand->spot;
    bool claimed = spot && salp__claim(spot);
    c->idle += then_idle;
    check_locked(c);
    salp__latch_release(&errands.latch);
    if (left)
        errand->sort->free(errand);
    else if (claimed)
        salp__resume(spot);
}

/* The next errand; NULL: there was none for long enough, and this thread has been counted off. */
static salp__errand *wait_for_errand(crew *c)
{
    bool bored = false;
    for (;;) {
        salp__latch_take(&errands.latch);
        salp__errand *errand = take_locked(c);
        if (errand || bored)
            c->idle--;
        if (!errand && bored)
            c->threads--;
        uint32_t seen = salp__bell_look(&c->bell);
        check_locked(c);
        salp__latch_release(&errands.latch);
        if (errand || bored)
            return errand;
        bored = salp__bell_wait(&c->bell, seen, salp__later(idle_lasts), false) == -ETIMEDOUT; /* I2 */
    }
}

static void *run_thread(void *arg)
{
    crew *c = arg;
    salp__errand *errand;
    while ((errand = wait_for_errand(c))) {
        errand->sort->run(errand);
        finish(c, errand, true);
    }
    return NULL;
}

/* ---- sending one to its crew ---- */

/* In a child that was forked nothing of this goes on; some thread may have held the latch. */
static void begin_afresh(void)
{
    salp__latch_release(&errands.latch);
    for (int i = 0; i < SALP__CREWS; i++) {
        crew *c = &errands.crews[i];
        *c = (crew){ .most = c->most };
        salp__list_open(&c->queue);
    }
}

static void prepare(void)
{
    salp__after_fork(begin_afresh);
    salp__module_keep(&errands);
}

/* A thread that was counted could not be started. If it would have been the only one, nobody else will come: I3. */
static void fail_to_start(crew *c, int error)
{
    for (;;) {
        salp__latch_take(&errands.latch);
        salp__errand *errand = c->threads == 1 ? take_locked(c) : NULL;
        bool left = errand && errand->left;
        if (!errand) {
            c->threads--;
            c->idle--;
        }
        check_locked(c);
        salp__latch_release(&errands.latch);
        if (!errand)
            return;
        if (left)
            errand->sort->run(errand);
        else
            errand->refused = error;
        finish(c, errand, false);
    }
}

static void post(salp__errand *errand)
{
    static salp__once prepared = SALP__ONCE;
    crew *c = crew_of(errand);
    salp__do_once(&prepared, prepare);
    salp__latch_take(&errands.latch);
    append_locked(c, errand);
    bool starts = c->queued > c->idle && c->threads < c->most;
    c->threads += starts;
    c->idle += starts;
    check_locked(c);
    salp__latch_release(&errands.latch);
    salp__bell_ring(&c->bell, 1, false);
    int error = starts ? salp__thread_send(run_thread, c) : 0;
    if (error < 0)
        fail_to_start(c, error);
}

/* ---- the owner ---- */

/* He waits no longer. Returns whether the errand is his again, since it has ended. I4 */
static bool leave(salp__errand *errand)
{
    crew *c = crew_of(errand);
    salp__latch_take(&errands.latch);
    const salp__errand_sort *sort = errand->sort;
    bool ended = errand->state == RAN, taken_back = errand->state == QUEUED && !sort->always;
    errand->spot = NULL;
    if (taken_back) {
        remove_locked(c, errand);
    } else if (!ended) {
        errand->left = true;
        if (sort->left)
            sort->left(errand);
    }
    salp__latch_release(&errands.latch);
    if (taken_back)
        sort->free(errand);
    return ended;
}

/* Says where the owner waits. false: it has ended. */
static bool set_spot(salp__errand *errand, salp__spot *spot)
{
    salp__latch_take(&errands.latch);
    bool ended = errand->state == RAN;
    errand->spot = ended ? NULL : spot;
    salp__latch_release(&errands.latch);
    return !ended;
}

/* Returns 0 when it has ended; after an error it was left. */
static int wait_for_end(salp__errand *errand)
{
    for (;;) {
        salp__waiter waiter;
        salp__waiter_open(&waiter, errand->sort->what);
        salp__spot spot = salp__spot_of(&waiter);
        if (!set_spot(errand, &spot))
            return 0;
        int error = salp__wait(&waiter);
        if (error == 0)
            return 0;
        if (error == -EINTR) {
            if (!set_spot(errand, NULL)) /* out of reach, before its memory is used anew */
                return 0;
            continue;
        }
        if (leave(errand))
            return 0; /* though a scope is over as well: it has ended nothing */
        int over = salp__scope_feel(waiter.actor);
        return over < 0 ? over : error;
    }
}

/* Nobody will have it run: it is freed, or run all the same. */
static int give_up(salp__errand *errand, int error)
{
    if (errand->sort->always)
        salp__errand_send(errand);
    else
        errand->sort->free(errand);
    return error;
}

bool salp__errand_in_place(void)
{
    const salp__actor *self = salp__self();
    return !self->task && !self->scope && !salp__cannot_wait();
}

int salp__errand_do(salp__errand *errand)
{
    if (salp__errand_in_place()) {
        errand->sort->run(errand);
        return 0;
    }
    int error = salp__cannot_wait() ? SALP_EINSIDE : salp__wait_begin();
    if (error < 0)
        return give_up(errand, error);
    post(errand);
    error = wait_for_end(errand);
    if (error == 0 && errand->refused < 0)
        return give_up(errand, errand->refused);
    return error;
}

bool salp__errand_is_left(const salp__errand *errand)
{
    salp__latch_take(&errands.latch);
    bool left = errand->left;
    salp__latch_release(&errands.latch);
    return left;
}

void salp__errand_send(salp__errand *errand)
{
    errand->left = true;
    post(errand);
}
