/*
 * Runs tests, each in a process of its own.
 *
 *     runner (this program; the subreaper of everything below)
 *       +-- test (one fork for each test; runs the test function and one cmocka test around it)
 *             +-- whatever the test starts: stewards, workers, ...
 *
 * I1: a process whose parent ends becomes a child of the runner. So the runner has no child left if
 *     and only if no process of the test is left, which waitpid tells without a look at /proc.
 * I2: what a test prints goes to memory that the runner reads when the test has ended. It is shown
 *     if the test failed. A pipe would do worse: a process left over would keep it open.
 * I3: the test's process tells through shared memory that it came to its end, and ends by exit(), so
 *     that the leak check of AddressSanitizer runs. One that merely exits with status 0 has not passed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "processes.h"

enum { OUTPUT_SHOWN = 16 * 1024 }; /* the end of what a failed test printed */

static struct names shared_before; /* in /dev/shm */
static struct names shared_after;

/* Reaps what has ended. Returns false when no child is left (I1). */
static bool reap(struct run *run)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == run->pid) {
            run->status = status;
            run->pid = 0;
        }
    }
    return pid == 0;
}

/* Waits for a child's end, at most until a time in milliseconds. Returns false at that time. */
static bool wait_for_child(int64_t end)
{
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    int64_t left = end - test_milliseconds();
    if (left <= 0)
        return false;
    struct timespec timeout = { .tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000 };
    return sigtimedwait(&child, NULL, &timeout) > 0 || errno != EAGAIN;
}

/* Prints where the living processes below the runner are. */
static void print_processes(void)
{
    struct process *found;
    size_t count = processes_below(getpid(), &found);
    for (size_t i = 0; i < count; i++)
        if (found[i].state != 'Z' && found[i].state != 'X')
            process_print(&found[i]);
    free(found);
}

static void kill_everything(struct run *run)
{
    int64_t end = test_milliseconds() + test_grace();
    while (reap(run)) {
        struct process *found;
        size_t count = processes_below(getpid(), &found);
        for (size_t i = 0; i < count; i++)
            kill(found[i].pid, SIGKILL);
        free(found);
        if (test_milliseconds() > end) {
            printf("Bail out! processes of the test cannot be killed\n");
            exit(1);
        }
        test_pause();
    }
}

/* What cmocka prints around each test; it says nothing that our own lines do not. */
static bool is_frame(const char *line)
{
    static const char *const frames[] = {
        "[==========]", "[ RUN      ]", "[       OK ]", "[  PASSED  ]", "[  FAILED  ]", " 1 FAILED TEST(S)",
    };
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++)
        if (strncmp(line, frames[i], strlen(frames[i])) == 0)
            return true;
    return false;
}

static void print_output(const struct run *run)
{
    struct stat stat;
    if (fstat(run->output, &stat) < 0 || stat.st_size == 0)
        return;
    off_t from = stat.st_size > OUTPUT_SHOWN ? stat.st_size - OUTPUT_SHOWN : 0;
    size_t size = (size_t)(stat.st_size - from);
    char *text = malloc(size + 1);
    ssize_t length = text ? pread(run->output, text, size, from) : 0;
    if (length > 0) {
        text[length] = '\0';
        if (from > 0)
            printf("#   (%lld bytes of output before this are not shown)\n", (long long)from);
        char *rest = text;
        for (char *line; (line = strsep(&rest, "\n"));)
            if (*line && !is_frame(line))
                printf("#   %s\n", line);
    }
    free(text);
}

/* The first half of each line of TAP, and how a failure begins. */
static void print_line(const struct run *run, bool passed)
{
    static const char *const engines[] = { [SALP_THREADS] = " (threads)", [SALP_PROCESSES] = " (processes)" };
    printf("%s %d - %s%s", passed ? "ok" : "not ok", run->number, run->test->name,
           run->has_engine ? engines[run->engine] : "");
}

static void print_failure(const struct run *run, const char *format, ...)
{
    va_list arguments;
    print_line(run, false);
    printf("\n# ");
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
}

/* The reason for which the test's own process did not pass; false when it did. */
static bool judge(const struct run *run, int limit)
{
    if (run->overdue)
        print_failure(run, "the test took longer than %d seconds", limit);
    else if (WIFSIGNALED(run->status))
        print_failure(run, "the test's process was ended by signal %d (%s)", WTERMSIG(run->status),
                      strsignal(WTERMSIG(run->status)));
    else if (!run->outcome->finished)
        print_failure(run, "the test's process exited with status %d before the test function returned",
                      WEXITSTATUS(run->status));
    else if (run->outcome->failed)
        print_failure(run, "the test failed:");
    else if (WEXITSTATUS(run->status) != 0)
        print_failure(run, "the test's process exited with status %d after the test function returned",
                      WEXITSTATUS(run->status));
    else
        return true;
    return false;
}

