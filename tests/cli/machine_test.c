/*
 * What salp machine prints for people, of machines that we do not have. The program itself is in cli/salp.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include "cli/machine.h"
#include "os/memory.h"
#include "os/topology.h"

enum { COLUMNS = 80 };

static salp_machine *read_from(const salp__topology_source *source)
{
    salp_machine *machine = NULL;
    assert_int_equal(salp__topology_read(source, &machine), 0);
    return machine;
}

/* What is drawn, until free. */
static char *draw(const salp_machine *machine)
{
    char *text = NULL;
    size_t size;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_int_equal(cli_machine_draw(file, machine), 0);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* Draws a machine, changed as by us, and frees it. */
static void expect(salp_machine *machine, const char *expected)
{
    char *text = draw(machine);
    assert_string_equal(text, expected);
    free(text);
    salp__free(machine);
}

/* The size of a page is this machine's. */
static void set_page(salp_machine *machine)
{
    machine->page = 4096;
}

/* As if the program might use only these processors. */
static void allow(salp_machine *machine, int first, int count)
{
    salp_processor *processors = (salp_processor *)(uintptr_t)machine->processors;
    for (int i = 0; i < machine->processor_count; i++)
        processors[i].usable = i >= first && i < first + count;
    machine->usable = (salp_usable){ .processors = count, .workers = count, .capacity = count };
}

static void what_repeats_itself_is_counted(void **state)
{
    (void)state;
    salp_machine *machine = read_from(&(salp__topology_source){
        .synthetic = "pack:2 [numa(memory=256GiB)] l3:4(size=32MiB) core:8 l2:1(size=1MiB) l1:1(size=32KiB) pu:2" });
    set_page(machine);
    expect(machine, "A machine\n"
                    "  not this one: described by a variable of hwloc\n"
                    "  2 packages, 64 cores, 128 hardware threads\n"
                    "  512 GiB of memory in pages of 4 KiB, cache lines of 64 bytes\n"
                    "\n"
                    "                                                  threads\n"
                    "package, node of 256 GiB  x 2                     0-127\n"
                    "  L3 32 MiB  x 4                                  0-127\n"
                    "    core of 2 threads, L2 1 MiB, L1 32 KiB  x 8   0-127\n"
                    "\n"
                    "This program may use all of them.\n"
                    "A pool has 128 workers if it is not told how many.\n");
}

static void kinds_of_cores_and_what_they_share_are_shown(void **state)
{
    (void)state;
    salp_machine *machine = read_from(&(salp__topology_source){ .xml = SALP_TEST_DATA "/machine/hybrid.xml" });
    set_page(machine);
    machine->described = false;
    expect(machine, "A hybrid processor, made up for tests\n"
                    "  1 package, 16 cores, 22 hardware threads\n"
                    "  32 GiB of memory in pages of 4 KiB, cache lines of 64 bytes\n"
                    "\n"
                    "                                                       threads\n"
                    "package, node of 32 GiB                                0-21\n"
                    "  L3 24 MiB                                            0-19\n"
                    "    P-core of 2 threads, L2 1.25 MiB, L1 48 KiB  x 6   0-11\n"
                    "    L2 2 MiB  x 2                                      12-19\n"
                    "      E-core, L1 32 KiB  x 4                           12-19\n"
                    "  L2 2 MiB                                             20-21\n"
                    "    E-core, L1 32 KiB  x 2                             20-21\n"
                    "\n"
                    "This program may use all of them.\n"
                    "A pool has 22 workers if it is not told how many.\n");
}

static void several_nodes_are_shown(void **state)
{
    (void)state;
    salp_machine *machine = read_from(&(salp__topology_source){ .xml = SALP_TEST_DATA "/machine/memory.xml" });
    set_page(machine);
    machine->described = false;
    expect(machine, "A machine\n"
                    "  2 packages, 4 cores, 4 hardware threads\n"
                    "  82 GiB of memory in pages of 4 KiB, cache lines of 64 bytes\n"
                    "\n"
                    "                                                          threads\n"
                    "node of 64 GiB                                            0-3\n"
                    "  package, node of 8 GiB, node of 1 GiB, L3 16 MiB  x 2   0-3\n"
                    "    core  x 2                                             0-3\n"
                    "\n"
                    "This program may use all of them.\n"
                    "A pool has 4 workers if it is not told how many.\n");
}

static void what_may_not_be_used_is_told_apart(void **state)
{
    (void)state;
    salp_machine *machine = read_from(&(salp__topology_source){ .synthetic = "pack:2 l3:2(size=1536KiB) core:4 pu:2",
                                                                .root = SALP_TEST_DATA "/cgroup/absent" });
    set_page(machine);
    machine->described = false;
    machine->memory = 0;
    allow(machine, 4, 3);
    expect(machine, "A machine\n"
                    "  2 packages, 16 cores, 32 hardware threads\n"
                    "  memory in pages of 4 KiB, cache lines of 64 bytes\n"
                    "\n"
                    "                               threads                  usable\n"
                    "node of 1 GiB                  0-31                     4-6\n"
                    "  package                      0-15                     4-6\n"
                    "    L3 1.5 MiB                 0-7                      4-6\n"
                    "      core of 2 threads  x 2   0-3                      none\n"
                    "      core of 2 threads        4-5                      4-5\n"
                    "      core of 2 threads        6-7                      6\n"
                    "    L3 1.5 MiB                 8-15                     none\n"
                    "      core of 2 threads  x 4   8-15                     none\n"
                    "  package                      16-31                    none\n"
                    "    L3 1.5 MiB  x 2            16-31                    none\n"
                    "      core of 2 threads  x 4   16-31                    none\n"
                    "\n"
                    "This program may use 3 of 32 hardware threads.\n"
                    "A pool has 3 workers if it is not told how many.\n");
}

static void a_quota_is_told(void **state)
{
    (void)state;
    salp_machine *machine = read_from(&(salp__topology_source){ .synthetic = "[numa(memory=1GiB)] core:4 pu:1",
                                                                .root = SALP_TEST_DATA "/cgroup/v1_docker" });
    set_page(machine);
    machine->described = false;
    expect(machine, "A machine\n"
                    "  1 package, 4 cores, 4 hardware threads\n"
                    "  1 GiB of memory in pages of 4 KiB\n"
                    "\n"
                    "                         threads\n"
                    "package, node of 1 GiB   0-3\n"
                    "  core  x 4              0-3\n"
                    "\n"
                    "This program may use all of them, within a quota of 1.5.\n"
                    "A pool has 2 workers if it is not told how many.\n");
}

static void the_numbers_are_the_systems(void **state)
{
    (void)state;
    salp_machine *machine =
        read_from(&(salp__topology_source){ .synthetic = "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)" });
    char *text = draw(machine);
    assert_non_null(strstr(text, "core of 2 threads  x 2   0-7\n"));
    free(text);
    allow(machine, 0, 4);
    text = draw(machine);
    assert_non_null(strstr(text, " 0-1,4-5 "));
    assert_non_null(strstr(text, " 2-3,6-7 "));
    free(text);
    salp__free(machine);
}

/* Numbers in no order have the longest lists. */
static void no_line_is_longer_than_the_screen(void **state)
{
    (void)state;
    static const char *const machines[] = {
        "pu:1",
        "pu:2000",
        "pack:8 [numa] group:2 [numa] l3:4 core:8 l2:1 l1:1 pu:2",
        "pack:2 [numa] l3:2 core:64 l2:1 l1:1 pu:2(indexes=2*128:1*2)",
        "l5:2 l4:2 l3:2 l2:2 l1:2 core:2 pu:4",
    };
    for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
        salp_machine *machine = read_from(&(salp__topology_source){ .synthetic = machines[i] });
        for (int masked = 0; masked < 2; masked++) {
            if (masked)
                allow(machine, 1, machine->processor_count / 2);
            char *text = draw(machine);
            for (const char *line = text; *line; line += strcspn(line, "\n") + 1) {
                if (strcspn(line, "\n") > COLUMNS)
                    fail_msg("%s: %.*s", machines[i], (int)strcspn(line, "\n"), line);
            }
            free(text);
        }
        salp__free(machine);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what repeats itself is counted", what_repeats_itself_is_counted),
        TEST("kinds of cores and what they share are shown", kinds_of_cores_and_what_they_share_are_shown),
        TEST("several nodes are shown", several_nodes_are_shown),
        TEST("what may not be used is told apart", what_may_not_be_used_is_told_apart),
        TEST("a quota is told", a_quota_is_told),
        TEST("the numbers are the system's", the_numbers_are_the_systems),
        TEST("no line is longer than the screen", no_line_is_longer_than_the_screen),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
