/*
 * Salp from C++: the headers, options by name, and exceptions that leave a job.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cerrno>
#include <climits>
#include <csetjmp>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

#define _Noreturn [[noreturn]]
extern "C" {
#include "test.h"
}

namespace
{

int job_length(const void *in, void *out, void *)
{
    /* Constructors and destructors run in the worker. */
    std::string text(static_cast<const char *>(in));

    *static_cast<std::size_t *>(out) = (text + text).size();
    return 0;
}

void a_pool_works_from_cpp(void **state)
{
    char in[50][32];
    std::vector<std::size_t> out(50, 12345);
    salp_pool_options options = {};
    salp_pool *pool = nullptr;

    for (int i = 0; i < 50; i++)
        std::snprintf(in[i], sizeof in[i], "%.*s", i % 30, "abcdefghijklmnopqrstuvwxyzabcdef");
    options.engine = test_engine(state);
    options.workers = 2;
    assert_int_equal(salp_pool_open(&pool, &options), 0);
    assert_int_equal(salp_map(pool, job_length, in, sizeof in[0], out.data(), sizeof out[0], out.size(), nullptr), 0);
    for (std::size_t i = 0; i < out.size(); i++)
        assert_int_equal(out[i], 2 * (i % 30));
    assert_int_equal(salp_pool_close(pool), 0);
}

int job_throw_or_catch(const void *in, void *out, void *)
{
    int i = *static_cast<const int *>(in);

    try {
        if (i % 5 == 2)
            throw std::runtime_error("caught by the job itself");
    } catch (const std::exception &) {
        i = -i;
    }
    if (i % 20 == 11)
        throw std::runtime_error("not caught by anybody");
    *static_cast<int *>(out) = i;
    return 0;
}

struct seen {
    int count;
    bool odd;
};

void see_failure(const salp_failure *failure, void *arg)
{
    seen *s = static_cast<seen *>(arg);

    s->count++;
    if (failure->index % 20 != 11 || failure->signal != SIGABRT || failure->error != SALP_ECRASHED)
        s->odd = true;
}

/* Only std::terminate is called; the exception passes through nothing of the library. */
void an_exception_that_leaves_a_job_costs_its_item(void **)
{
    int in[100], out[100], errors[100];
    seen s = {};
    salp_pool_options options = {};
    salp_map_options map = {};
    salp_pool *pool = nullptr;

    options.engine = SALP_PROCESSES;
    options.workers = 2;
    map.errors = errors;
    map.on_failure = see_failure;
    map.on_failure_arg = &s;
    for (int i = 0; i < 100; i++)
        in[i] = i;
    /* What std::terminate says about the exception is meant for people. */
    std::fflush(nullptr);
    assert_non_null(std::freopen("/dev/null", "w", stderr));
    assert_int_equal(salp_pool_open(&pool, &options), 0);
    assert_int_equal(salp_map(pool, job_throw_or_catch, in, sizeof in[0], out, sizeof out[0], 100, &map),
                     SALP_ECRASHED);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(errors[i], i % 20 == 11 ? SALP_ECRASHED : 0);
        if (errors[i] == 0)
            assert_int_equal(out[i], i % 5 == 2 ? -i : i);
    }
    assert_int_equal(s.count, 5);
    assert_false(s.odd);
    assert_int_equal(salp_pool_close(pool), 0);
}

} // namespace

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_ENGINES("a pool works from C++", a_pool_works_from_cpp),
        TEST("an exception that leaves a job costs its item", an_exception_that_leaves_a_job_costs_its_item),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
