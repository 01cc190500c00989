/*
 * Files. A FIFO stands in for a slow disk: opening one blocks in the kernel until somebody opens its other end, and
 * reading one until somebody writes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <ftw.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/file.h>
#include <salp/loop.h>

#ifdef SALP_HOSTILE
enum { MOST = 2 }; /* calls that are under way at a time */
#else
enum { MOST = 32 };
#endif

/* ---- what the library calls ---- */

/* These stand before those of libc, and tell when a call that may block is about to: of opening a path with "fifo" in it,
   and of reading from one descriptor. Bringing files to a slow disk waits at a gate. */
static atomic_int opening, reading;
static atomic_int read_from = -1;
static atomic_bool disk_is_slow;
static struct gate disk;

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    unsigned mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, unsigned) : 0;
    va_end(arguments);
    if (strstr(path, "fifo") && !(flags & O_NONBLOCK))
        atomic_fetch_add(&opening, 1);
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t read(int fd, void *data, size_t size)
{
    if (fd == atomic_load(&read_from))
        atomic_fetch_add(&reading, 1);
    return syscall(SYS_read, fd, data, size);
}

int fsync(int fd)
{
    if (atomic_load(&disk_is_slow))
        EXPECT(gate_pass(&disk) == 0);
    return (int)syscall(SYS_fsync, fd);
}

/* ---- a directory for each test ---- */

static char folder[] = "/tmp/salp-file-XXXXXX";

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status, (void)type, (void)place;
    return remove(path);
}

static void remove_folder(void)
{
    if (nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) != 0)
        fprintf(stderr, "# %s stays\n", folder);
}

static void open_folder(void)
{
    EXPECT(mkdtemp(folder));
    EXPECT(chdir(folder) == 0);
}

/* Runs it in a folder of its own: once in a task, once in a plain thread, and once in one that is in a scope. */
static void everywhere(salp_fn *function)
{
    static const char *const places[] = { "task", "thread", "scope" };
    salp_scope scope;
    open_folder();
    for (int i = 0; i < 3; i++) {
        EXPECT(mkdir(places[i], 0700) == 0 && chdir(places[i]) == 0);
        if (i == 2)
            salp_scope_open(&scope, SALP_FOREVER);
        EXPECT((i == 0 ? salp_run(function, NULL) : function(NULL)) == 0);
        if (i == 2)
            EXPECT(salp_scope_close(&scope) == 0);
        EXPECT(chdir("..") == 0);
    }
    remove_folder();
}

/* Runs it in a task, in a folder of its own. */
static void in_task(salp_fn *function)
{
    open_folder();
    EXPECT(salp_run(function, NULL) == 0);
    remove_folder();
}

static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    EXPECT(file && fputs(text, file) >= 0);
    EXPECT(fclose(file) == 0);
}

static void expect_text(const char *path, const char *text)
{
    char found[256] = "";
    FILE *file = fopen(path, "re");
    EXPECT(file);
    found[fread(found, 1, sizeof found - 1, file)] = '\0';
    fclose(file);
    if (strcmp(found, text) != 0)
        fprintf(stderr, "# %s holds \"%s\"\n", path, found);
    EXPECT(strcmp(found, text) == 0);
}

/* How many names there are, without those that begin every directory. */
static int count_names(void)
{
    salp_entry *entries;
    int count = salp_directory_list(&entries, ".");
    EXPECT(count >= 0);
    salp_entries_free(entries);
    return count;
}

/* ---- what the calls do ---- */

static int use_open_file(void *arg)
{
    salp_file *file;
    char text[32];
    salp_file_info info;
    (void)arg;
    EXPECT(salp_file_open(&file, "a", O_RDWR | O_CREAT | O_EXCL, 0640) == 0);
    EXPECT(salp_file_write(file, "hello ", 6) == 0);
    EXPECT(salp_file_write(file, "world", 5) == 0);
    EXPECT(salp_file_write(file, NULL, 0) == 0);
    EXPECT(salp_file_read(file, text, sizeof text) == 0); /* it stands at the end */
    EXPECT(salp_file_read_at(file, text, sizeof text, 6) == 5 && memcmp(text, "world", 5) == 0);
    EXPECT(salp_file_read_at(file, text, 2, 1) == 2 && memcmp(text, "el", 2) == 0);
    EXPECT(salp_file_read_at(file, text, 2, 100) == 0);
    EXPECT(salp_file_read_at(file, NULL, 0, 0) == 0);
    EXPECT(salp_file_write_at(file, "J", 1, 0) == 0);
    EXPECT(salp_file_write(file, "!", 1) == 0); /* where it stood */
    EXPECT(salp_file_sync(file) == 0);
    EXPECT(salp_file_status(file, &info) == 0);
    EXPECT(info.type == SALP_FILE_REGULAR && info.size == 12 && (info.mode & 0777) == (0640 & ~022));
    expect_text("a", "Jello world!");
    EXPECT(salp_file_resize(file, 4) == 0);
    EXPECT(salp_file_resize(file, 5) == 0);
    EXPECT(salp_file_read_at(file, text, sizeof text, 0) == 5 && memcmp(text, "Jell", 5) == 0);
    EXPECT(fcntl(salp_file_descriptor(file), F_GETFD) == FD_CLOEXEC);
    EXPECT(salp_file_close(file) == 0);

    EXPECT(salp_file_open(&file, "a", O_WRONLY | O_APPEND, 0) == 0);
    EXPECT(salp_file_resize(file, 0) == 0);
    EXPECT(salp_file_write(file, "x", 1) == 0 && salp_file_write(file, "y", 1) == 0);
    EXPECT(salp_file_read(file, text, 1) == -EBADF);
    EXPECT(salp_file_close(file) == 0);
    expect_text("a", "xy");

    EXPECT(salp_file_open(&file, "a", O_RDONLY, 0) == 0);
    EXPECT(salp_file_read(file, text, 1) == 1 && *text == 'x');
    EXPECT(salp_file_read(file, text, 5) == 1 && *text == 'y');
    EXPECT(salp_file_read(file, text, 5) == 0);
    EXPECT(salp_file_write(file, "x", 1) == -EBADF);
    EXPECT(salp_file_close(file) == 0);
    return 0;
}

