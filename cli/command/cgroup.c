/*
 * A control group for each job that has a limit of memory.
 *
 *     /sys/fs/cgroup/.../salp-4242-1f3a-17     process, a part of the time, attempt of a job
 *
 * The groups are made beside us or below us: where the memory controller is there for new groups (version 2: named in
 * cgroup.subtree_control; a group with processes in it can have no children with limits, so often only our parent will do), and
 * where we may make a folder. Whether that is so is found out by trying. In a container or a session of systemd it may be;
 * elsewhere it takes an administrator. Who may not has the memory watched (command/memory_watch.c).
 *
 * I1  The names begin alike and with what no other program has. So whoever is the last to go, the guard if we are killed, finds
 *     those that are left, and knows no more of them.
 * I2  A job's group is its own, as long as anybody lives in it: whom an earlier job has left behind does not count for this one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <salp/task.h>

enum { LAST_TRIES = 100 };

static const long try_again = 10 * 1000 * 1000; /* nanoseconds */

struct map_cgroups {
    bool first;            /* of version 1 */
    char folder[PATH_MAX]; /* where they are made */
    char beginning[64];    /* of their names */
    int64_t limit;
    uint64_t made; /* I2 */
    char path[PATH_MAX + 256];
};

/* ---- where we are ---- */

/* The path of our own group, of the memory controller, as "4:memory:/a/b" and "0::/a/b" tell it. */
static bool find_own(char *path, bool *first)
{
    char line[PATH_MAX + 64];
    FILE *file = fopen("/proc/self/cgroup", "re");
    bool found = false;
    while (file && !(found && *first) && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *own = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!own)
            continue;
        *own = '\0';
        bool old = strcmp(controllers, ":memory") == 0, unified = strcmp(controllers, ":") == 0;
        if (!old && !(unified && !found))
            continue;
        snprintf(path, PATH_MAX, "%s", own + 1);
        *first = old;
        found = true;
    }
    if (file)
        fclose(file);
    return found;
}

/* Behind the folder that is mounted: "/a/b" in "/a" is "/b". NULL: it is not in there. */
static const char *path_within(const char *path, const char *root)
{
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool within = strncmp(path, root, length) == 0 && (path[length] == '/' || path[length] == '\0');
    return within ? path + length : NULL;
}

/* Looks it up in what is mounted: "32 31 0:29 /root /mount/point rw,relatime - cgroup cgroup rw,memory" */
static bool find_folder(const char *own, bool first, char *folder)
{
    char line[2 * PATH_MAX + 256], root[PATH_MAX], point[PATH_MAX], type[32], options[256];
    FILE *file = fopen("/proc/self/mountinfo", "re");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        const char *behind = strstr(line, " - ");
        if (!behind || sscanf(line, "%*d %*d %*s %4095s %4095s", root, point) != 2 ||
            sscanf(behind, " - %31s %*s %255s", type, options) != 2)
            continue;
        bool fits = first ? strcmp(type, "cgroup") == 0 && strstr(options, "memory") : strcmp(type, "cgroup2") == 0;
        const char *rest = fits ? path_within(own, root) : NULL;
        found = rest && snprintf(folder, PATH_MAX, "%s%s", point, strcmp(rest, "/") == 0 ? "" : rest) < PATH_MAX;
    }
    if (file)
        fclose(file);
    return found;
}

/* ---- files ---- */

static const char *path_of(struct map_cgroups *groups, uint64_t id, const char *name)
{
    snprintf(groups->path, sizeof groups->path, "%s/%s%" PRIu64 "%s%s", groups->folder, groups->beginning, id,
             *name ? "/" : "", name);
    return groups->path;
}

static int write_number(const char *path, int64_t number)
{
    char text[32];
    int size = snprintf(text, sizeof text, "%" PRId64, number), fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int error = write(fd, text, (size_t)size) == size ? 0 : -errno;
    close(fd);
    return error;
}

/* The number behind a word; "": the one that the file begins with. 0: there is none. */
static int64_t read_number(const char *path, const char *word)
{
    char text[1024];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = '\0';
    const char *at = strstr(text, word);
    return at ? strtoll(at + strlen(word), NULL, 10) : 0;
}

