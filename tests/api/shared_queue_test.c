/*
 * Queues between processes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "shared.h"

#include <salp/queue.h>
#include <salp/select.h>

#include <sys/stat.h>
#include <sys/wait.h>

#include "os/process.h"
#include "sync/shared_flow.h"

static salp_queue *queue;

enum { WIDE = 16 }; /* the least capacity of a queue whose short items lie on a belt, in every build */

static salp_queue *opened(size_t item_size, size_t capacity, salp_order order,
                          int (*compare)(const void *, const void *))
{
    salp_queue *q;
    EXPECT(salp_queue_open(&q, &(salp_queue_options){ .item_size = item_size,
                                                      .capacity = capacity,
                                                      .order = order,
                                                      .compare = compare,
                                                      .shared = true }) == 0);
    return q;
}

static salp_queue *of_ints(size_t capacity)
{
    return opened(sizeof(int), capacity, SALP_FIFO, NULL);
}

static int fd_of_it(void)
{
    return salp_queue_fd(queue);
}

static int got(void)
{
    int value = -1;
    EXPECT(salp_queue_get(queue, &value) == 0);
    return value;
}

static void put(int value)
{
    EXPECT(salp_queue_put(queue, &value) == 0);
}

/* ---- one process ---- */

static int by_tens(const void *a, const void *b)
{
    return *(const int *)a / 10 - *(const int *)b / 10;
}

static const int in[] = { 31, 12, 55, 11, 30, 13, 54 };
static const int out[][7] = { { 31, 12, 55, 11, 30, 13, 54 },
                              { 54, 13, 30, 11, 55, 12, 31 },
                              { 12, 11, 13, 31, 30, 55, 54 } };

static int use_orders(void *arg)
{
    (void)arg;
    for (int unbounded = 0; unbounded < 2; unbounded++) {
        for (salp_order order = SALP_FIFO; order <= SALP_PRIORITY; order++) {
            queue = opened(sizeof(int), unbounded ? SALP_UNBOUNDED : 7, order, order == SALP_PRIORITY ? by_tens : NULL);
            for (int round = 0; round < 3; round++) {
                for (int i = 0; i < 7; i++)
                    put(in[i]);
                EXPECT(salp_queue_count(queue) == 7);
                EXPECT(unbounded || salp_queue_try_put(queue, &in[0]) == -EAGAIN);
                for (int i = 0; i < 7; i++)
                    EXPECT(got() == out[order][i]);
                EXPECT(salp_queue_count(queue) == 0);
            }
            salp_queue_close(queue);
        }
    }
    return 0;
}

static void items_come_out_in_the_order_of_the_queue(void **state)
{
    (void)state;
    in_both(use_orders);
}

/* Those that are copied under the latch, and those that are copied without it. */
static void items_of_any_size_are_whole(void **state)
{
    static const size_t sizes[] = { 1, 3, 8, 24, 63, 65, 2047, 2048, 2049, 5000, 100000 };
    static unsigned char item[100001], back[100001];
    (void)state;
    for (size_t i = 0; i < LENGTH(sizes); i++) {
        size_t size = sizes[i];
        for (int capacity = 1; capacity <= WIDE; capacity += capacity < 3 ? 1 : WIDE - 3) {
            queue = opened(size, (size_t)capacity, SALP_FIFO, NULL);
            for (int round = 0; round < 5 * capacity; round++) {
                memset(item, round + 1, size);
                assert_int_equal(salp_queue_put(queue, item), 0);
                if (round < capacity - 1)
                    continue;
                memset(back, 0, size + 1);
                assert_int_equal(salp_queue_get(queue, back), 0);
                memset(item, round + 1 - (capacity - 1), size);
                assert_memory_equal(back, item, size);
                assert_int_equal(back[size], 0);
            }
            salp_queue_close(queue);
        }
    }
}

struct wide {
    _Alignas(16) long key;
    char text[1000];
};

static int by_key(const void *a, const void *b)
{
    const struct wide *x = a, *y = b;
    EXPECT((uintptr_t)a % _Alignof(struct wide) == 0 && (uintptr_t)b % _Alignof(struct wide) == 0);
    return (x->key > y->key) - (x->key < y->key);
}

/* The heap is in use while it grows and shrinks: against a plain look for the least one. */
static void a_heap_gives_the_least_every_time(void **state)
{
    static long there[400];
    int count = 0, rounds = test_scale(4000);
    unsigned random = 7;
    (void)state;
    queue = opened(sizeof(struct wide), LENGTH(there), SALP_PRIORITY, by_key);
    for (int i = 0; i < rounds; i++) {
        bool filling = i / 300 % 2 == 0;
        if (count < (int)LENGTH(there) && (count == 0 || rand_r(&random) % 4 < (filling ? 3 : 1))) {
            struct wide item = { .key = rand_r(&random) % 50 };
            assert_int_equal(salp_queue_put(queue, &item), 0);
            there[count++] = item.key;
        } else {
            struct wide item;
            int least = 0;
            for (int k = 1; k < count; k++)
                least = there[k] < there[least] ? k : least;
            assert_int_equal(salp_queue_get(queue, &item), 0);
            assert_int_equal(item.key, there[least]);
            there[least] = there[--count];
        }
    }
    assert_int_equal(salp_queue_count(queue), count);
    salp_queue_close(queue);
}

