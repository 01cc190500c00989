/*
 * Tasks whose stacks walk_test looks at from outside: one waits, another one is deep in functions and comes to `here`;
 * there it stays if there is an argument, until it is killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fenv.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <salp/task.h>

/* Keeps a frame on the stack: what comes before is a call, not a jump. */
#define NOT_THE_LAST_CALL() __asm__ volatile("" ::: "memory")
#define FRAME __attribute__((noinline))

static int stays;

FRAME static void here(void)
{
    NOT_THE_LAST_CALL();
    if (stays)
        puts("here");
    while (stays)
        pause();
}

FRAME static void middle(void)
{
    here();
    NOT_THE_LAST_CALL();
}

static int busy(void *group)
{
    middle();
    salp_group_cancel(group);
    return 0;
}

FRAME static int rest(void)
{
    int result = salp_sleep(SALP_FOREVER);
    NOT_THE_LAST_CALL();
    return result;
}

static int idle(void *arg)
{
    (void)arg;
    fesetround(FE_UPWARD); /* a switch has two ways: this is the longer one */
    int result = rest();
    NOT_THE_LAST_CALL();
    return result == -ECANCELED ? 0 : 1;
}

static int both(void *arg)
{
    (void)arg;
    salp_group group;
    salp_group_open(&group);
    int error = salp_go(&group, idle, NULL);
    if (error == 0)
        error = salp_go(&group, busy, &group);
    int result = salp_group_close(&group);
    return error < 0 ? error : result;
}

int main(int argc, char **argv)
{
    (void)argv;
    stays = argc > 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY); /* where only a parent may look */
    setvbuf(stdout, NULL, _IOLBF, 0);
    return salp_run(both, NULL) == 0 ? 0 : 1;
}
