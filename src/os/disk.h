/*
 * Files, by name and by descriptor. Each of these may block for as long as a disk, or a server far away, takes; none ends
 * early for a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__DISK_H
#define SALP__DISK_H

#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { SALP__WHERE_IT_STANDS = -1 }; /* an offset: that of the descriptor, which moves on */

/* open(2), close-on-exec. Returns a descriptor. */
int salp__disk_open(const char *path, int flags, unsigned mode);

/* close(2): the descriptor is gone, whatever this returns. */
int salp__disk_close(int fd);

/* One read(2). Returns the count, 0 at the end. */
ssize_t salp__disk_read(int fd, void *data, size_t size, int64_t offset);

/* Writes all. -EPIPE and -EFBIG come without SIGPIPE and SIGXFSZ. */
int salp__disk_write(int fd, const void *data, size_t size, int64_t offset);

int salp__disk_sync(int fd);
int salp__disk_resize(int fd, int64_t size);
int salp__disk_status(int fd, struct stat *status);
int salp__disk_set_mode(int fd, unsigned mode);

int salp__disk_look_at(const char *path, struct stat *status); /* of what a symbolic link leads to */
int salp__disk_rename(const char *from, const char *to);
int salp__disk_remove(const char *path); /* a file or an empty directory */
int salp__disk_make_directory(const char *path, unsigned mode);

/* Without symbolic links, from malloc. */
int salp__disk_resolve(const char *path, char **real);

/* A name that nobody has guessed. */
int salp__disk_random_name(char *name, size_t size);

/* readdir. 1: *entry is the next one, until the next call; 0: there is none. */
int salp__disk_list_open(const char *path, DIR **directory);
int salp__disk_list_next(DIR *directory, struct dirent **entry);
void salp__disk_list_close(DIR *directory);

#endif
