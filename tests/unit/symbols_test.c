/*
 * Describing addresses: of libraries with and without debug information, of inlined functions, of nothing; and where
 * the debug information is looked for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "crashing.h"
#include "os/mappings.h"
#include "os/modules.h"
#include "os/symbols.h"
#include "plugin/load.h"
#include "plugin/plugin.h"

#define DELETE_AND_DESCRIBE "--delete-and-describe"

/* ---- libraries ---- */

static int crashing_in_a_callback(int number)
{
    writing_to_nowhere();
    NOT_THE_LAST_CALL();
    return number;
}

static int (*volatile call_through)(int (*)(int), int);

static void calling_through_a_library(void)
{
    (void)call_through(crashing_in_a_callback, 1);
    NOT_THE_LAST_CALL();
}

static void find_call_through(const char *path)
{
    call_through = (int (*)(int (*)(int), int))dlsym(load(path), "plugin_call");
    assert_non_null(call_through);
}

static void a_library_with_debug_information_is_described(void **state)
{
    (void)state;
    find_call_through(built("plugin"));
    const char *lines = crashed(calling_through_a_library);
    expect_function(lines, 1, "crashing_in_a_callback", 0);
    const char *line = find_line(lines, 2);
    assert_int_equal(strncmp(line, "#2 plugin_call at ", 18), 0);
    assert_non_null(strstr(line, "plugin.c:"));
    assert_non_null(strstr(line, " (plugin.so)\n"));
    expect_function(lines, 3, "calling_through_a_library", 0);
}

static void a_library_without_debug_information_shows_its_symbol(void **state)
{
    (void)state;
    find_call_through(built("stripped"));
    const char *lines = crashed(calling_through_a_library);
    uint64_t offset = crash.addresses[2] - (uint64_t)(uintptr_t)call_through;
    char expected[100];
    snprintf(expected, sizeof expected, "#2 plugin_call+0x%" PRIx64 " (stripped.so)\n", offset);
    assert_int_equal(strncmp(find_line(lines, 2), expected, strlen(expected)), 0);
    expect_function(lines, 3, "calling_through_a_library", 0);
}

static void a_library_that_was_deleted_shows_offsets(void **state)
{
    (void)state;
    make_folder();
    const char *path = copy_plugin("plugin", "a library.so");
    find_call_through(path);
    salp__module module;
    uint64_t offset;
    assert_int_equal(salp__module_of((void *)call_through, &module, &offset), 0);
    assert_int_equal(unlink(path), 0);
    const char *lines = crashed(calling_through_a_library);
    offset += crash.addresses[2] - (uint64_t)(uintptr_t)call_through;
    char expected[200];
    snprintf(expected, sizeof expected, "#2 0x%" PRIx64 " (a library.so+0x%" PRIx64 ")\n", crash.addresses[2], offset);
    assert_int_equal(strncmp(find_line(lines, 2), expected, strlen(expected)), 0);
}

static bool is_libdw(const salp__mapping *mapping, void *arg)
{
    bool *found = arg;
    *found |= strstr(mapping->path, "/libdw") != NULL;
    return true;
}

static bool has_libdw(void)
{
    bool found = false;
    assert_int_equal(salp__mappings_each(is_libdw, &found), 0);
    return found;
}

static void what_describes_is_loaded_when_something_is_to_be_described(void **state)
{
    (void)state;
    salp__symbols *symbols = NULL;
    assert_false(has_libdw());
    assert_int_equal(salp__symbols_open(&symbols), 0);
    assert_true(has_libdw());
    salp__symbols_close(symbols);
}

static void a_library_is_known_while_it_is_loaded(void **state)
{
    (void)state;
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    uint64_t address = (uint64_t)(uintptr_t)calling_the_caller;
    assert_true(salp__symbols_describe(symbols, &address, 1, text, sizeof text) > 0);
    expect_function(text, 0, "calling_the_caller", 0);
    void *handle = load(built("plugin"));
    address = (uint64_t)(uintptr_t)dlsym(handle, "plugin_call");
    assert_true(salp__symbols_describe(symbols, &address, 1, text, sizeof text) > 0);
    assert_non_null(strstr(text, "#0 plugin_call at "));
    assert_int_equal(dlclose(handle), 0);
    assert_true(salp__symbols_describe(symbols, &address, 1, text, sizeof text) > 0);
    assert_null(strstr(text, "plugin"));
    assert_int_equal(strncmp(text, "#0 0x", 5), 0);
    salp__symbols_close(symbols);
}