/* What it has for items, in KiB. */
static long memory_of_it(void)
{
    struct stat status;
    assert_int_equal(fstat(fd_of_it(), &status), 0);
    return (long)status.st_blocks / 2;
}

static void memory_grows_with_the_items_and_is_given_back(void **state)
{
    enum { MANY = 3000 };
    static char item[1000];
    (void)state;
    queue = opened(sizeof item, SALP_UNBOUNDED, SALP_FIFO, NULL);
    long before = memory_of_it();
    assert_true(before < 200);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            memset(item, i % 100, sizeof item);
            assert_int_equal(salp_queue_put(queue, item), 0);
        }
        assert_true(memory_of_it() >= MANY * (long)sizeof item / 1024);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(salp_queue_get(queue, item), 0);
            assert_true(item[0] == i % 100 && item[999] == i % 100);
        }
        assert_true(memory_of_it() < before + 300);
    }
    salp_queue_close(queue);
}

static void misuse_is_refused(void **state)
{
    salp_queue *q = (salp_queue *)&queue;
    int value = 0, pipes[2];
    (void)state;
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .order = SALP_LIFO, .shared = true }),
                     -EINVAL);
    assert_null(q);
    assert_int_equal(
        salp_queue_open(&q, &(salp_queue_options){ .item_size = SIZE_MAX / 2, .capacity = 4, .shared = true }),
        -ENOMEM);
    assert_int_equal(
        salp_queue_open(&q, &(salp_queue_options){ .item_size = 8, .capacity = SIZE_MAX - 1, .shared = true }),
        -ENOMEM);
    assert_int_equal(salp_queue_fd(NULL), -EINVAL);
    assert_int_equal(salp_queue_open(&q, &(salp_queue_options){ .item_size = 4, .capacity = 1 }), 0);
    assert_int_equal(salp_queue_fd(q), -EINVAL);
    salp_queue_close(q);
    queue = of_ints(2);
    assert_int_equal(salp_queue_put(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_get(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_try_put(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_try_get(queue, NULL), -EINVAL);
    assert_int_equal(salp_queue_done(queue), -EINVAL);
    put(1);
    assert_int_equal(salp_queue_done(queue), -EINVAL); /* not taken yet */
    assert_int_equal(salp_queue_get(queue, &value), 0);
    assert_int_equal(salp_queue_done(queue), 0);
    assert_int_equal(salp_queue_done(queue), -EINVAL);
    assert_int_equal(salp_queue_attach(NULL, fd_of_it(), NULL), -EINVAL);
    assert_int_equal(salp_queue_attach(&q, -1, NULL), -EBADF);
    assert_null(q);
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(salp_queue_attach(&q, pipes[0], NULL), -EINVAL);
    close(pipes[0]);
    close(pipes[1]);
    assert_int_equal(salp_queue_attach(&q, fd_of_it(), &(salp_queue_options){ .item_size = 8 }), -EINVAL);
    assert_int_equal(salp_queue_attach(&q, fd_of_it(), &(salp_queue_options){ .compare = by_tens }), -EINVAL);
    salp_mutex *mutex;
    assert_int_equal(salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true }), 0);
    assert_int_equal(salp_queue_attach(&q, salp_mutex_fd(mutex), NULL), -EINVAL);
    salp_mutex_close(mutex);
    salp_queue_close(queue);
    queue = opened(sizeof(int), 4, SALP_PRIORITY, by_tens);
    assert_int_equal(salp_queue_attach(&q, fd_of_it(), NULL), -EINVAL);
    assert_int_equal(
        salp_queue_attach(&q, fd_of_it(), &(salp_queue_options){ .item_size = sizeof(int), .compare = by_tens }), 0);
    put(30);
    put(10);
    assert_int_equal(salp_queue_get(q, &value), 0);
    assert_int_equal(value, 10);
    salp_queue_close(q);
    assert_int_equal(salp_queue_count(queue), 1);
    salp_queue_close(queue);
}

/* ---- waiting ---- */

