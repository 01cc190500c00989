/* Listeners as they are inside. SPDX-License-Identifier: MIT */
#ifndef SALP__LISTENER_H
#define SALP__LISTENER_H

#include <stdatomic.h>

#include <salp/stream.h>

#include "loop/port.h"
#include "os/file.h"

struct salp_listener {
    salp__port port;
    salp__port stop;      /* an eventfd: readable from when it is shut down, for all who wait, wherever */
    _Atomic bool stopped; /* release in shutdown, acquire in accept */
    salp__latch latch;    /* of a shutdown that is under way */
    _Atomic int open;     /* of the two ports; the last one that is gone frees it */
    salp_listen_options options;
    char *path;               /* to be removed, or NULL */
    salp__file_identity file; /* of the path */
};

#endif
