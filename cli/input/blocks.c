/*
 * Where a record ends and the next one starts there is a border: a match of the end followed by the start, either of which
 * may be empty. A block is cut at borders only; where there are neither ends nor starts, anywhere.
 *
 *     ... a record | end start | the next record ...
 *                       ^ border           with --rrs end and start are left out, wherever they match
 *
 * By size, a block is cut at the last border within so many bytes, which is looked for from their end: so a border is found
 * without looking at all of them. If there is none, the record is longer than a block, and twice as many are taken. By number (-N, -L),
 * and with --csv, where it counts how many quotes are before, borders are looked for from the beginning. Where a file is to be so many
 * blocks, each is a fair share of what is left then.
 *
 *   I1  A match that ends where the bytes end may become longer with the next ones (of an expression): it counts only when there
 *       are none.
 *   I2  Expressions are looked for in windows, of 4 KiB at first: to search costs memory and time by the size of what is searched
 *       through. A match that touches the end of its window may be longer than that, so the window grows.
 *
 * The buffer holds what was read and not given out yet, `held` bytes from `start`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/blocks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "input/bytes.h"
#include "input/csv.h"
#include "input/message.h"
#include "input/pattern.h"
#include "job/memory.h"

enum { BLOCK = 1 << 20, READ = 64 << 10, WINDOW = 4096, RECORD_MAX = 1 << 30 };

struct input_blocks {
    const struct input_options *options;
    struct input_bytes *bytes;
    struct input_pattern *border; /* NULL: it is cut anywhere */
    struct input_pattern *header_pattern;
    size_t block;
    uint64_t together; /* a block is cut at each so many-th border at most: -L */
    uint64_t records;  /* -N, in borders; 0: by size */
    uint64_t shares;   /* --block -N: what is left of the file is divided into so many blocks; 0: it is not */

    char *buffer;
    size_t room, start, held;
    bool ended;   /* there is no more to be read */
    bool begun;   /* the header was read */
    char *header; /* what each block begins with */
    size_t header_size;
};

/* ---- opening ---- */

/* What separates records: ends, starts, or both. */
static int open_border(struct input_blocks *blocks)
{
    const struct input_options *options = blocks->options;
    const char *end = options->record_end, *start = options->record_start;
    size_t end_size = end ? options->record_end_size : 0, start_size = start ? options->record_start_size : 0;
    if (!end && !start) {
        end = "\n";
        end_size = 1;
    }
    if (end_size + start_size == 0)
        return 0;
    if (options->record_regexp)
        return input_pattern_open_pair(&blocks->border, end, start, "--recend, --recstart");
    char *both = malloc(end_size + start_size);
    if (!both)
        return input_tell_error(-ENOMEM, "inputs");
    if (end_size > 0)
        memcpy(both, end, end_size);
    if (start_size > 0)
        memcpy(both + end_size, start, start_size);
    int error = input_pattern_open_literal(&blocks->border, both, end_size + start_size, end_size);
    free(both);
    return error;
}

/* --header: a number of lines, or an expression. */
static int open_header(struct input_blocks *blocks)
{
    const char *header = blocks->options->block_header_regexp;
    if (!header || strspn(header, "0123456789") == strlen(header))
        return 0;
    return input_pattern_open(&blocks->header_pattern, header, "--header");
}

int input_blocks_open(struct input_blocks **opened, const char *path, const struct input_options *options)
{
    *opened = NULL;
    struct input_blocks *blocks = calloc(1, sizeof *blocks);
    if (!blocks)
        return input_tell_error(-ENOMEM, "inputs");
    blocks->options = options;
    blocks->block = options->block > 0 ? options->block : BLOCK;
    blocks->together = options->block_lines > 0 ? options->block_lines : 1;
    if (options->block_records > 0)
        blocks->records = blocks->together * (uint64_t)options->block_records;
    int error = open_border(blocks);
    if (error == 0)
        error = open_header(blocks);
    if (error == 0)
        error = input_bytes_open(&blocks->bytes, path);
    blocks->shares = options->block_count;
    if (error == 0 && blocks->shares > 0 && input_bytes_left(blocks->bytes) < 0)
        error = input_tell(-EINVAL, "--block -N divides a file: how long %s is nobody knows",
                           input_bytes_name(blocks->bytes));
    if (error == 0)
        *opened = blocks;
    else
        input_blocks_close(blocks);
    return error;
}

void input_blocks_close(struct input_blocks *blocks)
{
    if (!blocks)
        return;
    input_bytes_close(blocks->bytes);
    input_pattern_close(blocks->border);
    input_pattern_close(blocks->header_pattern);
    free(blocks->buffer);
    free(blocks->header);
    free(blocks);
}

/* ---- reading ---- */

