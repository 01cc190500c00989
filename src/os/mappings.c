/* What is mapped into this process. SPDX-License-Identifier: MIT */
#include "os/mappings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

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
