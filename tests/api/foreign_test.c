/*
 * A loop of ours within a loop of others: GLib's and libuv's.
 *
 * Each test runs within both, one after the other in one process. How often the foreign loop had us turn is counted: a
 * descriptor that stays readable when there is nothing to do would let it spin, and nobody would notice but the battery.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/socket.h>

#include <glib-unix.h>
#include <glib.h>
#include <uv.h>

#include <salp/loop.h>
#include <salp/queue.h>
#include <salp/sync.h>
#include <salp/transport.h>

static salp_loop *loop;
static int dispatches; /* of our descriptor by the foreign loop */

static void turn(void)
{
    dispatches++;
    EXPECT(salp_loop_turn(loop, 0) >= 0);
}

/* ---- the foreign loops ---- */

typedef struct host {
    const char *name;
    int keeps; /* descriptors, as long as the program lives */
    void (*open)(void);
    void (*run)(void); /* until stop */
    void (*stop)(void);
    void (*look)(void);                       /* one round, without waiting */
    void (*after)(salp_fn *again, void *arg); /* calls it after a millisecond, and again while it returns 1 */
    void (*close)(void);
} host;

static GMainLoop *glib;
static guint glib_source;

static gboolean turn_from_glib(gint fd, GIOCondition condition, gpointer arg)
{
    EXPECT(fd == salp_loop_fd(loop) && condition == G_IO_IN && arg == NULL);
    turn();
    return G_SOURCE_CONTINUE;
}

static void open_glib(void)
{
    glib = g_main_loop_new(NULL, FALSE);
    glib_source = g_unix_fd_add(salp_loop_fd(loop), G_IO_IN, turn_from_glib, NULL);
}

static void run_glib(void)
{
    g_main_loop_run(glib);
}

static void stop_glib(void)
{
    g_main_loop_quit(glib);
}

static void look_glib(void)
{
    g_main_context_iteration(NULL, FALSE);
}

static void after_glib(salp_fn *again, void *arg)
{
    g_timeout_add(1, again, arg);
}

static void close_glib(void)
{
    EXPECT(g_source_remove(glib_source));
    EXPECT(!g_main_context_pending(NULL));
    g_main_loop_unref(glib);
}

static uv_loop_t uv;
static uv_poll_t uv_watch;

typedef struct uv_after {
    uv_timer_t timer;
    salp_fn *again;
    void *arg;
} uv_after;

static void turn_from_uv(uv_poll_t *watch, int status, int events)
{
    EXPECT(watch == &uv_watch && status == 0 && events == UV_READABLE);
    turn();
}

static void open_uv(void)
{
    EXPECT(uv_loop_init(&uv) == 0);
    EXPECT(uv_poll_init(&uv, &uv_watch, salp_loop_fd(loop)) == 0);
    EXPECT(uv_poll_start(&uv_watch, UV_READABLE, turn_from_uv) == 0);
}

static void run_uv(void)
{
    uv_run(&uv, UV_RUN_DEFAULT);
}

static void stop_uv(void)
{
    uv_stop(&uv);
}

static void look_uv(void)
{
    uv_run(&uv, UV_RUN_NOWAIT);
}

static void free_uv_after(uv_handle_t *handle)
{
    free(handle->data);
}

static void fire_uv_after(uv_timer_t *timer)
{
    uv_after *after = timer->data;
    if (after->again(after->arg) == 0)
        uv_close((uv_handle_t *)timer, free_uv_after);
}

static void after_uv(salp_fn *again, void *arg)
{
    uv_after *after = malloc(sizeof *after);
    EXPECT(after != NULL);
    after->again = again;
    after->arg = arg;
    after->timer.data = after;
    EXPECT(uv_timer_init(&uv, &after->timer) == 0);
    EXPECT(uv_timer_start(&after->timer, fire_uv_after, 1, 1) == 0);
}

static void close_uv(void)
{
    uv_close((uv_handle_t *)&uv_watch, NULL);
    EXPECT(uv_run(&uv, UV_RUN_DEFAULT) == 0);
    EXPECT(uv_loop_close(&uv) == 0);
}

static const host hosts[] = {
    /* Its default context is never freed. */
    { "GLib", 1, open_glib, run_glib, stop_glib, look_glib, after_glib, close_glib },
    /* A pipe for signals. */
    { "libuv", 2, open_uv, run_uv, stop_uv, look_uv, after_uv, close_uv },
};
static const host *here;

/* On the poller that this run of the test is for. */
static void open_loop(void)
{
    const char *poller = getenv("SALP_POLLER");
    bool uring = poller && strcmp(poller, "io_uring") == 0;
    int error = salp_loop_open(&loop, &(salp_loop_options){ uring ? SALP_POLLER_IO_URING : SALP_POLLER_EPOLL });
    EXPECT(error == 0);
}

