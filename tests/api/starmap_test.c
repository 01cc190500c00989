/*
 * Maps over several columns.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

struct shape {
    int columns;
    size_t sizes[SALP_COLUMNS_MAX];
};

static uint64_t hash_item(const void *const in[], const struct shape *shape)
{
    uint64_t h = 14695981039346656037u;

    for (int k = 0; k < shape->columns; k++) {
        const unsigned char *p = in[k];

        for (size_t i = 0; i < shape->sizes[k]; i++)
            h = (h ^ p[i]) * 1099511628211u;
        h ^= (uint64_t)k << 40;
    }
    return h;
}

static int job_hash(const void *const in[], void *out, void *context)
{
    *(uint64_t *)out = hash_item(in, context);
    return 0;
}

static void columns_of_all_sizes_are_zipped(void **state)
{
    static const size_t sizes[SALP_COLUMNS_MAX] = { 4, 1, 8, 3, 100, 24, 7, 4096, 513, 16, 255, 1000, 2, 5, 12, 64 };
    enum { COUNT = 131 };
    unsigned char *data[SALP_COLUMNS_MAX];
    salp_column columns[SALP_COLUMNS_MAX];
    struct shape shape;
    static uint64_t out[COUNT];
    salp_pool *pool = open_pool(test_engine(state), 3);

    for (int k = 0; k < SALP_COLUMNS_MAX; k++) {
        shape.sizes[k] = sizes[k];
        data[k] = malloc(COUNT * sizes[k]);
        assert_non_null(data[k]);
        for (size_t i = 0; i < COUNT * sizes[k]; i++)
            data[k][i] = (unsigned char)(i * 13 + i / 251 + (size_t)k);
        columns[k] = (salp_column){ data[k], sizes[k] };
    }
    for (shape.columns = 1; shape.columns <= SALP_COLUMNS_MAX; shape.columns++)
        for (size_t chunk = 0; chunk < 10; chunk += 4) {
            memset(out, 0, sizeof out);
            assert_int_equal(
                salp_starmap(pool, job_hash, columns, shape.columns, out, sizeof *out, COUNT,
                             &(salp_map_options){ .chunk = chunk, .context = &shape, .context_size = sizeof shape }),
                0);
            for (size_t i = 0; i < COUNT; i++) {
                const void *in[SALP_COLUMNS_MAX];

                for (int k = 0; k < shape.columns; k++)
                    in[k] = data[k] + i * sizes[k];
                if (out[i] != hash_item(in, &shape))
                    fail_msg("%d columns, chunk %zu: item %zu differs", shape.columns, chunk, i);
            }
        }
    assert_int_equal(salp_pool_close(pool), 0);
    for (int k = 0; k < SALP_COLUMNS_MAX; k++)
        free(data[k]);
}

struct wide {
    double a, b;
};

static int job_fused(const void *const in[], void *out, void *context)
{
    const struct wide *w = in[1];

    (void)context;
    for (int k = 0; k < 4; k++)
        if ((uintptr_t)in[k] % 8 && k != 0)
            return -EFAULT;
    *(double *)out = *(const char *)in[0] * w->a + w->b * *(const double *)in[2] + (double)*(const int64_t *)in[3];
    return 0;
}

/* A narrow column before a wide one must not shift it. */
static void columns_are_aligned_for_their_types(void **state)
{
    enum { COUNT = 999 };
    static char a[COUNT];
    static struct wide b[COUNT];
    static double c[COUNT], out[COUNT];
    static int64_t d[COUNT];
    salp_column columns[] = { { a, sizeof *a }, { b, sizeof *b }, { c, sizeof *c }, { d, sizeof *d } };
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < COUNT; i++) {
        a[i] = (char)(i % 100);
        b[i] = (struct wide){ i * 0.5, i * 2.0 };
        c[i] = i * 4.0;
        d[i] = i;
    }
    assert_int_equal(salp_starmap(pool, job_fused, columns, 4, out, sizeof *out, COUNT, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        assert_true(out[i] == a[i] * b[i].a + b[i].b * c[i] + (double)d[i]);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_add(const void *const in[], void *out, void *context)
{
    (void)context;
    *(int *)out = *(const int *)in[0] + *(const int *)in[1];
    return *(const int *)in[1];
}

static void one_array_may_be_two_columns(void **state)
{
    int values[50], out[50];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < 50; i++)
        values[i] = i;
    assert_int_equal(salp_starmap(pool, job_add,
                                  (salp_column[]){ { values, sizeof *values }, { values, sizeof *values } }, 2, out,
                                  sizeof *out, 50, NULL),
                     0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(out[i], 2 * i);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_starmap_reports_errors_as_a_map_does(void **state)
{
    int a[200], b[200], out[200], errors[200];
    static struct failures failures;
    salp_column columns[] = { { a, sizeof *a }, { b, sizeof *b } };
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int i = 0; i < 200; i++) {
        a[i] = i;
        b[i] = i % 10 == 4 ? -i : i;
    }
    assert_int_equal(
        salp_starmap(pool, job_add, columns, 2, out, sizeof *out, 200,
                     &(salp_map_options){ .errors = errors, .on_failure = note_failure, .on_failure_arg = &failures }),
        -4);
    assert_memory_equal(errors, b, sizeof errors);
    assert_int_equal(failures.count, 20);
    for (int i = 0; i < 200; i++)
        if (i % 10 != 4)
            assert_int_equal(out[i], 2 * i);
    assert_int_equal(salp_starmap(pool, job_add, columns, 2, out, sizeof *out, 0, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static int job_crash_on_equal(const void *const in[], void *out, void *context)
{
    (void)context;
    if (*(const int *)in[0] == *(const int *)in[1])
        raise(SIGKILL);
    *(int *)out = *(const int *)in[0] - *(const int *)in[1];
    return 0;
}

static void a_crash_in_a_starmap_costs_its_own_item(void **state)
{
    int a[200], b[200], out[200], errors[200];
    salp_column columns[] = { { a, sizeof *a }, { b, sizeof *b } };
    salp_pool *pool = open_pool(SALP_PROCESSES, 2);

    (void)state;
    for (int i = 0; i < 200; i++) {
        a[i] = i;
        b[i] = i % 40 == 9 ? i : 1000;
    }
    assert_int_equal(salp_starmap(pool, job_crash_on_equal, columns, 2, out, sizeof *out, 200,
                                  &(salp_map_options){ .errors = errors }),
                     SALP_ECRASHED);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(errors[i], i % 40 == 9 ? SALP_ECRASHED : 0);
        if (i % 40 != 9)
            assert_int_equal(out[i], i - 1000);
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("columns of all sizes are zipped", columns_of_all_sizes_are_zipped),
        TEST_ENGINES("columns are aligned for their types", columns_are_aligned_for_their_types),
        TEST_ENGINES("one array may be two columns", one_array_may_be_two_columns),
        TEST_ENGINES("a starmap reports errors as a map does", a_starmap_reports_errors_as_a_map_does),
        TEST("a crash in a starmap costs its own item", a_crash_in_a_starmap_costs_its_own_item),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
