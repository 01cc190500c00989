/* Who enters a pool of threads; the header tells how. SPDX-License-Identifier: MIT */
#include "pool/entrance.h"

#include <errno.h>

#include "os/clock.h"
#include "pool/engine.h"
#include "task/park.h"
#include "task/scope.h"

static const int64_t brief = SALP_MICROSECONDS(30); /* not worth waking anybody for */

/* Of a task, or of a thread with a scope, that waits while a thread of the pool runs its job. In its frame. */
typedef struct visit {
    salp__list link; /* [lock] while it waits for its beginning */
    salp__entry entry;
    salp_fork_fn *run;
    salp_fork_job *job;
    salp__seat seat;
    bool begun; /* [lock] */
    bool over;  /* [lock] */
} visit;

void salp__entrance_open(salp__entrance *entrance, int workers, salp__bell *work)
{
    entrance->work = work;
    entrance->workers = workers;
    entrance->leaver.what = "runs in a pool";
    salp__lock_open(&entrance->lock);
    salp__list_open(&entrance->visits);
    salp__list_open(&entrance->runs);
}

void salp__entrance_close(salp__entrance *entrance)
{
    salp__crew_close(atomic_load_explicit(&entrance->crew, memory_order_relaxed));
    salp__lock_close(&entrance->lock);
}

/* The crew, opened now if it is the first time, or NULL. */
static salp__crew *crew_locked(salp__entrance *entrance)
{
    salp__crew *crew = atomic_load_explicit(&entrance->crew, memory_order_relaxed); /* stored under the lock */
    if (!crew && salp__crew_open(&crew, entrance->workers, entrance->work) == 0)
        atomic_store_explicit(&entrance->crew, crew, memory_order_release); /* with look_for_crew */
    return crew;
}

static salp__crew *look_for_crew(const salp__entrance *entrance)
{
    return atomic_load_explicit(&entrance->crew, memory_order_acquire);
}

static bool was_brief(salp__entrance *entrance, salp_fork_fn *run)
{
    double guess = salp__history_guess(&entrance->history, (uintptr_t)run, 1);
    return guess >= 0 && guess < (double)brief;
}

/* ---- running ---- */

/* Runs it as this member, as whom the thread is known to the pool meanwhile. */
static void run_as(salp_pool *pool, salp__member *member, salp__entry *entry, salp_fork_fn *run, salp_fork_job *job)
{
    salp__inside_frame frame;
    salp__inside_enter(&frame, pool, false);
    frame.member = member;
    salp__member_run(member, entry, run, job);
    salp__inside_leave(&frame);
}

/* [lock held on entry, released] */
static void leave_locked(salp__entrance *entrance, salp__entry *entry)
{
    salp__list_remove(&entry->link);
    salp__seat_call_locked(&entrance->leaver);
    salp__lock_release(&entrance->lock);
}

/* `worker`: the number of the thread, if it is one of the pool's, else -1: it is a guest. */
static int run_here(salp_pool *pool, salp__entrance *entrance, int worker, salp_fork_fn *run, salp_fork_job *job,
                    bool summons)
{
    salp__entry entry = { 0 };
    salp__member *member = NULL;
    salp__lock_take(&entrance->lock);
    int error = entrance->closed;
    salp__crew *crew = error == 0 ? crew_locked(entrance) : NULL;
    if (crew) {
        salp__list_append(&entrance->runs, &entry.link);
        member = worker >= 0 ? salp__crew_member(crew, worker) : salp__guest_open_locked(crew);
    }
    salp__lock_release(&entrance->lock);
    if (!crew)
        return error < 0 ? error : -ENOMEM;

    int64_t began = salp__now();
    atomic_store_explicit(&entrance->last, began, memory_order_relaxed);
    if (member) {
        salp__crew_join(crew);
        /* seq_cst: I2. */
        if (summons && !(was_brief(entrance, run) && atomic_load(&entrance->watched)))
            salp__crew_summon(crew);
        run_as(pool, member, &entry, run, job);
        salp__crew_leave(crew);
        salp__entrance_summon(entrance);
    } else {
        salp__member alone = { .crew = crew, .alone = true, .face.salp__signal = 1 };
        run_as(pool, &alone, &entry, run, job);
    }
    if (summons)
        salp__history_note(&entrance->history, (uintptr_t)run, 1, salp__now() - began);

    salp__lock_take(&entrance->lock);
    if (member && worker < 0)
        salp__guest_close_locked(member);
    leave_locked(entrance, &entry);
    return salp__entry_ended(&entry);
}