static void within(const host *foreign, void (*body)(void))
{
    here = foreign;
    fprintf(stderr, "# within %s\n", here->name); /* shown when it fails */
    open_loop();
    test_keeps_descriptors(here->keeps);
    here->open();
    dispatches = 0;
    body();
    here->close();
    salp_loop_close(loop);
}

static void within_each(void (*body)(void))
{
    for (size_t i = 0; i < LENGTH(hosts); i++)
        within(&hosts[i], body);
}

/* ---- what happens in them ---- */

static int left; /* until the foreign loop is to stop */

static void one_less(void)
{
    if (--left == 0)
        here->stop();
}

static void run_until(int count)
{
    left += count;
    here->run();
    EXPECT(left == 0);
}

static int called;

static void count_call(void *arg)
{
    EXPECT(called++ == (int)(intptr_t)arg);
    one_less();
}

static void *call_from_afar(void *arg)
{
    for (intptr_t i = 0; i < (intptr_t)arg; i++) {
        EXPECT(salp_loop_call(loop, count_call, (void *)i) == 0);
        if (i % 7 == 0)
            usleep(100); /* now the loop may be asleep, and now awake */
    }
    return NULL;
}

static void calls_from_another_thread(void)
{
    pthread_t thread;
    int count = test_scale(1000);
    called = 0;
    EXPECT(pthread_create(&thread, NULL, call_from_afar, (void *)(intptr_t)count) == 0);
    run_until(count);
    pthread_join(thread, NULL);
    EXPECT(called == count);
}

static void calls_come_from_another_thread(void **state)
{
    (void)state;
    within_each(calls_from_another_thread);
}

static salp_timer timers[2];
static char trace[16];

static void note(void *text)
{
    strncat(trace, text, sizeof trace - strlen(trace) - 1);
    one_less();
}

/* From a callback of the foreign loop, while ours is between two turns. */
static int set_timers(void *arg)
{
    int64_t now = salp_now();
    (void)arg;
    EXPECT(salp_loop_current() == loop);
    EXPECT(salp_timer_set(loop, &timers[0], now + SALP_MILLISECONDS(6), note, "c") == 0);
    EXPECT(salp_timer_set(loop, &timers[1], now + SALP_SECONDS(3600), note, "never") == 0);
    EXPECT(salp_loop_call_at(loop, now + SALP_MILLISECONDS(4), note, "b") == 0); /* sooner than what it waits for */
    EXPECT(salp_timer_set(loop, &timers[1], now + SALP_MILLISECONDS(2), note, "a") == 0);
    return 0;
}

static int set_timer_and_cancel(void *arg)
{
    (void)arg;
    EXPECT(salp_timer_set(loop, &timers[1], salp_now() + SALP_MILLISECONDS(1), note, "never") == 0);
    EXPECT(salp_timer_set(loop, &timers[0], salp_now() + SALP_MILLISECONDS(2), note, "d") == 0);
    EXPECT(salp_timer_cancel(loop, &timers[1]) == 0);
    return 0;
}

static int call_soon(void *arg)
{
    (void)arg;
    EXPECT(salp_loop_call(loop, note, "e") == 0);
    return 0;
}

static void timers_from_callbacks(void)
{
    memset(timers, 0, sizeof timers);
    trace[0] = 0;
    here->after(set_timers, NULL);
    run_until(3);
    assert_string_equal(trace, "abc");
    here->after(set_timer_and_cancel, NULL);
    run_until(1);
    assert_string_equal(trace, "abcd");
    here->after(call_soon, NULL);
    run_until(1);
    assert_string_equal(trace, "abcde");
}

static void timers_are_set_in_foreign_callbacks(void **state)
{
    (void)state;
    within_each(timers_from_callbacks);
}

/* A queue between two tasks and a thread: "forth" is filled by the thread, "back" read by it. */
static salp_queue *forth, *back;

static int doubles(void *arg)
{
    int n, result;
    while ((result = salp_queue_get(forth, &n)) == 0) {
        n *= 2;
        if (n % 8 == 0)
            EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
        EXPECT(salp_queue_put(back, &n) == 0);
    }
    EXPECT(result == -EPIPE && arg == NULL);
    one_less(); /* a task may stop the foreign loop */
    return 7;
}

static void *asks(void *arg)
{
    intptr_t sum = 0;
    (void)arg;
    for (int i = 0; i < 100; i++) {
        int answer;
        EXPECT(salp_queue_put(forth, &i) == 0 && salp_queue_get(back, &answer) == 0);
        sum += answer;
    }
    EXPECT(salp_queue_shutdown(forth) == 0);
    return (void *)sum;
}

