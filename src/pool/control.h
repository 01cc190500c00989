/*
 * What the program, the steward and the workers of a pool of processes share.
 *
 *   file offset 0                                                            (one memfd, the arena)
 *   +---------+---------+---------+---------+-----------+-------------+-------------------------+
 *   |  head   | shared  | records | modules |  details  |   windows   |  regions of calls ...   |
 *   +---------+---------+---------+---------+-----------+-------------+-------------------------+
 *   program    rw        rw        rw        rw          r             -        rw
 *   steward    r         rw        rw        r           (by write)    (by read) (by read and write)
 *   worker     r         rw        none      r           -             rw its own r, results by pwrite
 *
 *   head     what the program says: options, and the parameters of up to 64 calls (slots)
 *   shared   what everybody changes: bells, states, lanes, and one place for each worker
 *   records  what the steward tells the program: how many failures there are to read, why the pool is broken
 *   details  the failures: memory only where one was written
 *   windows  where each worker collects results before it hands them over
 *   regions  context, inputs, states and results of a call
 *
 * A stray store in a worker can reach `shared` and its own window, nothing else: inputs, parameters and results that
 * were handed over are mapped read-only at most, another worker's window likewise. docs/pool.md says what that means.
 *
 * The life of a call
 *
 *   free --program: parameters, lanes, state--> running --nobody attached, nothing left--> done --program--> free
 *
 * A worker *attaches* to a call before it touches its lanes, and detaches after it has handed over what it ran. The
 * place of a worker that died stays attached until the steward has dealt with it.
 *
 * Long inputs are copied in while workers run already, in rounds: each is the next few items of every lane. Whoever has
 * claimed items that are not there yet waits (`round`, `filled`).
 *
 * I1  A call becomes done when its lanes are empty or it was stopped, no place is attached to it, and (when a worker
 *     died in it) every item has a state. Whoever detaches last finds that out; when a worker died, the steward does.
 * I2  Attaching is store, fence, load; finishing is load (lanes), fence, load (places), so that an attacher and a
 *     finisher cannot miss each other: see salp__attach and salp__finish.
 * I3  The state word holds the ticket of the call, which is never used twice. So a compare-and-swap that was prepared
 *     for one call cannot touch the next one in the same slot, and a slot is used again only when no place is attached
 *     to the old ticket.
 * I4  Every item is claimed at most once in an epoch of the lanes. What a dead worker had claimed is lost from them;
 *     the steward finds it, when nobody is attached, as the items that have no state, and begins another epoch
 *     (`redo`), in which items that have a state are skipped.
 * I5  No lock is taken by a worker, so a dead one holds none.
 * I6  A worker may die between any two steps. What its place does not tell of (a call that it has left and not
 *     finished, a ring that woke nobody) the steward does for all calls after each death.
 * I7  Columns and results that lie in shared arrays (shared/array.h), which the workers have had from the beginning, are
 *     used there: such inputs are not copied, and a worker or the steward stores such results where the program wants them,
 *     when it hands them over. The window and the states are as ever. So an item that has not succeeded leaves its place
 *     untouched; and no item may read what another one's result replaces: where they overlap, results are not in place.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CONTROL_H
#define SALP__CONTROL_H

#include <stdatomic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include <salp/pool.h>

#include "base/assert.h"
#include "lockfree/bell.h"
#include "lockfree/lanes.h"
#include "os/crash.h"
#include "os/modules.h"
#include "pool/call.h"

enum {
    SALP__SLOTS = 64,   /* calls under way; a bit mask has one bit for each */
    SALP__MODULES = 16, /* modules of jobs, for workers that do not share the program's addresses */
    SALP__RECORDS = 4,  /* failures of one call that the program has not read yet */
#ifdef SALP_HOSTILE
    SALP__WINDOW_BYTES = 64,
    SALP__WINDOW_ITEMS = 3,
#else
    SALP__WINDOW_BYTES = 64 * 1024, /* of results that a worker holds before it hands them over: half a level-2 cache */
    SALP__WINDOW_ITEMS = 16 * 1024,
#endif
    SALP__SINGLE_BYTES = 48,  /* of a result that is handed over without a system call */
    SALP__ANSWER_ROOM = 4096, /* bytes reserved for a message's answer before its size is known */
};

/* How a worker ends itself; each is seen by the steward alone. */
enum {
    SALP__EXIT_CLOSED = 0,        /* the pool is being closed */
    SALP__EXIT_RETIRED = 101,     /* it has run its number of items */
    SALP__EXIT_INITIALIZER = 102, /* its initializer failed */
    SALP__EXIT_START = 103,       /* it could not get its memory */
    SALP__EXIT_DESCRIPTORS = 104, /* a job closed its descriptors */
};

