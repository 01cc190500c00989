/*
 * The front of a pool: what the user asked for, checked, becomes a call for the engine.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <salp/pool.h>

#include "os/memory.h"
#include "pool/engine.h"
#include "sync/future.h"
#include "task/scope.h"
#include "task/park.h"

static const salp_map_options no_options;

/* ---- checking ---- */

static bool fits(size_t size, size_t count)
{
    size_t bytes;
    return !__builtin_mul_overflow(size, count, &bytes) && bytes <= PTRDIFF_MAX / 4;
}

static int check_array(const void *data, size_t size, size_t count)
{
    if ((data == NULL) != (size == 0))
        return -EINVAL;
    return fits(size, count) ? 0 : -EINVAL;
}

static int check_call(const salp__call *call, bool synchronous)
{
    const salp_map_options *options = &call->options;
    if (!call->function.address)
        return -EINVAL;
    if (check_array(call->out, call->out_size, call->count) < 0)
        return -EINVAL;
    if (!fits(sizeof(int), call->count))
        return -EINVAL;
    if (options->context_size > 0 && (!options->context || options->context_size > PTRDIFF_MAX / 4))
        return -EINVAL;
    if (synchronous && options->on_done)
        return -EINVAL;
    return 0;
}

static int check_columns(const salp_column columns[], int count, size_t items)
{
    if (!columns || count < 1 || count > SALP_COLUMNS_MAX)
        return -EINVAL;
    for (int i = 0; i < count; i++) {
        if (!columns[i].data || !fits(columns[i].size, items) || columns[i].size == 0)
            return -EINVAL;
    }
    return 0;
}

/* ---- coming and going ---- */

static int enter(salp_pool *pool, bool synchronous)
{
    if (!pool)
        return -EINVAL;
    if (!*pool->mine)
        return SALP_EFORKED;
    if (salp__inside(pool) && (synchronous || !salp__inside_callback(pool)))
        return SALP_EINSIDE;
    return salp__pool_begin(pool);
}

/* In a fork of the program the future is a copy, and its pool is not: nobody would resolve it here. */
static int cancel_call(void *object)
{
    salp__call *call = object;
    if (!*call->pool->mine)
        return SALP_EFORKED;
    call->pool->engine->cancel(call->pool, call);
    return 0;
}

static int may_wait_for_call(const void *object)
{
    const salp__call *call = object;
    if (!*call->pool->mine)
        return SALP_EFORKED;
    return salp__inside(call->pool) ? SALP_EINSIDE : 0;
}

static const salp__future_owner owner = { .cancel = cancel_call, .may_wait = may_wait_for_call };

void salp__call_finish(salp__call *call, int result)
{
    salp_pool *pool = call->pool;
    salp__inside_frame frame;
    salp__inside_enter(&frame, pool, true);
    salp__future_settle(call->future, result, call->options.on_done, call->options.on_done_arg);
    salp__inside_leave(&frame);
    salp__free(call->copies);
    salp__free(call);
    salp__pool_end(pool);
}

/* Copies inputs (when asked) and the context behind each other, so that the caller may forget its own. */
static int copy_inputs(salp__call *call, bool inputs)
{
    size_t size = call->options.context_size;
    size_t input = inputs && call->column_count > 0 ? call->columns[0].size : 0;
    if (size + input == 0)
        return 0;
    size_t aligned = (size + 15) / 16 * 16;
    char *copies = salp__allocate(aligned + input);
    if (!copies)
        return -ENOMEM;
    salp__spell spell = { 0 };
    if (size > 0) {
        salp__spell_copy(&spell, copies, call->options.context, size);
        call->options.context = copies;
    }
    if (input > 0) {
        salp__spell_copy(&spell, copies + aligned, call->columns[0].data, input);
        call->columns[0].data = copies + aligned;
    }
    call->copies = copies;
    return 0;
}

static int start(salp_future **future, const salp__call *wanted, bool copy)
{
    if (future)
        *future = NULL;
    int error = check_call(wanted, false);
    if (error < 0)
        return error;
    salp__call *call = salp__allocate(sizeof *call);
    if (!call)
        return -ENOMEM;
    *call = *wanted;
    /* Before anything that lets other tasks run: one of them may close the pool. */
    error = enter(call->pool, false);
    if (error < 0)
        goto free_call;
    error = copy_inputs(call, copy);
    if (error < 0)
        goto leave_pool;
    salp_future *made;
    error = salp__future_open(&made, &owner, call);
    if (error < 0)
        goto free_copies;
    call->future = made;
    if (future)
        *future = made;
    if (call->count == 0)
        salp__call_finish(call, 0);
    else
        error = call->pool->engine->start(call->pool, call);
    if (error < 0)
        goto free_future;
    if (!future)
        salp_future_free(made);
    return 0;

free_future:
    if (future)
        *future = NULL;
    salp__future_settle(made, error, NULL, NULL);
    salp_future_free(made);
free_copies:
    salp__free(call->copies);
leave_pool:
    salp__pool_end(call->pool);
free_call:
    salp__free(call);
    return error;
}

