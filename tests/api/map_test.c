/*
 * Maps on both engines: every result in its place, whatever the counts, sizes and chunks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

static int job_wide_square(const void *in, void *out, void *context)
{
    int64_t x = *(const int *)in;

    (void)context;
    *(int64_t *)out = x * x;
    return 0;
}

static void the_first_program_of_the_documents_works(void **state)
{
    int dataset[14], result[14];
    salp_pool *pool = open_pool(test_engine(state), 5);

    for (int i = 0; i < 14; i++)
        dataset[i] = i + 1;
    assert_int_equal(salp_pool_workers(pool), 5);
    assert_int_equal(salp_map(pool, job_square, dataset, sizeof *dataset, result, sizeof *result, 14,
                              &(salp_map_options){ .chunk = 3 }),
                     0);
    for (int i = 0; i < 14; i++) {
        assert_int_equal(dataset[i], i + 1);
        assert_int_equal(result[i], (i + 1) * (i + 1));
    }
    assert_string_equal(salp_pool_reason(pool), "");
    assert_int_equal(salp_pool_close(pool), 0);
}

static void every_result_is_in_its_place(void **state)
{
    static const size_t counts[] = { 0, 1, 2, 13, 14, 1000, 1000000 };
    size_t most = (size_t)test_scale(1000000);
    int *in = malloc(most * sizeof *in);
    int64_t *out = malloc((most + 1) * sizeof *out);
    salp_pool *pool = open_pool(test_engine(state), 3);

    assert_true(in && out);
    for (size_t i = 0; i < most; i++)
        in[i] = (int)(i * 7 + 1);
    for (size_t c = 0; c < LENGTH(counts); c++) {
        size_t count = counts[c] < most ? counts[c] : most;
        const size_t chunks[] = { 0, 1, 3, 7, count + 1 };

        for (size_t k = 0; k < LENGTH(chunks); k++) {
            memset(out, 0xff, (most + 1) * sizeof *out);
            assert_int_equal(salp_map(pool, job_wide_square, in, sizeof *in, out, sizeof *out, count,
                                      &(salp_map_options){ .chunk = chunks[k] }),
                             0);
            for (size_t i = 0; i < count; i++)
                if (out[i] != (int64_t)in[i] * in[i])
                    fail_msg("count %zu, chunk %zu: result %zu is %lld", count, chunks[k], i, (long long)out[i]);
            assert_int_equal(out[count], -1); /* nothing is written behind the last result */
        }
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

struct sizes {
    size_t in, out;
};

/* Every byte of the result depends on every byte of the input. */
static void mix(const unsigned char *in, size_t in_size, unsigned char *out, size_t out_size)
{
    uint64_t h = 14695981039346656037u;

    for (size_t i = 0; i < in_size; i++)
        h = (h ^ in[i]) * 1099511628211u;
    for (size_t i = 0; i < out_size; i++)
        out[i] = (unsigned char)((h >> (i % 8 * 8)) + i);
}

static int job_mix(const void *in, void *out, void *context)
{
    const struct sizes *sizes = context;

    mix(in, sizes->in, out, sizes->out);
    return 0;
}

static void items_of_odd_sizes_arrive_whole(void **state)
{
    static const size_t sizes[] = { 1, 3, 5, 24, 4096, 100000 };
    enum { COUNT = 37, FENCE = 64 };
    unsigned char *in = malloc(COUNT * 100000), *expected = malloc(100000);
    unsigned char *out = malloc(COUNT * 100000 + 2 * FENCE);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_true(in && out && expected);
    for (size_t i = 0; i < COUNT * 100000; i++)
        in[i] = (unsigned char)(i * i / 7 + i);
    for (size_t a = 0; a < LENGTH(sizes); a++)
        for (size_t b = 0; b < LENGTH(sizes); b++) {
            struct sizes s = { sizes[a], sizes[b] };
            unsigned char *behind = out + FENCE + COUNT * s.out;

            memset(out, 0xa5, COUNT * 100000 + 2 * FENCE);
            assert_int_equal(
                salp_map(pool, job_mix, in, s.in, out + FENCE, s.out, COUNT,
                         &(salp_map_options){ .chunk = a % 3 * 5, .context = &s, .context_size = sizeof s }),
                0);
            for (size_t i = 0; i < COUNT; i++) {
                mix(in + i * s.in, s.in, expected, s.out);
                assert_memory_equal(out + FENCE + i * s.out, expected, s.out);
            }
            for (size_t i = 0; i < FENCE; i++) {
                assert_int_equal(out[i], 0xa5);
                assert_int_equal(behind[i], 0xa5);
            }
        }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
    free(expected);
}

static int job_look_at_alignment(const void *in, void *out, void *context)
{
    size_t alignment = *(const size_t *)context;

    return (uintptr_t)in % alignment || (uintptr_t)out % alignment ? -EFAULT : 0;
}

