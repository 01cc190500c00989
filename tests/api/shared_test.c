/*
 * Arrays in memory that several processes share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <salp/pipe.h>
#include <salp/shared.h>

enum { COUNT = 100000 };

static salp_shared *open_array(size_t count, size_t item_size)
{
    salp_shared *shared = NULL;
    EXPECT(salp_shared_array(&shared, count, item_size) == 0 && shared);
    return shared;
}

static void ends_well(pid_t child)
{
    int status;
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* ---- one process ---- */

static int is_zeroed(void *arg)
{
    static const size_t sizes[][2] = { { 1, 1 }, { 1, 4096 }, { 4096, 1 }, { 3, 5000 }, { COUNT, 24 }, { 1, 4072 } };
    (void)arg;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        salp_shared *shared = open_array(sizes[i][0], sizes[i][1]);
        char *data = salp_shared_data(shared);
        EXPECT(salp_shared_count(shared) == sizes[i][0] && salp_shared_item_size(shared) == sizes[i][1]);
        EXPECT((uintptr_t)data % (uintptr_t)sysconf(_SC_PAGESIZE) == 0);
        size_t all = sizes[i][0] * sizes[i][1];
        for (size_t k = 0; k < all; k++)
            EXPECT(data[k] == 0);
        memset(data, 0xff, all);
        EXPECT(salp_shared_count(shared) == sizes[i][0]); /* all of it is the user's */
        salp_shared *again;
        EXPECT(salp_shared_attach(&again, salp_shared_fd(shared)) == 0);
        EXPECT(salp_shared_count(again) == sizes[i][0] && salp_shared_item_size(again) == sizes[i][1]);
        salp_shared_close(again);
        salp_shared_close(shared);
    }
    return 0;
}

static void an_array_is_of_zeros_and_all_of_it_can_be_used(void **state)
{
    (void)state;
    in_both(is_zeroed);
}

static void its_size_is_sealed_and_its_memory_is_there(void **state)
{
    (void)state;
    salp_shared *shared = open_array(COUNT, 8);
    int fd = salp_shared_fd(shared);
    struct stat status;
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(fstat(fd, &status), 0);
    assert_true(status.st_blocks * 512 >= status.st_size); /* no hole, so no SIGBUS */
    assert_true(status.st_size >= COUNT * 8);
    assert_int_equal(ftruncate(fd, status.st_size - 1), -1);
    assert_int_equal(ftruncate(fd, status.st_size + 1), -1);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* nobody takes it from us either */
    salp_shared_close(shared);
}

/* ---- several ---- */

static void a_fork_shares_it_at_the_same_address(void **state)
{
    (void)state;
    salp_shared *shared = open_array(COUNT, sizeof(int));
    int *numbers = salp_shared_data(shared);
    pid_t child = fork();
    if (child == 0) {
        EXPECT(salp_shared_data(shared) == numbers && salp_shared_count(shared) == COUNT);
        for (int i = 0; i < COUNT; i++)
            numbers[i] = i * 3;
        salp_shared_close(shared); /* which leaves the parent's alone */
        _exit(0);
    }
    ends_well(child);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(numbers[i], i * 3);
    salp_shared_close(shared);
}

static void a_process_that_has_it_not_attaches_itself(void **state)
{
    (void)state;
    salp_pipe *ours, *theirs;
    salp_buffer message = { 0 };
    assert_int_equal(salp_pipe_open(&ours, &theirs), 0);
    pid_t child = fork();
    if (child == 0) {
        salp_shared *shared;
        int fd, count;
        salp_pipe_close(ours);
        EXPECT(salp_pipe_receive_fds(theirs, &message, &fd, 1, &count) == 1 && count == 1);
        EXPECT(salp_shared_attach(&shared, fd) == 0 && salp_shared_fd(shared) != fd);
        close(fd);
        EXPECT(salp_shared_count(shared) == 10 && salp_shared_item_size(shared) == sizeof(double));
        double *numbers = salp_shared_data(shared);
        EXPECT(numbers[3] == 1.5);
        numbers[9] = 2.5;
        salp_shared_close(shared);
        _exit(0);
    }
    salp_pipe_close(theirs);
    salp_shared *shared = open_array(10, sizeof(double));
    double *numbers = salp_shared_data(shared);
    numbers[3] = 1.5;
    assert_int_equal(salp_pipe_send_fds(ours, NULL, 0, (int[]){ salp_shared_fd(shared) }, 1), 0);
    ends_well(child);
    assert_true(numbers[9] == 2.5);
    salp_shared_close(shared);
    salp_pipe_close(ours);
}

