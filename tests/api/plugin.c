/*
 * A library that the test of plugins loads while it runs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

int plugin_cube(const void *in, void *out, void *context);
int plugin_crash(const void *in, void *out, void *context);
int plugin_initialize(void *arg);

static int offset;

int plugin_initialize(void *arg)
{
    offset = *(int *)arg;
    return 0;
}

int plugin_cube(const void *in, void *out, void *context)
{
    int x = *(const int *)in;

    (void)context;
    *(int *)out = x * x * x + offset;
    return 0;
}

int plugin_crash(const void *in, void *out, void *context)
{
    (void)in;
    (void)out;
    (void)context;
    abort();
}
