/*
 * A machine, drawn for people.
 *
 *     AMD EPYC
 *       2 packages, 128 cores, 256 hardware threads
 *       512 GiB of memory in pages of 4 KiB, cache lines of 64 bytes
 *
 *                                                       threads
 *     package, node of 256 GiB  x 2                     0-255
 *       L3 32 MiB  x 8                                  0-255
 *         core of 2 threads, L2 1 MiB, L1 32 KiB  x 8   0-255
 *
 *     This program may use all of them.
 *
 * Every part of the machine is a range of hardware threads, and ranges lie in each other or apart; so sorted by where they
 * begin, the longer one first, they make a tree. It is written in lines:
 *
 *   - parts of the same range are one line, from the outermost to the innermost;
 *   - a line that reads like the one before it, with all that is below, is counted instead: "x 8".
 *
 * Threads that may not be used make lines differ. Who runs on some of many processors sees which ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cli/machine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 80, INDENT = 2, GAP = 3, DEPTHS = 12, LABEL = 120, NUMBERS_WIDTH = 8, SIZE = 24 };

/* In this order they are put around each other, where they are of the same range. */
enum part { PACKAGE, NODE, CACHE, CORE };

struct box {
    enum part part;
    int index;        /* among the machine's parts of this kind */
    int first, count; /* its threads */
};

struct line {
    char label[LABEL];
    int depth;
    int first, count; /* the threads of one of those that are counted */
    int below;        /* lines that follow and are inside of it */
    int times;        /* how often it is there */
};

struct drawing {
    const salp_machine *machine;
    struct box *boxes;
    int box_count;
    struct line *lines;
    int line_count;
    int *owners; /* the line on each depth that a thread is in; -1: none */
};

/* ---- texts ---- */

/* "1.25 MiB": three digits at most, or all of those before the point. */
static const char *size_text(char text[SIZE], int64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double size = (double)bytes;
    int unit = 0;
    for (; size >= 1024; unit++)
        size /= 1024;
    int digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
    int length = snprintf(text, SIZE, "%.*f", unit == 0 ? 0 : digits, size);
    while (strchr(text, '.') && (text[length - 1] == '0' || text[length - 1] == '.'))
        text[--length] = '\0';
    snprintf(text + length, (size_t)(SIZE - length), " %s", units[unit]);
    return text;
}

static const char *plural(int count)
{
    return count == 1 ? "" : "s";
}

/* ---- the tree ---- */

static void add_box(struct drawing *d, enum part part, int index, int first, int count)
{
    if (count > 0)
        d->boxes[d->box_count++] = (struct box){ .part = part, .index = index, .first = first, .count = count };
}

/* Caches come from the nearest on: of one range, the farthest one is outside. */
static int from_outside(const void *left, const void *right)
{
    const struct box *a = left, *b = right;
    if (a->first != b->first)
        return a->first - b->first;
    if (a->count != b->count)
        return b->count - a->count;
    if (a->part != b->part)
        return (int)a->part - (int)b->part;
    return a->part == CACHE ? b->index - a->index : a->index - b->index;
}

static void collect(struct drawing *d)
{
    const salp_machine *machine = d->machine;
    for (int i = 0; i < machine->package_count; i++)
        add_box(d, PACKAGE, i, machine->packages[i].first, machine->packages[i].count);
    for (int i = 0; i < machine->node_count; i++)
        add_box(d, NODE, i, machine->nodes[i].first, machine->nodes[i].count);
    for (int i = 0; i < machine->cache_count; i++)
        add_box(d, CACHE, i, machine->caches[i].first, machine->caches[i].count);
    for (int i = 0; i < machine->core_count; i++)
        add_box(d, CORE, i, machine->cores[i].first, machine->cores[i].count);
    qsort(d->boxes, (size_t)d->box_count, sizeof *d->boxes, from_outside);
}

static void name_box(const struct drawing *d, const struct box *box, char *text, size_t size)
{
    static const char *const kinds[] = {
        [SALP_CORES_ALIKE] = "",
        [SALP_CORE_PERFORMANCE] = "P-",
        [SALP_CORE_EFFICIENCY] = "E-",
    };
    char bytes[SIZE];
    int64_t memory;
    switch (box->part) {
    case PACKAGE:
        snprintf(text, size, "package");
        break;
    case NODE:
        memory = d->machine->nodes[box->index].memory;
        snprintf(text, size, "node%s%s", memory > 0 ? " of " : "", memory > 0 ? size_text(bytes, memory) : "");
        break;
    case CACHE:
        snprintf(text, size, "L%d %s", d->machine->caches[box->index].level,
                 size_text(bytes, d->machine->caches[box->index].size));
        break;
    case CORE:
        snprintf(text, size, "%score", kinds[d->machine->cores[box->index].kind]);
        if (box->count > 1)
            snprintf(text + strlen(text), size - strlen(text), " of %d threads", box->count);
        break;
    }
}

