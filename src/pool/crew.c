/* Fork and join; the header tells how. SPDX-License-Identifier: MIT */
#include "pool/crew.h"

#include <errno.h>
#include <stddef.h>

#include <salp/time.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/topology.h"
#include "task/park.h"

enum {
    GUESTS = 256,
    /* In a link: */
    MOVED = 1, /* the job is in the deque, or was; the rest is its entry */
    TAKEN = 2, /* besides: the rest is the member that runs it, or nothing, when it has been run */
    OVER = MOVED | TAKEN,
};

static const int64_t searching_lasts = SALP_MICROSECONDS(20);
static const int64_t joiner_sleeps = SALP_MILLISECONDS(1);

struct salp__crew {
    salp__bell *work;        /* [const] */
    int workers;             /* [const] */
    bool fences;             /* membarrier is to be had [const] */
    _Atomic int present;     /* members that run jobs or look for some */
    _Atomic int searching;   /* threads of the pool that look for jobs: while one does, no other is woken */
    _Atomic int count;       /* of members; release: they are written */
    salp__list free;         /* guests that are not in use [lock: entrance] */
    salp__member *members[]; /* workers, and up to GUESTS more */
};

/* ---- the crew ---- */

static salp__member *add_member(salp__crew *crew)
{
    void *memory;
    int count = atomic_load_explicit(&crew->count, memory_order_relaxed); /* changed here only, under the lock */
    if (count == crew->workers + GUESTS || salp__map_private(&memory, sizeof(salp__member)) < 0)
        return NULL;
    salp__member *member = memory;
    member->crew = crew;
    member->cache = -1;
    member->random = (uint32_t)count * 2654435761u + 1;
    crew->members[count] = member;
    atomic_store_explicit(&crew->count, count + 1,
                          memory_order_release); /* with the acquire of those who look around */
    return member;
}

int salp__crew_open(salp__crew **out, int workers, salp__bell *work)
{
    salp__crew *crew = salp__allocate(sizeof *crew + (size_t)(workers + GUESTS) * sizeof crew->members[0]);
    if (!crew)
        return -ENOMEM;
    crew->work = work;
    crew->workers = workers;
    crew->fences = salp__fences_prepare() == 0;
    salp__list_open(&crew->free);
    for (int i = 0; i < workers; i++) {
        if (!add_member(crew)) {
            salp__crew_close(crew);
            return -ENOMEM;
        }
    }
    *out = crew;
    return 0;
}

void salp__crew_close(salp__crew *crew)
{
    if (!crew)
        return;
    for (int i = 0; i < atomic_load_explicit(&crew->count, memory_order_relaxed); i++)
        salp__unmap(crew->members[i], sizeof(salp__member));
    salp__free(crew);
}

salp__member *salp__crew_member(salp__crew *crew, int index)
{
    return crew->members[index];
}

salp__member *salp__guest_open_locked(salp__crew *crew)
{
    if (salp__list_empty(&crew->free))
        return add_member(crew);
    salp__member *guest = SALP__CONTAINER(crew->free.previous, salp__member, link);
    salp__list_remove(&guest->link);
    return guest;
}

void salp__guest_close_locked(salp__member *guest)
{
    salp__list_append(&guest->crew->free, &guest->link);
}

void salp__crew_join(salp__crew *crew)
{
    atomic_fetch_add(&crew->present, 1); /* seq_cst: entrance I2 */
}

void salp__crew_leave(salp__crew *crew)
{
    atomic_fetch_sub(&crew->present, 1); /* seq_cst: entrance I3 */
}

bool salp__crew_is_busy(const salp__crew *crew)
{
    return atomic_load(&crew->present) > 0; /* seq_cst: entrance I2 */
}

void salp__crew_summon(salp__crew *crew)
{
    /* seq_cst, both, and where they are changed: of one who leaves while the last one ends its search, one sees that there is
       a place, and nobody who looks. At worst one too many is woken. */
    if (atomic_load(&crew->present) < crew->workers && atomic_load(&crew->searching) == 0)
        salp__wake(crew->work, 1, false);
}

/* ---- the private list ---- */

