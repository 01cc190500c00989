/*
 * Shared objects, while calls of the system and allocations fail one by one: in the process that opens, attaches, waits and
 * closes, and in the fork of it that has the wait end.
 *
 * Whichever fails, each call ends with success or with an error that its header names, and then nothing was changed: the
 * same call again succeeds. Nothing is left over, and others can use the object.
 *
 * SPDX-License-Identifier: MIT
 */
#include "victims.h"

#include <salp/queue.h>
#include <salp/select.h>

static union {
    salp_mutex *mutex;
    salp_semaphore *semaphore;
    salp_event *event;
    salp_condition *condition;
    salp_barrier *barrier;
    salp_rwlock *rwlock;
    salp_queue *queue;
    void *any; /* to be compared with NULL */
} object, same;

static salp_mutex *mutex; /* of a condition */

/* An object, and one way to wait for it. The functions return what the calls in them do. */
struct kind {
    const char *what;
    int (*open)(void);   /* `object` */
    int (*attach)(void); /* `same` */
    void (*close)(void);
    void (*close_same)(void);
    int (*fd)(void);
    int (*begin)(void); /* what waits has to wait from now on; by the one who waits */
    int (*hold)(void);  /* likewise, by the other process. NULL: nothing */
    int (*wait)(void);  /* until another process does this: */
    int (*wake)(void);
};

static int nothing(void)
{
    return 0;
}

/* ---- mutexes, semaphores ---- */

static int open_mutex(void)
{
    return salp_mutex_open(&object.mutex, &(salp_mutex_options){ .shared = true });
}

static int attach_mutex(void)
{
    return salp_mutex_attach(&same.mutex, salp_mutex_fd(object.mutex));
}

static void close_mutex(void)
{
    salp_mutex_close(object.mutex);
}

static void close_same_mutex(void)
{
    salp_mutex_close(same.mutex);
}

static int fd_of_mutex(void)
{
    return salp_mutex_fd(object.mutex);
}

static int lock_mutex(void)
{
    return salp_mutex_lock(object.mutex);
}

static int unlock_mutex(void)
{
    return salp_mutex_unlock(object.mutex);
}

static int pass_mutex(void)
{
    int error = salp_mutex_lock(object.mutex);
    if (error == 0)
        EXPECT(salp_mutex_unlock(object.mutex) == 0);
    return error;
}

static int open_semaphore(void)
{
    return salp_semaphore_open(&object.semaphore, &(salp_semaphore_options){ .shared = true });
}

static int attach_semaphore(void)
{
    return salp_semaphore_attach(&same.semaphore, salp_semaphore_fd(object.semaphore));
}

static void close_semaphore(void)
{
    salp_semaphore_close(object.semaphore);
}

static void close_same_semaphore(void)
{
    salp_semaphore_close(same.semaphore);
}

static int fd_of_semaphore(void)
{
    return salp_semaphore_fd(object.semaphore);
}

static int acquire(void)
{
    return salp_semaphore_acquire(object.semaphore);
}

static int release(void)
{
    return salp_semaphore_release(object.semaphore, 1);
}

/* ---- events ---- */

static int open_event(void)
{
    return salp_event_open(&object.event, &(salp_event_options){ .shared = true });
}

static int attach_event(void)
{
    return salp_event_attach(&same.event, salp_event_fd(object.event));
}

static void close_event(void)
{
    salp_event_close(object.event);
}

static void close_same_event(void)
{
    salp_event_close(same.event);
}

static int fd_of_event(void)
{
    return salp_event_fd(object.event);
}

static int clear_event(void)
{
    return salp_event_clear(object.event);
}

static int wait_for_event(void)
{
    return salp_event_wait(object.event);
}

static int select_event(void)
{
    salp_case cases[] = { { .event = object.event } };
    return salp_select(cases, 1);
}

static int set_event(void)
{
    return salp_event_set(object.event);
}

/* ---- conditions ---- */

static int open_condition(void)
{
    int error = salp_mutex_open(&mutex, &(salp_mutex_options){ .shared = true });
    if (error == 0)
        error = salp_condition_open(&object.condition, &(salp_condition_options){ .shared = true });
    return error;
}

static int attach_condition(void)
{
    return salp_condition_attach(&same.condition, salp_condition_fd(object.condition));
}

