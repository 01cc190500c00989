/*
 * A program in C++17 that knows nothing but the public headers and the shared library.
 * tests/headers/use.c is the same in C11.
 *
 * SPDX-License-Identifier: MIT
 */
#include <cstdio>
#include <cstring>

#include <salp.h>

static bool failed;

static void check(int number, const char *name, bool passed)
{
    std::printf("%s %d - %s\n", passed ? "ok" : "not ok", number, name);
    failed = failed || !passed;
}

int main()
{
    salp_buffer buffer = {};
    std::printf("1..4\n");
    check(1, "C++17: an error has a text", std::strcmp(salp_strerror(0), "success") == 0);
    check(2, "C++17: bytes are appended",
          salp_buffer_append(&buffer, "salp", 5) == 0 && std::strcmp(static_cast<char *>(buffer.data), "salp") == 0);
    salp_buffer_free(&buffer);
    const salp_engine engines[] = { SALP_THREADS, SALP_PROCESSES };
    for (int i = 0; i < 2; i++) {
        const int in[3] = { 1, 2, 3 };
        int out[3] = {};
        salp_pool *pool = nullptr;
        salp_pool_options options = {};
        options.engine = engines[i];
        options.workers = 2;
        /* A lambda without captures is a function like any other. */
        auto square = [](const void *from, void *to, void *) {
            int x = *static_cast<const int *>(from);
            *static_cast<int *>(to) = x * x;
            return 0;
        };
        int error = salp_pool_open(&pool, &options);
        if (error == 0)
            error = salp_map(pool, square, in, sizeof *in, out, sizeof *out, 3, nullptr);
        check(3 + i, i == 0 ? "C++17: a map on threads" : "C++17: a map on processes",
              error == 0 && salp_pool_close(pool) == 0 && out[0] == 1 && out[1] == 4 && out[2] == 9);
    }
    return failed ? 1 : 0;
}
