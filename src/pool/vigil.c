/* What a loop looks at between its pieces; the header tells more. SPDX-License-Identifier: MIT */
#include "pool/vigil.h"

#include <errno.h>

#include <salp/time.h>

#include "os/clock.h"
#include "pool/engine.h"
#include "pool/entrance.h"
#include "task/scope.h"

static const int64_t worth_waking = SALP_MICROSECONDS(30);

int salp__vigil_enter(salp__vigil *vigil, salp_pool *pool, uintptr_t body, size_t count, salp_fork_fn *run,
                      salp_fork_job *job)
{
    salp__actor *self = salp__self();
    vigil->body = body;
    vigil->count = count;
    if (body != 0 && pool->engine->entrance)
        vigil->history = &pool->engine->entrance(pool)->history;
    if (!self->scope || !salp__inside_of(pool))
        return salp__enter(pool, run, job, false);
    vigil->scope = self->scope;
    int error = salp__wait_begin();
    if (error == 0)
        error = salp__enter(pool, run, job, false);
    return error < 0 ? salp__wait_end(self, error) : 0;
}

static void summon(salp__vigil *vigil, const salp_worker *worker)
{
    vigil->summoned = true;
    salp__crew_summon(salp__member_of(worker)->crew);
}

void salp__vigil_begin(salp__vigil *vigil, const salp_worker *worker, int64_t now)
{
    vigil->began = now;
    if (vigil->history && salp__history_guess(vigil->history, vigil->body, vigil->count) >= (double)(2 * worth_waking))
        summon(vigil, worker);
}

void salp__vigil_end(const salp__vigil *vigil, int error)
{
    if (vigil->history && error == 0)
        salp__history_note(vigil->history, vigil->body, vigil->count, salp__now() - vigil->began);
}

/* What ends the wait of somebody in this scope. Unlike salp__scope_error, for any thread. */
static int scope_error(const salp__scope *scope)
{
    for (; scope; scope = scope->outer) {
        int ended = atomic_load_explicit(&scope->ended, memory_order_acquire); /* with set_ended */
        if (ended == 0 && scope->deadline != SALP_FOREVER && salp__now() >= scope->deadline)
            ended = -ETIMEDOUT;
        if (ended < 0 || scope->shield)
            return ended;
    }
    return 0;
}

int salp__vigil_ended(const salp__vigil *vigil, const salp_worker *worker)
{
    const salp__member *member = salp__member_of(worker);
    int error = vigil->scope ? scope_error(vigil->scope) : 0;
    if (error < 0)
        salp__entry_end(member->crew, member->entry, error);
    return salp__entry_ended(member->entry);
}

void salp__vigil_summon(salp__vigil *vigil, const salp_worker *worker, int64_t now, size_t done, size_t all)
{
    int64_t spent = now - vigil->began;
    if (vigil->summoned || spent < worth_waking ||
        (double)spent * (double)(all - done) < (double)worth_waking * (double)done)
        return;
    summon(vigil, worker);
}
