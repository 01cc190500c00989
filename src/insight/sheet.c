/* Workers of a sample; see sheet.h. SPDX-License-Identifier: MIT */
#include "insight/sheet.h"

#include <errno.h>
#include <string.h>

#include "os/clock.h"
#include "os/memory.h"
#include "os/thread.h"

static const int64_t group_time = SALP_MICROSECONDS(20); /* long beside two looks at two clocks, short beside a rung */
static const double undisturbed = 0.9; /* of its time on a processor: others took the rest now and then, by accident */
static const int64_t arrival = SALP_MILLISECONDS(50); /* until a worker begins without those who have not come */

/* ---- claims ---- */

/* The digits of a number below SALP__PLACES, backwards: neighbours become far apart. */
static uint32_t spread(uint32_t turn)
{
    uint32_t place = 0;
    for (uint32_t bit = 1; bit < SALP__PLACES; bit *= 2, turn /= 2)
        place = place * 2 + turn % 2;
    return place;
}

/* relaxed everywhere: numbers that nothing else hangs on. */
static bool claim_in(salp__worth_sheet *sheet, uint32_t place, size_t want, size_t *first, size_t *count, bool *cold)
{
    size_t begin = place * sheet->place_size, size = sheet->place_size;
    if (begin >= sheet->work.count)
        return false;
    if (size > sheet->work.count - begin)
        size = sheet->work.count - begin;
    size_t at = atomic_load_explicit(&sheet->cursor[place], memory_order_relaxed), taken;
    do {
        if (at >= size)
            return false;
        taken = at == 0 ? 1 : want < size - at ? want : size - at;
    } while (!atomic_compare_exchange_weak_explicit(&sheet->cursor[place], &at, at + taken, memory_order_relaxed,
                                                    memory_order_relaxed));
    *first = begin + at;
    *count = taken;
    *cold = at == 0;
    return true;
}

static bool claim(salp__worth_sheet *sheet, salp__rung *rung, size_t want, size_t *first, size_t *count, bool *cold)
{
    size_t before = atomic_fetch_add_explicit(&rung->claimed, want, memory_order_relaxed);
    if (before >= rung->share)
        return false;
    if (want > rung->share - before)
        want = rung->share - before;
    for (int i = 0; i < SALP__PLACES; i++) {
        uint32_t turn = atomic_fetch_add_explicit(&sheet->turn, 1, memory_order_relaxed);
        if (claim_in(sheet, spread(turn % SALP__PLACES), want, first, count, cold))
            return true;
    }
    return false;
}

/* ---- running ---- */

typedef struct runner {
    salp__worth_sheet *sheet;
    salp__rung *rung;
    salp__attempt *attempt;
    void *context;
    char *window; /* for results, which are put there in turn; NULL: there are none */
    size_t slots; /* that it has */
    size_t next;  /* the one to be used next */
} runner;

/* As tight as a loop without a pool: of the shortest items nothing else would be measured. Addresses are numbers, since there may
   be no input and no result. */
static unsigned run_some(const salp__work *work, void *context, uintptr_t in, uintptr_t out, size_t count)
{
    salp_job *job = work->job;
    size_t in_size = work->in ? work->in_size : 0, out_size = work->out_size;
    unsigned failed = 0;
    for (size_t i = 0; i < count; i++) {
        failed += (unsigned)job((const void *)in, (void *)out, context) >> 31; /* negative ones */
        in += in_size;
        out += out_size;
    }
    return failed;
}

static size_t run_items(runner *r, size_t first, size_t count)
{
    const salp__work *work = &r->sheet->work;
    uintptr_t in = (uintptr_t)work->in + (work->in ? first * work->in_size : 0), window = (uintptr_t)r->window;
    size_t failed = 0;
    while (count > 0) {
        size_t some = count < r->slots - r->next ? count : r->slots - r->next;
        failed += run_some(work, r->context, in, r->window ? window + r->next * work->out_size : 0, some);
        in += work->in ? some * work->in_size : 0;
        r->next = r->next + some < r->slots ? r->next + some : 0;
        count -= some;
    }
    return failed;
}

static void keep(salp__rung *rung, const salp__group *group)
{
    uint32_t index = atomic_fetch_add_explicit(&rung->groups, 1, memory_order_relaxed);
    if (index < SALP__GROUPS)
        rung->group[index] = *group;
}

/* Of this thread; alone, of the commands that its items run, too. Several threads could not tell whose they were. */
static int64_t cpu_of(const runner *r)
{
    return salp__thread_cpu() + (r->rung == &r->sheet->rung[SALP__ALONE] ? salp__children_cpu() : 0);
}

