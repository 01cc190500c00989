/*
 * What the jobs have to show.
 *
 * I1  One task at a time moves the turn (turn.moving). What others bring meanwhile, it shows.
 * I2  What waits in the turn for others, having ended, is as small as can be, and depends on nothing of its job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "output/entries.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/packed.h"

/* ---- entries ---- */

static struct output_entry *new_entry(struct output_entries *entries, uint64_t number)
{
    struct output_entry *entry = entries->spare;
    if (entry)
        entries->spare = entry->next;
    else
        entry = malloc(sizeof *entry);
    if (entry) {
        *entry = (struct output_entry){ .number = number };
        output_copies_init(&entry->copies);
    }
    return entry;
}

/* Where the pointer to an entry of that number is, among those that their jobs do not know. */
static struct output_entry **find_early(struct output_entries *entries, uint64_t number)
{
    struct output_entry **link = &entries->early;
    while (*link && (*link)->number != number)
        link = &(*link)->next;
    return link;
}

struct output_entry *output_entries_find(struct output_entries *entries, const struct job *job)
{
    if (job->output)
        return job->output;
    return entries->common->options.keep_order ? output_turn_find(&entries->common->turn, job->number)
                                               : *find_early(entries, job->number);
}

struct output_entry *output_entries_take(struct output_entries *entries, const struct job *job)
{
    struct output_entry *entry = output_entries_find(entries, job);
    if (entry)
        return entry;
    entry = new_entry(entries, job->number);
    if (!entry)
        return NULL;
    if (!entries->common->options.keep_order) {
        entry->next = entries->early;
        entries->early = entry;
    } else if (output_turn_set(&entries->common->turn, job->number, output_place_of(entry)) < 0) {
        entry->next = entries->spare;
        entries->spare = entry;
        return NULL;
    }
    return entry;
}

void output_entries_adopt(struct output_entries *entries, const struct output_entry *entry)
{
    struct output_entry **link = find_early(entries, entry->number);
    if (*link == entry)
        *link = entry->next;
}

void output_entries_forget(struct output_entries *entries, struct output_entry *entry)
{
    for (int i = 0; i < 2; i++) {
        output_text_clear(&entry->texts[i], &entries->common->store);
        entry->come[i] = entry->lines[i] = 0;
        entry->in_line[i] = false;
    }
}

static void release(struct output_entries *entries, struct output_entry *entry)
{
    output_entries_forget(entries, entry);
    output_text_clear(&entry->said, &entries->common->store);
    output_text_clear(&entry->row, &entries->common->store);
    output_copies_free(&entry->copies);
    free(entry->own_tag);
}

static void give_entry(struct output_entries *entries, struct output_entry *entry)
{
    if (entry == &output_nothing)
        return;
    release(entries, entry);
    entry->next = entries->spare;
    entries->spare = entry;
}

static bool has_something(const struct output_entry *entry)
{
    return entry->said.size + entry->texts[0].size + entry->texts[1].size + entry->row.size > 0;
}

/* ---- showing ---- */

static int show(struct output_entries *entries, struct output_entry *entry)
{
    struct output_screen *screen = &entries->common->screen;
    if (!has_something(entry))
        return screen->error;
    bool shown = entries->common->options.way != OUTPUT_NOT_SHOWN, in_line = false, in_row = false;
    int error = output_screen_take(screen);
    if (error < 0)
        return output_screen_fail(screen, "output of a job", error);
    error = output_screen_show(screen, 0, &entry->said, entry->said.size, NULL, &in_line);
    for (int i = 0; i < 2 && shown && error == 0; i++)
        error = output_screen_show(screen, i, &entry->texts[i], entry->texts[i].size, entry->tag, &entry->in_line[i]);
    if (entry->row.size > 0 && error == 0)
        error = output_screen_show(screen, entries->table, &entries->title, entries->title.size, NULL, &in_row);
    if (error == 0)
        error = output_screen_show(screen, entries->table, &entry->row, entry->row.size, NULL, &in_row);
    output_screen_give(screen);
    return error < 0 ? output_screen_fail(screen, "output of a job", error) : 0; /* nobody shows the rest of it */
}