static int give_up(void *arg)
{
    salp_scope scope;
    queue = opened(*(size_t *)arg, 1, SALP_FIFO, NULL);
    char item[5000] = { 3 }, back[5000];
    salp_scope_open(&scope, SALP_MILLISECONDS(2));
    EXPECT(salp_queue_get(queue, item) == -ETIMEDOUT && item[0] == 3);
    EXPECT(salp_queue_put(queue, item) == -ETIMEDOUT); /* though there is room */
    EXPECT(salp_queue_join(queue) == -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    EXPECT(salp_queue_put(queue, item) == 0);
    item[0] = 4;
    for (int i = 0; i < 3; i++) {
        salp_scope_open(&scope, SALP_MILLISECONDS(2));
        EXPECT(salp_queue_put(queue, item) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
        salp_scope_open(&scope, SALP_MILLISECONDS(2));
        EXPECT(salp_queue_join(queue) == -ETIMEDOUT);
        EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    }
    EXPECT(salp_queue_get(queue, back) == 0 && back[0] == 3);
    EXPECT(salp_queue_try_get(queue, back) == -EAGAIN); /* those that timed out were not put */
    salp_queue_close(queue);
    return 0;
}

static void a_scope_ends_the_wait_and_nothing_was_taken_or_put(void **state)
{
    (void)state;
    assert_int_equal(salp_run(give_up, &(size_t){ 8 }), 0);
    assert_int_equal(give_up(&(size_t){ 8 }), 0);
    assert_int_equal(salp_run(give_up, &(size_t){ 5000 }), 0);
    assert_int_equal(give_up(&(size_t){ 5000 }), 0);
}

/* ---- between processes ---- */

static int get_one_and_tell(void *arg)
{
    int value;
    (void)arg;
    OR_FAIL(salp_queue_get(queue, &value) == 0);
    OR_FAIL(atomic_exchange(&board->count[value], 1) == 0);
    return 0;
}

static void who_waits_longest_gets_next(void **state)
{
    pid_t pids[3];
    int stolen;
    (void)state;
    board_open();
    queue = of_ints(8);
    for (int i = 0; i < 3; i++) {
        pids[i] = start_process(i % 2, get_one_and_tell, NULL);
        assert_true(come_to_wait(fd_of_it(), i + 1));
    }
    for (int i = 0; i < 3; i++)
        put(i);
    assert_int_equal(salp_queue_try_get(queue, &stolen), -EAGAIN); /* they are theirs already */
    for (int i = 0; i < 3; i++)
        ends_well(pids[i]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(atomic_load(&board->count[i]), 1);
    salp_queue_close(queue);
}

static int put_one(void *arg)
{
    int value = (int)(intptr_t)arg;
    OR_FAIL(salp_queue_put(queue, &value) == 0);
    atomic_fetch_add(&board->ready, 1);
    return 0;
}

static void who_waits_longest_puts_next(void **state)
{
    pid_t pids[4];
    (void)state;
    board_open();
    for (int capacity = 1; capacity <= WIDE; capacity += WIDE - 1) {
        queue = of_ints((size_t)capacity);
        for (int i = 0; i < capacity; i++)
            put(0);
        for (int i = 1; i < 4; i++) {
            pids[i] = start_process(i % 2, put_one, (void *)(intptr_t)i);
            assert_true(come_to_wait(fd_of_it(), i));
        }
        assert_int_equal(salp_queue_count(queue), capacity);
        for (int i = 0; i < capacity; i++)
            assert_int_equal(got(), 0);
        for (int i = 1; i < 4; i++)
            assert_int_equal(got(), i);
        for (int i = 1; i < 4; i++)
            ends_well(pids[i]);
        salp_queue_close(queue);
    }
}

static void with_no_capacity_a_put_waits_to_be_taken(void **state)
{
    int value = 5;
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        atomic_store(&board->ready, 0);
        queue = of_ints(0);
        assert_int_equal(salp_queue_try_put(queue, &value), -EAGAIN);
        assert_int_equal(salp_queue_try_get(queue, &value), -EAGAIN);
        pid_t putter = start_process(in_loop, put_one, (void *)(intptr_t)7);
        assert_true(come_to_wait(fd_of_it(), 1));
        assert_int_equal(atomic_load(&board->ready), 0);
        assert_int_equal(salp_queue_count(queue), 0);
        assert_int_equal(salp_queue_try_get(queue, &value), 0);
        assert_int_equal(value, 7);
        ends_well(putter);
        pid_t getter = start_process(in_loop, get_one_and_tell, NULL);
        assert_true(come_to_wait(fd_of_it(), 1));
        atomic_store(&board->count[6], 0);
        value = 6;
        assert_int_equal(salp_queue_try_put(queue, &value), 0);
        ends_well(getter);
        assert_int_equal(atomic_load(&board->count[6]), 1);
        salp_queue_close(queue);
    }
}

static int wait_until_refused(void *arg)
{
    int value = 5;
    bool puts = arg != NULL;
    OR_FAIL((puts ? salp_queue_put(queue, &value) : salp_queue_get(queue, &value)) == -EPIPE && value == 5);
    return 0;
}

static void a_shut_queue_gives_what_it_has_and_refuses_the_rest(void **state)
{
    pid_t pids[4];
    int value = 9;
    (void)state;
    for (int full = 0; full < 2; full++) {
        queue = of_ints(1);
        if (full)
            put(1);
        for (int i = 0; i < 4; i++)
            pids[i] = start_process(i % 2, wait_until_refused, full ? pids : NULL);
        assert_true(come_to_wait(fd_of_it(), 4));
        assert_int_equal(salp_queue_shutdown(queue), 0);
        assert_int_equal(salp_queue_shutdown(queue), 0);
        for (int i = 0; i < 4; i++)
            ends_well(pids[i]);
        assert_int_equal(salp_queue_put(queue, &value), -EPIPE);
        assert_int_equal(salp_queue_try_put(queue, &value), -EPIPE);
        if (full)
            assert_int_equal(got(), 1);
        assert_int_equal(salp_queue_get(queue, &value), -EPIPE);
        assert_int_equal(salp_queue_try_get(queue, &value), -EPIPE);
        assert_int_equal(value, 9);
        salp_queue_close(queue);
    }
}

static int work_off(void *arg)
{
    int value, result;
    (void)arg;
    while ((result = salp_queue_get(queue, &value)) == 0) {
        salp_yield();
        atomic_fetch_add(&board->count[0], 1);
        OR_FAIL(salp_queue_done(queue) == 0);
    }
    OR_FAIL(result == -EPIPE);
    return 0;
}

static int join_it(void *arg)
{
    (void)arg;
    return salp_queue_join(queue);
}

static void join_waits_until_all_work_is_done(void **state)
{
    enum { ITEMS = 60 };
    pid_t pids[3];
    (void)state;
    board_open();
    queue = of_ints(4);
    assert_int_equal(salp_queue_join(queue), 0); /* nothing to do */
    for (int i = 0; i < 3; i++)
        pids[i] = start_process(i % 2, work_off, NULL);
    for (int round = 1; round <= 2; round++) {
        for (int i = 0; i < ITEMS; i++)
            put(i);
        if (round == 1)
            in_both(join_it);
        else
            assert_int_equal(salp_queue_join(queue), 0);
        assert_int_equal(atomic_load(&board->count[0]), round * ITEMS);
    }
    assert_int_equal(salp_queue_shutdown(queue), 0);
    for (int i = 0; i < 3; i++)
        ends_well(pids[i]);
    salp_queue_close(queue);
}

/* Two take turns, so what each has taken is booked again and again; the first one does not do its last two. */
static int take_turns(void *arg)
{
    int side = (int)(intptr_t)arg, value;
    for (int i = side; i < 40; i += 2) {
        OR_FAIL(reaches(&board->go, i));
        OR_FAIL(salp_queue_get(queue, &value) == 0 && value == i);
        if (side == 1 || i < 36)
            OR_FAIL(salp_queue_done(queue) == 0);
        atomic_store(&board->go, i + 1);
    }
    return 0;
}

static void what_is_done_is_counted_for_who_has_taken_it(void **state)
{
    (void)state;
    board_open();
    for (int capacity = 2; capacity <= 40; capacity += 38) {
        atomic_store(&board->go, 0);
        queue = of_ints((size_t)capacity);
        pid_t other = start_process(false, take_turns, (void *)1);
        for (int i = 0; i < 2; i++)
            put(i);
        struct thread_call call;
        start_thread(&call, false, take_turns, NULL);
        for (int i = 2; i < 40; i++)
            put(i);
        join_threads(&call, 1);
        ends_well(other);
        assert_int_equal(salp_queue_done(queue), 0);
        assert_int_equal(salp_queue_done(queue), 0);
        assert_int_equal(salp_queue_done(queue), -EINVAL);
        assert_int_equal(salp_queue_join(queue), 0);
        salp_queue_close(queue);
    }
}

static int wait_to_be_killed(void *arg)
{
    (void)arg;
    pause();
    return 0;
}

/* A process that was not forked from us has the descriptor alone; here, a fork that closes what it has inherited. */
static int attach_and_put(void *arg)
{
    salp_queue *inherited = queue;
    int fd = dup(fd_of_it());
    (void)arg;
    salp_queue_close(inherited);
    OR_FAIL(salp_queue_attach(&queue, fd, &(salp_queue_options){ .item_size = sizeof(int) }) == 0);
    close(fd);
    for (int i = 0; i < 10; i++)
        put(i);
    salp_queue_close(queue);
    return 0;
}

static void a_process_attaches_by_the_descriptor(void **state)
{
    (void)state;
    queue = of_ints(3);
    pid_t putter = start_process(false, attach_and_put, NULL);
    for (int i = 0; i < 10; i++)
        assert_int_equal(got(), i);
    ends_well(putter);
    salp_queue_close(queue);
}

/* Who attaches buries them, before anybody else has used the queue here. */
static void a_table_full_of_dead_processes_has_room(void **state)
{
    uint64_t dead;
    salp_queue *again;
    (void)state;
    queue = of_ints(3);
    pid_t pid = start_process(false, wait_to_be_killed, NULL);
    EXPECT(salp__process_mark(pid, &dead) == 0);
    kill_process(pid);
    put(1);
    salp__segment *segment = look_into(fd_of_it());
    for (int i = 1; i < SALP__PARTICIPANTS; i++)
        segment->participants[i].identity = dead;
    segment->slots_used = SALP__PARTICIPANTS;
    assert_int_equal(salp_queue_attach(&again, fd_of_it(), NULL), 0);
    assert_int_equal(participants_of(segment), 2);
    look_away(segment);
    salp_queue_close(again);
    assert_int_equal(got(), 1);
    salp_queue_close(queue);
}

static void memory_that_cannot_be_right_is_refused(void **state)
{
    salp_queue *again;
    (void)state;
    queue = of_ints(3);
    salp__segment *segment = look_into(fd_of_it());
    uint64_t size = segment->size;
    look_away(segment);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_of_it(), 0);
    EXPECT(memory != MAP_FAILED);
    salp__flow *flow = (void *)((salp__segment *)(void *)memory)->body;
    uint64_t *const numbers[] = { &flow->cells.item_size,
                                  &flow->cells.capacity,
                                  &flow->cells.order,
                                  &flow->cells.cells,
                                  &flow->cells.room,
                                  (uint64_t *)&flow->belt.taker,
                                  (uint64_t *)&flow->cells.first,
                                  (uint64_t *)&flow->cells.last,
                                  (uint64_t *)&flow->cells.free,
                                  (uint64_t *)&flow->cells.free_last,
                                  (uint64_t *)&flow->cells.count };
    for (size_t i = 0; i < LENGTH(numbers); i++) {
        uint64_t was = *numbers[i];
        *numbers[i] = UINT32_MAX;
        assert_int_equal(salp_queue_attach(&again, fd_of_it(), NULL), -EINVAL);
        *numbers[i] = was;
    }
    EXPECT(munmap(memory, size) == 0);
    assert_int_equal(salp_queue_attach(&again, fd_of_it(), NULL), 0);
    salp_queue_close(again);
    salp_queue_close(queue);
}

/* The slots of a belt without bound would lie anywhere. */
static void memory_with_an_endless_belt_is_refused(void **state)
{
    salp_queue *again;
    (void)state;
    queue = of_ints(SALP_UNBOUNDED);
    salp__segment *segment = look_into(fd_of_it());
    uint64_t size = segment->size;
    look_away(segment);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_of_it(), 0);
    EXPECT(memory != MAP_FAILED);
    salp__flow *flow = (void *)((salp__segment *)(void *)memory)->body;
    flow->cells.room = SALP_UNBOUNDED;
    assert_int_equal(salp_queue_attach(&again, fd_of_it(), NULL), -EINVAL);
    flow->cells.room = 0;
    EXPECT(munmap(memory, size) == 0);
    salp_queue_close(queue);
}

