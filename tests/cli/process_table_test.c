/*
 * Which processes there are, who came from whom, and how much memory a tree has.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "map/process_table.h"

enum { SIZE = 32 * 1024 * 1024 };

/* Has so much memory, says so, and waits to be killed. */
static _Noreturn void have_memory(int ready)
{
    char *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (bytes != MAP_FAILED)
        memset(bytes, 1, SIZE);
    pid_t self = getpid();
    (void)!write(ready, &self, sizeof self);
    for (;;)
        pause();
}

static const struct map_process *find(const struct map_process *table, int count, pid_t pid)
{
    for (int i = 0; i < count; i++) {
        if (table[i].pid == pid)
            return &table[i];
    }
    return NULL;
}

static void a_tree_is_found_with_its_memory(void **state)
{
    (void)state;
    int ready[2];
    pid_t grandchild, told[2];
    assert_return_code(pipe(ready), errno);
    pid_t child = fork();
    if (child == 0) {
        /* A name that looks like what is behind names. */
        prctl(PR_SET_NAME, "a) Z 1 (b");
        if (fork() == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            have_memory(ready[1]);
        }
        have_memory(ready[1]);
    }
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(ready[0], &told[i], sizeof told[i]), sizeof told[i]);
    grandchild = told[0] == child ? told[1] : told[0];

    struct map_process *table;
    int count = map_process_table_read(&table);
    assert_true(count >= 3);
    bool *marks = calloc((size_t)count, sizeof *marks);
    assert_non_null(marks);
    const struct map_process *self = find(table, count, getpid()), *one = find(table, count, child);
    const struct map_process *other = find(table, count, grandchild);
    assert_true(self && one && other);
    assert_int_equal(self->parent, getppid());
    assert_int_equal(one->parent, getpid());
    assert_int_equal(other->parent, child);
    assert_false(one->ended || other->ended);
    for (int i = 1; i < count; i++)
        assert_true(table[i - 1].pid < table[i].pid);
    int64_t whole = map_process_tree_memory(table, count, child, marks);
    int64_t part = map_process_tree_memory(table, count, grandchild, marks);
    assert_true(part >= SIZE && part == other->memory);
    assert_int_equal(whole, one->memory + other->memory);
    assert_int_equal(map_process_tree_memory(table, count, INT32_MAX, marks), 0); /* nobody has that number */
    free(marks);
    free(table);

    kill(grandchild, SIGKILL);
    kill(child, SIGKILL);
    siginfo_t info;
    assert_return_code(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), errno);
    count = map_process_table_read(&table);
    one = find(table, count, child);
    assert_true(one && one->ended);
    free(table);
    assert_int_equal(waitpid(child, NULL, 0), child);
    close(ready[0]);
    close(ready[1]);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a tree is found with its memory", a_tree_is_found_with_its_memory),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