static bool names_memory(const char *folder)
{
    char path[PATH_MAX + 32], text[256];
    snprintf(path, sizeof path, "%s/cgroup.subtree_control", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[size < 0 ? 0 : size] = '\0';
    return strstr(text, "memory") != NULL;
}

/* ---- one group ---- */

/* What may be missing is not needed: without a limit for what is swapped out, the kernel swaps before it kills. */
static int limit_second(struct map_cgroups *groups, uint64_t id)
{
    (void)write_number(path_of(groups, id, "memory.oom.group"), 1);
    (void)write_number(path_of(groups, id, "memory.swap.max"), 0);
    return write_number(path_of(groups, id, "memory.max"), groups->limit);
}

static int limit_first(struct map_cgroups *groups, uint64_t id)
{
    int error = write_number(path_of(groups, id, "memory.limit_in_bytes"), groups->limit);
    if (error == 0)
        (void)write_number(path_of(groups, id, "memory.memsw.limit_in_bytes"), groups->limit);
    return error;
}

int map_cgroup_make(struct map_cgroups *groups, uint64_t *id)
{
    *id = ++groups->made;
    if (mkdir(path_of(groups, *id, ""), 0755) < 0)
        return -errno;
    int error = groups->first ? limit_first(groups, *id) : limit_second(groups, *id);
    if (error < 0)
        map_cgroup_drop(groups, *id);
    return error;
}

const char *map_cgroup_door(struct map_cgroups *groups, uint64_t id)
{
    return path_of(groups, id, "cgroup.procs");
}

bool map_cgroup_is_over(struct map_cgroups *groups, uint64_t id)
{
    return read_number(path_of(groups, id, groups->first ? "memory.oom_control" : "memory.events"), "oom_kill ") > 0;
}

int64_t map_cgroup_peak(struct map_cgroups *groups, uint64_t id)
{
    return read_number(path_of(groups, id, groups->first ? "memory.max_usage_in_bytes" : "memory.peak"), "");
}

void map_cgroup_drop(struct map_cgroups *groups, uint64_t id)
{
    (void)rmdir(path_of(groups, id, ""));
}

/* ---- all of them ---- */

/* Makes one, to see whether that can be done. */
static bool can_be_made(struct map_cgroups *groups)
{
    uint64_t id;
    if (!groups->first && !names_memory(groups->folder))
        return false;
    bool made = map_cgroup_make(groups, &id) == 0;
    bool entered = made && access(map_cgroup_door(groups, id), W_OK) == 0;
    if (made)
        map_cgroup_drop(groups, id);
    return entered;
}

/* The folder above; false: there is none. */
static bool go_up(struct map_cgroups *groups)
{
    char *last = strrchr(groups->folder, '/');
    if (groups->first || !last || last == groups->folder)
        return false;
    *last = '\0';
    return true;
}

struct map_cgroups *map_cgroups_open(int64_t limit)
{
    struct map_cgroups *groups = calloc(1, sizeof *groups);
    char own[PATH_MAX];
    if (!groups)
        return NULL;
    groups->limit = limit;
    snprintf(groups->beginning, sizeof groups->beginning, "salp-%d-%" PRIx64 "-", (int)getpid(),
             (uint64_t)salp_now() & 0xffffff);
    if (find_own(own, &groups->first) && find_folder(own, groups->first, groups->folder) &&
        (can_be_made(groups) || (go_up(groups) && can_be_made(groups))))
        return groups;
    free(groups);
    return NULL;
}

/* Returns how many are left. */
static int remove_once(struct map_cgroups *groups)
{
    int left = 0;
    DIR *folder = opendir(groups->folder);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        if (strncmp(entry->d_name, groups->beginning, strlen(groups->beginning)) == 0)
            left += unlinkat(dirfd(folder), entry->d_name, AT_REMOVEDIR) < 0;
    }
    if (folder)
        closedir(folder);
    return left;
}

/* A process that has just ended may be counted for a moment. */
void map_cgroups_remove(struct map_cgroups *groups)
{
    const struct timespec pause = { .tv_nsec = try_again };
    for (int tries = 0; groups && tries < LAST_TRIES && remove_once(groups) > 0; tries++)
        nanosleep(&pause, NULL);
}

void map_cgroups_close(struct map_cgroups *groups)
{
    free(groups);
}
