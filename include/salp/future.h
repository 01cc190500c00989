/*
 * salp/future.h - the result of something that was started and is not waited for yet.
 *
 * A future is resolved once, with an int, by whoever does the work: a pool for
 * its asynchronous calls, or your own code for a future from salp_future_open
 * (the bridge from callbacks to waiting). The result follows the rule of all
 * calls: 0 or positive for success, a negative error.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_FUTURE_H
#define SALP_FUTURE_H

#include <stdbool.h>

#include <salp/base.h>

SALP_BEGIN

typedef struct salp_future salp_future;

/*
 * Called once when a future is resolved, after its result can be read. It runs
 * on a thread of the pool (see salp/pool.h), or in salp_future_resolve; it must
 * not wait for that same pool. The future stays valid during the call even if it
 * was freed meanwhile.
 */
typedef void salp_done_fn(salp_future *future, void *arg);

/*
 * Opens a future that your own code will resolve.
 * Threads: any. Waits: no. Owns: *future, until salp_future_free.
 * Errors: -EINVAL future is NULL; -ENOMEM.
 */
SALP_API int salp_future_open(salp_future **future);

/*
 * Resolves a future from salp_future_open and wakes everyone who waits for it.
 * Threads: any. Waits: no.
 * Errors: -EINVAL future is NULL, or a pool's own (only the pool resolves those);
 * -EALREADY it has a result (which stays).
 */
SALP_API int salp_future_resolve(salp_future *future, int result);

/*
 * Waits until the future is resolved, and returns its result. May be called any
 * number of times, and from several threads at once.
 * Threads: any, and tasks: only the task waits. Waits: yes.
 * Errors: -EINVAL future is NULL; SALP_EINSIDE called by a job or a callback of
 * the pool that would have to resolve it; -ECANCELED, -ETIMEDOUT a scope
 * (salp/task.h) has ended the wait, and the work goes on; else the result itself.
 * One that is there is told whatever scopes say, and to callbacks of loops, too.
 */
SALP_API int salp_future_wait(salp_future *future);

/* Whether the future has its result. false for NULL. Threads: any. Waits: no. */
SALP_API bool salp_future_ready(const salp_future *future);

/*
 * Asks for an early end. For a pool's call: no further item starts, items that
 * are running end by themselves, then the future is resolved with -ECANCELED
 * (so `out` may be written until then: wait before you reuse it). For a future
 * from salp_future_open: resolved with -ECANCELED at once.
 * Threads: any. Waits: no.
 * Errors: -EINVAL future is NULL; -EALREADY it has a result.
 */
SALP_API int salp_future_cancel(salp_future *future);

/*
 * Gives the future up. The work goes on if it was not done, its on_done is still
 * called, and the memory goes when nobody needs it. NULL is accepted.
 * Threads: any; nobody else may use the handle afterwards. Waits: no.
 */
SALP_API void salp_future_free(salp_future *future);

SALP_END

#endif