/* Makes room behind what is held, so that there is room for `size` bytes in all. */
static int make_room(struct input_blocks *blocks, size_t size)
{
    if (size > RECORD_MAX + blocks->block)
        return input_tell(-EMSGSIZE, "%s: a record is longer than 1 GiB; is --recend as it should be?",
                          input_bytes_name(blocks->bytes));
    if (blocks->start > 0)
        memmove(blocks->buffer, blocks->buffer + blocks->start, blocks->held);
    blocks->start = 0;
    if (blocks->room >= size)
        return 0;
    size_t room = size + READ;
    char *buffer = realloc(blocks->buffer, room + 1);
    if (!buffer)
        return input_tell_error(-ENOMEM, "%s: %zu bytes of a block", input_bytes_name(blocks->bytes), room);
    /* regexec is told where the bytes end; AddressSanitizer's looks for a zero all the same. */
    buffer[room] = '\0';
    blocks->buffer = buffer;
    blocks->room = room;
    return 0;
}

/* Reads until `size` bytes are held, or there are no more. */
static int read_up_to(struct input_blocks *blocks, size_t size)
{
    while (blocks->held < size && !blocks->ended) {
        /* A block may be larger than all that comes: its room grows with that. Small reads at the end of the buffer would be many. */
        size_t grown = blocks->room > 0 ? 2 * blocks->room : READ;
        size_t least = size < grown ? size : grown;
        if (least < blocks->held + READ)
            least = blocks->held + READ;
        int error = blocks->start + least > blocks->room ? make_room(blocks, least) : 0;
        if (error < 0)
            return error;
        size_t used = blocks->start + blocks->held;
        int64_t got = input_bytes_read(blocks->bytes, blocks->buffer + used, blocks->room - used);
        if (got < 0)
            return (int)got;
        blocks->held += (size_t)got;
        blocks->ended = got == 0;
    }
    return 0;
}

static const char *data(const struct input_blocks *blocks)
{
    return blocks->buffer + blocks->start;
}

/* ---- borders ---- */

/* The first match from there on that is settled. I1, I2 */
static bool find_match(const struct input_blocks *blocks, const struct input_pattern *pattern, size_t from,
                       struct input_match *match)
{
    bool exact = input_pattern_size(pattern) > 0;
    size_t left = blocks->held - from, window = exact ? left : WINDOW;
    for (;; window *= 2) {
        if (window > left)
            window = left;
        bool found = input_pattern_find(pattern, data(blocks) + from, window, match);
        if (found && (exact || match->end < window || (window == left && blocks->ended))) {
            match->start += from;
            match->middle += from;
            match->end += from;
            return true;
        }
        if (window == left)
            return false;
    }
}

/* Borders counted from the beginning of the block. */
struct count {
    size_t from;            /* what is before was looked at */
    uint64_t borders;       /* found so far */
    struct input_match cut; /* the last one at which may be cut; its middle is 0: none */
    size_t quotes_from;     /* [--csv] quotes before that were counted; */
    bool within;            /* it is within quotes there */
};

/* With --csv a newline within quotes is no border. */
static bool is_quoted(const struct input_blocks *blocks, struct count *count, size_t end)
{
    if (!blocks->options->csv)
        return false;
    count->within = input_csv_is_within(data(blocks) + count->quotes_from, end - count->quotes_from, count->within);
    count->quotes_from = end;
    return count->within;
}

/* Counts up to `most` borders within the first `size` bytes. One at the beginning of the block is none. */
static void count_borders(const struct input_blocks *blocks, struct count *count, uint64_t most, size_t size)
{
    struct input_match match;
    while (count->borders < most && find_match(blocks, blocks->border, count->from, &match)) {
        if (match.middle > size)
            return;
        count->from = match.end;
        if (match.middle == 0 || is_quoted(blocks, count, match.start))
            continue;
        count->borders++;
        if (count->borders % blocks->together == 0)
            count->cut = match;
    }
    /* What was looked through need not be again, save for what may be the beginning of a match. */
    size_t exact = input_pattern_size(blocks->border);
    if (count->borders < most && exact > 0 && blocks->held >= exact && count->from < blocks->held + 1 - exact)
        count->from = blocks->held + 1 - exact;
}

/* The last border within the first `size` bytes, looked for from their end. Its middle is 0: there is none. */
static struct input_match last_border(const struct input_blocks *blocks, size_t size)
{
    for (size_t window = WINDOW;; window *= 2) {
        struct count count = { .from = size > window ? size - window : 0 };
        bool all = count.from == 0;
        count_borders(blocks, &count, UINT64_MAX, size);
        if (count.cut.middle > 0 || all)
            return count.cut;
    }
}

/* ---- blocks ---- */

/* A cut that is no border: there are none, or it is the end. */
static struct input_match plain_cut(size_t size)
{
    return (struct input_match){ .start = size, .middle = size, .end = size };
}

/* Where the next block is cut, by size; a cut at 0 is the end. 0, or an error. */
static int cut_by_size(struct input_blocks *blocks, struct input_match *cut)
{
    struct count count = { 0 };
    for (size_t size = blocks->block;; size *= 2) {
        int error = read_up_to(blocks, size);
        if (error < 0)
            return error;
        if (!blocks->border || (blocks->ended && blocks->held <= size)) {
            *cut = plain_cut(blocks->held < size ? blocks->held : size);
            return 0;
        }
        bool counted = blocks->together > 1 || blocks->options->csv;
        if (counted)
            count_borders(blocks, &count, UINT64_MAX, size);
        *cut = counted ? count.cut : last_border(blocks, size);
        if (cut->middle > 0)
            return 0;
    }
}

