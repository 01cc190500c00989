/* Paths of Unix sockets; the header tells which. SPDX-License-Identifier: MIT */
#include "stream/place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/process.h"
#include "os/socket.h"

/* Whether nobody is there any more whose socket this was. */
static bool is_left_behind(int kind, const salp_address *address)
{
    int fd = salp__socket_open(AF_UNIX, kind, 0);
    if (fd < 0)
        return false;
    int error = salp__socket_connect(fd, address);
    salp__file_close(fd);
    return error == -ECONNREFUSED;
}

static int bind_path(int fd, int kind, const salp_address *address, const char *path)
{
    salp__file_identity before, now;
    bool known = salp__path_identify_socket(path, &before);
    int error = salp__socket_bind(fd, address);
    if (error == -EADDRINUSE && known && is_left_behind(kind, address) && salp__path_identify_socket(path, &now) &&
        memcmp(&before, &now, sizeof now) == 0) {
        salp__path_remove(path);
        error = salp__socket_bind(fd, address);
    }
    return error;
}

int salp__place_bind(salp__place *place, int fd, int kind, const salp_address *address, unsigned mode)
{
    const struct sockaddr_un *name = (const void *)address->data;
    const size_t before = offsetof(struct sockaddr_un, sun_path);
    place->path[0] = 0;
    /* Neither an abstract name nor none at all. */
    if (salp_address_family(address) != SALP_UNIX || address->size <= before || name->sun_path[0] == 0)
        return salp__socket_bind(fd, address);
    snprintf(place->path, sizeof place->path, "%.*s", (int)(address->size - before), name->sun_path);
    place->forks = salp__forks();
    int error = bind_path(fd, kind, address, place->path);
    if (error < 0) {
        place->path[0] = 0;
        return error;
    }
    error = mode != 0 ? salp__path_chmod(place->path, mode) : 0;
    if (error < 0)
        salp__path_remove(place->path);
    /* Somebody may have removed it already: it is as if that had come later. */
    if (error < 0 || !salp__path_identify_socket(place->path, &place->file))
        place->path[0] = 0;
    return error;
}

void salp__place_leave(salp__place *place)
{
    salp__file_identity now;
    if (place->path[0] && place->forks == salp__forks() && salp__path_identify_socket(place->path, &now) &&
        memcmp(&now, &place->file, sizeof now) == 0)
        salp__path_remove(place->path);
    place->path[0] = 0;
}
