/*
 * An edit is found by what its name begins with; what follows has to be of the form that is its own, else it is no edit, and
 * the name no replacement string.
 *
 * The shortest match is not what regexec looks for. But if an expression matches at the beginning of some bytes, it does so of
 * all longer ones, too; so the least number of bytes of which it does is found by halving. The same at the end, from the other side.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/edit.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/pattern.h"
#include "job/memory.h"

struct template_edit {
    const struct form *form;
    char *name;                    /* what stands in the braces */
    char *parts;                   /* a copy, which ends behind the expression and behind the text: */
    const char *expression, *text; /* NULL: it has none */
    struct input_pattern *pattern;
    size_t from, length; /* of {:from:length} */
};

/* ---- what they make of a value ---- */

/* A part of a value. */
struct span {
    size_t start, end;
};

/* Where it matches at the beginning, or at the end. */
static bool find_at_beginning(const struct template_edit *edit, const char *value, size_t size, struct span *span)
{
    struct input_match match;
    if (!input_pattern_match(edit->pattern, value, size, 0, size, &match) || match.start > 0)
        return false;
    *span = (struct span){ 0, match.end };
    return true;
}

static bool find_at_end(const struct template_edit *edit, const char *value, size_t size, struct span *span)
{
    struct input_match match;
    if (!input_pattern_match(edit->pattern, value, size, 0, size, &match))
        return false;
    *span = (struct span){ match.start, size };
    return true;
}

/* Of a match at the beginning the shortest one. */
static size_t shortest_at_beginning(const struct template_edit *edit, const char *value, size_t size, size_t longest)
{
    struct input_match match;
    size_t least = 0, most = longest;
    while (least < most) {
        size_t half = least + (most - least) / 2;
        if (input_pattern_match(edit->pattern, value, size, 0, half, &match) && match.start == 0)
            most = half;
        else
            least = half + 1;
    }
    return least;
}

/* Where the shortest one begins that ends at the end. */
static size_t shortest_at_end(const struct template_edit *edit, const char *value, size_t size, size_t first)
{
    struct input_match match;
    size_t least = first, most = size;
    while (least < most) {
        size_t half = least + (most - least + 1) / 2;
        if (input_pattern_match(edit->pattern, value, size, half, size, &match))
            least = half;
        else
            most = half - 1;
    }
    return least;
}

static const char *without_beginning(const struct template_edit *edit, const char *value, size_t size, bool longest)
{
    struct span span;
    if (!find_at_beginning(edit, value, size, &span))
        return value;
    return value + (longest ? span.end : shortest_at_beginning(edit, value, size, span.end));
}

static const char *without_end(const struct template_edit *edit, const char *value, size_t size, bool longest,
                               struct job_memory *memory)
{
    struct span span;
    if (!find_at_end(edit, value, size, &span))
        return value;
    size_t left = longest ? span.start : shortest_at_end(edit, value, size, span.start);
    return left == size ? value : job_memory_copy(memory, value, left);
}

/* Writes bytes, or only counts them. */
static void put(char **to, size_t *size, const char *bytes, size_t count)
{
    if (*to)
        *to = mempcpy(*to, bytes, count);
    *size += count;
}

/* With the text for the first match, or for each; `to` is NULL: how many bytes that are. An empty match is one, too. */
static size_t replace(const struct template_edit *edit, const char *value, size_t size, bool each, char *to)
{
    struct input_match match;
    size_t written = 0, done = 0, from = 0;
    bool goes_on = true;
    while (goes_on && from <= size && input_pattern_match(edit->pattern, value, size, from, size, &match)) {
        put(&to, &written, value + done, match.start - done);
        put(&to, &written, edit->text, strlen(edit->text));
        done = match.end;
        from = match.end + (match.end == match.start);
        goes_on = each;
    }
    put(&to, &written, value + done, size - done);
    return written;
}

static const char *replaced(const struct template_edit *edit, const char *value, size_t size, bool each,
                            struct job_memory *memory)
{
    size_t room = replace(edit, value, size, each, NULL);
    char *to = job_memory_take(memory, room + 1);
    if (!to)
        return NULL;
    replace(edit, value, size, each, to);
    to[room] = '\0';
    return to;
}

