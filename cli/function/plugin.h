/*
 * The function of --function FILE:NAME, found and loaded.
 *
 * FILE is a library, or a source of C (its name ends with ".c"), which is compiled first (function/compile.h). One without a slash
 * in its name is looked for in the current folder, and then where the system has its libraries.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CLI_FUNCTION_PLUGIN_H
#define CLI_FUNCTION_PLUGIN_H

#include <salp/pool.h>

#include "function/compile.h"

struct map_plugin;

/*
 * Loads it, its constructors run now, and once. Waits for the compiler, if there is a folder for that, and the loop stands still
 * meanwhile; `line` is as for map_compile_run. 0, -ECANCELED, or another negative error that was told, with what the library
 * has instead if it does not have the function.
 */
int map_plugin_open(struct map_plugin **plugin, const char *what, const struct map_compile *compile, int line);

/* The library stays loaded. Accepts NULL. */
void map_plugin_close(struct map_plugin *plugin);

/* int NAME(salp_bytes in, salp_buffer *out, void *context): salp/pool.h. */
salp_bytes_job *map_plugin_function(const struct map_plugin *plugin);

/* NAME. */
const char *map_plugin_name(const struct map_plugin *plugin);

#endif
