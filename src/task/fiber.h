/*
 * What sanitizers have to be told of switches between stacks; nothing in other builds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FIBER_H
#define SALP__FIBER_H

#include <stddef.h>

#include "base/sanitizer.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

static inline void *salp__fiber_open(void)
{
#ifdef __SANITIZE_THREAD__
    return __tsan_create_fiber(0);
#else
    return NULL;
#endif
}

static inline void salp__fiber_close(void *fiber)
{
#ifdef __SANITIZE_THREAD__
    __tsan_destroy_fiber(fiber);
#else
    (void)fiber;
#endif
}

static inline void *salp__fiber_here(void)
{
#ifdef __SANITIZE_THREAD__
    return __tsan_get_current_fiber();
#else
    return NULL;
#endif
}

/* Just before a switch to the stack [memory, memory + size). `kept`: NULL when this stack is left for ever. */
static inline void salp__fiber_leave(void **kept, const void *memory, size_t size, void *fiber)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_start_switch_fiber(kept, memory, size);
#endif
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(fiber, 0);
#endif
    (void)kept;
    (void)memory;
    (void)size;
    (void)fiber;
}

/* Just after one. Tells which stack was left. */
static inline void salp__fiber_enter(void *kept, const void **memory, size_t *size)
{
#ifdef __SANITIZE_ADDRESS__
    __sanitizer_finish_switch_fiber(kept, memory, size);
#endif
    (void)kept;
    (void)memory;
    (void)size;
}

/* A stack that a finished task has left: nothing of it is poisoned any more. */
static inline void salp__fiber_clean(void *memory, size_t size)
{
#ifdef __SANITIZE_ADDRESS__
    __asan_unpoison_memory_region(memory, size);
#endif
    (void)memory;
    (void)size;
}

#endif
