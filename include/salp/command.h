/*
 * salp/command.h - running other programs: their input, their output, how they ended.
 *
 *     const char *const argv[] = { "sort", "-u", NULL };
 *     salp_output output;
 *     int result = salp_command_run(argv,
 *                                   &(salp_command_options){ .input = "b\na\nb\n", .input_size = 6,
 *                                                            .timeout = SALP_SECONDS(5) },
 *                                   &output);
 *     if (result == 0 && output.exit_status == 0)
 *         fwrite(output.out, 1, output.out_size, stdout);
 *     salp_output_free(&output);
 *
 * What a call starts, with all that has come from it, is the command's tree: a
 * process group of its own, and whoever has left that but descends from it. A
 * time-out, a scope that is over and salp_command_close end the tree: all are asked
 * to (SIGTERM), and killed (SIGKILL) when they take longer than `kill_after`. A
 * command that has ended by itself may leave others behind, as a shell does with
 * `&`: they live on.
 *
 * It gets no descriptor but those that it is given, no signal blocked, each signal as
 * it is by default. Starting it costs the same whatever the memory of this program is.
 * Salp has no handler for SIGCHLD, and a program may have its own, ignore that signal, or
 * reap all its children: then Linux 6.15 and later still tell how a command has
 * ended, and on older ones a call that should ends with -ECHILD. The processor time and
 * the peak of memory are 0 then.
 *
 * A program that cannot be executed is the error of the call that starts it:
 * -ENOENT there is none, or not that folder; -EACCES, -ENOEXEC, -E2BIG, -ENOTDIR, -ELOOP, ...
 * as execve(2) and chdir(2) say; -ETXTBSY somebody has still open for writing what is to be
 * executed (it was tried again for about a second, not in a callback of a loop). Exit
 * statuses of 126 and 127 are the command's own.
 *
 * Called from a task, these suspend that task alone; from a plain thread, they sleep.
 * From a callback of a loop (salp/loop.h) what has to wait ends with SALP_EINSIDE.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_COMMAND_H
#define SALP_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <salp/base.h>
#include <salp/error.h>
#include <salp/stream.h>
#include <salp/time.h>

SALP_BEGIN

/* Where a command's standard input comes from, where its output and its errors go to. */
typedef enum salp_command_way {
    SALP_PIPED,      /* salp_command_run: the input that is given, or an empty one; output is captured, or told by line.
                        salp_command_start: an end for us */
    SALP_PASSED,     /* this program's own */
    SALP_DISCARDED,  /* /dev/null */
    SALP_DESCRIPTOR, /* in_fd, out_fd, err_fd */
} salp_command_way;

/*
 * All zeros are the defaults. Nothing of it is needed after the call. Those marked with "run" are for salp_command_run.
 */
typedef struct salp_command_options {
    const char *cwd;                /* the folder that it works in; NULL: this program's */
    const char *const *env;         /* its environment, "NAME=value", ends with NULL; NULL: this program's */
    const char *const *env_changes; /* to that: "NAME=value" sets, "NAME" takes away; ends with NULL. NULL: none */

    /* Run: bytes for its standard input, which then ends; or all that a stream gives until it ends. It need not read them:
       what was read from the stream and not by the command is lost. */
    const void *input;
    size_t input_size;
    salp_stream *input_stream;

    salp_command_way in, out, err;
    int in_fd, out_fd, err_fd; /* with SALP_DESCRIPTOR; they stay the caller's, and open here */

    /* Files, instead of all that; from where this program works, also if there is a `cwd`. Output empties them first, unless
       it is to be appended; one that is not there is made (0666 and the umask). Opening a fifo waits for its other end,
       with the loop, and no scope ends that. */
    const char *in_path, *out_path, *err_path;
    bool append;

    bool merge_stderr; /* its errors go where its output goes, in their order */

    /* Run: so many bytes are kept of each output; what is more is read and thrown away. 0: 256 MiB. */
    size_t limit_output;

    /*
     * Run: called by the caller's task or thread with each line of the output (fd 1) and the errors (2) that are
     * SALP_PIPED, which are not kept then. Without its newline, with a zero behind it, and gone afterwards; the last one
     * need not have had a newline, and one above 64 KiB comes in pieces of that size. It may wait: so does the command,
     * when its pipe is full. To end the command, cancel a scope around the call: that ends the waiting of on_line, too, also
     * with the lines that still come. (With an input_stream, a plain thread has a task call it.)
     */
    void (*on_line)(int fd, const char *line, size_t size, void *arg);
    void *arg;

    int64_t timeout;    /* nanoseconds, from when it was started; 0: none. Looked at while a call waits for it */
    int64_t kill_after; /* from asking the tree to end to killing it; 0: one second; negative: it is killed at once */

    /* Run: after the command has ended, how long others who hold its output may still write to it; 0: one second;
       SALP_FOREVER: until all have closed it. */
    int64_t linger;

    const int *keep; /* more descriptors that it gets, under the same numbers (3 and above) */
    int keep_count;

    /* It stays in this program's process group: Ctrl-C at the terminal is for both. So it does also if its input is
       SALP_PASSED, since only that group may read from the terminal. */
    bool same_group;

    /* What is orphaned in its tree becomes a child of init, as usual, and leaves the tree. Else it becomes the command's;
       one that does not wait for children which it does not know collects zombies then. */
    bool free_orphans;
} salp_command_options;