static const char *with_text_for(const struct template_edit *edit, const char *value, size_t size,
                                 const struct span *span, struct job_memory *memory)
{
    size_t text = strlen(edit->text), rest = size - span->end;
    char *to = job_memory_take(memory, span->start + text + rest + 1);
    if (!to)
        return NULL;
    char *end = mempcpy(mempcpy(mempcpy(to, value, span->start), edit->text, text), value + span->end, rest);
    *end = '\0';
    return to;
}

static char in_capitals(char letter)
{
    return letter >= 'a' && letter <= 'z' ? (char)(letter - 'a' + 'A') : letter;
}

static char in_small(char letter)
{
    return letter >= 'A' && letter <= 'Z' ? (char)(letter - 'A' + 'a') : letter;
}

static const char *with_letters(const struct template_edit *edit, const char *value, size_t size,
                                char (*letter)(char letter), bool each, struct job_memory *memory)
{
    struct input_match match;
    char *to = job_memory_copy(memory, value, size);
    size_t from = 0;
    while (to && from <= size && input_pattern_match(edit->pattern, value, size, from, size, &match) &&
           (each || match.start == 0)) {
        for (size_t i = match.start; i < match.end; i++)
            to[i] = letter(to[i]);
        from = each ? match.end + (match.end == match.start) : size + 1;
    }
    return to;
}

/* ---- their forms ---- */

enum kind {
    EDIT_IF_EMPTY,
    EDIT_PART,
    EDIT_CUT_BEGINNING,
    EDIT_CUT_LONG_BEGINNING,
    EDIT_CUT_END,
    EDIT_CUT_LONG_END,
    EDIT_REPLACE,
    EDIT_REPLACE_EACH,
    EDIT_REPLACE_BEGINNING,
    EDIT_REPLACE_END,
    EDIT_CAPITAL,
    EDIT_CAPITALS,
    EDIT_SMALL,
    EDIT_ALL_SMALL,
};

/* What one begins with; those that begin with another one's come before it. */
static const struct form {
    const char *mark;
    enum kind kind;
    enum { BEHIND_TEXT, BEHIND_NUMBERS, BEHIND_EXPRESSION, BEHIND_EXPRESSION_AND_TEXT, BEHIND_MAYBE } behind;
    bool at_end; /* the expression is looked for at the end of the value */
} forms[] = {
    { ":-", EDIT_IF_EMPTY, BEHIND_TEXT, false },
    { ":", EDIT_PART, BEHIND_NUMBERS, false },
    { "##", EDIT_CUT_LONG_BEGINNING, BEHIND_EXPRESSION, false },
    { "#", EDIT_CUT_BEGINNING, BEHIND_EXPRESSION, false },
    { "%%", EDIT_CUT_LONG_END, BEHIND_EXPRESSION, true },
    { "%", EDIT_CUT_END, BEHIND_EXPRESSION, true },
    { "//", EDIT_REPLACE_EACH, BEHIND_EXPRESSION_AND_TEXT, false },
    { "/#", EDIT_REPLACE_BEGINNING, BEHIND_EXPRESSION_AND_TEXT, false },
    { "/%", EDIT_REPLACE_END, BEHIND_EXPRESSION_AND_TEXT, true },
    { "/", EDIT_REPLACE, BEHIND_EXPRESSION_AND_TEXT, false },
    { "^^", EDIT_CAPITALS, BEHIND_MAYBE, false },
    { "^", EDIT_CAPITAL, BEHIND_MAYBE, false },
    { ",,", EDIT_ALL_SMALL, BEHIND_MAYBE, false },
    { ",", EDIT_SMALL, BEHIND_MAYBE, false },
};

/* NULL: no memory. */
static const char *edited(const struct template_edit *edit, const char *value, struct job_memory *memory)
{
    size_t size = strlen(value);
    struct span span;
    enum kind kind = edit->form->kind;
    switch (kind) {
    case EDIT_IF_EMPTY:
        return size == 0 ? edit->text : value;
    case EDIT_PART:
        if (edit->from >= size)
            return "";
        value += edit->from;
        size -= edit->from;
        return edit->length >= size ? value : job_memory_copy(memory, value, edit->length);
    case EDIT_CUT_BEGINNING:
    case EDIT_CUT_LONG_BEGINNING:
        return without_beginning(edit, value, size, kind == EDIT_CUT_LONG_BEGINNING);
    case EDIT_CUT_END:
    case EDIT_CUT_LONG_END:
        return without_end(edit, value, size, kind == EDIT_CUT_LONG_END, memory);
    case EDIT_REPLACE:
    case EDIT_REPLACE_EACH:
        return replaced(edit, value, size, kind == EDIT_REPLACE_EACH, memory);
    case EDIT_REPLACE_BEGINNING:
        return find_at_beginning(edit, value, size, &span) ? with_text_for(edit, value, size, &span, memory) : value;
    case EDIT_REPLACE_END:
        return find_at_end(edit, value, size, &span) ? with_text_for(edit, value, size, &span, memory) : value;
    case EDIT_CAPITAL:
    case EDIT_CAPITALS:
        return with_letters(edit, value, size, in_capitals, kind == EDIT_CAPITALS, memory);
    default:
        return with_letters(edit, value, size, in_small, kind == EDIT_ALL_SMALL, memory);
    }
}

