/* A ring that grows. SPDX-License-Identifier: MIT */
#include "output/turn.h"

#include <errno.h>
#include <stdlib.h>

enum { ROOM = 64 };

struct output_entry output_nothing = { .ended = true };

void output_turn_open(struct output_turn *turn)
{
    *turn = (struct output_turn){ .next = 1 };
}

void output_turn_close(struct output_turn *turn)
{
    free(turn->queue);
    *turn = (struct output_turn){ .next = 1 };
}

struct output_entry *output_turn_find(const struct output_turn *turn, uint64_t number)
{
    if (number < turn->next || number - turn->next >= turn->room)
        return NULL;
    return turn->queue[number & (turn->room - 1)];
}

static int grow(struct output_turn *turn, uint64_t number)
{
    uint64_t room = turn->room > 0 ? turn->room : ROOM;
    while (number - turn->next >= room)
        room *= 2;
    struct output_entry **queue = calloc(room, sizeof(struct output_entry *));
    if (!queue)
        return -ENOMEM;
    for (uint64_t i = turn->next; i - turn->next < turn->room; i++)
        queue[i & (room - 1)] = turn->queue[i & (turn->room - 1)];
    free(turn->queue);
    turn->queue = queue;
    turn->room = room;
    return 0;
}

int output_turn_set(struct output_turn *turn, uint64_t number, struct output_entry *entry)
{
    int error = number - turn->next < turn->room ? 0 : grow(turn, number);
    if (error == 0)
        turn->queue[number & (turn->room - 1)] = entry;
    return error;
}

void output_turn_move(struct output_turn *turn)
{
    if (turn->room > 0)
        turn->queue[turn->next & (turn->room - 1)] = NULL;
    turn->next++;
}