static void open_files_are_read_and_written(void **state)
{
    (void)state;
    umask(022);
    everywhere(use_open_file);
}

/* More than a piece, and no multiple of one. */
static int use_large_file(void *arg)
{
    enum { SIZE = 3000001 };
    char *data = malloc(SIZE), *back = malloc(SIZE + 1);
    salp_file *file;
    salp_buffer buffer = { 0 };
    (void)arg;
    EXPECT(data && back);
    for (int i = 0; i < SIZE; i++)
        data[i] = (char)(i * 7 / 5);
    EXPECT(salp_file_open(&file, "large", O_RDWR | O_CREAT, 0) == 0);
    EXPECT(salp_file_write(file, data, SIZE) == 0);
    EXPECT(salp_file_read_at(file, back, SIZE + 1, 0) == SIZE && memcmp(data, back, SIZE) == 0);
    EXPECT(salp_file_write_at(file, data, SIZE, 1) == 0);
    EXPECT(salp_file_read_at(file, back, SIZE, 1) == SIZE && memcmp(data, back, SIZE) == 0);
    EXPECT(salp_file_close(file) == 0);
    EXPECT(salp_file_store("large", data, SIZE) == 0);
    EXPECT(salp_file_load("large", &buffer) == 0);
    EXPECT(buffer.size == SIZE && memcmp(buffer.data, data, SIZE) == 0);
    EXPECT(salp_file_load("large", &buffer) == 0); /* behind what is there */
    EXPECT(buffer.size == 2 * SIZE && memcmp((char *)buffer.data + SIZE, data, SIZE) == 0);
    /* in pieces of its own */
    EXPECT(salp_file_open(&file, "large", O_RDONLY, 0) == 0);
    size_t done = 0;
    ssize_t count;
    while ((count = salp_file_read(file, back + done, SIZE + 1 - done)) > 0)
        done += (size_t)count;
    EXPECT(count == 0 && done == SIZE && memcmp(data, back, SIZE) == 0);
    EXPECT(salp_file_close(file) == 0);
    salp_buffer_free(&buffer);
    free(data);
    free(back);
    return 0;
}

static void files_may_be_larger_than_what_is_read_at_once(void **state)
{
    (void)state;
    everywhere(use_large_file);
}

static int load_and_store(void *arg)
{
    salp_buffer buffer = { 0 };
    struct stat status;
    (void)arg;
    EXPECT(salp_file_load("none", &buffer) == -ENOENT && !buffer.data);
    EXPECT(salp_file_load(".", &buffer) == -EISDIR && !buffer.data);
    EXPECT(salp_file_store("new", "abc", 3) == 0);
    expect_text("new", "abc");
    EXPECT(stat("new", &status) == 0 && (status.st_mode & 0777) == 0644);
    EXPECT(salp_file_load("new", &buffer) == 0);
    EXPECT(buffer.size == 3 && memcmp(buffer.data, "abc", 3) == 0);
    /* it keeps its permissions, and its other names keep what they had */
    EXPECT(chmod("new", 0640) == 0 && link("new", "old") == 0 && symlink("new", "to") == 0);
    EXPECT(salp_file_store("to", "defg", 4) == 0);
    expect_text("new", "defg");
    expect_text("old", "abc");
    EXPECT(lstat("to", &status) == 0 && S_ISLNK(status.st_mode));
    EXPECT(stat("new", &status) == 0 && (status.st_mode & 0777) == 0640);
    EXPECT(salp_file_store("new", NULL, 0) == 0);
    expect_text("new", "");
    EXPECT(salp_file_store("./new", "x", 1) == 0);
    expect_text("new", "x");
    /* a link that leads nowhere is replaced itself */
    EXPECT(unlink("to") == 0 && symlink("nowhere", "to") == 0);
    EXPECT(salp_file_store("to", "y", 1) == 0);
    expect_text("to", "y");
    EXPECT(lstat("to", &status) == 0 && S_ISREG(status.st_mode) && access("nowhere", F_OK) < 0);
    EXPECT(salp_file_store(".", "x", 1) == -EISDIR);
    EXPECT(salp_file_store("new/x", "x", 1) == -ENOTDIR);
    EXPECT(salp_file_store("none/x", "x", 1) == -ENOENT);
    EXPECT(salp_file_store("", "x", 1) == -ENOENT);
    EXPECT(count_names() == 3);
    /* files that do not say how large they are */
    salp_buffer_free(&buffer);
    EXPECT(salp_file_load("/proc/self/stat", &buffer) == 0 && buffer.size > 10);
    salp_buffer_free(&buffer);
    return 0;
}

