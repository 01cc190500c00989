/*
 * A replacement string is looked for at each "{" (and at each of the user's own, -I and the like). What stands in the braces
 * is, in this order: the name of a column with a part, a number with a part, one of # and %, or a part alone. Else the "{" is
 * no more than that. With --plus an edit (edit.h) may stand for the part.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input/grow.h"
#include "input/message.h"

static const struct part_name {
    const char *name;
    enum template_part part;
    bool plus; /* only with --plus */
} part_names[] = {
    { "", TEMPLATE_ALL, false },
    { ".", TEMPLATE_WITHOUT_EXTENSION, false },
    { "/", TEMPLATE_BASE, false },
    { "//", TEMPLATE_FOLDER, false },
    { "/.", TEMPLATE_BASE_WITHOUT_EXTENSION, false },
    { "..", TEMPLATE_WITHOUT_EXTENSIONS2, true },
    { "...", TEMPLATE_WITHOUT_EXTENSIONS3, true },
    { "/..", TEMPLATE_BASE_WITHOUT_EXTENSIONS2, true },
    { "/...", TEMPLATE_BASE_WITHOUT_EXTENSIONS3, true },
    { "+/", TEMPLATE_FOLDER_OR_NOTHING, true },
    { "+.", TEMPLATE_EXTENSION, true },
    { "+..", TEMPLATE_EXTENSIONS2, true },
    { "+...", TEMPLATE_EXTENSIONS3, true },
};

static bool is_text(const char *bytes, size_t size, const char *text)
{
    return strlen(text) == size && memcmp(bytes, text, size) == 0;
}

static bool find_part(const char *name, size_t size, const struct template_options *options, enum template_part *part)
{
    for (size_t i = 0; i < sizeof part_names / sizeof *part_names; i++) {
        const struct part_name *known = &part_names[i];
        if ((!known->plus || options->plus) && is_text(name, size, known->name)) {
            *part = known->part;
            return true;
        }
    }
    return false;
}

/* Who reads a text. */
struct parser {
    const struct template_options *options;
    struct template_edits *edits;
    int error; /* what is wrong with an edit; 0: nothing */
};

/* A part, or an edit. One with an expression that is none is one, too, and its error is kept. */
static bool parse_part(struct parser *parser, struct template_piece *piece, const char *name, size_t size)
{
    if (find_part(name, size, parser->options, &piece->part))
        return true;
    int edit = parser->options->plus ? template_edits_find(parser->edits, name, size) : 0;
    if (edit < 0)
        parser->error = edit;
    piece->part = TEMPLATE_ALL;
    piece->edit = edit;
    return edit != 0;
}

/* A column's name and a part. */
static bool parse_name(struct parser *parser, struct template_piece *piece, const char *inner, size_t size)
{
    const struct template_options *options = parser->options;
    for (int i = 0; i < options->name_count; i++) {
        size_t length = strlen(options->names[i]);
        if (length > 0 && length <= size && memcmp(inner, options->names[i], length) == 0 &&
            parse_part(parser, piece, inner + length, size - length)) {
            piece->kind = TEMPLATE_VALUE;
            piece->index = i + 1;
            return true;
        }
    }
    return false;
}

/* The number of a value and a part. */
static bool parse_index(struct parser *parser, struct template_piece *piece, const char *inner, size_t size)
{
    size_t digits = inner[0] == '-', first = digits;
    int index = 0;
    for (; digits < size && inner[digits] >= '0' && inner[digits] <= '9' && digits < first + 6; digits++)
        index = 10 * index + (inner[digits] - '0');
    if (index == 0 || !parse_part(parser, piece, inner + digits, size - digits))
        return false;
    piece->kind = TEMPLATE_VALUE;
    piece->index = first ? -index : index;
    return true;
}

