/* What a command's environment is. SPDX-License-Identifier: MIT */
#include "process/environment.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "os/memory.h"

extern char **environ;

static size_t count_of(const char *const *strings)
{
    size_t count = 0;
    while (strings && strings[count])
        count++;
    return count;
}

/* The length of the name in "NAME=value" or "NAME". */
static size_t name_length(const char *entry)
{
    return strcspn(entry, "=");
}

static bool same_name(const char *a, const char *b)
{
    size_t length = name_length(a);
    return length == name_length(b) && memcmp(a, b, length) == 0;
}

static bool is_named(const char *entry, const char *const *entries)
{
    for (; entries && *entries; entries++) {
        if (same_name(entry, *entries))
            return true;
    }
    return false;
}

const char **salp__environment_make(const char *const *base, const char *const *changes)
{
    if (!base)
        base = (const char *const *)environ;
    const char **made = salp__allocate((count_of(base) + count_of(changes) + 1) * sizeof *made);
    if (!made)
        return NULL;
    size_t count = 0;
    for (; base && *base; base++) {
        if (!is_named(*base, changes))
            made[count++] = *base;
    }
    for (; changes && *changes; changes++) {
        /* Of several changes to one name, the last one holds. */
        if (strchr(*changes, '=') && !is_named(*changes, changes + 1))
            made[count++] = *changes;
    }
    return made;
}

/* ---- PATH ---- */

static const char *find_path(const char *const *environment)
{
    for (; *environment; environment++) {
        if (same_name(*environment, "PATH") && strchr(*environment, '='))
            return *environment + strlen("PATH=");
    }
    return "/usr/local/bin:/usr/bin:/bin";
}

static const char **single(const char *name)
{
    const char **paths = salp__allocate(2 * sizeof *paths);
    if (paths)
        paths[0] = name;
    return paths;
}

static size_t count_entries(const char *path)
{
    size_t count = 1;
    while ((path = strchr(path, ':'))) {
        count++;
        path++;
    }
    return count;
}

const char **salp__environment_paths(const char *name, const char *const *environment)
{
    if (strchr(name, '/') || *name == '\0')
        return single(name);
    const char *path = find_path(environment);
    size_t count = count_entries(path), size = strlen(name);
    /* Each entry, or "." for an empty one; a slash, the name, a zero. */
    size_t text = strlen(path) + count * (strlen("./") + size + 1);
    const char **paths = salp__allocate((count + 1) * sizeof *paths + text);
    if (!paths)
        return NULL;
    char *next = (char *)(paths + count + 1);
    for (size_t i = 0; i < count; i++) {
        size_t length = strcspn(path, ":");
        paths[i] = next;
        /* POSIX: an empty entry is the working directory. */
        next = length > 0 ? mempcpy(next, path, length) : mempcpy(next, ".", 1);
        *next++ = '/';
        next = mempcpy(next, name, size);
        *next++ = '\0';
        path += length + 1;
    }
    return paths;
}