/* ---- many of all kinds at once: nothing lost, nothing doubled, nothing torn, each producer's items in order ---- */

enum { PRODUCERS = 6, CONSUMERS = 6 };

struct message {
    int from, number;
    unsigned char text[4000];
};

static size_t text_size; /* of a message, how much is used */

static void write_message(struct message *m, int from, int number)
{
    m->from = from;
    m->number = number;
    memset(m->text, from * 37 + number, text_size);
}

static bool is_whole(const struct message *m)
{
    for (size_t i = 0; i < text_size; i++) {
        if (m->text[i] != (unsigned char)(m->from * 37 + m->number))
            return false;
    }
    return true;
}

static int per_producer;
static int *seen; /* by producer and number */

static int produce(void *arg)
{
    struct message m;
    for (int i = 0; i < per_producer; i++) {
        write_message(&m, (int)(intptr_t)arg, i);
        OR_FAIL(salp_queue_put(queue, &m) == 0);
    }
    return 0;
}

static bool in_order = true; /* those of one producer */

static int consume(void *arg)
{
    int last[PRODUCERS], result;
    struct message m;
    memset(last, -1, sizeof last);
    (void)arg;
    while ((result = salp_queue_get(queue, &m)) == 0) {
        OR_FAIL(is_whole(&m));
        OR_FAIL(!in_order || m.number > last[m.from]);
        last[m.from] = m.number;
        __atomic_fetch_add(&seen[m.from * per_producer + m.number], 1, __ATOMIC_RELAXED);
        OR_FAIL(salp_queue_done(queue) == 0);
    }
    OR_FAIL(result == -EPIPE);
    return 0;
}

