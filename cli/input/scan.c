/*
 * A value that is put into a line of the shell must be a word there, or a part of one, whatever bytes it has: what it is
 * quoted by depends on the quotes around it.
 *
 *     cat {}        'it is'        "{}"   it is, with \ before $ ` " and \        '{}'    it is, with '"'"' for each '
 *
 * So the line is read as a shell does, as far as quotes go: a stack of what has been opened and not closed. ( and $( open a
 * line within the line.
 *
 *   I1  Where the top of the stack is not one of those above, and no quoting helps, the line is refused: within ${...} and
 *       $'...' and `...`, in a comment (a newline would end it), in or behind a here-document, right behind a $ or a \.
 *   I2  In arithmetic, $((...)), only values that are harmless may stand: some shells evaluate others even when quoted.
 *   I3  A `case` within $(...) has unpaired parentheses; whoever counts them is lost, so nothing may be put in behind it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/scan.h"

#include <errno.h>
#include <string.h>

#include "input/message.h"

enum { DEPTH = 64 };

struct scanner {
    enum within {
        IN_LINE, /* the lowest, and ( or $( */
        IN_DOUBLE,
        IN_SINGLE,
        IN_DOLLAR_SINGLE,
        IN_BACKQUOTES,
        IN_BRACES,     /* ${ */
        IN_ARITHMETIC, /* $(( */
        IN_TERM,       /* ( within that */
        IN_COMMENT,
    } stack[DEPTH];
    int depth;
    bool too_deep;
    bool word_begins; /* what comes is the first of a word */
    bool case_seen, here_document_seen;
};

static enum within top(const struct scanner *scanner)
{
    return scanner->stack[scanner->depth];
}

static void push(struct scanner *scanner, enum within within)
{
    if (scanner->depth == DEPTH - 1)
        scanner->too_deep = true;
    else
        scanner->stack[++scanner->depth] = within;
    scanner->word_begins = within == IN_LINE;
}

static void pop(struct scanner *scanner)
{
    if (scanner->depth > 0)
        scanner->depth--;
}

/* What a $ opens, in a line or in double quotes; returns how many bytes that has. */
static size_t read_dollar(struct scanner *scanner, const char *text, size_t left)
{
    if (left > 2 && text[1] == '(' && text[2] == '(') {
        push(scanner, IN_ARITHMETIC);
        return 3;
    }
    char next = left > 1 ? text[1] : '\0';
    if (next == '(')
        push(scanner, IN_LINE);
    else if (next == '{')
        push(scanner, IN_BRACES);
    else if (next == '\'' && top(scanner) != IN_DOUBLE)
        push(scanner, IN_DOLLAR_SINGLE);
    else
        return 1;
    return 2;
}

/* A byte that means the same in a line, in double quotes, in ${ and in arithmetic; 0: it is none of these. */
static size_t read_common(struct scanner *scanner, const char *text, size_t left)
{
    switch (*text) {
    case '\\':
        return left > 1 ? 2 : 1;
    case '$':
        return read_dollar(scanner, text, left);
    case '`':
        push(scanner, IN_BACKQUOTES);
        return 1;
    default:
        return 0;
    }
}

static bool ends_word(char c)
{
    return strchr(" \t\n;&|()<>", c) != NULL;
}

static size_t read_line(struct scanner *scanner, const char *text, size_t left)
{
    bool begins = scanner->word_begins;
    scanner->word_begins = ends_word(*text);
    size_t size = read_common(scanner, text, left);
    if (size > 0)
        return size;
    if (begins && scanner->depth > 0 && left >= 4 && memcmp(text, "case", 4) == 0)
        scanner->case_seen = true;
    if (left >= 2 && text[0] == '<' && text[1] == '<') {
        bool word = left >= 3 && text[2] == '<';
        scanner->here_document_seen |= !word;
        return word ? 3 : 2;
    }
    if (*text == '"')
        push(scanner, IN_DOUBLE);
    else if (*text == '\'')
        push(scanner, IN_SINGLE);
    else if (*text == '(')
        push(scanner, IN_LINE);
    else if (*text == ')')
        pop(scanner);
    else if (*text == '#' && begins)
        push(scanner, IN_COMMENT);
    return 1;
}