static salp_fork_job *newest_of(const salp__member *member)
{
    return __atomic_load_n(&member->face.salp__newest, __ATOMIC_ACQUIRE);
}

static void set_newest(salp__member *member, salp_fork_job *job)
{
    __atomic_store_n(&member->face.salp__newest, job, __ATOMIC_RELEASE);
}

/* relaxed, both: the owner's, or under I3; but see taken_link. */
static uintptr_t link_of(const salp_fork_job *job)
{
    return __atomic_load_n(&job->salp__link, __ATOMIC_RELAXED);
}

static void set_link(salp_fork_job *job, uintptr_t link)
{
    __atomic_store_n(&job->salp__link, link, __ATOMIC_RELAXED);
}

/* What a link, or newest, leads to, if that is in the private list; else NULL. */
static salp_fork_job *private_at(uintptr_t link)
{
    salp_fork_job *job = (salp_fork_job *)link;
    return link != 0 && !(link & MOVED) && !(link_of(job) & MOVED) ? job : NULL;
}

static salp_fork_job *behind(const salp_fork_job *job)
{
    return private_at(link_of(job));
}

/* Moves the oldest job of the private list to the deque, which has room. */
static void move_locked(salp__member *owner, salp_fork_job *job)
{
    set_link(job, (uintptr_t)owner->entry | MOVED);
    bool room = salp__deque_put(&owner->deque, job);
    salp__assert(room);
    (void)room;
}

static size_t count_private(const salp_fork_job *newest)
{
    size_t count = 0;
    for (const salp_fork_job *job = newest; job; job = behind(job))
        count++;
    return count;
}

/* Moves the older half of the list that begins with `newest`, or all of it, or as much as there is room for. Returns how
   many stay. */
static size_t move_oldest_locked(salp__member *owner, salp_fork_job *newest, bool all)
{
    size_t count = count_private(newest), room = salp__deque_room(&owner->deque);
    size_t moves = all ? count : (count + 1) / 2;
    if (moves > room)
        moves = room;
    salp_fork_job *job = newest;
    for (size_t i = 0; i < count - moves; i++)
        job = behind(job);
    /* The oldest goes first: so what moves is turned round. */
    salp_fork_job *oldest = NULL;
    for (size_t i = 0; i < moves; i++) {
        salp_fork_job *older = behind(job);
        set_link(job, (uintptr_t)oldest);
        oldest = job;
        job = older;
    }
    while (oldest) {
        salp_fork_job *newer = (salp_fork_job *)link_of(oldest);
        move_locked(owner, oldest);
        oldest = newer;
    }
    return count - moves;
}

static void tell_asker(salp__member *owner)
{
    /* seq_cst: who asks looks at the deque once more after it has said so. */
    salp__member *asker = atomic_exchange(&owner->asker, NULL);
    if (asker)
        salp__wake(&asker->bell, 1, false);
}

/* ---- signals ---- */

static void signal_member(salp__member *member)
{
    /* seq_cst: before the error in I8, and before the fence in I3. */
    __atomic_store_n(&member->face.salp__signal, 1, __ATOMIC_SEQ_CST);
}

/* Whether somebody has asked this member for work, or its run may have ended. */
static bool is_signalled(const salp__member *member)
{
    /* relaxed: as in salp_join. */
    return __atomic_load_n(&member->face.salp__signal, __ATOMIC_RELAXED) != 0;
}

/* Takes the signal away. Returns what has ended the run that this member is in, or 0. */
static int heed_locked(salp__member *self)
{
#ifdef SALP_HOSTILE
    uintptr_t left = 1; /* everything is offered, always */
#else
    uintptr_t left = self->alone; /* nobody would set it again */
#endif
    __atomic_exchange_n(&self->face.salp__signal, left, __ATOMIC_SEQ_CST);
    int ended = salp__entry_ended(self->entry);
    if (ended < 0)
        signal_member(self); /* the next join looks, too */
    return ended;
}

/* Moves something if somebody may want it. true: it has. */
static bool offer_locked(salp__member *self)
{
    salp_fork_job *newest = private_at((uintptr_t)newest_of(self));
    if (self->alone || !newest || !salp__deque_is_empty(&self->deque))
        return false;
    move_oldest_locked(self, newest, false);
    return true;
}