/* The same, by the number of records. A block is given out as soon as it is whole. */
static int cut_by_number(struct input_blocks *blocks, struct input_match *cut)
{
    struct count count = { 0 };
    for (;;) {
        if (blocks->border)
            count_borders(blocks, &count, blocks->records, blocks->held);
        *cut = count.borders == blocks->records ? count.cut : plain_cut(blocks->held);
        if (count.borders == blocks->records || blocks->ended)
            return 0;
        /* An expression is looked for from the last match on each time: not for each byte of a long record. */
        bool slow = blocks->border && input_pattern_size(blocks->border) == 0 && blocks->held > READ;
        int error = read_up_to(blocks, blocks->held + 1 + (slow ? blocks->held / 8 : 0));
        if (error < 0)
            return error;
    }
}

/* Copies the first bytes, without the borders in them. Returns where that ends. */
static char *copy_without_borders(const struct input_blocks *blocks, char *to, size_t size)
{
    struct input_match match;
    size_t from = 0;
    while (from < size && find_match(blocks, blocks->border, from, &match) && match.start < size) {
        to = mempcpy(to, data(blocks) + from, match.start - from);
        from = match.end;
    }
    return from < size ? mempcpy(to, data(blocks) + from, size - from) : to;
}

static int give(struct input_blocks *blocks, const struct input_match *cut, struct job *job)
{
    char *block = job_memory_take(job->memory, blocks->header_size + cut->middle);
    if (!block)
        return input_tell_error(-ENOMEM, "a block of %zu bytes", cut->middle);
    bool remove = blocks->options->record_remove && blocks->border;
    char *to = blocks->header_size > 0 ? mempcpy(block, blocks->header, blocks->header_size) : block;
    to = remove ? copy_without_borders(blocks, to, cut->start) : mempcpy(to, data(blocks), cut->middle);
    size_t used = remove ? cut->end : cut->middle;
    blocks->start += used;
    blocks->held -= used;
    job->block = block;
    job->block_size = (size_t)(to - block);
    return 1;
}

/* ---- the header ---- */

/* Where so many lines end; 0: they are not there yet. */
static size_t end_of_lines(const struct input_blocks *blocks, unsigned long lines)
{
    size_t end = 0;
    bool within = false;
    for (; lines > 0; lines -= !within) {
        const char *newline = memchr(data(blocks) + end, '\n', blocks->held - end);
        if (!newline)
            return blocks->ended ? blocks->held : 0;
        size_t next = (size_t)(newline + 1 - data(blocks));
        if (blocks->options->csv)
            within = input_csv_is_within(data(blocks) + end, next - end, within);
        end = next;
    }
    return end;
}

static size_t end_of_header(const struct input_blocks *blocks)
{
    struct input_match match;
    const char *lines = blocks->options->block_header_regexp;
    if (!blocks->header_pattern)
        return end_of_lines(blocks, lines ? strtoul(lines, NULL, 10) : 1);
    return find_match(blocks, blocks->header_pattern, 0, &match) && match.start == 0 ? match.end : 0;
}

/* Reads it. An input that is none (an expression does not match at its beginning) has none. */
static int read_header(struct input_blocks *blocks)
{
    size_t size = 0;
    while (size == 0 && !blocks->ended) {
        int error = read_up_to(blocks, blocks->held + 1);
        if (error < 0)
            return error;
        size = end_of_header(blocks);
    }
    if (size == 0)
        return 0;
    blocks->header = malloc(size);
    if (!blocks->header)
        return input_tell_error(-ENOMEM, "--header");
    blocks->header_size = size;
    memcpy(blocks->header, data(blocks), size);
    blocks->start += size;
    blocks->held -= size;
    return 0;
}

/* How large the next block is to be; the last one is all that is left, of which more is asked for, so that its end is seen. */
static void take_share(struct input_blocks *blocks)
{
    int64_t unread = input_bytes_left(blocks->bytes);
    uint64_t left = blocks->held + (unread > 0 ? (uint64_t)unread : 0);
    if (left > 0)
        blocks->block = (size_t)(left / blocks->shares + (left % blocks->shares > 0 || blocks->shares == 1));
}

int input_blocks_next(struct input_blocks *blocks, struct job *job)
{
    int error = 0;
    struct input_match cut = { 0 };
    if (!blocks->begun && (blocks->options->block_header || blocks->options->block_header_regexp))
        error = read_header(blocks);
    blocks->begun |= error == 0;
    if (error == 0 && blocks->shares > 0)
        take_share(blocks);
    if (error == 0)
        error = blocks->records > 0 ? cut_by_number(blocks, &cut) : cut_by_size(blocks, &cut);
    if (error < 0)
        return error;
    blocks->shares -= blocks->shares > 1;
    return cut.middle > 0 ? give(blocks, &cut, job) : 0;
}
