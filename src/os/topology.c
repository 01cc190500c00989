/*
 * How the machine is built.
 *
 * hwloc finds a tree of objects. Its leaves, the hardware threads, are numbered from left to right, so whatever lies
 * below one object is a run of them; all that is told of the tree is such runs:
 *
 *     machine   |-----------------------|
 *     package   |-----------| |---------|
 *     L3        |-----------| |---------|      of each leaf: its ancestor of some type; a run begins
 *     core      |---| |-----| |---| |---|      where that is another one than the leaf's before
 *     leaves     0 1   2   3   4 5   6 7
 *
 * I1  Runs of one type do not overlap, and each is whole: what is said of a range is true of all in it. (Nodes of memory
 *     hang beside an object, not above leaves. They have its leaves, so they are runs, too, but may overlap.)
 * I2  The whole answer is one block, which nobody changes once another thread may see it.
 *
 * What keeps it small. Only processors, caches and memory are looked for; no devices, no distances, and no binding of
 * this thread to each processor in turn (DONT_CHANGE_BINDING). hwloc's plugins are about devices, and bring the
 * libraries of graphics cards and displays with them, just to be asked for their names. There is no call to leave them
 * out, only a variable of the environment. It is set while hwloc starts, and only as long as this process has one thread:
 * else another one could be reading the environment. With more threads they are loaded, and unloaded at the end.
 *
 * Not in a program that has privileges which its user lacks: hwloc's variables name files to read and plugins to load.
 * Such a program gets what it would where hwloc finds nothing, or is not installed: a flat machine, of processors only.
 *
 * The first answer stays. Two threads that are first together both look, and one of the answers is thrown away: so there
 * is no lock that a fork could leave locked. It is never freed: at the end of the program other threads may still read it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/topology.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/single_threaded.h>
#include <unistd.h>

#include "os/hwloc.h"
#include "os/loading.h"
#include "os/memory.h"
#include "os/processors.h"

enum {
    NUMBER_MAX = 1 << 20, /* of a processor: more than any kernel can be built for; a description may have any */
    LOOKED_FOR = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING |
                 HWLOC_TOPOLOGY_FLAG_NO_DISTANCES | HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS
};

/* How many of each the answer has. */
struct sizes {
    int processors, cores, packages, nodes, caches;
    int numbers;  /* one more than the highest number of a processor */
    size_t model; /* bytes, with the zero */
};

/* The whole block. */
struct answer {
    salp_machine machine; /* first: salp__free(machine) frees all */
    int numbers;
    int *indices; /* of each number, or -1 */
    salp_processor *processors;
    salp_core *cores;
    salp_package *packages;
    salp_node *nodes;
    salp_cache *caches;
};

/* What hwloc has found. */
struct tree {
    salp__hwloc hwloc;
    hwloc_topology_t topology;
};

/* ---- the block ---- */

/* Cuts `count` items off the block, or only counts their bytes. */
static void *cut(char *block, size_t *used, size_t count, size_t size)
{
    size_t at = (*used + _Alignof(max_align_t) - 1) / _Alignof(max_align_t) * _Alignof(max_align_t);
    *used = at + count * size;
    return block ? block + at : NULL;
}

static size_t lay_out(char *block, const struct sizes *sizes, const char *model)
{
    size_t used = 0;
    struct answer ignored, *answer = cut(block, &used, 1, sizeof *answer);
    if (!answer)
        answer = &ignored;
    answer->indices = cut(block, &used, (size_t)sizes->numbers, sizeof *answer->indices);
    answer->processors = cut(block, &used, (size_t)sizes->processors, sizeof *answer->processors);
    answer->cores = cut(block, &used, (size_t)sizes->cores, sizeof *answer->cores);
    answer->packages = cut(block, &used, (size_t)sizes->packages, sizeof *answer->packages);
    answer->nodes = cut(block, &used, (size_t)sizes->nodes, sizeof *answer->nodes);
    answer->caches = cut(block, &used, (size_t)sizes->caches, sizeof *answer->caches);
    char *name = cut(block, &used, strlen(model) + 1, 1);
    if (name)
        answer->machine.model = strcpy(name, model);
    return used;
}

