/* Waiting for many descriptors. SPDX-License-Identifier: MIT */
#include "os/epoll.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/pretend.h"

_Static_assert((int)SALP__POLL_IN == (int)EPOLLIN && (int)SALP__POLL_OUT == (int)EPOLLOUT &&
                   (int)SALP__POLL_ERROR == (int)EPOLLERR && (int)SALP__POLL_HANGUP == (int)EPOLLHUP &&
                   (int)SALP__POLL_PEER_GONE == (int)EPOLLRDHUP && (int)SALP__POLL_URGENT == (int)EPOLLPRI &&
                   SALP__POLL_EDGE == (unsigned)EPOLLET,
               "the bits are the kernel's");

int salp__epoll_open(void)
{
    SALP__FAULT(-EMFILE);
    int fd = epoll_create1(EPOLL_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int control(int epoll, int operation, int fd, uint32_t events, void *what)
{
    SALP__FAULT(-ENOMEM);
    struct epoll_event event = { .events = events, .data.ptr = what };
    return epoll_ctl(epoll, operation, fd, &event) < 0 ? -errno : 0;
}

int salp__epoll_add(int epoll, int fd, uint32_t events, void *what)
{
    return control(epoll, EPOLL_CTL_ADD, fd, events, what);
}

int salp__epoll_change(int epoll, int fd, uint32_t events, void *what)
{
    return control(epoll, EPOLL_CTL_MOD, fd, events, what);
}

void salp__epoll_remove(int epoll, int fd)
{
    struct epoll_event event = { 0 };
    (void)epoll_ctl(epoll, EPOLL_CTL_DEL, fd, &event); /* fails when it was closed: then it is not waited for either */
}

/* Milliseconds, rounded up, for a kernel (or an emulator of one) that knows nothing finer. */
static int milliseconds_until(int64_t deadline)
{
    if (deadline == SALP_FOREVER)
        return -1;
    int64_t left = deadline > 0 ? deadline - salp__now() : 0;
    if (left <= 0)
        return 0;
    left = (left + SALP_MILLISECONDS(1) - 1) / SALP_MILLISECONDS(1);
    return left > INT_MAX ? INT_MAX : (int)left;
}

static int wait_precisely(int epoll, struct epoll_event events[], int max, int64_t deadline)
{
    struct timespec time = { 0 }, *limit = deadline == SALP_FOREVER ? NULL : &time;
    int64_t left = deadline > 0 && limit ? deadline - salp__now() : 0;
    if (left > 0)
        time = (struct timespec){ .tv_sec = left / SALP_SECONDS(1), .tv_nsec = left % SALP_SECONDS(1) };
    return epoll_pwait2(epoll, events, max, limit, NULL);
}

static int wait_once(int epoll, struct epoll_event events[], int max, int64_t deadline)
{
    /* A kernel does not learn the call, and a filter is not taken off: once is enough, for the process and its forks.
       [atomic: relaxed, since it says nothing of other memory; a thread that does not see it yet asks once more] */
    static atomic_bool unknown;
    if (!atomic_load_explicit(&unknown, memory_order_relaxed)) {
        int count = wait_precisely(epoll, events, max, deadline);
        if (count >= 0 || (errno != ENOSYS && errno != EPERM)) /* old kernels; filters that do not know the call */
            return count;
        atomic_store_explicit(&unknown, true, memory_order_relaxed);
    }
    return epoll_wait(epoll, events, max, milliseconds_until(deadline));
}

int salp__epoll_wait(int epoll, salp__readiness ready[], int max, int64_t deadline)
{
    struct epoll_event events[64];
    if (max > 64)
        max = 64;
    int count = wait_once(epoll, events, max, 0 < deadline && salp__skips_to(deadline) ? 0 : deadline);
    salp__must(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++)
        ready[i] = (salp__readiness){ .what = events[i].data.ptr, .events = events[i].events };
    return count < 0 ? -EINTR : count;
}

int salp__doorbell_open(void)
{
    SALP__FAULT(-EMFILE);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
    return fd < 0 ? -errno : fd;
}

void salp__doorbell_ring(int fd)
{
    uint64_t one = 1;
    while (write(fd, &one, sizeof one) < 0)
        salp__must(errno == EINTR);
}

void salp__doorbell_wait(int fd)
{
    uint64_t one;
    while (read(fd, &one, sizeof one) < 0)
        salp__must(errno == EINTR);
}

int salp__clock_fd_open(void)
{
    SALP__FAULT(-EMFILE);
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void salp__clock_fd_set(int fd, int64_t deadline)
{
    struct itimerspec when = { 0 }; /* zeros: never */
    if (deadline <= 0)
        deadline = 1;
    if (deadline != SALP_FOREVER)
        when.it_value =
            (struct timespec){ .tv_sec = deadline / SALP_SECONDS(1), .tv_nsec = deadline % SALP_SECONDS(1) };
    salp__must(timerfd_settime(fd, TFD_TIMER_ABSTIME, &when, NULL) == 0);
}

int salp__may_poll(int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    return S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) ? -EPERM : 0;
}
