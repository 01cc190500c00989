/*
 * How a scope that is closed waits for those who cancel it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../api/sleepers.h"
#include "../api/tasks.h"

#include "task/scope.h"

/* A thread that is cancelling a scope, and is kept from going on until the owner has slept. */
struct canceller_kept {
    salp__scope *scope;
    pid_t owner;
    bool slept;
    pthread_t thread;
};

static void *cancel_late(void *arg)
{
    struct canceller_kept *c = arg;
    c->slept = sleepers_sleep_once(c->owner);
    atomic_fetch_sub(&c->scope->cancels, 1);
    return NULL;
}

static int close_while_cancelled(void *arg)
{
    salp_scope scope;
    (void)arg;
    salp_scope_open(&scope, SALP_FOREVER);
    struct canceller_kept c = { .scope = (salp__scope *)&scope, .owner = gettid() };
    atomic_fetch_add(&c.scope->cancels, 1);
    EXPECT(pthread_create(&c.thread, NULL, cancel_late, &c) == 0);
    EXPECT(salp_scope_close(&scope) == 0);
    EXPECT(pthread_join(c.thread, NULL) == 0);
    EXPECT(c.slept);
    return 0;
}

/* Else one that the system prefers to the one who cancels would keep that from ever going on. */
static void who_closes_a_scope_that_is_being_cancelled_sleeps(void **state)
{
    (void)state;
    in_both(close_while_cancelled);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("who closes a scope that is being cancelled sleeps", who_closes_a_scope_that_is_being_cancelled_sleeps),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
