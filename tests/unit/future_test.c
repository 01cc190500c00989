/*
 * Futures, the user's own and those that an owner resolves.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "os/clock.h"
#include "sync/future.h"

enum { WAITERS = 8 };

static salp_future *open_one(void)
{
    salp_future *future = NULL;
    assert_int_equal(salp_future_open(&future), 0);
    assert_non_null(future);
    return future;
}

/* ---- the user's own ---- */

static void a_future_gets_its_result_once(void **state)
{
    (void)state;
    salp_future *future = open_one();
    assert_false(salp_future_ready(future));
    assert_int_equal(salp_future_resolve(future, 42), 0);
    assert_true(salp_future_ready(future));
    assert_int_equal(salp_future_resolve(future, 43), -EALREADY);
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    for (int i = 0; i < 3; i++)
        assert_int_equal(salp_future_wait(future), 42);
    salp_future_free(future);
}

static void a_result_may_be_any_number(void **state)
{
    static const int results[] = { 0, 1, -1, -EAGAIN, SALP_ECRASHED, INT_MIN, INT_MAX };
    (void)state;
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        salp_future *future = open_one();
        assert_int_equal(salp_future_resolve(future, results[i]), 0);
        assert_int_equal(salp_future_wait(future), results[i]);
        salp_future_free(future);
    }
}

static void a_cancelled_future_has_that_as_its_result(void **state)
{
    (void)state;
    salp_future *future = open_one();
    assert_int_equal(salp_future_cancel(future), 0);
    assert_true(salp_future_ready(future));
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    assert_int_equal(salp_future_resolve(future, 1), -EALREADY);
    assert_int_equal(salp_future_wait(future), -ECANCELED);
    salp_future_free(future);
}

/* Nothing else tells it. */
static void a_result_that_is_there_is_told_though_a_scope_is_over(void **state)
{
    (void)state;
    salp_scope scope;
    salp_future *future = open_one();
    salp_scope_open(&scope, 0);
    assert_int_equal(salp_future_wait(future), -ETIMEDOUT);
    assert_int_equal(salp_future_resolve(future, 42), 0);
    assert_int_equal(salp_future_wait(future), 42);
    assert_int_equal(salp_scope_close(&scope), -ETIMEDOUT);
    salp_future_free(future);
}

static void nothing_is_no_future(void **state)
{
    (void)state;
    assert_int_equal(salp_future_open(NULL), -EINVAL);
    assert_int_equal(salp_future_resolve(NULL, 0), -EINVAL);
    assert_int_equal(salp_future_wait(NULL), -EINVAL);
    assert_int_equal(salp_future_cancel(NULL), -EINVAL);
    assert_false(salp_future_ready(NULL));
    salp_future_free(NULL);
}

static void a_future_may_be_freed_without_a_result(void **state)
{
    (void)state;
    salp_future_free(open_one());
}

/* ---- several threads ---- */

struct waiter {
    pthread_t thread;
    salp_future *future;
    atomic_int *begun;
    int result;
};

static void *wait_for_it(void *arg)
{
    struct waiter *waiter = arg;
    atomic_fetch_add(waiter->begun, 1);
    waiter->result = salp_future_wait(waiter->future);
    return NULL;
}

static void all_who_wait_get_the_result(void **state)
{
    struct waiter waiters[WAITERS];
    (void)state;
    for (int round = 0; round < test_scale(100); round++) {
        atomic_int begun = 0;
        salp_future *future = open_one();
        for (int i = 0; i < WAITERS; i++) {
            waiters[i] = (struct waiter){ .future = future, .begun = &begun };
            assert_int_equal(pthread_create(&waiters[i].thread, NULL, wait_for_it, &waiters[i]), 0);
        }
        /* Some of them are asleep by then, some about to be. */
        while (atomic_load(&begun) < 1 + round % WAITERS)
            salp__give_way();
        assert_int_equal(salp_future_resolve(future, -round), 0);
        for (int i = 0; i < WAITERS; i++) {
            assert_int_equal(pthread_join(waiters[i].thread, NULL), 0);
            assert_int_equal(waiters[i].result, -round);
        }
        salp_future_free(future);
    }
}

struct resolver {
    pthread_t thread;
    salp_future *future;
    atomic_int *go;
    int number;
    int result;
};

static void *resolve_it(void *arg)
{
    struct resolver *resolver = arg;
    while (!atomic_load(resolver->go))
        salp__give_way();
    resolver->result = salp_future_resolve(resolver->future, resolver->number);
    return NULL;
}

static void one_of_many_resolvers_succeeds(void **state)
{
    struct resolver resolvers[4];
    (void)state;
    for (int round = 0; round < test_scale(300); round++) {
        atomic_int go = 0;
        int winner = -1;
        salp_future *future = open_one();
        for (int i = 0; i < 4; i++) {
            resolvers[i] = (struct resolver){ .future = future, .go = &go, .number = i };
            assert_int_equal(pthread_create(&resolvers[i].thread, NULL, resolve_it, &resolvers[i]), 0);
        }
        atomic_store(&go, 1);
        int result = salp_future_wait(future);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(resolvers[i].thread, NULL), 0);
            if (resolvers[i].result == 0) {
                assert_int_equal(winner, -1);
                winner = i;
            } else {
                assert_int_equal(resolvers[i].result, -EALREADY);
            }
        }
        assert_int_equal(result, winner);
        salp_future_free(future);
    }
}

