/* Bytes that are to be written; the header shows them. SPDX-License-Identifier: MIT */
#include "stream/outbox.h"

#include <string.h>

#include "os/memory.h"
#include "stream/held.h"

typedef struct salp__chunk {
    struct salp__chunk *next;
    size_t begin, end, room;
    char data[];
} chunk;

/* With these bytes, and room for some more. */
static chunk *new_chunk(const char *data, size_t size)
{
    size_t room = size > SALP__LENT ? size : SALP__LENT;
    chunk *c = salp__allocate_raw(sizeof *c + room);
    if (!c)
        return NULL;
    *c = (chunk){ .end = size, .room = room };
    memcpy(c->data, data, size);
    return c;
}

bool salp__outbox_append(salp__outbox *outbox, const char *data, size_t size)
{
    chunk *last = outbox->last;
    size_t room = last ? last->room - last->end : 0, fits = size < room ? size : room;
    if (fits < size) {
        chunk *more = new_chunk(data + fits, size - fits);
        if (!more)
            return false;
        outbox->last = more;
        *(last ? &last->next : &outbox->first) = more;
    }
    if (fits > 0) {
        memcpy(last->data + last->end, data, fits);
        last->end += fits;
    }
    outbox->size += size;
    return true;
}

int salp__outbox_look(const salp__outbox *outbox, struct iovec parts[], int most)
{
    int count = 0;
    for (chunk *c = outbox->first; c && count < most; c = c->next)
        parts[count++] = (struct iovec){ c->data + c->begin, c->end - c->begin };
    return count;
}

void salp__outbox_take(salp__outbox *outbox, size_t size)
{
    outbox->size -= size;
    while (outbox->first && size >= outbox->first->end - outbox->first->begin) {
        chunk *gone = outbox->first;
        size -= gone->end - gone->begin;
        outbox->first = gone->next;
        salp__free(gone);
    }
    if (outbox->first)
        outbox->first->begin += size;
    else
        outbox->last = NULL;
}

void salp__outbox_drop(salp__outbox *outbox)
{
    salp__outbox_take(outbox, outbox->size);
}
