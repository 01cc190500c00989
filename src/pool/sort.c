/*
 * A stable merge sort that forks.
 *
 *     elements  | quarter | quarter | quarter | quarter |   1. each is sorted, in its place
 *     room      |       half        |       half        |   2. two and two are merged into the room
 *     elements  |                 whole                 |   3. the halves are merged back
 *
 * A merge forks, too: the middle element of the longer run has its place in the other one, where both are cut, so what
 * lies before goes before. Small runs are sorted by insertion; runs that are in order already are not merged at all, so
 * an array that is sorted is looked at once.
 *
 * I1  Whatever the order says, also if it contradicts itself, each element is moved and none is lost: all positions
 *     follow from counts, and no search goes beyond its run.
 * I2  Before 2 the elements are all in their quarters, and 2 only copies them. Once 2 is over they are all in the room,
 *     too, until 3 is over. So if the run has been ended, then either nothing was changed, or the room holds them all
 *     and is copied back.
 * I3  What is skipped is skipped because the run has been ended, which it stays. So who finds, after a join, that it
 *     has not been ended, knows that nothing was skipped.
 * I4  Equal elements: the one from the left run goes first. A cut by an element of the left run puts before it those of
 *     the right one that are less; a cut by one of the right run puts before it those of the left one that are not
 *     greater.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <salp/loops.h>

#include "os/clock.h"
#include "os/memory.h"
#include "pool/engine.h"
#include "pool/vigil.h"

enum {
    SMALL = 16, /* elements that are sorted by insertion; at least 4, so that no quarter is empty */
#ifdef SALP_HOSTILE
    MERGED_ALONE = 8, /* elements that are merged without a fork */
#else
    MERGED_ALONE = 2048,
#endif
};

typedef struct sort {
    salp_fork_job job;
    char *elements, *room;
    size_t count, size; /* of the elements; of each, in bytes */
    salp_compare_fn *compare;
    void *arg;
    salp__vigil vigil;
} sort;

/* Elements in order, one behind the other. */
typedef struct run {
    char *first;
    size_t count;
} run;

/* Two runs that become one. */
typedef struct merging {
    salp_fork_job job;
    const sort *sort;
    run left, right;
    char *to;
} merging;

/* Elements that are to be sorted. In the frame of who has forked it. */
typedef struct part {
    salp_fork_job job;
    sort *sort;
    size_t first, count;
} part;

/* ---- elements ---- */

static void move(const sort *s, char *to, const char *from)
{
    /* The compiler makes one instruction of each of the first ones. */
    if (s->size == 8)
        memcpy(to, from, 8);
    else if (s->size == 4)
        memcpy(to, from, 4);
    else if (s->size == 16)
        memcpy(to, from, 16);
    else
        memcpy(to, from, s->size);
}

static bool is_less(const sort *s, const char *a, const char *b)
{
    return s->compare(a, b, s->arg) < 0;
}

static char *at(const sort *s, run r, size_t index)
{
    return r.first + index * s->size;
}

static bool is_ended(const salp_worker *worker, const sort *s)
{
    return salp__vigil_ended(&s->vigil, worker) < 0;
}

/* ---- merging ---- */

