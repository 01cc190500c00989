/*
 * hwloc, which finds out how the machine is built: loaded when somebody asks that, and unloaded when it is told.
 *
 * As with libdw (os/elfutils.h): hardly any process ever asks, and each mapping of a library costs every fork and every
 * execution. So its functions are called by a table:
 *
 *     salp__hwloc hwloc;
 *     int error = salp__hwloc_load(&hwloc);
 *     if (error == 0) {
 *         hwloc.topology_init(...)
 *         salp__hwloc_unload(&hwloc);
 *     }
 *
 * Of the header's inline functions only those can be used that call no others.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__HWLOC_H
#define SALP__HWLOC_H

#include <hwloc.h>

#define SALP__HWLOC_EACH(what)          \
    what(bitmap_isset);                 \
    what(bitmap_last);                  \
    what(cpukinds_get_by_cpuset);       \
    what(cpukinds_get_info);            \
    what(cpukinds_get_nr);              \
    what(get_nbobjs_by_depth);          \
    what(get_obj_by_depth);             \
    what(get_type_depth);               \
    what(topology_destroy);             \
    what(topology_get_topology_cpuset); \
    what(topology_init);                \
    what(topology_is_thissystem);       \
    what(topology_load);                \
    what(topology_set_flags);           \
    what(topology_set_synthetic);       \
    what(topology_set_xml)

/* Of each a pointer of its name. */
typedef struct salp__hwloc {
    void *library;
#define SALP__HWLOC_FIELD(name) __typeof__(hwloc_##name) *name
    SALP__HWLOC_EACH(SALP__HWLOC_FIELD);
#undef SALP__HWLOC_FIELD
} salp__hwloc;

/* Loads it for this caller, who is between salp__loading_begin and its end (os/loading.h) until it is unloaded. Errors: -ENOENT it is not there, or cannot be loaded now. */
int salp__hwloc_load(salp__hwloc *hwloc);
void salp__hwloc_unload(salp__hwloc *hwloc);

#endif
