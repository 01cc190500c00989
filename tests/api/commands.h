/*
 * What the tests of commands share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMANDS_H
#define COMMANDS_H

#include "tasks.h"

#include <sys/stat.h>

#include <salp/command.h>

#define ARGV(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGV("/bin/sh", "-c", script)
#define WITH(...) (&(salp_command_options){ __VA_ARGS__ })

/* It runs, exits with `status`, and has written these two texts. */
static inline void expect(const char *const argv[], const salp_command_options *options, int status, const char *out,
                          const char *err)
{
    salp_output o;
    int result = salp_command_run(argv, options, &o);
    if (result != 0 || o.exit_status != status || strcmp(o.out ? o.out : "(none)", out) != 0 ||
        strcmp(o.err ? o.err : "(none)", err) != 0)
        fprintf(stderr, "# %s: %s, exit status %d, signal %d, output '%s', errors '%s'\n", argv[0],
                salp_strerror(result), o.exit_status, o.signal, o.out ? o.out : "(none)", o.err ? o.err : "(none)");
    EXPECT(result == 0);
    EXPECT(o.exit_status == status && o.signal == 0);
    EXPECT(strcmp(o.out ? o.out : "(none)", out) == 0 && (!o.out || o.out_size == strlen(out)));
    EXPECT(strcmp(o.err ? o.err : "(none)", err) == 0 && (!o.err || o.err_size == strlen(err)));
    EXPECT(!o.timed_out && !o.truncated && !o.held);
    salp_output_free(&o);
    EXPECT(o.out == NULL && o.out_size == 0 && o.err == NULL);
}

/* It cannot be started, for this reason. */
static inline void expect_error(const char *const argv[], const salp_command_options *options, int error)
{
    salp_output o;
    int result = salp_command_run(argv, options, &o);
    if (result != error)
        fprintf(stderr, "# %s: %s\n", argv[0], salp_strerror(result));
    EXPECT(result == error);
    EXPECT(o.out == NULL && o.err == NULL && o.exit_status == -1 && o.signal == 0);
    salp_command *command = NULL;
    EXPECT(salp_command_start(&command, argv, options) == error && command == NULL);
}

/* A folder for one test, and a path in it. */
static inline const char *scratch(void)
{
    static char folder[] = "/tmp/salp-command-XXXXXX";
    static bool made;
    if (!made)
        EXPECT(mkdtemp(folder) != NULL);
    made = true;
    return folder;
}

static inline const char *scratch_path(const char *name)
{
    static char paths[8][256];
    static int next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", scratch(), name);
    return path;
}

static inline void scratch_remove(void)
{
    expect(ARGV("rm", "-r", scratch()), NULL, 0, "", "");
}

static inline void write_file(const char *path, const char *text, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    EXPECT(fchmod(fd, mode) == 0 && close(fd) == 0);
}

#endif