/* A function as workers find it: its address where they share the program's, else a module and an offset. */
typedef struct salp__function_ref {
    uint64_t place;
    uint32_t module; /* index + 1 in the table of modules; 0: place is the address */
} salp__function_ref;

typedef struct salp__span {
    uint64_t offset; /* in the arena */
    uint64_t size;   /* of one element, or of the whole */
} salp__span;

/* One call, as the program describes it. [program writes before the state is running; const until done] */
typedef struct salp__params {
    uint32_t kind; /* salp__kind */
    uint32_t column_count;
    salp__function_ref function;
    uint64_t count;
    uint64_t unit; /* items in a unit of the lanes */
    uint32_t units;
    uint32_t fixed; /* units to claim at a time; 0: to be found out */
    uint64_t round; /* items of each lane in a round of inputs, see salp__live; 0: all are there from the beginning */
    bool single;    /* one item with a short result, which may be handed over in salp__live */
    bool stops;     /* at the first failure */
    bool reports;   /* wants records of failures */
    bool attended;  /* asynchronous: wake the attendant, not a caller */
    salp__span region; /* all that workers map of it */
    salp__span columns[SALP_COLUMNS_MAX];
    salp__span out;
    /* What lies in shared arrays that workers have where the program has them: there the offset is an address. */
    uint32_t columns_in_place; /* a bit for each */
    bool out_in_place;
    salp__span context; /* size 0: none, or the pointer below */
    uint64_t context_pointer;
    uint64_t states;    /* offset of a byte for each item, see below */
    uint64_t errors;    /* offset of an int for each item; valid where the state says so */
    uint64_t runners;   /* likewise, the pid of the worker that ran a failed item; when failures are reported */
    uint64_t tries;     /* offset of a byte for each item: how often it has ended its worker; when there are retries */
    salp__span windows; /* size 0: the workers' own do; else one of so many bytes for each worker */
} salp__params;

/* Bytes of an item's result that pass through the window: the answer to a message does not. */
static inline uint64_t salp__result_size(const salp__params *params)
{
    return params->kind == SALP__MESSAGE ? 0 : params->out.size;
}

/* Hands results over that are in place: those of items which have not failed. */
void salp__results_store(const salp__params *params, uint64_t begin, uint64_t count, const char *results,
                         const int errors[]);

/* The states of an item. Bytes that workers and the steward write with pwrite only. */
enum {
    SALP__UNDONE = 0,
    SALP__RAN,      /* returned 0 */
    SALP__VALUE,    /* returned a positive number, in errors */
    SALP__FAILED,   /* error in errors */
    SALP__REPORTED, /* error in errors, and a record was written */
};

/* The result of a call of one item, when it is short and the job returned 0: saves the system calls that write it to the
   arena. A stray store can reach it here, and is noticed by the sum. */
typedef struct salp__single {
    _Atomic uint32_t there; /* release: the rest is written */
    uint64_t sum;
    unsigned char bytes[SALP__SINGLE_BYTES];
} salp__single;

/* One call, as it goes. */
typedef struct salp__live {
    _Alignas(SALP__CACHE_LINE) _Atomic uint64_t state; /* ticket * 4 + one of the phases below */
    _Atomic uint32_t suspect;                          /* a worker died in it; set before its place is detached */
    _Atomic uint32_t returned;                         /* raised before and after items are returned to a lane */
    _Atomic int32_t refused;                           /* an error that ends the whole call */
    _Atomic uint32_t redo;                             /* items that have a state are to be skipped */
    _Atomic uint64_t filled;                           /* rounds of inputs that are there; release, by the program */
    salp__bell bell;                                   /* its caller sleeps here */
    salp__bell room;                                   /* workers that wait for the program sleep here */
    _Atomic uint64_t answer_needs; /* bytes, set by the worker when its answer is longer than the room */
    _Atomic uint64_t room_offset;  /* set by the program before room_size */
    _Atomic uint64_t room_size;
    _Atomic uint64_t answer_size;
    _Atomic uint64_t answer_offset;
    salp__single single;
    /* Looked at before every item: on a line of its own, since the counts below change often. */
    _Alignas(SALP__CACHE_LINE) _Atomic uint32_t signal; /* SALP__STOP, SALP__HUNGRY */
    _Alignas(SALP__CACHE_LINE) _Atomic uint64_t done;   /* items that ended; may miscount after a death */
    _Atomic uint64_t failed;
} salp__live;