static struct answer *make_answer(const struct sizes *sizes, const char *model)
{
    char *block = salp__allocate(lay_out(NULL, sizes, model));
    if (!block)
        return NULL;
    lay_out(block, sizes, model);
    struct answer *answer = (void *)block;
    answer->numbers = sizes->numbers;
    for (int i = 0; i < sizes->numbers; i++)
        answer->indices[i] = -1;
    answer->machine.processors = answer->processors;
    answer->machine.cores = answer->cores;
    answer->machine.packages = answer->packages;
    answer->machine.nodes = answer->nodes;
    answer->machine.caches = answer->caches;
    answer->machine.page = sysconf(_SC_PAGESIZE);
    return answer;
}

/* One more processor, of which only the number is known. */
static salp_processor *add_processor(struct answer *answer, int number)
{
    salp_processor *processor = &answer->processors[answer->machine.processor_count];
    *processor = (salp_processor){ .number = number, .node = -1, .last_cache = -1 };
    for (int i = 0; i < SALP_CACHE_LEVELS; i++)
        processor->cache[i] = -1;
    answer->indices[number] = answer->machine.processor_count++;
    return processor;
}

/* ---- from hwloc's tree ---- */

static int count_of(const struct tree *tree, hwloc_obj_type_t type)
{
    int depth = tree->hwloc.get_type_depth(tree->topology, type);
    return depth == HWLOC_TYPE_DEPTH_UNKNOWN ? 0 : (int)tree->hwloc.get_nbobjs_by_depth(tree->topology, depth);
}

/* NULL: there are not as many. */
static hwloc_obj_t object_of(const struct tree *tree, hwloc_obj_type_t type, int index)
{
    int depth = tree->hwloc.get_type_depth(tree->topology, type);
    return depth == HWLOC_TYPE_DEPTH_UNKNOWN ? NULL
                                             : tree->hwloc.get_obj_by_depth(tree->topology, depth, (unsigned)index);
}

static hwloc_obj_t leaf(const struct tree *tree, int index)
{
    return object_of(tree, HWLOC_OBJ_PU, index);
}

static hwloc_obj_t above(hwloc_obj_t object, hwloc_obj_type_t type)
{
    while (object && object->type != type)
        object = object->parent;
    return object;
}

/* Whether a run of the objects of this type begins at a leaf; *object is its ancestor, or NULL. */
static bool begins(const struct tree *tree, hwloc_obj_type_t type, int index, hwloc_obj_t *object)
{
    *object = above(leaf(tree, index), type);
    return index == 0 || above(leaf(tree, index - 1), type) != *object;
}

static hwloc_obj_type_t cache_type(int level)
{
    static const hwloc_obj_type_t types[SALP_CACHE_LEVELS] = { HWLOC_OBJ_L1CACHE, HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L3CACHE,
                                                               HWLOC_OBJ_L4CACHE, HWLOC_OBJ_L5CACHE };
    return types[level];
}

static void count(const struct tree *tree, struct sizes *sizes)
{
    hwloc_obj_t object;
    *sizes = (struct sizes){ .processors = count_of(tree, HWLOC_OBJ_PU) };
    sizes->nodes = count_of(tree, HWLOC_OBJ_NUMANODE);
    for (int i = 0; i < sizes->processors; i++) {
        int number = (int)leaf(tree, i)->os_index;
        if (number >= sizes->numbers)
            sizes->numbers = number + 1;
        sizes->cores += begins(tree, HWLOC_OBJ_CORE, i, &object) || !object;
        sizes->packages += begins(tree, HWLOC_OBJ_PACKAGE, i, &object);
        for (int level = 0; level < SALP_CACHE_LEVELS; level++)
            sizes->caches += begins(tree, cache_type(level), i, &object) && object;
    }
}