void salp__entry_end(salp__crew *crew, salp__entry *entry, int error)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&entry->ended, &none, error))
        return;
    int count = atomic_load_explicit(&crew->count, memory_order_acquire);
    for (int i = 0; i < count; i++)
        signal_member(crew->members[i]);
}

int salp_worker_end(salp_worker *worker, int error)
{
    if (!worker || error >= 0)
        return -EINVAL;
    salp__member *member = salp__member_of(worker);
    salp__entry_end(member->crew, member->entry, error);
    return 0;
}

int salp_worker_ended(const salp_worker *worker)
{
    return salp__entry_ended(salp__member_of(worker)->entry);
}

/* ---- getting work out of another member ---- */

/* Asks for work, when there is none to be had. false: it is on no job. */
static bool ask(salp__member *member)
{
    /* relaxed, all: hints. The signal's line is the one that its owner writes at each fork, so it is read no more often
       than here. */
    if (!atomic_load_explicit(&member->at_work, memory_order_relaxed))
        return false;
    if (!is_signalled(member))
        signal_member(member);
    return true;
}

/* Has moved something out of a list that its owner has not looked after for long. */
static bool seize_locked(salp__member *owner)
{
    signal_member(owner); /* I3; if it was set before, it must still be now */
    if (salp__fence_others() < 0)
        return false;
    uintptr_t newest = (uintptr_t)newest_of(owner);
    /* I4. A look at what newest leads to comes after it: the owner cannot leave that frame while we have the latch. */
    if (newest == 0 || (newest & MOVED) || salp__fence_others() < 0)
        return false;
    salp_fork_job *job = private_at(newest);
    bool empty = job ? move_oldest_locked(owner, job, false) == 0 : true;
    if (empty)
        atomic_store_explicit(&owner->barren, (salp_fork_job *)newest, memory_order_relaxed);
    return job != NULL;
}

static bool seize(salp__member *owner)
{
    /* relaxed: hints; newest is not followed here. */
    salp_fork_job *newest = newest_of(owner);
    if (!owner->crew->fences || !newest || !atomic_load_explicit(&owner->at_work, memory_order_relaxed) ||
        newest == atomic_load_explicit(&owner->barren, memory_order_relaxed) || !salp__deque_is_empty(&owner->deque) ||
        !salp__latch_try(&owner->latch))
        return false;
    bool seized = seize_locked(owner);
    salp__latch_release(&owner->latch);
    if (seized)
        tell_asker(owner);
    return seized;
}

/* ---- running ---- */

/* It begins to work, or to look for work, where its thread is. */
static void settle(salp__member *self)
{
    if (self->crew->workers > 2)
        atomic_store_explicit(&self->cache, salp__topology_cache_here(), memory_order_relaxed);
}

/* What a member was on before it began something on top of it. */
typedef struct frame {
    salp__entry *entry;
    salp_fork_job *newest;
    int64_t base; /* of I6 */
} frame;

static frame begin(salp__member *self, salp__entry *entry)
{
    salp__latch_take(&self->latch);
    frame below = { .entry = self->entry, .newest = newest_of(self) };
    /* What is private is put aside, and nobody finds it meanwhile: so it is offered before. */
    salp_fork_job *aside = private_at((uintptr_t)below.newest);
    if (aside && !self->alone)
        move_oldest_locked(self, aside, true);
    set_newest(self, NULL);
    below.base = salp__deque_next(&self->deque);
    self->entry = entry;
    salp__latch_release(&self->latch);
    if (aside)
        tell_asker(self);
    if (!below.entry)
        atomic_store_explicit(&self->at_work, true, memory_order_relaxed);
#ifdef SALP_HOSTILE
    signal_member(self);
#endif
    return below;
}

