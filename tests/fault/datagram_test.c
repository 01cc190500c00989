/*
 * Datagrams, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <salp/datagram.h>
#include <salp/task.h>

#include "os/fault.h"

static salp_datagram *here;
static salp_address address;

static int send_late(void *arg)
{
    (void)arg;
    int error = salp_yield();
    int64_t sent = error < 0 ? error : salp_datagram_send(here, "late", 4, &address);
    return sent < 0 ? (int)sent : 0;
}

/* Waits for one that another task sends. */
static int receive_late(void)
{
    salp_group group;
    char data[10];
    salp_group_open(&group);
    int error = salp_go(&group, send_late, NULL);
    int64_t size = error < 0 ? error : salp_datagram_receive(here, data, sizeof data, NULL);
    if (size < 0)
        salp_group_cancel(&group);
    int closed = salp_group_close(&group);
    if (size == -ECANCELED)
        return closed; /* because the other one has failed */
    return size < 0 ? (int)size : 0;
}

/* Until there is no room; so the next one has to wait, here for nothing. */
static int fill(void)
{
    int64_t sent = 0;
    salp_scope scope;
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    while (sent >= 0)
        sent = salp_datagram_send(here, "filled", 6, &address);
    int ended = salp_scope_close(&scope);
    return sent == -ETIMEDOUT && ended == -ETIMEDOUT ? 0 : (int)sent;
}

static int use(void *where)
{
    salp_address local, group;
    salp_address_parse(&local, where);
    int error = salp_datagram_open(&here, &local,
                                   &(salp_datagram_options){ .hops = 2, .interface = "lo", .send_buffer = 100000 });
    if (error < 0) {
        assert_null(here);
        return error;
    }
    error = salp_datagram_local(here, &address);
    if (error == 0)
        error = receive_late();
    if (error == 0 && salp_address_family(&local) == SALP_UNIX)
        error = fill();
    salp_address_parse(&group, "239.1.2.3");
    if (error == 0 && salp_address_family(&local) == SALP_IPV4)
        error = salp_datagram_join(here, &group, "lo");
    salp_datagram_close(here);
    return error;
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    static const char *const where[] = { "unix:", "127.0.0.1", "[::1]" };
    for (int i = 0; i < 3; i++) {
        long number = 0;
        bool fired;
        do {
            int descriptors = test_count_descriptors();
            salp__fault_arm(SALP__PROGRAM, ++number);
            int result = salp_run(use, (void *)where[i]);
            fired = salp__fault_fired();
            salp__fault_arm(SALP__PROGRAM, 0);
            assert_int_equal(test_count_descriptors(), descriptors);
            bool documented = result == -ENOMEM || result == -EMFILE || result == -ENOBUFS;
            if (result != 0 && !(fired && documented))
                fail_msg("%s: when call %ld failed: %s", where[i], number, salp_strerror(result));
        } while (fired);
        assert_true(number > 5);
    }
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
