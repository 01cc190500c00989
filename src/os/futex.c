/* futex(2). SPDX-License-Identifier: MIT */
#include "os/futex.h"

#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "base/sanitizer.h"
#include "os/pretend.h"

#ifdef __SANITIZE_THREAD__
/* ThreadSanitizer keeps signals back until a call that it knows, such as that for the time, and it does not know futex: so no
   wait is longer than a second, and ends then as if a signal had come. */
static int64_t wait_at_most_until(int64_t deadline)
{
    struct timespec now;
    salp__must(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    int64_t soon = now.tv_sec * SALP_SECONDS(1) + now.tv_nsec + SALP_SECONDS(1);
    return soon < deadline ? soon : deadline;
}
#else
static int64_t wait_at_most_until(int64_t deadline)
{
    return deadline;
}
#endif

int salp__futex_wait(_Atomic uint32_t *word, uint32_t expected, int64_t deadline, bool shared)
{
    int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    if (salp__skips_to(deadline))
        return -ETIMEDOUT;
    if (deadline < 0)
        deadline = 0;
    int64_t end = wait_at_most_until(deadline);
    struct timespec time = { .tv_sec = end / SALP_SECONDS(1), .tv_nsec = end % SALP_SECONDS(1) };
    struct timespec *until = end == SALP_FOREVER ? NULL : &time;
    long result = syscall(SYS_futex, word, operation, expected, until, NULL, FUTEX_BITSET_MATCH_ANY);
    if (result == 0)
        return 0;
    int error = errno;
    salp__must(error == EAGAIN || error == EINTR || error == ETIMEDOUT);
    return error == ETIMEDOUT && end < deadline ? -EINTR : -error;
}

int salp__futex_wake(_Atomic uint32_t *word, int count, bool shared)
{
    int operation = FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long result = syscall(SYS_futex, word, operation, count, NULL, NULL, 0);
    /* EFAULT: the waiter freed or unmapped the word after it saw the value that we stored before waking;
       nobody can be asleep on it then. */
    return result < 0 ? 0 : (int)result;
}
