/* A source of C becomes a library. SPDX-License-Identifier: MIT */
#include "function/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "job/unnamed.h"

enum { WORDS = 128 };

/* ---- the compiler's command ---- */

struct words {
    char *word[WORDS];
    int count;
    bool full;
};

static void add(struct words *words, const char *word)
{
    char *copy = words->count < WORDS - 1 ? strdup(word) : NULL;
    if (!copy) {
        words->full = true;
        return;
    }
    words->word[words->count++] = copy;
    words->word[words->count] = NULL;
}

static void free_words(struct words *words)
{
    while (words->count > 0)
        free(words->word[--words->count]);
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

/* ---- running it ---- */

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

/* Its temporary files go with the folder. */
static int start_there(pid_t *pid, char *const argv[], const char *folder)
{
    const char *given = getenv("TMPDIR");
    char *before = given ? strdup(given) : NULL;
    setenv("TMPDIR", folder, 1);
    int error = start(pid, argv);
    if (before)
        setenv("TMPDIR", before, 1);
    else
        unsetenv("TMPDIR");
    free(before);
    return error;
}

/* A signal of the user ends it, too: nobody waits for what is not going to be used. */
static bool wait_for(pid_t pid, int line, int *status)
{
    int ended = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd both[] = { { .fd = ended, .events = POLLIN }, { .fd = line, .events = POLLIN } };
    bool told = false;
    while (ended >= 0 && both[0].revents == 0) {
        if (poll(both, 2, -1) <= 0 || both[1].revents == 0)
            continue;
        kill(pid, SIGTERM);
        both[1].fd = -1;
        told = true;
    }
    if (ended >= 0)
        close(ended);
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        ;
    return !told;
}

static int run(const struct words *words, const char *source, const char *folder, int line)
{
    const char *compiler = words->word[0];
    pid_t pid;
    int status;
    int error = words->full ? -E2BIG : start_there(&pid, words->word, folder);
    if (error < 0) {
        fprintf(stderr, "salp map: cannot compile '%s': cannot run '%s': %s\n", source, compiler, strerror(-error));
        return error;
    }
    if (!wait_for(pid, line, &status))
        return -ECANCELED;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    if (WIFSIGNALED(status))
        fprintf(stderr, "salp map: cannot compile '%s': SIG%s has ended %s\n", source, sigabbrev_np(WTERMSIG(status)),
                compiler);
    else
        fprintf(stderr, "salp map: cannot compile '%s': %s has failed\n", source, compiler);
    return -ENOEXEC;
}

int map_compile_run(const struct map_compile *compile, const char *source, int line)
{
    struct words words = { .count = 0 };
    int error = -ENOENT;
    if (access(source, R_OK) != 0) {
        error = -errno;
        fprintf(stderr, "salp map: cannot read '%s': %s\n", source, strerror(errno));
        return error;
    }
    add_all(&words, source, compile->library);
    if (words.count > 0)
        error = run(&words, source, compile->folder, line);
    else
        fprintf(stderr, "salp map: cannot compile '%s': there is no cc, gcc or clang; CC may name a compiler\n",
                source);
    free_words(&words);
    return error;
}

/* ---- its folder ---- */

bool map_compile_is_for(const char *what)
{
    const char *colon = strrchr(what, ':');
    return colon && colon - what > 2 && strncmp(colon - 2, ".c", 2) == 0;
}

int map_compile_open(struct map_compile *compile)
{
    static const char folder[] = "salp-function-XXXXXX", library[] = "function.so";
    const char *where = job_temporary_folder(NULL);
    int error = -ENAMETOOLONG;
    if (strlen(where) + sizeof folder + sizeof library < sizeof compile->folder) {
        snprintf(compile->folder, sizeof compile->folder, "%s/%s", where, folder);
        error = mkdtemp(compile->folder) ? 0 : -errno;
    }
    if (error < 0) {
        compile->folder[0] = '\0';
        fprintf(stderr, "salp map: cannot make a folder in '%s': %s\n", where, strerror(-error));
        return error;
    }
    stpcpy(stpcpy(stpcpy(compile->library, compile->folder), "/"), library);
    return 0;
}

static int remove_one(const char *path, const struct stat *file, int kind, struct FTW *place)
{
    (void)file;
    (void)kind;
    (void)place;
    (void)remove(path); /* whatever stays, the others are not to */
    return 0;
}

/* Compilers may have made folders in it, too. */
void map_compile_remove(const struct map_compile *compile)
{
    enum { DESCRIPTORS = 8 };
    if (compile->folder[0])
        (void)nftw(compile->folder, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