/* Runs and times some items. Returns how long they took. */
static int64_t run_group(runner *r, size_t first, size_t count, bool cold)
{
    atomic_store_explicit(&r->attempt->first, first, memory_order_relaxed);
    int64_t cpu = cpu_of(r), wall = salp__now();
    atomic_store_explicit(&r->attempt->since, wall, memory_order_relaxed);
    size_t failed = run_items(r, first, count);
    wall = salp__now() - wall;
    cpu = cpu_of(r) - cpu;
    atomic_store_explicit(&r->attempt->first, SIZE_MAX, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->sheet->ran, count, memory_order_relaxed);
    atomic_fetch_add_explicit(&r->sheet->failed, failed, memory_order_relaxed);
    keep(r->rung, &(salp__group){ .wall = wall, .cpu = cpu, .items = (uint32_t)count, .cold = cold });
    return wall;
}

static size_t next_want(size_t want, size_t count, int64_t wall)
{
    int64_t item = wall / (int64_t)count + 1;
    size_t fitting = (size_t)(group_time / item), most = want * 8;
    return fitting < 1 ? 1 : fitting > most ? most : fitting;
}

/* At least one group, however late it is. */
static void run_until(runner *r, int64_t end)
{
    size_t want = 1, first, count;
    bool cold;
    while (claim(r->sheet, r->rung, want, &first, &count, &cold)) {
        int64_t wall = run_group(r, first, count, cold);
        if (!cold || want == 1)
            want = next_want(want, count, wall);
        if (salp__now() >= end)
            break;
    }
}

/* I2. Waits for the others of the rung; one that does not come (it has no memory, it was killed) is not waited for for long. */
static int64_t begin(salp__rung *rung)
{
    int64_t late = salp__later(arrival), began;
    if (atomic_fetch_add_explicit(&rung->arrived, 1, memory_order_relaxed) + 1 >= rung->workers) {
        began = 0;
        /* release: pairs with the acquire below, though nothing but the time is handed over. */
        (void)atomic_compare_exchange_strong_explicit(&rung->begin, &began, salp__now(), memory_order_release,
                                                      memory_order_relaxed);
    }
    while ((began = atomic_load_explicit(&rung->begin, memory_order_acquire)) == 0) {
        if (salp__now() >= late)
            return salp__now();
        salp__give_way();
    }
    return began;
}

/* ---- coming and going ---- */

/* Its copy of the context, and its part of the window. */
static int open_runner(runner *r)
{
    const salp__work *work = &r->sheet->work;
    if (work->context_size > 0) {
        r->context = salp__allocate_raw(work->context_size);
        if (!r->context)
            return -ENOMEM;
        memcpy(r->context, work->context, work->context_size);
    }
    r->slots = work->count;
    if (work->out_size == 0)
        return 0;
    size_t slots = r->rung->window / (size_t)r->rung->workers / work->out_size;
    r->slots = slots < 1 ? 1 : slots > work->count ? work->count : slots;
    r->window = salp__allocate_raw(r->slots * work->out_size);
    if (!r->window) {
        if (work->context_size > 0)
            salp__free(r->context);
        return -ENOMEM;
    }
    memset(r->window, 0, r->slots * work->out_size); /* pages behind it, as behind results that were written once */
    return 0;
}

int salp__rung_run(salp__worth_sheet *sheet, salp__rung *rung, int index)
{
    runner r = { .sheet = sheet, .rung = rung, .attempt = &sheet->attempt[index] };
    r.context = (void *)(uintptr_t)sheet->work.context;
    int error = open_runner(&r);
    if (error < 0)
        return error;
    int64_t began = begin(rung);
    uint64_t sleeps = salp__thread_sleeps();
    run_until(&r, began + rung->length);
    atomic_fetch_add_explicit(&rung->sleeps, salp__thread_sleeps() - sleeps, memory_order_relaxed);
    salp__free(r.window);
    if (sheet->work.context_size > 0)
        salp__free(r.context);
    return 0;
}

/* ---- afterwards ---- */

size_t salp__rung_groups(const salp__rung *rung, salp__group groups[])
{
    size_t count = atomic_load_explicit(&rung->groups, memory_order_relaxed);
    if (count > SALP__GROUPS)
        count = SALP__GROUPS;
    memcpy(groups, rung->group, count * sizeof *groups);
    return count;
}

void salp__alone_figures(const salp__worth_sheet *sheet, salp__figures *figures, salp__group groups[])
{
    const salp__rung *rung = &sheet->rung[SALP__ALONE];
    size_t count = salp__rung_groups(rung, groups);
    salp__figures_make(figures, groups, count, false);
    /* relaxed: the worker has ended. */
    if (atomic_load_explicit(&rung->sleeps, memory_order_relaxed) * 4 >= count)
        return;
    /* A busy machine will be so when the map is run, too, and others have a part of the processor then. What is little is an
       accident. */
    if (figures->busy >= undisturbed) {
        count = salp__rung_groups(rung, groups);
        salp__figures_make(figures, groups, count, true);
    }
    figures->busy = 1;
}