/* What is packed in its place gets an entry again; after an error it has nothing to show. Returns it, or NULL: there is none. */
static struct output_entry *unpack(struct output_entries *entries, output_place place)
{
    struct output_common *common = entries->common;
    if (!output_is_packed(place))
        return (struct output_entry *)(uintptr_t)place;
    struct output_entry own = { .number = common->turn.next }, *entry = new_entry(entries, common->turn.next);
    output_copies_init(&own.copies);
    int error = output_unpack(&common->store, place, entry ? entry : &own);
    if (entry && error == 0)
        return entry;
    output_screen_fail(&common->screen, "output that was put aside", error < 0 ? error : -ENOMEM);
    if (entry)
        give_entry(entries, entry);
    else
        release(entries, &own);
    return &output_nothing;
}

/* Shows those that have ended, from the one whose turn it is on. */
static int move_turn(struct output_entries *entries)
{
    struct output_turn *turn = &entries->common->turn;
    struct output_entry *entry;
    if (turn->moving)
        return entries->common->screen.error; /* I1 */
    turn->moving = true;
    while ((entry = unpack(entries, output_turn_at(turn, turn->next))) && entry->ended) {
        show(entries, entry);
        output_turn_move(turn);
        give_entry(entries, entry);
    }
    turn->moving = false;
    if (entry && entry->lane)
        salp_event_set(entry->lane->news);
    return entries->common->screen.error;
}

/* Of what is much, only the last piece. */
static int pack_texts(struct output_entries *entries, struct output_entry *entry)
{
    struct output_text *texts[] = { &entry->said, &entry->texts[0], &entry->texts[1], &entry->row };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int error = output_text_pack(texts[i], &entries->common->store);
        if (error < 0)
            return error;
    }
    if (entry->tag)
        entry->tag = entry->own_tag = strdup(entry->tag);
    return entry->own_tag || !entry->tag ? 0 : -ENOMEM;
}

/* I2. Returns what is to be in its place. */
static output_place pack(struct output_entries *entries, struct output_entry *entry)
{
    output_place place = output_place_of(entry);
    if (entries->common->options.way == OUTPUT_NOT_SHOWN)
        output_entries_forget(entries, entry);
    int error = output_pack(&entries->common->store, entry, &place);
    if (error == 0)
        give_entry(entries, entry);
    else if (error == -E2BIG)
        error = pack_texts(entries, entry);
    if (error < 0)
        output_screen_fail(&entries->common->screen, "output that is put aside", error);
    return place;
}

/* Our output is read more slowly than it comes: who brings more waits until something was shown. */
static void wait_for_reader(struct output_screen *screen)
{
    if (output_screen_take(screen) == 0)
        output_screen_give(screen);
}

static int end_in_order(struct output_entries *entries, uint64_t number, struct output_entry *entry)
{
    struct output_turn *turn = &entries->common->turn;
    bool waits = turn->moving || number != turn->next;
    if (!entry)
        entry = &output_nothing;
    if (entry != &output_nothing && !has_something(entry)) {
        give_entry(entries, entry);
        entry = &output_nothing;
    }
    if (entry != &output_nothing)
        entry->ended = true;
    int error = output_turn_set(turn, number, output_place_of(entry));
    if (error < 0) {
        give_entry(entries, entry);
        return output_screen_fail(&entries->common->screen, "output that is put aside", error);
    }
    if (!waits)
        return move_turn(entries);
    if (entry != &output_nothing)
        (void)output_turn_set(turn, number, pack(entries, entry)); /* it has its place */
    if (turn->moving && output_store_is_full(&entries->common->store, entries->common->store.bound / 2))
        wait_for_reader(&entries->common->screen);
    return entries->common->screen.error;
}

int output_entries_end(struct output_entries *entries, uint64_t number, struct output_entry *entry)
{
    if (entries->common->options.keep_order)
        return end_in_order(entries, number, entry);
    int error = entries->common->screen.error;
    if (entry) {
        error = show(entries, entry);
        give_entry(entries, entry);
    }
    return error;
}

void output_entries_close(struct output_entries *entries)
{
    struct output_turn *turn = &entries->common->turn;
    /* Jobs that never came leave gaps. */
    for (uint64_t left = turn->room; left > 0; left--) {
        struct output_entry *entry = unpack(entries, output_turn_at(turn, turn->next));
        if (entry) {
            show(entries, entry);
            give_entry(entries, entry);
        }
        output_turn_move(turn);
    }
    output_text_clear(&entries->title, &entries->common->store);
    while (entries->early) {
        struct output_entry *entry = entries->early;
        entries->early = entry->next;
        show(entries, entry);
        give_entry(entries, entry);
    }
    while (entries->spare) {
        struct output_entry *entry = entries->spare;
        entries->spare = entry->next;
        free(entry);
    }
}
