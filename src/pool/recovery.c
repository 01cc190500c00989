/*
 * What a dead worker leaves behind, put in order.
 *
 * The steward alone comes here, so nothing below races with itself; the worker whose place it reads is dead and reaped.
 *
 * The place may have been scribbled over by the crash. What can be checked is checked: numbers must lie within the
 * call, and the sum over the completed results must agree. When it does not, the results in the window are not handed
 * over: their items end with SALP_EDAMAGED (or get another try), since nobody can say which of them is good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/recovery.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "os/file.h"
#include "os/futex.h"
#include "os/memory.h"
#include "task/park.h"

typedef struct attempt {
    salp__list link;
    uint64_t ticket;
    uint64_t index;
    int count;
} attempt;

/* One dead worker's business with one call. */
typedef struct estate {
    salp__control *control;
    const salp__death *death;
    salp__place *place;
    salp__params *params;
    salp__live *live;
    int slot;
    uint64_t ticket;
    salp__window window;
    uint64_t size; /* of a result in it */
    /* What the place says, read once. */
    uint32_t stage;
    uint64_t begin, done, limit, sum;
} estate;

void salp__recovery_open(salp__recovery *recovery, salp__control *control)
{
    recovery->control = control;
    salp__list_open(&recovery->attempts);
}

/* ---- writing what the worker would have written ---- */

static void refuse(const estate *e, int error)
{
    int32_t none = 0;
    /* relaxed: as in the worker. */
    atomic_compare_exchange_strong_explicit(&e->live->refused, &none, error, memory_order_relaxed,
                                            memory_order_relaxed);
    atomic_fetch_or_explicit(&e->live->signal, SALP__STOP, memory_order_relaxed);
}

static void put(const estate *e, const void *data, uint64_t size, uint64_t offset)
{
    /* relaxed: we may have set it ourselves. A state must not speak of a result that could not be written. */
    if (atomic_load_explicit(&e->live->refused, memory_order_relaxed) < 0)
        return;
    int error = salp__file_write(e->control->arena, data, size, offset);
    if (error < 0)
        refuse(e, error);
}

static void put_state(const estate *e, uint64_t index, int error, unsigned char state)
{
    int runner = e->death->ending.pid;
    put(e, &error, sizeof error, e->params->errors + index * sizeof error);
    put(e, &runner, sizeof runner, e->params->runners + index * sizeof runner);
    put(e, &state, sizeof state, e->params->states + index);
    atomic_fetch_add_explicit(&e->live->done, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->live->failed, 1, memory_order_relaxed);
    if (e->params->stops)
        atomic_fetch_or_explicit(&e->live->signal, SALP__STOP, memory_order_relaxed);
}

/* ---- attempts ---- */

static attempt *find_attempt(salp__recovery *recovery, uint64_t ticket, uint64_t index)
{
    for (salp__list *node = recovery->attempts.next; node != &recovery->attempts; node = node->next) {
        attempt *one = SALP__CONTAINER(node, attempt, link);
        if (one->ticket == ticket && one->index == index)
            return one;
    }
    return NULL;
}

static void forget_attempts(salp__recovery *recovery, uint64_t ticket)
{
    salp__list *next;
    for (salp__list *node = recovery->attempts.next; node != &recovery->attempts; node = next) {
        next = node->next;
        attempt *one = SALP__CONTAINER(node, attempt, link);
        if (one->ticket != ticket)
            continue;
        salp__list_remove(node);
        salp__free(one);
    }
}

/* Counts one more try of the item that failed. Returns its number, from 1; `again`: it may be tried once more. */
static int count_attempt(salp__recovery *recovery, const estate *e, uint64_t index, bool *again)
{
    int retries = e->control->head->retries;
    *again = false;
    if (retries == 0)
        return 1;
    attempt *one = find_attempt(recovery, e->ticket, index);
    if (!one) {
        one = salp__allocate(sizeof *one);
        if (!one)
            return 1; /* no memory to count: better too few tries than too many */
        *one = (attempt){ .ticket = e->ticket, .index = index };
        salp__list_append(&recovery->attempts, &one->link);
    }
    one->count++;
    *again = one->count <= retries;
    /* Those before the one that the item ends with. */
    unsigned char tries = one->count < UCHAR_MAX ? (unsigned char)one->count : UCHAR_MAX;
    if (*again)
        put(e, &tries, sizeof tries, e->params->tries + index);
    return one->count;
}

/* ---- the stretch ---- */

typedef struct stretch {
    char *results;
    int *errors;
} stretch;

