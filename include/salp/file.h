/*
 * salp/file.h - files that hold up nobody.
 *
 *     salp_buffer text = { 0 };
 *     int error = salp_file_load("config", &text);
 *     ...
 *     error = salp_file_store("config", text.data, text.size);    // all of it, or as it was
 *
 * There is no way to wait for a file: a call of the system returns when the disk, or
 * a server far away, has done it. So a task has it done by a thread, and waits; the
 * other tasks of its loop go on. A plain thread that is in no scope makes the call
 * itself. At most 32 calls are under way at a time; others wait for their turn.
 *
 * What a scope ends
 *   A scope (salp/task.h) that is over ends the wait at once, with -ECANCELED or
 *   -ETIMEDOUT, also if the call would not have had to wait. A call of the system
 *   that is under way cannot be taken back: it is left behind, and may still
 *   succeed. It uses copies: memory of the caller is never touched after a call has
 *   returned. The next call on the same file waits until what was left behind has
 *   ended, so that it cannot come too late.
 *
 * Any task and thread may call these, several at once on one file. A callback of a loop
 * cannot: SALP_EINSIDE. In a child made by fork, files that were opened before are of no
 * use, save for their descriptors.
 *
 * Errors of all calls, besides what each lists: -EINVAL: a pointer that must not be is
 * NULL; -ECANCELED, -ETIMEDOUT; SALP_EINSIDE; -EAGAIN: no thread could be started;
 * -ENOMEM; and what the system says, as in open(2), read(2), ...: -ENOENT, -EACCES,
 * -EISDIR, -EIO, -ENOSPC, ... Nothing ends early for a signal, and SIGPIPE and SIGXFSZ
 * do not come: there is -EPIPE, and -EFBIG.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_FILE_H
#define SALP_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/base.h>
#include <salp/buffer.h>
#include <salp/error.h>

SALP_BEGIN

/* ---- whole files ---- */

/*
 * Appends all bytes of a file to the buffer. After an error it is as it was.
 * Waits: yes.
 */
SALP_API int salp_file_load(const char *path, salp_buffer *buffer);

/*
 * Makes a file of these bytes, or replaces what it held: whatever happens, power
 * failures included, it holds either all of the new bytes or what it held before.
 * A new file is written beside it, brought to the disk, and given its name. The
 * permissions of the old one are kept; without one they are 0666 less the umask.
 * Where a symbolic link leads to is replaced, and the link itself only if it leads
 * nowhere. What is no regular file (a device, a pipe) is not replaced but written to.
 *
 * `data`: may be NULL when size is 0. In a task it is copied first.
 * Waits: yes. Left behind, it leaves the file as it was, unless the new one was just
 * about to get its name. Only a program that is killed meanwhile leaves the new
 * file behind, named .salp- and 16 digits.
 * Errors: -EISDIR: it is a directory; -ENOSPC, -EDQUOT, -EFBIG: it would be too large.
 */
SALP_API int salp_file_store(const char *path, const void *data, size_t size);

/* ---- open files ---- */

typedef struct salp_file salp_file;

/*
 * Opens a file. `flags` as for open(2): O_RDONLY, O_WRONLY or O_RDWR, and O_CREAT,
 * O_TRUNC, O_APPEND, ... (from <fcntl.h>); O_CLOEXEC is added. `mode`: permissions of
 * a file that is made, less the umask; 0: 0666.
 *
 * Owns: *file, until salp_file_close; NULL after an error. Waits: yes. When a
 * scope has ended the wait, a file that is opened all the same is closed again.
 */
SALP_API int salp_file_open(salp_file **file, const char *path, int flags, unsigned mode);

/*
 * Closes it, and frees the object. NULL is accepted. Waits: yes. Whatever it returns,
 * the file is closed or will be: after -ECANCELED, -ETIMEDOUT or SALP_EINSIDE, or while
 * calls are under way that were left behind, as soon as that can be.
 *
 * Errors: -EIO, -ENOSPC, -EDQUOT: something written before did not reach its place (some
 * file systems know only now; salp_file_sync makes sure).
 */
