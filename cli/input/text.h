/*
 * A text with replacement strings: taken apart once, put together for each job.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_INPUT_TEXT_H
#define CLI_INPUT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "input/edit.h"
#include "input/path.h"
#include "input/quote.h"
#include "input/template.h"

struct template_piece {
    enum template_piece_kind {
        TEMPLATE_LITERAL,
        TEMPLATE_VALUES, /* {}: all of them, with a blank in between */
        TEMPLATE_VALUE,  /* {N} */
        TEMPLATE_NUMBER, /* {#} */
        TEMPLATE_SLOT,   /* {%} */
        TEMPLATE_TOTAL,  /* {##} */
    } kind;
    const char
        *text; /* TEMPLATE_LITERAL: the bytes; else the replacement string, for messages. In the text that was parsed */
    size_t size;
    enum template_part part;
    int edit; /* what is made of the part: a number of template_edits; 0: nothing */
    enum template_rule {
        TEMPLATE_ANY,
        TEMPLATE_UNIQUE,    /* {uniq}: no value is there twice, or the job is left out */
        TEMPLATE_ASCENDING, /* {choose_k}: each value is less than the next, byte by byte, or it is left out */
    } rule;
    int index;                   /* TEMPLATE_VALUE: from 1; from the end if negative */
    bool zeros;                  /* TEMPLATE_NUMBER, TEMPLATE_SLOT: with zeros in front */
    bool blank;                  /* TEMPLATE_LITERAL: nothing but blanks between two words of a shell (template_scan) */
    enum template_quotes quotes; /* of what is put in */
};

struct template_text {
    struct template_piece *pieces;
    int count;
};

/* What is put in. */
struct template_given {
    const char *const *values;
    int value_count;
    int only;                  /* {} is this one of them; -1: it is all */
    const char *const *edited; /* what edits make of them (template_edits_apply) */
    uint64_t number;
    int slot;
    uint64_t jobs; /* of all; 0: not known */
    int slots;
};

/* Takes a text apart, which has to stay as long as the pieces; what they make of values comes to the edits. What is put in is not
   quoted yet. -ENOMEM; -EINVAL, told: it has what is not supported ({= =}), or an expression that is none. */
int template_text_parse(struct template_text *text, const char *from, const struct template_options *options,
                        struct template_edits *edits);

/* Makes two literals of one, which has so many bytes then. -ENOMEM. */
int template_text_cut(struct template_text *text, int piece, size_t size);

/* Frees the pieces. */
void template_text_free(struct template_text *text);

/* Does it have a piece of this kind? */
bool template_text_has(const struct template_text *text, enum template_piece_kind kind);

/* Do the values have to be such that the job of these is left out? */
bool template_text_leaves_out(const struct template_text *text, const char *const *values, int count);

/* The pieces [first, end) of another text. -ENOMEM. */
int template_text_slice(struct template_text *slice, const struct template_text *text, int first, int end);

/* How many bytes a piece has. */
size_t template_piece_size(const struct template_piece *piece, const struct template_given *given);

/* Is all that is put in there harmless (template_is_harmless)? */
bool template_piece_is_harmless(const struct template_piece *piece, const struct template_given *given);

/* How many bytes it has, without a zero. */
size_t template_text_size(const struct template_text *text, const struct template_given *given);

/* Writes these bytes, and returns where they end. */
char *template_text_write(char *to, const struct template_text *text, const struct template_given *given);

#endif
