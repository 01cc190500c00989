/*
 * Modules, from the dynamic loader's own list.
 *
 * Everything that can be read from the mapped program headers is taken in the callback of
 * dl_iterate_phdr, under the loader's lock; files are looked at afterwards where that is possible.
 *
 * The loader names the program "" and other modules as they were asked for, which may be a path
 * relative to a working directory of long ago. The kernel knows the absolute one (/proc/self/maps).
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/fault.h"
#include "os/file.h"
#include "os/mappings.h"

#define PROGRAM "/proc/self/exe" /* names the program's file even after it was moved or deleted */

enum {
    PADDING = 4, /* notes are padded so, save for segments that ask for 8 */
    WIDE_PADDING = 8,
    NOTES_LONGEST = 1 << 20, /* of a file; more is not a file of a linker */
    FIRST_CAPACITY = 32,
};

typedef ElfW(Phdr) program_header;

/* ---- build IDs ---- */

static size_t padded(size_t size, size_t padding)
{
    return (size + padding - 1) & ~(padding - 1);
}

/* Looks through the notes of one segment. */
static bool find_build_id(const char *notes, size_t size, size_t align, salp__module *module)
{
    size_t padding = align == WIDE_PADDING ? WIDE_PADDING : PADDING;
    ElfW(Nhdr) header;
    while (size >= sizeof header) {
        memcpy(&header, notes, sizeof header);
        size_t name = padded((size_t)header.n_namesz, PADDING);
        size_t content = padded(sizeof header + name, padding);
        size_t next = content + padded((size_t)header.n_descsz, padding);
        if (content + header.n_descsz > size)
            return false;
        if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == sizeof ELF_NOTE_GNU &&
            memcmp(notes + sizeof header, ELF_NOTE_GNU, sizeof ELF_NOTE_GNU) == 0 && header.n_descsz > 0) {
            module->build_id_size = header.n_descsz;
            if (module->build_id_size > SALP__BUILD_ID_MAX)
                module->build_id_size = SALP__BUILD_ID_MAX;
            memcpy(module->build_id, notes + content, module->build_id_size);
            return true;
        }
        if (next >= size)
            return false;
        notes += next;
        size -= next;
    }
    return false;
}

/* A segment that a broken linker script left out of the loaded ones is not in memory. */
static bool is_loaded(const struct dl_phdr_info *info, const program_header *segment)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const program_header *load = &info->dlpi_phdr[i];
        if (load->p_type == PT_LOAD && (load->p_flags & PF_R) && segment->p_vaddr >= load->p_vaddr &&
            segment->p_vaddr + segment->p_filesz <= load->p_vaddr + load->p_filesz)
            return true;
    }
    return false;
}

static void read_build_id(const struct dl_phdr_info *info, salp__module *module)
{
    module->build_id_size = 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const program_header *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE && is_loaded(info, segment) &&
            find_build_id((const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr), segment->p_filesz,
                          segment->p_align, module))
            return;
    }
}

static bool read_notes(int fd, const program_header *segment, salp__module *module)
{
    if (segment->p_type != PT_NOTE || segment->p_filesz > NOTES_LONGEST)
        return false;
    char *notes = malloc(segment->p_filesz);
    bool found = notes && salp__file_read(fd, notes, segment->p_filesz, segment->p_offset) == 0 &&
                 find_build_id(notes, segment->p_filesz, segment->p_align, module);
    free(notes);
    return found;
}

/* Of a file that is not loaded. */
static void read_build_id_of_file(const char *path, salp__module *module)
{
    module->build_id_size = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ElfW(Ehdr) header;
    program_header segment;
    if (salp__file_read(fd, &header, sizeof header, 0) == 0 && memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        header.e_phentsize == sizeof segment) {
        for (size_t i = 0; i < header.e_phnum; i++) {
            if (salp__file_read(fd, &segment, sizeof segment, header.e_phoff + i * sizeof segment) < 0 ||
                read_notes(fd, &segment, module))
                break;
        }
    }
    close(fd);
}

/* ---- what a module is ---- */

static enum salp__module_kind kind_of(const struct dl_phdr_info *info)
{
    if (info->dlpi_name[0] == '\0')
        return SALP__MODULE_PROGRAM;
    /* The vdso has a name but no file; the kernel tells where its header lies. */
    unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
    for (int i = 0; vdso != 0 && i < info->dlpi_phnum; i++) {
        const program_header *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && vdso - (info->dlpi_addr + segment->p_vaddr) < segment->p_memsz)
            return SALP__MODULE_KERNEL;
    }
    return SALP__MODULE_LIBRARY;
}

static bool has_code_at(const struct dl_phdr_info *info, uint64_t offset)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const program_header *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) && offset - segment->p_vaddr < segment->p_memsz)
            return true;
    }
    return false;
}

static void read_file_times(const char *path, salp__module *module)
{
    struct stat status;
    module->file_size = 0;
    module->file_changed = 0;
    if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
        return;
    module->file_size = status.st_size;
    module->file_changed = status.st_mtim.tv_sec * INT64_C(1000000000) + status.st_mtim.tv_nsec;
}

