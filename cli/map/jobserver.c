/*
 * The tokens of make.
 *
 * They are bytes in a pipe that make, its recipes and what those start all share, so its flags are not ours to change: it is
 * opened anew, for us alone, by its path or by /proc, and does not block. MAKEFLAGS names it, as "--jobserver-auth=3,4" or
 * "--jobserver-auth=fifo:/tmp/x" (GNU make's manual, "POSIX Jobserver Interaction").
 *
 * I1  A token is read into memory that all forks share, by one system call. So whoever is killed, and when, what was taken is
 *     known, and the guard gives it back.
 * I2  A token is forgotten before it is written back: if we are killed between the two it is lost, and make goes on with one job
 *     less at a time. The other way round it would be there twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/jobserver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MOST = 4096 };

struct map_jobserver {
    int from, to; /* opened by us */
    char *tokens; /* [MOST], shared by forks; those that are held come first, the others are zeros */
    int held;     /* of this process */
};

/* The last one of several counts, as make says. */
static const char *find_auth(const char *makeflags)
{
    static const char *const names[] = { "--jobserver-auth=", "--jobserver-fds=" };
    const char *found = NULL;
    for (int i = 0; i < 2 && !found; i++) {
        for (const char *at = makeflags; (at = strstr(at, names[i])) != NULL;) {
            at += strlen(names[i]);
            found = at;
        }
    }
    return found;
}

static int open_descriptor(int fd, int way)
{
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return open(path, way | O_NONBLOCK | O_CLOEXEC);
}

static void open_pipe(struct map_jobserver *j, const char *auth)
{
    int from, to;
    if (sscanf(auth, "%d,%d", &from, &to) != 2 || from < 0 || to < 0)
        return;
    j->from = open_descriptor(from, O_RDONLY);
    j->to = open_descriptor(to, O_WRONLY);
}

static void open_fifo(struct map_jobserver *j, const char *auth)
{
    char *path = strndup(auth, strcspn(auth, " "));
    if (!path)
        return;
    j->from = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    j->to = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    free(path);
}

int map_jobserver_open(struct map_jobserver **jobserver, const char *makeflags)
{
    static const char fifo[] = "fifo:";
    const char *auth = makeflags ? find_auth(makeflags) : NULL;
    *jobserver = NULL;
    if (!auth)
        return 0;
    struct map_jobserver *j = malloc(sizeof *j);
    if (!j)
        return 0;
    *j = (struct map_jobserver){ .from = -1, .to = -1 };
    void *tokens = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tokens != MAP_FAILED)
        j->tokens = tokens;
    if (strncmp(auth, fifo, strlen(fifo)) == 0)
        open_fifo(j, auth + strlen(fifo));
    else
        open_pipe(j, auth);
    *jobserver = j;
    if (j->tokens && j->from >= 0 && j->to >= 0)
        return 1;
    map_jobserver_close(j);
    *jobserver = NULL;
    fputs("salp map: make's jobserver cannot be reached: one job at a time is run. Put '+' before the line of the "
          "recipe, "
          "or say -j\n",
          stderr);
    return -EBADF;
}

int map_jobserver_take(struct map_jobserver *j)
{
    if (j->held == MOST || read(j->from, &j->tokens[j->held], 1) != 1) /* I1 */
        return 0;
    j->held++;
    return 1;
}

int map_jobserver_fd(const struct map_jobserver *j)
{
    return j->from;
}

static void give(struct map_jobserver *j, int which)
{
    const char token = j->tokens[which];
    *(volatile char *)&j->tokens[which] = 0;   /* I2 */
    ssize_t written = write(j->to, &token, 1); /* what was taken from the pipe has room there */
    (void)written;
}

void map_jobserver_give(struct map_jobserver *j)
{
    if (j->held > 0)
        give(j, --j->held);
}

void map_jobserver_give_all(struct map_jobserver *j)
{
    for (int i = 0; i < MOST && j->tokens[i]; i++)
        give(j, i);
    j->held = 0;
}

void map_jobserver_close(struct map_jobserver *j)
{
    if (!j)
        return;
    if (j->from >= 0)
        close(j->from);
    if (j->to >= 0)
        close(j->to);
    if (j->tokens)
        munmap(j->tokens, MOST);
    free(j);
}
