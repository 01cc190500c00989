/*
 * This machine, and what the test lets itself use of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

enum { MASK = 1 << 16 }; /* processors, more than any machine has */

/* The affinity mask of this thread is what the function gets; it may change it, which then holds. */
static void change_mask(void (*change)(cpu_set_t *mask, size_t size))
{
    cpu_set_t *mask = CPU_ALLOC(MASK);
    size_t size = CPU_ALLOC_SIZE(MASK);
    assert_non_null(mask);
    assert_int_equal(sched_getaffinity(0, size, mask), 0);
    change(mask, size);
    assert_int_equal(sched_setaffinity(0, size, mask), 0);
    CPU_FREE(mask);
}

static int first_of(const cpu_set_t *mask, size_t size)
{
    for (int i = 0; i < MASK; i++) {
        if (CPU_ISSET_S((size_t)i, size, mask))
            return i;
    }
    return -1;
}

static void leave_first(cpu_set_t *mask, size_t size)
{
    int first = first_of(mask, size);
    CPU_ZERO_S(size, mask);
    CPU_SET_S((size_t)first, size, mask);
}

static void leave_last(cpu_set_t *mask, size_t size)
{
    while (CPU_COUNT_S(size, mask) > 1)
        CPU_CLR_S((size_t)first_of(mask, size), size, mask);
}

static void remove_first(cpu_set_t *mask, size_t size)
{
    CPU_CLR_S((size_t)first_of(mask, size), size, mask);
}

static void the_machine_agrees_with_the_system(void **state)
{
    (void)state;
    const salp_machine *machine = salp_machine_get();
    assert_non_null(machine);
    assert_false(machine->described);
    assert_true(machine->processor_count >= machine->core_count);
    assert_true(machine->core_count >= machine->package_count);
    assert_true(machine->package_count >= 1);
    assert_true(machine->processor_count <= sysconf(_SC_NPROCESSORS_CONF));
    assert_int_equal(machine->page, sysconf(_SC_PAGESIZE));
    assert_true(machine->memory >= 0);
    assert_true(machine->usable.processors >= 1);
    assert_true(machine->usable.workers >= 1);
    assert_true(machine->usable.capacity > 0);
    assert_true(machine->usable.capacity <= machine->usable.processors);
    assert_true(machine->usable.workers >= machine->usable.capacity);
    assert_true(machine->usable.workers < machine->usable.capacity + 1);
}

static void we_run_on_a_processor_of_the_machine(void **state)
{
    (void)state;
    const salp_machine *machine = salp_machine_get();
    int index = salp_machine_find(machine, sched_getcpu());
    assert_in_range(index, 0, machine->processor_count - 1);
    assert_true(machine->processors[index].usable);
    assert_int_equal(salp_machine_find(NULL, 0), -1);
}

static void every_call_returns_the_same(void **state)
{
    (void)state;
    const salp_machine *machine = salp_machine_get();
    assert_ptr_equal(salp_machine_get(), machine);
    pid_t child = fork();
    if (child == 0)
        _exit(salp_machine_get() != machine);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void *get(void *barrier)
{
    pthread_barrier_wait(barrier);
    return (void *)(uintptr_t)salp_machine_get();
}

static void threads_that_are_first_together_get_the_same(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    pthread_barrier_t barrier;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get, &barrier), 0);
    void *found[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], &found[i]), 0);
    pthread_barrier_destroy(&barrier);
    assert_non_null(found[0]);
    for (int i = 1; i < THREADS; i++)
        assert_ptr_equal(found[i], found[0]);
}

static int ask_in_a_task(void *arg)
{
    (void)arg;
    salp_usable usable;
    const salp_machine *machine = salp_machine_get();
    EXPECT(machine && machine->processor_count >= 1);
    EXPECT(salp_machine_get() == machine);
    EXPECT(salp_machine_usable(&usable) == 0 && usable.processors == machine->usable.processors);
    return 0;
}

/* Whose stack would be too small for what is done to find it. */
static void a_task_can_ask(void **state)
{
    (void)state;
    assert_int_equal(salp_run(ask_in_a_task, NULL), 0);
}

static void a_mask_of_one_processor_is_obeyed(void **state)
{
    (void)state;
    change_mask(leave_first);
    const salp_machine *machine = salp_machine_get();
    int marked = 0;
    for (int i = 0; i < machine->processor_count; i++)
        marked += machine->processors[i].usable;
    assert_int_equal(marked, 1);
    assert_true(machine->processors[salp_machine_find(machine, sched_getcpu())].usable);
    assert_int_equal(machine->usable.processors, 1);
    assert_int_equal(machine->usable.workers, 1);
    assert_true(machine->usable.capacity <= 1);
}