static void tasks_and_queues(void)
{
    pthread_t thread;
    void *sum;
    salp_future *futures[2];
    salp_queue_options options = { .item_size = sizeof(int), .capacity = 1 };
    EXPECT(salp_queue_open(&forth, &options) == 0 && salp_queue_open(&back, &options) == 0);
    for (int i = 0; i < 2; i++)
        EXPECT(salp_loop_go(loop, doubles, NULL, &futures[i]) == 0);
    EXPECT(pthread_create(&thread, NULL, asks, NULL) == 0);
    run_until(2);
    pthread_join(thread, &sum);
    assert_int_equal((intptr_t)sum, 9900);
    /* They have stopped the foreign loop before they end, which takes another turn. */
    while (!salp_future_ready(futures[0]) || !salp_future_ready(futures[1]))
        here->look();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(salp_future_wait(futures[i]), 7);
        salp_future_free(futures[i]);
    }
    salp_queue_close(forth);
    salp_queue_close(back);
}

static void tasks_sleep_and_use_queues(void **state)
{
    (void)state;
    within_each(tasks_and_queues);
}

static int pair[2];

static void read_one(int fd, unsigned events, void *arg)
{
    char byte;
    EXPECT(events & SALP_READABLE);
    if (read(fd, &byte, 1) == 1)
        EXPECT(byte == *(char *)arg + called++);
    else
        EXPECT(salp_loop_watch(loop, fd, 0, NULL, NULL) == 0);
    one_less();
}

static int watch_pair(void *arg)
{
    EXPECT(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, arg) == 0);
    return 0;
}

static int write_two(void *arg)
{
    (void)arg;
    EXPECT(write(pair[1], "cd", 2) == 2);
    return 0;
}

static void descriptors(void)
{
    called = 0;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    EXPECT(write(pair[1], "ab", 2) == 2);
    here->after(watch_pair, "a"); /* what is there already, and no turn has looked at */
    run_until(2);
    here->after(write_two, NULL);
    run_until(2);
    shutdown(pair[1], SHUT_WR);
    run_until(1);
    EXPECT(called == 4);
    close(pair[0]);
    close(pair[1]);
}

static void descriptors_are_watched(void **state)
{
    (void)state;
    within_each(descriptors);
}

static void count_signal(int number, void *arg)
{
    EXPECT(number == SIGUSR1 && arg == NULL);
    one_less();
}

static int raise_one(void *arg)
{
    (void)arg;
    return raise(SIGUSR1);
}

static void signals(void)
{
    EXPECT(salp_loop_signal(loop, SIGUSR1, count_signal, NULL) == 0);
    here->after(raise_one, NULL);
    run_until(1);
    EXPECT(salp_loop_signal(loop, SIGUSR1, NULL, NULL) == 0);
}

static void signals_are_told(void **state)
{
    (void)state;
    within_each(signals);
}

/* ---- side by side ---- */

enum { TICKS = 20 };

static int our_ticks, their_ticks;

static int tick_ours(void *arg)
{
    (void)arg;
    while (our_ticks < TICKS) {
        EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == 0);
        our_ticks++;
    }
    EXPECT(their_ticks > 0); /* one that is held up for 20 of the other would have been due all the time */
    one_less();
    return 0;
}

static int tick_theirs(void *arg)
{
    (void)arg;
    if (++their_ticks < TICKS)
        return 1;
    EXPECT(our_ticks > 0);
    one_less();
    return 0;
}

static void tickers(void)
{
    our_ticks = their_ticks = 0;
    EXPECT(salp_loop_go(loop, tick_ours, NULL, NULL) == 0);
    here->after(tick_theirs, NULL);
    run_until(2);
    EXPECT(our_ticks == TICKS && their_ticks == TICKS);
}

static void tickers_tick_side_by_side(void **state)
{
    (void)state;
    within_each(tickers);
}

static int yields(void *arg)
{
    while (!*(bool *)arg)
        EXPECT(salp_yield() == 0);
    one_less();
    return 0;
}

static int end_yielding(void *arg)
{
    if (++their_ticks < TICKS)
        return 1;
    *(bool *)arg = true;
    return 0;
}

static void busy_tasks(void)
{
    bool over = false;
    their_ticks = 0;
    EXPECT(salp_loop_go(loop, yields, &over, NULL) == 0);
    EXPECT(salp_loop_go(loop, yields, &over, NULL) == 0);
    here->after(end_yielding, &over);
    run_until(2);
}