static int read_stretch(const estate *e, uint64_t count, stretch *held)
{
    uint64_t size = e->size;
    held->results = salp__allocate(count * size + 1);
    held->errors = salp__allocate(count * sizeof *held->errors + 1);
    if (!held->results || !held->errors)
        return -ENOMEM;
    int error = size > 0 ? salp__file_read(e->control->arena, held->results, count * size, e->window.offset) : 0;
    if (error < 0)
        return error;
    return salp__file_read(e->control->arena, held->errors, count * sizeof *held->errors,
                           e->window.offset + e->window.bytes);
}

static void free_stretch(stretch *held)
{
    salp__free(held->results);
    salp__free(held->errors);
}

/* How many items of the stretch are complete, judged by the sum; or -1 when the sum fits neither way. */
static int64_t count_complete(const estate *e, const stretch *held, uint64_t readable)
{
    uint64_t size = e->size, sum = 0;
    for (uint64_t i = 0; i <= e->done && i <= readable; i++) {
        /* The sum is stored before the count: one more may be complete than the count says. */
        if (i >= e->done && sum == e->sum)
            return (int64_t)i;
        if (i < readable)
            sum = salp__mix_result(sum, held->results + i * size, size, held->errors[i]);
    }
    return sum == e->sum && readable == e->done + 1 ? (int64_t)readable : -1;
}

static void deliver(const estate *e, stretch *held, uint64_t count)
{
    uint64_t size = e->size, failed = 0;
    static unsigned char states[SALP__WINDOW_ITEMS]; /* large for a stack; the steward is one thread */
    for (uint64_t i = 0; i < count; i++) {
        states[i] = held->errors[i] < 0 ? SALP__FAILED : held->errors[i] > 0 ? SALP__VALUE : SALP__RAN;
        failed += held->errors[i] < 0;
    }
    if (size > 0 && e->params->out_in_place)
        salp__results_store(e->params, e->begin, count, held->results, held->errors);
    else if (size > 0)
        put(e, held->results, count * size, e->params->out.offset + e->begin * size);
    put(e, held->errors, count * sizeof *held->errors, e->params->errors + e->begin * sizeof *held->errors);
    for (uint64_t i = 0; failed > 0 && i < count; i++)
        held->errors[i] = e->death->ending.pid;
    if (failed > 0)
        put(e, held->errors, count * sizeof *held->errors, e->params->runners + e->begin * sizeof *held->errors);
    put(e, states, count, e->params->states + e->begin);
    atomic_fetch_add_explicit(&e->live->done, count, memory_order_relaxed);
    atomic_fetch_add_explicit(&e->live->failed, failed, memory_order_relaxed);
    if (failed > 0 && e->params->stops)
        atomic_fetch_or_explicit(&e->live->signal, SALP__STOP, memory_order_relaxed);
}

static void damage(salp__recovery *recovery, const estate *e, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        bool again;
        (void)count_attempt(recovery, e, e->begin + i, &again);
        if (!again)
            put_state(e, e->begin + i, SALP_EDAMAGED, SALP__FAILED);
    }
}

/* Hands over the completed results. Returns how many items of the stretch are dealt with. */
static uint64_t settle_stretch(salp__recovery *recovery, const estate *e)
{
    uint64_t readable = e->stage == SALP__BUSY && e->done < e->limit ? e->done + 1 : e->done;
    if (readable == 0 || e->stage == SALP__IDLE)
        return 0;
    stretch held = { 0 };
    int error = read_stretch(e, readable, &held);
    int64_t complete = error < 0 ? -1 : count_complete(e, &held, readable);
    if (error < 0)
        refuse(e, error);
    else if (complete < 0)
        damage(recovery, e, e->done);
    else if (complete > 0)
        deliver(e, &held, (uint64_t)complete);
    free_stretch(&held);
    return complete < 0 ? e->done : (uint64_t)complete;
}

/* ---- the item that was running ---- */

static int error_of(const salp__death *death)
{
    switch (death->verdict) {
    case SALP__TIMED_OUT:
        return -ETIMEDOUT;
    case SALP__TOO_LARGE:
        return SALP_ELIMIT;
    case SALP__NO_VERDICT:
        break;
    }
    return death->out_of_memory ? -ENOMEM : SALP_ECRASHED;
}

/* Makes offsets of addresses that mean nothing in the program; those in modules that no job came from are left out. */
static void relate(const estate *e, salp__record *record)
{
    int kept = 0;
    for (int i = 0; i < record->frames; i++) {
        salp__module module;
        uint64_t offset;
        if (salp__module_of((void *)(uintptr_t)record->addresses[i], &module, &offset) < 0) {
            if (i == 0) /* a jump to nowhere: the frames below say from where */
                record->addresses[kept++] = record->addresses[i];
            continue;
        }
        for (uint32_t k = 0; k < SALP__MODULES; k++) {
            const salp__module *known = &e->control->modules[k];
            if (strcmp(known->path, module.path) != 0 || known->kind != module.kind)
                continue;
            record->addresses[kept] = offset;
            record->modules[kept++] = k + 1;
            break;
        }
    }
    record->frames = kept;
}

