/*
 * Notes in one piece of memory that grows by doubling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "journal/notes.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 64 << 10, KEPT_ROOM = 4 << 20 };

/* ---- the texts ---- */

static size_t input_size(const struct job *job)
{
    size_t size = 0;
    for (int i = 0; i < job->value_count; i++)
        size += strlen(job->values[i]) + 1;
    return size > 0 ? size - 1 : 0;
}

static void write_input(char *to, const struct job *job)
{
    for (int i = 0; i < job->value_count; i++) {
        if (i > 0)
            *to++ = '\t';
        size_t size = strlen(job->values[i]);
        memcpy(to, job->values[i], size);
        to += size;
    }
}

struct text {
    const char *bytes; /* NULL: there is none, or it is the input */
    size_t size;
};

static void gather(struct text texts[NOTE_TEXTS], const struct job *job, bool ended, char *cause, size_t cause_size)
{
    memset(texts, 0, NOTE_TEXTS * sizeof *texts);
    texts[NOTE_INPUT].size = input_size(job);
    if (job->line)
        texts[NOTE_LINE] = (struct text){ job->line, strlen(job->line) };
    if (!ended)
        return;
    if (!job_succeeded(job)) {
        job_describe(job, cause, cause_size);
        texts[NOTE_CAUSE] = (struct text){ cause, strlen(cause) };
    }
    const struct job_text *outputs[] = { &job->out, &job->err };
    for (int i = 0; i < 2; i++) {
        struct text *pair = &texts[i == 0 ? NOTE_OUT_HEAD : NOTE_ERR_HEAD];
        if (outputs[i]->head_size > 0)
            pair[0] = (struct text){ outputs[i]->head, outputs[i]->head_size };
        if (outputs[i]->tail_size > 0)
            pair[1] = (struct text){ outputs[i]->tail, outputs[i]->tail_size };
    }
}

/* ---- room ---- */

static int make_room(struct journal_notes *notes, size_t size)
{
    if (size <= notes->room - notes->size)
        return 0;
    size_t room = notes->room > 0 ? notes->room : FIRST_ROOM;
    while (room - notes->size < size)
        room *= 2;
    char *bytes = realloc(notes->bytes, room);
    if (!bytes)
        return -ENOMEM;
    notes->bytes = bytes;
    notes->room = room;
    return 0;
}

static int make_slot(struct journal_notes *notes, int slot)
{
    if (slot < notes->slots)
        return 0;
    int slots = slot * 2 + 16;
    size_t *running = realloc(notes->running, (size_t)slots * sizeof *running);
    if (!running)
        return -ENOMEM;
    for (int i = notes->slots; i < slots; i++)
        running[i] = SIZE_MAX;
    notes->running = running;
    notes->slots = slots;
    return 0;
}

/* ---- notes ---- */

static struct journal_note *note_at(const struct journal_notes *notes, size_t place)
{
    return (struct journal_note *)(void *)(notes->bytes + place);
}

static void fill(struct journal_note *note, const struct job *job, enum note_event event)
{
    bool ended = event != NOTE_STARTS;
    *note = (struct journal_note){
        .starts = !ended,
        .has_ended = ended,
        .final = event == NOTE_ENDED_FOR_GOOD,
        .state = ended ? job->state : JOB_RUNNING,
        .row = job->note.row,
        .number = job->number,
        .key = { job->note.key[0], job->note.key[1] },
        .block_size = job->block ? (int64_t)job->block_size : -1,
        .attempt = job->note.earlier + job->attempt,
        .slot = job->slot,
        .exit_status = -1,
        .started = job->started,
    };
    if (!ended)
        return;
    note->exit_status = job->exit_status;
    note->signal = job->signal;
    note->ended = job->started + job->wall;
    note->user = job->user;
    note->system = job->system;
    note->peak_memory = job->peak_memory;
    note->out_size = job->out.size;
    note->err_size = job->err.size;
}

static void copy_texts(struct journal_note *note, const struct text texts[NOTE_TEXTS], const struct job *job)
{
    size_t used = 0;
    for (int i = 0; i < NOTE_TEXTS; i++) {
        note->begin[i] = -1;
        if (i == NOTE_INPUT && job->value_count > 0)
            write_input(note->bytes, job);
        else if (texts[i].bytes)
            memcpy(note->bytes + used, texts[i].bytes, texts[i].size);
        else
            continue;
        note->begin[i] = (ptrdiff_t)used;
        note->length[i] = texts[i].size;
        used += texts[i].size;
    }
}

/* The end of an attempt takes the place of its start, if that is still here. */
static void replace_start(struct journal_notes *notes, struct journal_note *end)
{
    size_t place = notes->running[end->slot];
    notes->running[end->slot] = SIZE_MAX;
    if (place == SIZE_MAX || note_at(notes, place)->row != end->row)
        return;
    note_at(notes, place)->replaced = true;
    notes->count--;
    end->starts = true;
}

int journal_notes_add(struct journal_notes *notes, const struct job *job, enum note_event event)
{
    struct text texts[NOTE_TEXTS];
    char cause[200];
    gather(texts, job, event != NOTE_STARTS, cause, sizeof cause);
    size_t size = sizeof(struct journal_note);
    for (int i = 0; i < NOTE_TEXTS; i++)
        size += texts[i].size;
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (make_room(notes, size) < 0 || make_slot(notes, job->slot) < 0)
        return -ENOMEM;

    struct journal_note *note = note_at(notes, notes->size);
    fill(note, job, event);
    note->size = size;
    copy_texts(note, texts, job);
    if (event == NOTE_STARTS)
        notes->running[job->slot] = notes->size;
    else
        replace_start(notes, note);
    notes->size += size;
    notes->count++;
    return 0;
}

const struct journal_note *journal_notes_next(const struct journal_notes *notes, const struct journal_note *note)
{
    size_t place = note ? (size_t)((const char *)note - notes->bytes) + note->size : 0;
    while (place < notes->size && note_at(notes, place)->replaced)
        place += note_at(notes, place)->size;
    return place < notes->size ? note_at(notes, place) : NULL;
}

void journal_notes_clear(struct journal_notes *notes)
{
    if (notes->room > KEPT_ROOM) {
        free(notes->bytes);
        notes->bytes = NULL;
        notes->room = 0;
    }
    notes->size = 0;
    notes->count = 0;
    for (int i = 0; i < notes->slots; i++)
        notes->running[i] = SIZE_MAX;
}

void journal_notes_free(struct journal_notes *notes)
{
    free(notes->bytes);
    free(notes->running);
    *notes = (struct journal_notes){ 0 };
}