struct some {
    salp_fn *function;
    int first, end;
};

static int several_tasks(void *arg)
{
    const struct some *some = arg;
    salp_group group;
    salp_group_open(&group);
    for (int i = some->first; i < some->end; i++)
        OR_FAIL(salp_go(&group, some->function, (void *)(intptr_t)i) == 0);
    return salp_group_close(&group);
}

static int alone(void *arg)
{
    const struct some *some = arg;
    return some->function((void *)(intptr_t)some->first);
}

static void everybody_uses_one_queue(size_t text, size_t capacity)
{
    static const struct {
        struct some some;
        bool in_loop;
    } parts[] = {
        { { produce, 0, 4 }, true }, { { produce, 4, 5 }, false }, { { produce, 5, 6 }, false },
        { { consume, 0, 4 }, true }, { { consume, 4, 5 }, false }, { { consume, 5, 6 }, false },
    };
    pid_t pids[LENGTH(parts)];
    text_size = text;
    per_producer = test_scale(500);
    seen = shared_memory((size_t)(PRODUCERS * per_producer) * sizeof *seen);
    queue = opened(offsetof(struct message, text) + text, capacity, SALP_FIFO, NULL);
    for (size_t i = 0; i < LENGTH(parts); i++)
        pids[i] = start_process(parts[i].in_loop, parts[i].in_loop ? several_tasks : alone,
                                (void *)(uintptr_t)&parts[i].some);
    for (size_t i = 0; i < 3; i++)
        ends_well(pids[i]);
    assert_int_equal(salp_queue_join(queue), 0);
    assert_int_equal(salp_queue_shutdown(queue), 0);
    for (size_t i = 3; i < LENGTH(parts); i++)
        ends_well(pids[i]);
    for (int i = 0; i < PRODUCERS * per_producer; i++)
        assert_int_equal(seen[i], 1);
    munmap(seen, (size_t)(PRODUCERS * per_producer) * sizeof *seen);
    salp_queue_close(queue);
}