/* What kind of core begins at a leaf. hwloc's word for the rank is efficiency: it means that of the program's time. */
static salp_core make_core(const struct tree *tree, int first)
{
    int kinds = tree->hwloc.cpukinds_get_nr(tree->topology, 0), rank = -1;
    int kind = kinds > 1 ? tree->hwloc.cpukinds_get_by_cpuset(tree->topology, leaf(tree, first)->cpuset, 0) : -1;
    if (kind >= 0)
        (void)tree->hwloc.cpukinds_get_info(tree->topology, (unsigned)kind, NULL, &rank, NULL, NULL, 0);
    if (rank < 0)
        return (salp_core){ .first = first, .kind = SALP_CORES_ALIKE };
    return (salp_core){
        .first = first,
        .rank = rank,
        .kind = rank == kinds - 1 ? SALP_CORE_PERFORMANCE : SALP_CORE_EFFICIENCY,
    };
}

/* I1: a run that goes on is the last one. A leaf without a core is one; leaves without a package share one. */
static void add_cores_and_packages(const struct tree *tree, struct answer *answer)
{
    salp_machine *machine = &answer->machine;
    hwloc_obj_t object;
    for (int i = 0; i < machine->processor_count; i++) {
        if (begins(tree, HWLOC_OBJ_CORE, i, &object) || !object)
            answer->cores[machine->core_count++] = make_core(tree, i);
        if (begins(tree, HWLOC_OBJ_PACKAGE, i, &object))
            answer->packages[machine->package_count++].first = i;
        answer->processors[i].core = machine->core_count - 1;
        answer->processors[i].package = machine->package_count - 1;
        answer->cores[machine->core_count - 1].count++;
        answer->packages[machine->package_count - 1].count++;
    }
}

static void add_caches(const struct tree *tree, struct answer *answer, int level)
{
    salp_machine *machine = &answer->machine;
    hwloc_obj_t object;
    for (int i = 0; i < machine->processor_count; i++) {
        bool new = begins(tree, cache_type(level), i, &object);
        if (!object)
            continue;
        if (new)
            answer->caches[machine->cache_count++] = (salp_cache){
                .first = i,
                .level = level + 1,
                .line = (int)object->attr->cache.linesize,
                .size = (int64_t)object->attr->cache.size,
            };
        answer->caches[machine->cache_count - 1].count++;
        answer->processors[i].cache[level] = machine->cache_count - 1;
        answer->processors[i].last_cache = machine->cache_count - 1;
    }
}

/* Nodes are not ancestors of leaves, but stand beside one that has the same leaves. */
static void add_node(const struct tree *tree, struct answer *answer, hwloc_obj_t object)
{
    salp_machine *machine = &answer->machine;
    salp_node *node = &answer->nodes[machine->node_count];
    *node = (salp_node){ .number = (int)object->os_index, .memory = (int64_t)object->attr->numanode.local_memory };
    for (int i = 0; i < machine->processor_count; i++) {
        salp_processor *processor = &answer->processors[i];
        if (!tree->hwloc.bitmap_isset(object->cpuset, (unsigned)processor->number))
            continue;
        if (node->count++ == 0)
            node->first = i;
        if (processor->node < 0) /* there may be a second one beside the same processors, of faster memory */
            processor->node = machine->node_count;
    }
    machine->node_count++;
}

/* It is said of the packages, or of the whole. */
static const char *model_of(const struct tree *tree)
{
    const char *model = NULL;
    for (hwloc_obj_t object = leaf(tree, 0); object && !model; object = object->parent)
        model = hwloc_obj_get_info_by_name(object, "CPUModel");
    return model ? model : "";
}

/* NULL: no memory. */
static struct answer *read_tree(const struct tree *tree)
{
    struct sizes sizes;
    count(tree, &sizes);
    struct answer *answer = make_answer(&sizes, model_of(tree));
    if (!answer)
        return NULL;
    for (int i = 0; i < sizes.processors; i++)
        add_processor(answer, (int)leaf(tree, i)->os_index);
    add_cores_and_packages(tree, answer);
    for (int level = 0; level < SALP_CACHE_LEVELS; level++)
        add_caches(tree, answer, level);
    for (int i = 0; i < sizes.nodes; i++)
        add_node(tree, answer, object_of(tree, HWLOC_OBJ_NUMANODE, i));
    answer->machine.memory = (int64_t)above(leaf(tree, 0), HWLOC_OBJ_MACHINE)->total_memory;
    answer->machine.described = !tree->hwloc.topology_is_thissystem(tree->topology);
    return answer;
}

