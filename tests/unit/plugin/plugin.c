/*
 * A shared library that tests load. It is built several times: with another answer (and so another build ID), without
 * a build ID, and without any symbols but those that it exports.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "plugin.h"

/* Whoever loads it can be seen to have done so, even if it is unloaded at once. */
__attribute__((constructor)) static void note_loading(void)
{
    setenv(PLUGIN_LOADED, "yes", 1);
}

int plugin_answer(void)
{
    return PLUGIN_ANSWER;
}

int plugin_call(int (*function)(int), int number)
{
    int result = function(number);
    __asm__ volatile("" ::: "memory"); /* not a tail call: this frame is to be seen */
    return result;
}