enum { SALP__FREE, SALP__RUNNING, SALP__DONE };

static inline uint64_t salp__state(uint64_t ticket, uint64_t phase)
{
    return ticket * 4 + phase;
}

/* What a place says of the stretch of items that its worker has run and not handed over. */
enum {
    SALP__IDLE, /* nothing */
    SALP__HELD, /* items [begin, begin + done) are complete in the window; none is running */
    SALP__BUSY, /* likewise, and item begin + done is running, unless done == limit */
};

/* Whether a worker has nothing to do. A ringer who counts on one that has takes the mark away: it comes once, however
   often he rings, and who rings next has to find another one. */
enum {
    SALP__AWAKE,
    SALP__LOOKING, /* at `rings` of the bell, again and again: it need not be woken */
    SALP__ASLEEP,
};

/* One worker. Written by the worker, read by the steward after its death (and, the relaxed fields, while it lives). */
typedef struct salp__place {
    _Alignas(SALP__CACHE_LINE) _Atomic uint64_t attached; /* 0, or ticket * 64 + slot */
    _Atomic uint32_t stage;                               /* one of the above */
    _Atomic uint64_t begin;                               /* first item of the stretch */
    _Atomic uint64_t done;                                /* items of it that are complete */
    _Atomic uint64_t limit;                               /* items of it that are complete or claimed to be run in it */
    _Atomic uint64_t sum;                                 /* over the results that are complete; stored before `done` */
    _Atomic uint32_t idle;                                /* SALP__AWAKE, ...; it sleeps on this word */
    _Atomic uint32_t ready;                               /* initialized */
    _Atomic int32_t start_error;                          /* of the initializer */
    _Atomic int32_t pid;
    salp__crash_note note;
} salp__place;

typedef struct salp__shared {
    salp__bell work;                                      /* rung when there is something to do; see salp__idle */
    salp__bell attend;                                    /* the attendant sleeps here */
    salp__bell opened;                                    /* the program sleeps here until the workers are started */
    _Alignas(SALP__CACHE_LINE) _Atomic uint64_t runnable; /* a hint: slots with something to claim */
    _Atomic uint64_t running;                             /* slots with a call that is running; by the program */
    _Alignas(SALP__CACHE_LINE) _Atomic uint32_t phase;    /* one of the phases below */
    _Atomic uint32_t readied;                             /* workers that were initialized, ever */
    salp__live live[SALP__SLOTS];
    /* then: salp__place places[workers]; salp__lane lanes[SALP__SLOTS][workers]; */
} salp__shared;

enum { SALP__WORKING, SALP__CLOSING, SALP__ENDING };

/* What the steward tells of one failure; the program makes a salp_failure of it. */
typedef struct salp__record {
    uint64_t index;
    int32_t error;
    int32_t worker;
    int32_t signal;
    int32_t exit_status;
    int32_t attempt;
    int32_t frames;
    uint64_t address;
    uint64_t
        addresses[SALP_BACKTRACE_MAX]; /* or offsets in modules, where workers do not share the program's addresses */
    uint32_t modules[SALP_BACKTRACE_MAX]; /* as in salp__function_ref */
} salp__record;

typedef struct salp__slot_records {
    _Atomic uint64_t written; /* release: records below it are complete; acquire in the program */
    _Atomic uint64_t read;    /* release: their places may be written again; acquire in the steward */
} salp__slot_records;

typedef struct salp__records {
    _Atomic int32_t opened; /* 0: not yet; 1: workers are started; negative: why not */
    _Atomic int32_t broken; /* release: reason is written */
    char reason[256];
    salp__slot_records slots[SALP__SLOTS];
} salp__records;

typedef struct salp__head {
    uint64_t magic;
    uint64_t size; /* of the head; a fresh copy of the program checks that it is of the same build */
    uint32_t workers;
    uint32_t start;   /* salp_start */
    sigset_t signals; /* what the program had blocked when it opened the pool */
    uint64_t items_per_worker;
    int64_t item_timeout;
    uint64_t memory_limit;
    int32_t retries;
    salp__function_ref initializer; /* place 0: none */
    uint64_t initializer_arg;       /* the pointer, when the span's size is 0 */
    salp__span initializer_copy;
    uint64_t shared, records, modules, details, windows, regions; /* offsets in the arena */
    salp__params params[SALP__SLOTS];
} salp__head;

enum { SALP__MAGIC = 0x53414c50 };

/* The mappings, as each process has them. */
typedef struct salp__control {
    int arena; /* descriptor */
    salp__head *head;
    salp__shared *shared;
    salp__records *records; /* not in workers */
    salp__module *modules;
    salp__place *places;
    salp__lane *lanes;
    uint64_t mapped; /* bytes from head on */
} salp__control;

