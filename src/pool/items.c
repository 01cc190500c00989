/*
 * Items of a call on threads: running them, and telling what became of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/items.h"

#include <errno.h>
#include <stdint.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/memory.h"
#include "pool/engine.h"

static void note_failure(salp__call *call, salp__runner *runner, size_t index, int error)
{
    if (index < runner->failed_index) {
        runner->failed_index = index;
        runner->failed_error = error;
    }
    if (!call->options.errors) {
        /* relaxed: a request; who does not see it yet runs one more item. */
        atomic_fetch_or_explicit(&call->engine.threads.signal, SALP__STOP, memory_order_relaxed);
    }
}

static int run_message(salp__call *call, void *context)
{
    salp_buffer answer = { 0 };
    salp_bytes in = { .data = call->columns[0].data, .size = call->columns[0].size };
    int result = call->function.bytes_job(in, &answer, context);
    if (!call->answer->data) {
        *call->answer = answer;
        return result;
    }
    int error = salp_buffer_append(call->answer, answer.data, answer.size);
    salp_buffer_free(&answer);
    return error < 0 ? error : result;
}

static int run_star(salp__call *call, size_t index, void *context)
{
    const void *in[SALP_COLUMNS_MAX];
    for (int i = 0; i < call->column_count; i++)
        in[i] = (const char *)call->columns[i].data + index * call->columns[i].size;
    return call->function.starjob(in, (char *)call->out + index * call->out_size, context);
}

static int run_item(salp__call *call, size_t index, void *context)
{
    return call->kind == SALP__STARJOB ? run_star(call, index, context) : run_message(call, context);
}

/* Whether to go on with item i, of a claim that began with item `begin`. */
static inline bool go_on(const salp__thread_call *state, salp__pace *pace, size_t begin, size_t i)
{
    /* relaxed: a request, not a message. */
    uint32_t signal = atomic_load_explicit(&state->signal, memory_order_relaxed);
    if (SALP__LIKELY(signal == 0) || i == begin)
        return true;
    if (signal & SALP__STOP)
        return false;
    return state->units.size > 1 || !salp__pace_overdue(pace, i - begin);
}

static inline void note_result(salp__call *call, salp__runner *runner, size_t index, int result)
{
    if (call->options.errors)
        call->options.errors[index] = result;
    if (SALP__UNLIKELY(result < 0))
        note_failure(call, runner, index, result);
}

/* The loop that is run most; `recorded` is a constant in each of its copies. Addresses are numbers, since there may be
   no input or no result, and nothing may be added to NULL. */
static inline __attribute__((always_inline)) size_t run_jobs(salp__call *call, salp__runner *runner, salp__pace *pace,
                                                             size_t begin, size_t end, bool recorded)
{
    salp_job *job = call->function.job;
    void *context = runner->context;
    const _Atomic uint32_t *signal = &call->engine.threads.signal;
    size_t in_size = call->columns[0].data ? call->columns[0].size : 0, out_size = call->out ? call->out_size : 0;
    uintptr_t in = (uintptr_t)call->columns[0].data + begin * in_size, out = (uintptr_t)call->out + begin * out_size;
    size_t i = begin;
    for (; i < end; i++) {
        /* relaxed: a request, not a message. */
        if (SALP__UNLIKELY(atomic_load_explicit(signal, memory_order_relaxed) != 0) &&
            !go_on(&call->engine.threads, pace, begin, i))
            break;
        int result = job((const void *)in, (void *)out, context);
        if (recorded)
            call->options.errors[i] = result;
        if (SALP__UNLIKELY(result < 0))
            note_failure(call, runner, i, result);
        in += in_size;
        out += out_size;
    }
    return i;
}

size_t salp__items_run(salp__call *call, salp__runner *runner, salp__pace *pace, size_t begin, size_t end)
{
    if (call->kind == SALP__JOB && call->options.errors)
        return run_jobs(call, runner, pace, begin, end, true);
    if (call->kind == SALP__JOB)
        return run_jobs(call, runner, pace, begin, end, false);
    size_t i = begin;
    for (; i < end && go_on(&call->engine.threads, pace, begin, i); i++)
        note_result(call, runner, i, run_item(call, i, runner->context));
    return i;
}

void salp__items_tell_progress(salp__call *call, bool last)
{
    salp__thread_call *state = &call->engine.threads;
    if (!call->options.on_progress)
        return;
    /* acquire and release: what one teller wrote to told_at, and what the user's function did, is seen by the next. */
    while (atomic_exchange_explicit(&state->telling, true, memory_order_acquire)) {
        if (!last)
            return;
        salp__give_way();
    }
    int64_t now = salp__now();
    if (last || now - state->told_at >= SALP__PROGRESS_INTERVAL) {
        salp__inside_frame frame;
        state->told_at = now;
        size_t done = atomic_load_explicit(&state->done, memory_order_relaxed);
        salp__inside_enter(&frame, call->pool, true);
        call->options.on_progress(done, call->count, call->options.on_progress_arg);
        salp__inside_leave(&frame);
    }
    atomic_store_explicit(&state->telling, false, memory_order_release);
}

static int result_of(const salp__call *call)
{
    const salp__thread_call *state = &call->engine.threads;
    const salp__runner *lowest = &state->runners[0];
    if (state->override < 0)
        return state->override;
    for (int i = 1; i < state->runner_count; i++) {
        if (state->runners[i].failed_index < lowest->failed_index)
            lowest = &state->runners[i];
    }
    return lowest->failed_index == SIZE_MAX ? 0 : lowest->failed_error;
}

static void report_failure(const salp__call *call, size_t index, int error)
{
    salp_failure failure = { .index = index, .error = error, .exit_status = -1, .attempt = 1, .backtrace = "" };
    salp__inside_frame frame;
    salp__inside_enter(&frame, call->pool, true);
    call->options.on_failure(&failure, call->options.on_failure_arg);
    salp__inside_leave(&frame);
}

static void report_failures(const salp__call *call)
{
    const salp__thread_call *state = &call->engine.threads;
    if (!salp__call_reports(call))
        return;
    if (call->options.errors && result_of(call) < 0) {
        for (size_t i = 0; i < call->count; i++) {
            if (call->options.errors[i] < 0)
                report_failure(call, i, call->options.errors[i]);
        }
        return;
    }
    /* Without .errors a runner stops at its first failure, so each has at most one. */
    for (int i = 0; i < state->runner_count; i++) {
        if (state->runners[i].failed_index != SIZE_MAX)
            report_failure(call, state->runners[i].failed_index, state->runners[i].failed_error);
    }
}

int salp__items_conclude(salp__call *call)
{
    report_failures(call);
    salp__items_tell_progress(call, true);
    int result = result_of(call);
    salp__free(call->engine.threads.block);
    return result;
}
