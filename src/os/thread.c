/* Threads. SPDX-License-Identifier: MIT */
#include "os/thread.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/fault.h"

/* What resolvers of names need is not written down anywhere: glibc's own take up to 64 KiB, with those of others on top. */
enum { SMALL_STACK = 256 * 1024 };

void salp__lock_open(salp__lock *lock)
{
    salp__must(pthread_mutex_init(lock, NULL) == 0);
}

void salp__lock_close(salp__lock *lock)
{
    salp__must(pthread_mutex_destroy(lock) == 0);
}

void salp__lock_take(salp__lock *lock)
{
    salp__must(pthread_mutex_lock(lock) == 0);
}

void salp__lock_release(salp__lock *lock)
{
    salp__must(pthread_mutex_unlock(lock) == 0);
}

void salp__do_once(salp__once *once, void (*function)(void))
{
    salp__must(pthread_once(once, function) == 0);
}

void salp__after_fork(void (*function)(void))
{
    /* Without memory for it, a fork while a lock is held can block the child, as without this call. */
    (void)pthread_atfork(NULL, NULL, function);
}

void salp__around_fork(void (*before)(void), void (*in_parent)(void), void (*in_child)(void))
{
    (void)pthread_atfork(before, in_parent, in_child); /* as above */
}

int salp__thread_count(void)
{
    struct stat status;
    /* Each thread is a folder there, beside two links. */
    int count = stat("/proc/self/task", &status) == 0 ? (int)status.st_nlink - 2 : 0;
    /* The kernel orders the stores of a thread that ends before the count without it; this orders our looks after the
       count that we have read. */
    atomic_thread_fence(memory_order_seq_cst);
    return count;
}

uint64_t salp__thread_sleeps(void)
{
    struct rusage usage;
    salp__must(getrusage(RUSAGE_THREAD, &usage) == 0);
    return (uint64_t)usage.ru_nvcsw;
}

int64_t salp__children_cpu(void)
{
    struct rusage usage;
    salp__must(getrusage(RUSAGE_CHILDREN, &usage) == 0);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * SALP_SECONDS(1) +
           SALP_MICROSECONDS(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int start(salp__thread *thread, const pthread_attr_t *attributes, void *(*function)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    salp__must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(thread, attributes, function, arg);
    salp__must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return -error;
}

int salp__thread_start(salp__thread *thread, void *(*function)(void *), void *arg)
{
    SALP__FAULT(-EAGAIN);
    return start(thread, NULL, function, arg);
}

int salp__thread_send(void *(*function)(void *), void *arg)
{
    SALP__FAULT(-EAGAIN);
    pthread_t thread;
    pthread_attr_t attributes;
    salp__must(pthread_attr_init(&attributes) == 0);
    salp__must(pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) == 0);
    size_t usual;
    salp__must(pthread_attr_getstacksize(&attributes, &usual) == 0);
    salp__must(pthread_attr_setstacksize(&attributes, SMALL_STACK) == 0);
    int error = start(&thread, &attributes, function, arg);
    if (error == -EINVAL) {
        /* The variables that each thread has of its own lie on its stack, too, and this program has many. */
        salp__must(pthread_attr_setstacksize(&attributes, usual) == 0);
        error = start(&thread, &attributes, function, arg);
    }
    salp__must(pthread_attr_destroy(&attributes) == 0);
    return error;
}

int salp__fences_prepare(void)
{
    SALP__FAULT(-ENOSYS);
    return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0 ? -errno : 0;
}

int salp__fence_others(void)
{
    SALP__FAULT(-ENOMEM);
    return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) < 0 ? -errno : 0;
}

static uintptr_t find_stack_half(void)
{
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0)
        return UINTPTR_MAX;
    salp__must(pthread_attr_getstack(&attributes, &lowest, &size) == 0);
    salp__must(pthread_attr_destroy(&attributes) == 0);
    return (uintptr_t)lowest + size / 2;
}

uintptr_t salp__stack_half(void)
{
    SALP__HERE uintptr_t half; /* 0: it was not looked for */
    if (half == 0)
        half = find_stack_half();
    return half;
}

void salp__thread_join(salp__thread thread)
{
    salp__must(pthread_join(thread, NULL) == 0);
}

void salp__thread_detach(salp__thread thread)
{
    salp__must(pthread_detach(thread) == 0);
}
