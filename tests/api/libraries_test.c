/*
 * What a program with the library has loaded: what it uses, from when it uses it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <salp/stream.h>
#include <salp/task.h>
#include <salp/tls.h>

#include "os/elfutils.h"
#include "os/mappings.h"
#include "stream/openssl.h"

#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct search {
    const char *name;
    bool found;
};

static bool compare(const salp__mapping *mapping, void *arg)
{
    struct search *search = arg;
    search->found |= strstr(mapping->path, search->name) != NULL;
    return true;
}

static bool has(const char *name)
{
    struct search search = { name, false };
    EXPECT(salp__mappings_each(compare, &search) == 0);
    return search.found;
}

/* Those that few programs use. */
static const char *const rare[] = { "/libdw.so",   "/libelf.so", "/libhwloc.so",
                                    "/libudev.so", "/libssl.so", "/libcrypto.so" };

static void none_is_loaded(void)
{
    for (size_t i = 0; i < LENGTH(rare); i++)
        if (has(rare[i]))
            fail_msg("%s is loaded", rare[i]);
}

/* ---- who does not need them ---- */

static int connects_in_the_clear(void *arg)
{
    salp_stream *a, *b;
    char byte;
    (void)arg;
    EXPECT(salp_stream_pair(&a, &b) == 0);
    EXPECT(salp_write(a, "x", 1) == 1 && salp_read(b, &byte, 1) == 1);
    salp_stream_close(a);
    salp_stream_close(b);
    return 0;
}

static void a_program_that_encrypts_nothing_does_without(void **state)
{
    (void)state;
    assert_int_equal(salp_run(connects_in_the_clear, NULL), 0);
    none_is_loaded();
}

static void so_does_one_with_the_shared_library(void **state)
{
    (void)state;
    void *library = dlopen(SALP_TEST_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        fail_msg("%s", dlerror());
    assert_true(has("/libsalp.so"));
    none_is_loaded();
    assert_int_equal(dlclose(library), 0);
}

/* ---- who needs them ---- */

/* Reads settings, as all do who encrypt. */
static int need_openssl(void)
{
    salp_tls tls = { 0 };
    int error = salp_tls_prepare(&tls);
    salp_tls_forget(&tls);
    return error;
}

static void openssl_is_there_when_settings_are_read(void **state)
{
    (void)state;
    salp_tls wrong = { .key = "key without a certificate" };
    assert_int_equal(salp_tls_prepare(&wrong), -EINVAL);
    assert_false(has("/libssl.so"));
    assert_int_equal(need_openssl(), 0);
    assert_true(has("/libssl.so") && has("/libcrypto.so"));
}

static pthread_barrier_t together;

static void *need_it_with_others(void *error)
{
    pthread_barrier_wait(&together);
    *(int *)error = need_openssl();
    return NULL;
}

static void threads_may_need_it_at_once(void **state)
{
    (void)state;
    pthread_t threads[8];
    int errors[LENGTH(threads)];
    assert_int_equal(pthread_barrier_init(&together, NULL, LENGTH(threads)), 0);
    for (size_t i = 0; i < LENGTH(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, need_it_with_others, &errors[i]), 0);
    for (size_t i = 0; i < LENGTH(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(errors[i], 0);
    }
    assert_int_equal(pthread_barrier_destroy(&together), 0);
}

static int wait_for(pid_t child)
{
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    return status;
}

/* When it is loaded, the thread does nothing until the fork is done: AddressSanitizer's allocator has locks that a child inherits,
   and the end of a thread uses it. */
static void *load_with_others(void *error)
{
    pthread_barrier_wait(&together);
    *(int *)error = salp__openssl_load(NULL, 0);
    pthread_barrier_wait(&together);
    return NULL;
}

/* Forks while another thread loads it, and does no more: what OpenSSL has begun in another thread, no child can go on with. */
static int fork_meanwhile(void)
{
    pthread_t thread;
    int error = -1;
    /* What is done before the first library of all: under ThreadSanitizer a fork in the midst of a pthread_once has no end. */
    EXPECT(salp__elfutils_load() == 0);
    EXPECT(pthread_barrier_init(&together, NULL, 2) == 0);
    EXPECT(pthread_create(&thread, NULL, load_with_others, &error) == 0);
    pthread_barrier_wait(&together);
    pid_t child = fork();
    if (child == 0) /* not _exit: ThreadSanitizer would miss the other thread here, of which the child knows nothing */
        (void)syscall(SYS_exit_group, need_openssl() == 0 ? 0 : 1);
    pthread_barrier_wait(&together);
    int status = wait_for(child);
    EXPECT(pthread_join(thread, NULL) == 0);
    return error == 0 ? status : 1;
}

static void a_child_that_was_forked_meanwhile_may_need_it(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        pid_t program = fork();
        if (program == 0)
            _exit(fork_meanwhile() == 0 ? 0 : 1);
        assert_int_equal(wait_for(program), 0);
    }
}

/* ---- where it is missing ---- */

enum { NO_LIBRARY = 10, WRONG_TEXT, NOT_AGAIN };

/* In a program of its own, for which another file is in OpenSSL's place. */
static int do_without_openssl(const char *file, const char *reason)
{
    if (need_openssl() != SALP_ETLSLIBRARY)
        return NO_LIBRARY;
    const char *text = salp_tls_error_text();
    if (!strstr(text, file) || !strstr(text, reason)) {
        fprintf(stderr, "# not so: '%s'\n", text);
        return WRONG_TEXT;
    }
    EXPECT(unlink(file) == 0);
    return need_openssl() == 0 ? 0 : NOT_AGAIN;
}

/* The loader reads its variable when a program begins. */
static void expect_to_be_told(const char *folder, const char *file, const char *reason)
{
    char program[PATH_MAX] = "";
    assert_true(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    pid_t child = fork();
    if (child == 0) {
        setenv("LD_LIBRARY_PATH", folder, 1);
        execl(program, program, "--without-openssl", file, reason, (char *)NULL);
        _exit(127);
    }
    int status = wait_for(child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void who_finds_no_openssl_is_told_why_and_may_try_again(void **state)
{
    (void)state;
    char folder[] = "/tmp/salp-libraries-XXXXXX", file[100];
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/libssl.so.3", folder);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
    expect_to_be_told(folder, file, "too short");
    assert_int_equal(symlink(SALP_TEST_PLUGINS "/plugin.so", file), 0);
    expect_to_be_told(folder, file, "undefined symbol");
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a program that encrypts nothing does without", a_program_that_encrypts_nothing_does_without),
        TEST("so does one with the shared library", so_does_one_with_the_shared_library),
        TEST("OpenSSL is there when settings are read", openssl_is_there_when_settings_are_read),
        TEST("threads may need it at once", threads_may_need_it_at_once),
        TEST("a child that was forked meanwhile may need it", a_child_that_was_forked_meanwhile_may_need_it),
        TEST("who finds no OpenSSL is told why and may try again", who_finds_no_openssl_is_told_why_and_may_try_again),
    };
    if (argc == 4 && strcmp(argv[1], "--without-openssl") == 0)
        return do_without_openssl(argv[2], argv[3]);
    return test_main(argc, argv, tests, LENGTH(tests));
}