/* Ends what `begin` began. Jobs that were forked and not joined are forgotten, and the run ends with an error for them. */
static void end(salp__member *self, const frame *below)
{
    salp__entry *entry = self->entry;
    if (!below->entry)
        atomic_store_explicit(&self->at_work, false, memory_order_relaxed);
    salp__latch_take(&self->latch);
    bool left = newest_of(self) != NULL;
    while (salp__deque_next(&self->deque) > below->base && salp__deque_take(&self->deque))
        left = true;
    set_newest(self, below->newest);
    /* `begin` may have moved all of it: then it would be seized in vain. */
    if (!private_at((uintptr_t)below->newest))
        atomic_store_explicit(&self->barren, below->newest, memory_order_relaxed);
    self->entry = below->entry;
    salp__latch_release(&self->latch);
    if (left)
        salp__entry_end(self->crew, entry, -EINVAL);
}

void salp__member_run(salp__member *self, salp__entry *entry, salp_fork_fn *run, salp_fork_job *job)
{
    if (!self->entry)
        settle(self);
    frame below = begin(self, entry);
    run(&self->face, job);
    end(self, &below);
}

/* Runs a job that was taken from `owner`. */
static void run_taken(salp__member *self, salp_fork_job *job, salp__member *owner)
{
    salp__entry *entry = (salp__entry *)(link_of(job) & ~(uintptr_t)MOVED);
    salp_fork_fn *run = job->salp__taken;
    frame below = begin(self, entry);
    job->salp__base = below.base;
    __atomic_store_n(&job->salp__link, (uintptr_t)self | MOVED | TAKEN, __ATOMIC_RELEASE); /* I5 */
    if (salp__entry_ended(entry) == 0)
        run(&self->face, job);
    end(self, &below);
    __atomic_store_n(&job->salp__link, OVER, __ATOMIC_RELEASE);
    salp__wake(&owner->bell, 1, false);
}

/* ---- joining ---- */

typedef struct pursuit {
    const salp_fork_job *job;
    const salp__member *thief;
} pursuit;

/* Of a job that was moved and not taken back: the link as its thief has left it. */
static uintptr_t taken_link(const salp_fork_job *job)
{
    return __atomic_load_n(&job->salp__link, __ATOMIC_ACQUIRE); /* I5 */
}

static bool is_under_way(const void *arg)
{
    const pursuit *chase = arg;
    return taken_link(chase->job) == ((uintptr_t)chase->thief | MOVED | TAKEN);
}

/* A job that runs on top of this one needs as much stack as one that begins with it. */
static bool has_room(void)
{
    return (uintptr_t)__builtin_frame_address(0) > salp__stack_half();
}

/* Runs something that the thief's job has forked. */
static bool leap(salp__member *self, const salp_fork_job *job, salp__member *thief)
{
    pursuit chase = { .job = job, .thief = thief };
    if (salp__deque_is_empty(&thief->deque) || !has_room())
        return false;
    salp_fork_job *taken = salp__deque_steal(&thief->deque, job->salp__base, is_under_way, &chase);
    if (!taken)
        return false;
    run_taken(self, taken, thief);
    return true;
}

/* Looks for some time whether there is something to do, or the job is over. */
static bool look_after(salp__member *self, const salp_fork_job *job, salp__member *thief)
{
    int64_t stop = salp__later(searching_lasts);
    ask(thief);
    do {
        for (int i = 0; i < 32; i++) {
            if (!is_under_way(&(pursuit){ .job = job, .thief = thief }) || leap(self, job, thief))
                return true;
            salp__relax();
        }
        salp__give_way();
    } while (salp__now() < stop);
    return seize(thief) && leap(self, job, thief);
}

static void wait_for_thief(salp__member *self, salp_fork_job *job)
{
    for (unsigned tries = 0;;) {
        uint32_t seen = salp__bell_look(&self->bell);
        uintptr_t link = taken_link(job);
        if (link == OVER)
            return;
        if (!(link & TAKEN)) { /* the thief is about to say who it is */
            salp__pause(tries++);
            continue;
        }
        salp__member *thief = (salp__member *)(link & ~(uintptr_t)(MOVED | TAKEN));
        if (look_after(self, job, thief))
            continue;
        /* seq_cst: it moves jobs and then looks who asks; we look once more at what there is after we have asked. */
        atomic_store(&thief->asker, self);
        ask(thief);
        if (!leap(self, job, thief))
            salp__bell_wait(&self->bell, seen, salp__later(joiner_sleeps), false);
    }
}

