/*
 * SPDX-License-Identifier: MIT
 */
#include "function/plugin.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "function/symbols.h"

struct map_plugin {
    void *library;
    union {
        void *address; /* as dlsym has it */
        salp_bytes_job *function;
    } found;
    char *file; /* and the name behind it */
    const char *name;
};

enum { NEAR = 5 };

static int split(struct map_plugin *plugin, const char *what)
{
    plugin->file = strdup(what);
    if (!plugin->file)
        return -ENOMEM;
    char *colon = strrchr(plugin->file, ':');
    if (!colon || colon == plugin->file || colon[1] == '\0') {
        fprintf(stderr,
                "salp map: --function needs FILE:NAME, a library or a source of C and a function of it, not '%s'\n",
                what);
        return -EINVAL;
    }
    *colon = '\0';
    plugin->name = colon + 1;
    return 0;
}

static int load(struct map_plugin *plugin, const char *file)
{
    char here[PATH_MAX];
    if (!strchr(file, '/') && access(file, R_OK) == 0) {
        snprintf(here, sizeof here, "./%s", file);
        file = here;
    }
    plugin->library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (plugin->library)
        return 0;
    /* Its texts begin with the name of the file. */
    fprintf(stderr, "salp map: cannot load %s\n", dlerror());
    return -ENOEXEC;
}

/* To call a variable would crash. One of which each thread has its own lies in no library. What cannot be told is taken for a
   function: some are found under other names (ifunc). */
static bool is_variable(const void *address)
{
    Dl_info about;
    ElfW(Sym) *symbol = NULL;
    if (dladdr1(address, &about, (void **)&symbol, RTLD_DL_SYMENT) == 0)
        return true;
    return symbol && ((symbol->st_info & 0xf) == STT_OBJECT || (symbol->st_info & 0xf) == STT_COMMON);
}

static int find(struct map_plugin *plugin)
{
    const char *names[NEAR];
    plugin->found.address = dlsym(plugin->library, plugin->name);
    if (plugin->found.address && !is_variable(plugin->found.address))
        return 0;
    size_t count = map_symbols_like(plugin->library, plugin->name, names, NEAR);
    fprintf(stderr, "salp map: there is no function '%s' in '%s'", plugin->name, plugin->file);
    for (size_t i = 0; i < count; i++)
        fprintf(stderr, "%s%s", i == 0 ? "; it has " : ", ", names[i]);
    fprintf(stderr, "%s\n", count == 0 ? "; it has none that others may call" : count == NEAR ? ", ..." : "");
    return -ENOENT;
}

int map_plugin_open(struct map_plugin **plugin, const char *what, const struct map_compile *compile, int line)
{
    *plugin = NULL;
    struct map_plugin *made = calloc(1, sizeof *made);
    if (!made)
        return -ENOMEM;
    int error = split(made, what);
    bool compiled = error == 0 && compile->folder[0];
    if (compiled)
        error = map_compile_run(compile, made->file, line);
    if (error == 0)
        error = load(made, compiled ? compile->library : made->file);
    if (error == 0)
        error = find(made);
    if (error < 0) {
        map_plugin_close(made);
        return error;
    }
    *plugin = made;
    return 0;
}

void map_plugin_close(struct map_plugin *plugin)
{
    if (!plugin)
        return;
    free(plugin->file);
    free(plugin);
}

salp_bytes_job *map_plugin_function(const struct map_plugin *plugin)
{
    return plugin->found.function;
}

const char *map_plugin_name(const struct map_plugin *plugin)
{
    return plugin->name;
}