static void what_the_mask_leaves_out_is_still_there(void **state)
{
    (void)state;
    salp_usable before;
    assert_int_equal(salp_machine_usable(&before), 0);
    if (before.processors < 2)
        test_skip("there is one processor to use");
    change_mask(remove_first);
    const salp_machine *machine = salp_machine_get();
    int marked = 0;
    for (int i = 0; i < machine->processor_count; i++)
        marked += machine->processors[i].usable;
    assert_true(machine->processor_count >= before.processors);
    assert_int_equal(marked, before.processors - 1);
    assert_int_equal(machine->usable.processors, before.processors - 1);
}

static void a_mask_that_changes_is_seen_by_the_fresh_look_alone(void **state)
{
    (void)state;
    const salp_machine *machine = salp_machine_get();
    int before = machine->usable.processors;
    change_mask(leave_first);
    salp_usable usable;
    assert_int_equal(salp_machine_usable(&usable), 0);
    assert_int_equal(usable.processors, 1);
    assert_int_equal(usable.workers, 1);
    assert_int_equal(salp_machine_get()->usable.processors, before);
    assert_int_equal(salp_machine_usable(NULL), -EINVAL);
}

static void the_environment_is_left_as_it_was(void **state)
{
    (void)state;
    extern char **environ;
    int before = 0, after = 0;
    for (char **each = environ; *each; each++)
        before++;
    assert_non_null(salp_machine_get());
    for (char **each = environ; *each; each++)
        after++;
    assert_int_equal(after, before);
    assert_null(getenv("HWLOC_PLUGINS_PATH"));
}

/* Privileged programs only, and in some containers nobody, may hide it; who is nobody special, may in a namespace of his own. */
static bool hide_sys(void)
{
    if (unshare(CLONE_NEWNS) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return false;
    (void)mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL);
    return mount("none", "/sys", "tmpfs", MS_RDONLY, NULL) == 0 && access("/sys/devices", F_OK) < 0;
}

static void without_sys_processors_are_told(void **state)
{
    (void)state;
    if (!hide_sys())
        test_skip("/sys cannot be hidden here");
    const salp_machine *machine = salp_machine_get();
    assert_non_null(machine);
    assert_true(machine->usable.processors >= 1);
    assert_int_equal(machine->processor_count, sysconf(_SC_NPROCESSORS_ONLN));
    assert_true(machine->core_count >= 1);
    assert_int_equal(machine->package_count, 1);
    assert_true(machine->memory > 0);
    assert_in_range(salp_machine_find(machine, sched_getcpu()), 0, machine->processor_count - 1);
}

static void without_sys_a_mask_says_what_processors_are_called(void **state)
{
    (void)state;
    if (!hide_sys())
        test_skip("/sys cannot be hidden here");
    change_mask(leave_last);
    const salp_machine *machine = salp_machine_get();
    int index = salp_machine_find(machine, sched_getcpu());
    assert_in_range(index, 0, machine->processor_count - 1);
    for (int i = 0; i < machine->processor_count; i++)
        assert_int_equal(machine->processors[i].usable, i == index);
    assert_int_equal(machine->usable.processors, 1);
}

static void another_machine_can_be_described(void **state)
{
    (void)state;
    assert_int_equal(setenv("HWLOC_XMLFILE", SALP_TEST_DATA "/machine/hybrid.xml", 1), 0);
    const salp_machine *machine = salp_machine_get();
    assert_true(machine->described);
    assert_int_equal(machine->processor_count, 22);
    assert_int_equal(machine->usable.workers, 22);
    /* What pools do is about this one. */
    salp_usable usable;
    assert_int_equal(salp_machine_usable(&usable), 0);
    assert_true(usable.processors <= sysconf(_SC_NPROCESSORS_CONF));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("the machine agrees with the system", the_machine_agrees_with_the_system),
        TEST("we run on a processor of the machine", we_run_on_a_processor_of_the_machine),
        TEST("every call returns the same, in a fork too", every_call_returns_the_same),
        TEST("threads that are first together get the same", threads_that_are_first_together_get_the_same),
        TEST("a task can ask", a_task_can_ask),
        TEST("a mask of one processor is obeyed", a_mask_of_one_processor_is_obeyed),
        TEST("what the mask leaves out is still there", what_the_mask_leaves_out_is_still_there),
        TEST("a mask that changes is seen by the fresh look alone",
             a_mask_that_changes_is_seen_by_the_fresh_look_alone),
        TEST("the environment is left as it was", the_environment_is_left_as_it_was),
        TEST("without /sys processors are told", without_sys_processors_are_told),
        TEST("without /sys a mask says what processors are called", without_sys_a_mask_says_what_processors_are_called),
        TEST("another machine can be described", another_machine_can_be_described),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