/* As libelf maps it, and where the kernel may put that. */
static void a_file_mapped_beside_its_library_changes_nothing(void **state)
{
    (void)state;
    void *handle = load(built("plugin"));
    uint64_t address = (uint64_t)(uintptr_t)dlsym(handle, "plugin_call");
    salp__module module;
    uint64_t offset;
    assert_int_equal(salp__module_of((void *)(uintptr_t)address, &module, &offset), 0);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = ((size_t)module.file_size + page - 1) & ~(page - 1);
    int fd = open(built("plugin"), O_RDONLY | O_CLOEXEC);
    void *below = (char *)(uintptr_t)(address - offset) - size;
    void *mapped = mmap(below, size, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, fd, 0);
    close(fd);
    if (mapped != below)
        test_skip("there is something else below the library");
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    const uint64_t addresses[] = { address, (uint64_t)(uintptr_t)below + 64 };
    (void)salp__symbols_describe(symbols, addresses, 2, text, sizeof text);
    salp__symbols_close(symbols);
    munmap(mapped, size);
    assert_int_equal(strncmp(text, "#0 plugin_call at ", 18), 0);
    char line[64];
    snprintf(line, sizeof line, "#1 0x%" PRIx64 "\n", addresses[1]);
    assert_string_equal(find_line(text, 1), line);
}

/* ---- inlined functions ---- */

static _Atomic int inner_line;

__attribute__((always_inline)) static inline void inlined_inner(volatile int *where)
{
    inner_line = __LINE__ + 1;
    *where = 1;
}

static _Atomic int outer_line;

__attribute__((always_inline)) static inline void inlined_outer(volatile int *where)
{
    outer_line = __LINE__ + 1;
    inlined_inner(where);
}

static _Atomic int around_line;

__attribute__((noinline)) static void around_inlined_functions(void)
{
    around_line = __LINE__ + 1;
    inlined_outer(nowhere);
    NOT_THE_LAST_CALL();
}

static void inlined_functions_have_lines_of_their_own(void **state)
{
    (void)state;
    const char *lines = crashed(around_inlined_functions);
    expect_function(lines, 0, "inlined_inner", inner_line);
    expect_function(lines, 1, "inlined_outer", outer_line);
    expect_function(lines, 2, "around_inlined_functions", around_line);
    expect_function(lines, 3, "survive", 0);
}

/* ---- limits ---- */

static void a_text_that_is_too_long_ends_with_a_whole_line(void **state)
{
    (void)state;
    static char whole[TEXT];
    survive(calling_the_caller, 3);
    strcpy(whole, described());
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    for (size_t size = 0; size <= strlen(whole) + 2; size++) {
        memset(text, 'x', sizeof text);
        size_t length = salp__symbols_describe(symbols, crash.addresses, crash.count, text, size);
        assert_int_equal(text[size], 'x');
        if (size == 0) {
            assert_int_equal(length, 0);
            continue;
        }
        assert_true(length < size);
        assert_int_equal(strlen(text), length);
        assert_int_equal(strncmp(text, whole, length), 0);
        assert_true(length == 0 || text[length - 1] == '\n');
        /* the next line would not have fitted */
        size_t next = strcspn(whole + length, "\n");
        assert_true(whole[length] == '\0' || length + next + 1 >= size);
    }
    salp__symbols_close(symbols);
    salp__symbols_close(NULL);
}

static void nothing_is_described_as_nothing(void **state)
{
    (void)state;
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    text[0] = 'x';
    assert_int_equal(salp__symbols_describe(symbols, NULL, 0, text, sizeof text), 0);
    assert_string_equal(text, "");
    const uint64_t addresses[] = { 0, 0, UINT64_MAX, (uint64_t)(uintptr_t)text };
    (void)salp__symbols_describe(symbols, addresses, 3, text, sizeof text);
    assert_string_equal(text, "#0 0x0\n#1 0x0\n#2 0xffffffffffffffff\n");
    salp__symbols_close(symbols);
}

