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
 * What is merged without a fork is merged from both ends at once:
 *
 *     left   | front ->             <- back |
 *     right  | front ->             <- back |
 *     to     | front ->                                         <- back |
 *
 * Which of two elements comes next nobody can foresee, so nothing branches on it: it is computed which one is copied, and
 * which place moves on. Each end is then a chain of steps that wait for each other, and the processor works at both chains
 * at a time.
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
 * I5  An end that has made fewer steps than either run has elements has looked at none behind its run. So there are as many
 *     steps as the shorter run has elements, and then again as many as the shorter one of what is left. If the order
 *     contradicts itself, the ends may pass each other in a run; then it is merged once more, from the left alone. (What
 *     is merged stays where it is until then.)
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <salp/loops.h>

#include "os/clock.h"
#include "os/memory.h"
#include "pool/engine.h"
#include "pool/vigil.h"

enum {
    LINE = 64,  /* in the room elements lie on their lines as they do in the array: whatever type they are of */
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

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
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

static void merge_from_left(const merging *m)
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

/* Where an end is in both runs: at the next element of each, or behind it, if it is the back. */
typedef struct position {
    const char *left, *right;
} position;

/* Makes so many steps at each end. `size` is known to the compiler where it matters. */
static inline __attribute__((always_inline)) void merge_ends(const sort *s, position *front, position *back, char *to,
                                                             char *to_end, size_t steps, size_t size)
{
    salp_compare_fn *compare = s->compare;
    void *arg = s->arg;
    position f = *front, b = *back;
    ptrdiff_t one = (ptrdiff_t)size;
    for (; steps > 0; steps--) {
        /* Of all bits or none: so it chooses without a branch. I4: the right one goes first only if it is less. */
        ptrdiff_t right = -(ptrdiff_t)(compare(f.right, f.left, arg) < 0);
        memcpy(to, f.left + ((f.right - f.left) & right), size);
        f.right += one & right;
        f.left += one & ~right;
        to += size;

        ptrdiff_t left = -(ptrdiff_t)(compare(b.right - size, b.left - size, arg) < 0);
        to_end -= size;
        memcpy(to_end, b.right + ((b.left - b.right) & left) - size, size);
        b.left -= one & left;
        b.right -= one & ~left;
    }
    *front = f;
    *back = b;
}

static void merge_alone(const merging *m)
{
    const sort *s = m->sort;
    size_t size = s->size, left = m->left.count, right = m->right.count;
    position front = { m->left.first, m->right.first };
    position back = { at(s, m->left, left), at(s, m->right, right) };
    char *to = m->to, *to_end = to + (left + right) * size;
    while (left > 0 && right > 0) {
        size_t steps = smaller(left, right); /* I5 */
        if (size == 4)
            merge_ends(s, &front, &back, to, to_end, steps, 4);
        else if (size == 8)
            merge_ends(s, &front, &back, to, to_end, steps, 8);
        else if (size == 16)
            merge_ends(s, &front, &back, to, to_end, steps, 16);
        else
            merge_ends(s, &front, &back, to, to_end, steps, size);
        if (front.left > back.left || front.right > back.right) {
            merge_from_left(m); /* I5 */
            return;
        }
        to += steps * size;
        to_end -= steps * size;
        left = (size_t)(back.left - front.left) / size;
        right = (size_t)(back.right - front.right) / size;
    }
    memcpy(to, front.left, left * size);
    memcpy(to + left * size, front.right, right * size);
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
    salp__vigil_begin(&s->vigil, worker, salp__now());
    sort_part(worker, s, 0, s->count, true);
    salp__vigil_end(&s->vigil, salp_worker_ended(worker));
}

int salp_sort(salp_pool *pool, void *base, size_t count, size_t size, salp_compare_fn *compare, void *arg)
{
    size_t bytes;
    if (!pool || !compare || size == 0 || (!base && count > 0) || __builtin_mul_overflow(count, size, &bytes) ||
        bytes > PTRDIFF_MAX / 4)
        return -EINVAL;
    if (count < 2)
        return salp__vigil_enter(&(salp__vigil){ 0 }, pool, 0, 0, NULL, NULL);
    if (!pool->engine->entrance)
        return -ENOTSUP;
    char *memory = salp__allocate_raw(bytes + LINE);
    if (!memory)
        return -ENOMEM;
    sort s = { .elements = base,
               .room = memory + ((uintptr_t)base - (uintptr_t)memory) % LINE,
               .count = count,
               .size = size,
               .compare = compare,
               .arg = arg };
    int error = salp__vigil_enter(&s.vigil, pool, (uintptr_t)compare, count, sort_whole, &s.job);
    salp__free(memory);
    return error;
}
