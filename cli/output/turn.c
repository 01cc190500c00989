/* A ring that grows. SPDX-License-Identifier: MIT */
#include "output/turn.h"

#include <errno.h>
#include <stdlib.h>

enum { ROOM = 64 };

struct output_entry output_nothing = { .ended = true };

void output_turn_open(struct output_turn *turn, struct output_store *store)
{
    *turn = (struct output_turn){ .next = 1, .store = store };
}

void output_turn_close(struct output_turn *turn)
{
    turn->store->used -= turn->room * sizeof *turn->queue;
    free(turn->queue);
    output_turn_open(turn, turn->store);
}

output_place output_turn_at(const struct output_turn *turn, uint64_t number)
{
    if (number < turn->next || number - turn->next >= turn->room)
        return 0;
    return turn->queue[number & (turn->room - 1)];
}

struct output_entry *output_turn_find(const struct output_turn *turn, uint64_t number)
{
    output_place place = output_turn_at(turn, number);
    return place & OUTPUT_PACKED ? NULL : (struct output_entry *)(uintptr_t)place;
}

static int grow(struct output_turn *turn, uint64_t number)
{
    uint64_t room = turn->room > 0 ? turn->room : ROOM;
    while (number - turn->next >= room)
        room *= 2;
    output_place *queue = calloc(room, sizeof(output_place));
    if (!queue)
        return -ENOMEM;
    for (uint64_t i = turn->next; i - turn->next < turn->room; i++)
        queue[i & (room - 1)] = turn->queue[i & (turn->room - 1)];
    free(turn->queue);
    turn->store->used += (room - turn->room) * sizeof *queue;
    turn->queue = queue;
    turn->room = room;
    return 0;
}

int output_turn_set(struct output_turn *turn, uint64_t number, output_place place)
{
    int error = number - turn->next < turn->room ? 0 : grow(turn, number);
    if (error == 0)
        turn->queue[number & (turn->room - 1)] = place;
    return error;
}

void output_turn_move(struct output_turn *turn)
{
    if (turn->room > 0)
        turn->queue[turn->next & (turn->room - 1)] = 0;
    turn->next++;
}
