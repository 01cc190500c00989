/*
 * Capturing a backtrace in a signal handler.
 *
 *     crashing function          <- the first address, from the ucontext
 *     its callers                <- the others
 *     ...
 *     ---- signal frame (on another stack, if the handler asked for one)
 *     handler
 *     salp__backtrace_capture
 *     _Unwind_Backtrace
 *
 * The unwinder is that of libgcc, which starts at itself and walks outwards: through the handler, through the signal
 * frame that the kernel made, into the code that was interrupted. What comes before that code is skipped. On glibc 2.35
 * and later it finds the unwind tables by _dl_find_object, so it takes no lock and allocates nothing; before, it could
 * wait for ever for a lock that the crashing thread holds. (Programs that register tables by hand, as a just-in-time
 * compiler does, make libgcc before 13 take a lock even so.)
 *
 * Two things it does not cope with:
 *
 * 1. An address without unwind tables, as after a call of NULL. It ends there, or reads the memory at that address to
 *    see whether it is a signal trampoline. So this is asked first, and if there are no tables the context is changed
 *    for the time of the walk to look as if the call had just returned. The instruction is set to one less than the
 *    return address, as the unwinder does itself with callers: the call may be the last instruction of its function.
 *
 * 2. A stack that was overwritten: it believes what it reads and faults. The fault is caught and ends the walk. The
 *    addresses up to there are good. Leaping out of it is harmless because it holds nothing, as said above.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>
#include <unwind.h>

#include "os/context.h"
#include "os/symbols.h"

enum { GUARDED = 2 };
static const int guarded[GUARDED] = { SIGSEGV, SIGBUS };

/*
 * Signal handlers belong to the whole process, and so does this. `thread` is 0 when nobody captures; whoever sets it
 * owns the rest.
 */
static struct {
    _Atomic pid_t thread;
    sigjmp_buf leap;
    struct sigaction before[GUARDED];
} guard;

struct walk {
    uintptr_t start; /* instruction of the frame from which on frames count; itself already written down */
    bool reached;
    uint64_t *addresses;
    int count;
    int max;
};

static void on_fault(int number)
{
    /* acquire: pairs with the exchange in begin_guard; what this thread has written it sees in any case. */
    if (gettid() == atomic_load_explicit(&guard.thread, memory_order_acquire))
        siglongjmp(guard.leap, 1);
    /* Another thread crashes as well: it faults once more, under the action that the program meant. */
    for (int i = 0; i < GUARDED; i++) {
        if (guarded[i] == number)
            sigaction(number, &guard.before[i], NULL);
    }
}

static bool begin_guard(void)
{
    pid_t nobody = 0;
    /* acquire: pairs with the release in end_guard, so that two owners' stores to `before` do not mix. */
    if (!atomic_compare_exchange_strong_explicit(&guard.thread, &nobody, gettid(), memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    /* All is known before the first is set: from then on another thread may come to on_fault. */
    for (int i = 0; i < GUARDED; i++)
        sigaction(guarded[i], NULL, &guard.before[i]);
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_ONSTACK };
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < GUARDED; i++)
        sigaction(guarded[i], &action, NULL);
    return true;
}

static void end_guard(void)
{
    for (int i = 0; i < GUARDED; i++)
        sigaction(guarded[i], &guard.before[i], NULL);
    atomic_store_explicit(&guard.thread, 0, memory_order_release);
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    int interrupted = 0; /* by a signal: the address is not a return address */
    uintptr_t address = _Unwind_GetIPInfo(context, &interrupted);
    if (!walk->reached) {
        walk->reached = interrupted && address == walk->start;
        return _URC_NO_REASON;
    }
    if (address == 0 || walk->count == walk->max)
        return _URC_END_OF_STACK;
    if (interrupted) {
        /* The one before is a signal frame: it returns to the beginning of the trampoline, behind no call. */
        if (walk->count > 1)
            walk->addresses[walk->count - 1]++;
        address++;
    }
    walk->addresses[walk->count++] = address;
    return _URC_NO_REASON;
}

static bool has_tables(uintptr_t instruction)
{
    /* The function takes a return address, and looks at the byte before. */
    return _Unwind_FindEnclosingFunction((void *)(instruction + 1)) != NULL;
}

static void walk_from(void *ucontext, struct walk *walk)
{
    walk->start = salp__context_get(ucontext).instruction;
    if (!has_tables(walk->start)) {
        salp__frame caller = salp__context_caller(ucontext);
        if (walk->count == walk->max || !has_tables(caller.instruction - 1))
            return;
        walk->addresses[walk->count++] = caller.instruction;
        caller.instruction--;
        walk->start = caller.instruction;
        salp__context_set(ucontext, caller);
    }
    (void)_Unwind_Backtrace(on_frame, walk);
}

/* A function of its own: what it shares with the leap lies in its caller's frame, which the leap leaves intact. */
static void walk_guarded(void *ucontext, struct walk *walk)
{
    sigset_t faults, mask;
    sigemptyset(&faults);
    for (int i = 0; i < GUARDED; i++)
        sigaddset(&faults, guarded[i]);
    /* The signal that is being handled is blocked, and a fault whose signal is blocked ends the process. */
    pthread_sigmask(SIG_UNBLOCK, &faults, &mask);
    if (sigsetjmp(guard.leap, 0) == 0)
        walk_from(ucontext, walk);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
}

static _Unwind_Reason_Code on_caller(struct _Unwind_Context *context, void *arg)
{
    struct walk *walk = arg;
    uintptr_t address = _Unwind_GetIP(context);
    if (address == 0 || walk->count == walk->max)
        return _URC_END_OF_STACK;
    if (walk->reached) /* not this very function's own frame */
        walk->addresses[walk->count++] = address;
    walk->reached = true;
    return _URC_NO_REASON;
}

int salp__backtrace_here(uint64_t *addresses, int max)
{
    struct walk walk = { .addresses = addresses, .max = max };
    (void)_Unwind_Backtrace(on_caller, &walk);
    if (walk.count > 0)
        addresses[0]--; /* it is described as the address itself, not as a return address */
    return walk.count;
}

int salp__backtrace_capture(void *ucontext, uint64_t *addresses, int max)
{
    if (max < 1)
        return 0;
    int saved_errno = errno; /* a handler may go back to code that is just about to look at it */
    salp__frame interrupted = salp__context_get(ucontext);
    struct walk walk = { .addresses = addresses, .count = 1, .max = max };
    addresses[0] = interrupted.instruction;
    if (begin_guard()) {
        walk_guarded(ucontext, &walk);
        salp__context_set(ucontext, interrupted);
        end_guard();
    }
    errno = saved_errno;
    return walk.count;
}
