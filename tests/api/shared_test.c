/*
 * Arrays in memory that several processes share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/pipe.h>
#include <salp/shared.h>

enum { COUNT = 100000 };

static salp_shared *open_array(size_t count, size_t item_size)
{
    salp_shared *shared = NULL;
    EXPECT(salp_shared_array(&shared, count, item_size, NULL) == 0 && shared);
    return shared;
}

static void ends_well(pid_t child)
{
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- one process ---- */

static int is_zeroed(void *arg)
{
    static const size_t sizes[][2] = { { 1, 1 }, { 1, 4096 }, { 4096, 1 }, { 3, 5000 }, { COUNT, 24 }, { 1, 4072 } };
    (void)arg;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        salp_shared *shared = open_array(sizes[i][0], sizes[i][1]);
        char *data = salp_shared_data(shared);
        EXPECT(salp_shared_count(shared) == sizes[i][0] && salp_shared_item_size(shared) == sizes[i][1]);
        EXPECT((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
        size_t all = sizes[i][0] * sizes[i][1];
        for (size_t k = 0; k < all; k++)
            EXPECT(data[k] == 0);
        memset(data, 0xff, all);
        EXPECT(salp_shared_count(shared) == sizes[i][0]); /* all of it is the user's */
        salp_shared *again;
        EXPECT(salp_shared_attach(&again, salp_shared_fd(shared), NULL) == 0);
        EXPECT(salp_shared_count(again) == sizes[i][0] && salp_shared_item_size(again) == sizes[i][1]);
        salp_shared_close(again);
        salp_shared_close(shared);
    }
    return 0;
}

static void an_array_is_of_zeros_and_all_of_it_can_be_used(void **state)
{
    (void)state;
    in_both(is_zeroed);
}

static void its_size_is_sealed_and_its_memory_is_there(void **state)
{
    (void)state;
    salp_shared *shared = open_array(COUNT, 8);
    int fd = salp_shared_fd(shared);
    struct stat status;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(status.st_blocks * 512 >= status.st_size); /* no hole, so no SIGBUS */
    assert_true(status.st_size >= COUNT * 8);
    assert_int_equal(ftruncate(fd, status.st_size - 1), -1);
    assert_int_equal(ftruncate(fd, status.st_size + 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* nobody takes it from us either */
    salp_shared_close(shared);
}

/* ---- several ---- */

static void a_fork_shares_it_at_the_same_address(void **state)
{
    (void)state;
    salp_shared *shared = open_array(COUNT, sizeof(int));
    int *numbers = salp_shared_data(shared);
    pid_t child = fork();
    if (child == 0) {
        EXPECT(salp_shared_data(shared) == numbers && salp_shared_count(shared) == COUNT);
        for (int i = 0; i < COUNT; i++)
            numbers[i] = i * 3;
        salp_shared_close(shared); /* which leaves the parent's alone */
        _exit(0);
    }
    ends_well(child);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(numbers[i], i * 3);
    salp_shared_close(shared);
}

static void a_process_that_has_it_not_attaches_itself(void **state)
{
    (void)state;
    salp_pipe *ours, *theirs;
    salp_buffer message = { 0 };
    assert_int_equal(salp_pipe_open(&ours, &theirs), 0);
    pid_t child = fork();
    if (child == 0) {
        salp_shared *shared;
        int fd, count;
        salp_pipe_close(ours);
        EXPECT(salp_pipe_receive_fds(theirs, &message, &fd, 1, &count) == 1 && count == 1);
        EXPECT(salp_shared_attach(&shared, fd, NULL) == 0 && salp_shared_fd(shared) != fd);
        close(fd);
        EXPECT(salp_shared_count(shared) == 10 && salp_shared_item_size(shared) == sizeof(double));
        double *numbers = salp_shared_data(shared);
        EXPECT(numbers[3] == 1.5);
        numbers[9] = 2.5;
        salp_shared_close(shared);
        _exit(0);
    }
    salp_pipe_close(theirs);
    salp_shared *shared = open_array(10, sizeof(double));
    double *numbers = salp_shared_data(shared);
    numbers[3] = 1.5;
    assert_int_equal(salp_pipe_send_fds(ours, NULL, 0, (int[]){ salp_shared_fd(shared) }, 1), 0);
    ends_well(child);
    assert_true(numbers[9] == 2.5);
    salp_shared_close(shared);
    salp_pipe_close(ours);
}

static void it_is_there_as_long_as_somebody_has_it(void **state)
{
    (void)state;
    salp_shared *shared = open_array(1, sizeof(int)), *other;
    *(int *)salp_shared_data(shared) = 42;
    assert_int_equal(salp_shared_attach(&other, salp_shared_fd(shared), NULL), 0);
    salp_shared_close(shared);
    assert_int_equal(*(int *)salp_shared_data(other), 42);
    salp_shared_close(other);
}

/* ---- reading only ---- */

/* Whether a child is ended by storing there. */
static bool is_read_only(salp_shared *shared)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
        *(volatile char *)salp_shared_data(shared) = 1;
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void a_reader_can_only_read(void **state)
{
    (void)state;
    char path[40];
    salp_shared *shared = open_array(COUNT, 1), *reader, *none;
    salp_shared_options read_only = { .read_only = true };
    *(char *)salp_shared_data(shared) = 7;
    assert_int_equal(salp_shared_attach(&reader, salp_shared_fd(shared), &read_only), 0);
    assert_int_equal(*(char *)salp_shared_data(reader), 7);
    assert_true(is_read_only(reader));
    assert_false(is_read_only(shared));
    *(char *)salp_shared_data(shared) = 8;
    assert_int_equal(*(char *)salp_shared_data(reader), 8);
    salp_shared_close(reader);
    /* A descriptor that can only be read is good for that alone. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", salp_shared_fd(shared));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(salp_shared_attach(&none, fd, NULL), -EACCES);
    assert_null(none);
    assert_int_equal(salp_shared_attach(&reader, fd, &read_only), 0);
    assert_int_equal(salp_shared_count(reader), COUNT);
    salp_shared_close(reader);
    close(fd);
    salp_shared_close(shared);
}

/* ---- what is refused ---- */

static void what_is_no_array_cannot_be_attached(void **state)
{
    (void)state;
    salp_shared *shared = (salp_shared *)state;
    int plain = memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(plain >= 0 && ftruncate(plain, 8192) == 0);
    assert_int_equal(salp_shared_attach(&shared, plain, NULL), -EINVAL); /* it could be shortened */
    assert_null(shared);
    assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(salp_shared_attach(&shared, plain, NULL), -EINVAL);
    close(plain);
    assert_int_equal(salp_shared_attach(&shared, plain, NULL), -EBADF);
    assert_int_equal(salp_shared_attach(NULL, 0, NULL), -EINVAL);
    int empty = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(empty, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(salp_shared_attach(&shared, empty, NULL), -EINVAL);
    close(empty);
}

/* The label at the very end: magic, count, size of an item. What it says is not believed if it cannot be. */
static void an_array_that_was_tampered_with_is_refused(void **state)
{
    (void)state;
    salp_shared *shared = open_array(10, 8), *other;
    struct stat status;
    uint64_t good[3], bad[3];
    int fd = salp_shared_fd(shared);
    assert_int_equal(fstat(fd, &status), 0);
    off_t at = status.st_size - (off_t)sizeof good;
    assert_int_equal(pread(fd, good, sizeof good, at), sizeof good);
    assert_true(good[1] == 10 && good[2] == 8);
    static const uint64_t wrong[][2] = { { 0, 8 }, { 10, 0 }, { 1000000, 8 }, { UINT64_MAX, 2 }, { 1, UINT64_MAX } };
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        memcpy(bad, good, sizeof bad);
        memcpy(bad + 1, wrong[i], sizeof wrong[i]);
        assert_int_equal(pwrite(fd, bad, sizeof bad, at), sizeof bad);
        assert_int_equal(salp_shared_attach(&other, fd, NULL), -EINVAL);
        assert_null(other);
    }
    memcpy(bad, good, sizeof bad);
    bad[0] += UINT64_C(1) << 56; /* another number of the layout */
    assert_int_equal(pwrite(fd, bad, sizeof bad, at), sizeof bad);
    assert_int_equal(salp_shared_attach(&other, fd, NULL), -EPROTO);
    assert_int_equal(pwrite(fd, good, sizeof good, at), sizeof good);
    assert_int_equal(salp_shared_attach(&other, fd, NULL), 0);
    salp_shared_close(other);
    salp_shared_close(shared);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_shared *shared = (salp_shared *)state;
    assert_int_equal(salp_shared_array(NULL, 1, 1, NULL), -EINVAL);
    assert_int_equal(salp_shared_array(&shared, 0, 1, NULL), -EINVAL);
    assert_null(shared);
    assert_int_equal(salp_shared_array(&shared, 1, 0, NULL), -EINVAL);
    assert_int_equal(salp_shared_array(&shared, 1, 1, &(salp_shared_options){ .read_only = true }), -EINVAL);
    assert_int_equal(salp_shared_array(&shared, SIZE_MAX / 2, 4, NULL), -ENOMEM);
    assert_int_equal(salp_shared_array(&shared, SIZE_MAX, 1, NULL), -ENOMEM);
    assert_null(salp_shared_data(NULL));
    assert_int_equal(salp_shared_count(NULL), 0);
    assert_int_equal(salp_shared_item_size(NULL), 0);
    assert_int_equal(salp_shared_fd(NULL), -EINVAL);
    salp_shared_close(NULL);
}

static void a_limit_for_files_is_heeded(void **state)
{
    (void)state;
    salp_shared *shared;
    struct rlimit before, small = { .rlim_cur = 8192 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(salp_shared_array(&shared, COUNT, 1, NULL), -EFBIG); /* and there was no signal */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* ---- huge pages ---- */

static void huge_pages_are_had_or_refused(void **state)
{
    (void)state;
    salp_shared *shared, *other;
    int descriptors = test_count_descriptors();
    int result = salp_shared_array(&shared, COUNT, 3, &(salp_shared_options){ .huge_pages = true });
    if (result < 0) {
        assert_true(result == -ENOMEM || result == -ENOTSUP);
        assert_null(shared);
        assert_int_equal(test_count_descriptors(), descriptors);
        test_skip("the system has no huge pages to spare");
    }
    memset(salp_shared_data(shared), 1, COUNT * 3);
    assert_int_equal(salp_shared_attach(&other, salp_shared_fd(shared), NULL), 0);
    assert_int_equal(salp_shared_count(other), COUNT);
    assert_int_equal(((char *)salp_shared_data(other))[COUNT * 3 - 1], 1);
    salp_shared_close(other);
    salp_shared_close(shared);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("an array is of zeros, and all of it can be used", an_array_is_of_zeros_and_all_of_it_can_be_used),
        TEST("its size is sealed, and its memory is there", its_size_is_sealed_and_its_memory_is_there),
        TEST("a fork shares it, at the same address", a_fork_shares_it_at_the_same_address),
        TEST("a process that has it not attaches itself", a_process_that_has_it_not_attaches_itself),
        TEST("it is there as long as somebody has it", it_is_there_as_long_as_somebody_has_it),
        TEST("a reader can only read", a_reader_can_only_read),
        TEST("what is no array cannot be attached", what_is_no_array_cannot_be_attached),
        TEST("an array that was tampered with is refused", an_array_that_was_tampered_with_is_refused),
        TEST("misuse is refused", misuse_is_refused),
        TEST("a limit for files is heeded", a_limit_for_files_is_heeded),
        TEST("huge pages are had or refused", huge_pages_are_had_or_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
