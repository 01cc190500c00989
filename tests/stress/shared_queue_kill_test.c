/*
 * Processes put into a queue and get from it, and some of them are killed at random points, thousands of times. The others
 * go on after each kill. No item comes twice or torn; and of those that were put, each kill of one who gets costs one at
 * most: the one that it had got and not told us yet.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/shared.h"

#include <salp/queue.h>

enum { SURVIVORS = 2, MOST = 300, TEXT = 3000 };

struct message {
    int from, number;
    unsigned char text[TEXT];
};

static salp_queue *queue;
static size_t text_size; /* how much of the text is used */

/* What the processes tell the test. */
static struct work {
    atomic_int got[SURVIVORS]; /* by each who gets and is not killed */
} * work;

/* Each that puts has a number, and so has each of its items. */
static atomic_int *put_by; /* how many calls of it have succeeded */
static atomic_uchar *seen; /* how often its items have come */

static bool is_whole(const struct message *m)
{
    for (size_t i = 0; i < text_size; i++) {
        if (m->text[i] != (unsigned char)(m->from * 37 + m->number))
            return false;
    }
    return true;
}

static int put_all(void *arg)
{
    struct message m = { .from = (int)(intptr_t)arg };
    for (; m.number < MOST; m.number++) {
        memset(m.text, m.from * 37 + m.number, text_size);
        OR_FAIL(salp_queue_put(queue, &m) == 0);
        atomic_fetch_add(&put_by[m.from], 1);
    }
    for (;;)
        pause(); /* to be killed */
}

static int get_all(void *arg)
{
    atomic_int *got = arg;
    struct message m;
    int result;
    while ((result = salp_queue_get(queue, &m)) == 0) {
        OR_FAIL(is_whole(&m));
        OR_FAIL(atomic_fetch_add(&seen[m.from * MOST + m.number], 1) == 0);
        if (got)
            atomic_fetch_add(got, 1);
        OR_FAIL(salp_queue_done(queue) == 0);
    }
    OR_FAIL(result == -EPIPE);
    return 0;
}

/* Whoever gets gets something again: of him who puts now, at least. */
static void survivors_go_on(int kills, int putter)
{
    for (int i = 0; i < MOST / 2 && atomic_load(&put_by[putter]) < MOST / 2; i++)
        doze(SALP_MICROSECONDS(50));
    if (!reaches(&put_by[putter], 1))
        fail_msg("after %d kills, who puts does not go on", kills);
}

static void use_it(size_t text, size_t capacity, int kills)
{
    pid_t survivors[SURVIVORS];
    unsigned random = 4711;
    int putter = 0, lost = 0, killed_getters = 0;
    text_size = text;
    work = shared_memory(sizeof *work);
    put_by = shared_memory((size_t)(kills + 1) * sizeof *put_by);
    seen = shared_memory((size_t)(kills + 1) * MOST);
    assert_int_equal(salp_queue_open(&queue, &(salp_queue_options){ .shared = true,
                                                                    .item_size = offsetof(struct message, text) + text,
                                                                    .capacity = capacity }),
                     0);
    for (int i = 0; i < SURVIVORS; i++)
        survivors[i] = start_process(i % 2, get_all, &work->got[i]);
    pid_t victims[2] = { start_process(false, put_all, (void *)(intptr_t)putter), start_process(false, get_all, NULL) };
    for (int i = 0; i < kills; i++) {
        bool getter = rand_r(&random) % 2, in_loop = rand_r(&random) % 2;
        doze(SALP_MICROSECONDS(rand_r(&random) % 1000));
        kill_process(victims[getter]);
        killed_getters += getter;
        putter += !getter;
        victims[getter] =
            getter ? start_process(in_loop, get_all, NULL) : start_process(in_loop, put_all, (void *)(intptr_t)putter);
        if (i % 8 == 0)
            survivors_go_on(i, putter);
    }
    survivors_go_on(kills, putter);
    kill_process(victims[0]);
    kill_process(victims[1]);
    int result = salp_queue_join(queue);
    assert_true(result == 0 || result == -EOWNERDEAD);
    assert_int_equal(salp_queue_count(queue), 0);
    assert_int_equal(salp_queue_shutdown(queue), 0);
    for (int i = 0; i < SURVIVORS; i++)
        ends_well(survivors[i]);
    for (int from = 0; from <= putter; from++) {
        for (int number = 0; number < atomic_load(&put_by[from]); number++)
            lost += atomic_load(&seen[from * MOST + number]) == 0;
    }
    print_message("%d kills, %d of one who gets; %d lost with it\n", kills + 2, killed_getters + 1, lost);
    assert_true(lost <= killed_getters + 1);
    salp_queue_close(queue);
    munmap(work, sizeof *work);
    munmap(put_by, (size_t)(kills + 1) * sizeof *put_by);
    munmap(seen, (size_t)(kills + 1) * MOST);
}

static void kills_lose_no_item_of_others(void **state)
{
    static const size_t capacities[] = { 0, 1, 50, SALP_UNBOUNDED };
    (void)state;
    for (size_t i = 0; i < LENGTH(capacities); i++) {
        use_it(0, capacities[i], test_scale(500));
        use_it(TEXT, capacities[i], test_scale(500));
    }
    use_it(1000, 50, test_scale(500));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("kills lose no item of others", kills_lose_no_item_of_others, 120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
