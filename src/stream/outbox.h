/*
 * Bytes that are to be written, in the order in which they came, in chunks. All zeros is an empty one, which holds no memory.
 *
 *   first: | gone | begin .. end | -> | begin .. end | -> last: | begin .. end | room |
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__OUTBOX_H
#define SALP__OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

typedef struct salp__outbox {
    struct salp__chunk *first, *last; /* NULL: there is none */
    size_t size;                      /* bytes in all of them */
} salp__outbox;

/* Appends a copy. false: no memory, and nothing was. */
bool salp__outbox_append(salp__outbox *outbox, const char *data, size_t size);

/* The first bytes, in at most `most` parts. Returns how many parts; 0: it is empty. */
int salp__outbox_look(const salp__outbox *outbox, struct iovec parts[], int most);

/* Takes so many of the first bytes off. */
void salp__outbox_take(salp__outbox *outbox, size_t size);

/* Takes all off. */
void salp__outbox_drop(salp__outbox *outbox);

#endif
