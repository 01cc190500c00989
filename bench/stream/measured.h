/*
 * measured.h - the server that is measured, a child of the client: what it is and what it has used.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_MEASURED_H
#define BENCH_MEASURED_H

#include <stdint.h>
#include <sys/types.h>

#include "common/program.h"

struct measured {
    char **command;
    pid_t pid;
    uint16_t port;
};

/* Starts the command, on the processor of the argument server_processor, and waits until it is ready (see server.h). */
void measured_start(struct measured *server);

/* Has it end, and waits for that. Ends the program if it has not ended well. */
void measured_end(const struct measured *server);

/* Nanoseconds that its threads, those that have ended too, were on a processor. */
int64_t measured_processor(const struct measured *server);

/* How often its threads have gone to sleep. */
int64_t measured_sleeps(const struct measured *server);

/* Bytes of memory that it has to itself, with page tables. */
int64_t measured_memory(const struct measured *server);

/* Has this process stay on the processor that the argument of this name tells, if there is one. */
void bench_stay_on(const char *name);

#endif
