/*
 * The protocol by which workers come to a call and leave it; control.h tells it whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/control.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "os/fault.h"
#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "task/park.h"

/* ---- layout ---- */

static uint64_t shared_size(uint32_t workers)
{
    return salp__pages(sizeof(salp__shared) + workers * sizeof(salp__place) +
                       (uint64_t)SALP__SLOTS * workers * sizeof(salp__lane));
}

static void lay_out(salp__head *head, uint32_t workers)
{
    *head = (salp__head){ .magic = SALP__MAGIC, .size = sizeof *head, .workers = workers };
    head->shared = salp__pages(sizeof *head);
    head->records = head->shared + shared_size(workers);
    head->modules = head->records + salp__pages(sizeof(salp__records));
    head->details = head->modules + salp__pages(SALP__MODULES * sizeof(salp__module));
    head->windows = head->details + salp__pages(SALP__SLOTS * SALP__RECORDS * sizeof(salp__record));
    head->regions = head->windows + workers * salp__pages(salp__window_size());
}

static void point_into(salp__control *control, void *base)
{
    salp__head *head = base;
    control->head = head;
    control->shared = (salp__shared *)((char *)base + head->shared);
    control->records = (salp__records *)((char *)base + head->records);
    control->modules = (salp__module *)((char *)base + head->modules);
    control->places = (salp__place *)(control->shared + 1);
    control->lanes = (salp__lane *)(control->places + head->workers);
    control->mapped = head->windows;
}

int salp__control_open(salp__control *control, uint32_t workers)
{
    salp__head layout;
    lay_out(&layout, workers);
    int arena = salp__memfd_open("salp-pool");
    if (arena < 0)
        return arena;
    int high = salp__file_move_high(arena);
    int error = high < 0 ? high : 0;
    if (error < 0)
        goto close_arena;
    arena = high;
    /* What is stored to without a look must be backed by memory, or a store would be a SIGBUS. The table of modules is
       backed as it is used, the windows by the workers, where a SIGBUS costs one item. */
    error = salp__file_reserve(arena, 0, layout.modules);
    if (error == 0)
        error = salp__file_extend(arena, layout.regions);
    void *base;
    if (error == 0)
        error = salp__map_file(&base, arena, 0, layout.windows, true);
    if (error < 0)
        goto close_arena;
    memcpy(base, &layout, sizeof layout);
    point_into(control, base);
    control->arena = arena;
    return 0;

close_arena:
    salp__file_close(arena);
    return error;
}

int salp__control_map(salp__control *control, int arena)
{
    salp__head head;
    int error = salp__file_read(arena, &head, sizeof head, 0);
    if (error < 0)
        return error;
    if (head.magic != SALP__MAGIC || head.size != sizeof head)
        return -EINVAL;
    void *base;
    error = salp__map_file(&base, arena, 0, head.windows, true);
    if (error < 0)
        return error;
    point_into(control, base);
    control->arena = arena;
    return 0;
}

void salp__control_close(salp__control *control)
{
    salp__unmap(control->head, control->mapped);
    salp__file_close(control->arena);
    *control = (salp__control){ .arena = -1 };
}

salp__window salp__window_of(const salp__control *control, const salp__params *params, int worker)
{
    if (params->windows.size > 0) {
        return (salp__window){
            .offset = params->windows.offset + (uint64_t)worker * params->windows.size,
            .bytes = params->windows.size - salp__pages(sizeof(int)),
            .items = 1,
        };
    }
    uint64_t items = params->out.size > 0 ? SALP__WINDOW_BYTES / params->out.size : SALP__WINDOW_ITEMS;
    if (params->kind == SALP__MESSAGE)
        items = 1; /* its answer does not pass through the window */
    return (salp__window){
        .offset = control->head->windows + (uint64_t)worker * salp__pages(salp__window_size()),
        .bytes = SALP__WINDOW_BYTES,
        .items = items < SALP__WINDOW_ITEMS ? items : SALP__WINDOW_ITEMS,
    };
}

/* ---- attaching, detaching, finishing ---- */

uint64_t salp__running(const salp__control *control, int slot)
{
    /* acquire: pairs with the program's release when it makes the call running; the parameters are then readable. */
    uint64_t state = atomic_load_explicit(&control->shared->live[slot].state, memory_order_acquire);
    return state % 4 == SALP__RUNNING ? state / 4 : 0;
}

bool salp__attach(const salp__control *control, salp__place *place, int slot)
{
    salp__live *live = &control->shared->live[slot];
    uint64_t ticket = salp__running(control, slot);
    if (ticket == 0)
        return false;
    /* seq_cst store, then seq_cst load: I2. Either the finisher (and the program, before it uses the slot again) sees
       this place attached, or we see that the call is done. */
    atomic_store(&place->attached, salp__attached_to(ticket, slot));
    SALP__STEP();
    if (atomic_load(&live->state) == salp__state(ticket, SALP__RUNNING))
        return true;
    atomic_store(&place->attached, 0);
    return false;
}

bool salp__unattended(const salp__control *control, int slot, uint64_t ticket)
{
    for (uint32_t i = 0; i < control->head->workers; i++) {
        /* seq_cst: pairs with the store in salp__attach, I2. */
        if (atomic_load(&control->places[i].attached) == salp__attached_to(ticket, slot))
            return false;
    }
    return true;
}