static void nothing_is_lost_doubled_or_torn(void **state)
{
    static const size_t capacities[] = { 0, 1, 7, WIDE, 100, SALP_UNBOUNDED };
    (void)state;
    for (size_t i = 0; i < LENGTH(capacities); i++) {
        everybody_uses_one_queue(0, capacities[i]);
        everybody_uses_one_queue(4000, capacities[i]);
    }
    everybody_uses_one_queue(1000, WIDE);
}

/* ---- select ---- */

static salp_queue *own; /* private */

static int select_both_kinds(void *arg)
{
    int here = -1, there = -1;
    (void)arg;
    for (int i = 0; i < 4; i++) {
        salp_case cases[] = { { .get = own, .item = &here }, { .get = queue, .item = &there } };
        int chosen = salp_select(cases, 2);
        EXPECT(chosen == i % 2 && cases[chosen].result == 0);
        EXPECT((chosen == 0 ? here : there) == i);
        atomic_store(&board->ready, i + 1);
    }
    EXPECT(salp_select((salp_case[]){ { .get = own, .item = &here },
                                      { .get = queue, .item = &there },
                                      { .after = SALP_MILLISECONDS(1) } },
                       3) == 2);
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_select((salp_case[]){ { .get = own, .item = &here }, { .get = queue, .item = &there } }, 2) ==
           -ETIMEDOUT);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    return 0;
}

static int put_when_told(void *arg)
{
    (void)arg;
    for (int i = 1; i < 4; i += 2) {
        OR_FAIL(reaches(&board->go, i));
        OR_FAIL(salp_queue_put(queue, &i) == 0);
    }
    return 0;
}

static void a_select_waits_for_shared_queues_beside_private_ones(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        struct thread_call call;
        atomic_store(&board->ready, 0);
        atomic_store(&board->go, 0);
        queue = of_ints(2);
        assert_int_equal(salp_queue_open(&own, &(salp_queue_options){ .item_size = sizeof(int), .capacity = 2 }), 0);
        pid_t putter = start_process(!in_loop, put_when_told, NULL);
        start_thread(&call, in_loop, select_both_kinds, NULL);
        for (int i = 0; i < 4; i++) {
            assert_true(come_to_wait(fd_of_it(), 1));
            if (i % 2 == 0)
                assert_int_equal(salp_queue_put(own, &i), 0);
            else
                atomic_store(&board->go, i);
            assert_true(reaches(&board->ready, i + 1));
        }
        ends_well(putter);
        join_threads(&call, 1);
        assert_true(come_to_wait(fd_of_it(), 0));
        assert_int_equal(salp_queue_count(queue), 0);
        salp_queue_close(own);
        salp_queue_close(queue);
    }
}

static salp_queue *second;

/* From one queue to another one, whichever can go on; until the first one is shut. */
static int pass_on(void *arg)
{
    struct message in_hand;
    bool full = false;
    (void)arg;
    for (;;) {
        salp_case cases[] = { { .get = full ? NULL : queue, .item = &in_hand },
                              { .put = full ? second : NULL, .item = &in_hand } };
        int chosen = salp_select(cases, 2);
        OR_FAIL(chosen >= 0);
        if (cases[chosen].result == -EPIPE)
            return 0;
        OR_FAIL(cases[chosen].result == 0);
        full = !full;
    }
}

