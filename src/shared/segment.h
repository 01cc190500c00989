/*
 * The memory of a shared object, and this process's handle of it.
 *
 *     memfd:  | what it is | latch | journal | participants | nodes | the object's own body |
 *
 * It has no name anywhere and goes with the last process that holds it. Nothing in it is an address, since each process
 * maps it elsewhere: nodes are indices, words of the journal distances. It cannot be shrunk or grown (sealed), so that no
 * other holder of the descriptor can take memory away from under us. The tables are large enough for all that may come,
 * and holes until they are used: an object that nobody waits for takes three pages.
 *
 *     shared/journal.h       changes that happen whole or not at all
 *     shared/latch.h         the short lock, which nobody holds for ever
 *     shared/side.h          a second one, of an object with two sides
 *     shared/participants.h  the processes that use it, and what happens when one dies
 *     shared/deaths.h        who notices that
 *     shared/line.h          those who wait
 *     shared/porter.h        how a task that waits is told
 *
 * An object adds its words (the body) and a salp__shared_kind; its handle begins with a salp__shared:
 *
 *     typedef struct body { salp__word value; salp__shared_line line; } body;
 *     typedef struct salp__shared_semaphore { salp__shared shared; ... } ...;
 *
 *     int error = salp__shared_enter(&s->shared);         each call begins so: after a fork we are somebody else
 *     salp__shared_latch(&s->shared);
 *     ... salp__journal_set, salp__grant_locked ...; salp__journal_commit
 *     salp__shared_unlatch(&s->shared);
 *     salp__wakes_ring(&s->shared, &wakes);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__SEGMENT_H
#define SALP__SEGMENT_H

#include <stdalign.h>

#include "base/list.h"
#include "lockfree/chime.h"
#include "lockfree/latch.h"
#include "os/thread.h"
#include "shared/journal.h"
#include "task/wait.h"

enum {
    SALP__SHARED_LAYOUT = 2,   /* changes whenever anything in the memory means something else */
    SALP__PARTICIPANTS = 1024, /* handles of processes that use an object at the same time */
    SALP__NODES = 65536,       /* waiting at the same time */
    SALP__WAKES = 32,          /* woken in one go */
};

/* Which object it is; part of the layout. */
typedef enum salp__shared_number {
    SALP__SHARED_MUTEX = 1,
    SALP__SHARED_SEMAPHORE,
    SALP__SHARED_EVENT,
    SALP__SHARED_CONDITION,
    SALP__SHARED_BARRIER,
    SALP__SHARED_RWLOCK,
    SALP__SHARED_QUEUE,
} salp__shared_number;

/* ---- what lies in the memory ---- */

/* Nodes in their order: index + 1, 0 for none. [latch, journal] */
typedef struct salp__shared_line {
    salp__word first;
    salp__word last;
} salp__shared_line;

/* One who waits: line.h. [latch, journal; the chime: anybody] */
typedef struct salp__node {
    salp__word next; /* index + 1; also of those that are free */
    salp__word previous;
    salp__word line;                 /* distance of the line that it is in from the segment's beginning; 0: in none */
    salp__word state;                /* SALP__NODE_... */
    salp__word who;                  /* the slot of the participant who waits; and SALP__NODE_PORTED */
    salp__word result;               /* what the wait ends with: an int */
    alignas(64) salp__word items[3]; /* the object's own: what the two sides have to tell each other */
    salp__chime chime;               /* a thread sleeps here */
} salp__node;

enum { SALP__NODE_FREE, SALP__NODE_WAITS, SALP__NODE_GRANTED };

/* Added to `who`: a task, which its porter tells; else a thread, which sleeps on the chime. */
#define SALP__NODE_PORTED (UINT64_C(1) << 32)

/* A process that uses the object, by one of its handles. */
typedef struct salp__participant {
    alignas(64) _Atomic uint64_t
        identity;              /* salp__process_mark; 0: free. From 0 by compare-and-swap, to 0 under the latch */
    salp__shared_line granted; /* nodes of its tasks that were granted and not been told: its porter does */
    salp__chime doorbell;      /* its porter sleeps here */
} salp__participant;

typedef struct salp__segment {
    uint64_t magic; /* [const, these four] */
    uint32_t layout, number;
    uint64_t size;
    uint64_t namespace;                  /* in which the numbers of processes mean something */
    alignas(128) _Atomic uint64_t latch; /* identity of the holder; 0: free */
    salp__journal journal;
    alignas(128) _Atomic uint64_t joins; /* how often a participant has come */
    _Atomic uint64_t slots_used;         /* slots from here on were never taken */
    salp__word nodes_used;               /* nodes from here on were never taken */
    salp__word nodes_free;               /* those that have come back: the first one's index + 1 */
    salp__participant participants[SALP__PARTICIPANTS];
    alignas(4096) salp__node nodes[SALP__NODES];
    alignas(4096) char body[];
} salp__segment;

