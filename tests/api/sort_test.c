/*
 * Sorts: the order, the order of equal ones, inputs of every kind, and that no element is ever lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

static salp_pool *pool_of(int workers)
{
    salp_pool *pool;
    assert_int_equal(salp_pool_open(&pool, &(salp_pool_options){ .workers = workers }), 0);
    return pool;
}

static uint32_t next_random(uint32_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 17;
    *random ^= *random << 5;
    return *random;
}

/* ---- order ---- */

struct element {
    uint32_t key, place; /* where it was */
};

static int compare_keys(const void *a, const void *b, void *arg)
{
    uint32_t x = ((const struct element *)a)->key, y = ((const struct element *)b)->key;
    (void)arg;
    return x < y ? -7 : x > y;
}

enum { RANDOM, FEW, EQUAL, SORTED, REVERSE, SAW, ORGAN, NEARLY, KINDS };

static uint32_t key_of(int kind, size_t i, size_t count, uint32_t *random)
{
    uint32_t n = (uint32_t)i, r = next_random(random);
    switch (kind) {
    case RANDOM:
        return r;
    case FEW:
        return r % 5;
    case EQUAL:
        return 1;
    case SORTED:
        return n;
    case REVERSE:
        return (uint32_t)count - n;
    case SAW:
        return n % 100;
    case ORGAN:
        return i < count / 2 ? n : (uint32_t)count - n;
    default:
        return r % 100 == 0 ? r : n;
    }
}

static void check_order(const struct element *elements, size_t count, int kind)
{
    for (size_t i = 1; i < count; i++) {
        const struct element *a = &elements[i - 1], *b = &elements[i];
        if (a->key > b->key || (a->key == b->key && a->place >= b->place))
            fail_msg("kind %d, count %zu: %zu is out of order", kind, count, i);
    }
}

/* Each place is there once. */
static void check_places(const struct element *elements, size_t count)
{
    unsigned char *seen = calloc(count, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < count; i++) {
        assert_true(elements[i].place < count && !seen[elements[i].place]);
        seen[elements[i].place] = 1;
    }
    free(seen);
}

static void fill(struct element *elements, size_t count, int kind)
{
    uint32_t random = (uint32_t)count + 1;
    for (size_t i = 0; i < count; i++)
        elements[i] = (struct element){ .key = key_of(kind, i, count, &random), .place = (uint32_t)i };
}

