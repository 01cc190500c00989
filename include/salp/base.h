/*
 * salp/base.h - what every other header of Salp stands on.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_BASE_H
#define SALP_BASE_H

#ifdef __cplusplus
#define SALP_BEGIN extern "C" {
#define SALP_END }
#else
#define SALP_BEGIN
#define SALP_END
#endif

/* What leaves the library; the version map lists the same names once more. */
#define SALP_API __attribute__((visibility("default")))

SALP_BEGIN

/*
 * A function with one argument: what an initializer, a task or a process runs.
 * Returns 0 or a positive number for success, or a negative error.
 */
typedef int salp_fn(void *arg);

SALP_END

#endif
