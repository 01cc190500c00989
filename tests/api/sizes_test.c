/*
 * Items of all sizes, in all numbers, one map after the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "jobs.h"

#include <dirent.h>
#include <sys/stat.h>

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

static atomic_int *runs;
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

/* Bytes of memory in the files without a name that this process has open: what pools share with their workers. */
static size_t shared_bytes(void)
{
    DIR *folder = opendir("/proc/self/fd");
    struct stat status;
    size_t bytes = 0;

    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder));)
        if (fstat(atoi(entry->d_name), &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 0)
            bytes += (size_t)status.st_blocks * 512;
    closedir(folder);
    return bytes;
}

/* Were each map's memory kept, these would need 20 MiB a round. */
static void maps_use_the_memory_of_earlier_maps_again(void **state)
{
    enum { SIZE = 10 << 20 };
    const int rounds = test_scale(200);
    size_t before = shared_bytes(), size = 1000;
    char *in = calloc(1, SIZE), *out = malloc(SIZE);
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_true(in && out);
    for (int round = 0; round < rounds; round++) {
        size = 1000 + (size_t)round % 7 * 13; /* no two neighbours of the same size */
        assert_int_equal(salp_map(pool, job_sum, in, size, out, size, SIZE / size,
                                  &(salp_map_options){ .context = &size, .context_size = sizeof size }),
                         0);
        if (shared_bytes() > before + (size_t)rounds * SIZE)
            fail_msg("after %d maps there are %zu bytes of shared memory more", round + 1, shared_bytes() - before);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    free(in);
    free(out);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("items of odd sizes arrive whole", items_of_odd_sizes_arrive_whole),
        TEST_ENGINES("items are as aligned as in the array of the caller",
                     items_are_as_aligned_as_in_the_array_of_the_caller),
        TEST("a map may have more items than 32 bits count", a_map_may_have_more_items_than_32_bits_count),
        TEST_ENGINES_LIMIT("maps use the memory of earlier maps again", maps_use_the_memory_of_earlier_maps_again, 60),
        TEST_ENGINES("maps of changing sizes follow each other", maps_of_changing_sizes_follow_each_other),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
