/* Descriptors. SPDX-License-Identifier: MIT */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <salp/time.h>

#include "base/assert.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/pretend.h"

enum { HIGH_DESCRIPTOR = 500 };

int salp__memfd_open(const char *name)
{
    SALP__FAULT(-EMFILE);
    int fd = memfd_create(name, MFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

enum { SIZE_SEALS = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW };

int salp__memfd_open_to_seal(const char *name, bool huge, size_t *page)
{
    SALP__FAULT(-EMFILE);
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | (huge ? MFD_HUGETLB : 0));
    if (fd < 0)
        return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : -ENOTSUP;
    struct stat status;
    salp__must(fstat(fd, &status) == 0);
    *page = huge ? (size_t)status.st_blksize : (size_t)sysconf(_SC_PAGESIZE);
    return fd;
}

int salp__memfd_seal(int fd)
{
    SALP__FAULT(-ENOMEM);
    return fcntl(fd, F_ADD_SEALS, SIZE_SEALS) < 0 ? -errno : 0;
}

int64_t salp__memfd_sealed(int fd)
{
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return errno == EBADF ? -EBADF : -EINVAL;
    return (seals & SIZE_SEALS) == SIZE_SEALS && fstat(fd, &status) == 0 ? (int64_t)status.st_size : -EINVAL;
}

int salp__eventfd_open(void)
{
    SALP__FAULT(-EMFILE);
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

void salp__eventfd_ring(int fd)
{
    uint64_t one = 1;
    /* EAGAIN: the counter is full, so the reader has long been told. */
    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        continue;
}

void salp__eventfd_drain(int fd)
{
    uint64_t count;
    while (read(fd, &count, sizeof count) < 0 && errno == EINTR)
        continue;
}

void salp__eventfd_fill(int fd)
{
    uint64_t most = UINT64_MAX - 1;
    while (write(fd, &most, sizeof most) < 0 && errno == EINTR)
        continue;
}

static int check_file_limit(size_t end)
{
    struct rlimit limit;
    salp__must(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    return limit.rlim_cur != RLIM_INFINITY && end > limit.rlim_cur ? -EFBIG : 0;
}

int salp__file_reserve(int fd, size_t offset, size_t size)
{
    SALP__FAULT(-ENOSPC);
    int error = check_file_limit(offset + size);
    if (error < 0)
        return error;
    while (fallocate(fd, 0, (off_t)offset, (off_t)size) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int salp__file_extend(int fd, size_t size)
{
    SALP__FAULT(-ENOSPC);
    int error = check_file_limit(size);
    if (error < 0)
        return error;
    struct stat status;
    salp__must(fstat(fd, &status) == 0);
    if ((size_t)status.st_size >= size)
        return 0;
    while (ftruncate(fd, (off_t)size) < 0) {
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

void salp__file_punch(int fd, size_t offset, size_t size)
{
    while (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)size) < 0)
        salp__must(errno == EINTR);
}

int salp__file_read(int fd, void *data, size_t size, size_t offset)
{
    SALP__FAULT(-EIO);
    while (size > 0) {
        ssize_t count = pread(fd, data, size, (off_t)offset);
        if (count == 0)
            return -EIO;
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        data = (char *)data + count;
        offset += (size_t)count;
        size -= (size_t)count;
    }
    return 0;
}

int64_t salp__file_read_some(int fd, void *data, size_t size, int64_t offset)
{
    SALP__FAULT(-EIO);
    ssize_t count;
    do
        count = pread(fd, data, size, (off_t)offset);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

int salp__file_write(int fd, const void *data, size_t size, size_t offset)
{
    SALP__FAULT(-ENOSPC);
    while (size > 0) {
        ssize_t count = pwrite(fd, data, size, (off_t)offset);
        if (count == 0)
            return -EIO;
        if (count < 0) {
            if (errno == EINTR)
                continue;
            return -errno;
        }
        data = (const char *)data + count;
        offset += (size_t)count;
        size -= (size_t)count;
    }
    return 0;
}

int salp__file_append(int fd, const void *data, size_t size)
{
    for (const char *next = data; size > 0;) {
        ssize_t written = write(fd, next, size);
        if (written < 0 && errno != EINTR)
            return -errno;
        if (written > 0) {
            next += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

int salp__file_move_high(int fd)
{
    SALP__FAULT(-EMFILE);
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    /* RLIMIT_NOFILE is below that number. Not 0 to 2 all the same, which everybody writes to without a look. */
    if (high < 0 && errno == EINVAL)
        high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (high < 0)
        return -errno;
    salp__file_close(fd);
    return high;
}

int salp__file_move_above(int fd, int least)
{
    SALP__FAULT(-EMFILE);
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, least);
    if (moved < 0)
        return -errno;
    salp__file_close(fd);
    return moved;
}

int salp__file_copy_to(int fd, int number)
{
    SALP__FAULT(-EMFILE);
    while (dup3(fd, number, number > STDERR_FILENO ? O_CLOEXEC : 0) < 0) {
        if (errno != EINTR && errno != EBUSY)
            return -errno;
    }
    return 0;
}

bool salp__file_identify(int fd, salp__file_identity *identity)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return false;
    *identity = (salp__file_identity){ .device = status.st_dev, .inode = status.st_ino };
    return true;
}

bool salp__path_identify_socket(const char *path, salp__file_identity *identity)
{
    struct stat status;
    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    *identity = (salp__file_identity){ .device = status.st_dev, .inode = status.st_ino };
    return true;
}

int salp__path_is_folder(const char *path)
{
    SALP__FAULT(-ENOMEM);
    struct stat status;
    return stat(path, &status) < 0 ? -errno : S_ISDIR(status.st_mode);
}

void salp__path_remove(const char *path)
{
    (void)unlink(path);
}

int salp__path_chmod(const char *path, unsigned mode)
{
    SALP__FAULT(-EPERM);
    return chmod(path, mode) < 0 ? -errno : 0;
}

int salp__descriptors_allowed(void)
{
    struct rlimit limit;
    salp__must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    return limit.rlim_cur < INT_MAX ? (int)limit.rlim_cur : INT_MAX;
}

void salp__file_close_on_exec(int fd)
{
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC); /* fails only for a number that is not open */
}

bool salp__file_outlives_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

void salp__file_close(int fd)
{
    if (fd >= 0)
        (void)close(fd); /* Linux frees the number whatever close returns */
}

int salp__file_text(const char *path, char *text, size_t size)
{
    SALP__FAULT(-EMFILE);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    size_t length = 0;
    int error = 0;
    while (length < size - 1) {
        ssize_t count = read(fd, text + length, size - 1 - length);
        if (count == 0)
            break;
        if (count < 0) {
            if (errno == EINTR)
                continue;
            error = -errno;
            break;
        }
        length += (size_t)count;
    }
    salp__file_close(fd);
    text[length] = '\0';
    return error < 0 ? error : (int)length;
}

static bool limit(struct timespec *time, int64_t deadline)
{
    if (deadline == SALP_FOREVER)
        return false;
    int64_t left = deadline > 0 ? deadline - salp__now() : 0;
    if (left < 0)
        left = 0;
    *time = (struct timespec){ .tv_sec = left / SALP_SECONDS(1), .tv_nsec = left % SALP_SECONDS(1) };
    return true;
}

int salp__poll_for(salp__pollee set[], int count, int64_t deadline)
{
    struct pollfd polled[SALP__MAX_POLLEES];
    struct timespec time;
    nfds_t looked_at = 0;
    salp__must(count <= SALP__MAX_POLLEES);
    /* Those that are not looked at would count, too: RLIMIT_NOFILE is how many may be polled. */
    for (int i = 0; i < count; i++) {
        if (set[i].fd >= 0)
            polled[looked_at++] = (struct pollfd){ .fd = set[i].fd, .events = (short)set[i].events };
    }
    if (deadline > 0 && salp__skips_to(deadline))
        deadline = 0;
    int result = ppoll(polled, looked_at, limit(&time, deadline) ? &time : NULL, NULL);
    if (result < 0 && errno == EINVAL)
        return -EMFILE;
    if (result < 0) {
        /* ENOMEM: the kernel could not allocate; the caller looks at everything and polls again. */
        salp__must(errno == EINTR || errno == ENOMEM);
        return -EINTR;
    }
    for (int i = 0, at = 0; i < count; i++)
        set[i].came = set[i].fd < 0 ? 0 : (uint16_t)polled[at++].revents;
    return result;
}

int salp__poll(const int fds[], bool ready[], int count, int64_t deadline)
{
    salp__pollee set[SALP__MAX_POLLEES];
    salp__must(count <= SALP__MAX_POLLEES);
    for (int i = 0; i < count; i++)
        set[i] = (salp__pollee){ .fd = fds[i], .events = POLLIN };
    int result = salp__poll_for(set, count, deadline);
    for (int i = 0; i < count && result >= 0; i++)
        ready[i] = set[i].came != 0;
    return result;
}

int salp__file_copy(int fd)
{
    SALP__FAULT(-EMFILE);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return copy < 0 ? -errno : copy;
}

void salp__close_all_but(int first, const int keep[], int count)
{
    for (int i = 0; i < count; i++) {
        if (keep[i] < first)
            continue;
        if (keep[i] > first)
            (void)syscall(SYS_close_range, (unsigned)first, (unsigned)keep[i] - 1, 0);
        first = keep[i] + 1;
    }
    (void)syscall(SYS_close_range, (unsigned)first, ~0U, 0);
}
