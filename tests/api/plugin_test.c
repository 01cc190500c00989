/*
 * Functions and memory that came into the program after a pool was opened.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <dlfcn.h>

#include "os/process.h"

static void *library;

/* The plugin lies beside this program, unless SALP_TEST_PLUGIN says where. */
static void *find_plugin(const char *name)
{
    static const char *const names[] = { "plugin.so", "libplugin.so" };
    const char *given = getenv("SALP_TEST_PLUGIN");
    char path[PATH_MAX];
    void *symbol;

    if (given)
        library = dlopen(given, RTLD_NOW);
    for (size_t i = 0; !library && i < LENGTH(names); i++) {
        ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
        char *end;

        if (n <= 0)
            return NULL;
        path[n] = '\0';
        end = strrchr(path, '/');
        snprintf(end + 1, 20, "%s", names[i]);
        library = dlopen(path, RTLD_NOW);
    }
    symbol = library ? dlsym(library, name) : NULL;
    if (!symbol)
        fprintf(stderr, "# the plugin cannot be loaded: %s\n", dlerror());
    return symbol;
}

static int check_cubes(salp_pool *pool, salp_job *cube, int offset)
{
    int in[100], out[100], result;

    for (int i = 0; i < 100; i++)
        in[i] = i;
    result = salp_map(pool, cube, in, sizeof *in, out, sizeof *out, 100, NULL);
    for (int i = 0; i < 100 && result == 0; i++)
        if (out[i] != i * i * i + offset)
            result = -EILSEQ;
    return result;
}

static void a_library_loaded_before_the_pool_is_known_to_it(void **state)
{
    salp_job *cube;
    salp_pool *pool;

    *(void **)&cube = find_plugin("plugin_cube");
    assert_non_null(cube);
    pool = open_pool(test_engine(state), 2);
    assert_int_equal(check_cubes(pool, cube, 0), 0);
    assert_int_equal(salp_pool_close(pool), 0);
    dlclose(library);
}

static void a_library_loaded_after_the_pool_is_unknown_to_forked_workers(void **state)
{
    salp_job *cube;
    salp_future *future;
    int in = 1, out = 0, result, expected = test_engine(state) == SALP_THREADS ? 0 : SALP_EUNKNOWN;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(check_squares(pool, 100, NULL), 0);
    *(void **)&cube = find_plugin("plugin_cube");
    assert_non_null(cube);
    assert_int_equal(check_cubes(pool, cube, 0), expected);
    assert_int_equal(salp_apply(pool, cube, &in, sizeof in, &out, sizeof out, NULL), expected);
    result = salp_apply_async(&future, pool, cube, &in, sizeof in, &out, sizeof out, NULL);
    if (result == 0) {
        result = salp_future_wait(future);
        salp_future_free(future);
    }
    assert_int_equal(result, expected);
    assert_int_equal(check_squares(pool, 100, NULL), 0);
    assert_int_equal(salp_pool_close(pool), 0);
    dlclose(library);
}

static int program_with_plugin(void *arg)
{
    salp_job *cube, *crash;
    int in = 1, out = 0;
    salp_pool *pool;

    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){
                                      .engine = SALP_PROCESSES, .workers = 2, .start = *(salp_start *)arg }) == 0);
    OR_FAIL(check_squares(pool, 100, NULL) == 0);
    *(void **)&cube = find_plugin("plugin_cube");
    *(void **)&crash = find_plugin("plugin_crash");
    OR_FAIL(cube && crash);
    for (int round = 0; round < 3; round++) {
        OR_FAIL(check_cubes(pool, cube, 0) == 0);
        OR_FAIL(salp_apply(pool, crash, &in, sizeof in, &out, sizeof out, NULL) == SALP_ECRASHED);
    }
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