bool salp__drained(const salp__control *control, int slot, uint64_t ticket)
{
    salp__live *live = &control->shared->live[slot];
    /* All seq_cst: with equal counts before and after, nobody returned items between our look at the lanes and our look
       at the places. Who returns raises the count on both sides while attached; so if he was at it when we first
       looked, the count differs, and if he began later we would have seen him attached. */
    uint32_t returned = atomic_load(&live->returned);
    bool stopped = atomic_load(&live->signal) & SALP__STOP;
    if (!stopped && !salp__lanes_empty(salp__lanes_of(control, slot), (int)control->head->workers))
        return false;
    atomic_thread_fence(memory_order_seq_cst); /* the lanes before the places: I2 */
    return salp__unattended(control, slot, ticket) && atomic_load(&live->returned) == returned;
}

/* Each idle worker has a word of its own to sleep on, so that a ringer can choose: see salp__wake_idle. No ring is lost:
   the mark is set before the rings are looked at again, and a ringer raises them before he looks at the marks; all
   seq_cst. The mark of a worker that died is taken away by the steward, who then rings for what it may have swallowed;
   and he wakes everybody, since a ringer may have died between taking a mark away and waking who had it. */
void salp__idle(const salp__control *control, salp__place *place, uint32_t seen, bool look_first)
{
    salp__bell *bell = &control->shared->work;
    bool rung = false;
    if (look_first) {
        atomic_store(&place->idle, SALP__LOOKING);
        SALP__STEP();
        rung = salp__look(bell, seen);
    }
    if (!rung) {
        atomic_store(&place->idle, SALP__ASLEEP);
        SALP__STEP();
        if (salp__bell_look(bell) == seen)
            salp__futex_wait(&place->idle, SALP__ASLEEP, SALP_FOREVER, true);
    }
    atomic_store(&place->idle, SALP__AWAKE);
    SALP__STEP();
}

/* Takes the mark of up to `count` workers that have this one, and wakes those that sleep. Returns how many. */
static uint32_t call_idle(const salp__control *control, uint32_t count, uint32_t mark)
{
    uint32_t called = 0;
    for (uint32_t i = 0; i < control->head->workers && called < count; i++) {
        uint32_t held = mark;
        _Atomic uint32_t *idle = &control->places[i].idle;
        if (atomic_load(idle) != mark || !atomic_compare_exchange_strong(idle, &held, SALP__AWAKE))
            continue;
        called++;
        SALP__STEP();
        if (mark == SALP__ASLEEP)
            salp__futex_wake(idle, 1, true);
    }
    return called;
}

bool salp__wake_idle(const salp__control *control, uint32_t count)
{
    atomic_fetch_add(&control->shared->work.rings, 1); /* seq_cst: before the marks, see salp__idle */
    SALP__STEP();
    count -= call_idle(control, count, SALP__LOOKING);
    /* The first ones first: what is not needed sleeps on, and what is needed often is warm. */
    return count > 0 && call_idle(control, count, SALP__ASLEEP) > 0;
}

void salp__tell(const salp__control *control, int slot, bool attended)
{
    SALP__STEP();
    if (attended)
        salp__wake(&control->shared->attend, 1, true);
    SALP__STEP();
    salp__wake(&control->shared->live[slot].bell, INT_MAX, true);
}

void salp__finish(const salp__control *control, int slot, uint64_t ticket, bool steward)
{
    salp__live *live = &control->shared->live[slot];
    uint64_t running = salp__state(ticket, SALP__RUNNING);
    if (atomic_load(&live->state) != running || !salp__drained(control, slot, ticket))
        return;
    /* After the places: the steward marks the call before it clears the place of a dead worker. */
    if (!steward && atomic_load(&live->suspect))
        return;
    /* Before: once the call is done, the parameters may be the next one's. */
    bool attended = control->head->params[slot].attended;
    SALP__STEP();
    /* seq_cst: the program sees every result that was handed over before. Fails when another one was faster (I3). */
    if (atomic_compare_exchange_strong(&live->state, &running, salp__state(ticket, SALP__DONE)))
        salp__tell(control, slot, attended);
}

void salp__detach(const salp__control *control, salp__place *place)
{
    uint64_t attached = atomic_load_explicit(&place->attached, memory_order_relaxed); /* our own */
    SALP__STEP();
    atomic_store(&place->attached, 0); /* seq_cst: I2 */
    SALP__STEP();
    salp__finish(control, (int)(attached % SALP__SLOTS), attached / SALP__SLOTS, false);
}

/* ---- the sum ---- */

uint64_t salp__mix_bytes(uint64_t sum, const void *data, uint64_t size)
{
    const unsigned char *bytes = data;
    uint64_t word[4];
    if (size == 0)
        return sum;
    if (size >= sizeof word) {
        /* Four sums side by side, since each step of one waits for the step before it. */
        uint64_t sums[4] = { sum, sum + 1, sum + 2, sum + 3 };
        for (; size >= sizeof word; size -= sizeof word, bytes += sizeof word) {
            memcpy(word, bytes, sizeof word);
            for (int i = 0; i < 4; i++)
                sums[i] = salp__mix(sums[i], word[i]);
        }
        sum = salp__mix(salp__mix(salp__mix(sums[0], sums[1]), sums[2]), sums[3]);
    }
    for (; size >= sizeof word[0]; size -= sizeof word[0], bytes += sizeof word[0]) {
        memcpy(word, bytes, sizeof word[0]);
        sum = salp__mix(sum, word[0]);
    }
    word[0] = 0;
    memcpy(word, bytes, size);
    return size > 0 ? salp__mix(sum, word[0]) : sum;
}

void salp__results_store(const salp__params *params, uint64_t begin, uint64_t count, const char *results,
                         const int errors[])
{
    uint64_t size = params->out.size;
    char *out = (char *)(uintptr_t)params->out.offset + begin * size;
    for (uint64_t i = 0, good; i < count; i = good + 1) {
        for (good = i; good < count && errors[good] >= 0; good++)
            continue;
        memcpy(out + i * size, results + i * size, (good - i) * size);
    }
}