static bool parse_count(struct template_piece *piece, const char *inner, size_t size,
                        const struct template_options *options)
{
    static const struct {
        const char *name;
        enum template_piece_kind kind;
        bool zeros, plus;
        enum template_rule rule;
    } known[] = {
        { "#", TEMPLATE_NUMBER, false, false, TEMPLATE_ANY },
        { "%", TEMPLATE_SLOT, false, false, TEMPLATE_ANY },
        { "##", TEMPLATE_TOTAL, false, true, TEMPLATE_ANY },
        { "0#", TEMPLATE_NUMBER, true, true, TEMPLATE_ANY },
        { "0%", TEMPLATE_SLOT, true, true, TEMPLATE_ANY },
        { "slot", TEMPLATE_SLOT, false, true, TEMPLATE_ANY },
        { "uniq", TEMPLATE_VALUES, false, true, TEMPLATE_UNIQUE },
        { "choose_k", TEMPLATE_VALUES, false, true, TEMPLATE_ASCENDING },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if ((!known[i].plus || options->plus) && is_text(inner, size, known[i].name)) {
            piece->kind = known[i].kind;
            piece->zeros = known[i].zeros;
            piece->rule = known[i].rule;
            return true;
        }
    }
    return false;
}

/* Something in braces at the beginning of the text. */
static bool parse_braces(struct parser *parser, struct template_piece *piece, const char *text)
{
    const struct template_options *options = parser->options;
    const char *end = strchr(text, '}'), *inner = text + 1;
    if (!end)
        return false;
    size_t size = (size_t)(end - inner);
    *piece = (struct template_piece){ .kind = TEMPLATE_VALUES, .text = text, .size = size + 2 };
    /* Those that have other names have no longer these. */
    const char *const renamed[][2] = {
        { "", options->replace },       { ".", options->replace_noext },      { "/", options->replace_base },
        { "//", options->replace_dir }, { "/.", options->replace_basenoext }, { "#", options->replace_number },
        { "%", options->replace_slot },
    };
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
        if (renamed[i][1] && is_text(inner, size, renamed[i][0]))
            return false;
    }
    return parse_name(parser, piece, inner, size) || parse_index(parser, piece, inner, size) ||
           parse_count(piece, inner, size, options) || parse_part(parser, piece, inner, size);
}

/* One of the user's own names at the beginning of the text. */
static bool parse_renamed(struct template_piece *piece, const char *text, const struct template_options *options)
{
    const struct {
        const char *name;
        enum template_piece_kind kind;
        enum template_part part;
    } renamed[] = {
        { options->replace, TEMPLATE_VALUES, TEMPLATE_ALL },
        { options->replace_noext, TEMPLATE_VALUES, TEMPLATE_WITHOUT_EXTENSION },
        { options->replace_base, TEMPLATE_VALUES, TEMPLATE_BASE },
        { options->replace_dir, TEMPLATE_VALUES, TEMPLATE_FOLDER },
        { options->replace_basenoext, TEMPLATE_VALUES, TEMPLATE_BASE_WITHOUT_EXTENSION },
        { options->replace_number, TEMPLATE_NUMBER, TEMPLATE_ALL },
        { options->replace_slot, TEMPLATE_SLOT, TEMPLATE_ALL },
    };
    bool found = false;
    for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++) {
        size_t size = renamed[i].name ? strlen(renamed[i].name) : 0;
        /* The longest one, so that one may begin with another. */
        if (size == 0 || strncmp(text, renamed[i].name, size) != 0 || (found && size <= piece->size))
            continue;
        *piece =
            (struct template_piece){ .kind = renamed[i].kind, .part = renamed[i].part, .text = text, .size = size };
        found = true;
    }
    return found;
}

/*
 * Is it what GNU parallel would replace and we would not? Told then: a command is not run with something else than it was written
 * for.
 */
static bool is_refused(const char *text, const struct template_options *options)
{
    static const char *const of_machines[] = { "{host}", "{sshlogin}", "{hgrp}", "{agrp}" };
    const char *perl = strncmp(text, "{=", 2) == 0 ? strstr(text + 2, "=}") : NULL;
    if (perl) {
        input_tell(-EINVAL, "%.*s: expressions in Perl are not supported", (int)(perl + 2 - text), text);
        return true;
    }
    for (size_t i = 0; options->plus && i < sizeof of_machines / sizeof *of_machines; i++) {
        if (strncmp(text, of_machines[i], strlen(of_machines[i])) == 0) {
            input_tell(-EINVAL, "%s: other machines are not supported", of_machines[i]);
            return true;
        }
    }
    return false;
}

