/*
 * Modules: found by an address, found again in this process and in a fresh image of this program, and not mistaken for
 * one another.
 *
 * A fresh image is this program, executed anew with one argument: it reads a module from its standard input, resolves
 * it, calls the function, and tells by its exit status what happened.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "os/modules.h"
#include "plugin/load.h"
#include "plugin/plugin.h"

#define RESOLVE "--resolve"
#define PROGRAM_ANSWER 42

enum { STATUS_BROKEN = 100, STATUS_ABSENT, STATUS_STALE, STATUS_STALE_BUT_LOADED };

/* ---- helpers ---- */

static void *answer_of(void *handle)
{
    void *function = dlsym(handle, "plugin_answer");
    assert_non_null(function);
    return function;
}

static int call(void *function)
{
    return ((int (*)(void))function)();
}

static void describe(const void *address, salp__module *module, uint64_t *offset)
{
    assert_int_equal(salp__module_of(address, module, offset), 0);
}

__attribute__((noinline)) static int answer(void)
{
    return PROGRAM_ANSWER;
}

/* What a fresh image of this program makes of the module. */
static int resolve_elsewhere(const salp__module *module, uint64_t offset)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    char program[PATH_MAX]; /* its path, since valgrind follows the name and not the link */
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    assert_true(length > 0);
    program[length] = '\0';
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        unsetenv(PLUGIN_LOADED);
        dup2(ends[0], STDIN_FILENO);
        execl(program, program, RESOLVE, (char *)NULL);
        _exit(STATUS_BROKEN);
    }
    assert_int_equal(write(ends[1], module, sizeof *module), sizeof *module);
    assert_int_equal(write(ends[1], &offset, sizeof offset), sizeof offset);
    close(ends[0]);
    close(ends[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static bool read_all(void *data, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t count = read(STDIN_FILENO, (char *)data + done, size - done);
        if (count <= 0)
            return false;
        done += (size_t)count;
    }
    return true;
}

/* The fresh image. */
static int resolve_here(void)
{
    static salp__module module;
    uint64_t offset;
    if (!read_all(&module, sizeof module) || !read_all(&offset, sizeof offset))
        return STATUS_BROKEN;
    void *function = NULL;
    switch (salp__module_resolve(&module, offset, &function)) {
    case 0:
        return call(function);
    case -ENOENT:
        return STATUS_ABSENT;
    case -ESTALE:
        return getenv(PLUGIN_LOADED) ? STATUS_STALE_BUT_LOADED : STATUS_STALE;
    default:
        return STATUS_BROKEN;
    }
}

static void expect_same_here(const void *address, const salp__module *module, uint64_t offset)
{
    void *found = NULL;
    assert_int_equal(salp__module_resolve(module, offset, &found), 0);
    assert_ptr_equal(found, address);
}

static void expect_error_here(const salp__module *module, uint64_t offset, int error)
{
    void *found = &found;
    assert_int_equal(salp__module_resolve(module, offset, &found), error);
    assert_ptr_equal(found, &found);
}

/* ---- from an address ---- */

static void a_function_of_the_program(void **state)
{
    (void)state;
    salp__module module;
    uint64_t offset;
    describe((void *)answer, &module, &offset);
    assert_int_equal(module.kind, SALP__MODULE_PROGRAM);
    assert_int_equal(module.path[0], '/');
    assert_true(module.build_id_size > 0);
    expect_same_here((void *)answer, &module, offset);
}

static void a_function_of_a_library(void **state)
{
    (void)state;
    void *function = answer_of(load(built("plugin")));
    salp__module module;
    uint64_t offset;
    describe(function, &module, &offset);
    assert_int_equal(module.kind, SALP__MODULE_LIBRARY);
    assert_string_equal(module.path, built("plugin"));
    assert_true(module.build_id_size > 0);
    assert_true(module.file_size > 0);
    expect_same_here(function, &module, offset);
}

static void what_is_not_code_has_no_module(void **state)
{
    (void)state;
    static int data;
    int local = 0;
    salp__module module;
    uint64_t offset;
    void *heap = malloc(100);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    const void *const others[] = { NULL, &data, &local, heap, memory, (void *)UINTPTR_MAX };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(salp__module_of(others[i], &module, &offset), -ENOENT);
    free(heap);
    munmap(memory, 4096);
}

static void the_kernels_own_module(void **state)
{
    (void)state;
    const void *address = (const void *)getauxval(AT_SYSINFO_EHDR);
    salp__module module;
    uint64_t offset;
    if (!address || salp__module_of(address, &module, &offset) < 0)
        test_skip("no vdso is to be seen");
    assert_int_equal(module.kind, SALP__MODULE_KERNEL);
    assert_string_equal(module.path, "[vdso]");
    expect_same_here(address, &module, offset);
    module.build_id[0] ^= 1;
    expect_error_here(&module, offset, -ESTALE);
}

/* ---- in another image ---- */

static void the_program_in_another_image(void **state)
{
    (void)state;
    salp__module module;
    uint64_t offset;
    describe((void *)answer, &module, &offset);
    assert_int_equal(resolve_elsewhere(&module, offset), PROGRAM_ANSWER);
}

static void a_library_is_loaded_in_another_image(void **state)
{
    (void)state;
    void *function = answer_of(load(built("plugin")));
    salp__module module;
    uint64_t offset;
    describe(function, &module, &offset);
    assert_int_equal(resolve_elsewhere(&module, offset), call(function));
}

static void a_library_loaded_by_a_relative_path(void **state)
{
    (void)state;
    make_folder();
    copy_plugin("plugin", "relative.so");
    assert_int_equal(chdir(test_folder), 0);
    void *function = answer_of(load("./relative.so"));
    assert_int_equal(chdir("/"), 0);
    salp__module module;
    uint64_t offset;
    describe(function, &module, &offset);
    assert_int_equal(module.path[0], '/');
    assert_int_equal(resolve_elsewhere(&module, offset), call(function));
}

static void another_build_is_refused(void **state)
{
    (void)state;
    make_folder();
    const char *path = copy_plugin("plugin", "library.so");
    salp__module module;
    uint64_t offset;
    void *function = answer_of(load(path));
    describe(function, &module, &offset);
    assert_int_equal(resolve_elsewhere(&module, offset), call(function));
    copy(built("changed"), path);
    assert_int_equal(resolve_elsewhere(&module, offset), STATUS_STALE);
    /* the loaded one is still the right one */
    void *found;
    assert_int_equal(salp__module_resolve(&module, offset, &found), 0);
}

static void an_absent_library_is_absent(void **state)
{
    (void)state;
    make_folder();
    const char *path = copy_plugin("plugin", "library.so");
    salp__module module;
    uint64_t offset;
    describe(answer_of(load(path)), &module, &offset);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(resolve_elsewhere(&module, offset), STATUS_ABSENT);
}

static void what_is_no_library_is_refused(void **state)
{
    (void)state;
    make_folder();
    const char *path = copy_plugin("plugin", "library.so");
    salp__module module;
    uint64_t offset;
    describe(answer_of(load(path)), &module, &offset);
    /* cut in each of its headers, and text instead of it */
    for (off_t size = 0; size <= 128; size += 16) {
        copy(built("plugin"), path);
        assert_int_equal(truncate(path, size), 0);
        assert_int_equal(resolve_elsewhere(&module, offset), size == 0 ? STATUS_ABSENT : STATUS_STALE);
    }
    copy(SALP_TEST_DATA "/cgroup/v1_docker/proc/self/mountinfo", path);
    assert_int_equal(resolve_elsewhere(&module, offset), STATUS_STALE);
}

static void without_a_build_id_the_file_counts(void **state)
{
    (void)state;
    make_folder();
    const char *path = copy_plugin("bare", "bare.so");
    salp__module module;
    uint64_t offset;
    void *function = answer_of(load(path));
    describe(function, &module, &offset);
    assert_int_equal(module.build_id_size, 0);
    expect_same_here(function, &module, offset);
    assert_int_equal(resolve_elsewhere(&module, offset), call(function));
    const struct timespec earlier[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
    assert_int_equal(utimensat(AT_FDCWD, path, earlier, 0), 0);
    assert_int_equal(resolve_elsewhere(&module, offset), STATUS_STALE);
    copy(built("plugin"), path);
    assert_int_equal(resolve_elsewhere(&module, offset), STATUS_STALE);
}

/* ---- in the same image ---- */

static void a_build_id_that_differs_is_refused(void **state)
{
    (void)state;
    salp__module module;
    uint64_t offset;
    describe((void *)answer, &module, &offset);
    module.build_id[module.build_id_size - 1] ^= 1;
    expect_error_here(&module, offset, -ESTALE);
    describe(answer_of(load(built("plugin"))), &module, &offset);
    module.build_id[0] ^= 1;
    expect_error_here(&module, offset, -ESTALE);
    module.build_id[0] ^= 1;
    module.build_id_size--;
    expect_error_here(&module, offset, -ESTALE);
    strcpy(module.path, "/absent/library.so");
    expect_error_here(&module, offset, -ENOENT);
    strcpy(module.path, "library.so");
    expect_error_here(&module, offset, -ENOENT);
}

static void an_offset_without_code_is_refused(void **state)
{
    (void)state;
    salp__module module;
    uint64_t offset;
    describe((void *)answer, &module, &offset);
    expect_error_here(&module, UINT64_C(1) << 40, -ESTALE);
    static int data;
    expect_error_here(&module, offset + (uint64_t)((char *)&data - (char *)answer), -ESTALE);
}

static void a_library_that_was_moved_is_known_by_its_build_id(void **state)
{
    (void)state;
    make_folder();
    void *function = answer_of(load(copy_plugin("plugin", "here.so")));
    salp__module module;
    uint64_t offset;
    describe(function, &module, &offset);
    strcpy(module.path, "/absent/there.so");
    expect_same_here(function, &module, offset);
}

static void two_copies_of_a_library_are_told_apart(void **state)
{
    (void)state;
    make_folder();
    void *first = answer_of(load(copy_plugin("plugin", "first.so")));
    void *second = answer_of(load(copy_plugin("plugin", "second.so")));
    assert_ptr_not_equal(first, second);
    salp__module module;
    uint64_t offset;
    describe(first, &module, &offset);
    expect_same_here(first, &module, offset);
    describe(second, &module, &offset);
    expect_same_here(second, &module, offset);
}

/* ---- what was loaded when ---- */

static void loading_and_unloading_change_the_generation(void **state)
{
    (void)state;
    uint64_t first = salp__modules_generation();
    assert_true(first == salp__modules_generation());
    void *handle = load(built("plugin"));
    uint64_t second = salp__modules_generation();
    assert_true(second != first);
    assert_int_equal(dlclose(handle), 0);
    uint64_t third = salp__modules_generation();
    assert_true(third != first && third != second);
}

static void a_snapshot_holds_what_was_loaded(void **state)
{
    (void)state;
    salp__module_map *map = NULL;
    static int data;
    assert_int_equal(salp__modules_snapshot(&map), 0);
    /* once with nothing changed, once with a library more */
    for (int i = 0; i < 2; i++) {
        assert_true(salp__module_map_holds(map, (void *)answer));
        assert_true(salp__module_map_holds(map, (void *)salp_strerror));
        assert_true(salp__module_map_holds(map, dlsym(RTLD_DEFAULT, "qsort")));
        assert_false(salp__module_map_holds(map, &data));
        assert_false(salp__module_map_holds(map, &map));
        assert_false(salp__module_map_holds(map, NULL));
        assert_false(salp__module_map_holds(map, (void *)UINTPTR_MAX));
        (void)load(built("plugin"));
    }
    salp__module_map_free(map);
    salp__module_map_free(NULL);
}

static void a_snapshot_does_not_hold_what_came_later(void **state)
{
    (void)state;
    salp__module_map *before = NULL, *after = NULL;
    assert_int_equal(salp__modules_snapshot(&before), 0);
    void *function = answer_of(load(built("plugin")));
    assert_false(salp__module_map_holds(before, function));
    assert_int_equal(salp__modules_snapshot(&after), 0);
    assert_true(salp__module_map_holds(after, function));
    salp__module_map_free(before);
    salp__module_map_free(after);
}

static void a_snapshot_does_not_hold_what_has_gone(void **state)
{
    (void)state;
    void *handle = load(built("plugin"));
    void *function = answer_of(handle);
    salp__module_map *map = NULL;
    assert_int_equal(salp__modules_snapshot(&map), 0);
    assert_true(salp__module_map_holds(map, function));
    assert_int_equal(dlclose(handle), 0);
    assert_false(salp__module_map_holds(map, function));
    salp__module_map_free(map);
}

/* One library goes and another comes, most often to where the first one lay: the same address is other code now. */
static void another_library_at_the_same_place(void **state, const char *one, const char *other)
{
    (void)state;
    void *handle = load(built(one));
    char *function = answer_of(handle);
    salp__module_map *map = NULL;
    assert_int_equal(salp__modules_snapshot(&map), 0);
    assert_true(salp__module_map_holds(map, function));
    assert_int_equal(dlclose(handle), 0);
    (void)load(built(other));
    salp__module module;
    uint64_t offset;
    bool covered = salp__module_of(function, &module, &offset) == 0;
    assert_false(salp__module_map_holds(map, function));
    salp__module_map_free(map);
    if (!covered)
        test_skip("the other library was not loaded at the same place");
    assert_string_equal(module.path, built(other));
}

static void another_build_at_the_same_place(void **state)
{
    another_library_at_the_same_place(state, "plugin", "changed");
}

static void another_file_at_the_same_place(void **state)
{
    another_library_at_the_same_place(state, "bare", "plugin");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], RESOLVE) == 0)
        return resolve_here();
    static const struct test tests[] = {
        TEST("a function of the program is found", a_function_of_the_program),
        TEST("a function of a library is found", a_function_of_a_library),
        TEST("what is not code has no module", what_is_not_code_has_no_module),
        TEST("the kernel's own module is found and checked", the_kernels_own_module),
        TEST("another image of the program finds the function", the_program_in_another_image),
        TEST("another image loads the library and finds the function", a_library_is_loaded_in_another_image),
        TEST("a library loaded by a relative path is found from elsewhere", a_library_loaded_by_a_relative_path),
        TEST("another build of a library is refused before its constructors run", another_build_is_refused),
        TEST("a library that was deleted is absent", an_absent_library_is_absent),
        TEST("a file that is no library is refused", what_is_no_library_is_refused),
        TEST("without a build ID the file's size and time count", without_a_build_id_the_file_counts),
        TEST("a build ID that differs is refused", a_build_id_that_differs_is_refused),
        TEST("an offset without code is refused", an_offset_without_code_is_refused),
        TEST("a library that was moved is known by its build ID", a_library_that_was_moved_is_known_by_its_build_id),
        TEST("two copies of a library are told apart", two_copies_of_a_library_are_told_apart),
        TEST("loading and unloading change the generation", loading_and_unloading_change_the_generation),
        TEST("a snapshot holds what was loaded", a_snapshot_holds_what_was_loaded),
        TEST("a snapshot does not hold what was loaded later", a_snapshot_does_not_hold_what_came_later),
        TEST("a snapshot does not hold what was unloaded", a_snapshot_does_not_hold_what_has_gone),
        TEST("a snapshot does not hold another build at the same place", another_build_at_the_same_place),
        TEST("a snapshot does not hold another library at the same place", another_file_at_the_same_place),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
