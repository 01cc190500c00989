/*
 * Affinity masks and cgroup quotas: recorded trees below tests/data/cgroup, masks set by the test, and a cgroup made by
 * the test where that is possible.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <math.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/processors.h"

#define PLENTY 4096 /* processors, more than any recorded quota */

static const char *tree(const char *name)
{
    static char path[PATH_MAX];
    snprintf(path, sizeof path, SALP_TEST_DATA "/cgroup/%s", name);
    struct stat status;
    if (stat(path, &status) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return path;
}

static void expect_quota(const char *name, double expected)
{
    double quota = -1;
    int error = salp__processors_quota(tree(name), &quota);
    if (error != 0 || quota != expected)
        fail_msg("%s: error %d, quota %g instead of %g", name, error, quota, expected);
}

static void a_container_of_the_first_generation(void **state)
{
    (void)state;
    expect_quota("v1_docker", 1.5);
}

static void an_ancestor_of_the_first_generation(void **state)
{
    (void)state;
    expect_quota("v1_ancestor", 3);
}

static void a_slice_above_the_group(void **state)
{
    (void)state;
    expect_quota("v2_slice", 2.5);
}

static void a_container_of_the_second_generation(void **state)
{
    (void)state;
    expect_quota("v2_container", 0.5);
}

static void a_mount_of_a_part_of_the_tree(void **state)
{
    (void)state;
    expect_quota("v2_bind", 3.5);
}

static void a_group_above_the_namespace(void **state)
{
    (void)state;
    expect_quota("above_namespace", 1.25);
}

static void a_mount_whose_root_is_above_the_namespace(void **state)
{
    (void)state;
    expect_quota("mount_above_namespace", 3.5);
}

static void a_group_outside_the_namespace(void **state)
{
    (void)state;
    expect_quota("outside_namespace", INFINITY);
}

static void both_generations_at_once(void **state)
{
    (void)state;
    expect_quota("hybrid", 2);
}

static void no_quota_is_no_limit(void **state)
{
    (void)state;
    expect_quota("v1_no_quota", INFINITY);
    expect_quota("v2_no_quota", INFINITY);
    assert_int_equal(salp__processors_limited(tree("v2_no_quota"), PLENTY), PLENTY);
}

static void without_the_controller_there_is_no_limit(void **state)
{
    (void)state;
    expect_quota("no_controller", INFINITY);
}

static void broken_files_are_passed_over(void **state)
{
    (void)state;
    expect_quota("broken", 1.75);
}

static void without_cgroups_there_is_no_limit(void **state)
{
    (void)state;
    double quota = -1;
    assert_int_equal(salp__processors_quota(SALP_TEST_DATA "/cgroup/absent", &quota), -ENOENT);
    assert_true(quota == INFINITY);
    assert_int_equal(salp__processors_limited(SALP_TEST_DATA "/cgroup/absent", 3), 3);
}

static void a_path_that_is_too_long_is_refused(void **state)
{
    (void)state;
    static char root[2 * PATH_MAX];
    memset(root, 'a', sizeof root - 1);
    double quota = -1;
    assert_int_equal(salp__processors_quota(root, &quota), -ENOENT);
    assert_true(quota == INFINITY);
}

static void a_quota_is_rounded_up(void **state)
{
    (void)state;
    assert_int_equal(salp__processors_limited(tree("v2_container"), PLENTY), 1);
    assert_int_equal(salp__processors_limited(tree("v1_docker"), PLENTY), 2);
    assert_int_equal(salp__processors_limited(tree("v2_slice"), PLENTY), 3);
    assert_int_equal(salp__processors_limited(tree("v1_ancestor"), PLENTY), 3);
}

static void the_smaller_of_mask_and_quota_counts(void **state)
{
    (void)state;
    assert_int_equal(salp__processors_limited(tree("v2_slice"), 1), 1);
    assert_int_equal(salp__processors_limited(tree("v2_slice"), 2), 2);
    assert_int_equal(salp__processors_limited(tree("v2_slice"), 4), 3);
    assert_int_equal(salp__processors_limited(tree("v2_slice"), 0), 1);
}

/* The last processor that this process may use: the first one would also be found by a reader of one word. */
static int last_processor(void)
{
    cpu_set_t *mask = CPU_ALLOC(1 << 16);
    assert_non_null(mask);
    size_t size = CPU_ALLOC_SIZE(1 << 16);
    assert_int_equal(sched_getaffinity(0, size, mask), 0);
    int last = -1;
    for (int i = 0; i < 1 << 16; i++) {
        if (CPU_ISSET_S((size_t)i, size, mask))
            last = i;
    }
    CPU_FREE(mask);
    return last;
}

static void pin(int processor)
{
    cpu_set_t *mask = CPU_ALLOC(1 << 16);
    assert_non_null(mask);
    size_t size = CPU_ALLOC_SIZE(1 << 16);
    CPU_ZERO_S(size, mask);
    CPU_SET_S((size_t)processor, size, mask);
    assert_int_equal(sched_setaffinity(0, size, mask), 0);
    CPU_FREE(mask);
}

static void a_mask_of_one_processor_counts_one(void **state)
{
    (void)state;
    int usable = salp__processors_usable();
    assert_true(usable >= 1);
    assert_true(usable <= sysconf(_SC_NPROCESSORS_CONF));
    pin(last_processor());
    assert_int_equal(salp__processors_usable(), 1);
}

/* Makes the kernel look as if it were built for more than `bytes` * 8 processors. */
static bool refuse_masks_shorter_than(unsigned bytes)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_sched_getaffinity, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, bytes, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { .len = sizeof code / sizeof *code, .filter = code };
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void a_mask_longer_than_a_thousand_processors(void **state)
{
    (void)state;
    pin(last_processor());
    if (!refuse_masks_shorter_than(512))
        test_skip("system call filters are not available");
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(salp__processors_usable(), 1);
}

/* Where this system shows the cpu controller, writable; NULL: nowhere known. */
static const char *real_controller(bool *v2)
{
    static const char *const first[] = { "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct" };
    for (size_t i = 0; i < sizeof first / sizeof *first; i++) {
        char file[PATH_MAX];
        snprintf(file, sizeof file, "%s/cgroup.procs", first[i]);
        *v2 = false;
        if (access(file, W_OK) == 0)
            return first[i];
    }
    *v2 = true;
    return access("/sys/fs/cgroup/cgroup.procs", W_OK) == 0 ? "/sys/fs/cgroup" : NULL;
}

static bool store(const char *folder, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool stored = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    return stored;
}

enum { CHILD_NOT_MOVED = 200, CHILD_OTHER_QUOTA = 201 };

/* Joins the group and tells by its status how many processors it may use there. */
static _Noreturn void join_and_count(const char *group, double expected)
{
    char pid[32];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (!store(group, "cgroup.procs", pid))
        _exit(CHILD_NOT_MOVED);
    double quota;
    if (salp__processors_quota("", &quota) != 0 || quota != expected)
        _exit(CHILD_OTHER_QUOTA);
    _exit(salp__processors_usable());
}

static void a_real_group_limits_its_members(void **state)
{
    (void)state;
    bool v2;
    const char *controller = real_controller(&v2);
    if (!controller)
        test_skip("no cgroup of the cpu controller can be written to");
    if (salp__processors_usable() < 2)
        test_skip("one processor cannot be limited further");
    char group[PATH_MAX];
    snprintf(group, sizeof group, "%s/salp-test-%d", controller, (int)getpid());
    if (mkdir(group, 0755) < 0)
        test_skip("no cgroup can be made");
    int status = -1;
    bool limited = v2 ? store(group, "cpu.max", "75000 100000")
                      : store(group, "cpu.cfs_period_us", "100000") && store(group, "cpu.cfs_quota_us", "75000");
    if (limited) {
        pid_t child = fork();
        if (child == 0)
            join_and_count(group, 0.75);
        waitpid(child, &status, 0);
    }
    /* before any assertion: a group that is left over would stay until the machine is started anew */
    int removed = rmdir(group);
    assert_int_equal(removed, 0);
    if (!limited)
        test_skip("the cgroup takes no quota");
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == CHILD_NOT_MOVED)
        test_skip("no process can be moved");
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a container's own quota is found (cgroup v1)", a_container_of_the_first_generation),
        TEST("a quota in an ancestor is found (cgroup v1)", an_ancestor_of_the_first_generation),
        TEST("a quota in a slice above the group is found (cgroup v2)", a_slice_above_the_group),
        TEST("a container's own quota is found (cgroup v2)", a_container_of_the_second_generation),
        TEST("a mount of a part of the tree, in a folder with odd characters, is read", a_mount_of_a_part_of_the_tree),
        TEST("a group above the namespace is found when the mount shows it", a_group_above_the_namespace),
        TEST("a mount whose root is above the namespace limits by its root alone",
             a_mount_whose_root_is_above_the_namespace),
        TEST("a group outside the namespace takes no quota from inside", a_group_outside_the_namespace),
        TEST("both generations at once are read", both_generations_at_once),
        TEST("no quota is no limit", no_quota_is_no_limit),
        TEST("without the cpu controller there is no limit", without_the_controller_there_is_no_limit),
        TEST("broken files are passed over", broken_files_are_passed_over),
        TEST("without cgroups there is no limit", without_cgroups_there_is_no_limit),
        TEST("a path that is too long is refused", a_path_that_is_too_long_is_refused),
        TEST("a quota is rounded up to whole processors", a_quota_is_rounded_up),
        TEST("the smaller of mask and quota counts", the_smaller_of_mask_and_quota_counts),
        TEST("a mask of one processor counts one", a_mask_of_one_processor_counts_one),
        TEST("a mask longer than a thousand processors is read", a_mask_longer_than_a_thousand_processors),
        TEST("a real group limits its members", a_real_group_limits_its_members),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