static void whole_files_are_loaded_and_replaced(void **state)
{
    (void)state;
    umask(022);
    everywhere(load_and_store);
}

static int fill_disk(void *arg)
{
    struct stat status;
    struct rlimit limit = { .rlim_cur = 1000, .rlim_max = RLIM_INFINITY };
    static char much[3000];
    salp_file *file;
    (void)arg;
    /* a device is written to, and stays one */
    if (stat("/dev/full", &status) == 0 && S_ISCHR(status.st_mode)) {
        EXPECT(salp_file_store("/dev/full", "x", 1) == -ENOSPC);
        EXPECT(stat("/dev/full", &status) == 0 && S_ISCHR(status.st_mode));
        EXPECT(salp_file_open(&file, "/dev/full", O_WRONLY, 0) == 0);
        EXPECT(salp_file_write(file, "x", 1) == -ENOSPC);
        EXPECT(salp_file_close(file) == 0);
    }
    EXPECT(salp_file_store("/dev/null", "x", 1) == 0);
    EXPECT(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    /* no partial file, and no signal */
    put("kept", "as it was");
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(salp_file_store("kept", much, sizeof much) == -EFBIG);
    EXPECT(salp_file_store("new", much, sizeof much) == -EFBIG);
    EXPECT(salp_file_store("kept", much, 1000) == 0);
    limit.rlim_cur = RLIM_INFINITY;
    EXPECT(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    EXPECT(count_names() == 1);
    EXPECT(stat("kept", &status) == 0 && status.st_size == 1000);
    return 0;
}

static void a_full_disk_leaves_what_was_there(void **state)
{
    (void)state;
    everywhere(fill_disk);
}

static int write_to_nobody(void *arg)
{
    salp_file *file;
    int reader;
    sigset_t pending;
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0);
    EXPECT((reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0);
    EXPECT(salp_file_open(&file, "fifo", O_WRONLY, 0) == 0);
    EXPECT(salp_file_write(file, "x", 1) == 0);
    EXPECT(salp_file_write_at(file, "x", 1, 0) == -ESPIPE);
    close(reader);
    EXPECT(salp_file_write(file, "x", 1) == -EPIPE);
    EXPECT(sigpending(&pending) == 0 && !sigismember(&pending, SIGPIPE));
    EXPECT(salp_file_close(file) == 0);
    return 0;
}

static void a_pipe_without_a_reader_is_an_error_and_no_signal(void **state)
{
    (void)state;
    everywhere(write_to_nobody);
}

static int use_names(void *arg)
{
    salp_file_info info, other;
    salp_entry *entries;
    (void)arg;
    EXPECT(salp_directory_list(&entries, ".") == 0);
    salp_entries_free(entries);
    EXPECT(salp_directory_make("d", 0) == 0);
    EXPECT(salp_directory_make("d", 0) == -EEXIST);
    EXPECT(salp_directory_make("d/e", 0700) == 0);
    put("d/file", "12345");
    put("d/.hidden", "");
    EXPECT(symlink("nowhere", "d/link") == 0 && mkfifo("d/fifo", 0600) == 0);
    static const salp_entry expected[] = {
        { ".hidden", SALP_FILE_REGULAR }, { "e", SALP_FILE_DIRECTORY }, { "fifo", SALP_FILE_OTHER },
        { "file", SALP_FILE_REGULAR },    { "link", SALP_FILE_LINK },
    };
    EXPECT(salp_directory_list(&entries, "d") == (int)LENGTH(expected));
    for (size_t i = 0; i < LENGTH(expected); i++)
        EXPECT(strcmp(entries[i].name, expected[i].name) == 0 && entries[i].type == expected[i].type);
    salp_entries_free(entries);
    EXPECT(salp_path_status("d", &info) == 0 && info.type == SALP_FILE_DIRECTORY && (info.mode & 0777) == 0755);
    EXPECT(salp_path_status("d/file", &info) == 0 && info.type == SALP_FILE_REGULAR && info.size == 5);
    EXPECT(info.links == 1 && info.user == getuid());
    EXPECT(salp_path_status("d/link", &info) == -ENOENT);
    EXPECT(salp_path_rename("d/file", "d/e/moved") == 0);
    EXPECT(salp_path_status("d/file", &other) == -ENOENT);
    EXPECT(salp_path_status("d/e/moved", &other) == 0 && other.inode == info.inode && other.device == info.device);
    EXPECT(other.modified == info.modified && other.modified > SALP_SECONDS(1000000000));
    EXPECT(salp_path_rename("none", "x") == -ENOENT);
    EXPECT(salp_path_remove("d") == -ENOTEMPTY);
    EXPECT(salp_path_remove("d/e/moved") == 0 && salp_path_remove("d/e") == 0);
    EXPECT(salp_path_remove("d/e") == -ENOENT);
    EXPECT(salp_directory_list(&entries, "none") == -ENOENT && !entries);
    EXPECT(salp_directory_list(&entries, "d/.hidden") == -ENOTDIR && !entries);
    return 0;
}

static void names_are_made_changed_and_listed(void **state)
{
    (void)state;
    umask(022);
    everywhere(use_names);
}

/* As far as 64 bits of nanoseconds go, in the years 1677 and 2262. */
static int use_strange_times(void *arg)
{
    static const int64_t seconds[] = { -1, INT64_C(9223372036), INT64_C(9223372037), INT64_C(16725225600) };
    salp_file_info info;
    struct stat status;
    (void)arg;
    put("a", "");
    for (size_t i = 0; i < LENGTH(seconds); i++) {
        struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds[i], .tv_nsec = 854775808 } };
        EXPECT(utimensat(AT_FDCWD, "a", times, 0) == 0 && stat("a", &status) == 0);
        if (status.st_mtim.tv_sec != seconds[i] || status.st_mtim.tv_nsec != times[1].tv_nsec)
            continue; /* a file system that knows no such times */
        EXPECT(salp_path_status("a", &info) == 0);
        EXPECT(info.modified == (seconds[i] < 0 ? -145224192 : INT64_MAX));
    }
    return 0;
}