static void close_condition(void)
{
    salp_condition_close(object.condition);
    salp_mutex_close(mutex);
    mutex = NULL;
}

static void close_same_condition(void)
{
    salp_condition_close(same.condition);
}

static int fd_of_condition(void)
{
    return salp_condition_fd(object.condition);
}

static int nothing_to_see(void)
{
    board->counter = 0;
    return 0;
}

/* Whatever it returns, the mutex is held. */
static int wait_for_condition(void)
{
    int error = salp_mutex_lock(mutex);
    if (error < 0)
        return error;
    while (board->counter == 0 && error == 0)
        error = salp_condition_wait(object.condition, mutex);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return error;
}

static int signal_condition(void)
{
    int error = salp_mutex_lock(mutex);
    if (error < 0)
        return error;
    board->counter = 1;
    error = salp_condition_signal(object.condition);
    EXPECT(salp_mutex_unlock(mutex) == 0);
    return error;
}

/* ---- barriers ---- */

static int open_barrier(void)
{
    return salp_barrier_open(&object.barrier, &(salp_barrier_options){ .shared = true, .parties = 2 });
}

static int attach_barrier(void)
{
    return salp_barrier_attach(&same.barrier, salp_barrier_fd(object.barrier));
}

static void close_barrier(void)
{
    salp_barrier_close(object.barrier);
}

static void close_same_barrier(void)
{
    salp_barrier_close(same.barrier);
}

static int fd_of_barrier(void)
{
    return salp_barrier_fd(object.barrier);
}

static int mend_barrier(void)
{
    return salp_barrier_reset(object.barrier);
}

static int meet(void)
{
    int result = salp_barrier_wait(object.barrier);
    return result < 0 ? result : 0;
}

/* A party that could not wait has broken it: the one who waits for us mends it. */
static int meet_when_mended(void)
{
    int result;
    int64_t end = clock_now() + patience();
    while ((result = meet()) == SALP_EBROKEN && clock_now() < end)
        doze(SALP_MICROSECONDS(50));
    if (result == 0)
        salp_barrier_close(object.barrier); /* we are no party any more, and do not break it by our end */
    return result;
}

/* ---- locks for reading ---- */

static int open_rwlock(void)
{
    return salp_rwlock_open(&object.rwlock, &(salp_rwlock_options){ .shared = true });
}

static int attach_rwlock(void)
{
    return salp_rwlock_attach(&same.rwlock, salp_rwlock_fd(object.rwlock));
}

static void close_rwlock(void)
{
    salp_rwlock_close(object.rwlock);
}

static void close_same_rwlock(void)
{
    salp_rwlock_close(same.rwlock);
}

static int fd_of_rwlock(void)
{
    return salp_rwlock_fd(object.rwlock);
}

static int lock_read(void)
{
    return salp_rwlock_lock_read(object.rwlock);
}

static int lock_write(void)
{
    return salp_rwlock_lock_write(object.rwlock);
}

static int unlock_rwlock(void)
{
    return salp_rwlock_unlock(object.rwlock);
}

static int pass_rwlock(int (*lock)(void))
{
    int error = lock();
    if (error == 0)
        EXPECT(unlock_rwlock() == 0);
    return error;
}

static int pass_reading(void)
{
    return pass_rwlock(lock_read);
}

static int pass_writing(void)
{
    return pass_rwlock(lock_write);
}

/* ---- queues ---- */

static int open_queue(void)
{
    return salp_queue_open(&object.queue,
                           &(salp_queue_options){ .shared = true, .item_size = sizeof(int), .capacity = 1 });
}

static int attach_queue(void)
{
    return salp_queue_attach(&same.queue, salp_queue_fd(object.queue), NULL);
}

static void close_queue(void)
{
    salp_queue_close(object.queue);
}

static void close_same_queue(void)
{
    salp_queue_close(same.queue);
}

static int fd_of_queue(void)
{
    return salp_queue_fd(object.queue);
}

/* After an error nothing was taken, and the item is as it was. */
static int get_item(void)
{
    int item = -1, error = salp_queue_get(object.queue, &item);
    EXPECT(item == (error == 0 ? 7 : -1));
    if (error == 0)
        EXPECT(salp_queue_done(object.queue) == 0);
    return error;
}

static int put_item(void)
{
    int item = 7;
    return salp_queue_put(object.queue, &item);
}

