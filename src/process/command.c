/* Commands: the public face. SPDX-License-Identifier: MIT */
#include "process/command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include <salp/error.h>

#include "os/memory.h"
#include "task/wait.h"

static const salp_command_options defaults;

/* A descriptor only with SALP_DESCRIPTOR, a file with nothing else. */
static bool is_one_thing(salp_command_way way, int fd, const char *path)
{
    return (unsigned)way <= SALP_DESCRIPTOR && (fd == 0 || way == SALP_DESCRIPTOR) && (!path || way == SALP_PIPED);
}

static bool has_input(const salp_command_options *o)
{
    return o->input_size > 0 || o->input_stream;
}

static bool is_sound(const char *const argv[], const salp_command_options *o)
{
    bool ends = is_one_thing(o->in, o->in_fd, o->in_path) && is_one_thing(o->out, o->out_fd, o->out_path) &&
                is_one_thing(o->err, o->err_fd, o->err_path) &&
                (!o->merge_stderr || (o->err == SALP_PIPED && !o->err_path));
    bool input = (o->input || o->input_size == 0) && (o->input_size == 0 || !o->input_stream) &&
                 (!has_input(o) || (o->in == SALP_PIPED && !o->in_path));
    bool kept = o->keep_count >= 0 && (o->keep || o->keep_count == 0);
    bool times = o->timeout >= 0 && o->linger >= 0;
    return argv && argv[0] && ends && input && kept && times;
}

/* ---- from start to end ---- */

static void discard_if_piped(salp_command_way *way, const char *path)
{
    if (*way == SALP_PIPED && !path)
        *way = SALP_DISCARDED;
}

/* What there is nothing to move for, is no pipe. */
static void discard_unused(salp_command_options *o, bool captures)
{
    if (!has_input(o))
        discard_if_piped(&o->in, o->in_path);
    if (captures || o->on_line)
        return;
    discard_if_piped(&o->out, o->out_path);
    discard_if_piped(&o->err, o->err_path);
}

static int run(const char *const argv[], const salp_command_options *options, bool captures, salp_output *output)
{
    salp_command_options own = *options;
    salp_command command;
    if (salp__cannot_wait())
        return SALP_EINSIDE;
    int error = salp__wait_refused();
    if (error < 0)
        return error;
    discard_unused(&own, captures);
    error = salp__command_start(&command, argv, &own, false);
    if (error < 0)
        return error;
    error = own.input_stream ? salp__command_converse_fed(&command, &own, output)
                             : salp__command_converse(&command, &own, output);
    salp__command_release(&command);
    return error;
}

int salp_command_run(const char *const argv[], const salp_command_options *options, salp_output *output)
{
    salp_output own = { .exit_status = -1 };
    if (output)
        *output = own;
    if (!options)
        options = &defaults;
    if (!is_sound(argv, options))
        return -EINVAL;
    int error = run(argv, options, output != NULL, output ? output : &own);
    if (output || error < 0)
        return error;
    return own.signal != 0 ? SALP_EKILLED : own.exit_status != 0 ? SALP_EFAILED : 0;
}

void salp_output_free(salp_output *output)
{
    if (!output)
        return;
    free(output->out);
    free(output->err);
    *output = (salp_output){ 0 };
}

int salp_system(const char *line)
{
    if (!line)
        return -EINVAL;
    const char *const argv[] = { "/bin/sh", "-c", "--", line, NULL };
    const salp_command_options options = { .in = SALP_PASSED, .out = SALP_PASSED, .err = SALP_PASSED };
    salp_output output = { 0 };
    int error = run(argv, &options, false, &output);
    if (error < 0)
        return error;
    return output.signal != 0 ? SALP_EKILLED : output.exit_status;
}

/* ---- beside us ---- */

/* In a fork of the program a command is not ours: its signals would reach somebody else's. */
static int look_at(const salp_command *command)
{
    if (!command)
        return -EINVAL;
    return command->owner == salp__process_self() ? 0 : SALP_EFORKED;
}

int salp_command_start(salp_command **command, const char *const argv[], const salp_command_options *options)
{
    if (!options)
        options = &defaults;
    if (!command || !is_sound(argv, options) || has_input(options) || options->on_line)
        return -EINVAL;
    int error = salp__wait_refused();
    if (error < 0)
        return error;
    salp_command *made = salp__allocate(sizeof *made);
    if (!made)
        return -ENOMEM;
    error = salp__command_start(made, argv, options, true);
    if (error < 0) {
        salp__free(made);
        return error;
    }
    *command = made;
    return 0;
}

int salp_command_wait(salp_command *command, salp_output *output)
{
    if (output)
        *output = (salp_output){ .exit_status = -1 };
    int error = look_at(command);
    if (error == 0 && salp__cannot_wait())
        error = SALP_EINSIDE;
    return error < 0 ? error : salp__command_wait(command, output);
}

static int signal_tree(salp_command *command, bool kill)
{
    int error = look_at(command);
    if (error == 0 && !salp__process_has_ended(command->watch))
        salp__command_signal_tree(command, kill);
    return error;
}

int salp_command_terminate(salp_command *command)
{
    return signal_tree(command, false);
}

int salp_command_kill(salp_command *command)
{
    return signal_tree(command, true);
}

int salp_command_end(salp_command *command)
{
    int error = look_at(command);
    if (error < 0 || salp__process_has_ended(command->watch))
        return error;
    if (salp__cannot_wait()) {
        salp__command_signal_tree(command, true);
        return SALP_EINSIDE;
    }
    salp__command_end(command, NULL);
    return 0;
}

int salp_command_signal(salp_command *command, int number)
{
    int error = look_at(command);
    return error < 0 ? error : salp__process_send_watched(command->watch, number);
}

pid_t salp_command_pid(const salp_command *command)
{
    return command ? command->pid : -EINVAL;
}

salp_stream *salp_command_stdin(const salp_command *command)
{
    return command ? command->streams[0] : NULL;
}

salp_stream *salp_command_stdout(const salp_command *command)
{
    return command ? command->streams[1] : NULL;
}

salp_stream *salp_command_stderr(const salp_command *command)
{
    return command ? command->streams[2] : NULL;
}

int salp_command_close(salp_command *command)
{
    if (!command)
        return 0;
    if (look_at(command) == 0) {
        if (salp__cannot_wait() && !salp__process_has_ended(command->watch)) {
            salp__command_signal_tree(command, true);
            return SALP_EINSIDE;
        }
        salp__command_close_ends(command);
        salp__command_end(command, NULL);
    }
    salp__command_release(command);
    salp__free(command);
    return 0;
}