static void busy_tasks_let_the_foreign_loop_go_on(void **state)
{
    (void)state;
    within_each(busy_tasks);
}

static int cannot_wait(void *arg)
{
    salp_event *event = arg;
    salp_group group;
    EXPECT(salp_event_wait(event) == SALP_EINSIDE);
    EXPECT(salp_sleep(SALP_MILLISECONDS(1)) == SALP_EINSIDE);
    salp_group_open(&group);
    EXPECT(salp_go(&group, yields, NULL) == -EPERM);
    salp_group_close(&group);
    EXPECT(salp_run(yields, NULL) == -EBUSY);
    EXPECT(salp_event_set(event) == 0);
    EXPECT(salp_event_wait(event) == 0); /* what need not wait does not */
    one_less();
    return 0;
}

static void waiting(void)
{
    salp_event *event;
    EXPECT(salp_event_open(&event, NULL) == 0);
    here->after(cannot_wait, event);
    run_until(1);
    salp_event_close(event);
}

static void foreign_callbacks_cannot_wait(void **state)
{
    (void)state;
    within_each(waiting);
}

/* ---- it does not spin ---- */

static int waits_for_event(void *event)
{
    int result = salp_event_wait(event);
    one_less();
    return result;
}

static int sleeps_long(void *arg)
{
    (void)arg;
    return salp_sleep(SALP_SECONDS(3600));
}

/* Looks so long that all that is ready has been done, also where a turn does little of it. */
static void settle(void)
{
    for (int i = 0; i < 200; i++)
        here->look();
    dispatches = 0;
}

static int quiet_rounds(void *arg)
{
    if (++*(int *)arg < TICKS)
        return 1;
    one_less();
    return 0;
}

/* Neither when the foreign loop looks, nor while it waits for something else. */
static void expect_quiet(void)
{
    int rounds = 0;
    settle();
    for (int i = 0; i < 1000; i++)
        here->look();
    assert_int_equal(dispatches, 0);
    here->after(quiet_rounds, &rounds);
    run_until(1);
    assert_int_equal(dispatches, 0);
}

static sem_t answered;

static void answer(void *arg)
{
    (void)arg;
    sem_post(&answered);
    one_less();
}

static void *call_one_by_one(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++) {
        EXPECT(salp_loop_call(loop, answer, NULL) == 0);
        while (sem_wait(&answered) != 0)
            EXPECT(errno == EINTR);
    }
    return NULL;
}

static void quiet(void)
{
    pthread_t thread;
    salp_event *event;
    salp_future *future;
    int calls = 100;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    EXPECT(salp_event_open(&event, NULL) == 0 && sem_init(&answered, 0, 0) == 0);
    memset(timers, 0, sizeof timers);
    expect_quiet(); /* with nothing in it */

    EXPECT(salp_loop_go(loop, waits_for_event, event, NULL) == 0);
    EXPECT(salp_loop_go(loop, sleeps_long, NULL, &future) == 0);
    EXPECT(salp_timer_set(loop, &timers[0], salp_now() + SALP_SECONDS(3600), note, "never") == 0);
    EXPECT(salp_loop_call_at(loop, salp_now() + SALP_SECONDS(3600), note, "never") == 0);
    EXPECT(salp_loop_watch(loop, pair[0], SALP_READABLE, read_one, "a") == 0);
    EXPECT(salp_loop_signal(loop, SIGUSR1, count_signal, NULL) == 0);
    expect_quiet(); /* with all that can be waited for */

    /* A timer that is taken back costs a few looks at most, and so does a descriptor that is no longer watched. */
    EXPECT(salp_timer_set(loop, &timers[1], salp_now(), note, "never") == 0);
    EXPECT(salp_timer_cancel(loop, &timers[1]) == 0);
    EXPECT(write(pair[1], "a", 1) == 1);
    EXPECT(salp_loop_watch(loop, pair[0], 0, NULL, NULL) == 0);
    for (int i = 0; i < 1000; i++)
        here->look();
    assert_in_range(dispatches, 0, 10);
    expect_quiet();

    /* One turn for a call or a tick; some more for what has come meanwhile, and for answers that a poller still has. */
    EXPECT(pthread_create(&thread, NULL, call_one_by_one, &calls) == 0);
    run_until(calls);
    pthread_join(thread, NULL);
    assert_in_range(dispatches, 1, 4 * calls + 10);
    expect_quiet();

    our_ticks = 0;
    their_ticks = 1;
    EXPECT(salp_loop_go(loop, tick_ours, NULL, NULL) == 0);
    run_until(1);
    assert_in_range(dispatches, TICKS, 4 * TICKS + 10);
    expect_quiet();

    EXPECT(salp_event_set(event) == 0);
    run_until(1);
    expect_quiet();
    assert_int_equal(salp_future_cancel(future), 0);
    expect_quiet();
    assert_int_equal(salp_future_wait(future), -ECANCELED);
    salp_future_free(future);
    salp_event_close(event);
    sem_destroy(&answered);
    close(pair[0]);
    close(pair[1]);
}