/* ---- the handle ---- */

struct salp__shared;
struct salp__wakes;

/* What objects of one kind have of their own. */
typedef struct salp__shared_kind {
    salp__shared_number number;
    size_t body_size; /* the least that its body takes */
    /* [latch, no transaction under way] Who had the latch is dead: what follows from other words, and is stored after them without
       the journal, is stored anew. It may be called again. NULL: there is nothing of the kind. */
    void (*mend_locked)(struct salp__shared *shared);
    /*
     * [latch, no transaction under way] A participant is dead, and none of its nodes is there any more. What it held comes
     * back, or becomes what the next one is told of. In one transaction or several, each of which leaves the object whole:
     * who dies in between is followed by one who calls this again.
     */
    void (*bury_locked)(struct salp__shared *shared, uint32_t slot);
    /* [latch, a transaction under way, committed by the caller] A dead participant's node is about to be freed; whether it
       was granted can be seen. NULL: no matter. */
    void (*lost_locked)(struct salp__shared *shared, salp__node *node);
    /* [latch, no transaction under way] Grants what can be granted to those who wait, as many as `wakes` takes. Called after
       each death, also of one who was about to do it. true: that was not all. NULL: nothing can be left over. */
    bool (*settle_locked)(struct salp__shared *shared, struct salp__wakes *wakes);
    /* Now in a fork: what the handle says of the parent's threads and tasks is wrong here. NULL: it says nothing. */
    void (*forget)(struct salp__shared *shared);
} salp__shared_kind;

/* First in the handle of each shared object. */
typedef struct salp__shared {
    salp__segment *segment;
    size_t size;
    int fd;                        /* -1: not open */
    const salp__shared_kind *kind; /* [const] */
    _Atomic uint64_t epoch;        /* participants.c: in which process of a line of forks we are a participant */
    uint64_t identity;             /* our own, of this process [const while we are a participant] */
    uint32_t slot;                 /* the same */

    /* deaths.c */
    salp__list watched;          /* [lock there] among the handles for which it watches */
    bool is_watched;             /* [lock there] */
    _Atomic uint64_t joins_seen; /* who had come by then is watched */

    /* porter.c */
    salp__latch tell_latch; /* around `spots`, and the start */
    salp__spot **spots;     /* [tell_latch] by the node's index: the task that waits there; NULL: there was never one */
    salp__thread porter;    /* [owner: who has started it, and who closes] while `spots` is there */
    _Atomic bool porter_ends;
} salp__shared;

/*
 * Makes the memory of a new object, with a body of zeros, and takes part in it. The handle is the caller's memory and is
 * written here whole, but for what follows the salp__shared.
 * Errors: -EMFILE, -ENFILE, -ENOMEM, -ENOSPC; -EFBIG the limit for files (RLIMIT_FSIZE) is below its size.
 */
int salp__shared_open(salp__shared *shared, const salp__shared_kind *kind, size_t body_size);

/*
 * The same for an object that another process has made; the descriptor stays the caller's.
 * Errors: -EBADF; -EINVAL not the memory of such an object; -EPROTO of another version of the library; -EXDEV made in
 * another namespace of processes; -EMFILE, -ENOMEM; -EUSERS there are too many participants.
 */
int salp__shared_attach(salp__shared *shared, const salp__shared_kind *kind, int fd);

/* The first half of it, for an object whose handle keeps more of the body than it knows by itself: who takes part may have to
   bury others, so the handle is to be complete before salp__shared_enter. Errors: all but -EUSERS. */
int salp__shared_look(salp__shared *shared, const salp__shared_kind *kind, int fd);

/* Leaves, if this process has taken part, and unmaps. What it held is first given back by the object. Nobody waits here. */
void salp__shared_close(salp__shared *shared);

static inline void *salp__shared_body(const salp__shared *shared)
{
    return shared->segment->body;
}

static inline size_t salp__shared_body_size(const salp__shared *shared)
{
    return shared->size - sizeof(salp__segment);
}

static inline salp__journal *salp__shared_journal(const salp__shared *shared)
{
    return &shared->segment->journal;
}

static inline uint32_t salp__node_slot(const salp__node *node)
{
    return (uint32_t)salp__word_get(&node->who);
}

static inline bool salp__node_is_ported(const salp__node *node)
{
    return salp__word_get(&node->who) & SALP__NODE_PORTED;
}

/* [latch] */
static inline void salp__shared_set(const salp__shared *shared, salp__word *word, uint64_t value)
{
    salp__journal_set(&shared->segment->journal, word, value);
}

static inline void salp__shared_commit(const salp__shared *shared)
{
    salp__journal_commit(&shared->segment->journal);
}

#endif
