/* What was opened by whoever has started us. SPDX-License-Identifier: MIT */
#include "map/inherited.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>

static bool is_inherited(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return fd >= 3 && flags >= 0 && !(flags & FD_CLOEXEC);
}

static int compare(const void *a, const void *b)
{
    const int *one = a, *other = b;
    return (*one > *other) - (*one < *other);
}

void map_inherited_read(struct map_inherited *inherited)
{
    *inherited = (struct map_inherited){ 0 };
    DIR *folder = opendir("/proc/self/fd");
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        int fd = atoi(entry->d_name); /* 0: of "." and ".." */
        int *numbers =
            is_inherited(fd) ? realloc(inherited->numbers, ((size_t)inherited->count + 1) * sizeof *numbers) : NULL;
        if (!numbers)
            continue;
        numbers[inherited->count++] = fd;
        inherited->numbers = numbers;
    }
    if (folder)
        closedir(folder);
    if (inherited->count > 0)
        qsort(inherited->numbers, (size_t)inherited->count, sizeof *inherited->numbers, compare);
}

void map_inherited_free(struct map_inherited *inherited)
{
    free(inherited->numbers);
    *inherited = (struct map_inherited){ 0 };
}