/* How many elements of the run are less than this one; `or_equal`: or equal to it. */
static size_t count_less(const sort *s, run r, const char *element, bool or_equal)
{
    size_t low = 0, high = r.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = or_equal ? !is_less(s, element, at(s, r, middle)) : is_less(s, at(s, r, middle), element);
        if (before)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void merge_alone(const merging *m)
{
    const sort *s = m->sort;
    char *to = m->to, *left = m->left.first, *right = m->right.first;
    const char *left_end = at(s, m->left, m->left.count), *right_end = at(s, m->right, m->right.count);
    while (left < left_end && right < right_end) {
        char **next = is_less(s, right, left) ? &right : &left; /* I4 */
        move(s, to, *next);
        *next += s->size;
        to += s->size;
    }
    memcpy(to, left, (size_t)(left_end - left));
    memcpy(to + (left_end - left), right, (size_t)(right_end - right));
}

static void merge(salp_worker *worker, const merging *m);

static void merge_taken(salp_worker *worker, salp_fork_job *job)
{
    merge(worker, (const merging *)job);
}

/* Cuts both runs; what lies behind goes to *behind, and *m is what lies before. */
static void cut(merging *m, merging *behind)
{
    const sort *s = m->sort;
    size_t left, right;
    if (m->left.count >= m->right.count) {
        left = m->left.count / 2;
        right = count_less(s, m->right, at(s, m->left, left), false);
    } else {
        right = m->right.count / 2;
        left = count_less(s, m->left, at(s, m->right, right), true);
    }
    *behind = (merging){
        .sort = s,
        .left = { at(s, m->left, left), m->left.count - left },
        .right = { at(s, m->right, right), m->right.count - right },
        .to = m->to + (left + right) * s->size,
    };
    m->left.count = left;
    m->right.count = right;
}

static void merge(salp_worker *worker, const merging *whole)
{
    merging m = *whole;
    while (!is_ended(worker, m.sort)) {
        if (m.left.count + m.right.count <= MERGED_ALONE) {
            merge_alone(&m);
            return;
        }
        merging behind;
        cut(&m, &behind);
        salp_fork(worker, &behind.job, merge_taken);
        merge(worker, &m);
        if (salp_join(worker, &behind.job))
            return;
        m = behind;
    }
}

/* ---- sorting ---- */

/* By insertion; one element's room is enough. */
static void sort_small(const sort *s, run r, char *spare)
{
    for (size_t i = 1; i < r.count; i++) {
        char *element = at(s, r, i);
        if (!is_less(s, element, element - s->size))
            continue;
        char *place = at(s, r, count_less(s, (run){ r.first, i - 1 }, element, true));
        move(s, spare, element);
        memmove(place + s->size, place, (size_t)(element - place));
        move(s, place, spare);
    }
}

static void sort_part(salp_worker *worker, sort *s, size_t first, size_t count, bool whole);

static void sort_taken(salp_worker *worker, salp_fork_job *job)
{
    const part *p = (const part *)job;
    sort_part(worker, p->sort, p->first, p->count, false);
}

/* `whole`: this is at the left end of what nobody else has taken, so it shows how far the sort is. */
static void sort_quarters(salp_worker *worker, sort *s, const run quarters[4], bool whole)
{
    part parts[4];
    for (int i = 4; i-- > 0;) {
        parts[i].sort = s;
        parts[i].first = (size_t)(quarters[i].first - s->elements) / s->size;
        parts[i].count = quarters[i].count;
        if (i > 0)
            salp_fork(worker, &parts[i].job, sort_taken);
    }
    sort_part(worker, s, parts[0].first, parts[0].count, whole);
    for (int i = 1; i < 4; i++) {
        if (!salp_join(worker, &parts[i].job))
            sort_part(worker, s, parts[i].first, parts[i].count, whole);
    }
}

/* Whether the last of each run is not greater than the first of the next one. */
static bool are_in_order(const sort *s, const run runs[], int count)
{
    for (int i = 1; i < count; i++) {
        if (is_less(s, runs[i].first, runs[i].first - s->size))
            return false;
    }
    return true;
}

/* 2 and 3 of the picture. */
static void merge_quarters(salp_worker *worker, const sort *s, const run quarters[4], char *room)
{
    run halves[2];
    merging left = { .sort = s, .left = quarters[0], .right = quarters[1], .to = room };
    halves[0] = (run){ room, quarters[0].count + quarters[1].count };
    halves[1] = (run){ at(s, halves[0], halves[0].count), quarters[2].count + quarters[3].count };
    merging right = { .sort = s, .left = quarters[2], .right = quarters[3], .to = halves[1].first };
    salp_fork(worker, &right.job, merge_taken);
    merge(worker, &left);
    if (!salp_join(worker, &right.job))
        merge(worker, &right);
    if (is_ended(worker, s))
        return; /* I2: they are where they were */
    merge(worker, &(merging){ .sort = s, .left = halves[0], .right = halves[1], .to = quarters[0].first });
    if (is_ended(worker, s))
        memcpy(quarters[0].first, room, (halves[0].count + halves[1].count) * s->size);
}

static void sort_part(salp_worker *worker, sort *s, size_t first, size_t count, bool whole)
{
    run all = { s->elements + first * s->size, count };
    if (is_ended(worker, s))
        return;
    if (count <= SMALL) {
        sort_small(s, all, s->room + first * s->size);
        if (whole && !s->vigil.summoned)
            salp__vigil_summon(&s->vigil, worker, salp__now(), first + count, s->count);
        return;
    }
    run quarters[4];
    for (size_t i = 0, begin = 0; i < 4; i++) {
        size_t end = i < 3 ? begin + count / 4 : count;
        quarters[i] = (run){ at(s, all, begin), end - begin };
        begin = end;
    }
    sort_quarters(worker, s, quarters, whole);
    if (!is_ended(worker, s) && !are_in_order(s, quarters, 4)) /* I3 */
        merge_quarters(worker, s, quarters, s->room + first * s->size);
}

static void sort_whole(salp_worker *worker, salp_fork_job *job)
{
    sort *s = (sort *)job;
    salp__vigil_begin(&s->vigil, salp__now());
    sort_part(worker, s, 0, s->count, true);
}

int salp_sort(salp_pool *pool, void *base, size_t count, size_t size, salp_compare_fn *compare, void *arg)
{
    size_t bytes;
    if (!pool || !compare || size == 0 || (!base && count > 0) || __builtin_mul_overflow(count, size, &bytes) ||
        bytes > PTRDIFF_MAX / 4)
        return -EINVAL;
    if (!pool->engine->entrance)
        return -ENOTSUP;
    if (count < 2)
        return 0;
    sort s = { .elements = base,
               .room = salp__allocate_raw(bytes),
               .count = count,
               .size = size,
               .compare = compare,
               .arg = arg };
    if (!s.room)
        return -ENOMEM;
    int error = salp__vigil_enter(&s.vigil, pool, sort_whole, &s.job);
    salp__free(s.room);
    return error;
}
