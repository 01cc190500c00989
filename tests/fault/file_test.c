/*
 * Files, while calls of the system and allocations fail one by one: each call succeeds or names the reason, what it says to
 * have done is done, and nothing is left over, neither descriptors nor half a file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <salp/file.h>

#include "os/fault.h"

static char folder[] = "/tmp/salp-file-XXXXXX";

/* What "kept" holds, read without the library: 'a', 'b', or 0 for something else. */
static char look_at_kept(void)
{
    char text[16];
    int fd = open("kept", O_RDONLY | O_CLOEXEC);
    ssize_t count = fd >= 0 ? read(fd, text, sizeof text) : -1;
    close(fd);
    if (count == 4 && (memcmp(text, "aaaa", 4) == 0 || memcmp(text, "bbbb", 4) == 0))
        return *text;
    return 0;
}

#define TRY(call)                  \
    do {                           \
        ssize_t result_ = (call);  \
        if (result_ < 0) {         \
            result = (int)result_; \
            goto out;              \
        }                          \
    } while (0)

static int use_files(void *arg)
{
    salp_file *file = NULL;
    salp_buffer buffer = { 0 };
    salp_entry *entries = NULL;
    salp_file_info info;
    char text[4];
    int result = 0;
    (void)arg;
    TRY(salp_file_store("kept", "bbbb", 4));
    if (look_at_kept() != 'b')
        abort();
    TRY(salp_file_load("kept", &buffer));
    if (buffer.size != 4 || memcmp(buffer.data, "bbbb", 4) != 0)
        abort();
    TRY(salp_file_open(&file, "open", O_RDWR | O_CREAT | O_TRUNC, 0));
    TRY(salp_file_write(file, "text", 4));
    TRY(salp_file_read_at(file, text, 4, 0));
    if (memcmp(text, "text", 4) != 0)
        abort();
    TRY(salp_file_sync(file));
    TRY(salp_file_resize(file, 2));
    TRY(salp_file_status(file, &info));
    if (info.size != 2)
        abort();
    TRY(salp_directory_make("made", 0));
    TRY(salp_path_rename("made", "moved"));
    TRY(salp_path_status("moved", &info));
    TRY(salp_directory_list(&entries, "."));
out:
    salp_entries_free(entries);
    salp_buffer_free(&buffer);
    int closed = salp_file_close(file);
    return result < 0 ? result : closed;
}

static int use_in_task(void)
{
    return salp_run(use_files, NULL);
}

static int use_in_thread(void)
{
    return use_files(NULL);
}

static int use_in_scope(void)
{
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    int result = use_files(NULL);
    assert_int_equal(salp_scope_close(&scope), 0);
    return result;
}

/* Removes what may be left of a run, and expects nothing else. */
static void clear(void)
{
    (void)remove("made");
    (void)remove("moved");
    (void)remove("open");
    (void)remove("kept");
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(chdir(folder), 0);
}

static bool is_documented(int error)
{
    static const int errors[] = { -ENOMEM, -EAGAIN, -EMFILE, -EIO, -ENOSPC, -EPERM };
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i] == error)
            return true;
    return false;
}

static void wait_for_descriptors(int wanted)
{
    /* What was closed by a thread that nobody waits for, as after a failure to start one. */
    while (test_count_descriptors() != wanted)
        usleep(200);
}

static void sweep(int (*function)(void))
{
    int descriptors = test_count_descriptors();
    long number = 0;
    bool fired;
    do {
        int fd = open("kept", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        assert_true(fd >= 0 && write(fd, "aaaa", 4) == 4);
        close(fd);
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = function();
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        if (result < 0 && !(fired && is_documented(result)))
            fail_msg("call %ld: %s (%d)", number, salp_strerror(result), result);
        assert_true(look_at_kept() != 0);
        wait_for_descriptors(descriptors);
        clear();
    } while (fired);
    assert_true(number > 30);
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    assert_int_equal(chdir(folder), 0);
    sweep(use_in_thread);
    sweep(use_in_task);
    sweep(use_in_scope);
    assert_int_equal(chdir("/"), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