/* false: there is no memory for it; the failure will be told with less detail. */
static bool write_record(const estate *e, uint64_t index, int error, int number)
{
    salp__slot_records *records = &e->control->records->slots[e->slot];
    /* relaxed: only the steward writes it. */
    uint64_t written = atomic_load_explicit(&records->written, memory_order_relaxed);
    const salp__crash_note *note = &e->place->note;
    salp__record record = {
        .index = index,
        .error = error,
        .worker = e->death->ending.pid,
        .signal = e->death->ending.signal,
        .exit_status = e->death->ending.exit_status,
        .attempt = number,
    };
    /* acquire: pairs with the release in the handler, though the death of its process orders it too. A note of another
       signal than the one that ended the worker is of a fault that the job survived. */
    int noted = atomic_load_explicit(&note->signal, memory_order_acquire);
    if (noted != 0 && (noted == record.signal || record.signal == 0)) {
        record.address = note->address;
        record.frames = note->frames < 0 || note->frames > SALP_BACKTRACE_MAX ? 0 : note->frames;
        memcpy(record.addresses, note->addresses, (size_t)record.frames * sizeof *record.addresses);
        if (e->control->head->start != SALP_FORK)
            relate(e, &record);
    }
    uint64_t offset = salp__record_offset(e->control, e->slot, written);
    if (salp__file_write(e->control->arena, &record, sizeof record, offset) < 0)
        return false;
    /* release: pairs with the acquire in the program. */
    atomic_store_explicit(&records->written, written + 1, memory_order_release);
    return true;
}

static bool room_for_record(const estate *e)
{
    salp__slot_records *records = &e->control->records->slots[e->slot];
    /* acquire: pairs with the release in the program, which has read the record that we may overwrite. */
    uint64_t read = atomic_load_explicit(&records->read, memory_order_acquire);
    return atomic_load_explicit(&records->written, memory_order_relaxed) - read < SALP__RECORDS;
}

static void blame(salp__recovery *recovery, const estate *e, uint64_t index)
{
    bool again;
    int number = count_attempt(recovery, e, index, &again);
    if (again)
        return;
    int error = error_of(e->death);
    if (e->params->kind == SALP__MESSAGE) /* half an answer is none; relaxed: published by the state of the call */
        atomic_store_explicit(&e->live->answer_size, 0, memory_order_relaxed);
    bool reported = e->params->reports && write_record(e, index, error, number);
    put_state(e, index, error, reported ? SALP__REPORTED : SALP__FAILED);
}

/* ---- one death ---- */

/* What the dead worker was attached to. false: nothing. */
static bool open_estate(estate *e, salp__recovery *recovery, const salp__death *death)
{
    salp__control *control = recovery->control;
    salp__place *place = &control->places[death->worker];
    uint64_t attached = atomic_load(&place->attached);
    int slot = (int)(attached % SALP__SLOTS);
    if (attached == 0 || salp__running(control, slot) != attached / SALP__SLOTS)
        return false;
    salp__params *params = &control->head->params[slot];
    *e = (estate){
        .control = control,
        .death = death,
        .place = place,
        .params = params,
        .live = &control->shared->live[slot],
        .slot = slot,
        .ticket = attached / SALP__SLOTS,
        .window = salp__window_of(control, params, death->worker),
        .size = salp__result_size(params),
        .stage = atomic_load_explicit(&place->stage, memory_order_acquire),
        .begin = atomic_load_explicit(&place->begin, memory_order_relaxed),
        .done = atomic_load_explicit(&place->done, memory_order_relaxed),
        .limit = atomic_load_explicit(&place->limit, memory_order_relaxed),
        .sum = atomic_load_explicit(&place->sum, memory_order_relaxed),
    };
    return true;
}

static bool plausible(const estate *e)
{
    return e->stage <= SALP__BUSY && e->done <= e->limit && e->limit <= e->window.items &&
           e->begin < e->params->count && e->limit <= e->params->count - e->begin;
}

/* Does what a worker may have left undone outside of any call: it has detached and not finished the call, or finished
   it and told nobody; it has cleared the bit of a call and not looked again, or rung and woken nobody. */
static void do_undone(const salp__control *control)
{
    for (int slot = 0; slot < SALP__SLOTS; slot++) {
        uint64_t ticket = salp__running(control, slot);
        if (ticket != 0) {
            salp__finish(control, slot, ticket, false);
            /* seq_cst, as in salp__not_runnable. */
            if (!salp__lanes_empty(salp__lanes_of(control, slot), (int)control->head->workers))
                atomic_fetch_or(&control->shared->runnable, 1UL << slot);
        }
        salp__tell(control, slot, true);
    }
    salp__wake_idle(control, control->head->workers);
    /* Whose mark it has taken and whom it has not woken any more: whoever is not asleep is not hurt by it. */
    for (uint32_t i = 0; i < control->head->workers; i++)
        salp__futex_wake(&control->places[i].idle, 1, true);
}

