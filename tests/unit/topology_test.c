/*
 * How the machine is built, from descriptions of machines that we do not have: hwloc's short ones, and those in
 * tests/data/machine. What may be used of it is in unit/processors, and of this machine in api/machine.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "os/hwloc.h"
#include "os/loading.h"
#include "os/mappings.h"
#include "os/memory.h"
#include "os/topology.h"

#define KIB ((int64_t)1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

static salp_machine *read_from(const salp__topology_source *source)
{
    salp_machine *machine = NULL;
    int error = salp__topology_read(source, &machine);
    if (error < 0)
        fail_msg("%s", salp_strerror(error));
    return machine;
}

static salp_machine *synthetic(const char *description)
{
    return read_from(&(salp__topology_source){ .synthetic = description });
}

static salp_machine *recorded(const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, SALP_TEST_DATA "/machine/%s.xml", name);
    return read_from(&(salp__topology_source){ .xml = path });
}

/* Each range lies in the machine, and each processor in the ranges that it names. */
static void check(const salp_machine *machine)
{
    int in_cores = 0, in_packages = 0, usable = 0;
    for (int i = 0; i < machine->core_count; i++)
        in_cores += machine->cores[i].count;
    for (int i = 0; i < machine->package_count; i++)
        in_packages += machine->packages[i].count;
    assert_int_equal(in_cores, machine->processor_count);
    assert_int_equal(in_packages, machine->processor_count);
    for (int i = 0; i < machine->processor_count; i++) {
        const salp_processor *processor = &machine->processors[i];
        int last = -1;
        assert_in_range(i - machine->cores[processor->core].first, 0, machine->cores[processor->core].count - 1);
        assert_in_range(i - machine->packages[processor->package].first, 0,
                        machine->packages[processor->package].count - 1);
        if (processor->node >= 0)
            assert_in_range(i - machine->nodes[processor->node].first, 0, machine->nodes[processor->node].count - 1);
        for (int level = 0; level < SALP_CACHE_LEVELS; level++) {
            if (processor->cache[level] < 0)
                continue;
            const salp_cache *cache = &machine->caches[processor->cache[level]];
            assert_int_equal(cache->level, level + 1);
            assert_in_range(i - cache->first, 0, cache->count - 1);
            last = processor->cache[level];
        }
        assert_int_equal(processor->last_cache, last);
        assert_int_equal(salp_machine_find(machine, processor->number), i);
        usable += processor->usable;
    }
    assert_true(usable <= machine->usable.processors);
    assert_int_equal(salp_machine_find(machine, -1), -1);
    assert_int_equal(salp_machine_find(machine, INT_MAX), -1);
}

static void check_level(const salp_machine *machine, int level, int caches, int processors, int64_t size)
{
    const salp_cache_level *found = &machine->levels[level - 1];
    if (found->caches != caches || found->processors != processors || found->size != size)
        fail_msg("L%d: %d caches of %ld bytes for %d each", level, found->caches, (long)found->size, found->processors);
}

static void everything_is_a_range_of_hardware_threads(void **state)
{
    (void)state;
    salp_machine *machine =
        synthetic("pack:2 [numa(memory=8GiB)] l3:2(size=16MiB) core:4 l2:1(size=1MiB) l1:1(size=32KiB) pu:2");
    check(machine);
    assert_int_equal(machine->processor_count, 32);
    assert_int_equal(machine->core_count, 16);
    assert_int_equal(machine->package_count, 2);
    assert_int_equal(machine->node_count, 2);
    assert_int_equal(machine->cache_count, 16 + 16 + 4);
    check_level(machine, 1, 16, 2, 32 * KIB);
    check_level(machine, 2, 16, 2, 1 * MIB);
    check_level(machine, 3, 4, 8, 16 * MIB);
    check_level(machine, 4, 0, 0, 0);
    assert_int_equal(machine->line, 64);
    assert_true(machine->memory == 16 * GIB);
    assert_int_equal(machine->page, sysconf(_SC_PAGESIZE));
    const salp_processor *processor = &machine->processors[19];
    assert_int_equal(processor->package, 1);
    assert_int_equal(processor->node, 1);
    assert_int_equal(processor->core, 9);
    assert_int_equal(machine->cores[9].first, 18);
    assert_int_equal(machine->caches[processor->last_cache].first, 16);
    assert_int_equal(machine->caches[processor->last_cache].count, 8);
    assert_true(machine->nodes[1].memory == 8 * GIB);
    for (int i = 0; i < machine->core_count; i++)
        assert_int_equal(machine->cores[i].kind, SALP_CORES_ALIKE);
    salp__free(machine);
}

static void nodes_inside_of_a_package_are_told(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("pack:2 group:2 [numa] core:3 pu:1");
    check(machine);
    assert_int_equal(machine->node_count, 4);
    assert_int_equal(machine->package_count, 2);
    assert_int_equal(machine->nodes[3].first, 9);
    assert_int_equal(machine->nodes[3].count, 3);
    assert_int_equal(machine->processors[4].node, 1);
    assert_int_equal(machine->processors[4].package, 0);
    salp__free(machine);
}

