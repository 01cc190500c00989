/* How many jobs may run at a time. SPDX-License-Identifier: MIT */
#include "map/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <salp/machine.h>

#include "map/values.h"

enum {
    OWN_DESCRIPTORS = 32, /* of this program, whatever the jobs are */
    JOB_DESCRIPTORS = 4,  /* two pipes, its pidfd, one more while it is started */
    MOST = 65536,
};

int map_slots_processors(void)
{
    salp_usable usable = { .capacity = 1 };
    (void)salp_machine_usable(&usable);
    int whole = (int)usable.capacity;
    return whole + (usable.capacity > whole ? 1 : 0);
}

static int most(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= (rlim_t)MOST * JOB_DESCRIPTORS)
        return MOST;
    int64_t jobs = ((int64_t)limit.rlim_cur - OWN_DESCRIPTORS) / JOB_DESCRIPTORS;
    return jobs < 1 ? 1 : (int)jobs;
}

static int bounded(double number)
{
    int bound = most();
    return number < 1 ? 1 : number > bound ? bound : (int)(number + 0.5);
}

/* The first word of the file. */
static int read_file(const char *path)
{
    char text[64];
    struct map_slots found;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    int error = errno;
    if (fd >= 0)
        close(fd);
    if (size < 0) {
        fprintf(stderr, "salp map: -j %s: no number, and no file: %s\n", path, strerror(error));
        return -EINVAL;
    }
    text[size] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    if (map_value_slots(text, &found) && found.kind != MAP_SLOTS_FILE)
        return map_slots_count(&found);
    fprintf(stderr, "salp map: -j %s: there is no number of jobs in that file\n", path);
    return -EINVAL;
}

int map_slots_count(const struct map_slots *slots)
{
    switch (slots->kind) {
    case MAP_SLOTS_NUMBER:
        return slots->number == 0 ? most() : bounded(slots->number);
    case MAP_SLOTS_PERCENT:
        return bounded(map_slots_processors() * slots->number / 100);
    case MAP_SLOTS_RELATIVE:
        return bounded(map_slots_processors() + slots->number);
    case MAP_SLOTS_FILE:
        return read_file(slots->path);
    default:
        return bounded(map_slots_processors());
    }
}