static void the_vdso_is_described(void **state)
{
    (void)state;
    uint64_t address = getauxval(AT_SYSINFO_EHDR);
    if (address == 0)
        test_skip("no vdso is to be seen");
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    (void)salp__symbols_describe(symbols, &address, 1, text, sizeof text);
    assert_non_null(strstr(text, "[vdso]"));
    salp__symbols_close(symbols);
}

/* ---- files ---- */

static void describing_this_program_keeps_no_descriptor(void **state)
{
    (void)state;
    survive(calling_the_caller, 3);
    int before = test_count_descriptors();
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    (void)salp__symbols_describe(symbols, crash.addresses, crash.count, text, sizeof text);
    assert_int_equal(test_count_descriptors(), before);
    salp__symbols_close(symbols);
}

static bool goes_through_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags >= 0 && !(flags & FD_CLOEXEC);
}

/* What is opened must not reach programs that are executed meanwhile. */
static void what_stays_open_is_closed_by_exec(void **state)
{
    (void)state;
    enum { HIGHEST = 1000 };
    static bool before[HIGHEST];
    for (int fd = 0; fd < HIGHEST; fd++)
        before[fd] = goes_through_exec(fd);
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    uint64_t address = (uint64_t)(uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
    (void)salp__symbols_describe(symbols, &address, 1, text, sizeof text);
    for (int fd = 0; fd < HIGHEST; fd++)
        assert_int_equal(goes_through_exec(fd), before[fd]);
    salp__symbols_close(symbols);
}

static void debug_information_is_found_by_build_id(void **state)
{
    (void)state;
    void *function = dlsym(RTLD_DEFAULT, "qsort");
    salp__module module;
    uint64_t offset;
    assert_int_equal(salp__module_of(function, &module, &offset), 0);
    char path[PATH_MAX] = "/usr/lib/debug/.build-id/";
    for (uint32_t i = 0; i < module.build_id_size; i++)
        sprintf(path + strlen(path), i == 0 ? "%02x/" : "%02x", module.build_id[i]);
    strcat(path, ".debug");
    if (strstr(module.path, "libc.so") == NULL || access(path, R_OK) < 0)
        test_skip("the debug information of libc is not installed");
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    uint64_t address = (uint64_t)(uintptr_t)function;
    (void)salp__symbols_describe(symbols, &address, 1, text, sizeof text);
    salp__symbols_close(symbols);
    assert_non_null(strstr(text, "sort"));
    assert_non_null(strstr(text, ".c:"));
    assert_non_null(strstr(text, "(libc.so"));
}

static bool run(const char *const argv[])
{
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Splits a copy of the plugin into a library and the file that its debug link names. */
static bool split(const char *name, char *library, char *debug)
{
    sprintf(library, "%s/split.so", test_folder);
    sprintf(debug, "%s/split.debug", test_folder);
    copy(built(name), library);
    char link[3 * PATH_MAX];
    snprintf(link, sizeof link, "--add-gnu-debuglink=%s", debug);
    return run((const char *const[]){ "objcopy", "--only-keep-debug", library, debug, NULL }) &&
           run((const char *const[]){ "objcopy", "--strip-all", link, library, NULL });
}

static bool has_lines(const char *library)
{
    void *handle = load(library);
    uint64_t address = (uint64_t)(uintptr_t)dlsym(handle, "plugin_call");
    salp__symbols *symbols = NULL;
    assert_int_equal(salp__symbols_open(&symbols), 0);
    (void)salp__symbols_describe(symbols, &address, 1, text, sizeof text);
    salp__symbols_close(symbols);
    assert_int_equal(dlclose(handle), 0);
    assert_non_null(strstr(text, "plugin_call"));
    return strstr(text, "plugin.c:") != NULL;
}

static void expect_debug_link(const char *name)
{
    char library[2 * PATH_MAX], debug[2 * PATH_MAX], below[2 * PATH_MAX];
    make_folder();
    if (!split(name, library, debug))
        test_skip("objcopy is not to be had");
    assert_true(has_lines(library));
    sprintf(below, "%s/.debug", test_folder);
    assert_int_equal(mkdir(below, 0755), 0);
    strcat(below, "/split.debug");
    assert_int_equal(rename(debug, below), 0);
    assert_true(has_lines(library));
    /* another build, under the right name */
    assert_true(run((const char *const[]){ "objcopy", "--only-keep-debug", built("changed"), below, NULL }));
    assert_false(has_lines(library));
}

static void debug_information_is_found_by_its_link_and_build_id(void **state)
{
    (void)state;
    expect_debug_link("plugin");
}

static void debug_information_is_found_by_its_link_and_checksum(void **state)
{
    (void)state;
    expect_debug_link("bare");
}

/* libdwfl asks servers of debug information if it is left to its own ways. */
static void no_server_is_asked(void **state)
{
    (void)state;
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(server >= 0);
    assert_int_equal(bind(server, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(server, 8), 0);
    assert_int_equal(getsockname(server, (struct sockaddr *)&address, &size), 0);
    char url[100];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", ntohs(address.sin_port));
    setenv("DEBUGINFOD_URLS", url, 1);
    setenv("DEBUGINFOD_TIMEOUT", "1", 1);
    setenv("DEBUGINFOD_CACHE_PATH", make_folder(), 1);
    assert_false(has_lines(built("stripped")));
    /* a connection that was tried stays in the listener's queue, whatever became of it */
    struct pollfd asked = { .fd = server, .events = POLLIN };
    assert_int_equal(poll(&asked, 1, 0), 0);
    close(server);
}

/* This program, as a copy of its own, which deletes itself and then describes a function. */
static int delete_and_describe(const char *path)
{
    salp__symbols *symbols = NULL;
    uint64_t address = (uint64_t)(uintptr_t)calling_the_caller;
    if (unlink(path) < 0 || salp__symbols_open(&symbols) < 0)
        return 1;
    (void)salp__symbols_describe(symbols, &address, 1, text, sizeof text);
    salp__symbols_close(symbols);
    return strncmp(text, "#0 calling_the_caller at ", 25) == 0 && strstr(text, " (itself)\n") ? 0 : 2;
}

static void a_program_that_was_deleted_is_described(void **state)
{
    (void)state;
    test_needs_execution();
    char program[PATH_MAX], itself[2 * PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    make_folder();
    snprintf(itself, sizeof itself, "%s/itself", test_folder);
    copy(program, itself);
    assert_true(run((const char *const[]){ itself, DELETE_AND_DESCRIBE, NULL }));
    assert_int_equal(access(itself, F_OK), -1);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], DELETE_AND_DESCRIBE) == 0)
        return delete_and_describe(argv[0]);
    static const struct test tests[] = {
        TEST("a library with debug information is described", a_library_with_debug_information_is_described),
        TEST("a library without debug information shows its symbol",
             a_library_without_debug_information_shows_its_symbol),
        TEST("a library that was deleted shows offsets", a_library_that_was_deleted_shows_offsets),
        TEST("what describes is loaded when something is to be described",
             what_describes_is_loaded_when_something_is_to_be_described),
        TEST("a library is known while it is loaded", a_library_is_known_while_it_is_loaded),
        TEST("a file mapped beside its library changes nothing", a_file_mapped_beside_its_library_changes_nothing),
        TEST("inlined functions have lines of their own", inlined_functions_have_lines_of_their_own),
        TEST("a text that is too long ends with a whole line", a_text_that_is_too_long_ends_with_a_whole_line),
        TEST("no addresses are no text, and bad ones are numbers", nothing_is_described_as_nothing),
        TEST("the vdso is described", the_vdso_is_described),
        TEST("describing this program keeps no descriptor", describing_this_program_keeps_no_descriptor),
        TEST("what stays open is closed by exec", what_stays_open_is_closed_by_exec),
        TEST("debug information is found by build ID", debug_information_is_found_by_build_id),
        TEST("debug information is found by its link and build ID",
             debug_information_is_found_by_its_link_and_build_id),
        TEST("debug information is found by its link and checksum",
             debug_information_is_found_by_its_link_and_checksum),
        TEST("no server is asked for debug information", no_server_is_asked),
        TEST("a program that was deleted is described", a_program_that_was_deleted_is_described),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