/* It has left when there was nothing to leave undone. */
static bool retired(const salp__recovery *recovery, const salp__death *death)
{
    return death->ending.signal == 0 && death->ending.exit_status == SALP__EXIT_RETIRED &&
           atomic_load(&recovery->control->places[death->worker].attached) == 0;
}

/* Settles what the worker was on. false: it has to wait. */
static bool settle_place(salp__recovery *recovery, const salp__death *death)
{
    estate e;
    salp__place *place = &recovery->control->places[death->worker];
    if (!open_estate(&e, recovery, death)) {
        atomic_store(&place->attached, 0);
        return true;
    }
    if (e.stage != SALP__IDLE && !plausible(&e)) {
        /* Not even the item is known that did this, so it cannot be kept from doing it again. */
        refuse(&e, SALP_EDAMAGED);
    } else if (e.stage != SALP__IDLE) {
        if (e.params->reports && !room_for_record(&e))
            return false;
        uint64_t settled = settle_stretch(recovery, &e);
        if (e.stage == SALP__BUSY && settled < e.limit)
            blame(recovery, &e, e.begin + settled);
    }
    /* seq_cst: before the place is detached, and so before the call can be drained. Who attaches later, perhaps just when
       another epoch begins, sees it; who is attached now never gets anything from another epoch. */
    atomic_store(&e.live->redo, 1);
    atomic_store(&e.live->suspect, 1); /* seq_cst: before the place is detached, see salp__finish */
    atomic_store(&place->attached, 0);
    return true;
}

bool salp__recover(salp__recovery *recovery, const salp__death *death)
{
    if (retired(recovery, death))
        return true;
    if (!settle_place(recovery, death))
        return false;
    do_undone(recovery->control);
    return true;
}

/* ---- calls in which workers died ---- */

/* The range from the first to the last item that has no state. Returns 1, 0 when there is none, or a negative error. */
static int find_undone(const salp__control *control, const salp__params *params, uint64_t *first, uint64_t *last)
{
    static unsigned char states[65536];
    int found = 0;
    for (uint64_t at = 0; at < params->count; at += sizeof states) {
        uint64_t count = params->count - at < sizeof states ? params->count - at : sizeof states;
        int error = salp__file_read(control->arena, states, count, params->states + at);
        if (error < 0)
            return error;
        for (uint64_t i = 0; i < count; i++) {
            if (states[i] != SALP__UNDONE)
                continue;
            if (!found)
                *first = at + i;
            *last = at + i;
            found = 1;
        }
    }
    return found;
}

static void begin_epoch(const salp__control *control, int slot, uint64_t first, uint64_t last)
{
    const salp__params *params = &control->head->params[slot];
    salp__range units = { .begin = (uint32_t)(first / params->unit), .end = (uint32_t)(last / params->unit) + 1 };
    salp__lanes_split(salp__lanes_of(control, slot), (int)control->head->workers, units);
    atomic_fetch_or_explicit(&control->shared->runnable, 1UL << slot, memory_order_release);
    salp__wake_idle(control, control->head->workers);
}

static void settle(salp__recovery *recovery, int slot, uint64_t ticket)
{
    const salp__control *control = recovery->control;
    salp__live *live = &control->shared->live[slot];
    uint64_t first, last;
    if (!salp__drained(control, slot, ticket))
        return;
    bool stopped = atomic_load(&live->signal) & SALP__STOP;
    /* acquire: pairs with the release in the worker. */
    bool there = atomic_load_explicit(&live->single.there, memory_order_acquire);
    int undone = stopped || there ? 0 : find_undone(control, &control->head->params[slot], &first, &last);
    if (undone < 0) {
        refuse(&(estate){ .live = live }, undone); /* what may be missing cannot be known */
    } else if (undone > 0) {
        begin_epoch(control, slot, first, last);
        return;
    }
    forget_attempts(recovery, ticket);
    salp__finish(control, slot, ticket, true);
}

bool salp__settle_suspects(salp__recovery *recovery)
{
    const salp__control *control = recovery->control;
    bool left = false;
    for (int slot = 0; slot < SALP__SLOTS; slot++) {
        uint64_t ticket = salp__running(control, slot);
        if (ticket == 0 || !atomic_load(&control->shared->live[slot].suspect))
            continue;
        settle(recovery, slot, ticket);
        left |= salp__running(control, slot) == ticket;
    }
    return left;
}