static void times_that_are_too_far_away_are_the_farthest(void **state)
{
    (void)state;
    everywhere(use_strange_times);
}

static int list_many(void *arg)
{
    enum { MANY = 1000 };
    char name[16];
    salp_entry *entries;
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%03d", i * 37 % MANY);
        put(name, "");
    }
    EXPECT(salp_directory_list(&entries, ".") == MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "%03d", i);
        EXPECT(strcmp(entries[i].name, name) == 0);
    }
    salp_entries_free(entries);
    return 0;
}

static void a_list_of_names_is_sorted(void **state)
{
    (void)state;
    in_task(list_many);
}

static int misuse(void *arg)
{
    salp_file *file = (salp_file *)&file;
    salp_file_info info;
    salp_entry *entries = (salp_entry *)&entries;
    (void)arg;
    EXPECT(salp_file_open(NULL, "a", O_RDONLY, 0) == -EINVAL);
    EXPECT(salp_file_open(&file, NULL, O_RDONLY, 0) == -EINVAL && !file);
    EXPECT(salp_file_open(&file, "none", O_RDONLY, 0) == -ENOENT && !file);
    EXPECT(salp_file_open(&file, "a", O_RDWR | O_CREAT, 0) == 0);
    EXPECT(salp_file_read(NULL, &info, 1) == -EINVAL && salp_file_read(file, NULL, 1) == -EINVAL);
    EXPECT(salp_file_read_at(NULL, &info, 1, 0) == -EINVAL && salp_file_read_at(file, NULL, 1, 0) == -EINVAL);
    EXPECT(salp_file_read_at(file, &info, 1, -1) == -EINVAL);
    EXPECT(salp_file_write(NULL, "x", 1) == -EINVAL && salp_file_write(file, NULL, 1) == -EINVAL);
    EXPECT(salp_file_write_at(NULL, "x", 1, 0) == -EINVAL && salp_file_write_at(file, NULL, 1, 0) == -EINVAL);
    EXPECT(salp_file_write_at(file, "x", 1, -1) == -EINVAL);
    EXPECT(salp_file_sync(NULL) == -EINVAL && salp_file_resize(NULL, 0) == -EINVAL);
    EXPECT(salp_file_resize(file, -1) == -EINVAL);
    EXPECT(salp_file_status(NULL, &info) == -EINVAL && salp_file_status(file, NULL) == -EINVAL);
    EXPECT(salp_file_descriptor(NULL) == -EINVAL);
    EXPECT(salp_file_close(file) == 0 && salp_file_close(NULL) == 0);
    EXPECT(salp_file_load(NULL, &(salp_buffer){ 0 }) == -EINVAL && salp_file_load("a", NULL) == -EINVAL);
    EXPECT(salp_file_store(NULL, "x", 1) == -EINVAL && salp_file_store("a", NULL, 1) == -EINVAL);
    EXPECT(salp_path_status(NULL, &info) == -EINVAL && salp_path_status("a", NULL) == -EINVAL);
    EXPECT(salp_path_rename(NULL, "b") == -EINVAL && salp_path_rename("a", NULL) == -EINVAL);
    EXPECT(salp_path_remove(NULL) == -EINVAL && salp_directory_make(NULL, 0) == -EINVAL);
    EXPECT(salp_directory_list(NULL, ".") == -EINVAL);
    EXPECT(salp_directory_list(&entries, NULL) == -EINVAL && !entries);
    salp_entries_free(NULL);
    return 0;
}