/* A core's own caches lie around it, but read better behind it. */
static void label_line(const struct drawing *d, struct line *line, int begin, int end)
{
    char name[LABEL];
    bool core = d->boxes[end - 1].part == CORE;
    line->label[0] = '\0';
    for (int pass = core ? 0 : 1; pass < 2; pass++) {
        for (int i = begin; i < end; i++) {
            bool behind = core && d->boxes[i].part == CACHE;
            if (core && behind != (pass == 1))
                continue;
            name_box(d, &d->boxes[i], name, sizeof name);
            size_t length = strlen(line->label);
            snprintf(line->label + length, sizeof line->label - length, "%s%s", length > 0 ? ", " : "", name);
        }
    }
}

static int *owner(const struct drawing *d, int depth, int thread)
{
    return &d->owners[depth * d->machine->processor_count + thread];
}

/* They read alike, with all that is below, and their threads can be used alike, one by one. */
static bool alike(const struct drawing *d, int left, int right)
{
    const struct line *a = &d->lines[left], *b = &d->lines[right];
    if (a->count != b->count || a->below != b->below)
        return false;
    for (int i = 0; i <= a->below; i++) {
        if (strcmp(a[i].label, b[i].label) != 0 || (i > 0 && a[i].times != b[i].times))
            return false;
    }
    for (int i = 0; i < a->count; i++) {
        if (d->machine->processors[a->first + i].usable != d->machine->processors[b->first + i].usable)
            return false;
    }
    return true;
}

/* Counts the lines from `at` on in those from `before` on, if they are alike. */
static void fold(struct drawing *d, int before, int at)
{
    if (before < 0 || !alike(d, before, at))
        return;
    const struct line *line = &d->lines[at];
    for (int depth = line->depth; depth < DEPTHS; depth++) {
        for (int i = line->first; i < line->first + line->count; i++) {
            if (*owner(d, depth, i) >= at)
                *owner(d, depth, i) -= at - before;
        }
    }
    d->lines[before].times++;
    d->line_count = at;
}

/* Draws the boxes from `begin` on that lie in a range. Returns where it stopped. */
static int draw_range(struct drawing *d, int begin, int first, int count, int depth)
{
    int before = -1, at = begin;
    while (at < d->box_count && d->boxes[at].first < first + count) {
        const struct box *outer = &d->boxes[at];
        int end = at + 1;
        while (end < d->box_count && d->boxes[end].first == outer->first && d->boxes[end].count == outer->count)
            end++;
        int number = d->line_count++;
        struct line *line = &d->lines[number];
        *line = (struct line){ .depth = depth, .first = outer->first, .count = outer->count, .times = 1 };
        label_line(d, line, at, end);
        for (int i = outer->first; i < outer->first + outer->count; i++)
            *owner(d, depth, i) = number;
        at = depth + 1 < DEPTHS ? draw_range(d, end, outer->first, outer->count, depth + 1) : end;
        line->below = d->line_count - number - 1;
        fold(d, before, number);
        if (d->line_count > number)
            before = number;
    }
    return at;
}

/* ---- the output ---- */

static int label_width(const struct line *line)
{
    char times[32] = "";
    if (line->times > 1)
        snprintf(times, sizeof times, "  x %d", line->times);
    return line->depth * INDENT + (int)strlen(line->label) + (int)strlen(times);
}

