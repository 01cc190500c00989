/* Threads. SPDX-License-Identifier: MIT */
#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "os/fault.h"

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

void salp__after_fork(void (*function)(void))
{
    /* Without memory for it, a fork while a lock is held can block the child, as without this call. */
    (void)pthread_atfork(NULL, NULL, function);
}

int salp__thread_count(void)
{
    struct stat status;
    /* Each thread is a folder there, beside two links. */
    return stat("/proc/self/task", &status) == 0 ? (int)status.st_nlink - 2 : 0;
}

int salp__thread_start(salp__thread *thread, void *(*function)(void *), void *arg)
{
    SALP__FAULT(-EAGAIN);
    sigset_t all, before;
    sigfillset(&all);
    salp__must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int error = pthread_create(thread, NULL, function, arg);
    salp__must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    return -error;
}

void salp__thread_join(salp__thread thread)
{
    salp__must(pthread_join(thread, NULL) == 0);
}

void salp__thread_detach(salp__thread thread)
{
    salp__must(pthread_detach(thread) == 0);
}
