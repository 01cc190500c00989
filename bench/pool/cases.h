/*
 * cases.h - the cases of pool-salp, one function each. Each reads its arguments, measures, checks what
 * came back and prints lines "name number"; see the comment above each function.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CASES_H
#define BENCH_CASES_H

#include <salp/pool.h>

/* A pool as the arguments say: engine=threads|processes workers=2 start=fork|server|spawn. No initializer: NULL. */
salp_pool *bench_pool_open(salp_fn *initializer);
void bench_pool_close(salp_pool *pool);
/* Ends the program if a call failed. */
void bench_ok(const char *call, int error);

/* One function each. */
void bench_case_map(void);
void bench_case_apply(void);
void bench_case_open(void);
void bench_case_short(void);
void bench_case_kill(void);
void bench_case_memory(void);

#endif