/* ---- hwloc ---- */

/* Has hwloc start without its plugins and without messages; the names of what has to be taken back. */
static const char *const quiet[][2] = { { "HWLOC_PLUGINS_PATH", "" }, { "HWLOC_HIDE_ERRORS", "2" } };
enum { QUIET = sizeof quiet / sizeof *quiet };

static void hush(bool set[QUIET])
{
    for (int i = 0; i < QUIET; i++)
        set[i] = __libc_single_threaded && !getenv(quiet[i][0]) && setenv(quiet[i][0], quiet[i][1], 1) == 0;
}

static void unhush(const bool set[QUIET])
{
    for (int i = 0; i < QUIET; i++) {
        if (set[i])
            unsetenv(quiet[i][0]);
    }
}

/* Whether it found something that can be told. */
static bool is_of_use(const struct tree *tree)
{
    return count_of(tree, HWLOC_OBJ_PU) > 0 &&
           tree->hwloc.bitmap_last(tree->hwloc.topology_get_topology_cpuset(tree->topology)) <= NUMBER_MAX;
}

static int grow(const salp__topology_source *source, struct tree *tree)
{
    const salp__hwloc *hwloc = &tree->hwloc;
    if (hwloc->topology_init(&tree->topology) < 0)
        return -ENOENT;
    int result = 0;
    if (source->synthetic)
        result = hwloc->topology_set_synthetic(tree->topology, source->synthetic);
    else if (source->xml)
        result = hwloc->topology_set_xml(tree->topology, source->xml);
    if (result == 0)
        result = hwloc->topology_set_flags(tree->topology, LOOKED_FOR);
    if (result == 0)
        result = hwloc->topology_load(tree->topology);
    if (result == 0 && is_of_use(tree))
        return 0;
    hwloc->topology_destroy(tree->topology);
    return source->synthetic || source->xml ? -EINVAL : -ENOENT;
}

/* Without /sys hwloc finds no more than we do, and prints that. */
static bool may_ask(const salp__topology_source *source)
{
    if (getauxval(AT_SECURE) != 0)
        return false;
    return source->synthetic || source->xml || access("/sys/devices/system/cpu", F_OK) == 0;
}

static int look_with_hwloc(const salp__topology_source *source, struct answer **answer)
{
    struct tree tree;
    bool set[QUIET];
    int error = salp__hwloc_load(&tree.hwloc);
    if (error < 0)
        return error;
    hush(set);
    error = grow(source, &tree);
    unhush(set);
    if (error == 0) {
        *answer = read_tree(&tree);
        error = *answer ? 0 : -ENOMEM;
        tree.hwloc.topology_destroy(tree.topology);
    }
    salp__hwloc_unload(&tree.hwloc);
    return error;
}

/* -ENOENT: hwloc is not there, may not be asked, or finds nothing. It has locks of its own: no fork until it is unloaded. */
static int ask_hwloc(const salp__topology_source *source, struct answer **answer)
{
    if (!may_ask(source))
        return -ENOENT;
    salp__loading_begin();
    int error = look_with_hwloc(source, answer);
    salp__loading_end();
    return error;
}

/* ---- without hwloc ---- */