/*
 * Futures that go from a maker to a taker, who frees each of them as soon as its result is there: while the maker is
 * still in the call that resolved it. Errors in this are for the sanitizers to see, or malloc.
 */
struct passage {
    int rounds;
    salp_future *_Atomic offered;
    void (*resolve)(salp_future *future, int result);
};

static void *make_futures(void *arg)
{
    struct passage *passage = arg;
    for (int i = 0; i < passage->rounds; i++) {
        salp_future *future;
        while ((future = atomic_exchange(&passage->offered, NULL)) == NULL)
            salp__relax();
        passage->resolve(future, i);
    }
    return NULL;
}

/* Returns how many results were wrong. */
static int pass_futures(struct passage *passage, int (*open)(salp_future **))
{
    int wrong = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, make_futures, passage), 0);
    for (int i = 0; i < passage->rounds; i++) {
        salp_future *future;
        assert_int_equal(open(&future), 0);
        atomic_store(&passage->offered, future);
        if (i % 2 == 0) {
            wrong += salp_future_wait(future) != i;
        } else {
            while (!salp_future_ready(future))
                salp__relax();
            wrong += salp_future_wait(future) != i;
        }
        salp_future_free(future);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    return wrong;
}

static void resolve_own(salp_future *future, int result)
{
    (void)salp_future_resolve(future, result);
}

static void who_has_the_result_may_free_the_future_at_once(void **state)
{
    struct passage passage = { .rounds = test_scale(20000), .resolve = resolve_own };
    (void)state;
    assert_int_equal(pass_futures(&passage, salp_future_open), 0);
}

/* ---- futures with an owner ---- */

struct object {
    int cancels;
    int asked; /* whether a thread is inside */
    bool inside;
};

static int cancel_object(void *object)
{
    ((struct object *)object)->cancels++;
    return 0;
}

static int may_wait_for_object(const void *object)
{
    ((struct object *)(uintptr_t)object)->asked++;
    return ((const struct object *)object)->inside ? SALP_EINSIDE : 0;
}

static const salp__future_owner owner = { .cancel = cancel_object, .may_wait = may_wait_for_object };

static salp_future *open_owned(struct object *object)
{
    salp_future *future = NULL;
    *object = (struct object){ 0 };
    assert_int_equal(salp__future_open(&future, &owner, object), 0);
    return future;
}

/* What on_done saw. */
struct done {
    int calls;
    int result;
    bool ready;
    bool frees;
    salp_future *future;
};

static void note_done(salp_future *future, void *arg)
{
    struct done *done = arg;
    done->calls++;
    done->future = future;
    done->ready = salp_future_ready(future);
    done->result = salp_future_wait(future);
    if (done->frees)
        salp_future_free(future);
}

static struct object any_object;

static int open_any_owned(salp_future **future)
{
    return salp__future_open(future, &owner, &any_object);
}

static void settle_owned(salp_future *future, int result)
{
    salp__future_settle(future, result, NULL, NULL);
}

static void who_has_an_owners_result_may_free_the_future_at_once(void **state)
{
    struct passage passage = { .rounds = test_scale(20000), .resolve = settle_owned };
    (void)state;
    assert_int_equal(pass_futures(&passage, open_any_owned), 0);
}

static void only_the_owner_resolves_its_future(void **state)
{
    struct object object;
    (void)state;
    salp_future *future = open_owned(&object);
    assert_int_equal(salp_future_resolve(future, 1), -EINVAL);
    assert_false(salp_future_ready(future));
    salp__future_settle(future, 7, NULL, NULL);
    assert_int_equal(salp_future_resolve(future, 1), -EINVAL);
    assert_int_equal(salp_future_wait(future), 7);
    salp_future_free(future);
}

static void the_owner_is_asked_to_cancel_and_decides(void **state)
{
    struct object object;
    (void)state;
    salp_future *future = open_owned(&object);
    assert_int_equal(salp_future_cancel(future), 0);
    assert_int_equal(salp_future_cancel(future), 0);
    assert_int_equal(object.cancels, 2);
    assert_false(salp_future_ready(future));
    salp__future_settle(future, 0, NULL, NULL); /* it was too late to cancel */
    assert_int_equal(salp_future_wait(future), 0);
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    assert_int_equal(object.cancels, 2);
    salp_future_free(future);
}

static void nobody_waits_for_himself(void **state)
{
    struct object object;
    (void)state;
    salp_future *future = open_owned(&object);
    object.inside = true;
    assert_int_equal(salp_future_wait(future), SALP_EINSIDE);
    assert_int_equal(object.asked, 1);
    salp__future_settle(future, 5, NULL, NULL);
    assert_int_equal(salp_future_wait(future), 5); /* the result is there: nothing to wait for */
    assert_int_equal(object.asked, 1);
    salp_future_free(future);
}

