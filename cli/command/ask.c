/* Asks the user at the terminal (--interactive). SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <salp/stream.h>

#include "command/runner.h"
#include "job/audience.h"

/* Opened anew, so that it is ours alone and may be set not to block. */
static int read_answer(char *answer, size_t room)
{
    salp_stream *terminal = NULL;
    int fd = open("/dev/tty", O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -errno;
    int error = salp_stream_from_fd(&terminal, fd, NULL);
    if (error < 0) {
        close(fd);
        return error;
    }
    int64_t size = salp_read_line(terminal, answer, room);
    salp_stream_close(terminal);
    return size < 0 ? (int)size : 0;
}

bool map_runner_ask(struct map_runner *runner, const char *line)
{
    char answer[256] = "";
    int error = salp_mutex_lock(runner->gate_mutex);
    if (error < 0)
        return false;
    if (runner->stop == MAP_GOES_ON) {
        job_audience_move(runner->given->audience, true);
        fprintf(stderr, "%s ?...", line);
        error = read_answer(answer, sizeof answer);
        job_audience_move(runner->given->audience, false);
    }
    salp_mutex_unlock(runner->gate_mutex);
    if (error < 0 && error != -ECANCELED)
        map_run_say(runner->given, "no answer from the terminal: %s", salp_strerror(error));
    return error == 0 && (answer[0] == 'y' || answer[0] == 'Y');
}
