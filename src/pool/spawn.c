/*
 * Stewards that do not come from the program's memory: copies of the program (process/copy.h), for SALP_SPAWN one for each
 * pool, for SALP_SERVER forked by the one server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/file.h"
#include "pool/processes.h"
#include "pool/steward.h"
#include "process/copy.h"

enum { ARENA = SALP__COPY_FIRST, DOOR = SALP__COPY_SECOND };

static void be_steward(const int fds[], int count)
{
    static salp__control control;
    int keep[SALP__COPY_OWN];
    for (int i = 0; i < SALP__COPY_OWN; i++)
        keep[i] = fds[i];
    (void)count; /* there are no others */
    salp__copy_close_others(keep, SALP__COPY_OWN);
    if (salp__control_map(&control, fds[ARENA]) < 0)
        salp__process_leave(1); /* the program notices that its steward is gone */
    salp__steward_main(&control, &(salp__steward_start){ .program = fds[SALP__COPY_PROGRAM], .door = fds[DOOR] });
}

__attribute__((constructor)) static void offer(void)
{
    salp__copy_offer(SALP__COPY_STEWARD, be_steward);
}

int salp__serve_steward(const salp__control *control, int door, int program, int *watch)
{
    pid_t pid; /* not our child, so we do not reap it */
    return salp__copy_serve(SALP__COPY_STEWARD, (const int[]){ control->arena, door, program }, NULL, 0, &pid, watch);
}

int salp__spawn_steward(const salp__control *control, int door, int program, pid_t *pid, int *watch)
{
    *pid = 0;
    return salp__copy_execute(SALP__COPY_STEWARD, (const int[]){ control->arena, door, program }, NULL, 0, pid, watch);
}