/* What has become of a command. */
typedef struct salp_output {
    char *out;       /* what it has written, with a zero behind it; NULL: nothing was captured */
    size_t out_size; /* bytes, without that zero */
    char *err;       /* likewise, its errors */
    size_t err_size;
    int exit_status; /* 0 to 255; -1: it did not exit by itself, or that is not known */
    int signal;      /* that ended it; 0: none */
    bool timed_out;  /* its own time-out has ended it, not that of a scope */
    bool truncated;  /* it has written more than is kept */
    bool held;       /* others still held its output when we stopped reading: there may be more */
    int64_t wall;    /* nanoseconds from its start to its end */
    int64_t user;    /* nanoseconds of processor time, of it and of those that it has waited for */
    int64_t system;
    int64_t peak_memory; /* bytes that the largest of these had at a time. Linux counts from before the command is
                            executed: what is not above this program's own peak is that peak */
} salp_output;

/*
 * Runs a command to its end: argv[0] with these arguments, the last of which is followed by NULL. A name without a
 * slash is looked for in PATH of the environment that the command gets (/usr/local/bin:/usr/bin:/bin without one); an
 * empty entry of PATH is the folder that it works in. NULL options: none.
 *
 * Returns 0 when the command has run, whatever its exit status is: the output tells. It is filled in whenever a
 * command was started, also with an error, and else empty with an exit status of -1; salp_output_free frees what it holds. Without an output
 * (NULL), what is SALP_PIPED is discarded, and a command that fails is an error.
 *
 * Input, output and errors are moved at the same time, so that no pipe can be full for ever. When the command has ended,
 * all that it has written was read; that others who hold its pipes go on writing holds the call up for `linger` at most.
 *
 * Threads: any. Waits: yes, in callbacks of loops SALP_EINSIDE. A scope that is over ends the tree. That, and a time-out,
 * takes `kill_after` and the time that a killed process needs to end at most: one that the kernel does not let go
 * within five seconds is left alone, as -1 and 0.
 * Errors: those above; -ETIMEDOUT: its own time-out (output->timed_out), or that of a scope; -ECANCELED; -EINVAL: no
 * argv or no argv[0]; two inputs, or one that does not go to a pipe; two things for one end; a negative time;
 * SALP_EFAILED, SALP_EKILLED: without an output, it has exited with another status than 0, a signal has ended it; -EBADF:
 * a descriptor that is not open; -EMFILE, -ENFILE, -EAGAIN, -ENOMEM, also while it runs: its tree was ended; of opening
 * a file: as open(2); of reading the input_stream: as salp_read; -ECHILD.
 */
SALP_API int salp_command_run(const char *const argv[], const salp_command_options *options, salp_output *output);

/* Frees what it holds, and leaves zeros. Accepts NULL. */
SALP_API void salp_output_free(salp_output *output);

