/*
 * Those who are needed as long as jobs run, however they are run: who calls the watchers while time goes by, who learns how many
 * jobs there are, and who listens to the user.
 *
 * Ctrl-C (SIGINT) or SIGTERM once: no more jobs are started. Twice, or SIGHUP: those that run are ended. What the user sends
 * comes as bytes from the front (map/guard.h), so that each counts once. A third time the front ends everything by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_AIDES_H
#define CLI_MAP_AIDES_H

#include <stdbool.h>

#include <salp/task.h>

#include "map/run.h"

struct map_aides {
    const struct map_run *run;
    struct map_result *result; /* gets `total` and `signal` */

    /* The user wants no more jobs to be started; `now`: and those that run to be ended. */
    void (*stop)(void *arg, bool now);
    /* The front has been killed: all is to end. */
    void (*abandon)(void *arg);
    void *arg;

    salp_group group; /* who runs the jobs may add tasks of its own */
};

/* In the task that runs the jobs, which ends them whether there was an error or not. Nothing was told. */
int map_aides_start(struct map_aides *aides);
void map_aides_end(struct map_aides *aides);

#endif
