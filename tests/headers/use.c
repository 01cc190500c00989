/*
 * A program in strict C11 that knows nothing but the public headers and the shared library.
 * tests/headers/use.cpp is the same in C++17.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include <salp.h>

static int failed;

static void check(int number, const char *name, int passed)
{
    printf("%s %d - %s\n", passed ? "ok" : "not ok", number, name);
    failed |= !passed;
}

static int square(const void *in, void *out, void *context)
{
    (void)context;
    *(int *)out = *(const int *)in * *(const int *)in;
    return 0;
}

int main(void)
{
    salp_buffer buffer = { 0 };
    printf("1..4\n");
    check(1, "C11: an error has a text", strcmp(salp_strerror(0), "success") == 0);
    check(2, "C11: bytes are appended",
          salp_buffer_append(&buffer, "salp", 5) == 0 && strcmp(buffer.data, "salp") == 0);
    salp_buffer_free(&buffer);
    const salp_engine engines[] = { SALP_THREADS, SALP_PROCESSES };
    for (int i = 0; i < 2; i++) {
        const int in[3] = { 1, 2, 3 };
        int out[3] = { 0 };
        salp_pool *pool = NULL;
        int error = salp_pool_open(&pool, &(salp_pool_options){ .engine = engines[i], .workers = 2 });
        if (error == 0)
            error = salp_map(pool, square, in, sizeof *in, out, sizeof *out, 3, NULL);
        check(3 + i, i == 0 ? "C11: a map on threads" : "C11: a map on processes",
              error == 0 && salp_pool_close(pool) == 0 && out[0] == 1 && out[1] == 4 && out[2] == 9);
    }
    return failed;
}