static void misuse_is_refused(void **state)
{
    (void)state;
    everywhere(misuse);
}

/* ---- waiting ---- */

static atomic_int opened;

static int open_fifo(void *name)
{
    salp_file *file;
    char byte;
    EXPECT(salp_file_open(&file, name, O_RDONLY, 0) == 0);
    atomic_fetch_add(&opened, 1);
    EXPECT(salp_file_read(file, &byte, 1) == 1 && byte == 'x');
    EXPECT(salp_file_close(file) == 0);
    return 0;
}

/* The other end; an error as long as nobody is at the first one, or about to be. */
static int try_writing_end(const char *name)
{
    return open(name, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
}

static int tick_while_a_fifo_is_opened(void *arg)
{
    salp_group group;
    int fd;
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, open_fifo, "fifo") == 0);
    for (int i = 0; i < 1000; i++)
        EXPECT(salp_yield() == 0);
    EXPECT(atomic_load(&opened) == 0);
    while ((fd = try_writing_end("fifo")) < 0)
        EXPECT(errno == ENXIO && salp_sleep(SALP_MICROSECONDS(100)) == 0);
    while (atomic_load(&opened) == 0)
        EXPECT(salp_yield() == 0);
    EXPECT(write(fd, "x", 1) == 1);
    EXPECT(salp_group_close(&group) == 0);
    close(fd);
    return 0;
}

static void the_loop_goes_on_while_a_file_is_slow(void **state)
{
    (void)state;
    in_task(tick_while_a_fifo_is_opened);
}

/* Opens it for a reader that was left behind. */
static void release_reader(const char *name)
{
    int fd;
    while ((fd = try_writing_end(name)) < 0 && errno == ENXIO)
        doze(SALP_MICROSECONDS(100));
    EXPECT(fd >= 0);
    close(fd);
}

static void wait_for_descriptors(int wanted)
{
    int64_t end = clock_now() + patience();
    while (test_count_descriptors() != wanted) {
        EXPECT(clock_now() < end);
        doze(SALP_MICROSECONDS(200));
    }
}

/* Runs what opens scopes of its own: in a task, and in a plain thread. */
static void in_both_with_folder(salp_fn *function)
{
    open_folder();
    EXPECT(salp_run(function, NULL) == 0);
    EXPECT(function(NULL) == 0);
    remove_folder();
}

static int leave_open_behind(void *arg)
{
    salp_scope scope;
    salp_file *file;
    salp_buffer buffer = { 0 };
    struct canceller canceller;
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0 && mkfifo("other fifo", 0600) == 0);
    cancel_at(&canceller, &scope, &opening, atomic_load(&opening) + 1);
    EXPECT(salp_file_open(&file, "fifo", O_RDONLY, 0) == -ECANCELED && !file);
    EXPECT(salp_file_open(&file, "fifo", O_RDONLY, 0) == -ECANCELED && !file); /* at once */
    EXPECT(salp_file_store("new", "x", 1) == -ECANCELED && access("new", F_OK) < 0);
    was_cancelled(&canceller);
    cancel_at(&canceller, &scope, &opening, atomic_load(&opening) + 1);
    EXPECT(salp_file_load("other fifo", &buffer) == -ECANCELED && !buffer.data);
    was_cancelled(&canceller);
    return 0;
}

static void a_file_that_is_opened_too_late_is_closed(void **state)
{
    (void)state;
    int descriptors = test_count_descriptors();
    open_folder();
    for (int way = 0; way < 2; way++) {
        assert_int_equal(way == 0 ? salp_run(leave_open_behind, NULL) : leave_open_behind(NULL), 0);
        release_reader("fifo");
        release_reader("other fifo");
        wait_for_descriptors(descriptors);
        assert_int_equal(remove("fifo"), 0);
        assert_int_equal(remove("other fifo"), 0);
    }
    remove_folder();
}