static void who_is_told_can_read_the_result(void **state)
{
    struct object object;
    struct done done = { 0 };
    (void)state;
    salp_future *future = open_owned(&object);
    salp__future_settle(future, -EIO, note_done, &done);
    assert_int_equal(done.calls, 1);
    assert_ptr_equal(done.future, future);
    assert_true(done.ready);
    assert_int_equal(done.result, -EIO);
    salp_future_free(future);
    assert_int_equal(done.calls, 1);
}

static void a_future_that_was_given_up_is_still_told_of(void **state)
{
    struct object object;
    struct done done = { 0 };
    (void)state;
    salp_future *future = open_owned(&object);
    salp_future_free(future);
    assert_int_equal(object.cancels, 0); /* the work goes on */
    salp__future_settle(future, 3, note_done, &done);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.result, 3);
}

static void a_future_may_be_freed_when_it_is_told_of(void **state)
{
    struct object object;
    struct done done = { .frees = true };
    (void)state;
    salp__future_settle(open_owned(&object), 4, note_done, &done);
    assert_int_equal(done.calls, 1);
    assert_int_equal(done.result, 4);
}

static void the_owner_is_left_alone_once_it_has_settled(void **state)
{
    (void)state;
    struct object *object = malloc(sizeof *object);
    assert_non_null(object);
    salp_future *future = open_owned(object);
    salp__future_settle(future, 1, NULL, NULL);
    memset(object, 0x7f, sizeof *object);
    free(object);
    assert_int_equal(salp_future_wait(future), 1);
    assert_int_equal(salp_future_cancel(future), -EALREADY);
    salp_future_free(future);
}

struct canceller {
    salp_future *_Atomic future; /* offered to it; NULL when it is done with it */
    atomic_int ended;
    int accepted;
};

/* Cancels each future until that is refused; gives way at times, lest who settles it never gets hold of it. */
static void *cancel_until_refused(void *arg)
{
    struct canceller *canceller = arg;
    while (!atomic_load(&canceller->ended)) {
        salp_future *future = atomic_load(&canceller->future);
        while (future && salp_future_cancel(future) == 0) {
            if (++canceller->accepted % 16 == 0)
                salp__give_way();
        }
        if (future)
            atomic_store(&canceller->future, NULL);
        salp__give_way();
    }
    return NULL;
}

/* The object is not atomic: ThreadSanitizer sees a call of its owner's that overlaps with what follows settle. */
static void cancelling_never_outlasts_settling(void **state)
{
    struct canceller canceller = { .accepted = 0 };
    pthread_t thread;
    int cancels = 0;
    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, cancel_until_refused, &canceller), 0);
    for (int i = 0; i < test_scale(5000); i++) {
        struct object object;
        salp_future *future = open_owned(&object);
        atomic_store(&canceller.future, future);
        for (int k = 0; k < i % 512; k++)
            salp__relax();
        salp__future_settle(future, i, NULL, NULL);
        cancels += object.cancels;
        object.cancels = -1;
        while (atomic_load(&canceller.future))
            salp__give_way();
        assert_int_equal(object.cancels, -1);
        assert_int_equal(salp_future_wait(future), i);
        salp_future_free(future);
    }
    atomic_store(&canceller.ended, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(canceller.accepted, cancels);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("a future gets its result once", a_future_gets_its_result_once),
        TEST("a result may be any number", a_result_may_be_any_number),
        TEST("a cancelled future has that as its result", a_cancelled_future_has_that_as_its_result),
        TEST("a result that is there is told though a scope is over",
             a_result_that_is_there_is_told_though_a_scope_is_over),
        TEST("nothing is no future", nothing_is_no_future),
        TEST("a future may be freed without a result", a_future_may_be_freed_without_a_result),
        TEST("all who wait get the result", all_who_wait_get_the_result),
        TEST("one of many resolvers succeeds", one_of_many_resolvers_succeeds),
        TEST("who has the result may free the future at once", who_has_the_result_may_free_the_future_at_once),
        TEST("who has an owner's result may free the future at once",
             who_has_an_owners_result_may_free_the_future_at_once),
        TEST("only the owner resolves its future", only_the_owner_resolves_its_future),
        TEST("the owner is asked to cancel, and decides", the_owner_is_asked_to_cancel_and_decides),
        TEST("nobody waits for himself", nobody_waits_for_himself),
        TEST("who is told can read the result", who_is_told_can_read_the_result),
        TEST("a future that was given up is still told of", a_future_that_was_given_up_is_still_told_of),
        TEST("a future may be freed when it is told of", a_future_may_be_freed_when_it_is_told_of),
        TEST("the owner is left alone once it has settled", the_owner_is_left_alone_once_it_has_settled),
        TEST("cancelling never outlasts settling", cancelling_never_outlasts_settling),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
