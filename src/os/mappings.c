/* What is mapped into this process. SPDX-License-Identifier: MIT */
#include "os/mappings.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/fault.h"

/* START-END PERMISSIONS OFFSET MAJOR:MINOR INODE      PATH */
static bool parse(char *line, salp__mapping *mapping)
{
    char permissions[5];
    unsigned major_number, minor_number;
    int path = -1;
    line[strcspn(line, "\n")] = '\0';
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n", &mapping->start, &mapping->end,
               permissions, &mapping->offset, &major_number, &minor_number, &mapping->inode, &path) < 7 ||
        path < 0)
        return false;
    mapping->device = makedev(major_number, minor_number);
    mapping->executable = strchr(permissions, 'x') != NULL;
    mapping->path = line + path;
    return true;
}

int salp__mappings_each(salp__mapping_fn *function, void *arg)
{
    SALP__FAULT(-EMFILE);
    FILE *file = fopen("/proc/self/maps", "re");
    if (!file)
        return -errno;
    char *line = NULL;
    size_t size = 0;
    int error = 0;
    for (;;) {
        salp__mapping mapping;
        errno = 0;
        if (getline(&line, &size, file) <= 0) {
            error = feof(file) ? 0 : -errno;
            break;
        }
        if (parse(line, &mapping) && !function(&mapping, arg))
            break;
    }
    free(line);
    fclose(file);
    return error;
}

void salp__mappings_each_in(char *text, salp__mapping_fn *function, void *arg)
{
    for (char *end; (end = strchr(text, '\n')); text = end + 1) {
        salp__mapping mapping;
        *end = '\0';
        if (parse(text, &mapping) && !function(&mapping, arg))
            return;
    }
}

void salp__mappings_keep(char *text, size_t size)
{
    size_t kept = 0;
    ssize_t count = 1;
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && count > 0 && kept < size - 1) {
        count = read(fd, text + kept, size - 1 - kept);
        if (count > 0)
            kept += (size_t)count;
    }
    if (fd >= 0)
        close(fd);
    text[kept] = '\0';
}
