/*
 * builder.c - runs commands that need each other, some at a time, as make does.
 *
 *     cc builder.c $(pkg-config --cflags --libs salp) -o builder
 *     ./builder [-j COMMANDS] [-t SECONDS] FILE
 *
 * The file has targets, what each needs, and below that, indented, a script for the shell:
 *
 *     app: main.o util.o
 *         cc -o app main.o util.o
 *     main.o:
 *         cc -c main.c
 *
 * Each target is a task. It waits for what it needs, then for one of COMMANDS units of a semaphore, and runs its script. What
 * a script writes is shown in one piece when it has ended. The first that fails cancels the others: those that run are
 * ended with all that they have started. Ctrl-C does the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <salp.h>

enum { TARGETS = 500, NEEDS = 50, AT_ONCE = 4 };

typedef struct target {
    char *name;
    char *needs[NEEDS]; /* names, the last one is followed by NULL */
    char *script;
    salp_event *built;
    int mark; /* 0: not looked at; 1: what it needs is being looked at; 2: it has been */
} target;

static target targets[TARGETS];
static int target_count, built_count;
static salp_semaphore *units;
static salp_group *all;
static int64_t limit;

/* ---- the file ---- */

static target *find(const char *name)
{
    for (int i = 0; i < target_count; i++) {
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    }
    return NULL;
}

/* "NAME: NEEDS" */
static int begin_target(char *line)
{
    char *rest = strchr(line, ':'), *place;
    if (!rest || target_count == TARGETS)
        return -1;
    *rest++ = '\0';
    if (find(line))
        return -1;
    target *t = &targets[target_count++];
    t->name = strdup(line);
    t->script = strdup("");
    int count = 0;
    for (char *need = strtok_r(rest, " \t\n", &place); need; need = strtok_r(NULL, " \t\n", &place)) {
        if (count == NEEDS - 1)
            return -1;
        t->needs[count++] = strdup(need);
    }
    return t->name && t->script ? 0 : -1;
}

static int add_line(const char *line)
{
    if (target_count == 0)
        return -1;
    target *t = &targets[target_count - 1];
    size_t length = strlen(t->script), more = strlen(line);
    char *script = realloc(t->script, length + more + 1);
    if (!script)
        return -1;
    memcpy(script + length, line, more + 1);
    t->script = script;
    return 0;
}

static int read_targets(const char *path)
{
    char line[4096];
    int number = 0, error = 0;
    FILE *file = fopen(path, "re");
    if (!file) {
        perror(path);
        return -1;
    }
    while (error == 0 && fgets(line, sizeof line, file)) {
        number++;
        if (line[0] == '#' || line[strspn(line, " \t\n")] == '\0')
            continue;
        error = isspace((unsigned char)line[0]) ? add_line(line) : begin_target(line);
    }
    fclose(file);
    if (error < 0)
        fprintf(stderr, "%s:%d: not understood\n", path, number);
    return error;
}

/* Whether all that it needs is there, and nothing needs itself. */
static int check(target *t)
{
    if (t->mark == 1) {
        fprintf(stderr, "%s needs itself\n", t->name);
        return -1;
    }
    if (t->mark == 2)
        return 0;
    t->mark = 1;
    for (char **need = t->needs; *need; need++) {
        target *needed = find(*need);
        if (!needed) {
            fprintf(stderr, "%s needs %s, which is no target\n", t->name, *need);
            return -1;
        }
        if (check(needed) < 0)
            return -1;
    }
    t->mark = 2;
    return 0;
}

/* ---- building ---- */

static int run_script(const target *t)
{
    const char *const argv[] = { "/bin/sh", "-e", "-c", t->script, NULL };
    salp_output output;
    int result = salp_command_run(argv, &(salp_command_options){ .merge_stderr = true, .timeout = limit }, &output);
    if (result == 0 && output.exit_status == 0)
        printf("[%d/%d] %s\n", ++built_count, target_count, t->name);
    else if (result == 0 && output.signal != 0)
        printf("%s: ended by signal %d\n", t->name, output.signal);
    else if (result == 0)
        printf("%s: exit status %d\n", t->name, output.exit_status);
    else if (output.timed_out)
        printf("%s: took too long\n", t->name);
    else if (result != -ECANCELED)
        printf("%s: %s\n", t->name, salp_strerror(result));
    fwrite(output.out ? output.out : "", 1, output.out_size, stdout);
    fflush(stdout);
    bool failed = output.exit_status != 0;
    salp_output_free(&output);
    return result == 0 && failed ? -ECHILD : result;
}

static int build(void *arg)
{
    target *t = arg;
    int error = 0;
    for (char **need = t->needs; *need && error == 0; need++)
        error = salp_event_wait(find(*need)->built);
    if (error == 0)
        error = salp_semaphore_acquire(units);
    if (error < 0)
        return error;
    error = run_script(t);
    salp_semaphore_release(units, 1);
    if (error == 0)
        salp_event_set(t->built);
    return error;
}

static void stop(int number, void *arg)
{
    (void)number, (void)arg;
    salp_group_cancel(all);
}

static int build_all(void *arg)
{
    salp_group group;
    int error = 0;
    (void)arg;
    salp_group_open(&group);
    all = &group;
    salp_loop_signal(salp_loop_current(), SIGINT, stop, NULL);
    salp_loop_signal(salp_loop_current(), SIGTERM, stop, NULL);
    for (int i = 0; i < target_count && error == 0; i++)
        error = salp_go(&group, build, &targets[i]);
    if (error < 0)
        salp_group_cancel(&group);
    int failure = salp_group_close(&group);
    salp_loop_signal(salp_loop_current(), SIGINT, NULL, NULL);
    salp_loop_signal(salp_loop_current(), SIGTERM, NULL, NULL);
    return failure < 0 ? failure : error;
}

static int open_all(int at_once)
{
    int error = salp_semaphore_open(&units, &(salp_semaphore_options){ .value = (unsigned)at_once });
    for (int i = 0; i < target_count && error == 0; i++)
        error = salp_event_open(&targets[i].built, NULL);
    return error;
}

static void free_all(void)
{
    for (int i = 0; i < target_count; i++) {
        salp_event_close(targets[i].built);
        for (char **need = targets[i].needs; *need; need++)
            free(*need);
        free(targets[i].name);
        free(targets[i].script);
    }
    salp_semaphore_close(units);
}

int main(int argc, char **argv)
{
    int at_once = AT_ONCE, next = 1;
    for (; next + 1 < argc && argv[next][0] == '-'; next += 2) {
        if (strcmp(argv[next], "-j") == 0)
            at_once = atoi(argv[next + 1]);
        else if (strcmp(argv[next], "-t") == 0)
            limit = (int64_t)(atof(argv[next + 1]) * 1e9);
    }
    if (next + 1 != argc || at_once < 1) {
        fprintf(stderr, "usage: builder [-j COMMANDS] [-t SECONDS] FILE\n");
        return 2;
    }
    int error = read_targets(argv[next]);
    for (int i = 0; i < target_count && error == 0; i++)
        error = check(&targets[i]);
    if (error == 0)
        error = open_all(at_once);
    if (error == 0)
        error = salp_run(build_all, NULL);
    if (error == -ECANCELED)
        printf("stopped\n");
    free_all();
    return error == 0 ? 0 : 1;
}
