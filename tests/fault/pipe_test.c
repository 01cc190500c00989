/*
 * Pipes, while calls of the system and allocations fail one by one, and while a process dies at each step of sending and
 * receiving.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <salp/pipe.h>
#include <salp/task.h>

#include "os/fault.h"

/* One that goes in memory, in several pieces, and two that go in a pipe of the system's and in a socket of their own:
   src/stream/pipe.c. */
enum {
#ifdef SALP_HOSTILE
    LONG = 5100,
    PIPED = 900,
    SOCKETED = 2900,
#else
    LONG = 4500000,
    PIPED = 150000,
    SOCKETED = 200000,
#endif
    SIZES = 4,
    ROUNDS = 3,
};

static char data[LONG];

static const size_t sizes[SIZES] = { 5, LONG, PIPED, SOCKETED };

static bool is_whole(const salp_buffer *message, size_t size)
{
    return message->size == size && (size == 0 || memcmp(message->data, data, size) == 0);
}

/* ---- calls that fail ---- */

static int send_late(void *arg)
{
    int error = salp_yield(); /* the other one waits */
    return error < 0 ? error : salp_pipe_send(arg, data, sizes[0]);
}

static int receive_late(salp_pipe *from, salp_pipe *to)
{
    salp_buffer message = { 0 };
    salp_group group;
    salp_group_open(&group);
    int error = salp_go(&group, send_late, to);
    int result = error < 0 ? error : salp_pipe_receive(from, &message);
    if (result < 0)
        salp_group_cancel(&group);
    else
        EXPECT(is_whole(&message, sizes[0]));
    salp_buffer_free(&message);
    int closed = salp_group_close(&group);
    if (result == -ECANCELED || result == 1)
        return closed;
    return result;
}

/* What could not be received is lost: nothing of it comes later. */
static int send_and_receive(salp_pipe *a, salp_pipe *b)
{
    salp_buffer message = { 0 };
    int result = 0, fds[2], count;
    for (size_t i = 0; i < SIZES && result >= 0; i++) {
        result = salp_pipe_send_fds(a, data, sizes[i], (int[]){ 0, 1 }, 2);
        if (result < 0)
            break;
        result = salp_pipe_receive_fds(b, &message, fds, 2, &count);
        EXPECT(result == 1 || (message.size == 0 && count == 0));
        EXPECT(result != 1 || (is_whole(&message, sizes[i]) && count == 2));
        for (int k = 0; k < count; k++)
            close(fds[k]);
    }
    salp_buffer_free(&message);
    return result < 0 ? result : 0;
}

static int use(void *arg)
{
    salp_pipe *a, *b, *again = NULL;
    (void)arg;
    int error = salp_pipe_open(&a, &b);
    if (error < 0) {
        EXPECT(!a && !b);
        return error;
    }
    error = send_and_receive(a, b);
    if (error == 0)
        error = receive_late(b, a);
    if (error == 0)
        error = salp_pipe_attach(&again, salp_pipe_fd(b));
    EXPECT(error == 0 || !again);
    salp_pipe_close(again);
    salp_pipe_close(a);
    salp_pipe_close(b);
    return error;
}

static int use_alone(void)
{
    salp_pipe *a, *b;
    int error = salp_pipe_open(&a, &b);
    if (error == 0)
        error = send_and_receive(a, b);
    salp_pipe_close(a);
    salp_pipe_close(b);
    return error;
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    static const int documented[] = { -ENOMEM, -EMFILE, -ENOSPC, -EPIPE, -EPROTO };
    for (int in_task = 0; in_task < 2; in_task++) {
        long number = 0;
        bool fired;
        do {
            int descriptors = test_count_descriptors();
            salp__fault_arm(SALP__PROGRAM, ++number);
            int result = in_task ? salp_run(use, NULL) : use_alone();
            fired = salp__fault_fired();
            salp__fault_arm(SALP__PROGRAM, 0);
            assert_int_equal(test_count_descriptors(), descriptors);
            bool known = false;
            for (size_t i = 0; i < sizeof documented / sizeof *documented; i++)
                known = known || result == documented[i];
            if (result != 0 && !(fired && known))
                fail_msg("when call %ld failed: %s", number, salp_strerror(result));
        } while (fired);
        assert_true(number > 10);
    }
}

