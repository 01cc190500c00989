/*
 * Affinity mask and cgroup quotas.
 *
 * The kernel applies cpusets to the affinity mask, so the mask answers for them. Quotas it does not: a program with
 * 64 processors in its mask and a quota of 2 is stopped for 31 of 32 parts of each period if it runs 64 threads.
 *
 * A quota stands in a file of a cgroup, and holds for all groups below. So the way is:
 *
 *   /proc/self/cgroup      in which group of which hierarchy     "4:cpu,cpuacct:/docker/77"   "0::/user.slice/a"
 *   /proc/self/mountinfo   where is that hierarchy to be seen    root /docker/77 on /sys/fs/cgroup/cpu,cpuacct
 *   the group's folder     its path, relative to that root, below the mount point
 *   and every folder       cpu.max, or cpu.cfs_quota_us / cpu.cfs_period_us
 *   up to the mount point
 *
 * and the smallest quota counts. Both generations are read, as a system can have both mounted; the controller "cpu" is
 * in only one of them, and the files are missing in the other.
 *
 * In a cgroup namespace paths are shown relative to its root, and begin with "/.." where they lead out of it. What the
 * names are up there is not shown. So a group can be found below a mount when the path of the mount's root begins the
 * path of the group; and when the mount's root is some folders above the namespace ("/../.."), the mount point itself
 * is known to be an ancestor. Other mounts do not hold the group, and say nothing about it.
 *
 * Formats: cgroups(7), proc_pid_mountinfo(5), the kernel's admin-guide/cgroup-v2 and scheduler/sched-bwc.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/processors.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/file.h"

enum {
    MASK_FIRST = 1024,      /* processors in the first mask that is tried */
    MASK_LAST = 1 << 20,    /* more than any kernel can be built for */
    VALUE_SIZE = 64,        /* text of a quota file */
    FIELDS_BEFORE_ROOT = 3, /* of a line of mountinfo */
};

#define PERIOD_DEFAULT 100000.0 /* microseconds */

enum generation { V1, V2 };

/* Where this process is in one hierarchy. */
struct membership {
    enum generation generation;
    char path[PATH_MAX];
};

/* One cgroup mount that may show the group. */
struct mount {
    enum generation generation;
    char root[PATH_MAX];
    char point[PATH_MAX];
};

static bool list_holds(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (;;) {
        size_t item = strcspn(list, ",");
        if (item == length && memcmp(list, word, length) == 0)
            return true;
        if (list[item] == '\0')
            return false;
        list += item + 1;
    }
}

static FILE *open_below(const char *root, const char *path)
{
    char full[PATH_MAX];
    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full)
        return NULL;
    return fopen(full, "re");
}

/* "ID:CONTROLLERS:PATH"; the path may hold colons, the controllers may not. false: not one that can have a quota. */
static bool parse_membership(char *line, struct membership *membership)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path)
        return false;
    *controllers++ = '\0';
    *path++ = '\0';
    if (path[0] != '/' || strlen(path) >= sizeof membership->path)
        return false;
    if (strcmp(line, "0") == 0 && controllers[0] == '\0')
        membership->generation = V2;
    else if (list_holds(controllers, "cpu"))
        membership->generation = V1;
    else
        return false;
    strcpy(membership->path, path);
    return true;
}

/* Undoes the kernel's \040 for space, and so on. false: longer than any path. */
static bool unescape(char *to, size_t size, const char *from)
{
    size_t length = 0;
    while (*from) {
        char c = *from++;
        if (c == '\\' && from[0] >= '0' && from[0] <= '3' && from[1] >= '0' && from[1] <= '7' && from[2] >= '0' &&
            from[2] <= '7') {
            c = (char)((from[0] - '0') << 6 | (from[1] - '0') << 3 | (from[2] - '0'));
            from += 3;
        }
        if (length + 1 >= size)
            return false;
        to[length++] = c;
    }
    to[length] = '\0';
    return true;
}

