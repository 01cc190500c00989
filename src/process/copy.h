/*
 * Fresh copies of this program, which never come to its main.
 *
 * The program is executed anew, and stopped after all constructors (os/startup.h): then the copy does what it is for. It
 * finds a function of the program again by os/modules.h. The server is such a copy, started when it is first needed and
 * kept, which forks others: it has nothing of the program's threads and memory, so that this is safe and cheap whatever
 * the program has grown to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__COPY_H
#define SALP__COPY_H

#include <sys/types.h>

#include "os/channel.h"
#include "os/process.h"

/* What a copy can be for. */
typedef enum salp__copy_role {
    SALP__COPY_STEWARD, /* of a pool */
    SALP__COPY_PROCESS, /* a function of its own */
    SALP__COPY_ROLES,
} salp__copy_role;

/* The descriptors that every copy has. The first two mean what its role says. */
enum {
    SALP__COPY_FIRST,
    SALP__COPY_SECOND,  /* of a process: the end of a channel, see salp__copy_news */
    SALP__COPY_PROGRAM, /* readable when the program has ended */
    SALP__COPY_OWN,     /* how many */
    SALP__COPY_MORE_MAX = SALP__CHANNEL_MAX - SALP__COPY_OWN, /* so many may be given to it besides */
};

/*
 * What a copy does: it does not return. One thread, every signal blocked. It has what it was given, standard input,
 * output and error, and may have more that is open: salp__copy_close_others. fds[0] to [2] are its own; the server's
 * copies get those besides as fds[3] to [count - 1], others have them under their numbers.
 */
typedef void salp__copy_main(const int fds[], int count);

/* Says what copies of this role do; from a constructor, so that it is known in a copy. */
void salp__copy_offer(salp__copy_role role, salp__copy_main *function);

/* In a copy: closes every descriptor above 2 that is not in keep[], which is sorted by this. */
void salp__copy_close_others(int keep[], int count);

/* What comes over the channel of a process that the server has forked: first from itself, then, when it has ended, from the
   server, who has reaped it. Of one that was executed: the first only. */
typedef struct salp__copy_news {
    bool ended;
    int error;           /* not ended: 0, it is ready; or why it cannot be */
    salp__ending ending; /* ended */
} salp__copy_news;

/*
 * Executes the program anew. The copy has own[] and more[] under their numbers, and is our child; `watch` is a descriptor
 * of it, the caller's. Waits: no, but has the calling thread stand still for some 100 microseconds; not on the stack of a task.
 * Errors: -ENOTSUP: this program has no copies; -ENOENT: no /proc; -EAGAIN, -ENOMEM, -EMFILE, ...
 */
int salp__copy_execute(salp__copy_role role, const int own[SALP__COPY_OWN], const int more[], int more_count,
                       pid_t *pid, int *watch);

/*
 * Has the server fork one, which is not our child. Waits: yes, whatever scopes say; in a task only that. Not in
 * callbacks of loops. Errors: as above; -EAGAIN also: the server was killed meanwhile.
 */
int salp__copy_serve(salp__copy_role role, const int own[SALP__COPY_OWN], const int more[], int more_count, pid_t *pid,
                     int *watch);

#endif
