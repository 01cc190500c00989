/*
 * Descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "os/clock.h"
#include "os/file.h"

enum { HIGH = 500 }; /* where salp__file_move_high begins to look */

static int open_file(void)
{
    int fd = salp__memfd_open("salp-test");
    assert_true(fd >= 0);
    return fd;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void assert_closed_on_exec(int fd)
{
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}

static struct stat status_of(int fd)
{
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    return status;
}

/* Runs a function in a fork with a limit set there; returns the status as of waitpid. */
static int in_fork(int (*function)(int fd), int fd, int resource, rlim_t limit)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (setrlimit(resource, &(struct rlimit){ limit, limit }) < 0)
            _exit(77);
        _exit(function(fd));
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

/* ---- files in memory ---- */

static void new_descriptors_are_closed_on_exec(void **state)
{
    (void)state;
    int fd = open_file(), event = salp__eventfd_open(), high = salp__file_move_high(salp__eventfd_open());
    assert_true(event >= 0 && high >= 0);
    assert_closed_on_exec(fd);
    assert_closed_on_exec(event);
    assert_closed_on_exec(high);
    salp__file_close(fd);
    salp__file_close(event);
    salp__file_close(high);
}

static void what_is_written_is_read(void **state)
{
    static unsigned char written[300000], read[sizeof written];
    (void)state;
    int fd = open_file();
    for (size_t i = 0; i < sizeof written; i++)
        written[i] = (unsigned char)(i * 7 + i / 256);
    assert_int_equal(salp__file_write(fd, written, sizeof written, 12345), 0);
    assert_int_equal(status_of(fd).st_size, 12345 + sizeof written);
    assert_int_equal(salp__file_read(fd, read, sizeof read, 12345), 0);
    assert_memory_equal(read, written, sizeof read);
    assert_int_equal(salp__file_read(fd, read, 100, 12300), 0);
    for (int i = 0; i < 45; i++)
        assert_int_equal(read[i], 0);
    assert_memory_equal(read + 45, written, 55);
    assert_int_equal(salp__file_write(fd, NULL, 0, 0), 0);
    assert_int_equal(salp__file_read(fd, NULL, 0, 0), 0);
    salp__file_close(fd);
}

static void a_short_file_is_an_error(void **state)
{
    char bytes[100];
    (void)state;
    int fd = open_file();
    assert_int_equal(salp__file_read(fd, bytes, 1, 0), -EIO);
    assert_int_equal(salp__file_write(fd, "0123456789", 10, 0), 0);
    assert_int_equal(salp__file_read(fd, bytes, 10, 0), 0);
    assert_int_equal(salp__file_read(fd, bytes, 11, 0), -EIO);
    assert_int_equal(salp__file_read(fd, bytes, 1, 10), -EIO);
    salp__file_close(fd);
    assert_int_equal(salp__file_read(fd, bytes, 1, 0), -EBADF);
    assert_int_equal(salp__file_write(fd, bytes, 1, 0), -EBADF);
}

static void reserved_memory_is_there(void **state)
{
    (void)state;
    int fd = open_file();
    assert_int_equal(salp__file_reserve(fd, 1 << 16, 1 << 20), 0);
    struct stat status = status_of(fd);
    assert_int_equal(status.st_size, (1 << 16) + (1 << 20));
    assert_true(status.st_blocks * 512 >= 1 << 20);
    assert_true(status.st_blocks * 512 < (1 << 16) + (1 << 20)); /* before it there is a hole */
    salp__file_close(fd);
}

static void a_file_is_extended_but_never_cut(void **state)
{
    char bytes[4];
    (void)state;
    int fd = open_file();
    assert_int_equal(salp__file_extend(fd, 1 << 20), 0);
    assert_int_equal(status_of(fd).st_size, 1 << 20);
    assert_int_equal(status_of(fd).st_blocks, 0);
    assert_int_equal(salp__file_write(fd, "salp", 4, (1 << 20) - 4), 0);
    assert_int_equal(salp__file_extend(fd, 1 << 10), 0);
    assert_int_equal(status_of(fd).st_size, 1 << 20);
    assert_int_equal(salp__file_read(fd, bytes, 4, (1 << 20) - 4), 0);
    assert_memory_equal(bytes, "salp", 4);
    salp__file_close(fd);
}

static void a_punched_range_reads_as_zeros_and_costs_nothing(void **state)
{
    static unsigned char bytes[1 << 18];
    (void)state;
    int fd = open_file();
    memset(bytes, 0x7f, sizeof bytes);
    assert_int_equal(salp__file_write(fd, bytes, sizeof bytes, 0), 0);
    salp__file_punch(fd, 1 << 16, 1 << 17);
    assert_int_equal(status_of(fd).st_size, sizeof bytes);
    assert_int_equal(status_of(fd).st_blocks * 512, sizeof bytes - (1 << 17));
    assert_int_equal(salp__file_read(fd, bytes, sizeof bytes, 0), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], i >= 1 << 16 && i < (1 << 16) + (1 << 17) ? 0 : 0x7f);
    salp__file_close(fd);
}

