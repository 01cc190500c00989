/*
 * Libraries are loaded by one thread at a time, and no fork comes in the midst of that: the child's loader would be half way,
 * too. Each test holds the load up, and looks that the other thread sleeps meanwhile.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "os/elfutils.h"
#include "os/loading.h"
#include "os/memory.h"
#include "os/topology.h"

typedef struct other {
    pthread_t thread;
    int (*act)(void);
    atomic_int id;    /* 0: it has not begun */
    atomic_bool done; /* release: result; acquire: whoever reads that */
    int result;
} other;

static atomic_bool is_loading;

static bool sleeps(int thread)
{
    char path[64], state = '?';
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = fopen(path, "re");
    if (!file)
        return false; /* it has ended */
    bool read = fscanf(file, "%*d (%*[^)]) %c", &state) == 1;
    fclose(file);
    return read && state == 'S';
}

static void *run(void *arg)
{
    other *o = arg;
    atomic_store(&o->id, gettid());
    o->result = o->act();
    atomic_store(&o->done, true);
    return NULL;
}

/* Its result, of an act that began while something was loading. */
static int act_while_loading(int (*act)(void))
{
    other o = { .act = act };
    salp__loading_begin();
    atomic_store(&is_loading, true);
    assert_int_equal(pthread_create(&o.thread, NULL, run, &o), 0);
    while (!atomic_load(&o.done) && (atomic_load(&o.id) == 0 || !sleeps(atomic_load(&o.id))))
        sched_yield();
    atomic_store(&is_loading, false);
    salp__loading_end();
    assert_int_equal(pthread_join(o.thread, NULL), 0);
    return o.result;
}

/* In the child: 0, or what is wrong. */
static int look_from_child(void)
{
    if (atomic_load(&is_loading))
        return 1;
    salp__loading_begin(); /* nobody is in the midst of it here */
    salp__loading_end();
    return 0;
}

static int fork_and_look(void)
{
    int status;
    pid_t pid = fork();
    if (pid == 0)
        _exit(look_from_child());
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void a_fork_waits_until_a_library_is_loaded(void **state)
{
    (void)state;
    assert_int_equal(act_while_loading(fork_and_look), 0);
    assert_int_equal(fork_and_look(), 0);
}

static int load_elfutils(void)
{
    int error = salp__elfutils_load();
    return error < 0 ? error : atomic_load(&is_loading);
}

static int look_at_machine(void)
{
    salp_machine *machine;
    int error = salp__topology_read(&(salp__topology_source){ .synthetic = "core:2 pu:2" }, &machine);
    if (error < 0)
        return error;
    salp__free(machine);
    return atomic_load(&is_loading);
}

static void one_thread_at_a_time_loads(void **state)
{
    (void)state;
    assert_int_equal(act_while_loading(load_elfutils), 0);
    assert_int_equal(act_while_loading(look_at_machine), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a fork waits until a library is loaded", a_fork_waits_until_a_library_is_loaded),
        TEST("one thread at a time loads", one_thread_at_a_time_loads),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