static int consume_second(void *arg)
{
    queue = second;
    in_order = false; /* two pass them on */
    return consume(arg);
}

static void selects_pass_items_on(void **state)
{
    pid_t pids[6];
    (void)state;
    text_size = 10;
    per_producer = test_scale(500);
    seen = shared_memory((size_t)(PRODUCERS * per_producer) * sizeof *seen);
    for (size_t capacity = 0; capacity <= WIDE; capacity += capacity < 1 ? 1 : WIDE - 1) {
        queue = opened(offsetof(struct message, text) + text_size, capacity, SALP_FIFO, NULL);
        second = opened(offsetof(struct message, text) + text_size, capacity, SALP_FIFO, NULL);
        memset(seen, 0, (size_t)(PRODUCERS * per_producer) * sizeof *seen);
        for (int i = 0; i < 2; i++) {
            pids[i] = start_process(i, produce, (void *)(intptr_t)i);
            pids[2 + i] = start_process(i, pass_on, NULL);
            pids[4 + i] = start_process(i, consume_second, NULL);
        }
        for (int i = 0; i < 6; i++) {
            if (i == 2)
                assert_int_equal(salp_queue_shutdown(queue), 0);
            if (i == 4)
                assert_int_equal(salp_queue_shutdown(second), 0);
            ends_well(pids[i]);
        }
        for (int i = 0; i < 2 * per_producer; i++)
            assert_int_equal(seen[i], 1);
        salp_queue_close(second);
        salp_queue_close(queue);
    }
    munmap(seen, (size_t)(PRODUCERS * per_producer) * sizeof *seen);
}

/* ---- deaths ---- */

static int take_two_and_stay(void *arg)
{
    int value;
    (void)arg;
    OR_FAIL(salp_queue_get(queue, &value) == 0);
    OR_FAIL(salp_queue_get(queue, &value) == 0);
    OR_FAIL(salp_queue_done(queue) == 0);
    atomic_store(&board->ready, 1);
    for (;;)
        pause();
}

static int join_and_be_told(void *arg)
{
    (void)arg;
    OR_FAIL(salp_queue_join(queue) == -EOWNERDEAD);
    return 0;
}

static void join_is_told_once_of_work_that_a_dead_process_had(void **state)
{
    (void)state;
    board_open();
    for (int way = 0; way < 6; way++) {
        atomic_store(&board->ready, 0);
        queue = of_ints(way < 3 ? 2 : WIDE);
        put(1);
        put(2);
        pid_t taker = start_process(false, take_two_and_stay, NULL);
        assert_true(reaches(&board->ready, 1));
        if (way % 3 == 0) {
            kill_process(taker);
            assert_int_equal(salp_queue_join(queue), -EOWNERDEAD);
        } else {
            /* Somebody waits already. */
            pid_t joiner = start_process(way % 3 == 2, join_and_be_told, NULL);
            assert_true(come_to_wait(fd_of_it(), 1));
            kill_process(taker);
            ends_well(joiner);
        }
        assert_int_equal(salp_queue_join(queue), 0);
        put(3);
        assert_int_equal(got(), 3);
        assert_int_equal(salp_queue_done(queue), 0);
        assert_int_equal(salp_queue_join(queue), 0);
        salp_queue_close(queue);
    }
}

/* Stops the only other process, of whose threads or tasks so many wait: not in the midst of anything. */
static bool are_stopped_asleep(pid_t pid, int count)
{
    salp__segment *segment = look_into(fd_of_it());
    int64_t end = clock_now() + patience();
    int asleep = 0, status = 0;
    while (asleep < count && clock_now() < end) {
        const salp__node *node = &segment->nodes[asleep];
        bool ported = node->who & SALP__NODE_PORTED;
        const salp__chime *chime = ported ? &segment->participants[(uint32_t)node->who].doorbell : &node->chime;
        if (node->state == SALP__NODE_WAITS && atomic_load(&chime->word) == SALP__CHIME_ASLEEP) {
            asleep++;
        } else {
            asleep = 0;
            doze(SALP_MICROSECONDS(100));
        }
    }
    look_away(segment);
    /* It is stopped when each of its threads is. */
    return asleep == count && kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status);
}