static int add_piece(struct template_text *text, size_t *room, const struct template_piece *piece)
{
    struct template_piece *last = text->count > 0 ? &text->pieces[text->count - 1] : NULL;
    if (last && piece->kind == TEMPLATE_LITERAL && last->kind == TEMPLATE_LITERAL) {
        last->size += piece->size; /* they stand side by side */
        return 0;
    }
    struct template_piece *pieces = input_grow(text->pieces, room, (size_t)text->count, 1, sizeof *pieces);
    if (!pieces)
        return -ENOMEM;
    text->pieces = pieces;
    pieces[text->count++] = *piece;
    return 0;
}

int template_text_parse(struct template_text *text, const char *from, const struct template_options *options,
                        struct template_edits *edits)
{
    struct parser parser = { .options = options, .edits = edits };
    size_t room = 0;
    *text = (struct template_text){ 0 };
    while (*from) {
        struct template_piece piece;
        bool replaced = parse_renamed(&piece, from, options) || (*from == '{' && parse_braces(&parser, &piece, from));
        if (replaced)
            piece.quotes = TEMPLATE_RAW;
        else
            piece = (struct template_piece){ .kind = TEMPLATE_LITERAL, .text = from, .size = 1 };
        int error = !replaced && is_refused(from, options) ? -EINVAL : parser.error;
        if (error == 0)
            error = add_piece(text, &room, &piece);
        if (error < 0) {
            template_text_free(text);
            return error;
        }
        from += piece.size;
    }
    return 0;
}

int template_text_cut(struct template_text *text, int piece, size_t size)
{
    struct template_piece *pieces = realloc(text->pieces, ((size_t)text->count + 1) * sizeof *pieces);
    if (!pieces)
        return -ENOMEM;
    text->pieces = pieces;
    memmove(pieces + piece + 1, pieces + piece, (size_t)(text->count++ - piece) * sizeof *pieces);
    pieces[piece].size = size;
    pieces[piece + 1].text += size;
    pieces[piece + 1].size -= size;
    return 0;
}

int template_text_slice(struct template_text *slice, const struct template_text *text, int first, int end)
{
    size_t size = (size_t)(end - first) * sizeof *text->pieces;
    slice->pieces = malloc(size);
    if (!slice->pieces)
        return -ENOMEM;
    memcpy(slice->pieces, text->pieces + first, size);
    slice->count = end - first;
    return 0;
}

void template_text_free(struct template_text *text)
{
    free(text->pieces);
    *text = (struct template_text){ 0 };
}

bool template_text_has(const struct template_text *text, enum template_piece_kind kind)
{
    for (int i = 0; i < text->count; i++) {
        if (text->pieces[i].kind == kind)
            return true;
    }
    return false;
}

/* ---- leaving out ---- */

static bool is_there_twice(const char *const *values, int count)
{
    for (int i = 0; i < count; i++) {
        for (int k = i + 1; k < count; k++) {
            if (strcmp(values[i], values[k]) == 0)
                return true;
        }
    }
    return false;
}

static bool is_ascending(const char *const *values, int count)
{
    for (int i = 1; i < count; i++) {
        if (strcmp(values[i - 1], values[i]) >= 0)
            return false;
    }
    return true;
}

bool template_text_leaves_out(const struct template_text *text, const char *const *values, int count)
{
    for (int i = 0; i < text->count; i++) {
        enum template_rule rule = text->pieces[i].rule;
        if ((rule == TEMPLATE_UNIQUE && is_there_twice(values, count)) ||
            (rule == TEMPLATE_ASCENDING && !is_ascending(values, count)))
            return true;
    }
    return false;
}

