/*
 * A text about all tasks of a loop, for people.
 *
 * It is made on the loop's stack, since debug information needs room; only the walk along each task's stack is done on that
 * stack, by a visitor.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <salp/buffer.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/symbols.h"
#include "task/task.h"

/* The visitor and the switch are of no interest. */
enum { FRAMES = 48, UNSEEN = 2, TEXT = 8192 };

/* Bytes of a stack that a walk takes, and some more. */
enum { NEEDED = 8192 };

typedef struct walk {
    uint64_t addresses[FRAMES];
    int count;
} walk;

static void walk_here(void *arg)
{
    walk *w = arg;
    w->count = salp__backtrace_here(w->addresses, FRAMES);
}

static int append(salp_buffer *text, const char *line)
{
    return salp_buffer_append(text, line, strlen(line));
}

static int append_frames(salp_buffer *text, salp__symbols *symbols, const walk *w)
{
    static const char margin[] = "    ";
    char lines[TEXT];
    int error = 0;
    if (!symbols || w->count <= UNSEEN)
        return 0;
    salp__symbols_describe(symbols, w->addresses + UNSEEN, w->count - UNSEEN, lines, sizeof lines);
    for (char *line = lines, *end; error == 0 && (end = strchr(line, '\n')); line = end + 1) {
        error = append(text, margin);
        if (error == 0)
            error = salp_buffer_append(text, line, (size_t)(end + 1 - line));
    }
    return error;
}

static double seconds(int64_t nanoseconds)
{
    return nanoseconds > 0 ? (double)nanoseconds / 1e9 : 0.0;
}

static int append_task(salp_buffer *text, salp__symbols *symbols, salp__task *task)
{
    char line[256];
    int64_t now = salp__now_about();
    walk w = { .count = 0 };
    int length = snprintf(line, sizeof line, "task %p", (void *)task);
    if (task->name)
        length = snprintf(line, sizeof line, "task \"%.100s\"", task->name);
    const char *state = task->begun ? "is running or ready" : "has not begun";
    if (task->actor.what)
        snprintf(line + length, sizeof line - (size_t)length, " waits for %s, for %.3f s; it is %.3f s old\n",
                 task->actor.what, seconds(now - task->actor.since), seconds(now - task->born));
    else
        snprintf(line + length, sizeof line - (size_t)length, " %s; it is %.3f s old\n", state,
                 seconds(now - task->born));
    bool room = (size_t)((char *)task->pointer - (char *)task->stack) >= NEEDED;
    if (task->begun && room)
        salp__task_visit(task, walk_here, &w);
    int error = append(text, line);
    if (error == 0 && task->begun && !room)
        error = append(text, "    (its stack is too full to be walked)\n");
    return error < 0 ? error : append_frames(text, symbols, &w);
}

/* On the loop's stack. */
static int describe(salp__runtime *runtime, const char *title, salp_buffer *text)
{
    salp__list tasks;
    salp__symbols *symbols = NULL;
    (void)salp__symbols_open(&symbols); /* without memory: without stacks */
    int error = append(text, title);
    salp__scope_collect(runtime, &tasks);
    while (!salp__list_empty(&tasks)) {
        salp__task *task = SALP__CONTAINER(tasks.next, salp__task, doomed);
        salp__list_remove(&task->doomed);
        if (error == 0)
            error = append_task(text, symbols, task);
    }
    salp__symbols_close(symbols);
    return error;
}

typedef struct dump {
    salp__runtime *runtime;
    salp_buffer text;
    int error;
} dump;

static void make_dump(void *arg)
{
    dump *d = arg;
    d->error = describe(d->runtime, "", &d->text);
}

int salp_task_dump(int fd)
{
    dump d = { .runtime = salp__runtime_here() };
    if (!d.runtime)
        return -EPERM;
    salp__on_large_stack(make_dump, &d);
    int error = d.error < 0 ? d.error : salp__file_append(fd, d.text.data, d.text.size);
    salp_buffer_free(&d.text);
    return error;
}

bool salp__deadlock(salp__runtime *runtime)
{
    const salp_run_options *options = &runtime->options;
    if (runtime->deadlocks++ > 0)
        return salp__scope_end_each(runtime, SALP_EDEADLK) > 0; /* shields, too: nothing else is left to do */
    salp_buffer text = { 0 };
    runtime->loop.turning = true; /* what is called now is called by the loop */
    int error = options->on_deadlock ? describe(runtime, "all tasks wait for each other\n", &text) : -ENOENT;
    if (error == 0 && salp_buffer_append(&text, "", 1) == 0)
        options->on_deadlock(text.data, options->arg);
    salp_buffer_free(&text);
    runtime->loop.turning = false;
    salp__scope_end_run(runtime, SALP_EDEADLK);
    return true;
}