SALP_API int salp_file_close(salp_file *file);

/*
 * Reads up to `size` bytes from where the file stands, as soon as there are some, and
 * moves on. Returns how many, 0 at the end. In a task up to 256 KiB at a time.
 * Waits: yes. What is read by a call that was left behind is lost.
 */
SALP_API ssize_t salp_file_read(salp_file *file, void *data, size_t size);

/* Writes all bytes where the file stands (with O_APPEND: at its end), and moves on. Waits: yes. After an error a part may
   have been written. */
SALP_API int salp_file_write(salp_file *file, const void *data, size_t size);

/*
 * Reads `size` bytes from this offset; the file stands where it stood. Returns how
 * many: fewer only if it ends before. Waits: yes.
 * Errors: -ESPIPE: a pipe or a device has no offsets; -EINVAL: offset is negative.
 */
SALP_API ssize_t salp_file_read_at(salp_file *file, void *data, size_t size, int64_t offset);

/* Writes all bytes at this offset; the file stands where it stood. Waits: yes. Errors: as for salp_file_read_at; after one a
   part may have been written. */
SALP_API int salp_file_write_at(salp_file *file, const void *data, size_t size, int64_t offset);

/* What was written before has reached the disk when this returns 0, fsync(2). Waits: yes. */
SALP_API int salp_file_sync(salp_file *file);

/* Cuts it off, or fills it up with zeros. Waits: yes. Errors: -EINVAL: size is negative, or it is no regular file. */
SALP_API int salp_file_resize(salp_file *file, int64_t size);

/* The descriptor: it stays the file's, and must not be closed. -EINVAL for NULL. Waits: no. */
SALP_API int salp_file_descriptor(const salp_file *file);

/* ---- what the system knows of them ---- */

typedef enum salp_file_type {
    SALP_FILE_OTHER, /* a device, a pipe, a socket; or the file system does not say */
    SALP_FILE_REGULAR,
    SALP_FILE_DIRECTORY,
    SALP_FILE_LINK, /* a symbolic link: in lists of directories only */
} salp_file_type;

typedef struct salp_file_info {
    salp_file_type type;
    unsigned mode;    /* permissions */
    int64_t size;     /* bytes */
    int64_t modified; /* nanoseconds since the beginning of 1970, UTC, at most to 2262: when it was written last */
    uint64_t device;  /* two files are the same when device and inode are */
    uint64_t inode;
    uint64_t links; /* names that it has */
    uid_t user;
    gid_t group;
} salp_file_info;

/* Waits: yes. Of a symbolic link: about what it leads to. */
SALP_API int salp_file_status(salp_file *file, salp_file_info *info);
SALP_API int salp_path_status(const char *path, salp_file_info *info);

/* ---- names ---- */

/* Gives a file or directory another name, in place of what had that name, at one moment, rename(2). Waits: yes. */
SALP_API int salp_path_rename(const char *from, const char *to);

/* Removes a name: of a file, or of an empty directory. Waits: yes. Errors: -ENOTEMPTY. */
SALP_API int salp_path_remove(const char *path);

/* Makes a directory. `mode`: its permissions, less the umask; 0: 0777. Waits: yes. Errors: -EEXIST. */
SALP_API int salp_directory_make(const char *path, unsigned mode);

typedef struct salp_entry {
    const char *name;    /* without the path */
    salp_file_type type; /* of a symbolic link: SALP_FILE_LINK */
} salp_entry;

/*
 * Lists a directory, without "." and "..", sorted by the bytes of the names. Returns
 * how many there are, and sets *entries to them, to be freed with salp_entries_free;
 * after an error to NULL. Waits: yes.
 * Errors: -ENOTDIR.
 */
SALP_API int salp_directory_list(salp_entry **entries, const char *path);

/* Accepts NULL. */
SALP_API void salp_entries_free(salp_entry *entries);

SALP_END

#endif