/* ---- limits ---- */

/* Beyond RLIMIT_FSIZE, where the kernel would send SIGXFSZ. */
static int grow_too_far(int fd)
{
    signal(SIGXFSZ, SIG_DFL);
    if (salp__file_reserve(fd, 0, 1 << 16) != 0 || salp__file_extend(fd, 1 << 16) != 0)
        return 1;
    if (salp__file_reserve(fd, 1, 1 << 16) != -EFBIG || salp__file_reserve(fd, 1 << 20, 1) != -EFBIG)
        return 2;
    return salp__file_extend(fd, (1 << 16) + 1) == -EFBIG ? 0 : 3;
}

static void a_limit_on_file_sizes_is_an_error_not_a_signal(void **state)
{
    (void)state;
    int fd = open_file();
    assert_int_equal(in_fork(grow_too_far, fd, RLIMIT_FSIZE, 1 << 16), 0);
    salp__file_close(fd);
}

static int move_with_few_numbers(int fd)
{
    int moved = salp__file_move_high(fd);
    return moved > STDERR_FILENO && is_open(moved) && !is_open(fd) ? 0 : 1;
}

static int move_from_standard_output(int fd)
{
    salp__file_close(STDOUT_FILENO);
    int low = dup(fd);
    int moved = salp__file_move_high(low);
    return low == STDOUT_FILENO && moved > STDERR_FILENO && !is_open(STDOUT_FILENO) ? 0 : 1;
}

static void a_descriptor_leaves_the_standard_numbers_when_there_are_no_high_ones(void **state)
{
    (void)state;
    int fd = open_file();
    assert_int_equal(in_fork(move_with_few_numbers, fd, RLIMIT_NOFILE, HIGH), 0);
    assert_int_equal(in_fork(move_from_standard_output, fd, RLIMIT_NOFILE, HIGH), 0);
    salp__file_close(fd);
}

static int open_with_no_numbers(int fd)
{
    char text[16];
    (void)fd;
    if (salp__memfd_open("salp-test") != -EMFILE || salp__eventfd_open() != -EMFILE)
        return 1;
    return salp__file_text("/proc/self/stat", text, sizeof text) == -EMFILE ? 0 : 2;
}

static void no_numbers_left_is_an_error(void **state)
{
    (void)state;
    assert_int_equal(in_fork(open_with_no_numbers, -1, RLIMIT_NOFILE, 0), 0);
}

/* ---- numbers ---- */

static void a_descriptor_is_moved_out_of_the_way(void **state)
{
    struct rlimit limit;
    salp__file_identity before, after;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur <= HIGH + 1)
        test_skip("there are no high numbers");
    int fd = open_file(), other = open_file();
    assert_true(salp__file_identify(fd, &before));
    int first = salp__file_move_high(fd), second = salp__file_move_high(other);
    assert_true(first >= HIGH);
    assert_true(second >= HIGH && second != first);
    assert_false(is_open(fd));
    assert_false(is_open(other));
    assert_true(salp__file_identify(first, &after));
    assert_true(before.device == after.device && before.inode == after.inode);
    salp__file_close(first);
    salp__file_close(second);
    assert_int_equal(salp__file_move_high(first), -EBADF);
}

static void two_files_are_told_apart(void **state)
{
    salp__file_identity one, same, another;
    (void)state;
    int fd = open_file(), copy = dup(fd), other = open_file();
    assert_true(salp__file_identify(fd, &one));
    assert_true(salp__file_identify(copy, &same));
    assert_true(salp__file_identify(other, &another));
    assert_true(one.device == same.device && one.inode == same.inode);
    assert_false(one.device == another.device && one.inode == another.inode);
    salp__file_close(fd);
    salp__file_close(copy);
    salp__file_close(other);
    assert_false(salp__file_identify(fd, &one));
    assert_false(salp__file_identify(-1, &one));
    salp__file_close(-1);
}

/* In a fork: descriptors 100 to 120, of which some are kept. */
static int close_most(int fd)
{
    static const int keep[] = { -1, 3, 104, 105, 111, 120 };
    for (int i = 100; i <= 120; i++)
        if (dup2(fd, i) != i)
            return 1;
    salp__close_all_but(101, keep, 6);
    for (int i = 100; i <= 300; i++)
        if (is_open(i) != (i == 100 || i == 104 || i == 105 || i == 111 || i == 120))
            return 2;
    if (!is_open(fd))
        return 3;
    salp__close_all_but(0, NULL, 0);
    return is_open(0) || is_open(2) || is_open(104) ? 4 : 0;
}

static void all_descriptors_but_some_are_closed(void **state)
{
    (void)state;
    int fd = open_file();
    assert_true(fd < 100);
    assert_int_equal(in_fork(close_most, fd, RLIMIT_CORE, 0), 0);
    assert_true(is_open(fd));
    salp__file_close(fd);
}

/* ---- small files ---- */