/* "2" or "2:3" */
static bool read_numbers(struct template_edit *edit, const char *text)
{
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    edit->from = strtoul(text, &end, 10);
    edit->length = SIZE_MAX;
    if (*end == ':' && isdigit((unsigned char)end[1]))
        edit->length = strtoul(end + 1, &end, 10);
    return *end == '\0';
}

/* Is what stands behind the mark of the form's own? */
static bool read_form(struct template_edit *edit, char *behind)
{
    char *slash;
    switch (edit->form->behind) {
    case BEHIND_TEXT:
        edit->text = behind;
        return *behind != '\0';
    case BEHIND_NUMBERS:
        return read_numbers(edit, behind);
    case BEHIND_EXPRESSION_AND_TEXT:
        slash = *behind ? strchr(behind + 1, '/') : NULL;
        if (!slash)
            return false;
        *slash = '\0';
        edit->expression = behind;
        edit->text = slash + 1;
        return true;
    default:
        edit->expression = *behind ? behind : ".";
        return *behind || edit->form->behind == BEHIND_MAYBE;
    }
}

static bool find_form(struct template_edit *edit)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        size_t mark = strlen(forms[i].mark);
        edit->form = &forms[i];
        if (strncmp(edit->name, forms[i].mark, mark) == 0 && read_form(edit, edit->parts + mark))
            return true;
    }
    return false;
}

static int open_edit(struct template_edit *edit, const char *name, size_t size)
{
    char what[80];
    *edit = (struct template_edit){ .name = strndup(name, size), .parts = strndup(name, size) };
    if (!edit->name || !edit->parts)
        return -ENOMEM;
    if (!find_form(edit))
        return 0;
    snprintf(what, sizeof what, "{%.*s}", (int)(size < 60 ? size : 60), name);
    int error = 0;
    if (edit->expression && edit->form->at_end)
        error = input_pattern_open_at_end(&edit->pattern, edit->expression, what);
    else if (edit->expression)
        error = input_pattern_open(&edit->pattern, edit->expression, what);
    return error < 0 ? error : 1;
}

static void close_edit(struct template_edit *edit)
{
    input_pattern_close(edit->pattern);
    free(edit->name);
    free(edit->parts);
}

/* ---- all of a command ---- */

int template_edits_find(struct template_edits *edits, const char *name, size_t size)
{
    for (int i = 0; i < edits->count; i++) {
        if (strlen(edits->items[i].name) == size && memcmp(edits->items[i].name, name, size) == 0)
            return i + 1;
    }
    struct template_edit edit;
    int found = open_edit(&edit, name, size);
    struct template_edit *items = NULL;
    if (found > 0)
        items = realloc(edits->items, ((size_t)edits->count + 1) * sizeof *items);
    if (!items) {
        close_edit(&edit);
        return found > 0 ? -ENOMEM : found;
    }
    edits->items = items;
    items[edits->count] = edit;
    return ++edits->count;
}

int template_edits_apply(const struct template_edits *edits, const char *const *values, int count,
                         struct job_memory *memory, const char *const **table)
{
    *table = NULL;
    if (edits->count == 0 || count == 0)
        return 0;
    const char **next = job_memory_take(memory, (size_t)edits->count * (size_t)count * sizeof *next);
    *table = next;
    for (int i = 0; next && i < edits->count; i++) {
        for (int k = 0; k < count; k++, next++) {
            *next = edited(&edits->items[i], values[k], memory);
            if (!*next)
                return -ENOMEM;
        }
    }
    return next ? 0 : -ENOMEM;
}

void template_edits_free(struct template_edits *edits)
{
    for (int i = 0; i < edits->count; i++)
        close_edit(&edits->items[i]);
    free(edits->items);
    *edits = (struct template_edits){ 0 };
}