static int by_number(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

/* "0-3,8": `count` numbers, cut to `width` letters. Returns how many there are. */
static int print_numbers(FILE *file, int *numbers, int count, int width)
{
    static const char cut[] = ",...";
    char text[WIDTH + 1] = "", piece[32];
    int length = 0;
    qsort(numbers, (size_t)count, sizeof *numbers, by_number);
    for (int i = 0, end; i < count; i = end) {
        for (end = i + 1; end < count && numbers[end] == numbers[end - 1] + 1;)
            end++;
        int piece_length = snprintf(piece, sizeof piece, "%s%d", i == 0 ? "" : ",", numbers[i]);
        if (end > i + 1)
            piece_length +=
                snprintf(piece + piece_length, sizeof piece - (size_t)piece_length, "-%d", numbers[end - 1]);
        int rest = end < count ? (int)strlen(cut) : 0;
        if (length + piece_length + rest > width) {
            strcpy(text + length, length == 0 ? cut + 1 : cut);
            break;
        }
        strcpy(text + length, piece);
        length += piece_length;
    }
    return fprintf(file, "%s", count > 0 ? text : "none");
}

/* The threads of a line: all of them, or those that may be used. `numbers` has room for all. */
static int print_threads(FILE *file, const struct drawing *d, int number, bool usable, int width, int *numbers)
{
    int count = 0;
    for (int i = 0; i < d->machine->processor_count; i++) {
        if (*owner(d, d->lines[number].depth, i) == number && (!usable || d->machine->processors[i].usable))
            numbers[count++] = d->machine->processors[i].number;
    }
    return print_numbers(file, numbers, count, width);
}

static void print_lines(FILE *file, const struct drawing *d, int *numbers)
{
    int widest = 0, usable = 0;
    for (int i = 0; i < d->line_count; i++) {
        int width = label_width(&d->lines[i]);
        widest = width > widest ? width : widest;
    }
    for (int i = 0; i < d->machine->processor_count; i++)
        usable += d->machine->processors[i].usable;
    bool both = usable < d->machine->processor_count;
    int width = WIDTH - widest - GAP;
    if (both)
        width = (width - 1) / 2;
    if (width < NUMBERS_WIDTH)
        width = NUMBERS_WIDTH;
    fprintf(file, "%*s%-*s%s\n", widest + GAP, "", both ? width + 1 : 0, "threads", both ? "usable" : "");
    for (int i = 0; i < d->line_count; i++) {
        const struct line *line = &d->lines[i];
        int used = fprintf(file, "%*s%s", line->depth * INDENT, "", line->label);
        if (line->times > 1)
            used += fprintf(file, "  x %d", line->times);
        fprintf(file, "%*s", widest + GAP - used, "");
        used = print_threads(file, d, i, false, width, numbers);
        if (both) {
            fprintf(file, "%*s", width + 1 - used, "");
            print_threads(file, d, i, true, width, numbers);
        }
        fputc('\n', file);
    }
}

static void print_summary(FILE *file, const salp_machine *machine)
{
    char bytes[SIZE];
    fprintf(file, "%s\n", machine->model[0] ? machine->model : "A machine");
    if (machine->described)
        fprintf(file, "  not this one: described by a variable of hwloc\n");
    fprintf(file, "  %d package%s, %d core%s, %d hardware thread%s\n", machine->package_count,
            plural(machine->package_count), machine->core_count, plural(machine->core_count), machine->processor_count,
            plural(machine->processor_count));
    if (machine->memory > 0)
        fprintf(file, "  %s of memory", size_text(bytes, machine->memory));
    else
        fprintf(file, "  memory");
    fprintf(file, " in pages of %s", size_text(bytes, machine->page));
    if (machine->line > 0)
        fprintf(file, ", cache lines of %d bytes", machine->line);
    fprintf(file, "\n\n");
}

static void print_usable(FILE *file, const salp_machine *machine)
{
    const salp_usable *usable = &machine->usable;
    if (usable->processors == machine->processor_count)
        fprintf(file, "\nThis program may use all of them");
    else
        fprintf(file, "\nThis program may use %d of %d hardware threads", usable->processors, machine->processor_count);
    if (usable->quota > 0)
        fprintf(file, ", within a quota of %.3g", usable->quota);
    fprintf(file, ".\nA pool has %d worker%s if it is not told how many.\n", usable->workers, plural(usable->workers));
}

int cli_machine_draw(FILE *file, const salp_machine *machine)
{
    size_t threads = (size_t)machine->processor_count;
    size_t most = (size_t)(machine->package_count + machine->node_count + machine->cache_count + machine->core_count);
    struct drawing d = {
        .machine = machine,
        .boxes = malloc(most * sizeof *d.boxes),
        .lines = malloc(most * sizeof *d.lines),
        .owners = malloc(threads * DEPTHS * sizeof *d.owners),
    };
    int *numbers = malloc(threads * sizeof *numbers);
    bool enough = d.boxes && d.lines && d.owners && numbers;
    if (enough) {
        for (size_t i = 0; i < threads * DEPTHS; i++)
            d.owners[i] = -1;
        collect(&d);
        draw_range(&d, 0, 0, machine->processor_count, 0);
        print_summary(file, machine);
        print_lines(file, &d, numbers);
        print_usable(file, machine);
    }
    free(numbers);
    free(d.owners);
    free(d.lines);
    free(d.boxes);
    return enough ? 0 : -ENOMEM;
}
