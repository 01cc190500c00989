/*
 * A page of memory that a test and the copies of its program see that it starts: these find it by their environment.
 *
 *     __attribute__((constructor)) static void find(void)       in a copy, before main
 *     {
 *         page = page_found("SALP_TEST_WHAT");
 *     }
 *
 *     int fd = page_hand_on("SALP_TEST_WHAT");                   in the test
 *     page = page_found("SALP_TEST_WHAT");
 *     ...
 *     close(fd);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PAGE_H
#define PAGE_H

#include <fcntl.h>
#include <sys/mman.h>

#include "test.h"

enum { PAGE_BYTES = 4096 };

/* NULL: none was handed on, or it is gone. */
static inline void *page_found(const char *variable)
{
    const char *path = getenv(variable);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0)
        return NULL;
    void *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return page == MAP_FAILED ? NULL : page;
}

/* Zeroed. Returns a descriptor to close in the end; as long as it is open, the page is found. */
static inline int page_hand_on(const char *variable)
{
    char path[64];
    int fd = memfd_create("salp-test-page", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    assert_int_equal(setenv(variable, path, 1), 0);
    return fd;
}

#endif