/* ---- putting together ---- */

enum { DIGITS = 20 };

static int digits_of(uint64_t number)
{
    int digits = 1;
    for (; number >= 10; number /= 10)
        digits++;
    return digits;
}

/* What a number is as a text. */
static size_t print_number(char *text, const struct template_piece *piece, const struct template_given *given)
{
    uint64_t number = given->jobs, greatest = given->jobs;
    if (piece->kind == TEMPLATE_NUMBER) {
        number = given->number;
    } else if (piece->kind == TEMPLATE_SLOT) {
        number = (uint64_t)given->slot;
        greatest = (uint64_t)given->slots;
    }
    int digits = digits_of(number), least = piece->zeros ? digits_of(greatest) : 1;
    if (digits < least)
        digits = least;
    for (int i = digits - 1; i >= 0; i--, number /= 10)
        text[i] = (char)('0' + number % 10);
    return (size_t)digits;
}

/* The values that a piece stands for: [*first, *end). None, if there is no such value. */
static void find_values(const struct template_piece *piece, const struct template_given *given, int *first, int *end)
{
    *first = 0;
    *end = given->value_count;
    if (piece->kind == TEMPLATE_VALUES && given->only < 0)
        return;
    int index = given->only;
    if (piece->kind == TEMPLATE_VALUE)
        index = piece->index > 0 ? piece->index - 1 : given->value_count + piece->index;
    if (index >= 0 && index < given->value_count) {
        *first = index;
        *end = index + 1;
    } else {
        *end = 0;
    }
}

static const char *part_of(const struct template_piece *piece, const struct template_given *given, int index,
                           size_t *size)
{
    const char *value = given->values[index];
    if (piece->edit > 0)
        value = given->edited[(piece->edit - 1) * given->value_count + index];
    *size = strlen(value);
    return template_part_of(piece->part, value, size);
}

size_t template_piece_size(const struct template_piece *piece, const struct template_given *given)
{
    char number[DIGITS];
    if (piece->kind == TEMPLATE_LITERAL)
        return piece->size;
    if (piece->kind != TEMPLATE_VALUE && piece->kind != TEMPLATE_VALUES)
        return template_quoted_size(number, print_number(number, piece, given), piece->quotes);
    int first, end;
    find_values(piece, given, &first, &end);
    size_t all = 0;
    for (int i = first; i < end; i++) {
        size_t size;
        const char *part = part_of(piece, given, i, &size);
        all += template_quoted_size(part, size, piece->quotes) + (i > first);
    }
    return all;
}

bool template_piece_is_harmless(const struct template_piece *piece, const struct template_given *given)
{
    int first, end;
    find_values(piece, given, &first, &end);
    for (int i = first; i < end; i++) {
        size_t size;
        const char *part = part_of(piece, given, i, &size);
        if (!template_is_harmless(part, size))
            return false;
    }
    return true;
}

static char *write_piece(char *to, const struct template_piece *piece, const struct template_given *given)
{
    char number[DIGITS];
    if (piece->kind == TEMPLATE_LITERAL)
        return mempcpy(to, piece->text, piece->size);
    if (piece->kind != TEMPLATE_VALUE && piece->kind != TEMPLATE_VALUES)
        return template_quote_to(to, number, print_number(number, piece, given), piece->quotes);
    int first, end;
    find_values(piece, given, &first, &end);
    for (int i = first; i < end; i++) {
        size_t size;
        const char *part = part_of(piece, given, i, &size);
        if (i > first)
            *to++ = ' ';
        to = template_quote_to(to, part, size, piece->quotes);
    }
    return to;
}

size_t template_text_size(const struct template_text *text, const struct template_given *given)
{
    size_t size = 0;
    for (int i = 0; i < text->count; i++)
        size += template_piece_size(&text->pieces[i], given);
    return size;
}

char *template_text_write(char *to, const struct template_text *text, const struct template_given *given)
{
    for (int i = 0; i < text->count; i++)
        to = write_piece(to, &text->pieces[i], given);
    return to;
}
