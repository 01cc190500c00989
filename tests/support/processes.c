/*
 * The tree of processes, for tests that must not leave one behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "processes.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>

#include "run.h"

/* Reads a small file of /proc; returns false when the process is gone or does not let us. */
static bool read_file(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    size_t length = fread(text, 1, size - 1, file);
    fclose(file);
    text[length] = '\0';
    return length > 0;
}

static bool read_process(const char *pid, struct process *process)
{
    char path[300];
    char stat[512];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    if (!read_file(path, stat, sizeof stat))
        return false;
    /* "12 (name) S 1 ...", where the name may hold spaces and brackets itself. */
    char *name = strchr(stat, '(');
    char *end = strrchr(stat, ')');
    if (!name || !end)
        return false;
    *end = '\0';
    snprintf(process->name, sizeof process->name, "%s", name + 1);
    process->pid = atoi(stat);
    return sscanf(end + 1, " %c %d", &process->state, &process->parent) == 2;
}

static size_t read_processes(struct process **all)
{
    size_t count = 0;
    size_t capacity = 0;
    *all = NULL;
    DIR *proc = opendir("/proc");
    if (!proc)
        return 0;
    for (struct dirent *entry; (entry = readdir(proc));) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        if (count == capacity) {
            capacity = capacity ? capacity * 2 : 256;
            struct process *larger = realloc(*all, capacity * sizeof **all);
            if (!larger)
                break;
            *all = larger;
        }
        if (read_process(entry->d_name, &(*all)[count]))
            count++;
    }
    closedir(proc);
    return count;
}

static const struct process *find(const struct process *all, size_t count, pid_t pid)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].pid == pid)
            return &all[i];
    return NULL;
}

static bool descends(const struct process *all, size_t count, const struct process *process, pid_t ancestor)
{
    /* The walk is bounded: numbers that were used again during the look could make a ring. */
    for (size_t steps = 0; process && steps < count; steps++) {
        if (process->parent == ancestor)
            return true;
        process = find(all, count, process->parent);
    }
    return false;
}

size_t processes_below(pid_t ancestor, struct process **found)
{
    struct process *all;
    size_t count = read_processes(&all);
    size_t kept = 0;
    *found = calloc(count + 1, sizeof **found);
    for (size_t i = 0; *found && i < count; i++)
        if (descends(all, count, &all[i], ancestor))
            (*found)[kept++] = all[i];
    free(all);
    return kept;
}

/* What the kernel says about a thread; its stack only root may see. */
static void print_thread(pid_t pid, const char *tid, char state)
{
    char path[320];
    char text[2048];
    snprintf(path, sizeof path, "/proc/%d/task/%s/wchan", pid, tid);
    bool waiting = read_file(path, text, sizeof text) && strcmp(text, "0") != 0;
    printf("#     thread %s, state %c%s%s\n", tid, state, waiting ? ", in " : "", waiting ? text : "");
    snprintf(path, sizeof path, "/proc/%d/task/%s/stack", pid, tid);
    if (!read_file(path, text, sizeof text))
        return;
    char *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (*line)
            printf("#         %s\n", line);
}

void process_print(const struct process *process)
{
    char path[300];
    printf("#   process %d (%s), state %c, child of %d\n", process->pid, process->name, process->state,
           process->parent);
    snprintf(path, sizeof path, "/proc/%d/task", process->pid);
    DIR *threads = opendir(path);
    if (!threads)
        return;
    for (struct dirent *entry; (entry = readdir(threads));) {
        struct process thread;
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        snprintf(path, sizeof path, "%d/task/%s", process->pid, entry->d_name);
        if (read_process(path, &thread))
            print_thread(process->pid, entry->d_name, thread.state);
    }
    closedir(threads);
}

int test_count_children(pid_t pid)
{
    struct process *found;
    size_t count = processes_below(pid, &found);
    int alive = 0;
    for (size_t i = 0; i < count; i++)
        if (found[i].state != 'Z' && found[i].state != 'X')
            alive++;
    free(found);
    return alive;
}

bool test_gone(pid_t pid, int64_t within)
{
    int64_t end = test_milliseconds() + within / 1000000;
    while (kill(pid, 0) == 0 || errno != ESRCH) {
        if (test_milliseconds() > end)
            return false;
        test_pause();
    }
    return true;
}
