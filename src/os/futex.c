/* futex(2). SPDX-License-Identifier: MIT */
#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/pretend.h"

int salp__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared)
{
    int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    if (salp__skips_to(deadline))
        return -ETIMEDOUT;
    if (deadline < 0)
        deadline = 0;
    struct timespec time = { .tv_sec = deadline / SALP_SECONDS(1), .tv_nsec = deadline % SALP_SECONDS(1) };
    struct timespec *until = deadline == SALP_FOREVER ? NULL : &time;
    long result = syscall(SYS_futex, word, operation, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (result == 0)
        return 0;
    int error = errno;
    salp__must(error == EAGAIN || error == EINTR || error == ETIMEDOUT);
    return -error;
}

int salp__futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
    int operation = FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long result = syscall(SYS_futex, word, operation, count, NULL, NULL, 0);
    /* EFAULT: the waiter freed or unmapped the word after it saw the value that we stored before waking;
       nobody can be asleep on it then. */
    return result < 0 ? 0 : (int)result;
}