/* In a task, or a thread with a scope, the caller is no runner and must not sleep in the engine: it waits for a future,
   as everything waits that can be ended by a scope. */
static int run_and_suspend(salp__call *call)
{
    salp_future *future;
    int error = salp__wait_refused();
    call->awaited = true;
    if (error == 0)
        error = start(&future, call, false);
    if (error < 0)
        return error;
    int result = salp_future_wait(future);
    if (!salp_future_ready(future)) {
        /* A scope is over. The call's memory is the caller's, so nobody may be at work on it when we return. */
        salp_future_cancel(future);
        salp__future_wait_through(future);
    }
    salp_future_free(future);
    return result;
}

static int run(salp__call *call)
{
    int result = check_call(call, true);
    if (result < 0)
        return result;
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    salp__actor *self = salp__self();
    if ((self->task || self->scope) && !salp__inside(call->pool))
        return run_and_suspend(call);
    result = enter(call->pool, true);
    if (result < 0)
        return result;
    if (call->count > 0)
        result = call->pool->engine->run(call->pool, call);
    salp__pool_end(call->pool);
    return result;
}

/* ---- the calls ---- */

static int make_map(salp__call *call, salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out,
                    size_t out_size, size_t count, const salp_map_options *options)
{
    *call = (salp__call){
        .pool = pool,
        .kind = SALP__JOB,
        .function.job = job,
        .columns[0] = { .data = in, .size = in_size },
        .column_count = in ? 1 : 0,
        .out = out,
        .out_size = out_size,
        .count = count,
        .options = options ? *options : no_options,
    };
    return check_array(in, in_size, count);
}

static int make_starmap(salp__call *call, salp_pool *pool, salp_starjob *job, const salp_column columns[],
                        int column_count, void *out, size_t out_size, size_t count, const salp_map_options *options)
{
    *call = (salp__call){
        .pool = pool,
        .kind = SALP__STARJOB,
        .function.starjob = job,
        .out = out,
        .out_size = out_size,
        .count = count,
        .options = options ? *options : no_options,
    };
    int error = check_columns(columns, column_count, count);
    if (error < 0)
        return error;
    memcpy(call->columns, columns, (size_t)column_count * sizeof *columns);
    call->column_count = column_count;
    return 0;
}

static int make_message(salp__call *call, salp_pool *pool, salp_bytes_job *job, salp_bytes in, salp_buffer *answer,
                        const salp_map_options *options)
{
    *call = (salp__call){
        .pool = pool,
        .kind = SALP__MESSAGE,
        .function.bytes_job = job,
        .columns[0] = { .data = in.data, .size = in.size },
        .column_count = in.size > 0 ? 1 : 0,
        .answer = answer,
        .count = 1,
        .options = options ? *options : no_options,
    };
    if (!answer || (in.size > 0 && !in.data) || !fits(in.size, 1))
        return -EINVAL;
    return 0;
}

int salp_map(salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out, size_t out_size, size_t count,
             const salp_map_options *options)
{
    salp__call call;
    int error = make_map(&call, pool, job, in, in_size, out, out_size, count, options);
    return error < 0 ? error : run(&call);
}

int salp_starmap(salp_pool *pool, salp_starjob *job, const salp_column columns[], int column_count, void *out,
                 size_t out_size, size_t count, const salp_map_options *options)
{
    salp__call call;
    int error = make_starmap(&call, pool, job, columns, column_count, out, out_size, count, options);
    return error < 0 ? error : run(&call);
}

int salp_apply(salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out, size_t out_size,
               const salp_map_options *options)
{
    return salp_map(pool, job, in, in_size, out, out_size, 1, options);
}

int salp_call(salp_pool *pool, salp_bytes_job *job, salp_bytes in, salp_buffer *out, const salp_map_options *options)
{
    salp__call call;
    int error = make_message(&call, pool, job, in, out, options);
    return error < 0 ? error : run(&call);
}

int salp_map_async(salp_future **future, salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out,
                   size_t out_size, size_t count, const salp_map_options *options)
{
    salp__call call;
    int error = make_map(&call, pool, job, in, in_size, out, out_size, count, options);
    return error < 0 ? error : start(future, &call, false);
}

int salp_starmap_async(salp_future **future, salp_pool *pool, salp_starjob *job, const salp_column columns[],
                       int column_count, void *out, size_t out_size, size_t count, const salp_map_options *options)
{
    salp__call call;
    int error = make_starmap(&call, pool, job, columns, column_count, out, out_size, count, options);
    return error < 0 ? error : start(future, &call, false);
}

int salp_apply_async(salp_future **future, salp_pool *pool, salp_job *job, const void *in, size_t in_size, void *out,
                     size_t out_size, const salp_map_options *options)
{
    salp__call call;
    int error = make_map(&call, pool, job, in, in_size, out, out_size, 1, options);
    return error < 0 ? error : start(future, &call, true);
}

int salp_call_async(salp_future **future, salp_pool *pool, salp_bytes_job *job, salp_bytes in, salp_buffer *out,
                    const salp_map_options *options)
{
    salp__call call;
    int error = make_message(&call, pool, job, in, out, options);
    return error < 0 ? error : start(future, &call, true);
}
