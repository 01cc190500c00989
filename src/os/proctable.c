/* The processes of the system. SPDX-License-Identifier: MIT */
#include "os/proctable.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/process.h"

/* proc(5), "stat": the name in parentheses may have any characters, so what follows begins after the last one. */
static int read_entry(pid_t pid, salp__process_entry *entry)
{
    char path[64], text[1024], state;
    int parent, group;
    uint64_t started;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int error = salp__file_text(path, text, sizeof text);
    if (error < 0)
        return error;
    const char *rest = strrchr(text, ')');
    if (!rest || sscanf(rest, ") %c %d %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64,
                        &state, &parent, &group, &started) != 4)
        return -ESRCH;
    *entry = (salp__process_entry){
        .pid = pid,
        .parent = parent,
        .group = group,
        .ended = state == 'Z' || state == 'X',
        .stopped = state == 'T' || state == 't',
        .started = started,
    };
    return 0;
}

static int compare(const void *a, const void *b)
{
    pid_t first = ((const salp__process_entry *)a)->pid, second = ((const salp__process_entry *)b)->pid;
    return (first > second) - (first < second);
}

static int append(salp__process_entry **table, int count, int *room, const salp__process_entry *entry)
{
    if (count == *room) {
        int more = *room > 0 ? *room * 2 : 256;
        salp__process_entry *larger = salp__allocate((size_t)more * sizeof *larger);
        if (!larger)
            return -ENOMEM;
        if (count > 0)
            memcpy(larger, *table, (size_t)count * sizeof *larger);
        salp__free(*table);
        *table = larger;
        *room = more;
    }
    (*table)[count] = *entry;
    return count + 1;
}

int salp__proctable_read(salp__process_entry **table)
{
    SALP__FAULT(-EMFILE);
    DIR *folder = opendir("/proc");
    if (!folder)
        return -errno;
    int count = 0, room = 0;
    *table = NULL;
    struct dirent *file;
    while (count >= 0 && (file = readdir(folder))) {
        salp__process_entry entry;
        char *end;
        long pid = strtol(file->d_name, &end, 10);
        if (*end != '\0' || pid <= 0)
            continue;
        int error = read_entry((pid_t)pid, &entry);
        if (error == 0)
            count = append(table, count, &room, &entry);
        else if (error == -EMFILE || error == -ENFILE || error == -ENOMEM)
            count = error;
    }
    closedir(folder);
    if (count < 0) {
        salp__free(*table);
        *table = NULL;
    } else if (count > 0) {
        qsort(*table, (size_t)count, sizeof **table, compare);
    }
    return count;
}

salp__process_entry *salp__proctable_find(salp__process_entry *table, int count, pid_t pid)
{
    const salp__process_entry key = { .pid = pid };
    return count > 0 ? bsearch(&key, table, (size_t)count, sizeof *table, compare) : NULL;
}

int salp__process_watch_entry(const salp__process_entry *entry)
{
    int watch = salp__process_watch(entry->pid);
    if (watch < 0)
        return watch;
    /* The number may have been given to another one before we had the descriptor. */
    salp__process_entry now;
    if (read_entry(entry->pid, &now) == 0 && now.started == entry->started)
        return watch;
    salp__file_close(watch);
    return -ESRCH;
}
