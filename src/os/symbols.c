/*
 * Describing addresses, with libdwfl.
 *
 * Modules are reported to libdwfl from /proc/self/maps, anew for each description: that costs a fraction of a
 * millisecond, libdwfl keeps what it has read of modules that are still there, and nobody has to tell what was loaded.
 * (dwfl_linux_proc_report would do nearly the same. But it joins neighbouring mappings of one file into one module, and
 * libelf's own mapping of a library may come to lie just below the library.)
 *
 * An address after the first is a return address: the call is before it, and may be the last instruction of its
 * function. So what is looked up is one less.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/symbols.h"

#include <dwarf.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/debugfiles.h"
#include "os/elfutils.h"
#include "os/fault.h"
#include "os/mappings.h"

struct salp__symbols {
    Dwfl *dwfl;
};

/* ---- which modules there are ---- */

/* Mappings of one file that follow one another; a module, if there is code among them. */
struct run {
    Dwfl *dwfl;
    char *path; /* NULL: no run */
    uint64_t device;
    uint64_t inode;
    uint64_t start;
    uint64_t end;
    bool executable;
};

static void report_run(struct run *run)
{
    if (run->path && run->executable)
        (void)salp__dw.dwfl_report_module(run->dwfl, run->path, run->start, run->end); /* no memory: not described */
    free(run->path);
    run->path = NULL;
}

static bool report_mapping(const salp__mapping *mapping, void *arg)
{
    struct run *run = arg;
    bool vdso = strcmp(mapping->path, SALP__VDSO_NAME) == 0;
    if (mapping->path[0] != '/' && !vdso)
        return true; /* a library's zeroed memory lies between its mappings */
    /* A new one at offset 0: the same file may be mapped by somebody else right beside it. */
    if (!run->path || mapping->offset == 0 || mapping->device != run->device || mapping->inode != run->inode) {
        report_run(run);
        run->path = strdup(mapping->path);
        run->device = mapping->device;
        run->inode = mapping->inode;
        run->start = mapping->start;
        run->executable = false;
    }
    run->end = mapping->end;
    run->executable |= mapping->executable;
    return true;
}

static void report_modules(Dwfl *dwfl)
{
    struct run run = { .dwfl = dwfl };
    salp__dw.dwfl_report_begin(dwfl);
    (void)salp__mappings_each(report_mapping, &run); /* what cannot be read is not described */
    report_run(&run);
    (void)salp__dw.dwfl_report_end(dwfl, NULL, NULL);
}

/* ---- text ---- */

struct text {
    char *start;
    size_t size;
    size_t length;
    size_t line; /* where the last line that is not whole begins */
    bool full;
    int lines;
};

__attribute__((format(printf, 2, 3))) static void append(struct text *text, const char *format, ...)
{
    if (text->full)
        return;
    va_list arguments;
    va_start(arguments, format);
    size_t room = text->size - text->length;
    int length = vsnprintf(text->start + text->length, room, format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= room)
        text->full = true;
    else
        text->length += (size_t)length;
}

static void begin_line(struct text *text)
{
    text->line = text->length;
    append(text, "#%d ", text->lines);
}

static void end_line(struct text *text, const char *module)
{
    if (module)
        append(text, " (%s)", module);
    append(text, "\n");
    if (text->full) {
        text->length = text->line;
        text->start[text->length] = '\0';
    }
    text->lines++;
}

static void append_place(struct text *text, const char *file, int line)
{
    if (file && line > 0)
        append(text, " at %s:%d", file, line);
    else if (file)
        append(text, " at %s", file);
}

/* ---- one address ---- */

struct place {
    uint64_t address; /* as given */
    uint64_t lookup;  /* in the instruction that ran */
    Dwfl_Module *module;
    char module_name[NAME_MAX + 1];
};

/* libdwfl takes what lies between two modules for a part of the lower one. */
static Dwfl_Module *find_module(Dwfl *dwfl, uint64_t address)
{
    Dwarf_Addr start, end;
    Dwfl_Module *module = salp__dw.dwfl_addrmodule(dwfl, address);
    if (!module)
        return NULL;
    salp__dw.dwfl_module_info(module, NULL, &start, &end, NULL, NULL, NULL, NULL);
    return address >= start && address < end ? module : NULL;
}

