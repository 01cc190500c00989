/*
 * A function in a process of its own: what its files share.
 *
 *   process.c         the public face; waits, reaps, ends
 *   process_start.c   in the program: makes the process
 *   process_child.c   in the process: from its beginning to its end
 *   process_where.c   where it has crashed
 *
 * The sheet is memory that both see:
 *
 *   | what the process says of itself | what was mapped when it crashed | order | argument |
 *     page 0                            copies only ----------------------------------------
 *
 * A fork shares it by itself; of these one is kept for the next fork, when nobody stores to it any more. A copy (process/copy.h) is handed the file, finds its order there, and gives word over a channel,
 * the news, when it is ready. The program maps the first two parts only, and writes the others by write(2), so that it has no
 * mapping for which there may be no memory.
 *
 * I1  The pidfd `watch` stays open as long as the process is: signals go by it, so they reach this process or nobody.
 * I2  The function is called only when we have the pidfd, and know that all is well: a fork waits for `go`, a copy for an
 *     answer to its word. So its number is not another one's by then, whoever reaps, and a start that fails has called nothing.
 * I3  Whoever finds out how it has ended holds the lock, and stores it; everybody later looks at that.
 * I4  A process that the server has forked is not our child: its end comes by the news, after its pidfd has said that it has
 *     come. So the news are waited for; the pidfd only when there is no server any more that would send them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__PROCESS_OWN_H
#define SALP__PROCESS_OWN_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/process.h>

#include "os/crash.h"
#include "os/modules.h"
#include "os/process.h"
#include "os/thread.h"

/* What the process says of itself. */
typedef struct salp__sheet {
    _Atomic uint32_t go;       /* of a fork, one of the following. I2. release: the program has its pidfd */
    _Atomic uint32_t returned; /* release: the function has, and `result` is what */
    int32_t result;
    uint32_t
        forks; /* of whom it is, salp__forks: whoever is forked has it as well, and must not start others with it */
    salp__crash_note note;
} salp__sheet;

enum { SALP__NOT_YET, SALP__WAITS, SALP__GO };

/* Where the parts of the sheet are in its file, and how large: multiples of the largest pages there are. */
enum {
    SALP__SHEET_MAPPINGS = 64 * 1024, /* of the text, and where it begins */
    SALP__SHEET_MAPPINGS_SIZE = 192 * 1024,
    SALP__SHEET_ORDER = SALP__SHEET_MAPPINGS + SALP__SHEET_MAPPINGS_SIZE,
    SALP__SHEET_ARGUMENT = SALP__SHEET_ORDER + 64 * 1024,
};

enum { SALP__NAME_SIZE = 16 }; /* of a process, with its zero */

/* What a process needs of all start methods. */
typedef struct salp__terms {
    char name[SALP__NAME_SIZE]; /* "": as it is */
    bool daemon;
    sigset_t signals; /* to be blocked */
} salp__terms;

/* The answer to a copy that is ready. */
typedef struct salp__go {
    char nothing;
} salp__go;

/* What a copy is to do. */
typedef struct salp__order {
    salp__module module;
    uint64_t offset; /* of the function in it */
    uint64_t argument_size;
    salp__terms terms;
    pid_t group;
    bool served;                                       /* by the server: it has not been executed */
    int32_t count;                                     /* of descriptors */
    int32_t numbers[SALP_PROCESS_DESCRIPTORS_MAX + 3]; /* under which it has them */
} salp__order;

_Static_assert(sizeof(salp__sheet) <= SALP__SHEET_MAPPINGS, "the first part");
_Static_assert(sizeof(salp__order) <= SALP__SHEET_ARGUMENT - SALP__SHEET_ORDER, "the third part");

struct salp_process {
    pid_t pid;          /* [const after start] */
    int watch;          /* its pidfd [const after start] */
    int news;           /* our end of the channel; -1: it is our child [const after start] */
    pid_t owner;        /* the process that has started it [const after start] */
    int64_t kill_after; /* negative: at once [const after start] */
    salp__sheet *sheet; /* [const after start] */
    size_t sheet_size;  /* as far as it is mapped [const after start] */
    salp__lock lock;
    bool reaped;           /* or found out from the news: `account` holds [lock] */
    int unknown;           /* 0, or -ECHILD: others have reaped it, and nobody tells how it ended [lock] */
    salp__account account; /* [lock] */
    char *backtrace;       /* NULL: nobody has asked [lock] */
};

/* Starts it. Errors: as salp_process_start; then nothing is left of it. */
int salp__process_begin(salp_process *process, salp_fn *function, void *arg, const salp_process_options *options);

/* Frees what the struct holds; the process is not touched. */
void salp__process_release(salp_process *process);

/* Kills it, and waits until it has ended, whatever scopes say; bounded. */
void salp__process_finish(const salp_process *process);

/* The exit status of a process whose function has returned this. */
int salp__process_exit_status(int result);

/* In a fork: from its beginning to its end. `program`: a pidfd of the program, for a daemon. */
_Noreturn void salp__process_live_in_fork(salp__sheet *sheet, salp_fn *function, void *arg, const salp__terms *terms,
                                          pid_t parent, int program);

/* What the backtrace of the note in the sheet says, for salp__free; NULL: there is no memory. */
char *salp__process_describe(const salp__sheet *sheet, char *mappings);

#endif
