/* SPDX-License-Identifier: MIT */
#include "map/spool.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "job/unnamed.h"

static int tell(const char *where, int error)
{
    fprintf(stderr, "salp map: cannot make a folder in '%s': %s\n", where, strerror(-error));
    return error;
}

/* Absolute: jobs may work in another folder. */
int map_spool_name(struct map_spool *spool, const char *where)
{
    where = job_temporary_folder(where);
    char *path = realpath(where, NULL);
    if (!path)
        return tell(where, -errno);
    int size = snprintf(spool->folder, sizeof spool->folder, "%s/salp-blocks-XXXXXX", path);
    free(path);
    return size < (int)sizeof spool->folder ? 0 : tell(where, -ENAMETOOLONG);
}

int map_spool_make(struct map_spool *spool)
{
    spool->made = mkdtemp(spool->folder) != NULL;
    return spool->made ? 0 : tell(spool->folder, -errno);
}

static bool is_block(const char *name)
{
    return name[strspn(name, "0123456789")] == '\0';
}

void map_spool_remove(const struct map_spool *spool)
{
    DIR *folder = spool->made ? opendir(spool->folder) : NULL;
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        if (is_block(entry->d_name))
            (void)unlinkat(dirfd(folder), entry->d_name, 0);
    }
    closedir(folder);
    (void)rmdir(spool->folder);
}