static bool same_build_id(const salp__module *a, const salp__module *b)
{
    return a->build_id_size == b->build_id_size && memcmp(a->build_id, b->build_id, a->build_id_size) == 0;
}

/* Without a build ID a file that is gone cannot be told from another one, so it equals none. */
static bool same_build(const salp__module *a, const salp__module *b)
{
    if (a->build_id_size > 0 || b->build_id_size > 0)
        return same_build_id(a, b);
    return a->file_size > 0 && a->file_size == b->file_size && a->file_changed == b->file_changed;
}

/* ---- from an address to a module ---- */

struct question {
    uintptr_t address;
    salp__module *module;
    uint64_t offset;
};

static int find_holder(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct question *question = arg;
    uint64_t offset = question->address - info->dlpi_addr;
    if (!has_code_at(info, offset))
        return 0;
    question->offset = offset;
    question->module->kind = kind_of(info);
    read_build_id(info, question->module);
    strncpy(question->module->path, info->dlpi_name, sizeof question->module->path - 1);
    return 1;
}

static bool find_path(const salp__mapping *mapping, void *arg)
{
    struct question *question = arg;
    if (question->address < mapping->start || question->address >= mapping->end)
        return true;
    strncpy(question->module->path, mapping->path, sizeof question->module->path - 1);
    return false;
}

static void name_program(salp__module *module)
{
    ssize_t length = readlink(PROGRAM, module->path, sizeof module->path - 1);
    module->path[length > 0 ? length : 0] = '\0';
    read_file_times(PROGRAM, module);
}

static void name_library(struct question *question)
{
    salp__module *module = question->module;
    if (module->path[0] != '/') {
        memset(module->path, 0, sizeof module->path);
        (void)salp__mappings_each(find_path, question); /* no path: known by its build ID alone */
    }
    read_file_times(module->path, module);
}

int salp__module_of(const void *address, salp__module *module, uint64_t *offset)
{
    memset(module, 0, sizeof *module);
    struct question question = { .address = (uintptr_t)address, .module = module };
    if (!dl_iterate_phdr(find_holder, &question))
        return -ENOENT;
    *offset = question.offset;
    switch (module->kind) {
    case SALP__MODULE_PROGRAM:
        name_program(module);
        break;
    case SALP__MODULE_KERNEL:
        strcpy(module->path, "[vdso]");
        break;
    default:
        name_library(&question);
        break;
    }
    return 0;
}

/* ---- from a module to an address ---- */

struct search {
    const salp__module *wanted;
    uint64_t offset;
    bool by_place; /* look at the module at `base` only */
    bool found;
    bool stale; /* something else has its name */
    bool has_code;
    uintptr_t base;
};

static bool has_name(const struct dl_phdr_info *info, const salp__module *wanted)
{
    return wanted->kind != SALP__MODULE_LIBRARY || strcmp(info->dlpi_name, wanted->path) == 0;
}

static int match_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct search *search = arg;
    const salp__module *wanted = search->wanted;
    if (kind_of(info) != wanted->kind || (search->by_place && info->dlpi_addr != search->base))
        return 0;
    bool named = search->by_place || has_name(info, wanted);
    salp__module here;
    read_build_id(info, &here);
    if (wanted->build_id_size == 0 && here.build_id_size == 0) {
        if (!named)
            return 0;
        read_file_times(wanted->kind == SALP__MODULE_PROGRAM ? PROGRAM : wanted->path, &here);
    }
    if (!same_build(wanted, &here)) {
        search->stale |= named;
        return 0;
    }
    /* Two copies of one library may be loaded: the one of that name is the right one. */
    if (search->found && !named)
        return 0;
    search->found = true;
    search->base = info->dlpi_addr;
    search->has_code = has_code_at(info, search->offset);
    return named;
}