/* ---- deaths ---- */

/* In a process that may die at any step. */
static void send_all(salp_pipe *pipe)
{
    for (int i = 0; i < ROUNDS * SIZES; i++)
        EXPECT(salp_pipe_send_fds(pipe, data, sizes[i % SIZES], (int[]){ 0 }, i % 2) == 0);
}

static void receive_all(salp_pipe *pipe)
{
    salp_buffer message = { 0 };
    while (salp_pipe_receive(pipe, &message) == 1)
        continue;
    salp_buffer_free(&message);
}

static pid_t start_mortal(long step, void (*function)(salp_pipe *), salp_pipe *used, salp_pipe *unused)
{
    salp__fault_arm_death(step);
    pid_t child = fork();
    if (child == 0) {
        salp_pipe_close(unused);
        salp__fault_enter(SALP__WORKER);
        function(used);
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

/* Whether it was killed. */
static bool has_died(pid_t child)
{
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : status == 0);
    return WIFSIGNALED(status);
}

static void who_dies_while_sending_has_sent_whole_messages_only(void **state)
{
    (void)state;
    salp_buffer message = { 0 };
    bool died = true;
    long step = 0;
    while (died) {
        salp_pipe *ours, *theirs;
        int result, count = 0, descriptors = test_count_descriptors();
        assert_int_equal(salp_pipe_open(&ours, &theirs), 0);
        pid_t child = start_mortal(++step, send_all, theirs, ours);
        salp_pipe_close(theirs);
        while ((result = salp_pipe_receive(ours, &message)) == 1)
            assert_true(is_whole(&message, sizes[count++ % SIZES]));
        assert_int_equal(result, 0);
        died = has_died(child);
        assert_true(died || count == ROUNDS * SIZES);
        salp_pipe_close(ours);
        assert_int_equal(test_count_descriptors(), descriptors);
    }
    salp__fault_arm_death(0);
    assert_true(step > ROUNDS * SIZES * 2);
    salp_buffer_free(&message);
}

/* Those that come after the one that it has taken with it. */
static void who_dies_while_receiving_takes_one_message_at_most(void **state)
{
    (void)state;
    salp_buffer message = { 0 };
    bool died = true;
    long step = 0;
    while (died) {
        salp_pipe *ours, *theirs, *other;
        assert_int_equal(salp_pipe_open(&ours, &theirs), 0);
        assert_int_equal(salp_pipe_attach(&other, salp_pipe_fd(theirs)), 0);
        for (unsigned char i = 0; i < 3; i++)
            assert_int_equal(salp_pipe_send(ours, &i, 1), 0);
        pid_t child = start_mortal(++step, receive_all, theirs, ours);
        salp_pipe_close(theirs);
        salp_pipe_close(ours); /* so that there is an end */
        died = has_died(child);
        /* Only it has received before. The first step is after the first message was taken. */
        int left = 0, last = -1;
        while (salp_pipe_receive(other, &message) == 1) {
            unsigned char number = *(unsigned char *)message.data;
            assert_true(message.size == 1 && (last < 0 || number == last + 1));
            last = number;
            left++;
        }
        assert_true(left == 0 || last == 2);
        assert_int_equal(left, step < 3 ? 3 - step : 0);
        salp_pipe_close(other);
    }
    salp__fault_arm_death(0);
    salp_buffer_free(&message);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
        TEST("who dies while sending has sent whole messages only",
             who_dies_while_sending_has_sent_whole_messages_only),
        TEST("who dies while receiving takes one message at most", who_dies_while_receiving_takes_one_message_at_most),
    };
    for (size_t i = 0; i < LONG; i++)
        data[i] = (char)(i * 7 + (i >> 10));
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
