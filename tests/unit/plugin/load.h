/*
 * Loading the plugin, and working on copies of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef LOAD_H
#define LOAD_H

#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>

static char test_folder[PATH_MAX];

static inline int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status, (void)type, (void)walk;
    return remove(path);
}

static inline void remove_test_folder(void)
{
    nftw(test_folder, remove_one, 4, FTW_DEPTH | FTW_PHYS);
}

/* A folder of this test's own, removed when its process exits, also after a failure. */
static inline const char *make_folder(void)
{
    const char *base = getenv("TMPDIR");
    snprintf(test_folder, sizeof test_folder, "%s/salp-test-XXXXXX", base ? base : "/tmp");
    assert_non_null(mkdtemp(test_folder));
    assert_int_equal(atexit(remove_test_folder), 0);
    return test_folder;
}

static inline const char *built(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, SALP_TEST_PLUGINS "/%s.so", name);
    return path;
}

/* Puts a copy in place of what is there: a new file, as a linker makes it. */
static inline void copy(const char *from, const char *to)
{
    static char data[1 << 16];
    unlink(to);
    int source = open(from, O_RDONLY | O_CLOEXEC);
    int target = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (source < 0 || target < 0)
        fail_msg("%s to %s: %s", from, to, strerror(errno));
    ssize_t size;
    while ((size = read(source, data, sizeof data)) > 0)
        assert_int_equal(write(target, data, (size_t)size), size);
    assert_int_equal(size, 0);
    close(source);
    close(target);
}

static inline const char *copy_plugin(const char *name, const char *as)
{
    static char path[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", test_folder, as);
    copy(built(name), path);
    return path;
}

static inline void *load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        fail_msg("%s", dlerror());
    return handle;
}

#endif