/* ---- a command that runs beside us ---- */

typedef struct salp_command salp_command;

/*
 * Starts a command, and returns while it runs. Its three ends, if they are SALP_PIPED, are ours to use, and to be
 * closed by salp_command_close; whoever waits for a command that waits for somebody to read or to write, waits for ever.
 *
 * Threads: any. Waits: until the command was executed; for -ETXTBSY as above, which a scope ends.
 * Errors: as salp_command_run; -EINVAL: `command` is NULL, or there is input or an on_line: those are for salp_command_run.
 */
SALP_API int salp_command_start(salp_command **command, const char *const argv[], const salp_command_options *options);

/*
 * Its three ends, to write to and to read from (salp/stream.h); NULL: that one is not SALP_PIPED. They are the command's,
 * and closed with it: not by salp_stream_close. salp_shutdown of the first one ends its input. Threads: any. Waits: no.
 */
SALP_API salp_stream *salp_command_stdin(const salp_command *command);
SALP_API salp_stream *salp_command_stdout(const salp_command *command);
SALP_API salp_stream *salp_command_stderr(const salp_command *command);

/*
 * Waits until it has ended, and tells how: of the output, all but what it has written. The output may be NULL. Again
 * and again, and by several at a time, for the same answer.
 *
 * Threads: any, while it is open. Waits: yes. A scope ends the waiting, not the command; the command's own time-out ends
 * its tree.
 * Errors: -EINVAL; -ETIMEDOUT; -ECANCELED; SALP_EINSIDE; -ECHILD, with an output of which only `wall` counts; -ENOMEM,
 * -EMFILE: of waiting; SALP_EFORKED.
 */
SALP_API int salp_command_wait(salp_command *command, salp_output *output);

/* Asks its tree to end (SIGTERM), or ends it (SIGKILL). Waits: no, but it looks for the tree in /proc. Threads: any, while
   it is open. Returns 0, also if it has ended; SALP_EFORKED; -EINVAL. */
SALP_API int salp_command_terminate(salp_command *command);
SALP_API int salp_command_kill(salp_command *command);

/*
 * Ends its tree as a time-out does: asks it to end, kills it after `kill_after`, and returns when all of it is gone. Its ends
 * stay open: another task can read meanwhile what is still written. Nothing if it has ended by itself.
 *
 * Threads: any, while it is open. Waits: yes, and scopes do not end that: at most `kill_after`, and five seconds for a process
 * that the kernel does not let go. Returns 0; SALP_EINSIDE: called by a callback of a loop: it was killed; SALP_EFORKED; -EINVAL.
 */
SALP_API int salp_command_end(salp_command *command);

/* Sends a signal to the command alone. Threads: any. Errors: -EINVAL: also no signal of that number; -ESRCH: it has ended;
   -EPERM: it has become another user's; SALP_EFORKED. */
SALP_API int salp_command_signal(salp_command *command, int number);

/* Its process. Another one may have that number after the command has ended and was waited for. NULL: -EINVAL. */
SALP_API pid_t salp_command_pid(const salp_command *command);

/*
 * Closes its ends, ends its tree if it has not ended by itself (asks it to; kills it after `kill_after`), and frees it.
 * Bounded: scopes around it do not end this. Accepts NULL. Threads: one, when nobody else uses it.
 *
 * Returns 0; SALP_EINSIDE: called by a callback of a loop before it has ended: it was killed, and has still to be closed
 * by somebody who can wait, or when it has ended.
 */
SALP_API int salp_command_close(salp_command *command);

/* ---- as a shell does ---- */

/*
 * Runs a line by `/bin/sh -c`, with the input, output and errors of this program, in its process group.
 *
 * Returns the shell's exit status, 0 to 255; or a negative error: SALP_EKILLED: a signal has ended the shell; the others as
 * salp_command_run. (A shell that has waited for somebody whom a signal has ended exits itself, with 128 and the signal's
 * number: that is its exit status.) Who wants to know more calls salp_command_run.
 *
 * Threads: any. Waits: yes. A scope that is over ends all that the line has started.
 */
SALP_API int salp_system(const char *line);

SALP_END

#endif
