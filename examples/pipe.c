/*
 * pipe.c - a process answers questions that come over a pipe, and is handed a file to write to.
 *
 *     cc pipe.c $(pkg-config --cflags --libs salp) -o pipe
 *
 * The well-known first program with a pipe, where the child sends one message, goes both ways here. A message has any
 * length and arrives whole. The child closes the end that it does not use, so that it gets the end of messages when the
 * parent has closed its own; and so does the parent.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <salp.h>

enum { LONG = 5000000 };

/* In the child: sends back each message turned around; to a file that came along it writes what it thinks. */
static int answer(salp_pipe *pipe)
{
    salp_buffer message = { 0 };
    int result, file, count;
    while ((result = salp_pipe_receive_fds(pipe, &message, &file, 1, &count)) > 0) {
        char *text = message.data;
        for (size_t i = 0, k = message.size; i + 1 < k; i++) {
            char last = text[--k];
            text[k] = text[i];
            text[i] = last;
        }
        if (count > 0) {
            dprintf(file, "the child got a message of %zu bytes and this file\n", message.size);
            close(file);
        }
        result = salp_pipe_send(pipe, message.data, message.size);
        if (result < 0)
            break;
    }
    salp_buffer_free(&message);
    return result;
}

static int ask(salp_pipe *pipe)
{
    static char question[LONG];
    salp_buffer message = { 0 };
    memset(question, 'a', sizeof question);
    question[LONG - 1] = 'z';
    int result = salp_pipe_send(pipe, "plas", 4);
    if (result == 0)
        result = salp_pipe_receive(pipe, &message);
    if (result > 0) {
        printf("%.*s\n", (int)message.size, (const char *)message.data);
        fflush(stdout); /* the child writes to the same file next */
        result = salp_pipe_send_fds(pipe, question, sizeof question, (int[]){ STDOUT_FILENO }, 1);
    }
    if (result == 0)
        result = salp_pipe_receive(pipe, &message);
    if (result > 0)
        printf("%zu bytes, the first is %c\n", message.size, *(const char *)message.data);
    salp_buffer_free(&message);
    return result;
}

int main(void)
{
    salp_pipe *ours, *theirs;
    int result = salp_pipe_open(&ours, &theirs), status = 0;
    if (result < 0) {
        fprintf(stderr, "pipe: %s\n", salp_strerror(result));
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        salp_pipe_close(ours);
        result = answer(theirs);
        _exit(result < 0);
    }
    salp_pipe_close(theirs);
    if (child > 0)
        result = ask(ours);
    salp_pipe_close(ours); /* the end, for the child */
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0 || result <= 0) {
        fprintf(stderr, "pipe: %s\n", result < 0 ? salp_strerror(result) : "the child has failed");
        return 1;
    }
    puts("the child has ended");
    return 0;
}