static void without_hyper_threads_each_core_has_one(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("pack:1 l3:1 core:6 l2:1 l1:1 pu:1");
    check(machine);
    assert_int_equal(machine->processor_count, 6);
    assert_int_equal(machine->core_count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(machine->cores[i].count, 1);
    salp__free(machine);
}

/* As Linux numbers them: first one thread of each core, then the others. */
static void numbers_are_those_of_the_system(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("pack:1 core:4 pu:2(indexes=0,4,1,5,2,6,3,7)");
    check(machine);
    assert_int_equal(machine->processors[1].number, 4);
    assert_int_equal(salp_machine_find(machine, 4), 1);
    assert_int_equal(machine->processors[salp_machine_find(machine, 3)].core,
                     machine->processors[salp_machine_find(machine, 7)].core);
    assert_int_equal(salp_machine_find(machine, 8), -1);
    salp__free(machine);
}

static void numbers_can_have_gaps(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("core:3 pu:1(indexes=2,9,70)");
    check(machine);
    assert_int_equal(salp_machine_find(machine, 70), 2);
    assert_int_equal(salp_machine_find(machine, 9), 1);
    assert_int_equal(salp_machine_find(machine, 3), -1);
    salp__free(machine);
}

static void kinds_of_cores_are_told_apart(void **state)
{
    (void)state;
    salp_machine *machine = recorded("hybrid");
    check(machine);
    assert_string_equal(machine->model, "A hybrid processor, made up for tests");
    assert_int_equal(machine->processor_count, 22);
    assert_int_equal(machine->core_count, 16);
    for (int i = 0; i < machine->core_count; i++) {
        const salp_core *core = &machine->cores[i];
        bool performance = i < 6, slowest = i >= 14;
        assert_int_equal(core->kind, performance ? SALP_CORE_PERFORMANCE : SALP_CORE_EFFICIENCY);
        assert_int_equal(core->rank, performance ? 2 : !slowest);
        assert_int_equal(core->count, performance ? 2 : 1);
    }
    salp__free(machine);
}

static void caches_that_differ_are_summed_up_by_the_smallest(void **state)
{
    (void)state;
    salp_machine *machine = recorded("hybrid");
    check_level(machine, 1, 16, 2, 32 * KIB);
    check_level(machine, 2, 9, 4, 1280 * KIB);
    check_level(machine, 3, 1, 20, 24 * MIB);
    salp__free(machine);
}

static void who_has_no_third_level_shares_the_second(void **state)
{
    (void)state;
    salp_machine *machine = recorded("hybrid");
    assert_int_equal(machine->processors[21].cache[2], -1);
    assert_int_equal(machine->processors[21].last_cache, machine->processors[21].cache[1]);
    assert_int_equal(machine->processors[20].last_cache, machine->processors[21].last_cache);
    assert_int_equal(machine->caches[machine->processors[19].last_cache].level, 3);
    salp__free(machine);
}

static void the_first_of_several_nodes_is_a_processors_own(void **state)
{
    (void)state;
    salp_machine *machine = recorded("memory");
    check(machine);
    assert_int_equal(machine->node_count, 5);
    assert_true(machine->memory == (8 + 8 + 1 + 1 + 64) * GIB);
    for (int i = 0; i < machine->processor_count; i++) {
        const salp_node *node = &machine->nodes[machine->processors[i].node];
        assert_int_equal(node->number, machine->processors[i].package);
        assert_true(node->memory == 8 * GIB);
    }
    salp__free(machine);
}

static void processors_without_cores_are_cores(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("pu:3");
    check(machine);
    assert_int_equal(machine->processor_count, 3);
    assert_int_equal(machine->core_count, 3);
    assert_int_equal(machine->package_count, 1);
    assert_int_equal(machine->cache_count, 0);
    assert_int_equal(machine->processors[2].last_cache, -1);
    assert_int_equal(machine->line, 0);
    salp__free(machine);
}

static void a_large_machine_is_read(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("pack:4 numa:2 l3:4 core:8 l2:1 l1:1 pu:2");
    check(machine);
    assert_int_equal(machine->processor_count, 512);
    check_level(machine, 3, 32, 16, 16 * MIB);
    salp__free(machine);
}

/* Its masks and quotas are not ours. */
static void all_of_another_machine_can_be_used(void **state)
{
    (void)state;
    salp_machine *machine = synthetic("core:100 pu:2");
    assert_true(machine->described);
    assert_int_equal(machine->usable.processors, 200);
    assert_int_equal(machine->usable.workers, 200);
    assert_true(machine->usable.quota == 0);
    assert_true(machine->usable.capacity == 200);
    for (int i = 0; i < 200; i++)
        assert_true(machine->processors[i].usable);
    salp__free(machine);
}

static void a_quota_is_told_with_its_fraction(void **state)
{
    (void)state;
    static const struct {
        const char *tree;
        double quota, capacity;
        int workers;
    } cases[] = {
        { "v1_docker", 1.5, 1.5, 2 },    { "v1_ancestor", 3, 3, 3 }, { "v2_slice", 2.5, 2.5, 3 },
        { "v2_container", 0.5, 0.5, 1 }, { "v2_no_quota", 0, 8, 8 }, { "absent", 0, 8, 8 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char root[PATH_MAX];
        snprintf(root, sizeof root, SALP_TEST_DATA "/cgroup/%s", cases[i].tree);
        salp_machine *machine = read_from(&(salp__topology_source){ .synthetic = "core:4 pu:2", .root = root });
        const salp_usable *usable = &machine->usable;
        if (usable->quota != cases[i].quota || usable->capacity != cases[i].capacity ||
            usable->workers != cases[i].workers || usable->processors != 8)
            fail_msg("%s: %d processors, quota %g, capacity %g, %d workers", cases[i].tree, usable->processors,
                     usable->quota, usable->capacity, usable->workers);
        salp__free(machine);
    }
}

static void a_quota_above_the_mask_is_told_but_limits_nothing(void **state)
{
    (void)state;
    salp_machine *machine =
        read_from(&(salp__topology_source){ .synthetic = "core:2 pu:1", .root = SALP_TEST_DATA "/cgroup/v2_slice" });
    assert_true(machine->usable.quota == 2.5);
    assert_true(machine->usable.capacity == 2);
    assert_int_equal(machine->usable.workers, 2);
    salp__free(machine);
}

static void of_this_machine_a_last_level_cache_is_found_by_number(void **state)
{
    (void)state;
    assert_null(salp__topology_known());
    const salp_machine *machine = salp__topology_get();
    assert_ptr_equal(salp__topology_known(), machine);
    for (int i = 0; i < machine->processor_count; i++)
        assert_int_equal(salp__topology_last_cache(machine->processors[i].number), machine->processors[i].last_cache);
    assert_int_equal(salp__topology_last_cache(-1), -1);
    assert_int_equal(salp__topology_last_cache(INT_MAX), -1);
}

static bool is_hwloc(const salp__mapping *mapping, void *arg)
{
    bool *found = arg;
    *found |= strstr(mapping->path, "/libhwloc") != NULL;
    return true;
}

static bool has_hwloc(void)
{
    bool found = false;
    assert_int_equal(salp__mappings_each(is_hwloc, &found), 0);
    return found;
}

/* Else each fork would copy its mappings. */
static void hwloc_is_there_for_the_look_alone(void **state)
{
    (void)state;
    assert_false(has_hwloc());
    salp__hwloc hwloc;
    salp__loading_begin();
    assert_int_equal(salp__hwloc_load(&hwloc), 0);
    assert_true(has_hwloc());
    salp__hwloc_unload(&hwloc);
    salp__loading_end();
    salp_machine *machine = synthetic("core:2 pu:2");
    assert_int_equal(machine->core_count, 2);
    salp__free(machine);
    assert_false(has_hwloc());
}

static void what_is_no_description_is_refused(void **state)
{
    (void)state;
    salp_machine *machine = NULL;
    assert_int_equal(salp__topology_read(&(salp__topology_source){ .synthetic = "core:x" }, &machine), -EINVAL);
    assert_int_equal(salp__topology_read(&(salp__topology_source){ .synthetic = "pu:2(indexes=0,1048577)" }, &machine),
                     -EINVAL);
    assert_int_equal(salp__topology_read(&(salp__topology_source){ .xml = "/dev/null" }, &machine), -EINVAL);
    assert_int_equal(salp__topology_read(&(salp__topology_source){ .xml = "/absent" }, &machine), -EINVAL);
    assert_null(machine);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("everything is a range of hardware threads", everything_is_a_range_of_hardware_threads),
        TEST("nodes inside of a package are told", nodes_inside_of_a_package_are_told),
        TEST("without hyper-threads each core has one", without_hyper_threads_each_core_has_one),
        TEST("numbers are those of the system", numbers_are_those_of_the_system),
        TEST("numbers can have gaps", numbers_can_have_gaps),
        TEST("kinds of cores are told apart", kinds_of_cores_are_told_apart),
        TEST("caches that differ are summed up by the smallest", caches_that_differ_are_summed_up_by_the_smallest),
        TEST("who has no third level shares the second", who_has_no_third_level_shares_the_second),
        TEST("the first of several nodes is a processor's own", the_first_of_several_nodes_is_a_processors_own),
        TEST("processors without cores are cores", processors_without_cores_are_cores),
        TEST("a large machine is read", a_large_machine_is_read),
        TEST("all of another machine can be used", all_of_another_machine_can_be_used),
        TEST("a quota is told with its fraction", a_quota_is_told_with_its_fraction),
        TEST("a quota above the mask is told, but limits nothing", a_quota_above_the_mask_is_told_but_limits_nothing),
        TEST("of this machine a last-level cache is found by number",
             of_this_machine_a_last_level_cache_is_found_by_number),
        TEST("hwloc is there for the look alone", hwloc_is_there_for_the_look_alone),
        TEST("what is no description is refused", what_is_no_description_is_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
