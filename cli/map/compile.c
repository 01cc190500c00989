/*
 * A source of C becomes a library. compile.h tells of the keeper.
 *
 * SPDX-License-Identifier: MIT
 */
#include "map/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { WORDS = 128 };

/* ---- the compiler's command ---- */

struct words {
    char *word[WORDS];
    int count;
    bool full;
};

static void add(struct words *words, const char *word)
{
    if (words->count == WORDS - 1) {
        words->full = true;
        return;
    }
    words->word[words->count++] = strdup(word); /* goes with the keeper */
    words->word[words->count] = NULL;
}

/* The words of a variable, as make takes them: blanks are between them. */
static void add_variable(struct words *words, const char *name)
{
    const char *value = getenv(name);
    char *copy = value ? strdup(value) : NULL, *rest = NULL;
    for (char *word = copy ? strtok_r(copy, " \t\n", &rest) : NULL; word; word = strtok_r(NULL, " \t\n", &rest))
        add(words, word);
    free(copy);
}

/* Whether there is such a program where programs are looked for. */
static bool is_there(const char *program)
{
    const char *path = getenv("PATH");
    char *folders = strdup(path ? path : "/usr/bin:/bin"), *rest = NULL, file[PATH_MAX];
    bool found = false;
    for (char *folder = folders ? strtok_r(folders, ":", &rest) : NULL; folder && !found;
         folder = strtok_r(NULL, ":", &rest)) {
        snprintf(file, sizeof file, "%s/%s", folder, program);
        found = access(file, X_OK) == 0;
    }
    free(folders);
    return found;
}

static void add_compiler(struct words *words)
{
    static const char *const usual[] = { "cc", "gcc", "clang" };
    add_variable(words, "CC");
    for (size_t i = 0; words->count == 0 && i < sizeof usual / sizeof *usual; i++) {
        if (is_there(usual[i]))
            add(words, usual[i]);
    }
}

/* Where <salp.h> is, seen from the folder of this program: installed, and built by ./dev. Elsewhere the compiler finds it by
   itself, or by CPATH. */
static void add_headers(struct words *words)
{
    static const char *const places[] = { "../include", "../../../include" };
    char program[PATH_MAX], file[2 * PATH_MAX], option[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0)
        return;
    program[length] = '\0';
    char *end = strrchr(program, '/');
    *(end ? end : program) = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(file, sizeof file, "%s/%s/salp.h", program, places[i]);
        if (access(file, R_OK) != 0)
            continue;
        /* Behind the folders that the user names, as those of the system. */
        snprintf(option, sizeof option, "%s/%s", program, places[i]);
        add(words, "-idirafter");
        add(words, option);
        return;
    }
}

/* -g: for the lines of a crash. -lm: linked with only if it is needed. */
static void add_all(struct words *words, const char *source, const char *library)
{
    add_compiler(words);
    if (words->count == 0)
        return;
    static const char *const options[] = { "-O2", "-g", "-shared", "-fPIC" };
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        add(words, options[i]);
    add_variable(words, "CFLAGS");
    add_headers(words);
    add(words, "-o");
    add(words, library);
    add(words, source);
    add_variable(words, "LDFLAGS");
    add_variable(words, "LDLIBS");
    add(words, "-lm");
}

/* ---- the keeper ---- */

/* What the keeper tells when the compiler has ended. */
struct outcome {
    int error; /* 0, or a negative one */
    char folder[PATH_MAX];
};

