/*
 * The functions that a library offers: for whoever has asked for one that it has not.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_SYMBOLS_H
#define CLI_FUNCTION_SYMBOLS_H

#include <stddef.h>

/*
 * The names of functions that a loaded library (of dlopen) has itself, those that are most like `name` first, `most` at most.
 * The names are the library's. Returns how many.
 */
size_t map_symbols_like(void *library, const char *name, const char *names[], size_t most);

#endif
