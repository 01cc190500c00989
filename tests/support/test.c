/*
 * What happens in a test's own process, and what a test may ask.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

int test_grace_seconds;

static struct run current;   /* the run that this process is for */
static int descriptors_kept; /* see test_keeps_descriptors */

/* ---- what tests may ask ---- */

bool test_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return true;
#else
    return false;
#endif
#else
    return false;
#endif
}

/* The test is to run on io_uring, which an old kernel, a filter of system calls or an emulator does not have. */
static bool poller_is_missing(void)
{
    static const unsigned needed = IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP;
    const char *poller = getenv("SALP_POLLER");
    if (!poller || strcmp(poller, "io_uring") != 0)
        return false;
    struct io_uring_params parameters = { 0 };
    int fd = (int)syscall(SYS_io_uring_setup, 1, &parameters);
    if (fd < 0)
        return errno == ENOSYS || errno == EPERM;
    close(fd);
    return (parameters.features & needed) != needed;
}

static bool under_valgrind(void)
{
    /* Valgrind's own library is preloaded into what it runs. */
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "/vgpreload_");
}

bool test_slow(void)
{
#if defined SALP_HOSTILE || defined TEST_EMULATED
    return true;
#else
    return test_sanitized() || under_valgrind();
#endif
}

int test_scale(int n)
{
    if (!test_sanitized() && !under_valgrind())
        return n;
    return n > 10 ? n / 10 : 1;
}

salp_engine test_engine(void **state)
{
    if (!current.has_engine || *state != &current.engine)
        fail_msg("test_engine is for tests listed with TEST_ENGINES");
    return current.engine;
}

void test_skip(const char *reason)
{
    current.outcome->skipped = true;
    snprintf(current.outcome->reason, sizeof current.outcome->reason, "%s", reason);
    skip();
    abort(); /* skip() does not return */
}

void test_needs_execution(void)
{
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    test_must(length > 0, "/proc/self/exe");
    program[length] = '\0';
    pid_t pid = fork();
    test_must(pid >= 0, "fork");
    if (pid == 0) {
        close(STDOUT_FILENO);
        execl(program, program, "--list", (char *)NULL);
        _exit(errno == ENOEXEC ? 1 : 0);
    }
    int status;
    test_must(waitpid(pid, &status, 0) == pid, "waitpid");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 1)
        test_skip("the system cannot execute this program anew");
}

void test_keeps_descriptors(int count)
{
    descriptors_kept += count;
}

/* ---- names in a folder, and what is new among them ---- */

void names_read(const char *folder, struct names *names)
{
    names->count = 0;
    DIR *directory = opendir(folder);
    if (!directory)
        return;
    char own[64];
    snprintf(own, sizeof own, "%d", dirfd(directory));
    bool descriptors = strcmp(folder, "/proc/self/fd") == 0;
    for (struct dirent *entry; (entry = readdir(directory)) && names->count < NAMES_MAX;) {
        if (entry->d_name[0] == '.' || (descriptors && strcmp(entry->d_name, own) == 0))
            continue;
        snprintf(names->name[names->count++], sizeof names->name[0], "%.63s", entry->d_name);
    }
    closedir(directory);
}

bool names_have(const struct names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return true;
    return false;
}

int test_count_descriptors(void)
{
    static struct names now;
    names_read("/proc/self/fd", &now);
    return now.count;
}

/* ---- in the test's process ---- */

int64_t test_milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int64_t test_grace(void)
{
    if (test_grace_seconds > 0)
        return test_grace_seconds * INT64_C(1000);
    return test_slow() ? 20000 : 5000;
}

void test_pause(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void check_descriptors(const struct names *before)
{
    static struct names after;
    int extra = 0;
    names_read("/proc/self/fd", &after);
    for (int i = 0; i < after.count; i++) {
        char path[128];
        char target[256];
        if (names_have(before, after.name[i]))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%s", after.name[i]);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length < 0 ? 0 : length] = '\0';
        print_error("descriptor %s is open: %s\n", after.name[i], target);
        extra++;
    }
    if (extra > descriptors_kept)
        fail_msg("the test left %d descriptors open, allowed are %d", extra, descriptors_kept);
}

/* By the number of links of the folder: when several end while it is read, some others are missing in it. */
static int count_threads(void)
{
    struct stat folder;
    test_must(stat("/proc/self/task", &folder) == 0, "/proc/self/task");
    return (int)folder.st_nlink - 2;
}

static void check_threads(int before)
{
    /* A thread that was joined can still be counted for a moment. */
    int64_t end = test_milliseconds() + test_grace();
    int extra;
    while ((extra = count_threads() - before) > 0 && test_milliseconds() < end)
        test_pause();
    if (extra > 0)
        fail_msg("the test left %d threads running", extra);
}

static void *do_nothing(void *arg)
{
    return arg;
}

/* ThreadSanitizer starts a thread of its own with the program's first one, and keeps it. */
static void settle_threads(void)
{
    pthread_t thread;
    if (test_sanitized()) {
        test_must(pthread_create(&thread, NULL, do_nothing, NULL) == 0, "pthread_create");
        pthread_join(thread, NULL);
    }
}

/* What cmocka runs: the test function, and the look at what it left. */
static void run_function(void **state)
{
    static struct names descriptors;
    (void)state;
    /* cmocka has just set its handlers for these. */
    static const int faults[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGSYS };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        signal(faults[i], SIG_DFL);
    bool on_processes = current.has_engine && current.engine == SALP_PROCESSES;
    if (under_valgrind() && (on_processes || current.test->processes))
        test_skip("valgrind has no pidfds");
    if (poller_is_missing())
        test_skip("this system has no io_uring for us");
    names_read("/proc/self/fd", &descriptors);
    settle_threads();
    int threads = count_threads();
    void *mine = current.has_engine ? &current.engine : NULL;
    current.test->function(&mine);
    check_threads(threads);
    check_descriptors(&descriptors);
}

void test_must(bool condition, const char *what)
{
    if (!condition) {
        perror(what);
        _exit(98);
    }
}

_Noreturn void run_here(const struct run *run, const sigset_t *signals, pid_t runner)
{
    current = *run;
    /* When the runner is interrupted, its test ends too; and with it whatever Salp started. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner)
        _exit(98);
    test_must(setsid() > 0, "setsid");
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    test_must(null >= 0 && dup2(null, 0) == 0, "/dev/null");
    test_must(dup2(current.output, 1) == 1 && dup2(current.output, 2) == 2, "output");
    close(null);
    close(current.output);
    struct rlimit core;
    test_must(getrlimit(RLIMIT_CORE, &core) == 0, "getrlimit");
    core.rlim_cur = 0;
    test_must(setrlimit(RLIMIT_CORE, &core) == 0, "setrlimit");
    unsetenv("CMOCKA_MESSAGE_OUTPUT");
    unsetenv("CMOCKA_XML_FILE");
    pid_t self = getpid();
    test_must(sigprocmask(SIG_SETMASK, signals, NULL) == 0, "sigprocmask");

    const struct CMUnitTest test = { .name = current.test->name, .test_func = run_function };
    int failed = _cmocka_run_group_tests("test", &test, 1, NULL, NULL);
    if (getpid() != self) {
        fprintf(stderr, "an assertion failed in a fork of the test, or it returned from the test function\n");
        fflush(NULL);
        _exit(98);
    }
    current.outcome->failed = failed != 0;
    current.outcome->finished = true;
    exit(failed ? 1 : 0);
}