static void a_small_file_is_read_as_text(void **state)
{
    char path[64], text[64];
    (void)state;
    int fd = open_file();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(salp__file_text(path, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(salp__file_write(fd, "0123456789", 10, 0), 0);
    assert_int_equal(salp__file_text(path, text, sizeof text), 10);
    assert_string_equal(text, "0123456789");
    assert_int_equal(salp__file_text(path, text, 11), 10);
    assert_string_equal(text, "0123456789");
    text[10] = '#';
    assert_int_equal(salp__file_text(path, text, 10), 9);
    assert_string_equal(text, "012345678");
    assert_int_equal(text[10], '#');
    assert_int_equal(salp__file_text(path, text, 1), 0);
    assert_string_equal(text, "");
    salp__file_close(fd);
    assert_int_equal(salp__file_text(path, text, sizeof text), -ENOENT);
    assert_int_equal(salp__file_text("/proc/self", text, sizeof text), -EISDIR);
}

/* ---- waiting for descriptors ---- */

static void it_is_told_which_can_be_read(void **state)
{
    (void)state;
    int quiet = salp__eventfd_open(), loud = salp__eventfd_open();
    int fds[4] = { quiet, -1, loud, -1 };
    bool ready[4] = { true, true, true, true };
    assert_int_equal(salp__poll(fds, ready, 4, 0), 0);
    assert_false(ready[0] || ready[1] || ready[2] || ready[3]);
    for (int i = 0; i < 3; i++)
        salp__eventfd_ring(loud);
    assert_int_equal(salp__poll(fds, ready, 4, SALP_FOREVER), 1);
    assert_true(ready[2]);
    assert_false(ready[0] || ready[1] || ready[3]);
    salp__eventfd_ring(quiet);
    assert_int_equal(salp__poll(fds, ready, 4, 0), 2);
    assert_true(ready[0] && ready[2]);
    salp__eventfd_drain(loud);
    salp__eventfd_drain(loud); /* empty: does not block */
    assert_int_equal(salp__poll(fds, ready, 4, SALP_FOREVER), 1);
    assert_true(ready[0] && !ready[2]);
    salp__file_close(quiet);
    salp__file_close(loud);
}

static void a_full_eventfd_is_rung_without_blocking(void **state)
{
    uint64_t most = UINT64_MAX - 1;
    bool ready;
    (void)state;
    int fd = salp__eventfd_open();
    assert_int_equal(write(fd, &most, sizeof most), sizeof most);
    salp__eventfd_ring(fd);
    assert_int_equal(salp__poll(&fd, &ready, 1, 0), 1);
    salp__eventfd_drain(fd);
    assert_int_equal(salp__poll(&fd, &ready, 1, 0), 0);
    salp__file_close(fd);
}

static void polling_ends_at_the_deadline(void **state)
{
    (void)state;
    int fd = salp__eventfd_open();
    bool ready = true;
    int64_t deadline = salp__later(SALP_MILLISECONDS(3));
    assert_int_equal(salp__poll(&fd, &ready, 1, deadline), 0);
    assert_true(salp__now() >= deadline);
    assert_false(ready);
    assert_int_equal(salp__poll(NULL, NULL, 0, salp__later(SALP_MICROSECONDS(10))), 0);
    salp__file_close(fd);
}

static void nothing(int number)
{
    (void)number;
}

static void a_signal_interrupts_polling(void **state)
{
    bool ready;
    (void)state;
    int fd = salp__eventfd_open(), result;
    struct sigaction action = { .sa_handler = nothing };
    assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
    /* Again and again, since a signal may come before the wait has begun. */
    ualarm(2000, 2000);
    do
        result = salp__poll(&fd, &ready, 1, salp__later(SALP_SECONDS(1)));
    while (result == 0);
    assert_int_equal(result, -EINTR);
    ualarm(0, 0);
    salp__file_close(fd);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("new descriptors are closed on exec", new_descriptors_are_closed_on_exec),
        TEST("what is written is read", what_is_written_is_read),
        TEST("a short file is an error", a_short_file_is_an_error),
        TEST("reserved memory is there", reserved_memory_is_there),
        TEST("a file is extended, but never cut", a_file_is_extended_but_never_cut),
        TEST("a punched range reads as zeros and costs nothing", a_punched_range_reads_as_zeros_and_costs_nothing),
        TEST("a limit on file sizes is an error, not a signal", a_limit_on_file_sizes_is_an_error_not_a_signal),
        TEST("a descriptor leaves the standard numbers when there are no high ones",
             a_descriptor_leaves_the_standard_numbers_when_there_are_no_high_ones),
        TEST("no numbers left is an error", no_numbers_left_is_an_error),
        TEST("a descriptor is moved out of the way", a_descriptor_is_moved_out_of_the_way),
        TEST("two files are told apart", two_files_are_told_apart),
        TEST("all descriptors but some are closed", all_descriptors_but_some_are_closed),
        TEST("a small file is read as text", a_small_file_is_read_as_text),
        TEST("it is told which descriptors can be read", it_is_told_which_can_be_read),
        TEST("a full eventfd is rung without blocking", a_full_eventfd_is_rung_without_blocking),
        TEST("polling ends at the deadline", polling_ends_at_the_deadline),
        TEST("a signal interrupts polling", a_signal_interrupts_polling),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