/* Reads some bytes of a literal; returns how many. */
static size_t read_some(struct scanner *scanner, const char *text, size_t left)
{
    size_t size;
    switch (top(scanner)) {
    case IN_LINE:
        return read_line(scanner, text, left);
    case IN_SINGLE:
        if (*text == '\'')
            pop(scanner);
        return 1;
    case IN_COMMENT:
        if (*text == '\n') {
            pop(scanner);
            scanner->word_begins = true;
        }
        return 1;
    case IN_DOLLAR_SINGLE:
    case IN_BACKQUOTES:
        if (*text == (top(scanner) == IN_BACKQUOTES ? '`' : '\''))
            pop(scanner);
        return *text == '\\' && left > 1 ? 2 : 1;
    case IN_ARITHMETIC:
    case IN_TERM:
        if (*text == '(')
            push(scanner, IN_TERM);
        else if (*text == ')') {
            /* $(( ends with two, right behind each other. */
            size = top(scanner) == IN_ARITHMETIC && left >= 2 && text[1] == ')' ? 2 : 1;
            pop(scanner);
            return size;
        }
        break;
    case IN_DOUBLE:
        if (*text == '"') {
            pop(scanner);
            return 1;
        }
        break;
    case IN_BRACES:
        if (*text == '}')
            pop(scanner);
        else if (*text == '"')
            push(scanner, IN_DOUBLE);
        else if (*text == '\'')
            push(scanner, IN_SINGLE);
        break;
    }
    size = read_common(scanner, text, left);
    return size > 0 ? size : 1;
}

/* Is the last byte of a literal a backslash that quotes what comes? */
static bool ends_in_backslash(const struct template_piece *literal)
{
    size_t backslashes = 0;
    while (backslashes < literal->size && literal->text[literal->size - 1 - backslashes] == '\\')
        backslashes++;
    return backslashes % 2 == 1;
}

/* Why nothing can be put in here; NULL: it can. I1, I3. */
static const char *obstacle(const struct scanner *scanner, const struct template_piece *before)
{
    bool bare = top(scanner) != IN_SINGLE && before && before->kind == TEMPLATE_LITERAL;
    if (scanner->too_deep)
        return "behind so many parentheses and quotes";
    for (int i = 0; i <= scanner->depth; i++) {
        if (scanner->stack[i] == IN_BACKQUOTES)
            return "within `...`; $(...) would do";
        if (scanner->stack[i] == IN_BRACES)
            return "within ${...}";
    }
    if (top(scanner) == IN_DOLLAR_SINGLE)
        return "within $'...'";
    if (top(scanner) == IN_COMMENT)
        return "in a comment";
    if (scanner->here_document_seen)
        return "behind <<; a pipe or <<< would do";
    if (scanner->case_seen)
        return "behind a case within (...)";
    if (bare && ends_in_backslash(before))
        return "right behind a backslash";
    if (bare && before->text[before->size - 1] == '$')
        return "right behind a $";
    return NULL;
}

static enum template_quotes quotes_in(const struct scanner *scanner, const struct template_piece *after)
{
    switch (top(scanner)) {
    case IN_DOUBLE:
        return TEMPLATE_DOUBLE;
    case IN_SINGLE:
        return TEMPLATE_SINGLE;
    case IN_ARITHMETIC:
    case IN_TERM:
        return TEMPLATE_BARE; /* I2 */
    default:
        /* A number there would be that of a descriptor. */
        if (after && after->kind == TEMPLATE_LITERAL && (after->text[0] == '<' || after->text[0] == '>'))
            return TEMPLATE_QUOTED;
        return TEMPLATE_UNQUOTED;
    }
}

static bool is_number(const struct template_piece *piece)
{
    return piece->kind == TEMPLATE_NUMBER || piece->kind == TEMPLATE_SLOT || piece->kind == TEMPLATE_TOTAL;
}

/* Reads a literal, or with `split` as much of it as belongs to one word or lies between two. */
static int scan_literal(struct scanner *scanner, struct template_text *text, int index, bool split)
{
    struct template_piece *piece = &text->pieces[index];
    size_t done = 0;
    while (done < piece->size) {
        bool blank = scanner->depth == 0 && strchr(" \t\n", piece->text[done]);
        if (split && done == 0)
            piece->blank = blank;
        if (split && blank != piece->blank)
            return template_text_cut(text, index, done);
        done += read_some(scanner, piece->text + done, piece->size - done);
    }
    return 0;
}

int template_scan(struct template_text *text, bool split)
{
    struct scanner scanner = { .word_begins = true };
    for (int i = 0; i < text->count; i++) {
        struct template_piece *piece = &text->pieces[i];
        if (piece->kind == TEMPLATE_LITERAL) {
            int error = scan_literal(&scanner, text, i, split);
            if (error < 0)
                return error;
            continue;
        }
        const struct template_piece *before = i > 0 ? piece - 1 : NULL, *after = i + 1 < text->count ? piece + 1 : NULL;
        enum template_quotes quotes = quotes_in(&scanner, after);
        scanner.word_begins = false;
        if (is_number(piece)) {
            piece->quotes = quotes == TEMPLATE_QUOTED ? quotes : TEMPLATE_RAW;
            continue;
        }
        const char *where = obstacle(&scanner, before);
        if (where)
            return input_tell(-EINVAL, "%.*s cannot stand %s: the shell would not take it for one word",
                              (int)piece->size, piece->text, where);
        piece->quotes = quotes;
    }
    return 0;
}
