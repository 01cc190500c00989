/*
 * A statically linked program: it has processes and pools by forks, and whatever would have to load another library does without.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include <salp.h>

static int crash(void *arg)
{
    (void)arg;
    return raise(SIGSEGV);
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* libdw brings a second C library with it, and crashes. */
static bool a_crash_is_told_without_a_backtrace(void)
{
    salp_process *process;
    int status = 0;
    if (salp_process_start(&process, crash, NULL, NULL) < 0)
        return false;
    bool told = salp_process_wait(process, &status) == 0 && status == -SIGSEGV;
    bool without = salp_process_backtrace(process)[0] == '\0';
    salp_process_close(process);
    return told && without;
}

static bool what_needs_a_copy_is_refused(void)
{
    salp_process *process;
    return salp_process_start(&process, nothing, NULL, &(salp_process_options){ .start = SALP_SERVER }) == -ENOTSUP &&
           salp_process_start(&process, nothing, NULL, &(salp_process_options){ .start = SALP_SPAWN }) == -ENOTSUP;
}

int main(void)
{
    puts("1..2");
    bool crashed = a_crash_is_told_without_a_backtrace();
    printf("%s 1 - a crash is told without a backtrace\n", crashed ? "ok" : "not ok");
    bool refused = what_needs_a_copy_is_refused();
    printf("%s 2 - what needs a copy of the program is refused\n", refused ? "ok" : "not ok");
    return crashed && refused ? 0 : 1;
}