/* ID PARENT DEVICE ROOT POINT OPTIONS [TAG...] - TYPE SOURCE SUPER-OPTIONS */
static bool parse_mount(char *line, struct mount *mount)
{
    char *state, *root = strtok_r(line, " \n", &state);
    for (int i = 0; root && i < FIELDS_BEFORE_ROOT; i++)
        root = strtok_r(NULL, " \n", &state);
    char *point = strtok_r(NULL, " \n", &state);
    char *field = point;
    while (field && strcmp(field, "-") != 0)
        field = strtok_r(NULL, " \n", &state);
    char *type = strtok_r(NULL, " \n", &state);
    (void)strtok_r(NULL, " \n", &state);
    char *options = strtok_r(NULL, " \n", &state);
    if (!field || !type)
        return false;
    if (strcmp(type, "cgroup2") == 0)
        mount->generation = V2;
    else if (strcmp(type, "cgroup") == 0 && options && list_holds(options, "cpu"))
        mount->generation = V1;
    else
        return false;
    return unescape(mount->root, sizeof mount->root, root) && unescape(mount->point, sizeof mount->point, point);
}

/* How many "/.." a path begins with; *rest is what follows them: "" or "/...". */
static int count_above(const char *path, const char **rest)
{
    int above = 0;
    while (strncmp(path, "/..", 3) == 0 && (path[3] == '/' || path[3] == '\0')) {
        path += 3;
        above++;
    }
    *rest = strcmp(path, "/") == 0 ? "" : path;
    return above;
}

/* The group's path below the mount point ("" for the mount point itself), or NULL when the mount does not hold it. */
static const char *path_below(const struct mount *mount, const char *path)
{
    const char *root_rest, *path_rest;
    int root_above = count_above(mount->root, &root_rest);
    int path_above = count_above(path, &path_rest);
    if (root_above > path_above)
        return root_rest[0] == '\0' ? "" : NULL;
    size_t length = strlen(root_rest);
    if (root_above < path_above || strncmp(path_rest, root_rest, length) != 0)
        return NULL;
    path_rest += length;
    return path_rest[0] == '/' || path_rest[0] == '\0' ? path_rest : NULL;
}

static bool read_value(const char *folder, const char *name, char text[VALUE_SIZE])
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
        return false;
    return salp__file_text(path, text, VALUE_SIZE) > 0;
}

/* A positive whole number at the beginning of the text; else 0. */
static double parse_time(const char *text, char **end)
{
    errno = 0;
    long long value = strtoll(text, end, 10);
    if (*end == text || errno != 0 || (**end != '\0' && **end != ' ' && **end != '\n'))
        return 0;
    return value > 0 ? (double)value : 0;
}

/* "max", -1, and what cannot be understood are no limit. */
static double ratio(double quota, double period)
{
    return quota > 0 && period > 0 ? quota / period : INFINITY;
}

static double smaller(double a, double b)
{
    return a < b ? a : b;
}

static double quota_v1(const char *folder)
{
    char quota[VALUE_SIZE], period[VALUE_SIZE], *end;
    if (!read_value(folder, "cpu.cfs_quota_us", quota))
        return INFINITY;
    if (!read_value(folder, "cpu.cfs_period_us", period))
        return INFINITY;
    return ratio(parse_time(quota, &end), parse_time(period, &end));
}

static double quota_v2(const char *folder)
{
    char text[VALUE_SIZE], *end;
    if (!read_value(folder, "cpu.max", text))
        return INFINITY;
    double quota = parse_time(text, &end);
    end += strspn(end, " \n");
    return ratio(quota, end[0] == '\0' ? PERIOD_DEFAULT : parse_time(end, &end));
}