static int select_item(void)
{
    int item = -1;
    salp_case cases[] = { { .get = object.queue, .item = &item } };
    int chosen = salp_select(cases, 1);
    EXPECT(item == (chosen == 0 ? 7 : -1));
    if (chosen == 0)
        EXPECT(salp_queue_done(object.queue) == 0);
    return chosen;
}

/* It is full, and after a wait again. */
static int fill_queue(void)
{
    return salp_queue_count(object.queue) == 1 ? 0 : put_item();
}

/* The other process has to take it in `hold`. */
static int take_item(void)
{
    int item = -1, error = salp_queue_get(object.queue, &item);
    EXPECT(item == (error == 0 ? 7 : -1));
    return error;
}

static int item_is_done(void)
{
    return salp_queue_done(object.queue);
}

static int join(void)
{
    return salp_queue_join(object.queue);
}

#define MUTEX open_mutex, attach_mutex, close_mutex, close_same_mutex, fd_of_mutex
#define SEMAPHORE open_semaphore, attach_semaphore, close_semaphore, close_same_semaphore, fd_of_semaphore
#define EVENT open_event, attach_event, close_event, close_same_event, fd_of_event
#define CONDITION open_condition, attach_condition, close_condition, close_same_condition, fd_of_condition
#define BARRIER open_barrier, attach_barrier, close_barrier, close_same_barrier, fd_of_barrier
#define RWLOCK open_rwlock, attach_rwlock, close_rwlock, close_same_rwlock, fd_of_rwlock
#define QUEUE open_queue, attach_queue, close_queue, close_same_queue, fd_of_queue

static const struct kind locks[] = {
    { "a mutex", MUTEX, nothing, lock_mutex, pass_mutex, unlock_mutex },
    { "a semaphore", SEMAPHORE, nothing, NULL, acquire, release },
    { "a lock for reading", RWLOCK, nothing, lock_write, pass_reading, unlock_rwlock },
    { "a lock for writing", RWLOCK, nothing, lock_read, pass_writing, unlock_rwlock },
};

static const struct kind news[] = {
    { "an event", EVENT, clear_event, NULL, wait_for_event, set_event },
    { "a select of an event", EVENT, clear_event, NULL, select_event, set_event },
    { "a condition", CONDITION, nothing_to_see, NULL, wait_for_condition, signal_condition },
    { "a barrier", BARRIER, mend_barrier, NULL, meet, meet_when_mended },
};

static const struct kind queues[] = {
    { "an item", QUEUE, nothing, NULL, get_item, put_item },
    { "a select of an item", QUEUE, nothing, NULL, select_item, put_item },
    { "room", QUEUE, fill_queue, NULL, put_item, get_item },
    { "work", QUEUE, fill_queue, take_item, join, item_is_done },
};

/* ---- a run, in which one call fails ---- */

static const struct kind *kind;
static bool in_loop;
static long number;

/* Which call was refused how often, in all runs of a kind and in both processes. */
enum { OPEN, ATTACH, WAIT, OTHER, CALLS };
static atomic_int *refused;
static const char *const names[CALLS] = { "open", "attach", "wait", "what the other process does" };

/* Returns the result, which is documented, or fails the test. */
static int judge(int call, int result, const int documented[], size_t count)
{
    bool known = result >= 0;
    atomic_fetch_add(&refused[call], result < 0);
    for (size_t i = 0; i < count; i++)
        known |= result == documented[i];
    if (!known || (result < 0 && !salp__fault_fired()))
        fail_msg("%s, %s: when call %ld failed: %s", kind->what, names[call], number, salp_strerror(result));
    return result;
}

static int judge_open(int result)
{
    static const int documented[] = { -ENOMEM, -EMFILE, -ENFILE, -ENOSPC, -ENOENT, -EFBIG };
    return judge(OPEN, result, documented, LENGTH(documented));
}

static int judge_attach(int result)
{
    static const int documented[] = { -EMFILE, -ENFILE, -ENOMEM, -ENOENT };
    return judge(ATTACH, result, documented, LENGTH(documented));
}

/* The last one only of barriers, which are broken by it, for the other one. */
static int judge_use(int call, int result)
{
    static const int documented[] = { -EMFILE, -ENFILE, -ENOMEM, -ENOENT, -EAGAIN, SALP_EBROKEN };
    return judge(call, result, documented, LENGTH(documented) - (kind->open != open_barrier));
}