static void name_module(struct place *place)
{
    const char *path = salp__dw.dwfl_module_info(place->module, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    const char *end = strstr(name, SALP__DELETED);
    int length = end ? (int)(end - name) : (int)strlen(name);
    snprintf(place->module_name, sizeof place->module_name, "%.*s", length, name);
}

/* The file and line where an inlined function was called. */
static void find_call(Dwarf_Die *unit, Dwarf_Die *inlined, const char **file, int *line)
{
    Dwarf_Attribute attribute;
    Dwarf_Word number;
    Dwarf_Files *files;
    size_t count;
    *file = NULL;
    *line = 0;
    if (salp__dw.dwarf_formudata(salp__dw.dwarf_attr(inlined, DW_AT_call_file, &attribute), &number) == 0 &&
        salp__dw.dwarf_getsrcfiles(unit, &files, &count) == 0 && number < count)
        *file = salp__dw.dwarf_filesrc(files, number, NULL, NULL);
    if (salp__dw.dwarf_formudata(salp__dw.dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0)
        *line = (int)number;
}

/* The scopes around the address, innermost first, as they are nested in the code. Returns their number. */
static int find_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
    /* The first call knows the addresses, but goes on from an inlined function to where that was written. */
    Dwarf_Die *found = NULL;
    int count = salp__dw.dwarf_getscopes(unit, address, &found);
    if (count <= 0)
        return 0;
    Dwarf_Die innermost = found[0];
    free(found);
    *scopes = NULL;
    count = salp__dw.dwarf_getscopes_die(&innermost, scopes);
    return count < 0 ? 0 : count;
}

/* The compilation unit of the address, and what has to be taken from addresses to look them up in it. */
static Dwarf_Die *find_unit(const struct place *place, Dwarf_Addr *bias)
{
    Dwarf_Die *unit = salp__dw.dwfl_module_addrdie(place->module, place->lookup, bias);
    if (unit)
        return unit;
    /* That looks into an index which not every compiler writes (clang does not). */
    while ((unit = salp__dw.dwfl_module_nextcu(place->module, unit, bias))) {
        if (salp__dw.dwarf_haspc(unit, place->lookup - *bias) > 0)
            return unit;
    }
    return NULL;
}

static void find_line(Dwarf_Die *unit, Dwarf_Addr address, const char **file, int *line)
{
    *line = 0;
    *file = NULL;
    Dwarf_Line *entry = salp__dw.dwarf_getsrc_die(unit, address);
    if (!entry)
        return;
    *file = salp__dw.dwarf_linesrc(entry, NULL, NULL);
    (void)salp__dw.dwarf_lineno(entry, line);
}

/* A line for the function and for each one inlined there. false: the debug information does not know it. */
static bool describe_by_debug(const struct place *place, Dwarf_Die *unit, Dwarf_Addr address, struct text *text)
{
    Dwarf_Die *scopes;
    int count = find_scopes(unit, address, &scopes);
    if (count == 0)
        return false;
    bool whole = false;
    const char *file;
    int line;
    find_line(unit, address, &file, &line);
    for (int i = 0; i < count && !whole; i++) {
        int tag = salp__dw.dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        const char *name = salp__dw.dwarf_diename(&scopes[i]);
        whole = tag == DW_TAG_subprogram;
        begin_line(text);
        append(text, "%s", name ? name : "?");
        append_place(text, file, line);
        end_line(text, place->module_name);
        if (!whole)
            find_call(unit, &scopes[i], &file, &line);
    }
    free(scopes);
    return whole;
}

/* From the symbol table; `unit` may be NULL, or that of code that was not written in a language with functions. */
static bool describe_by_symbol(const struct place *place, Dwarf_Die *unit, Dwarf_Addr address, struct text *text)
{
    GElf_Sym symbol;
    GElf_Off offset;
    const char *name = salp__dw.dwfl_module_addrinfo(place->module, place->lookup, &offset, &symbol, NULL, NULL, NULL);
    if (!name || !*name)
        return false;
    const char *file = NULL;
    int line = 0;
    if (unit)
        find_line(unit, address, &file, &line);
    begin_line(text);
    append(text, "%s", name);
    if (file)
        append_place(text, file, line);
    else
        append(text, "+0x%" PRIx64, (uint64_t)offset + (place->address - place->lookup));
    end_line(text, place->module_name);
    return true;
}

static void describe_by_number(const struct place *place, struct text *text)
{
    begin_line(text);
    append(text, "0x%" PRIx64, place->address);
    if (place->module) {
        GElf_Addr bias;
        Dwarf_Addr start;
        salp__dw.dwfl_module_info(place->module, NULL, &start, NULL, NULL, NULL, NULL, NULL);
        if (!salp__dw.dwfl_module_getelf(place->module, &bias))
            bias = start; /* of what libraries and most programs are; nothing better is known */
        append(text, " (%s+0x%" PRIx64 ")", place->module_name, place->address - bias);
    }
    end_line(text, NULL);
}

static void describe_address(Dwfl *dwfl, uint64_t address, bool interrupted, struct text *text)
{
    struct place place = { .address = address, .lookup = interrupted ? address : address - 1 };
    place.module = find_module(dwfl, place.lookup);
    if (place.module) {
        name_module(&place);
        Dwarf_Addr bias = 0;
        Dwarf_Die *unit = find_unit(&place, &bias);
        Dwarf_Addr address_there = place.lookup - bias;
        if ((unit && describe_by_debug(&place, unit, address_there, text)) ||
            describe_by_symbol(&place, unit, address_there, text))
            return;
    }
    describe_by_number(&place, text);
}

/* ---- the three calls ---- */

int salp__symbols_open(salp__symbols **out)
{
    SALP__FAULT(-ENOMEM);
    int error = salp__elfutils_load();
    if (error < 0)
        return error;
    salp__symbols *symbols = malloc(sizeof *symbols);
    if (!symbols)
        return -ENOMEM;
    symbols->dwfl = salp__dw.dwfl_begin(&salp__debugfiles);
    if (!symbols->dwfl) {
        free(symbols);
        return -ENOMEM;
    }
    *out = symbols;
    return 0;
}

size_t salp__symbols_describe(salp__symbols *symbols, const uint64_t *addresses, int count, char *out, size_t size)
{
    if (size == 0)
        return 0;
    out[0] = '\0';
    struct text text = { .start = out, .size = size };
    report_modules(symbols->dwfl);
    for (int i = 0; i < count && !text.full; i++)
        describe_address(symbols->dwfl, addresses[i], i == 0, &text);
    return text.length;
}

void salp__symbols_close(salp__symbols *symbols)
{
    if (!symbols)
        return;
    salp__dw.dwfl_end(symbols->dwfl);
    free(symbols);
}
