/*
 * Telling the user of failures: with a text for the backtrace, found in this process, where it takes nobody's time but
 * that of the caller who asked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool/processes.h"

#include <string.h>

#include "os/file.h"

enum { TEXT_SIZE = 8192 };

/* The addresses of a record as they are in this process. */
static int place_frames(const salp__process_engine *engine, const salp__record *record, uint64_t addresses[])
{
    int count = 0;
    for (int i = 0; i < record->frames && i < SALP_BACKTRACE_MAX; i++) {
        uint32_t module = record->modules[i];
        void *address = (void *)(uintptr_t)record->addresses[i];
        if (module > SALP__MODULES)
            continue;
        if (module > 0 &&
            salp__module_resolve(&engine->control.modules[module - 1], record->addresses[i], &address) < 0)
            continue;
        addresses[count++] = (uint64_t)(uintptr_t)address;
    }
    return count;
}

static void describe(salp__process_engine *engine, const salp__record *record, char *text)
{
    uint64_t addresses[SALP_BACKTRACE_MAX];
    int count = place_frames(engine, record, addresses);
    text[0] = '\0';
    if (count == 0)
        return;
    salp__lock_take(&engine->telling);
    if (!engine->symbols && salp__symbols_open(&engine->symbols) < 0)
        engine->symbols = NULL;
    if (engine->symbols)
        salp__symbols_describe(engine->symbols, addresses, count, text, TEXT_SIZE);
    salp__lock_release(&engine->telling);
}

static void tell(salp__process_engine *engine, salp__call *call, const salp__record *record)
{
    char text[TEXT_SIZE];
    describe(engine, record, text);
    salp_failure failure = {
        .index = record->index,
        .error = record->error,
        .worker = record->worker,
        .signal = record->signal,
        .address = (void *)(uintptr_t)record->address,
        .exit_status = record->exit_status,
        .attempt = record->attempt,
        .backtrace = text,
    };
    call->options.on_failure(&failure, call->options.on_failure_arg);
}

void salp__failures_tell(salp__process_engine *engine, salp__call *call)
{
    salp__slot_records *records = &engine->control.records->slots[call->engine.processes.slot];
    uint64_t read = atomic_load_explicit(&records->read, memory_order_relaxed); /* only we write it */
    /* acquire: pairs with the release in the steward. */
    while (read < atomic_load_explicit(&records->written, memory_order_acquire)) {
        const char *details = (const char *)engine->control.head;
        salp__record record;
        memcpy(&record, details + salp__record_offset(&engine->control, call->engine.processes.slot, read),
               sizeof record);
        /* release: pairs with the acquire in the steward, which may now write over it. */
        atomic_store_explicit(&records->read, ++read, memory_order_release);
        tell(engine, call, &record);
    }
}

int salp__failures_tell_own(salp__process_engine *engine, const salp__call *call, uint64_t begin, uint64_t count)
{
    int slot = call->engine.processes.slot, arena = engine->control.arena;
    const salp__params *params = &engine->control.head->params[slot];
    const char *memory = engine->slots[slot].memory - engine->slots[slot].offset;
    bool retried = engine->control.head->retries > 0;
    if (!salp__call_reports(call))
        return 0;
    for (uint64_t i = begin; i < begin + count; i++) {
        if (memory[params->states + i] != SALP__FAILED)
            continue;
        int values[2];
        int error = salp__file_read(arena, &values[0], sizeof *values, params->errors + i * sizeof *values);
        if (error == 0)
            error = salp__file_read(arena, &values[1], sizeof *values, params->runners + i * sizeof *values);
        if (error < 0)
            return error;
        salp_failure failure = {
            .index = i,
            .error = values[0],
            .worker = values[1],
            .exit_status = -1,
            .attempt = 1 + (retried ? (unsigned char)memory[params->tries + i] : 0),
            .backtrace = "",
        };
        call->options.on_failure(&failure, call->options.on_failure_arg);
    }
    return 0;
}