static int run_nested(salp_pool *pool, salp__member *member, salp_fork_fn *run, salp_fork_job *job)
{
    salp__entry entry = { .outer = member->entry };
    int error = salp__entry_ended(&entry);
    if (error < 0 || !run)
        return error;
    run_as(pool, member, &entry, run, job);
    return salp__entry_ended(&entry);
}

static int run_nothing(salp__entrance *entrance)
{
    salp__lock_take(&entrance->lock);
    int error = entrance->closed;
    salp__lock_release(&entrance->lock);
    return error;
}

/* ---- visits ---- */

static bool is_over_locked(const void *object)
{
    const visit *v = object;
    return v->over;
}

/* A scope of who waits is over. true: it had begun, and will end soon. */
static bool give_up(salp__entrance *entrance, visit *v, int error)
{
    salp__lock_take(&entrance->lock);
    bool begun = v->begun;
    if (!begun) {
        salp__list_remove(&v->link);
        atomic_fetch_sub_explicit(&entrance->waiting, 1, memory_order_relaxed);
    } else if (!v->over) {
        salp__entry_end(look_for_crew(entrance), &v->entry, error);
    }
    salp__lock_release(&entrance->lock);
    return begun;
}

static int wait_for_visit(salp__entrance *entrance, salp_fork_fn *run, salp_fork_job *job)
{
    visit v = { .run = run, .job = job, .seat.what = "job of a pool" };
    salp__lock_take(&entrance->lock);
    int error = entrance->closed;
    if (error == 0 && !crew_locked(entrance))
        error = -ENOMEM;
    if (error == 0) {
        salp__list_append(&entrance->visits, &v.link);
        atomic_fetch_add_explicit(&entrance->waiting, 1, memory_order_relaxed);
    }
    salp__lock_release(&entrance->lock);
    if (error < 0)
        return error;
    salp__wake(entrance->work, 1, false);
    error = salp__seat_wait(&v.seat, &entrance->lock, is_over_locked, &v);
    if (error < 0) {
        if (give_up(entrance, &v, error))
            salp__seat_wait_through(&v.seat, &entrance->lock, is_over_locked, &v);
        return error;
    }
    return salp__entry_ended(&v.entry);
}

/* [lock held on entry, released] */
static void end_visit_locked(salp__entrance *entrance, visit *v)
{
    v->over = true;
    salp__seat_call_locked(&v->seat); /* the last that we see of it */
    salp__lock_release(&entrance->lock);
}

static visit *take_visit(salp__entrance *entrance)
{
    /* relaxed: who brings one rings afterwards, and then it is looked at again. */
    if (atomic_load_explicit(&entrance->waiting, memory_order_relaxed) == 0)
        return NULL;
    visit *v = NULL;
    salp__lock_take(&entrance->lock);
    if (entrance->closed == 0 && !salp__list_empty(&entrance->visits)) { /* else salp__entrance_end tells them */
        v = SALP__CONTAINER(entrance->visits.next, visit, link);
        salp__list_remove(&v->link);
        atomic_fetch_sub_explicit(&entrance->waiting, 1, memory_order_relaxed);
        v->begun = true;
        salp__list_append(&entrance->runs, &v->entry.link);
    }
    salp__lock_release(&entrance->lock);
    return v;
}

static bool serve_visit(salp__entrance *entrance, salp_pool *pool, int index)
{
    visit *v = take_visit(entrance);
    if (!v)
        return false;
    salp__crew *crew = look_for_crew(entrance);
    atomic_store_explicit(&entrance->last, salp__now(), memory_order_relaxed);
    salp__crew_join(crew);
    salp__crew_summon(crew);
    run_as(pool, salp__crew_member(crew, index), &v->entry, v->run, v->job);
    salp__crew_leave(crew);
    salp__lock_take(&entrance->lock);
    salp__list_remove(&v->entry.link);
    salp__seat_call_locked(&entrance->leaver);
    end_visit_locked(entrance, v);
    return true;
}

/* ---- what threads of the pool ask ---- */

