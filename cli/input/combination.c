/*
 * Lists form groups: a list and those that are linked to it. A group goes on by a record of each of its lists; groups are
 * combined with each other as the digits of a number are, the last one going on first.
 *
 *     ::: a b  :::+ 1 2  ::: x y       groups { a b | 1 2 } and { x y }:  a 1 x, a 1 y, b 2 x, b 2 y
 *
 *   I1  Only the first group is gone through once: its lists are not held, and may be without end. The others are held as they
 *       are read.
 *   I2  A group ends with its shortest list. With --link there is one group, which ends with its longest list, and a shorter
 *       one begins again; when only one is left, what comes of it is not held any more.
 *   I3  records[i] is of list i. It stays while other lists go on.
 *
 * A list without a record leaves no combination, as with numbers a factor 0 does. (With --link it counts as one empty record.)
 *
 * Shuffled, all lists are read first, and the k-th combination is found by its number.
 *
 * SPDX-License-Identifier: MIT
 */
#include "input/combination.h"

#include <errno.h>
#include <stdlib.h>

#include "input/list.h"
#include "input/message.h"
#include "input/shuffle.h"

struct list {
    struct input_list_reader *reader;
    uint64_t skipped; /* records before the first: a header */
    bool ended;       /* [--link] it has been gone through at least once */
};

struct group {
    int first, count; /* its lists */
};

struct input_combinations {
    const struct input_options *options;
    int list_count, group_count;
    struct list *lists;
    struct group *groups;
    struct input_record *records;
    bool begun, ended;

    /* --shuf: in portions of so many combinations as a job has. */
    uint64_t *order; /* of the portions; NULL: lists were not read yet */
    uint64_t total, portion, portions, portions_taken;
    uint64_t next, left; /* the portion that is given out: its next combination, how many it still has */
};

static void make_groups(struct input_combinations *combinations)
{
    const struct input_options *options = combinations->options;
    for (int i = 0; i < options->list_count; i++) {
        if (i == 0 || !(options->link_all || options->lists[i].linked))
            combinations->groups[combinations->group_count++] = (struct group){ .first = i };
        combinations->groups[combinations->group_count - 1].count++;
    }
}

static enum input_list_use use_of(const struct input_combinations *combinations, int list)
{
    const struct input_options *options = combinations->options;
    if (options->shuffle)
        return INPUT_LIST_INDEXED;
    bool once = options->link_all ? options->list_count == 1 : list < combinations->groups[0].count;
    return once ? INPUT_LIST_ONCE : INPUT_LIST_AGAIN;
}

int input_combinations_open(struct input_combinations **opened, const struct input_options *options)
{
    int error = -ENOMEM;
    *opened = NULL;
    struct input_combinations *combinations = calloc(1, sizeof *combinations);
    if (!combinations)
        return input_tell_error(error, "inputs");
    combinations->options = options;
    size_t count = (size_t)options->list_count;
    combinations->lists = calloc(count, sizeof *combinations->lists);
    combinations->groups = calloc(count, sizeof *combinations->groups);
    combinations->records = calloc(count, sizeof *combinations->records);
    if (!combinations->lists || !combinations->groups || !combinations->records) {
        error = input_tell_error(error, "inputs");
        goto close;
    }
    make_groups(combinations);
    for (; combinations->list_count < options->list_count; combinations->list_count++) {
        int i = combinations->list_count;
        error = input_list_open(&combinations->lists[i].reader, &options->lists[i], options, use_of(combinations, i));
        if (error < 0)
            goto close;
    }
    *opened = combinations;
    return 0;

close:
    input_combinations_close(combinations);
    return error;
}

void input_combinations_close(struct input_combinations *combinations)
{
    if (!combinations)
        return;
    for (int i = 0; i < combinations->list_count; i++)
        input_list_close(combinations->lists[i].reader);
    free(combinations->lists);
    free(combinations->groups);
    free(combinations->records);
    free(combinations->order);
    free(combinations);
}

