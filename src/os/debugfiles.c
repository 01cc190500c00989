/*
 * Where symbols and debug information are looked for.
 *
 * Of a module: the file that was loaded. A file that was deleted since, or replaced, has " (deleted)" behind its name
 * in /proc/self/maps, and another file may have its name by now; the program itself can still be reached through
 * /proc/self/exe. The vdso is no file, but the whole of its ELF image lies in memory.
 *
 * Of separate debug information (what `strip` and distributions do):
 *     /usr/lib/debug/.build-id/ab/cdef.debug                    for a build ID abcdef
 *     FOLDER/LINK, FOLDER/.debug/LINK, /usr/lib/debug/FOLDER/LINK    for a debug link, next to a file in FOLDER
 * and only what has the same build ID, or without one the checksum that the link gives, is taken.
 *
 * Files are opened here and not in libdwfl, which would leave the descriptors open across exec.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/debugfiles.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/elfutils.h"

#define PROGRAM "/proc/self/exe"
#define DEBUG_FOLDER "/usr/lib/debug"

enum { NO_FILE = -1, HEX_PER_BYTE = 2, CHUNK = 16 * 1024 };

/* Regular files alone: opening anything else may wait, or do something. */
static int open_regular(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return NO_FILE;
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        return fd;
    close(fd);
    return NO_FILE;
}

/* ---- the module's own file ---- */

static Elf *open_vdso(uintptr_t base)
{
    /* Its section headers come last. Nothing writes to it: the ELF is of this machine's own kind. */
    const ElfW(Ehdr) *header = (const ElfW(Ehdr) *)base;
    size_t size = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
    return salp__dw.elf_memory((char *)base, size);
}

static bool is_program(const char *name)
{
    char path[PATH_MAX];
    ssize_t length = readlink(PROGRAM, path, sizeof path - 1);
    if (length < 0)
        return false;
    path[length] = '\0';
    return strcmp(path, name) == 0;
}

static int open_module(const char *name)
{
    size_t length = strlen(name), suffix = strlen(SALP__DELETED);
    if (length <= suffix || strcmp(name + length - suffix, SALP__DELETED) != 0)
        return open_regular(name);
    return is_program(name) ? open_regular(PROGRAM) : NO_FILE;
}

/* Maps the file and lets go of the descriptor: programs have many libraries and few descriptors. */
static Elf *map_elf(int fd)
{
    Elf *elf = salp__dw.elf_begin(fd, ELF_C_READ_MMAP, NULL);
    if (elf && (salp__dw.elf_kind(elf) != ELF_K_ELF || salp__dw.elf_cntl(elf, ELF_C_FDREAD) != 0)) {
        salp__dw.elf_end(elf);
        elf = NULL;
    }
    close(fd);
    return elf;
}

static int find_elf(Dwfl_Module *module, void **own, const char *name, Dwarf_Addr base, char **file_name, Elf **elf)
{
    (void)module, (void)own;
    if (strcmp(name, SALP__VDSO_NAME) == 0) {
        *elf = open_vdso((uintptr_t)base);
        return NO_FILE;
    }
    int fd = open_module(name);
    if (fd < 0)
        return NO_FILE;
    *elf = map_elf(fd);
    *file_name = *elf ? strdup(name) : NULL;
    return NO_FILE; /* no descriptor, but an ELF */
}

/* ---- separate debug information ---- */

/* What a debug link is checked by: the usual CRC-32, four bits at a time. */
static bool checksum(int fd, uint32_t *result)
{
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    unsigned char data[CHUNK];
    uint32_t crc = UINT32_MAX;
    off_t offset = 0;
    ssize_t size;
    while ((size = pread(fd, data, sizeof data, offset)) > 0) {
        for (ssize_t i = 0; i < size; i++) {
            crc ^= data[i];
            crc = crc >> 4 ^ table[crc & 15];
            crc = crc >> 4 ^ table[crc & 15];
        }
        offset += size;
    }
    *result = ~crc;
    return size == 0;
}

static bool has_build_id(int fd, const unsigned char *id, size_t size)
{
    Elf *elf = salp__dw.elf_begin(fd, ELF_C_READ_MMAP, NULL);
    const void *found;
    bool same = elf && salp__dw.dwelf_elf_gnu_build_id(elf, &found) == (ssize_t)size && memcmp(found, id, size) == 0;
    salp__dw.elf_end(elf);
    return same;
}

/* What the right file is known by. */
struct wanted {
    const unsigned char *id;
    size_t id_size; /* 0: the checksum decides */
    uint32_t checksum;
};

/* Opens the file if it is the right one, and then gives its name as well. */
static int try(const struct wanted *wanted, const char *path, char **file_name)
{
    int fd = open_regular(path);
    if (fd < 0)
        return NO_FILE;
    uint32_t found;
    bool right = wanted->id_size > 0 ? has_build_id(fd, wanted->id, wanted->id_size)
                                     : checksum(fd, &found) && found == wanted->checksum;
    if (!right) {
        close(fd);
        return NO_FILE;
    }
    *file_name = strdup(path);
    return fd;
}

static int try_build_id(const struct wanted *wanted, char **file_name)
{
    char path[PATH_MAX];
    if (wanted->id_size < 2 || wanted->id_size * HEX_PER_BYTE + sizeof DEBUG_FOLDER "/.build-id//.debug" > sizeof path)
        return NO_FILE;
    int length = snprintf(path, sizeof path, DEBUG_FOLDER "/.build-id/%02x/", wanted->id[0]);
    for (size_t i = 1; i < wanted->id_size; i++)
        length += snprintf(path + length, sizeof path - (size_t)length, "%02x", wanted->id[i]);
    strcpy(path + length, ".debug");
    return try(wanted, path, file_name);
}

static int try_link(const struct wanted *wanted, const char *module_file, const char *link, char **file_name)
{
    static const char *const before[] = { "", "", DEBUG_FOLDER };
    static const char *const after[] = { "", "/.debug", "" };
    const char *slash = strrchr(module_file, '/');
    int folder = slash ? (int)(slash - module_file) : 0;
    int fd = NO_FILE;
    for (size_t i = 0; fd < 0 && i < sizeof before / sizeof *before; i++) {
        char path[PATH_MAX];
        if (snprintf(path, sizeof path, "%s%.*s%s/%s", before[i], folder, module_file, after[i], link) <
            (int)sizeof path)
            fd = try(wanted, path, file_name);
    }
    return fd;
}

static int find_debuginfo(Dwfl_Module *module, void **own, const char *name, Dwarf_Addr base, const char *module_file,
                          const char *link, GElf_Word link_checksum, char **file_name)
{
    (void)own, (void)name, (void)base;
    struct wanted wanted = { .checksum = link_checksum };
    GElf_Addr address;
    int size = salp__dw.dwfl_module_build_id(module, &wanted.id, &address);
    if (size > 0)
        wanted.id_size = (size_t)size;
    int fd = try_build_id(&wanted, file_name);
    if (fd < 0 && link && module_file)
        fd = try_link(&wanted, module_file, link, file_name);
    return fd;
}

const Dwfl_Callbacks salp__debugfiles = { .find_elf = find_elf, .find_debuginfo = find_debuginfo };
