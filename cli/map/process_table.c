/* The processes of the system. SPDX-License-Identifier: MIT */
#include "map/process_table.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "4242 (any name, also with ") S") S 1 ...": the state is behind the last parenthesis, the pages in memory are the 24th. */
static bool read_entry(int folder, const char *name, struct map_process *process)
{
    char path[32], text[1024];
    snprintf(path, sizeof path, "%.20s/stat", name);
    int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false; /* it has just ended */
    ssize_t size = read(fd, text, sizeof text - 1);
    close(fd);
    if (size <= 0)
        return false;
    text[size] = '\0';
    const char *behind = strrchr(text, ')');
    char state;
    int parent;
    long pages = 0;
    if (!behind || sscanf(behind + 1, " %c %d", &state, &parent) != 2)
        return false;
    for (int field = 2; field < 24 && behind; field++)
        behind = strchr(behind + 1, ' ');
    if (behind)
        pages = atol(behind);
    *process = (struct map_process){
        .pid = atoi(name),
        .parent = parent,
        .ended = state == 'Z' || state == 'X',
        .memory = pages * sysconf(_SC_PAGESIZE),
    };
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct map_process *one = a, *other = b;
    return (one->pid > other->pid) - (one->pid < other->pid);
}

static bool make_room(struct map_process **table, int count, int *room)
{
    if (count < *room)
        return true;
    int more = *room > 0 ? *room * 2 : 256;
    struct map_process *larger = realloc(*table, (size_t)more * sizeof *larger);
    if (!larger)
        return false;
    *table = larger;
    *room = more;
    return true;
}

int map_process_table_read(struct map_process **table)
{
    int count = 0, room = 0;
    *table = NULL;
    DIR *folder = opendir("/proc");
    if (!folder)
        return -errno;
    for (const struct dirent *entry; count >= 0 && (entry = readdir(folder)) != NULL;) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (!make_room(table, count, &room))
            count = -ENOMEM;
        else
            count += read_entry(dirfd(folder), entry->d_name, &(*table)[count]);
    }
    closedir(folder);
    if (count < 0) {
        free(*table);
        *table = NULL;
    } else if (count > 0) {
        qsort(*table, (size_t)count, sizeof **table, compare);
    }
    return count;
}

/* Its place, or -1. */
static int find(const struct map_process *table, int count, pid_t pid)
{
    const struct map_process key = { .pid = pid };
    const struct map_process *found = bsearch(&key, table, (size_t)count, sizeof *table, compare);
    return found ? (int)(found - table) : -1;
}

int64_t map_process_tree_memory(const struct map_process *table, int count, pid_t root, bool *marks)
{
    int first = find(table, count, root);
    if (first < 0)
        return 0;
    memset(marks, 0, (size_t)count * sizeof *marks);
    marks[first] = true;
    int64_t sum = table[first].memory;
    for (bool more = true; more;) {
        more = false;
        for (int i = 0; i < count; i++) {
            int parent = marks[i] ? -1 : find(table, count, table[i].parent);
            if (parent < 0 || !marks[parent])
                continue;
            marks[i] = more = true;
            sum += table[i].memory;
        }
    }
    return sum;
}