static void a_quiet_loop_is_not_turned(void **state)
{
    (void)state;
    within_each(quiet);
}

/* ---- the end ---- */

static salp_future *last_one;

static int cleans_up(void *arg)
{
    salp_scope shield;
    int result = salp_sleep(SALP_SECONDS(3600));
    salp_scope_shield(&shield, SALP_FOREVER);
    EXPECT(salp_sleep(SALP_MILLISECONDS(2)) == 0);
    salp_scope_close(&shield);
    *(bool *)arg = true;
    return result;
}

static bool cleaned_up;

static void leave_tasks(void)
{
    cleaned_up = false;
    EXPECT(salp_loop_go(loop, cleans_up, &cleaned_up, &last_one) == 0);
    EXPECT(salp_loop_go(loop, sleeps_long, NULL, NULL) == 0);
    settle();
    EXPECT(salp_loop_go(loop, sleeps_long, NULL, NULL) == 0); /* it has not begun when the loop is closed */
}

static void a_loop_with_tasks_can_be_closed(void **state)
{
    (void)state;
    for (size_t i = 0; i < LENGTH(hosts); i++) {
        within(&hosts[i], leave_tasks);
        EXPECT(cleaned_up && salp_future_wait(last_one) == -ECANCELED);
        salp_future_free(last_one);
    }
}

/* ---- transports ---- */

enum { ASKED = 300000, PIECE = 10000 };

static salp_transport *asker;
static size_t came_back;

static void give_back(salp_transport *transport, const void *data, size_t size, void *arg)
{
    (void)arg;
    EXPECT(salp_transport_write(transport, data, size) == 0);
}

static void count_lost(salp_transport *transport, int error, void *arg)
{
    (void)transport;
    (void)arg;
    EXPECT(error == 0);
    one_less();
}

static void count_answer(salp_transport *transport, const void *data, size_t size, void *arg)
{
    (void)data;
    (void)arg;
    came_back += size;
    if (came_back == ASKED)
        salp_transport_close(transport);
}

/* Again and again, in callbacks of the foreign loop: between two turns of ours. */
static int ask(void *arg)
{
    static char data[PIECE];
    size_t *asked = arg;
    EXPECT(salp_transport_write(asker, data, PIECE) == 0);
    *asked += PIECE;
    return *asked < ASKED;
}

static const salp_protocol giving_back = { .received = give_back, .lost = count_lost };
static const salp_protocol asking = { .received = count_answer, .lost = count_lost };

static const salp_protocol *new_give_back(void *arg, void **own)
{
    (void)arg;
    (void)own;
    return &giving_back;
}

static void talk_by_transports(void)
{
    salp_listener *listener;
    salp_transport_server *server;
    size_t asked = 0;
    came_back = 0;
    EXPECT(salp_tcp_listen(&listener, "127.0.0.1", 0, NULL) == 0);
    EXPECT(salp_transport_serve(&server, listener, new_give_back, NULL, NULL) == 0);
    EXPECT(salp_transport_connect_tcp(&asker, "127.0.0.1", salp_listener_port(listener), &asking, NULL, NULL) == 0);
    here->after(ask, &asked);
    run_until(2);
    EXPECT(asked == ASKED && came_back == ASKED);
    salp_transport_server_close(server);
    salp_listener_close(listener);
}

static void transports_talk(void **state)
{
    (void)state;
    within_each(talk_by_transports);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("calls come from another thread", calls_come_from_another_thread),
        TEST("timers are set in foreign callbacks", timers_are_set_in_foreign_callbacks),
        TEST("tasks sleep and use queues", tasks_sleep_and_use_queues),
        TEST("descriptors are watched", descriptors_are_watched),
        TEST("signals are told", signals_are_told),
        TEST("tickers tick side by side", tickers_tick_side_by_side),
        TEST("busy tasks let the foreign loop go on", busy_tasks_let_the_foreign_loop_go_on),
        TEST("foreign callbacks cannot wait", foreign_callbacks_cannot_wait),
        TEST("transports talk", transports_talk),
        TEST("a quiet loop is not turned", a_quiet_loop_is_not_turned),
        TEST("a loop with tasks can be closed", a_loop_with_tasks_can_be_closed),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
