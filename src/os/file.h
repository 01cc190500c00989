/*
 * Descriptors. All that are made here are close-on-exec.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__FILE_H
#define SALP__FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Memory that lives as long as somebody holds or maps it; no name in any directory. */
int salp__memfd_open(const char *name);

/* The same for memory whose size is to be sealed; `huge`: of huge pages that the system has reserved. `page`: bytes of one. */
int salp__memfd_open_to_seal(const char *name, bool huge, size_t *page);
/* From now on nobody can change its size. */
int salp__memfd_seal(int fd);
/* The size of one that was sealed so, or -EINVAL: it is something else; -EBADF. */
int64_t salp__memfd_sealed(int fd);

/* An eventfd, not blocking. */
int salp__eventfd_open(void);
void salp__eventfd_ring(int fd);
void salp__eventfd_drain(int fd);
/* Of one that was not rung: as full as can be, so that it cannot be written until it is drained. */
void salp__eventfd_fill(int fd);

/*
 * Backs [offset, offset + size) with real memory, extending the file, so that later stores cannot fail.
 * Errors: -ENOSPC, -ENOMEM; -EFBIG past RLIMIT_FSIZE (asked first: the kernel would send SIGXFSZ).
 */
int salp__file_reserve(int fd, size_t offset, size_t size);

/* Extends the file with a hole up to `size`. Errors as above. */
int salp__file_extend(int fd, size_t size);

/* Gives the memory of a range back; it reads as zeros again. */
void salp__file_punch(int fd, size_t offset, size_t size);

/* All of `size` bytes at an offset, or a negative error; a short file is -EIO. */
int salp__file_read(int fd, void *data, size_t size, size_t offset);
int salp__file_write(int fd, const void *data, size_t size, size_t offset);

/* At most `size` bytes at an offset: how many, 0 at the end. */
int64_t salp__file_read_some(int fd, void *data, size_t size, int64_t offset);

/* All of `size` bytes where the descriptor stands, as write(2). */
int salp__file_append(int fd, const void *data, size_t size);

/* A copy of the descriptor with a high number, out of the way of what jobs open and close by number. */
int salp__file_move_high(int fd);

/* A copy of the descriptor with the number `least` or above, close-on-exec, in its place. Errors: -EMFILE; -EINVAL there are no
   such numbers: then it stays. */
int salp__file_move_above(int fd, int least);

/* Another number for the same open file, this one: what was open there is closed. Close-on-exec, but not as standard input,
   output or error. Errors: -EBADF: too high a number; -EMFILE. */
int salp__file_copy_to(int fd, int number);

/* Which file this is: two descriptors are of one file when both numbers are equal. false: not open. */
typedef struct salp__file_identity {
    uint64_t device;
    uint64_t inode;
} salp__file_identity;
bool salp__file_identify(int fd, salp__file_identity *identity);

/* The same of the Unix socket at a path. false: there is none, or it is something else, also a symbolic link. */
bool salp__path_identify_socket(const char *path, salp__file_identity *identity);
/* Whether it leads to a folder: 1 or 0, or an error. */
int salp__path_is_folder(const char *path);

/* Of a socket or a file that may be gone: never a directory, unlike salp__disk_remove (os/disk.h), and no matter if it fails. */
void salp__path_remove(const char *path);
int salp__path_chmod(const char *path, unsigned mode);

/* How many descriptors this process may have. */
int salp__descriptors_allowed(void);

/* For descriptors that were inherited on purpose, and are not to be once more. */
void salp__file_close_on_exec(int fd);

/* Whether a program that is executed has it: it is open, and not marked so. */
bool salp__file_outlives_exec(int fd);

void salp__file_close(int fd); /* accepts -1 */

/* Reads a small file (of /proc, say) as text. Returns the length, cut at size - 1, or a negative error. */
int salp__file_text(const char *path, char *text, size_t size);

/* What one of many descriptors is waited for. */
typedef struct salp__pollee {
    int fd;          /* -1: not looked at */
    uint32_t events; /* as in os/epoll.h */
    uint32_t came;
} salp__pollee;

enum { SALP__MAX_POLLEES = 16 };

/* Waits until one of the descriptors is ready. Returns how many are, 0 at the deadline, -EINTR, or -EMFILE: they are more than
   RLIMIT_NOFILE, which was lowered since they were opened. */
int salp__poll_for(salp__pollee set[], int count, int64_t deadline);

/* The same for descriptors to be read: ready[i] says which are. */
int salp__poll(const int fds[], bool ready[], int count, int64_t deadline);

/* Another number for the same open file. Errors: -EMFILE, -EBADF. */
int salp__file_copy(int fd);

/* Closes every descriptor from `first` on that is not in keep[] (in rising order). */
void salp__close_all_but(int first, const int keep[], int count);

#endif