/* The reader of a pipe finds no end as long as somebody may write to it. */
static int leave_load_behind(void *arg)
{
    salp_scope scope;
    salp_buffer buffer = { 0 };
    struct canceller canceller;
    int writer, descriptors = test_count_descriptors();
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0);
    EXPECT((writer = open("fifo", O_RDWR | O_CLOEXEC)) >= 0);
    cancel_at(&canceller, &scope, &opening, atomic_load(&opening) + 1);
    EXPECT(salp_file_load("fifo", &buffer) == -ECANCELED && !buffer.data);
    was_cancelled(&canceller);
    EXPECT(write(writer, "x", 1) == 1);
    wait_for_descriptors(descriptors + 1);
    close(writer);
    EXPECT(remove("fifo") == 0);
    return 0;
}

static void nobody_is_left_behind_with_a_file_without_an_end(void **state)
{
    (void)state;
    in_both_with_folder(leave_load_behind);
}

static int leave_store_behind(void *arg)
{
    salp_scope scope;
    struct canceller canceller;
    int descriptors = test_count_descriptors();
    (void)arg;
    put("kept", "as it was");
    gate_reset(&disk);
    atomic_store(&disk_is_slow, true);
    cancel_at(&canceller, &scope, &disk.inside, 1);
    EXPECT(salp_file_store("kept", "new", 3) == -ECANCELED);
    was_cancelled(&canceller);
    EXPECT(count_names() == 2); /* the new one is beside it */
    atomic_store(&disk.open, 1);
    atomic_store(&disk_is_slow, false);
    for (int64_t end = clock_now() + patience(); count_names() == 2; doze(SALP_MICROSECONDS(200)))
        EXPECT(clock_now() < end);
    wait_for_descriptors(descriptors);
    expect_text("kept", "as it was");
    EXPECT(remove("kept") == 0);
    return 0;
}

static void a_store_that_was_left_behind_leaves_the_file_as_it_was(void **state)
{
    (void)state;
    in_both_with_folder(leave_store_behind);
}

/* A read that was left behind ends; its bytes do not come to the memory of the caller, who goes on to read the next. */
static int leave_read_behind(void *arg)
{
    salp_scope scope;
    salp_file *file;
    int writer;
    char text[8] = "own";
    struct canceller canceller;
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0);
    EXPECT((writer = open("fifo", O_RDWR | O_CLOEXEC)) >= 0);
    EXPECT(salp_file_open(&file, "fifo", O_RDONLY, 0) == 0);
    atomic_store(&read_from, salp_file_descriptor(file));
    cancel_at(&canceller, &scope, &reading, atomic_load(&reading) + 1);
    EXPECT(salp_file_read(file, text, sizeof text) == -ECANCELED);
    was_cancelled(&canceller);
    /* the next one waits for it, and is not begun */
    salp_scope_open(&scope, SALP_MILLISECONDS(5));
    EXPECT(salp_file_read(file, text, sizeof text) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(write(writer, "lost", 4) == 4);
    EXPECT(salp_file_sync(file) == -EINVAL); /* a pipe has no disk; until then, the read has ended */
    EXPECT(write(writer, "read", 4) == 4);
    EXPECT(strcmp(text, "own") == 0);
    EXPECT(salp_file_read(file, text, sizeof text) == 4 && memcmp(text, "read", 4) == 0);
    EXPECT(salp_file_close(file) == 0);
    close(writer);
    EXPECT(remove("fifo") == 0);
    return 0;
}

static void a_call_waits_for_one_that_was_left_behind(void **state)
{
    (void)state;
    in_both_with_folder(leave_read_behind);
}

/* A descriptor is closed when nobody uses it any more, not before. */
static int close_during_read(void *arg)
{
    salp_scope scope;
    salp_file *file;
    int writer, number;
    char byte;
    struct canceller canceller;
    (void)arg;
    EXPECT(mkfifo("fifo", 0600) == 0);
    EXPECT((writer = open("fifo", O_RDWR | O_CLOEXEC)) >= 0);
    EXPECT(salp_file_open(&file, "fifo", O_RDONLY, 0) == 0);
    number = salp_file_descriptor(file);
    atomic_store(&read_from, number);
    cancel_at(&canceller, &scope, &reading, 1);
    EXPECT(salp_file_read(file, &byte, 1) == -ECANCELED);
    was_cancelled(&canceller);
    EXPECT(salp_file_close(file) == 0);
    EXPECT(fcntl(number, F_GETFD) >= 0);
    EXPECT(write(writer, "x", 1) == 1);
    for (int64_t end = clock_now() + patience(); fcntl(number, F_GETFD) >= 0;)
        EXPECT(clock_now() < end && salp_sleep(SALP_MICROSECONDS(200)) == 0);
    close(writer);
    return 0;
}

static void a_file_is_closed_when_the_last_call_has_ended(void **state)
{
    (void)state;
    in_task(close_during_read);
}

static void call_and_use_file(void *arg)
{
    salp_file *file = arg, *other;
    salp_file_info info;
    char byte;
    EXPECT(salp_file_open(&other, "a", O_RDONLY, 0) == SALP_EINSIDE && !other);
    EXPECT(salp_file_read(file, &byte, 1) == SALP_EINSIDE);
    EXPECT(salp_file_write(file, "x", 1) == SALP_EINSIDE);
    EXPECT(salp_file_status(file, &info) == SALP_EINSIDE);
    EXPECT(salp_file_store("b", "x", 1) == SALP_EINSIDE);
    EXPECT(salp_file_close(file) == SALP_EINSIDE);
    atomic_fetch_add(&opened, 1);
}