static int next_record(struct input_combinations *combinations, int list)
{
    struct input_record *record = &combinations->records[list];
    return input_list_next(combinations->lists[list].reader, &record->bytes, &record->size);
}

int input_combinations_header(struct input_combinations *combinations, const struct input_record **records)
{
    *records = combinations->records;
    for (int i = 0; i < combinations->list_count; i++) {
        int result = next_record(combinations, i);
        if (result <= 0)
            return result;
        combinations->lists[i].skipped = 1;
    }
    return 1;
}

/* ---- in turn ---- */

static int rewind_list(struct input_combinations *combinations, int list)
{
    input_list_rewind(combinations->lists[list].reader);
    for (uint64_t i = 0; i < combinations->lists[list].skipped; i++) {
        int result = next_record(combinations, list);
        if (result < 0)
            return result;
    }
    return 0;
}

/* The list has ended, and begins again. */
static int begin_again(struct input_combinations *combinations, int list)
{
    int result = rewind_list(combinations, list);
    if (result == 0)
        result = next_record(combinations, list);
    if (result == 0)
        combinations->records[list] = (struct input_record){ .bytes = "" };
    return result < 0 ? result : 0;
}

/* I2: the longest list may forget what it gave, when all others have ended. */
static void hold_no_more(struct input_combinations *combinations)
{
    int last = -1;
    for (int i = 0; i < combinations->list_count; i++) {
        if (!combinations->lists[i].ended && last >= 0)
            return;
        if (!combinations->lists[i].ended)
            last = i;
    }
    if (last >= 0)
        input_list_hold_no_more(combinations->lists[last].reader);
}

/* With --link: a record of each list. */
static int advance_linked(struct input_combinations *combinations)
{
    int left = 0;
    for (int i = 0; i < combinations->list_count; i++) {
        int result = next_record(combinations, i);
        if (result < 0)
            return result;
        if (result == 0 && !combinations->lists[i].ended) {
            combinations->lists[i].ended = true;
            hold_no_more(combinations);
        }
        left += !combinations->lists[i].ended;
        if (result == 0) {
            int error = begin_again(combinations, i);
            if (error < 0)
                return error;
        }
    }
    return left > 0;
}

static int advance(struct input_combinations *combinations, const struct group *group)
{
    if (combinations->options->link_all)
        return advance_linked(combinations);
    int result = 1;
    for (int i = 0; i < group->count && result > 0; i++)
        result = next_record(combinations, group->first + i);
    return result;
}

static int rewind_group(struct input_combinations *combinations, const struct group *group)
{
    int result = 0;
    for (int i = 0; i < group->count && result == 0; i++)
        result = rewind_list(combinations, group->first + i);
    return result < 0 ? result : advance(combinations, group);
}

static int next_in_turn(struct input_combinations *combinations)
{
    int result = 1;
    for (int i = 0; !combinations->begun && i < combinations->group_count && result > 0; i++)
        result = advance(combinations, &combinations->groups[i]);
    if (!combinations->begun) {
        combinations->begun = result > 0;
        return result;
    }
    for (int i = combinations->group_count - 1; i >= 0; i--) {
        result = advance(combinations, &combinations->groups[i]);
        if (result != 0 || i == 0)
            return result;
        result = rewind_group(combinations, &combinations->groups[i]);
        if (result <= 0)
            return result;
    }
    return 0;
}

/* ---- by chance ---- */

/* How many records there are in a list, without its header, which was read. */
static uint64_t length(const struct input_combinations *combinations, int list)
{
    return (uint64_t)input_list_count(combinations->lists[list].reader) - combinations->lists[list].skipped;
}

/* How often a group goes on. */
static uint64_t group_length(const struct input_combinations *combinations, const struct group *group)
{
    uint64_t result = length(combinations, group->first);
    for (int i = group->first + 1; i < group->first + group->count; i++) {
        uint64_t other = length(combinations, i);
        if (combinations->options->link_all ? other > result : other < result)
            result = other;
    }
    return result;
}

