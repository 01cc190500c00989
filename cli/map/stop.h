/*
 * How a command is ended: signals to all that it has started, with pauses between them (--term-seq).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_MAP_STOP_H
#define CLI_MAP_STOP_H

#include <stdbool.h>
#include <stdint.h>

enum { MAP_STOP_STEPS = 32 };

struct map_stop {
    struct {
        int signal;
        int64_t pause; /* nanoseconds, for it to end after that */
    } steps[MAP_STOP_STEPS];
    int count;

    /* How the library does it: so many steps come first, to the command's process group. Then its whole tree gets SIGTERM, and
       SIGKILL after `kill_after`, as of salp_command_options. */
    int before;
    int64_t kill_after;
    int64_t total; /* of all pauses */
};

/* "TERM,200,KILL": names or numbers of signals, milliseconds between them. NULL: TERM,200,TERM,100,TERM,50,KILL,25. Whether it
   makes sense. */
bool map_stop_read(struct map_stop *stop, const char *text);

#endif