bool salp_join_signalled_v1(salp_worker *worker, salp_fork_job *job)
{
    salp__member *self = salp__member_of(worker);
    salp_fork_job *back = NULL;
    salp__latch_take(&self->latch);
    bool moved = link_of(job) & MOVED; /* perhaps just now: I3 */
    if (moved) {
        set_newest(self, NULL);                                           /* I1: all that is older was moved, too */
        atomic_store_explicit(&self->barren, NULL, memory_order_relaxed); /* the next one may have the same address */
        back = salp__deque_take(&self->deque);
        salp__assert(!back || back == job); /* else they are not joined last in, first out */
    }
    bool asked = is_signalled(self);
    int ended = asked ? heed_locked(self) : 0;
    bool offered = asked && ended == 0 && offer_locked(self);
    salp__latch_release(&self->latch);
    if (offered)
        tell_asker(self);
    if (moved && !back) {
        wait_for_thief(self, job);
        return true;
    }
    return ended < 0;
}

/* ---- threads of the pool that have nothing else to do ---- */

static uint32_t next_random(salp__member *self)
{
    /* Marsaglia, "Xorshift RNGs" (2003). */
    self->random ^= self->random << 13;
    self->random ^= self->random >> 17;
    self->random ^= self->random << 5;
    return self->random;
}

enum nearness { EVERYBODY, NEARBY, ELSEWHERE };

/* relaxed: hints. */
static bool is_among(const salp__member *other, enum nearness which, int cache)
{
    return which == EVERYBODY ||
           (which == NEARBY) == (atomic_load_explicit(&other->cache, memory_order_relaxed) == cache);
}

/* One look at some of them, or all. Asks one of those who have nothing to give; if that was in vain before, seizes what
   they have. */
static salp_fork_job *look_at(salp__member *self, enum nearness which, salp__member **owner, bool hard)
{
    salp__crew *crew = self->crew;
    int count = atomic_load_explicit(&crew->count, memory_order_acquire);
    int first = (int)(next_random(self) % (uint32_t)count);
    int cache = atomic_load_explicit(&self->cache, memory_order_relaxed); /* our own */
    bool asked = false; /* one at a time: what is moved for nothing costs its owner something */
    for (int i = 0; i < count; i++) {
        *owner = crew->members[(first + i) % count];
        if (!is_among(*owner, which, cache))
            continue;
        salp_fork_job *job = salp__deque_steal(&(*owner)->deque, INT64_MIN, NULL, NULL);
        if (!job && hard && seize(*owner))
            job = salp__deque_steal(&(*owner)->deque, INT64_MIN, NULL, NULL);
        if (job)
            return job;
        asked = asked || ask(*owner);
    }
    return NULL;
}

static salp_fork_job *look_around(salp__member *self, salp__member **owner, bool hard)
{
    if (atomic_load_explicit(&self->cache, memory_order_relaxed) < 0)
        return look_at(self, EVERYBODY, owner, hard);
    salp_fork_job *job = look_at(self, NEARBY, owner, hard);
    return job ? job : look_at(self, ELSEWHERE, owner, hard);
}

static salp_fork_job *search(salp__member *self, salp__member **owner)
{
    int64_t stop = salp__later(searching_lasts);
    do {
        salp_fork_job *job = look_around(self, owner, false);
        if (job)
            return job;
        for (int i = 0; i < 16; i++)
            salp__relax();
        salp__give_way();
    } while (salp__now() < stop);
    return look_around(self, owner, true);
}

bool salp__crew_help(salp__crew *crew, int index)
{
    salp__member *self = crew->members[index], *owner;
    if (atomic_fetch_add(&crew->present, 1) >= crew->workers) {
        salp__crew_leave(crew);
        return false;
    }
    atomic_fetch_add(&crew->searching, 1);
    settle(self);
    salp_fork_job *job = search(self, &owner);
    bool last = atomic_fetch_sub(&crew->searching, 1) == 1;
    if (job) {
        /* Where one job was there may be more, now or later: so the next one is woken to look, and not all of them at once. If
           it finds nothing, it stays as the lookout, which this one may have been. */
        if (last)
            salp__crew_summon(crew);
        run_taken(self, job, owner);
    }
    salp__crew_leave(crew);
    return job != NULL;
}
