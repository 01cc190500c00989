/* Bytes that are held; the header tells where. SPDX-License-Identifier: MIT */
#include "stream/held.h"

#include <errno.h>
#include <string.h>

#include "os/memory.h"

static char *borrow(void)
{
    salp__loop *loop = salp__loop_here();
    char *lent = loop ? loop->lent : NULL;
    if (!lent)
        return salp__allocate_raw(SALP__LENT);
    loop->lent = NULL;
    return lent;
}

static int grow(salp__held *held, size_t room)
{
    char *larger = salp__allocate_raw(room);
    if (!larger)
        return -ENOMEM;
    memcpy(larger, held->data + held->begin, held->end - held->begin);
    held->end -= held->begin;
    held->begin = 0;
    salp__free(held->data);
    held->data = larger;
    held->room = room;
    return 0;
}

int salp__held_open(salp_stream *stream, size_t wanted)
{
    salp__held *held = &stream->held;
    if (!held->data) {
        held->data = borrow();
        if (!held->data)
            return -ENOMEM;
        held->room = SALP__LENT;
        held->begin = held->end = 0;
    }
    if (held->room - held->begin >= wanted && held->end < held->room)
        return 0;
    if (held->room >= wanted && held->begin > 0) {
        memmove(held->data, held->data + held->begin, held->end - held->begin);
        held->end -= held->begin;
        held->begin = 0;
        return 0;
    }
    size_t room = held->room;
    while (room < wanted || room <= held->end - held->begin)
        room *= 2;
    return room > held->room ? grow(held, room) : 0;
}

void salp__held_give_back(salp__held *held)
{
    salp__loop *loop = salp__loop_here();
    if (loop && !loop->lent && held->room == SALP__LENT)
        loop->lent = held->data;
    else
        salp__free(held->data);
    held->data = NULL;
}

void salp__held_close(salp_stream *stream)
{
    salp__held *held = &stream->held;
    if (!held->data || held->end > held->begin)
        return;
    held->begin = held->end = 0;
    if (salp__loop_here()) /* else the next call of the thread wants it again */
        salp__held_give_back(held);
}

size_t salp__held_take(salp_stream *stream, void *data, size_t size)
{
    salp__held *held = &stream->held;
    size_t taken = held->end - held->begin < size ? held->end - held->begin : size;
    if (taken > 0)
        memcpy(data, held->data + held->begin, taken);
    held->begin += taken;
    salp__held_close(stream);
    return taken;
}

int salp__held_put_back(salp_stream *stream, const void *data, size_t size)
{
    salp__held *held = &stream->held;
    if (held->begin < size) {
        size_t kept = held->end - held->begin;
        int error = salp__held_open(stream, size + kept + 1);
        if (error < 0)
            return error;
        if (held->begin < size) {
            memmove(held->data + size, held->data + held->begin, kept);
            held->begin = size;
            held->end = size + kept;
        }
    }
    held->begin -= size;
    memcpy(held->data + held->begin, data, size);
    return 0;
}
