/*
 * A word on which one thread sleeps, and that anybody may ring, also from another process.
 *
 *     the one who sleeps                        anybody
 *     salp__chime_silence                       make it so
 *     look whether it is so                     salp__chime_ring
 *     salp__chime_sleep
 *
 * | 0 | --sleep--> | ASLEEP | --ring--> | ASLEEP + RUNG | --silence--> | 0 |
 *
 * It is a hint and nothing else: who was rung looks. So a ring that comes too late, for somebody who has used the word
 * before, does no harm; and nobody is woken by a system call who does not sleep.
 *
 * I1  RUNG stands until the owner silences it. So a ring between the silence and the sleep ends the sleep at once.
 * I2  The owner silences it before he looks: a ring that he takes away was for what he is about to see.
 * I3  ASLEEP stands, too, until then: one who rings and is killed before he has woken the sleeper leaves a word at which the
 *     next one who rings wakes him.
 *
 * All zeros is a silent chime.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__CHIME_H
#define SALP__CHIME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SALP__CHIME_SILENT, SALP__CHIME_ASLEEP = 1, SALP__CHIME_RUNG = 2 };

typedef struct salp__chime {
    _Atomic uint32_t
        word; /* release in ring, acquire in sleep and silence: what was made so before is seen by who was rung */
} salp__chime;

/* Owner. I2 */
void salp__chime_silence(salp__chime *chime);

/* Any thread and process. */
void salp__chime_ring(salp__chime *chime);

/* Owner: sleeps until it is rung: true; or until `deadline`, or for no reason: false. */
bool salp__chime_sleep(salp__chime *chime, int64_t deadline);

#endif