static void callbacks_cannot_wait_but_can_close(void **state)
{
    salp_file *file;
    salp_loop *loop;
    (void)state;
    open_folder();
    int descriptors = test_count_descriptors();
    assert_int_equal(salp_file_open(&file, "a", O_RDWR | O_CREAT, 0), 0);
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, call_and_use_file, file), 0);
    while (atomic_load(&opened) == 0)
        salp_loop_turn(loop, SALP_SECONDS(1));
    salp_loop_close(loop);
    wait_for_descriptors(descriptors);
    expect_text("a", "");
    assert_true(access("b", F_OK) < 0);
    remove_folder();
}

static int close_in_ended_scope(void *arg)
{
    salp_scope scope;
    salp_file *file;
    (void)arg;
    EXPECT(salp_file_open(&file, "a", O_RDWR | O_CREAT, 0) == 0);
    salp_scope_open(&scope, SALP_FOREVER);
    salp_scope_cancel(&scope);
    EXPECT(salp_file_write(file, "x", 1) == -ECANCELED);
    EXPECT(salp_file_close(file) == -ECANCELED);
    EXPECT(salp_scope_close(&scope) == -ECANCELED);
    return 0;
}

static void a_file_is_closed_though_its_scope_is_over(void **state)
{
    (void)state;
    int descriptors = test_count_descriptors();
    everywhere(close_in_ended_scope);
    wait_for_descriptors(descriptors);
}

/* ---- many ---- */

static int open_and_be_cancelled(void *name)
{
    salp_file *file;
    EXPECT(salp_file_open(&file, name, O_RDONLY, 0) == -ECANCELED && !file);
    return 0;
}

/* All threads sit before FIFOs; a file is read as soon as one of them goes. */
static int wait_for_a_turn(void *arg)
{
    enum { MANY = MOST + 8 };
    static char names[MANY][16];
    salp_group group;
    salp_buffer buffer = { 0 };
    salp_scope scope;
    (void)arg;
    put("a", "text");
    salp_group_open(&group);
    for (int i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "fifo%d", i);
        EXPECT(mkfifo(names[i], 0600) == 0);
        EXPECT(salp_go(&group, open_and_be_cancelled, names[i]) == 0);
        EXPECT(salp_yield() == 0);
    }
    while (atomic_load(&opening) < MOST)
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
    salp_scope_open(&scope, SALP_MILLISECONDS(5));
    EXPECT(salp_file_load("a", &buffer) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    salp_group_cancel(&group); /* those that have begun stay behind, the others are taken back */
    EXPECT(salp_group_close(&group) == 0);
    release_reader(names[0]);
    EXPECT(salp_file_load("a", &buffer) == 0 && buffer.size == 4);
    salp_buffer_free(&buffer);
    for (int i = 1; i < MOST; i++)
        release_reader(names[i]);
    for (int i = MOST; i < MANY; i++)
        EXPECT(try_writing_end(names[i]) < 0 && errno == ENXIO); /* nobody has come there */
    return 0;
}

static void calls_wait_for_their_turn(void **state)
{
    (void)state;
    in_task(wait_for_a_turn);
}

enum { WRITERS = 20, LINES = 50 };

static int append_lines(void *arg)
{
    salp_file *file = arg;
    for (int i = 0; i < test_scale(LINES); i++)
        EXPECT(salp_file_write(file, "0123456789abcde\n", 16) == 0);
    return 0;
}