static void elements_are_sorted_and_equal_ones_stay_in_order(void **state)
{
    (void)state;
    static const size_t counts[] = { 1, 2, 3, 15, 16, 17, 18, 63, 64, 65, 66, 100, 1000, 4097, 60000 };
    struct element *elements = malloc(60000 * sizeof *elements);
    assert_non_null(elements);
    for (int workers = 1; workers <= 5; workers += 2) {
        salp_pool *pool = pool_of(workers);
        for (size_t c = 0; c < LENGTH(counts); c++) {
            for (int kind = 0; kind < KINDS; kind++) {
                size_t count = counts[c] < (size_t)test_scale(60000) ? counts[c] : (size_t)test_scale(60000);
                fill(elements, count, kind);
                assert_int_equal(salp_sort(pool, elements, count, sizeof *elements, compare_keys, NULL), 0);
                check_order(elements, count, kind);
                check_places(elements, count);
            }
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    free(elements);
}

/* ---- how much is compared ---- */

static int count_and_compare(const void *a, const void *b, void *arg)
{
    atomic_fetch_add((atomic_size_t *)arg, 1);
    return compare_keys(a, b, NULL);
}

/* How many comparisons a sort of so many elements takes. */
static size_t count_comparisons(salp_pool *pool, size_t count, int kind)
{
    atomic_size_t compared = 0;
    struct element *elements = malloc(count * sizeof *elements);
    assert_non_null(elements);
    fill(elements, count, kind);
    assert_int_equal(salp_sort(pool, elements, count, sizeof *elements, count_and_compare, &compared), 0);
    check_order(elements, count, kind);
    free(elements);
    return atomic_load(&compared);
}

static void few_comparisons_are_made(void **state)
{
    (void)state;
    enum { BITS = 12, COUNT = 1 << BITS };
#ifdef SALP_HOSTILE
    const size_t searches = COUNT; /* merges are cut down to some elements, and each cut searches */
#else
    const size_t searches = 0;
#endif
    salp_pool *pool = pool_of(2);
    /* What is known of an order: at least the logarithm of COUNT! has to be asked, which is 10.6 for each element here. */
    assert_in_range(count_comparisons(pool, COUNT, RANDOM), COUNT * 10, COUNT * BITS + BITS * searches);
    assert_in_range(count_comparisons(pool, COUNT, REVERSE), COUNT, COUNT * BITS + BITS * searches);
    /* What is in order already is not merged. */
    assert_in_range(count_comparisons(pool, COUNT, SORTED), COUNT - 1, COUNT - 1 + COUNT / 4);
    assert_in_range(count_comparisons(pool, COUNT, EQUAL), COUNT - 1, COUNT - 1 + COUNT / 4);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- sizes ---- */

static int compare_bytes(const void *a, const void *b, void *arg)
{
    return memcmp(a, b, *(const size_t *)arg);
}

static void elements_of_any_size_are_sorted(void **state)
{
    (void)state;
    enum { COUNT = 700 };
    salp_pool *pool = pool_of(3);
    unsigned char *bytes = malloc(COUNT * 200 + 1);
    assert_non_null(bytes);
    for (size_t size = 1; size <= 200; size++) {
        uint32_t random = (uint32_t)size;
        uint64_t before = 0, after = 0;
        for (size_t i = 0; i < COUNT * size; i++)
            before += bytes[i] = (unsigned char)next_random(&random);
        bytes[COUNT * size] = 4;
        assert_int_equal(salp_sort(pool, bytes, COUNT, size, compare_bytes, &size), 0);
        for (size_t i = 1; i < COUNT; i++)
            assert_true(memcmp(bytes + (i - 1) * size, bytes + i * size, size) <= 0);
        for (size_t i = 0; i < COUNT * size; i++)
            after += bytes[i];
        assert_true(before == after);
        assert_int_equal(bytes[COUNT * size], 4); /* nothing is written behind */
    }
    free(bytes);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* As vectors are. */
struct wide {
    _Alignas(64) uint32_t key;
};

static int compare_wide(const void *a, const void *b, void *arg)
{
    uint32_t x = ((const struct wide *)a)->key, y = ((const struct wide *)b)->key;
    if (((uintptr_t)a | (uintptr_t)b) % _Alignof(struct wide) != 0)
        atomic_fetch_add((atomic_int *)arg, 1);
    return x < y ? -1 : x > y;
}

static void elements_lie_wherever_compared_as_in_the_array(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(2);
    atomic_int astray = 0;
    for (size_t count = 100; count < 120; count++) { /* several, for memory may lie right by chance */
        struct wide *elements = aligned_alloc(_Alignof(struct wide), count * sizeof *elements);
        assert_non_null(elements);
        for (size_t i = 0; i < count; i++)
            elements[i].key = (uint32_t)i * 2654435761u;
        assert_int_equal(salp_sort(pool, elements, count, sizeof *elements, compare_wide, &astray), 0);
        free(elements);
    }
    assert_int_equal(astray, 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

/* ---- what does not go as it should ---- */

static int contradict(const void *a, const void *b, void *arg)
{
    uint32_t mixed = ((const struct element *)a)->place * 2654435761u ^ ((const struct element *)b)->place * 40503u;
    (void)arg;
    return (int)(mixed >> 7) % 3 - 1;
}

static void an_order_that_contradicts_itself_loses_nothing(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(3);
    size_t count = (size_t)test_scale(50000);
    struct element *elements = malloc(count * sizeof *elements);
    assert_non_null(elements);
    fill(elements, count, RANDOM);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(salp_sort(pool, elements, count, sizeof *elements, contradict, NULL), 0);
        check_places(elements, count);
    }
    free(elements);
    assert_int_equal(salp_pool_close(pool), 0);
}

struct limited {
    salp_pool *pool;
    struct element *elements;
    size_t count;
    salp_scope *scope;
    atomic_int compares;
    int most; /* then it is cancelled */
    int result;
};

static int compare_and_cancel(const void *a, const void *b, void *arg)
{
    struct limited *l = arg;
    if (atomic_fetch_add(&l->compares, 1) == l->most)
        salp_scope_cancel(l->scope);
    return compare_keys(a, b, NULL);
}

static int sort_in_a_scope(void *arg)
{
    struct limited *l = arg;
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    l->scope = &scope;
    l->compares = 0;
    l->result = salp_sort(l->pool, l->elements, l->count, sizeof *l->elements, compare_and_cancel, l);
    salp_scope_close(&scope);
    return 0;
}

static int sort_in_a_scope_in_a_piece(size_t begin, size_t end, void *arg)
{
    (void)begin, (void)end;
    return sort_in_a_scope(arg);
}

static void a_sort_that_is_cancelled_loses_nothing(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct limited l = { .pool = pool_of(3), .elements = malloc(COUNT * sizeof *l.elements), .count = COUNT };
    int ended = 0;
    assert_non_null(l.elements);
    for (int i = 0; i < test_scale(60); i++) {
        fill(l.elements, COUNT, RANDOM);
        l.most = i * (COUNT * 15 / test_scale(60)); /* until about the end */
        if (i % 2)
            assert_int_equal(salp_for(l.pool, 0, 1, sort_in_a_scope_in_a_piece, &l, NULL), 0);
        else
            assert_int_equal(i % 4 ? sort_in_a_scope(&l) : salp_run(sort_in_a_scope, &l), 0);
        assert_true(l.result == 0 || l.result == -ECANCELED);
        ended += l.result < 0;
        check_places(l.elements, COUNT);
        if (l.result == 0)
            check_order(l.elements, COUNT, RANDOM);
    }
    assert_true(ended > 0);
    free(l.elements);
    assert_int_equal(salp_pool_close(l.pool), 0);
}

static int sort_some(size_t begin, size_t end, void *arg)
{
    struct limited *l = arg;
    for (size_t i = begin; i < end; i++) {
        int error = salp_sort(l->pool, l->elements + i * 1000, 1000, sizeof *l->elements, compare_keys, NULL);
        if (error < 0)
            return error;
    }
    return 0;
}

static void sorts_run_in_loops(void **state)
{
    (void)state;
    enum { SORTS = 50 };
    struct limited l = { .pool = pool_of(3), .elements = malloc(SORTS * 1000 * sizeof *l.elements) };
    assert_non_null(l.elements);
    for (size_t i = 0; i < SORTS; i++)
        fill(l.elements + i * 1000, 1000, (int)i % KINDS);
    assert_int_equal(salp_for(l.pool, 0, SORTS, sort_some, &l, NULL), 0);
    for (size_t i = 0; i < SORTS; i++)
        check_order(l.elements + i * 1000, 1000, (int)i % KINDS);
    free(l.elements);
    assert_int_equal(salp_pool_close(l.pool), 0);
}

static void arguments_are_checked(void **state)
{
    (void)state;
    salp_pool *pool = pool_of(1);
    struct element elements[2] = { { 2, 0 }, { 1, 1 } };
    assert_int_equal(salp_sort(NULL, elements, 2, sizeof *elements, compare_keys, NULL), -EINVAL);
    assert_int_equal(salp_sort(pool, NULL, 2, sizeof *elements, compare_keys, NULL), -EINVAL);
    assert_int_equal(salp_sort(pool, elements, 2, 0, compare_keys, NULL), -EINVAL);
    assert_int_equal(salp_sort(pool, elements, 2, sizeof *elements, NULL, NULL), -EINVAL);
    assert_int_equal(salp_sort(pool, elements, SIZE_MAX / 4, sizeof *elements, compare_keys, NULL), -EINVAL);
    assert_int_equal(salp_sort(pool, NULL, 0, sizeof *elements, compare_keys, NULL), 0);
    assert_int_equal(elements[0].key, 2);
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("elements are sorted and equal ones stay in order", elements_are_sorted_and_equal_ones_stay_in_order),
        TEST("few comparisons are made", few_comparisons_are_made),
        TEST("elements of any size are sorted", elements_of_any_size_are_sorted),
        TEST("elements lie, wherever compared, as in the array", elements_lie_wherever_compared_as_in_the_array),
        TEST("an order that contradicts itself loses nothing", an_order_that_contradicts_itself_loses_nothing),
        TEST("a sort that is cancelled loses nothing", a_sort_that_is_cancelled_loses_nothing),
        TEST("sorts run in loops", sorts_run_in_loops),
        TEST("arguments are checked", arguments_are_checked),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