/* Each processor a core, all in one package. NULL: no memory. */
static struct answer *make_flat(const cpu_set_t *mask, size_t mask_size)
{
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    int numbers = online > 0 ? (int)online : 1;
    /* Some count those in the mask alone: then it also tells what they are called. */
    bool masked = false;
    for (int i = numbers; mask && i < (int)(mask_size * 8); i++) {
        if (CPU_ISSET_S((size_t)i, mask_size, mask)) {
            numbers = i + 1;
            masked = true;
        }
    }
    struct sizes sizes = { .processors = numbers, .cores = numbers, .packages = 1, .numbers = numbers };
    struct answer *answer = make_answer(&sizes, "");
    if (!answer)
        return NULL;
    salp_machine *machine = &answer->machine;
    for (int i = 0; i < numbers; i++) {
        if (masked && !CPU_ISSET_S((size_t)i, mask_size, mask))
            continue;
        salp_processor *processor = add_processor(answer, i);
        processor->core = machine->core_count++;
        answer->cores[processor->core] = (salp_core){ .first = processor->core, .count = 1 };
    }
    machine->package_count = 1;
    answer->packages[0].count = machine->processor_count;
    return answer;
}

/* ---- what follows from the rest ---- */

static void complete_memory(salp_machine *machine)
{
    if (machine->memory == 0 && !machine->described)
        machine->memory = (int64_t)sysconf(_SC_PHYS_PAGES) * machine->page;
}

static void sum_up_caches(salp_machine *machine)
{
    for (int i = 0; i < machine->cache_count; i++) {
        const salp_cache *cache = &machine->caches[i];
        salp_cache_level *level = &machine->levels[cache->level - 1];
        if (level->caches++ == 0 || cache->size < level->size)
            level->size = cache->size;
        if (cache->count > level->processors)
            level->processors = cache->count;
        if (cache->line > machine->line)
            machine->line = cache->line;
    }
}

/* Of another machine, all of it can be used. */
static void mark_usable(struct answer *answer, const char *root, const cpu_set_t *mask, size_t mask_size)
{
    salp_machine *machine = &answer->machine;
    bool limited = mask && !machine->described;
    for (int i = 0; i < machine->processor_count; i++) {
        size_t number = (size_t)answer->processors[i].number;
        answer->processors[i].usable = !limited || CPU_ISSET_S(number, mask_size, mask);
    }
    if (!root && !machine->described)
        root = "";
    salp__processors_share(root, limited ? CPU_COUNT_S(mask_size, mask) : machine->processor_count, &machine->usable);
}

int salp__topology_read(const salp__topology_source *source, salp_machine **machine)
{
    cpu_set_t *mask;
    size_t mask_size;
    struct answer *answer = NULL;
    salp__processors_mask(&mask, &mask_size);
    int error = ask_hwloc(source, &answer);
    if (error == -ENOENT) {
        answer = make_flat(mask, mask_size);
        error = answer ? 0 : -ENOMEM;
    }
    if (error == 0) {
        complete_memory(&answer->machine);
        sum_up_caches(&answer->machine);
        mark_usable(answer, source->root, mask, mask_size);
        *machine = &answer->machine;
    }
    CPU_FREE(mask);
    return error;
}

/* ---- once ---- */

/* [atomic: release by who has filled it, acquire by all who read it: else they could see it half filled] */
static _Atomic(salp_machine *) found;

const salp_machine *salp__topology_known(void)
{
    return atomic_load_explicit(&found, memory_order_acquire);
}

const salp_machine *salp__topology_get(void)
{
    const salp_machine *known = salp__topology_known();
    salp_machine *machine, *nobodys = NULL;
    if (known)
        return known;
    if (salp__topology_read(&(salp__topology_source){ 0 }, &machine) < 0)
        return NULL;
    if (atomic_compare_exchange_strong_explicit(&found, &nobodys, machine, memory_order_acq_rel, memory_order_acquire))
        return machine;
    salp__free(machine); /* another thread was first */
    return nobodys;
}

int salp__topology_find(const salp_machine *machine, int number)
{
    const struct answer *answer = (const void *)machine;
    return number >= 0 && number < answer->numbers ? answer->indices[number] : -1;
}

int salp__topology_last_cache(int number)
{
    const salp_machine *machine = salp__topology_get();
    int index = machine ? salp__topology_find(machine, number) : -1;
    return index >= 0 ? machine->processors[index].last_cache : -1;
}

int salp__topology_cache_here(void)
{
    return salp__topology_known() ? salp__topology_last_cache(sched_getcpu()) : -1;
}