static int append_from_many(void *arg)
{
    salp_group group;
    salp_file *file;
    salp_buffer buffer = { 0 };
    (void)arg;
    EXPECT(salp_file_open(&file, "log", O_WRONLY | O_CREAT | O_APPEND, 0) == 0);
    salp_group_open(&group);
    for (int i = 0; i < WRITERS; i++)
        EXPECT(salp_go(&group, append_lines, file) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(salp_file_close(file) == 0);
    EXPECT(salp_file_load("log", &buffer) == 0);
    EXPECT(buffer.size == (size_t)(WRITERS * test_scale(LINES) * 16));
    for (size_t i = 0; i < buffer.size; i += 16)
        EXPECT(memcmp((char *)buffer.data + i, "0123456789abcde\n", 16) == 0);
    salp_buffer_free(&buffer);
    return 0;
}

static void many_tasks_append_to_one_file(void **state)
{
    (void)state;
    in_task(append_from_many);
}

/* Whoever loads it finds one of the two, whole. */
enum { REPLACED = 20000 };
static bool over;

static int replace_often(void *arg)
{
    static char text[REPLACED];
    (void)arg;
    for (int i = 0; i < test_scale(100); i++) {
        memset(text, 'a' + i % 2, sizeof text);
        EXPECT(salp_file_store("whole", text, sizeof text) == 0);
        memset(text, 'z', sizeof text); /* not what is stored any more */
    }
    over = true;
    return 0;
}

static int load_often(void *arg)
{
    (void)arg;
    while (!over) {
        salp_buffer buffer = { 0 };
        EXPECT(salp_file_load("whole", &buffer) == 0 && buffer.size == REPLACED);
        const char *text = buffer.data;
        EXPECT(*text == 'a' || *text == 'b');
        for (int i = 0; i < REPLACED; i++)
            EXPECT(text[i] == *text);
        salp_buffer_free(&buffer);
    }
    return 0;
}

static int load_and_replace(void *arg)
{
    salp_group group;
    static char text[REPLACED];
    (void)arg;
    memset(text, 'b', sizeof text);
    EXPECT(salp_file_store("whole", text, sizeof text) == 0);
    salp_group_open(&group);
    EXPECT(salp_go(&group, replace_often, NULL) == 0);
    EXPECT(salp_go(&group, load_often, NULL) == 0);
    EXPECT(salp_group_close(&group) == 0);
    EXPECT(count_names() == 1);
    return 0;
}

static void a_file_is_replaced_at_one_moment(void **state)
{
    (void)state;
    in_task(load_and_replace);
}

static int end_about_now(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    salp_scope scope;
    salp_file *file;
    char text[4];
    salp_scope_open(&scope, SALP_MICROSECONDS(rand_r(&random) % 150));
    int error = salp_file_open(&file, "a", O_RDWR, 0);
    if (error == 0)
        error = salp_file_write_at(file, "abcd", 4, 0);
    if (error == 0) {
        ssize_t count = salp_file_read_at(file, text, 4, 0);
        EXPECT(count == 4 || count == -ETIMEDOUT);
        EXPECT(count < 0 || memcmp(text, "abcd", 4) == 0);
        error = count < 0 ? (int)count : 0;
    }
    int closed = salp_file_close(file);
    EXPECT(error == 0 || error == -ETIMEDOUT);
    EXPECT(closed == 0 || closed == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == (error < 0 || closed < 0 ? -ETIMEDOUT : 0));
    return 0;
}

static int end_many_about_now(void *arg)
{
    salp_group group;
    (void)arg;
    put("a", "abcd");
    for (int round = 0; round < test_scale(100); round++) {
        salp_group_open(&group);
        for (int i = 0; i < 20; i++)
            EXPECT(salp_go(&group, end_about_now, (void *)(uintptr_t)(unsigned)(round * 20 + i)) == 0);
        EXPECT(salp_group_close(&group) == 0);
    }
    return 0;
}

static void calls_that_end_as_a_scope_does_leave_nothing(void **state)
{
    (void)state;
    int descriptors = test_count_descriptors();
    open_folder();
    assert_int_equal(salp_run(end_many_about_now, NULL), 0);
    wait_for_descriptors(descriptors);
    remove_folder();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("open files are read and written", open_files_are_read_and_written),
        TEST("files may be larger than what is read at once", files_may_be_larger_than_what_is_read_at_once),
        TEST("whole files are loaded and replaced", whole_files_are_loaded_and_replaced),
        TEST("a full disk leaves what was there", a_full_disk_leaves_what_was_there),
        TEST("a pipe without a reader is an error and no signal", a_pipe_without_a_reader_is_an_error_and_no_signal),
        TEST("names are made, changed and listed", names_are_made_changed_and_listed),
        TEST("times that are too far away are the farthest", times_that_are_too_far_away_are_the_farthest),
        TEST("a list of names is sorted", a_list_of_names_is_sorted),
        TEST("misuse is refused", misuse_is_refused),
        TEST("the loop goes on while a file is slow", the_loop_goes_on_while_a_file_is_slow),
        TEST("a file that is opened too late is closed", a_file_that_is_opened_too_late_is_closed),
        TEST("nobody is left behind with a file without an end", nobody_is_left_behind_with_a_file_without_an_end),
        TEST("a store that was left behind leaves the file as it was",
             a_store_that_was_left_behind_leaves_the_file_as_it_was),
        TEST("a call waits for one that was left behind", a_call_waits_for_one_that_was_left_behind),
        TEST("a file is closed when the last call has ended", a_file_is_closed_when_the_last_call_has_ended),
        TEST("callbacks cannot wait but can close", callbacks_cannot_wait_but_can_close),
        TEST("a file is closed though its scope is over", a_file_is_closed_though_its_scope_is_over),
        TEST("calls wait for their turn", calls_wait_for_their_turn),
        TEST("many tasks append to one file", many_tasks_append_to_one_file),
        TEST("a file is replaced at one moment", a_file_is_replaced_at_one_moment),
        TEST("calls that end as a scope does leave nothing", calls_that_end_as_a_scope_does_leave_nothing),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