/* Only one call fails; by which a barrier may have broken for each of the two. */
static void until_done(int call, int (*function)(void))
{
    enum { TRIES = 4 };
    int result = -1;
    for (int i = 0; i < TRIES && (result = judge_use(call, function())) != 0; i++)
        if (kind->open == open_barrier)
            EXPECT(mend_barrier() == 0);
    assert_int_equal(result, 0);
}

static int do_wait(void *arg)
{
    (void)arg;
    return kind->wait();
}

static int wait_here(void)
{
    return in_loop ? salp_run(do_wait, NULL) : do_wait(NULL);
}

/* The other process: its calls are counted, too. */
static int wake(void *arg)
{
    (void)arg;
    if (kind->hold)
        until_done(OTHER, kind->hold);
    atomic_store(&board->ready, 1);
    OR_FAIL(reaches(&board->go, 1));
    OR_FAIL(come_to_wait(kind->fd(), 1));
    until_done(OTHER, kind->wake);
    return 0;
}

/* Soon nobody waits, nobody has the latch (to bury the one who has ended), and nothing is half done. */
static void comes_to_rest(void)
{
    salp__segment *segment = look_into(kind->fd());
    int64_t end = clock_now() + patience();
    while (waiting_in(segment) > 0 || segment->latch != 0 || segment->journal.count > 0)
        assert_true(clock_now() < end);
    look_away(segment);
}

static void wait_and_wake(void)
{
    salp_scope scope;
    memset(board, 0, sizeof *board);
    until_done(WAIT, kind->begin);
    pid_t other = start_process(false, wake, NULL);
    assert_true(reaches(&board->ready, 1));
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    int result = wait_here();
    if (result != -ETIMEDOUT)
        assert_true(judge_use(WAIT, result) < 0);
    (void)salp_scope_close(&scope);
    comes_to_rest();
    if (kind->open == open_barrier)
        assert_int_equal(mend_barrier(), 0);
    atomic_store(&board->go, 1);
    until_done(WAIT, wait_here);
    ends_well(other);
    comes_to_rest();
}

/* Whether the call that was to fail was made. */
static bool run_with_fault(void)
{
    int descriptors = test_count_descriptors(), children = test_count_children(getpid());
    object.any = same.any = NULL;
    salp__fault_arm(SALP__PROGRAM, number);
    int opened = judge_open(kind->open());
    assert_true(opened == 0 || !object.any);
    if (opened == 0) {
        int attached = judge_attach(kind->attach());
        assert_true((attached == 0) == (same.any != NULL));
        kind->close_same();
        wait_and_wake();
    }
    bool fired = salp__fault_fired();
    salp__fault_arm(SALP__PROGRAM, 0);
    if (opened == 0)
        wait_and_wake();
    kind->close();
    assert_int_equal(test_count_descriptors(), descriptors);
    assert_int_equal(test_count_children(getpid()), children);
    return fired;
}

static void sweep(const struct kind kinds[], size_t count)
{
    board_open();
    refused = shared_memory(CALLS * sizeof *refused);
    for (size_t i = 0; i < count; i++) {
        kind = &kinds[i];
        memset(refused, 0, CALLS * sizeof *refused);
        for (int loop = 0; loop < 2; loop++) {
            in_loop = loop;
            number = 0;
            do
                number++;
            while (run_with_fault());
            print_message("%s: %ld calls\n", kind->what, number - 1);
        }
        for (int call = 0; call < CALLS; call++)
            if (atomic_load(&refused[call]) == 0)
                fail_msg("%s: nothing has failed in %s", kind->what, names[call]);
    }
}

static void each_call_with_a_lock_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(locks, LENGTH(locks));
}

static void each_call_with_news_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(news, LENGTH(news));
}

static void each_call_with_a_queue_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(queues, LENGTH(queues));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST_LIMIT("each call with a lock succeeds or says why not", each_call_with_a_lock_succeeds_or_says_why_not,
                   120),
        TEST_LIMIT("each call with an event, a condition or a barrier succeeds or says why not",
                   each_call_with_news_succeeds_or_says_why_not, 120),
        TEST_LIMIT("each call with a queue succeeds or says why not", each_call_with_a_queue_succeeds_or_says_why_not,
                   120),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