/* It was handed one, and never woke up. */
static void what_was_handed_to_a_dead_process_comes_back(void **state)
{
    (void)state;
    board_open();
    for (int way = 0; way < 4; way++) {
        queue = of_ints(way < 2 ? 2 : WIDE);
        pid_t getter = start_process(way % 2, get_one_and_tell, NULL);
        assert_true(are_stopped_asleep(getter, 1));
        put(1);
        put(2);
        int value;
        assert_int_equal(salp_queue_count(queue), 1);
        kill_process(getter);
        assert_int_equal(salp_queue_get(queue, &value), 0);
        assert_int_equal(value, 2); /* nobody has noticed yet */
        assert_int_equal(salp_queue_try_get(queue, &value), 0);
        assert_int_equal(value, 1);
        assert_int_equal(salp_queue_try_get(queue, &value), -EAGAIN);
        salp_queue_close(queue);
    }
}

enum { SEVERAL = 3 };

static int several_get(void *arg)
{
    struct thread_call calls[SEVERAL];
    (void)arg;
    for (int i = 0; i < SEVERAL; i++)
        start_thread(&calls[i], false, get_one_and_tell, NULL);
    join_threads(calls, SEVERAL);
    return 0;
}

/* Whichever cells they were handed in: those of later rounds were used before. */
static void what_comes_back_is_in_the_order_in_which_it_was_put(void **state)
{
    (void)state;
    board_open();
    for (int capacity = SEVERAL; capacity <= WIDE; capacity += WIDE - SEVERAL) {
        queue = of_ints((size_t)capacity);
        for (int round = 0; round < 3; round++) {
            pid_t getter = start_process(false, several_get, NULL);
            assert_true(are_stopped_asleep(getter, SEVERAL));
            for (int i = 0; i <= SEVERAL; i++)
                put(i);
            kill_process(getter);
            assert_int_equal(got(), SEVERAL); /* nobody has noticed yet */
            for (int i = 0; i < SEVERAL; i++) {
                int value = -1;
                assert_int_equal(salp_queue_try_get(queue, &value), 0);
                assert_int_equal(value, i);
            }
            assert_int_equal(salp_queue_count(queue), 0);
        }
        salp_queue_close(queue);
    }
}

/* Somebody else waits behind it, and finds that out. */
static void what_a_dead_process_has_waited_to_put_is_not_put(void **state)
{
    (void)state;
    board_open();
    for (int in_loop = 0; in_loop < 2; in_loop++) {
        queue = of_ints(1);
        put(0);
        pid_t dying = start_process(in_loop, put_one, (void *)(intptr_t)1);
        assert_true(come_to_wait(fd_of_it(), 1));
        pid_t other = start_process(in_loop, put_one, (void *)(intptr_t)2);
        assert_true(come_to_wait(fd_of_it(), 2));
        kill_process(dying);
        assert_true(come_to_wait(fd_of_it(), 1)); /* buried, though nobody does anything */
        assert_int_equal(got(), 0);
        assert_int_equal(got(), 2);
        ends_well(other);
        assert_int_equal(salp_queue_count(queue), 0);
        salp_queue_close(queue);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("items come out in the order of the queue", items_come_out_in_the_order_of_the_queue),
        TEST("items of any size are whole", items_of_any_size_are_whole),
        TEST("a heap gives the least every time", a_heap_gives_the_least_every_time),
        TEST("memory grows with the items and is given back", memory_grows_with_the_items_and_is_given_back),
        TEST("misuse is refused", misuse_is_refused),
        TEST("a scope ends the wait, and nothing was taken or put", a_scope_ends_the_wait_and_nothing_was_taken_or_put),
        TEST("who waits longest gets next", who_waits_longest_gets_next),
        TEST("who waits longest puts next", who_waits_longest_puts_next),
        TEST("with no capacity a put waits to be taken", with_no_capacity_a_put_waits_to_be_taken),
        TEST("a shut queue gives what it has and refuses the rest",
             a_shut_queue_gives_what_it_has_and_refuses_the_rest),
        TEST("join waits until all work is done", join_waits_until_all_work_is_done),
        TEST("what is done is counted for who has taken it", what_is_done_is_counted_for_who_has_taken_it),
        TEST("a process attaches by the descriptor", a_process_attaches_by_the_descriptor),
        TEST("a table full of dead processes has room", a_table_full_of_dead_processes_has_room),
        TEST("memory that cannot be right is refused", memory_that_cannot_be_right_is_refused),
        TEST("memory with an endless belt is refused", memory_with_an_endless_belt_is_refused),
        TEST_LIMIT("nothing is lost, doubled or torn", nothing_is_lost_doubled_or_torn, 120),
        TEST("a select waits for shared queues beside private ones",
             a_select_waits_for_shared_queues_beside_private_ones),
        TEST_LIMIT("selects pass items on", selects_pass_items_on, 60),
        TEST("join is told once of work that a dead process had", join_is_told_once_of_work_that_a_dead_process_had),
        TEST("what was handed to a dead process comes back", what_was_handed_to_a_dead_process_comes_back),
        TEST("what comes back is in the order in which it was put",
             what_comes_back_is_in_the_order_in_which_it_was_put),
        TEST("what a dead process has waited to put is not put", what_a_dead_process_has_waited_to_put_is_not_put),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