/* A job that was compiled for doubles, or for vectors of two, must find them where they may be. */
static void items_are_as_aligned_as_in_the_array_of_the_caller(void **state)
{
    static const size_t sizes[] = { 2, 4, 8, 16, 24, 48, 4096 };
    enum { COUNT = 301 };
    void *in = aligned_alloc(64, COUNT * 4096 + 64), *out = aligned_alloc(64, COUNT * 4096 + 64);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_true(in && out);
    memset(in, 0, COUNT * 4096);
    for (size_t k = 0; k < LENGTH(sizes); k++)
        for (size_t chunk = 0; chunk < 8; chunk++) {
            size_t size = sizes[k], alignment = size & -size;

            if (alignment > 16)
                alignment = 16;
            assert_int_equal(salp_map(pool, job_look_at_alignment, in, size, out, size, COUNT,
                                      &(salp_map_options){
                                          .chunk = chunk, .context = &alignment, .context_size = sizeof alignment }),
                             0);
        }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static atomic_int *runs;

static int job_without_input(const void *in, void *out, void *context)
{
    (void)context;
    atomic_fetch_add(runs, 1);
    *(int *)out = in ? -1 : 4711;
    return 0;
}

static int job_without_output(const void *in, void *out, void *context)
{
    (void)context;
    (void)out;
    atomic_fetch_add(runs, *(const int *)in);
    return 0;
}

static int job_without_anything(const void *in, void *out, void *context)
{
    (void)out;
    atomic_fetch_add(runs, 1);
    return in || context ? -EFAULT : 0;
}

static void a_map_may_have_no_inputs_and_no_results(void **state)
{
    int values[1000];
    salp_pool *pool;

    runs = shared_memory(sizeof *runs);
    pool = open_pool(test_engine(state), 3);
    assert_int_equal(salp_map(pool, job_without_input, NULL, 0, values, sizeof *values, 1000, NULL), 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(values[i], 4711);
        values[i] = i;
    }
    assert_int_equal(atomic_exchange(runs, 0), 1000);
    assert_int_equal(salp_map(pool, job_without_output, values, sizeof *values, NULL, 0, 1000, NULL), 0);
    assert_int_equal(atomic_exchange(runs, 0), 999 * 1000 / 2);
    assert_int_equal(salp_map(pool, job_without_anything, NULL, 0, NULL, 0, 1000, NULL), 0);
    assert_int_equal(atomic_exchange(runs, 0), 1000);
    assert_int_equal(salp_map(pool, job_without_anything, NULL, 0, NULL, 0, 0, NULL), 0);
    assert_int_equal(atomic_load(runs), 0);
    assert_int_equal(salp_pool_close(pool), 0);
}

static void a_map_may_write_its_results_over_its_inputs(void **state)
{
    enum { COUNT = 10007 };
    static int values[COUNT];
    salp_pool *pool = open_pool(test_engine(state), 2);

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < COUNT; i++)
            values[i] = i + round;
        assert_int_equal(salp_map(pool, job_square, values, sizeof *values, values, sizeof *values, COUNT, NULL), 0);
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(values[i], (i + round) * (i + round));
    }
    assert_int_equal(salp_pool_close(pool), 0);
}

static struct gate *gate;

static int job_wait_for_all(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    return gate_meet(gate, *(const int *)context);
}