/* The compiler can be ended as any program, whatever we ignore or block; and writes to standard error only. */
static int start(pid_t *pid, char *const argv[])
{
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    int error = posix_spawnp(pid, argv[0], &files, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -error;
}

static int run_compiler(const char *source, const char *folder)
{
    static struct words words;
    char library[PATH_MAX + 16];
    pid_t pid;
    int status;
    snprintf(library, sizeof library, "%s/function.so", folder);
    add_all(&words, source, library);
    if (words.count == 0) {
        fprintf(stderr, "salp map: cannot compile '%s': there is no cc, gcc or clang; CC may name a compiler\n",
                source);
        return -ENOENT;
    }
    int error = words.full ? -E2BIG : start(&pid, words.word);
    if (error < 0) {
        fprintf(stderr, "salp map: cannot compile '%s': cannot run '%s': %s\n", source, words.word[0],
                strerror(-error));
        return error;
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        fprintf(stderr, "salp map: cannot compile '%s': %s was ended by SIG%s\n", source, words.word[0],
                sigabbrev_np(WTERMSIG(status)));
    else
        fprintf(stderr, "salp map: cannot compile '%s': %s has failed\n", source, words.word[0]);
    return -ENOEXEC;
}

static void remove_folder(const char *folder)
{
    char library[PATH_MAX + 16];
    snprintf(library, sizeof library, "%s/function.so", folder);
    unlink(library);
    rmdir(folder);
}

/* Whoever waits for the end of our outputs waits for the program, not for the keeper. */
static void let_go_of_outputs(void)
{
    int nothing = open("/dev/null", O_RDWR);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        dup2(nothing, fd);
}

static _Noreturn void keep(const char *source, int tells, int held)
{
    static struct outcome outcome;
    char byte;
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    const char *where = getenv("TMPDIR");
    snprintf(outcome.folder, sizeof outcome.folder - 32, "%s", where && *where ? where : "/tmp");
    strcat(outcome.folder, "/salp-function-XXXXXX");
    bool made = mkdtemp(outcome.folder) != NULL;
    if (made) {
        outcome.error = run_compiler(source, outcome.folder);
    } else {
        outcome.error = -errno;
        fprintf(stderr, "salp map: cannot make a folder '%s': %s\n", outcome.folder, strerror(errno));
    }
    let_go_of_outputs();
    if (write(tells, &outcome, sizeof outcome) == (ssize_t)sizeof outcome && outcome.error == 0) {
        /* Nothing is ever written there: its end is the end of all who hold it. */
        while (read(held, &byte, 1) < 0 && errno == EINTR)
            ;
    }
    if (made)
        remove_folder(outcome.folder);
    _exit(0);
}

static int wait_for_outcome(struct map_compiled *compiled, int told)
{
    static struct outcome outcome;
    size_t got = 0;
    while (got < sizeof outcome) {
        ssize_t more = read(told, (char *)&outcome + got, sizeof outcome - got);
        if (more == 0 || (more < 0 && errno != EINTR))
            break;
        got += more > 0 ? (size_t)more : 0;
    }
    if (got < sizeof outcome) {
        fprintf(stderr, "salp map: who was to run the compiler was killed\n");
        return -ECANCELED;
    }
    if (outcome.error == 0)
        snprintf(compiled->library, sizeof compiled->library, "%.*s/function.so", PATH_MAX - 16, outcome.folder);
    return outcome.error;
}

int map_compile(struct map_compiled *compiled, const char *source)
{
    int told[2], held[2], error;
    *compiled = (struct map_compiled){ 0 };
    if (access(source, R_OK) != 0) {
        error = -errno;
        fprintf(stderr, "salp map: cannot read '%s': %s\n", source, strerror(errno));
        return error;
    }
    if (pipe2(told, O_CLOEXEC) < 0) {
        error = -errno;
        goto tell;
    }
    if (pipe2(held, O_CLOEXEC) < 0) {
        error = -errno;
        goto close_told;
    }
    fflush(NULL);
    compiled->keeper = fork();
    if (compiled->keeper < 0) {
        error = -errno;
        goto close_held;
    }
    if (compiled->keeper == 0) {
        close(held[1]);
        close(told[0]);
        keep(source, told[1], held[0]);
    }
    close(held[0]);
    close(told[1]);
    compiled->held = held[1];
    error = wait_for_outcome(compiled, told[0]);
    close(told[0]);
    if (error < 0)
        map_compiled_close(compiled);
    return error;

close_held:
    close(held[0]);
    close(held[1]);
close_told:
    close(told[0]);
    close(told[1]);
tell:
    compiled->keeper = 0;
    fprintf(stderr, "salp map: cannot compile '%s': %s\n", source, strerror(-error));
    return error;
}

void map_compiled_close(struct map_compiled *compiled)
{
    if (compiled->keeper <= 0)
        return;
    close(compiled->held);
    while (waitpid(compiled->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    *compiled = (struct map_compiled){ 0 };
}