/* Lays the control block out for so many workers, in a new arena. Errors: -ENOMEM, -ENOSPC, -EMFILE, -EFBIG. */
int salp__control_open(salp__control *control, uint32_t workers);

/* Maps the control block of an arena that another process laid out. -EINVAL: it is not of this build. */
int salp__control_map(salp__control *control, int arena);

void salp__control_close(salp__control *control);

static inline salp__lane *salp__lanes_of(const salp__control *control, int slot)
{
    return control->lanes + (size_t)slot * control->head->workers;
}

/* Where the n-th record of a slot lies in the arena, among the details. */
static inline uint64_t salp__record_offset(const salp__control *control, int slot, uint64_t n)
{
    return control->head->details + ((uint64_t)slot * SALP__RECORDS + n % SALP__RECORDS) * sizeof(salp__record);
}

/* Bytes of a worker's window: results, then an int for each item. */
static inline uint64_t salp__window_size(void)
{
    return SALP__WINDOW_BYTES + SALP__WINDOW_ITEMS * sizeof(int);
}

/* The window of a worker for a call: where it lies, how many bytes and items it holds. */
typedef struct salp__window {
    uint64_t offset;
    uint64_t bytes; /* of results; the ints follow */
    uint64_t items;
} salp__window;

salp__window salp__window_of(const salp__control *control, const salp__params *params, int worker);

/* The ticket of the call that runs in the slot, or 0. */
uint64_t salp__running(const salp__control *control, int slot);

/* Attaches a place to the call in a slot. false: it is not running (any more). */
bool salp__attach(const salp__control *control, salp__place *place, int slot);

/* Detaches, and finishes the call when this was the last one (I1). */
void salp__detach(const salp__control *control, salp__place *place);

/* Whether no place is attached to the call. */
bool salp__unattended(const salp__control *control, int slot, uint64_t ticket);

/* Makes the call done if it is over; `steward`: the caller has made sure that every item of a suspect call has a state. */
void salp__finish(const salp__control *control, int slot, uint64_t ticket, bool steward);

/* Whether the call is over but for the items that dead workers lost. */
bool salp__drained(const salp__control *control, int slot, uint64_t ticket);

/* An idle worker waits for something to do. */
void salp__idle(const salp__control *control, salp__place *place, uint32_t seen, bool look_first);

/* Wakes up to `count` idle workers, less those who look anyway. Returns whether any was asleep. */
bool salp__wake_idle(const salp__control *control, uint32_t count);

/* Wakes whoever waits for the call. `attended`: of its parameters, read while it was running. */
void salp__tell(const salp__control *control, int slot, bool attended);

static inline uint64_t salp__attached_to(uint64_t ticket, int slot)
{
    return ticket * SALP__SLOTS + (uint64_t)slot;
}

/* ---- the sum over results, by which it is known whether a crash has overwritten any ---- */

static inline uint64_t salp__mix(uint64_t sum, uint64_t value)
{
    /* The multiplier of Knuth's MMIX generator: odd, so no bit is lost; the rotation brings high bits back. */
    sum = (sum << 23 | sum >> 41) ^ value;
    return sum * 6364136223846793005U + 1442695040888963407U;
}

uint64_t salp__mix_bytes(uint64_t sum, const void *data, uint64_t size);

/* Over a single result. */
static inline uint64_t salp__single_sum(const void *result, uint64_t ticket, uint64_t size)
{
    return salp__mix_bytes(salp__mix(1, ticket), result, size);
}

/*
 * Adds the next result of the stretch to the sum. Each step can be undone, so one that adds something else, or comes in
 * another order, is seen however many follow; and no step leaves the sum as it was, but for one value in 2^64. A job of
 * a nanosecond pays for it, hence a multiplier that fits into an instruction (odd; of the golden ratio).
 */
static inline uint64_t salp__mix_result(uint64_t sum, const void *out, uint64_t size, int result)
{
    uint64_t value = 0;
    if (size == sizeof(uint32_t)) {
        uint32_t half;
        __builtin_memcpy(&half, out, sizeof half);
        value = half;
    } else if (size == sizeof(uint64_t)) {
        __builtin_memcpy(&value, out, sizeof value);
    } else {
        value = salp__mix_bytes(size, out, size);
    }
    if (SALP__UNLIKELY(result != 0))
        value = salp__mix(value, (uint32_t)result);
    return (sum ^ value) * 0x61c88647U + 0x3c6ef372U;
}

#endif
