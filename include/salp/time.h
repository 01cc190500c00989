/*
 * salp/time.h - lengths of time: 64-bit numbers of nanoseconds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_TIME_H
#define SALP_TIME_H

#include <stdint.h>

#include <salp/base.h>

#define SALP_NANOSECONDS(n) ((int64_t)(n))
#define SALP_MICROSECONDS(n) ((int64_t)((n)*1000LL))
#define SALP_MILLISECONDS(n) ((int64_t)((n)*1000000LL))
#define SALP_SECONDS(n) ((int64_t)((n)*1000000000LL))

/* Longer than any wait: 292 years. */
#define SALP_FOREVER INT64_MAX

SALP_BEGIN

/* The time, for lengths and deadlines: nanoseconds since some moment in the past; it is never set back. Threads: any. */
SALP_API int64_t salp_now(void);

SALP_END

#endif