/* Processes and entries in /dev/shm that outlive the test; false when there are none. */
static bool judge_leftovers(struct run *run, bool passed)
{
    bool left = true;
    for (int64_t end = test_milliseconds() + test_grace(); (left = reap(run)) && wait_for_child(end);)
        ;
    if (left && passed) {
        print_failure(run, "the test left processes running:");
        print_processes();
        passed = false;
    }
    kill_everything(run);

    /* Others use /dev/shm too, and at the same time: only our names are ours. */
    names_read("/dev/shm", &shared_after);
    for (int i = 0; i < shared_after.count; i++) {
        const char *name = shared_after.name[i];
        if (!strcasestr(name, "salp") || names_have(&shared_before, name))
            continue;
        if (passed)
            print_failure(run, "the test left shared memory:");
        printf("#   /dev/shm/%s\n", name);
        passed = false;
    }
    return passed;
}

static bool run_one(struct run *run)
{
    int limit = run->test->limit * (test_slow() ? 10 : 1);
    sigset_t child;
    sigset_t signals;
    fflush(NULL);
    memset(run->outcome, 0, sizeof *run->outcome);
    names_read("/dev/shm", &shared_before);
    run->output = memfd_create("test-output", MFD_CLOEXEC);
    test_must(run->output >= 0 && fcntl(run->output, F_SETFL, O_APPEND) == 0, "memfd_create");
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    test_must(sigprocmask(SIG_BLOCK, &child, &signals) == 0, "sigprocmask");

    pid_t runner = getpid();
    pid_t pid = fork();
    test_must(pid >= 0, "fork");
    if (pid == 0)
        run_here(run, &signals, runner);
    run->pid = pid;

    int64_t end = test_milliseconds() + limit * INT64_C(1000);
    while (reap(run) && run->pid && !run->overdue)
        run->overdue = !wait_for_child(end);
    bool passed = judge(run, limit);
    if (run->overdue) {
        print_processes();
        kill_everything(run);
    }
    passed = judge_leftovers(run, passed);
    if (!passed)
        print_output(run);
    else if (run->outcome->skipped) {
        print_line(run, true);
        printf(" # SKIP %s\n", run->outcome->reason);
    } else {
        print_line(run, true);
        printf("\n");
    }
    close(run->output);
    test_must(sigprocmask(SIG_SETMASK, &signals, NULL) == 0, "sigprocmask");
    return passed;
}

/* Else something of ours would lie there, and be replaced by what belongs there. */
static void open_standard(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= 2);
    close(fd);
}

int test_main(int argc, char **argv, const struct test *tests, size_t count)
{
    bool list = argc == 2 && strcmp(argv[1], "--list") == 0;
    if (argc > 2 || (argc == 2 && argv[1][0] == '-' && !list)) {
        fprintf(stderr, "usage: %s [--list | TEXT]\n", argv[0]);
        return 2;
    }
    const char *text = argc == 2 && !list ? argv[1] : "";
    int planned = 0;
    for (size_t i = 0; i < count; i++) {
        if (list)
            printf("%s%s\n", tests[i].name, tests[i].engines ? " (on both engines)" : "");
        else if (strstr(tests[i].name, text))
            planned += tests[i].engines ? 2 : 1;
    }
    if (list)
        return 0;
    if (planned == 0) {
        fprintf(stderr, "no test of %s has '%s' in its name\n", argv[0], text);
        return 2;
    }

    open_standard();
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGCHLD, SIG_DFL); /* ignored signals are inherited, and then there is nothing to wait for */
    /* EINVAL: an emulator; what children of a test leave behind is then not seen. */
    test_must(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 || errno == EINVAL, "PR_SET_CHILD_SUBREAPER");
    struct outcome *outcome = mmap(NULL, sizeof *outcome, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    test_must(outcome != MAP_FAILED, "mmap");
    printf("1..%d\n", planned);
    int failed = 0;
    int number = 0;
    for (size_t i = 0; i < count; i++) {
        if (!strstr(tests[i].name, text))
            continue;
        for (int engine = SALP_THREADS; engine <= (tests[i].engines ? SALP_PROCESSES : SALP_THREADS); engine++) {
            struct run run = {
                .test = &tests[i],
                .has_engine = tests[i].engines,
                .engine = (salp_engine)engine,
                .number = ++number,
                .outcome = outcome,
            };
            if (!run_one(&run))
                failed++;
        }
    }
    return failed ? 1 : 0;
}