/* All combinations; -EAGAIN: a list has not been read to its end, -EOVERFLOW: too many. */
static int64_t count_all(const struct input_combinations *combinations)
{
    int64_t total = 1;
    for (int i = 0; i < combinations->list_count; i++) {
        if (input_list_count(combinations->lists[i].reader) < 0)
            return -EAGAIN;
    }
    for (int i = 0; i < combinations->group_count; i++) {
        if (__builtin_mul_overflow(total, group_length(combinations, &combinations->groups[i]), &total))
            return -EOVERFLOW;
    }
    return total;
}

/* Reads all there is, and decides on the order. */
static int shuffle(struct input_combinations *combinations)
{
    const struct input_options *options = combinations->options;
    for (int i = 0; i < combinations->list_count; i++) {
        int error = input_list_read_all(combinations->lists[i].reader);
        if (error < 0)
            return error;
    }
    int64_t total = count_all(combinations);
    if (total < 0)
        return input_tell_error((int)total, "combinations to be shuffled");
    int together = options->max_lines > 0 ? options->max_lines : options->max_args;
    combinations->total = (uint64_t)total;
    combinations->portion = together > 0 && !options->fill ? (uint64_t)together : 1;
    combinations->portions = (combinations->total + combinations->portion - 1) / combinations->portion;
    combinations->order = input_shuffle(combinations->portions, options->shuffle_seed);
    if (!combinations->order)
        return input_tell_error(-ENOMEM, "%llu combinations to be shuffled", (unsigned long long)total);
    return 0;
}

/* Finds the records of a combination by its number: of each group a digit, the last one being the lowest. */
static void find(struct input_combinations *combinations, uint64_t number)
{
    for (int g = combinations->group_count - 1; g >= 0; g--) {
        const struct group *group = &combinations->groups[g];
        uint64_t count = group_length(combinations, group), index = number % count;
        number /= count;
        for (int i = group->first; i < group->first + group->count; i++) {
            const struct list *list = &combinations->lists[i];
            struct input_record *record = &combinations->records[i];
            uint64_t records = length(combinations, i);
            if (records == 0)
                *record = (struct input_record){ .bytes = "" };
            else
                record->bytes = input_list_at(list->reader, index % records + list->skipped, &record->size);
        }
    }
}

static int next_by_chance(struct input_combinations *combinations)
{
    if (!combinations->order) {
        int error = shuffle(combinations);
        if (error < 0)
            return error;
    }
    if (combinations->left == 0) {
        if (combinations->portions_taken == combinations->portions)
            return 0;
        combinations->next = combinations->order[combinations->portions_taken++] * combinations->portion;
        uint64_t rest = combinations->total - combinations->next;
        combinations->left = rest < combinations->portion ? rest : combinations->portion;
    }
    find(combinations, combinations->next++);
    combinations->left--;
    return 1;
}

int input_combinations_next(struct input_combinations *combinations, const struct input_record **records)
{
    *records = combinations->records;
    if (combinations->ended)
        return 0;
    int result = combinations->options->shuffle ? next_by_chance(combinations) : next_in_turn(combinations);
    combinations->ended = result <= 0;
    return result;
}

bool input_combinations_at_border(const struct input_combinations *combinations)
{
    return combinations->order && combinations->portion > 1 && combinations->left == 0;
}

int64_t input_combinations_count(const struct input_combinations *combinations)
{
    return count_all(combinations);
}

struct input_records *input_combinations_records(const struct input_combinations *combinations)
{
    if (combinations->list_count != 1 || combinations->options->shuffle || combinations->begun)
        return NULL;
    return input_list_records(combinations->lists[0].reader);
}

int input_combinations_learn(struct input_combinations *combinations)
{
    int error = 0;
    for (int i = 0; i < combinations->list_count && error == 0; i++)
        error = input_list_learn(combinations->lists[i].reader, combinations->options->temporary);
    return error;
}