/* Items that wait for each other end only if as many workers run at once. */
static void as_many_items_run_at_once_as_there_are_workers(void **state)
{
    gate = shared_memory(sizeof *gate);
    for (int workers = 2; workers <= 5; workers++) {
        salp_pool *pool = open_pool(test_engine(state), workers);

        for (size_t chunk = 0; chunk <= 1; chunk++) {
            gate_reset(gate);
            assert_int_equal(
                salp_map(pool, job_wait_for_all, NULL, 0, NULL, 0, (size_t)workers,
                         &(salp_map_options){ .chunk = chunk, .context = &workers, .context_size = sizeof workers }),
                0);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
}

static atomic_uchar *executions;

static int job_count_itself(const void *in, void *out, void *context)
{
    int i = *(const int *)in;

    (void)context;
    *(int *)out = ~i;
    return atomic_fetch_add(&executions[i], 1);
}

static void each_item_runs_exactly_once(void **state)
{
    static const size_t chunks[] = { 0, 1, 7, 1000, 1u << 30 };
    size_t count = (size_t)test_scale(200000);
    int *in = malloc(count * sizeof *in), *out = malloc(count * sizeof *out);
    salp_pool *pool;

    assert_true(in && out);
    executions = shared_memory(count);
    pool = open_pool(test_engine(state), 4);
    for (size_t i = 0; i < count; i++)
        in[i] = (int)i;
    for (size_t k = 0; k < LENGTH(chunks); k++) {
        memset(out, 0, count * sizeof *out);
        assert_int_equal(salp_map(pool, job_count_itself, in, sizeof *in, out, sizeof *out, count,
                                  &(salp_map_options){ .chunk = chunks[k] }),
                         0);
        for (size_t i = 0; i < count; i++) {
            assert_int_equal(atomic_exchange(&executions[i], 0), 1);
            assert_int_equal(out[i], ~(int)i);
        }
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static int job_sum(const void *in, void *out, void *context)
{
    const unsigned char *p = in;
    uint64_t sum = 0;

    for (size_t i = 0; i < *(const size_t *)context; i++)
        sum += p[i];
    memset(out, (int)sum & 0xff, *(const size_t *)context);
    return 0;
}

/* Memory of an earlier map is used again: it must not shine through. */
static void maps_of_changing_sizes_follow_each_other(void **state)
{
    static const size_t sizes[] = { 1 << 20, 16, 3 << 20, 1, 5000, 8 << 20, 64 };
    unsigned char *in = malloc(32 << 20), *out = malloc(32 << 20);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_true(in && out);
    for (size_t round = 0; round < LENGTH(sizes); round++) {
        size_t size = sizes[round], count = 4;

        memset(in, (int)round + 1, count * size);
        memset(out, 0xff, count * size);
        assert_int_equal(salp_map(pool, job_sum, in, size, out, size, count,
                                  &(salp_map_options){ .context = &size, .context_size = sizeof size }),
                         0);
        for (size_t i = 0; i < count * size; i++)
            if (out[i] != (unsigned char)(size * (round + 1)))
                fail_msg("size %zu: byte %zu is %d", size, i, out[i]);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

static const char *beginning;
static _Atomic size_t failed_index;

/* The sixth item that is run fails, and says which one it is. */
static int job_fail_at_sixth_run(const void *in, void *out, void *context)
{
    (void)out;
    (void)context;
    if (atomic_fetch_add(runs, 1) != 5)
        return 0;
    atomic_store(&failed_index, (size_t)((const char *)in - beginning));
    return -EDOM;
}

static void note_index(const salp_failure *failure, void *arg)
{
    *(size_t *)arg = failure->index;
}

static void a_map_may_have_more_items_than_32_bits_count(void **state)
{
    static const size_t chunks[] = { 0, 1, 1000, (size_t)5 << 30 };
    size_t count = (size_t)20 << 30, told;
    salp_pool *pool;

    (void)state;
    runs = shared_memory(sizeof *runs);
    /* Read only, of which nothing is ever written: it needs no memory. */
    beginning = mmap(NULL, count, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (beginning == MAP_FAILED)
        test_skip("no address space for so many items");
    for (int workers = 1; workers < 6; workers++) {
        pool = open_pool(SALP_THREADS, workers);
        for (size_t k = 0; k < LENGTH(chunks); k++) {
            atomic_store(runs, 0);
            told = 0;
            assert_int_equal(
                salp_map(pool, job_fail_at_sixth_run, beginning, 1, NULL, 0, count,
                         &(salp_map_options){ .chunk = chunks[k], .on_failure = note_index, .on_failure_arg = &told }),
                -EDOM);
            assert_true(told == atomic_load(&failed_index));
            assert_true(told < count);
        }
        assert_int_equal(salp_pool_close(pool), 0);
    }
    munmap((void *)(uintptr_t)beginning, count);
}

/* Bytes of shared memory in use on this machine, or 0. */
static size_t shared_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    size_t kilobytes = 0;

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Shmem: %zu", &kilobytes) == 1)
            break;
    if (file)
        fclose(file);
    return kilobytes << 10;
}

/* Were each map's memory kept, these would need four gigabytes; what other programs do is much less. */
static void maps_use_the_memory_of_earlier_maps_again(void **state)
{
    enum { SIZE = 10 << 20, ROUNDS = 200 };
    size_t before = shared_bytes(), size = 1000;
    char *in = calloc(1, SIZE), *out = malloc(SIZE);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_true(in && out);
    for (int round = 0; round < ROUNDS; round++) {
        size = 1000 + (size_t)round % 7 * 13; /* no two neighbours of the same size */
        assert_int_equal(salp_map(pool, job_sum, in, size, out, size, SIZE / size,
                                  &(salp_map_options){ .context = &size, .context_size = sizeof size }),
                         0);
        if (shared_bytes() > before + ((size_t)2 << 30))
            fail_msg("after %d maps there are %zu bytes of shared memory more", round + 1, shared_bytes() - before);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("the first program of the documents works", the_first_program_of_the_documents_works),
        TEST_ENGINES_LIMIT("every result is in its place", every_result_is_in_its_place, 120),
        TEST_ENGINES("items of odd sizes arrive whole", items_of_odd_sizes_arrive_whole),
        TEST_ENGINES("items are as aligned as in the array of the caller",
                     items_are_as_aligned_as_in_the_array_of_the_caller),
        TEST_ENGINES("a map may have no inputs and no results", a_map_may_have_no_inputs_and_no_results),
        TEST_ENGINES("a map may write its results over its inputs", a_map_may_write_its_results_over_its_inputs),
        TEST_ENGINES("as many items run at once as there are workers", as_many_items_run_at_once_as_there_are_workers),
        TEST_ENGINES("each item runs exactly once", each_item_runs_exactly_once),
        TEST("a map may have more items than 32 bits count", a_map_may_have_more_items_than_32_bits_count),
        TEST_ENGINES_LIMIT("maps use the memory of earlier maps again", maps_use_the_memory_of_earlier_maps_again, 60),
        TEST_ENGINES("maps of changing sizes follow each other", maps_of_changing_sizes_follow_each_other),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
