/*
 * Memory of a process: what is asked of the kernel is what one gets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "os/file.h"
#include "os/memory.h"

static size_t page(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static bool all_zero(const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static void touch_read(volatile char *byte)
{
    (void)*byte;
}

static void touch_write(volatile char *byte)
{
    *byte = 1;
}

/* The signal that ends a process which touches a byte; 0: none. */
static int signal_of(void (*touch)(volatile char *), char *byte)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        touch(byte);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- allocating ---- */

static void allocated_memory_is_zero(void **state)
{
    (void)state;
    for (size_t size = 1; size <= 100000; size = size * 3 + 1) {
        /* Of two blocks of one size, the second one is likely to be the first one again. */
        for (int i = 0; i < 2; i++) {
            char *block = salp__allocate(size);
            assert_non_null(block);
            assert_true(all_zero(block, size));
            memset(block, 0x7f, size);
            salp__free(block);
        }
    }
    salp__free(NULL);
}

static void there_is_not_memory_without_end(void **state)
{
    (void)state;
    assert_null(salp__allocate(PTRDIFF_MAX / 2));
}

static void sizes_are_rounded_up_to_pages(void **state)
{
    (void)state;
    assert_int_equal(salp__pages(0), 0);
    assert_int_equal(salp__pages(1), page());
    assert_int_equal(salp__pages(page() - 1), page());
    assert_int_equal(salp__pages(page()), page());
    assert_int_equal(salp__pages(page() + 1), 2 * page());
    size_t huge = (size_t)1 << 61;
    assert_int_equal(salp__pages(huge), huge);
    assert_int_equal(salp__pages(huge - 1), huge);
}

/* ---- mapping ---- */

static void private_pages_are_zero_and_ones_own(void **state)
{
    void *address;
    (void)state;
    assert_int_equal(salp__map_private(&address, 3 * page()), 0);
    char *bytes = address;
    assert_int_equal((uintptr_t)bytes % page(), 0);
    assert_true(all_zero(bytes, 3 * page()));
    assert_int_equal(signal_of(touch_write, bytes), 0); /* a copy of it */
    assert_int_equal(bytes[0], 0);
    salp__unmap(address, 3 * page());
}

static void pages_that_do_not_fit_are_refused(void **state)
{
    void *address = &address;
    (void)state;
    assert_int_equal(salp__map_private(&address, (size_t)1 << 60), -ENOMEM);
    assert_int_equal(salp__map_wiped_on_fork(&address, (size_t)1 << 60), -ENOMEM);
    assert_ptr_equal(address, &address);
}

static void a_fork_finds_wiped_pages_zero(void **state)
{
    void *address;
    int status;
    (void)state;
    assert_int_equal(salp__map_wiped_on_fork(&address, sizeof(int)), 0);
    int *mark = address;
    *mark = 1;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(*(volatile int *)mark == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(*mark, 1);
    salp__unmap(address, sizeof(int));
}

static void a_mapped_file_is_the_file(void **state)
{
    void *first, *second;
    char read[4];
    (void)state;
    int fd = salp__memfd_open("salp-test");
    assert_true(fd >= 0);
    assert_int_equal(salp__file_extend(fd, 3 * page()), 0);
    assert_int_equal(salp__map_file(&first, fd, page(), 2 * page(), true), 0);
    assert_int_equal(salp__map_file(&second, fd, page(), page(), false), 0);
    memcpy(first, "salp", 4);
    assert_memory_equal(second, "salp", 4);
    assert_int_equal(salp__file_read(fd, read, 4, page()), 0);
    assert_memory_equal(read, "salp", 4);
    assert_int_equal(salp__file_write(fd, "plas", 4, page()), 0);
    assert_memory_equal(second, "plas", 4);
    assert_int_equal(signal_of(touch_write, (char *)first + page()), 0);
    assert_int_equal(((char *)first)[page()], 1); /* a child shares it */
    assert_int_equal(signal_of(touch_read, second), 0);
    assert_int_equal(signal_of(touch_write, second), SIGSEGV);
    salp__unmap(second, page());
    salp__unmap(first, 2 * page());
    salp__file_close(fd);
}

static void a_file_that_is_not_open_is_not_mapped(void **state)
{
    void *address;
    (void)state;
    int fd = salp__memfd_open("salp-test");
    assert_true(fd >= 0);
    salp__file_close(fd);
    assert_int_equal(salp__map_file(&address, fd, 0, page(), true), -EBADF);
    assert_int_equal(salp__map_file(&address, -1, 0, page(), false), -EBADF);
}

static void nothing_is_unmapped_for_nothing(void **state)
{
    (void)state;
    salp__unmap(NULL, 0);
    salp__unmap(NULL, 4096);
}

/* ---- rights ---- */

static void pages_can_be_protected(void **state)
{
    void *address;
    (void)state;
    assert_int_equal(salp__map_private(&address, 3 * page()), 0);
    char *bytes = address;
    salp__protect_from_writing(bytes + page(), page());
    salp__protect_from_all(bytes + 2 * page(), page());
    assert_int_equal(signal_of(touch_write, bytes + page() - 1), 0);
    assert_int_equal(signal_of(touch_read, bytes + page()), 0);
    assert_int_equal(signal_of(touch_write, bytes + page()), SIGSEGV);
    assert_int_equal(signal_of(touch_write, bytes + 2 * page() - 1), SIGSEGV);
    assert_int_equal(signal_of(touch_read, bytes + 2 * page()), SIGSEGV);
    salp__unmap(address, 3 * page());
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("allocated memory is zero", allocated_memory_is_zero),
        TEST("there is not memory without end", there_is_not_memory_without_end),
        TEST("sizes are rounded up to pages", sizes_are_rounded_up_to_pages),
        TEST("private pages are zero, and one's own", private_pages_are_zero_and_ones_own),
        TEST("pages that do not fit are refused", pages_that_do_not_fit_are_refused),
        TEST("a fork finds wiped pages zero", a_fork_finds_wiped_pages_zero),
        TEST("a mapped file is the file", a_mapped_file_is_the_file),
        TEST("a file that is not open is not mapped", a_file_that_is_not_open_is_not_mapped),
        TEST("nothing is unmapped for nothing", nothing_is_unmapped_for_nothing),
        TEST("pages can be protected", pages_can_be_protected),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
