/*
 * Names that are looked up by threads of their own, while calls of the system and allocations fail one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <salp/name.h>

#include "os/fault.h"

/* In turn: found in line; by a thread; and the name of an address. */
static int look_up(void *arg)
{
    salp_address *addresses, address = { .size = 0 };
    char name[SALP_NAME_TEXT];
    (void)arg;
    int result = salp_resolve(&addresses, "127.0.0.1", "80", NULL);
    if (result > 0)
        address = addresses[0];
    salp_addresses_free(addresses);
    if (result > 0) {
        result = salp_resolve(&addresses, "a..b", "80", NULL); /* no name server is asked for this */
        salp_addresses_free(addresses);
    }
    if (result == SALP_ENONAME) {
        result = salp_resolve_name(&address, name, sizeof name);
        if (result == SALP_ENONAME || result == SALP_ETRYAGAIN)
            result = 0; /* whatever this machine says about itself */
    }
    return result < 0 ? result : 0;
}

static int look_up_in_task(void)
{
    return salp_run(look_up, NULL);
}

static int look_up_in_scope(void)
{
    salp_scope scope;
    salp_scope_open(&scope, SALP_FOREVER);
    int result = look_up(NULL);
    assert_int_equal(salp_scope_close(&scope), 0);
    return result;
}

static bool refused; /* in some run: no thread could be started */

static void sweep(int (*function)(void))
{
    long number = 0;
    bool fired;
    do {
        salp__fault_arm(SALP__PROGRAM, ++number);
        int result = function();
        fired = salp__fault_fired();
        salp__fault_arm(SALP__PROGRAM, 0);
        assert_true(result == 0 || (fired && (result == -ENOMEM || result == -EAGAIN)));
        refused |= result == -EAGAIN;
    } while (fired);
    assert_true(number > 5);
}

static void each_call_succeeds_or_says_why_not(void **state)
{
    (void)state;
    sweep(look_up_in_task);
    assert_true(refused);
    sweep(look_up_in_scope);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("each call succeeds or says why not", each_call_succeeds_or_says_why_not),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
