/*
 * The library when it is loaded and unloaded by a program that is not linked with it. (The support of tests is, with one of
 * its own.)
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <dlfcn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/file.h>
#include <salp/sync.h>
#include <salp/tls.h>

/* The functions of the library that was loaded. */
static struct loaded {
    void *handle;
    __typeof__(salp_run) *run;
    __typeof__(salp_scope_open) *scope_open;
    __typeof__(salp_scope_close) *scope_close;
    __typeof__(salp_file_open) *file_open;
    __typeof__(salp_mutex_open) *mutex_open;
    __typeof__(salp_mutex_lock) *mutex_lock;
    __typeof__(salp_mutex_close) *mutex_close;
    __typeof__(salp_tls_prepare) *tls_prepare;
    __typeof__(salp_tls_forget) *tls_forget;
} loaded;

static void load(void)
{
    loaded.handle = dlopen(SALP_TEST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!loaded.handle)
        fail_msg("%s", dlerror());
    loaded.run = (__typeof__(loaded.run))(uintptr_t)dlsym(loaded.handle, "salp_run");
    loaded.scope_open = (__typeof__(loaded.scope_open))(uintptr_t)dlsym(loaded.handle, "salp_scope_open");
    loaded.scope_close = (__typeof__(loaded.scope_close))(uintptr_t)dlsym(loaded.handle, "salp_scope_close");
    loaded.file_open = (__typeof__(loaded.file_open))(uintptr_t)dlsym(loaded.handle, "salp_file_open");
    assert_true(loaded.run && loaded.scope_open && loaded.scope_close && loaded.file_open);
    loaded.mutex_open = (__typeof__(loaded.mutex_open))(uintptr_t)dlsym(loaded.handle, "salp_mutex_open");
    loaded.mutex_lock = (__typeof__(loaded.mutex_lock))(uintptr_t)dlsym(loaded.handle, "salp_mutex_lock");
    loaded.mutex_close = (__typeof__(loaded.mutex_close))(uintptr_t)dlsym(loaded.handle, "salp_mutex_close");
    assert_true(loaded.mutex_open && loaded.mutex_lock && loaded.mutex_close);
    loaded.tls_prepare = (__typeof__(loaded.tls_prepare))(uintptr_t)dlsym(loaded.handle, "salp_tls_prepare");
    loaded.tls_forget = (__typeof__(loaded.tls_forget))(uintptr_t)dlsym(loaded.handle, "salp_tls_forget");
    assert_true(loaded.tls_prepare && loaded.tls_forget);
}

static bool is_loaded(void)
{
    void *handle = dlopen(SALP_TEST_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
    if (handle)
        dlclose(handle);
    return handle;
}

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void it_can_be_unloaded_when_no_thread_was_started(void **state)
{
    (void)state;
    load();
    assert_int_equal(loaded.run(do_nothing, NULL), 0);
    assert_int_equal(dlclose(loaded.handle), 0);
    assert_false(is_loaded());
}

/* OpenSSL stays: what it has set up for threads and forks leads into it. */
static void it_can_be_unloaded_after_it_has_loaded_openssl(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        salp_tls tls = { 0 };
        load();
        assert_int_equal(loaded.tls_prepare(&tls), 0);
        loaded.tls_forget(&tls);
        assert_int_equal(dlclose(loaded.handle), 0);
        assert_false(is_loaded());
        pid_t child = fork(); /* what was to be called around forks has gone with it */
        if (child == 0)
            _exit(0);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
}

/* Each thread is a folder there. */
static int count_threads(void)
{
    struct stat status;
    EXPECT(stat("/proc/self/task", &status) == 0);
    return (int)status.st_nlink;
}

/* Those that end are counted for a moment after. */
static void only_so_many_are_left(int threads)
{
    int64_t end = clock_now() + patience();
    while (count_threads() > threads && clock_now() < end)
        doze(SALP_MILLISECONDS(1));
    assert_int_equal(count_threads(), threads);
}

/* Leaves a thread behind that opens a FIFO. None is started when the deadline has passed before the call: then once more. */
static int leave_thread_behind(void *fifo)
{
    salp_scope scope;
    salp_file *file;
    int threads = count_threads();
    do {
        loaded.scope_open(&scope, SALP_MILLISECONDS(5));
        EXPECT(loaded.file_open(&file, fifo, O_RDONLY, 0) == -ETIMEDOUT);
        EXPECT(loaded.scope_close(&scope) == -ETIMEDOUT);
    } while (count_threads() == threads);
    return 0;
}

static void threads_that_are_left_behind_find_their_code(void **state)
{
    char fifo[] = "/tmp/salp-unload-XXXXXX";
    int threads = count_threads();
    (void)state;
    assert_non_null(mkdtemp(fifo));
    assert_int_equal(rmdir(fifo), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    load();
    assert_int_equal(loaded.run(leave_thread_behind, fifo), 0);
    assert_int_equal(dlclose(loaded.handle), 0);
    assert_true(is_loaded());
    /* It goes on as soon as somebody opens the other end. If it had not begun, it has gone already. */
    int fd = open(fifo, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    only_so_many_are_left(threads);
    close(fd);
    assert_int_equal(remove(fifo), 0);
}

/* Starts what notices deaths, and what tells tasks; as above, no thread is started when the deadline has passed before. */
static int wait_for_mutex(void *mutex)
{
    salp_scope scope;
    int threads = count_threads();
    do {
        loaded.scope_open(&scope, SALP_MILLISECONDS(5));
        EXPECT(loaded.mutex_lock(mutex) == -ETIMEDOUT);
        EXPECT(loaded.scope_close(&scope) == -ETIMEDOUT);
    } while (count_threads() < threads + 2);
    return 0;
}

static void threads_of_shared_objects_find_their_code(void **state)
{
    int threads = count_threads();
    salp_mutex *mutex;
    (void)state;
    load();
    assert_int_equal(loaded.mutex_open(&mutex, &(salp_mutex_options){ .shared = true }), 0);
    assert_int_equal(loaded.mutex_lock(mutex), 0);
    assert_int_equal(loaded.run(wait_for_mutex, mutex), 0);
    assert_int_equal(count_threads(), threads + 2);
    assert_int_equal(dlclose(loaded.handle), 0);
    assert_true(is_loaded());
    loaded.mutex_close(mutex);
    only_so_many_are_left(threads);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("it can be unloaded when no thread was started", it_can_be_unloaded_when_no_thread_was_started),
        TEST("it can be unloaded after it has loaded OpenSSL", it_can_be_unloaded_after_it_has_loaded_openssl),
        TEST("threads that are left behind find their code", threads_that_are_left_behind_find_their_code),
        TEST("threads of shared objects find their code", threads_of_shared_objects_find_their_code),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
