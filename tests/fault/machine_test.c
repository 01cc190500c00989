/*
 * The machine, while allocations and hwloc fail one by one: it is told, or there is NULL and the next call tells it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "os/fault.h"
#include "os/memory.h"
#include "os/topology.h"

/* With the n-th call failing; returns whether one failed. */
static bool look(long n, int *error, salp_machine **machine)
{
    *machine = NULL;
    salp__fault_arm(SALP__PROGRAM, n);
    *error = salp__topology_read(&(salp__topology_source){ 0 }, machine);
    bool fired = salp__fault_fired();
    salp__fault_arm(SALP__PROGRAM, 0);
    return fired;
}

static void check_flat(const salp_machine *machine)
{
    assert_int_equal(machine->processor_count, sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(machine->core_count, machine->processor_count);
    assert_int_equal(machine->package_count, 1);
    assert_int_equal(machine->packages[0].count, machine->processor_count);
    assert_int_equal(machine->cache_count, 0);
    assert_int_equal(machine->node_count, 0);
    assert_true(machine->memory > 0);
    assert_string_equal(machine->model, "");
    for (int i = 0; i < machine->processor_count; i++) {
        const salp_processor *processor = &machine->processors[i];
        assert_int_equal(salp__topology_find(machine, processor->number), i);
        assert_int_equal(processor->core, i);
        assert_int_equal(machine->cores[i].first, i);
        assert_int_equal(machine->cores[i].count, 1);
        assert_int_equal(processor->package, 0);
        assert_int_equal(processor->node, -1);
        assert_int_equal(processor->last_cache, -1);
    }
}

/* The first call is hwloc, then come the block, and the files of quotas, without which there is none. */
static void whatever_fails_processors_are_told_or_there_is_no_memory(void **state)
{
    (void)state;
    salp_machine *whole, *machine;
    int error, failed = 0;
    assert_false(look(0, &error, &whole));
    assert_int_equal(error, 0);
    bool fired = true;
    for (long n = 1; fired; n++) {
        fired = look(n, &error, &machine);
        assert_true(error == 0 || (fired && error == -ENOMEM));
        assert_int_equal(machine != NULL, error == 0);
        failed += error < 0;
        if (!machine)
            continue;
        if (n == 1)
            check_flat(machine);
        else
            assert_int_equal(machine->cache_count, whole->cache_count);
        assert_int_equal(machine->usable.processors, whole->usable.processors);
        salp__free(machine);
    }
    salp__free(whole);
    assert_true(failed >= 1);
}

static void without_memory_another_call_tries_again(void **state)
{
    (void)state;
    int missing = 0;
    const salp_machine *machine = NULL;
    for (long n = 2; !machine; n++) { /* 1 is hwloc */
        salp__fault_arm(SALP__PROGRAM, n);
        machine = salp_machine_get();
        salp__fault_arm(SALP__PROGRAM, 0);
        missing += !machine;
        assert_true(missing < 100);
    }
    assert_true(missing >= 1);
    assert_ptr_equal(salp_machine_get(), machine);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("whatever fails, processors are told, or there is no memory",
             whatever_fails_processors_are_told_or_there_is_no_memory),
        TEST("without memory another call tries again", without_memory_another_call_tries_again),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