/* The smallest quota of the group's folder and of every folder above it, up to the mount point. */
static double smallest_quota(const char *root, const struct mount *mount, const char *below)
{
    char folder[PATH_MAX];
    int top = snprintf(folder, sizeof folder, "%s%s", root, mount->point);
    if (top >= (int)sizeof folder)
        return INFINITY;
    int length = top + snprintf(folder + top, sizeof folder - (size_t)top, "%s", below);
    if (length >= (int)sizeof folder)
        return INFINITY;
    double smallest = INFINITY;
    for (;;) {
        smallest = smaller(smallest, mount->generation == V2 ? quota_v2(folder) : quota_v1(folder));
        if (length <= top)
            return smallest;
        while (length > top && folder[length - 1] != '/')
            length--;
        if (length > top)
            length--; /* the slash as well */
        folder[length] = '\0';
    }
}

/* Every mount that holds the group is asked: one may show ancestors that another one hides. */
static int quota_of(const char *root, const struct membership *membership, double *quota)
{
    FILE *file = open_below(root, "/proc/self/mountinfo");
    if (!file)
        return 0;
    struct mount *mount = malloc(sizeof *mount);
    char *line = NULL;
    size_t size = 0;
    while (mount && getline(&line, &size, file) > 0) {
        if (!parse_mount(line, mount) || mount->generation != membership->generation)
            continue;
        const char *below = path_below(mount, membership->path);
        if (below)
            *quota = smaller(*quota, smallest_quota(root, mount, below));
    }
    free(line);
    fclose(file);
    free(mount);
    return mount ? 0 : -ENOMEM;
}

int salp__processors_quota(const char *root, double *quota)
{
    *quota = INFINITY;
    FILE *file = open_below(root, "/proc/self/cgroup");
    if (!file)
        return -ENOENT;
    int error = 0;
    struct membership *membership = malloc(sizeof *membership);
    if (!membership)
        error = -ENOMEM;
    char *line = NULL;
    size_t size = 0;
    while (error == 0 && getline(&line, &size, file) > 0) {
        if (parse_membership(line, membership))
            error = quota_of(root, membership, quota);
    }
    free(line);
    free(membership);
    fclose(file);
    return error;
}

void salp__processors_share(const char *root, int available, salp_usable *usable)
{
    double quota = INFINITY;
    if (root)
        (void)salp__processors_quota(root, &quota); /* what cannot be read does not limit */
    *usable = (salp_usable){ .processors = available < 1 ? 1 : available };
    usable->quota = quota < INFINITY ? quota : 0;
    usable->capacity = smaller(usable->processors, quota);
    int whole = (int)usable->capacity;
    usable->workers = whole < usable->capacity ? whole + 1 : whole;
}

int salp__processors_limited(const char *root, int available)
{
    salp_usable usable;
    salp__processors_share(root, available, &usable);
    return usable.workers;
}

int salp__processors_mask(cpu_set_t **mask, size_t *size)
{
    /* The kernel refuses a mask that is shorter than its own (EINVAL), and nothing tells how long that one is. */
    for (int processors = MASK_FIRST; processors <= MASK_LAST; processors *= 2) {
        *mask = CPU_ALLOC((size_t)processors);
        if (!*mask)
            return 0;
        *size = CPU_ALLOC_SIZE((size_t)processors);
        int count = sched_getaffinity(0, *size, *mask) == 0 ? CPU_COUNT_S(*size, *mask) : -errno;
        if (count > 0)
            return count;
        CPU_FREE(*mask);
        *mask = NULL;
        if (count != -EINVAL)
            return 0;
    }
    return 0;
}

void salp__processors_ask(salp_usable *usable)
{
    cpu_set_t *mask;
    size_t size;
    int count = salp__processors_mask(&mask, &size);
    CPU_FREE(mask);
    salp__processors_share("", count > 0 ? count : (int)sysconf(_SC_NPROCESSORS_ONLN), usable);
}

int salp__processors_usable(void)
{
    salp_usable usable;
    salp__processors_ask(&usable);
    return usable.workers;
}