static void it_is_there_as_long_as_somebody_has_it(void **state)
{
    (void)state;
    salp_shared *shared = open_array(1, sizeof(int)), *other;
    *(int *)salp_shared_data(shared) = 42;
    assert_int_equal(salp_shared_attach(&other, salp_shared_fd(shared)), 0);
    salp_shared_close(shared);
    assert_int_equal(*(int *)salp_shared_data(other), 42);
    salp_shared_close(other);
}

/* ---- reading only ---- */

/* Whether a child is ended by storing there. */
static bool is_read_only(salp_shared *shared)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGSEGV, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){ 0 });
        *(volatile char *)salp_shared_data(shared) = 1;
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

static void a_reader_can_only_read(void **state)
{
    (void)state;
    char path[40];
    salp_shared *shared = open_array(COUNT, 1), *reader, *none;
    *(char *)salp_shared_data(shared) = 7;
    assert_int_equal(salp_shared_attach_to_read(&reader, salp_shared_fd(shared)), 0);
    assert_int_equal(*(char *)salp_shared_data(reader), 7);
    assert_true(is_read_only(reader));
    assert_false(is_read_only(shared));
    *(char *)salp_shared_data(shared) = 8;
    assert_int_equal(*(char *)salp_shared_data(reader), 8);
    salp_shared_close(reader);
    /* A descriptor that can only be read is good for that alone. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", salp_shared_fd(shared));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(salp_shared_attach(&none, fd), -EACCES);
    assert_null(none);
    assert_int_equal(salp_shared_attach_to_read(&reader, fd), 0);
    assert_int_equal(salp_shared_count(reader), COUNT);
    salp_shared_close(reader);
    close(fd);
    salp_shared_close(shared);
}

/* ---- by a pool ---- */

enum { ITEMS = 5000 };

/* What the items of a map see: each says where its input is, to tell whether that is where the program has it. */
typedef struct item {
    uintptr_t seen_at;
    int number, square;
} item;

static int square(const void *in, void *out, void *context)
{
    const int *number = in;
    (void)context;
    if (*number == 77)
        return -EDOM;
    if (*number == 78)
        raise(SIGKILL);
    *(item *)out = (item){ .seen_at = (uintptr_t)in, .number = *number, .square = *number * *number };
    return *number % 100 == 50;
}

static int square_star(const void *const in[], void *out, void *context)
{
    return *(const int *)in[0] == *(const int *)in[1] ? square(in[1], out, context) : -EINVAL;
}

static void fill_in(int in[], item out[])
{
    for (int i = 0; i < ITEMS; i++) {
        in[i] = i;
        out[i] = (item){ .seen_at = 1 };
    }
}

/* `in_place`: the inputs were used where they are. */
static void map_and_check(salp_pool *pool, int in[], item out[], bool in_place)
{
    static int errors[ITEMS];
    fill_in(in, out);
    int result =
        salp_map(pool, square, in, sizeof *in, out, sizeof *out, ITEMS, &(salp_map_options){ .errors = errors });
    assert_int_equal(result, -EDOM);
    for (int i = 0; i < ITEMS; i++) {
        if (i == 77 || i == 78) {
            assert_int_equal(errors[i], i == 77 ? -EDOM : SALP_ECRASHED);
            assert_int_equal(out[i].seen_at, 1); /* left as it was */
            continue;
        }
        assert_int_equal(errors[i], i % 100 == 50);
        assert_true(out[i].number == i && out[i].square == i * i);
        assert_true((out[i].seen_at == (uintptr_t)&in[i]) == in_place);
    }
}

static salp_pool *start_pool(salp_start start)
{
    salp_pool *pool = NULL;
    salp_pool_options options = { .engine = SALP_PROCESSES, .workers = 2, .start = start };
    assert_int_equal(salp_pool_open(&pool, &options), 0);
    return pool;
}

static void a_pool_uses_an_array_in_place_if_its_workers_have_it(void **state)
{
    (void)state;
    static int in[ITEMS];
    static item out[ITEMS];
    salp_shared *ins = open_array(ITEMS, sizeof(int)), *outs = open_array(ITEMS, sizeof(item));
    salp_pool *pool = start_pool(SALP_FORK);
    int *shared_in = salp_shared_data(ins);
    item *shared_out = salp_shared_data(outs);
    for (int round = 0; round < 2; round++) {
        map_and_check(pool, shared_in, shared_out, true);
        map_and_check(pool, in, shared_out, false);
        map_and_check(pool, shared_in, out, true);
        map_and_check(pool, in, out, false);
    }
    /* Opened after the workers were started; and this one perhaps where one lies that they have. */
    salp_shared_close(ins);
    ins = open_array(ITEMS, sizeof(int));
    map_and_check(pool, salp_shared_data(ins), shared_out, false);
    salp_shared_close(outs);
    outs = open_array(ITEMS, sizeof(item));
    map_and_check(pool, in, salp_shared_data(outs), false);
    map_and_check(pool, salp_shared_data(ins), salp_shared_data(outs), false);
    assert_int_equal(salp_pool_close(pool), 0);
    /* Workers that come from a clean copy have none. */
    pool = start_pool(SALP_SPAWN);
    map_and_check(pool, salp_shared_data(ins), salp_shared_data(outs), false);
    assert_int_equal(salp_pool_close(pool), 0);
    salp_shared_close(ins);
    salp_shared_close(outs);
}

static void columns_are_used_in_place_one_by_one(void **state)
{
    (void)state;
    static int plain[ITEMS];
    static item out[ITEMS];
    salp_shared *ins = open_array(ITEMS, sizeof(int)), *reader;
    assert_int_equal(salp_shared_attach_to_read(&reader, salp_shared_fd(ins)), 0);
    salp_pool *pool = start_pool(SALP_FORK);
    int *shared = salp_shared_data(ins), *read = salp_shared_data(reader);
    const salp_column columns[][2] = {
        { { plain, sizeof(int) }, { shared, sizeof(int) } },
        { { shared, sizeof(int) }, { plain, sizeof(int) } },
        { { plain, sizeof(int) }, { read, sizeof(int) } },
    };
    for (int i = 0; i < ITEMS; i++)
        plain[i] = shared[i] = i + 1000;
    for (int way = 0; way < 3; way++) {
        assert_int_equal(salp_starmap(pool, square_star, columns[way], 2, out, sizeof *out, ITEMS, NULL), 0);
        for (int i = 0; i < ITEMS; i++) {
            assert_int_equal(out[i].number, i + 1000);
            assert_true((out[i].seen_at == (uintptr_t)columns[way][1].data + (size_t)i * sizeof(int)) == (way != 1));
        }
    }
    assert_int_equal(salp_pool_close(pool), 0);
    salp_shared_close(reader);
    salp_shared_close(ins);
}

/* Results that replace inputs are not handed over before all have been read. */
static int add_next(const void *in, void *out, void *context)
{
    const int *numbers = in;
    (void)context;
    *(int *)out = numbers[0] + numbers[1];
    return 0;
}

static void results_may_replace_the_inputs(void **state)
{
    (void)state;
    salp_shared *shared = open_array(ITEMS + 2, sizeof(int)), *again;
    assert_int_equal(salp_shared_attach(&again, salp_shared_fd(shared)), 0);
    salp_pool *pool = start_pool(SALP_FORK);
    int *numbers = salp_shared_data(shared), *same = salp_shared_data(again);
    for (int round = 0; round < 20; round++) {
        int shift = round % 2, *out = round < 10 ? numbers : same;
        for (int i = 0; i < ITEMS + 2; i++)
            numbers[i] = i;
        assert_int_equal(salp_map(pool, add_next, numbers, sizeof(int), out + shift, sizeof(int), ITEMS, NULL), 0);
        for (int i = 0; i < ITEMS; i++)
            assert_int_equal(numbers[i + shift], 2 * i + 1);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    salp_shared_close(again);
    salp_shared_close(shared);
}

/* The second item waits for the result of the first, which the other worker has to have stored. */
struct encounter {
    atomic_int inside;
    int order[2];
    atomic_int result[2];
};

static struct encounter *met;

static int wait_for_first(const void *in, void *out, void *context)
{
    (void)context;
    atomic_fetch_add(&met->inside, 1);
    if (!reaches(&met->inside, 2) || (*(const int *)in == 1 && !reaches(&met->result[0], 42)))
        return -ETIMEDOUT;
    *(int *)out = 42 + *(const int *)in;
    return 0;
}

static void results_are_there_before_the_map_ends(void **state)
{
    (void)state;
    salp_shared *shared = open_array(1, sizeof(struct encounter));
    met = salp_shared_data(shared);
    met->order[1] = 1;
    salp_pool *pool = start_pool(SALP_FORK);
    assert_int_equal(salp_map(pool, wait_for_first, met->order, sizeof(int), met->result, sizeof(int), 2,
                              &(salp_map_options){ .chunk = 1 }),
                     0);
    assert_int_equal(atomic_load(&met->result[0]), 42);
    assert_int_equal(atomic_load(&met->result[1]), 43);
    assert_int_equal(salp_pool_close(pool), 0);
    salp_shared_close(shared);
}

/* Longer than what a worker holds of results. */
static int fill_long(const void *in, void *out, void *context)
{
    (void)context;
    memset(out, *(const int *)in + 1, 300000);
    return 0;
}

static void long_results_are_stored_in_place(void **state)
{
    (void)state;
    salp_shared *shared = open_array(7, 300000);
    salp_pool *pool = start_pool(SALP_FORK);
    const int in[7] = { 0, 1, 2, 3, 4, 5, 6 };
    assert_int_equal(salp_map(pool, fill_long, in, sizeof *in, salp_shared_data(shared), 300000, 7, NULL), 0);
    const char *bytes = salp_shared_data(shared);
    for (int i = 0; i < 7; i++) {
        for (int k = 0; k < 300000; k++)
            assert_int_equal(bytes[i * 300000 + k], i + 1);
    }
    assert_int_equal(salp_pool_close(pool), 0);
    salp_shared_close(shared);
}

/* ---- what is refused ---- */

static void what_is_no_array_cannot_be_attached(void **state)
{
    (void)state;
    salp_shared *shared = (salp_shared *)state;
    int plain = memfd_create("plain", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(plain >= 0 && ftruncate(plain, 8192) == 0);
    assert_int_equal(salp_shared_attach(&shared, plain), -EINVAL); /* it could be shortened */
    assert_null(shared);
    assert_int_equal(fcntl(plain, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(salp_shared_attach(&shared, plain), -EINVAL);
    close(plain);
    assert_int_equal(salp_shared_attach(&shared, plain), -EBADF);
    assert_int_equal(salp_shared_attach(NULL, 0), -EINVAL);
    int empty = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(fcntl(empty, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
    assert_int_equal(salp_shared_attach(&shared, empty), -EINVAL);
    close(empty);
}

/* The label at the very end: magic, count, size of an item. What it says is not believed if it cannot be. */
static void an_array_that_was_tampered_with_is_refused(void **state)
{
    (void)state;
    salp_shared *shared = open_array(10, 8), *other;
    struct stat status;
    uint64_t good[3], bad[3];
    int fd = salp_shared_fd(shared);
    assert_int_equal(fstat(fd, &status), 0);
    off_t at = status.st_size - (off_t)sizeof good;
    assert_int_equal(pread(fd, good, sizeof good, at), sizeof good);
    assert_true(good[1] == 10 && good[2] == 8);
    static const uint64_t wrong[][2] = { { 0, 8 }, { 10, 0 }, { 1000000, 8 }, { UINT64_MAX, 2 }, { 1, UINT64_MAX } };
    for (size_t i = 0; i < LENGTH(wrong); i++) {
        memcpy(bad, good, sizeof bad);
        memcpy(bad + 1, wrong[i], sizeof wrong[i]);
        assert_int_equal(pwrite(fd, bad, sizeof bad, at), sizeof bad);
        assert_int_equal(salp_shared_attach(&other, fd), -EINVAL);
        assert_null(other);
    }
    memcpy(bad, good, sizeof bad);
    bad[0] += UINT64_C(1) << 56; /* another number of the layout */
    assert_int_equal(pwrite(fd, bad, sizeof bad, at), sizeof bad);
    assert_int_equal(salp_shared_attach(&other, fd), -EPROTO);
    assert_int_equal(pwrite(fd, good, sizeof good, at), sizeof good);
    assert_int_equal(salp_shared_attach(&other, fd), 0);
    salp_shared_close(other);
    salp_shared_close(shared);
}

static void misuse_is_refused(void **state)
{
    (void)state;
    salp_shared *shared = (salp_shared *)state;
    assert_int_equal(salp_shared_array(NULL, 1, 1), -EINVAL);
    assert_int_equal(salp_shared_array(&shared, 0, 1), -EINVAL);
    assert_null(shared);
    assert_int_equal(salp_shared_array(&shared, 1, 0), -EINVAL);
    assert_int_equal(salp_shared_array(&shared, SIZE_MAX / 2, 4), -ENOMEM);
    assert_int_equal(salp_shared_array(&shared, SIZE_MAX, 1), -ENOMEM);
    /* More than any processor can address: before the system has given all that it has. */
    assert_int_equal(salp_shared_array(&shared, (size_t)1 << 58, 1), -ENOMEM);
    assert_null(salp_shared_data(NULL));
    assert_int_equal(salp_shared_count(NULL), 0);
    assert_int_equal(salp_shared_item_size(NULL), 0);
    assert_int_equal(salp_shared_fd(NULL), -EINVAL);
    salp_shared_close(NULL);
}

static void a_limit_for_files_is_heeded(void **state)
{
    (void)state;
    salp_shared *shared;
    struct rlimit before, small = { .rlim_cur = 8192 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(salp_shared_array(&shared, COUNT, 1), -EFBIG); /* and there was no signal */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

/* ---- huge pages ---- */

static void huge_pages_are_had_or_refused(void **state)
{
    (void)state;
    salp_shared *shared, *other;
    int descriptors = test_count_descriptors();
    int result = salp_shared_array_with(&shared, COUNT, 3, &(salp_shared_options){ .huge_pages = true });
    if (result < 0) {
        assert_true(result == -ENOMEM || result == -ENOTSUP);
        assert_null(shared);
        assert_int_equal(test_count_descriptors(), descriptors);
        test_skip("the system has no huge pages to spare");
    }
    memset(salp_shared_data(shared), 1, COUNT * 3);
    assert_int_equal(salp_shared_attach(&other, salp_shared_fd(shared)), 0);
    assert_int_equal(salp_shared_count(other), COUNT);
    assert_int_equal(((char *)salp_shared_data(other))[COUNT * 3 - 1], 1);
    salp_shared_close(other);
    salp_shared_close(shared);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("an array is of zeros, and all of it can be used", an_array_is_of_zeros_and_all_of_it_can_be_used),
        TEST("its size is sealed, and its memory is there", its_size_is_sealed_and_its_memory_is_there),
        TEST("a fork shares it, at the same address", a_fork_shares_it_at_the_same_address),
        TEST("a process that has it not attaches itself", a_process_that_has_it_not_attaches_itself),
        TEST("it is there as long as somebody has it", it_is_there_as_long_as_somebody_has_it),
        TEST("a reader can only read", a_reader_can_only_read),
        TEST_PROCESSES("a pool uses an array in place if its workers have it",
                       a_pool_uses_an_array_in_place_if_its_workers_have_it),
        TEST_PROCESSES("columns are used in place one by one", columns_are_used_in_place_one_by_one),
        TEST_PROCESSES("results may replace the inputs", results_may_replace_the_inputs),
        TEST_PROCESSES("results are there before the map ends", results_are_there_before_the_map_ends),
        TEST_PROCESSES("long results are stored in place", long_results_are_stored_in_place),
        TEST("what is no array cannot be attached", what_is_no_array_cannot_be_attached),
        TEST("an array that was tampered with is refused", an_array_that_was_tampered_with_is_refused),
        TEST("misuse is refused", misuse_is_refused),
        TEST("a limit for files is heeded", a_limit_for_files_is_heeded),
        TEST("huge pages are had or refused", huge_pages_are_had_or_refused),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