static void a_library_loaded_after_the_pool_is_loaded_by_fresh_workers(void **state)
{
    salp_start spawn = SALP_SPAWN, server = SALP_SERVER;

    (void)state;
    test_needs_execution();
    assert_int_equal(run_program(program_with_plugin, &spawn), 0);
    assert_int_equal(run_program(program_with_plugin, &server), 0);
}

static int program_with_initializer_of_plugin(void *arg)
{
    salp_job *cube;
    salp_fn *initialize;
    int offset = 77;
    salp_pool *pool;

    *(void **)&cube = find_plugin("plugin_cube");
    *(void **)&initialize = find_plugin("plugin_initialize");
    OR_FAIL(cube && initialize);
    OR_FAIL(salp_pool_open(&pool, &(salp_pool_options){ .engine = SALP_PROCESSES,
                                                        .workers = 2,
                                                        .start = *(salp_start *)arg,
                                                        .initializer = initialize,
                                                        .initializer_arg = &offset,
                                                        .initializer_arg_size = sizeof offset }) == 0);
    OR_FAIL(check_cubes(pool, cube, 77) == 0);
    OR_FAIL(salp_pool_close(pool) == 0);
    return 0;
}

/* Both functions must meet in one copy of the library. */
static void an_initializer_may_come_from_a_library(void **state)
{
    salp_start starts[] = { SALP_FORK, SALP_SPAWN, SALP_SERVER };

    (void)state;
    test_needs_execution();
    for (size_t i = 0; i < LENGTH(starts); i++)
        assert_int_equal(run_program(program_with_initializer_of_plugin, &starts[i]), 0);
}

static int job_read_pointer(const void *in, void *out, void *context)
{
    *(int *)out = *(const int *)in + *(int *)context;
    return 0;
}

/* Memory that was mapped later is not there in forked workers, or something else is. */
static void memory_mapped_after_the_pool_is_unknown_to_forked_workers(void **state)
{
    static const size_t sizes[] = { 4096, 1 << 20, (size_t)1 << 30 };
    if (test_engine(state) == SALP_PROCESSES && salp__process_readable(getpid(), sizes) != 1)
        test_skip("the system does not let us look into the memory of processes");
    int in = 1, expected = test_engine(state) == SALP_THREADS ? 0 : SALP_EUNKNOWN;
    salp_pool *pool = open_pool(test_engine(state), 2);

    assert_int_equal(check_squares(pool, 100, NULL), 0);
    for (size_t i = 0; i < LENGTH(sizes); i++)
        for (int k = 0; k < 2; k++) {
            int out = 0, *memory = mmap(NULL, sizes[i], PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

            assert_true(memory != MAP_FAILED);
            memory += k ? sizes[i] / sizeof *memory / 2 : 0;
            *memory = 10;
            assert_int_equal(salp_apply(pool, job_read_pointer, &in, sizeof in, &out, sizeof out,
                                        &(salp_map_options){ .context = memory }),
                             expected);
            assert_int_equal(out, expected == 0 ? 11 : 0);
            /* With a size it is copied. */
            assert_int_equal(salp_apply(pool, job_read_pointer, &in, sizeof in, &out, sizeof out,
                                        &(salp_map_options){ .context = memory, .context_size = sizeof *memory }),
                             0);
            assert_int_equal(out, 11);
        }
    assert_int_equal(salp_pool_close(pool), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a library loaded before the pool is known to it",
                     a_library_loaded_before_the_pool_is_known_to_it),
        TEST_ENGINES("a library loaded after the pool is unknown to forked workers",
                     a_library_loaded_after_the_pool_is_unknown_to_forked_workers),
        TEST("a library loaded after the pool is loaded by fresh workers",
             a_library_loaded_after_the_pool_is_loaded_by_fresh_workers),
        TEST("an initializer may come from a library", an_initializer_may_come_from_a_library),
        TEST_ENGINES("memory mapped after the pool is unknown to forked workers",
                     memory_mapped_after_the_pool_is_unknown_to_forked_workers),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