/* Loads the library if the file at its path is the right one, and looks for it again. */
static int load(struct search *search)
{
    const salp__module *wanted = search->wanted;
    salp__module file;
    read_file_times(wanted->path, &file);
    if (wanted->path[0] != '/' || file.file_size == 0)
        return -ENOENT;
    /* Asked before it is loaded, since the constructors of a wrong library must not run. */
    read_build_id_of_file(wanted->path, &file);
    if (!same_build(wanted, &file))
        return -ESTALE;
    void *handle = dlopen(wanted->path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return -ENOENT;
    struct link_map *link;
    if (dlinfo(handle, RTLD_DI_LINKMAP, &link) == 0) {
        search->by_place = true;
        search->base = link->l_addr;
        (void)dl_iterate_phdr(match_module, search);
    }
    if (search->found)
        return 0; /* the handle stays: nobody knows for how long the function is called */
    dlclose(handle);
    return -ESTALE;
}

void salp__module_keep(const void *address)
{
    Dl_info info;
    struct link_map *link = NULL;
    if (dladdr1(address, &info, (void **)&link, RTLD_DL_LINKMAP) == 0 || !link)
        return; /* a program that is linked statically */
    /* By the name under which it is loaded, so no file is opened. The handle is never closed. */
    (void)dlopen(link->l_name, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

int salp__module_resolve(const salp__module *module, uint64_t offset, void **address)
{
    SALP__FAULT(-ENOENT);
    struct search search = { .wanted = module, .offset = offset };
    (void)dl_iterate_phdr(match_module, &search);
    if (!search.found) {
        if (search.stale)
            return -ESTALE;
        if (module->kind != SALP__MODULE_LIBRARY)
            return -ENOENT;
        int error = load(&search);
        if (error < 0)
            return error;
    }
    if (!search.has_code)
        return -ESTALE;
    *address = (void *)(search.base + offset);
    return 0;
}

/* ---- what was loaded when ---- */

/* One executable segment. */
struct code {
    uintptr_t start;
    uintptr_t end;
    uintptr_t base;
    unsigned char build_id[SALP__BUILD_ID_MAX];
    uint32_t build_id_size;
    int64_t file_size; /* looked up only without a build ID */
    int64_t file_changed;
};

struct salp__module_map {
    uint64_t generation;
    size_t count;
    size_t capacity;
    struct code *codes; /* in rising order */
};

static int read_generation(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    *(uint64_t *)arg = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

uint64_t salp__modules_generation(void)
{
    uint64_t generation = 0;
    (void)dl_iterate_phdr(read_generation, &generation);
    return generation;
}

static void identify(const struct dl_phdr_info *info, struct code *code)
{
    salp__module module = { .build_id_size = 0 };
    read_build_id(info, &module);
    if (module.build_id_size == 0) {
        enum salp__module_kind kind = kind_of(info);
        if (kind != SALP__MODULE_KERNEL)
            read_file_times(kind == SALP__MODULE_PROGRAM ? PROGRAM : info->dlpi_name, &module);
    }
    code->base = info->dlpi_addr;
    code->build_id_size = module.build_id_size;
    memcpy(code->build_id, module.build_id, sizeof code->build_id);
    code->file_size = module.file_size;
    code->file_changed = module.file_changed;
}

static bool same_code(const struct code *a, const struct code *b)
{
    return a->base == b->base && a->build_id_size == b->build_id_size &&
           memcmp(a->build_id, b->build_id, a->build_id_size) == 0 && a->file_size == b->file_size &&
           a->file_changed == b->file_changed;
}

static bool grow(salp__module_map *map)
{
    if (map->count < map->capacity)
        return true;
    size_t capacity = map->capacity > 0 ? 2 * map->capacity : FIRST_CAPACITY;
    struct code *codes = realloc(map->codes, capacity * sizeof *codes);
    if (!codes)
        return false;
    map->codes = codes;
    map->capacity = capacity;
    return true;
}

static int add_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    salp__module_map *map = arg;
    struct code code;
    identify(info, &code);
    (void)read_generation(info, size, &map->generation);
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const program_header *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
            continue;
        if (!grow(map))
            return -ENOMEM;
        code.start = info->dlpi_addr + segment->p_vaddr;
        code.end = code.start + segment->p_memsz;
        map->codes[map->count++] = code;
    }
    return 0;
}

static int compare_start(const void *a, const void *b)
{
    const struct code *left = a, *right = b;
    return (left->start > right->start) - (left->start < right->start);
}

int salp__modules_snapshot(salp__module_map **out)
{
    SALP__FAULT(-ENOMEM);
    salp__module_map *map = calloc(1, sizeof *map);
    if (!map)
        return -ENOMEM;
    int error = dl_iterate_phdr(add_module, map);
    if (error < 0) {
        salp__module_map_free(map);
        return error;
    }
    qsort(map->codes, map->count, sizeof *map->codes, compare_start);
    *out = map;
    return 0;
}

static int compare_address(const void *key, const void *element)
{
    uintptr_t address = *(const uintptr_t *)key;
    const struct code *code = element;
    return (address >= code->end) - (address < code->start);
}

struct comparison {
    uintptr_t address;
    const struct code *before;
    bool same;
};

static int compare_holder(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    struct comparison *comparison = arg;
    if (!has_code_at(info, comparison->address - info->dlpi_addr))
        return 0;
    struct code now;
    identify(info, &now);
    comparison->same = same_code(comparison->before, &now);
    return 1;
}

bool salp__module_map_holds(const salp__module_map *map, const void *address)
{
    if (map->count == 0)
        return false;
    uintptr_t key = (uintptr_t)address;
    const struct code *code = bsearch(&key, map->codes, map->count, sizeof *map->codes, compare_address);
    if (!code)
        return false;
    if (salp__modules_generation() == map->generation)
        return true;
    struct comparison comparison = { .address = key, .before = code };
    (void)dl_iterate_phdr(compare_holder, &comparison);
    return comparison.same;
}

void salp__module_map_free(salp__module_map *map)
{
    if (!map)
        return;
    free(map->codes);
    free(map);
}