bool salp__entrance_serve(salp__entrance *entrance, salp_pool *pool, int index)
{
    salp__crew *crew = look_for_crew(entrance);
    if (!crew)
        return false;
    if (serve_visit(entrance, pool, index))
        return true;
    if (!salp__crew_is_busy(crew))
        return false;
    salp__inside_frame frame;
    salp__inside_enter(&frame, pool, false);
    frame.member = salp__crew_member(crew, index);
    bool helped = salp__crew_help(crew, index);
    salp__inside_leave(&frame);
    return helped;
}

bool salp__entrance_is_lively(const salp__entrance *entrance, int64_t now, int64_t within)
{
    const salp__crew *crew = look_for_crew(entrance);
    return crew &&
           (salp__crew_is_busy(crew) || now - atomic_load_explicit(&entrance->last, memory_order_relaxed) < within);
}

void salp__entrance_watch(salp__entrance *entrance, bool watched)
{
    atomic_store(&entrance->watched, watched); /* seq_cst: I2 */
}

void salp__entrance_summon(salp__entrance *entrance)
{
    salp__crew *crew = look_for_crew(entrance);
    /* seq_cst: after `present` was lowered, or the lookout has left its post. */
    if (crew && salp__crew_is_busy(crew) && !atomic_load(&entrance->watched))
        salp__crew_summon(crew);
}

bool salp__entrance_is_quiet(salp__entrance *entrance)
{
    salp__lock_take(&entrance->lock);
    bool quiet = salp__list_empty(&entrance->visits) && salp__list_empty(&entrance->runs);
    salp__lock_release(&entrance->lock);
    return quiet;
}

static bool is_empty_locked(const void *object)
{
    const salp__entrance *entrance = object;
    return salp__list_empty(&entrance->runs);
}

void salp__entrance_end(salp__entrance *entrance, int error, bool wait)
{
    salp__lock_take(&entrance->lock);
    if (entrance->closed == 0)
        entrance->closed = error;
    salp__crew *crew = look_for_crew(entrance);
    for (salp__list *node = entrance->runs.next; node != &entrance->runs; node = node->next)
        salp__entry_end(crew, SALP__CONTAINER(node, salp__entry, link), error);
    while (!salp__list_empty(&entrance->visits)) {
        visit *v = SALP__CONTAINER(entrance->visits.next, visit, link);
        salp__list_remove(&v->link);
        atomic_fetch_sub_explicit(&entrance->waiting, 1, memory_order_relaxed);
        v->begun = true;
        salp__entry_end(crew, &v->entry, error);
        end_visit_locked(entrance, v);
        salp__lock_take(&entrance->lock);
    }
    salp__lock_release(&entrance->lock);
    if (wait)
        salp__seat_wait_through(&entrance->leaver, &entrance->lock, is_empty_locked, entrance);
}

/* ---- entering ---- */

static int enter_from_outside(salp_pool *pool, salp__entrance *entrance, salp_fork_fn *run, salp_fork_job *job,
                              bool summons)
{
    int error = salp__cannot_wait() ? SALP_EINSIDE : salp__wait_begin();
    if (error == 0)
        error = salp__pool_begin(pool);
    if (error < 0)
        return error;
    const salp__actor *self = salp__self();
    int result;
    if (!run)
        result = run_nothing(entrance);
    else if (self->task || self->scope || pool->options.initializer)
        result = wait_for_visit(entrance, run, job);
    else
        result = run_here(pool, entrance, -1, run, job, summons);
    salp__pool_end(pool);
    return result;
}

int salp__enter(salp_pool *pool, salp_fork_fn *run, salp_fork_job *job, bool summons)
{
    if (!pool->engine->entrance)
        return -ENOTSUP;
    if (!*pool->mine)
        return SALP_EFORKED;
    salp__entrance *entrance = pool->engine->entrance(pool);
    const salp__inside_frame *frame = salp__inside_of(pool);
    if (!frame)
        return enter_from_outside(pool, entrance, run, job, summons);
    /* A task of a loop that a job runs may give way in the midst of its run, and another one would begin on top of it. */
    if (frame->callback || salp__self()->task)
        return SALP_EINSIDE;
    int error = salp__wait_begin();
    if (error < 0)
        return error;
    if (frame->member)
        return run_nested(pool, frame->member, run, job);
    return run ? run_here(pool, entrance, frame->worker, run, job, summons) : run_nothing(entrance);
}

int salp_pool_enter(salp_pool *pool, salp_fork_fn *run, salp_fork_job *job)
{
    return pool && run && job ? salp__enter(pool, run, job, true) : -EINVAL;
}
