/*
 * Names of hosts. What the system is asked goes to this file's own getaddrinfo and getnameinfo, which stand before
 * those of libc: so a name server can be as slow as a test likes, and answer what it likes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tasks.h"

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/wait.h>

#include <salp/file.h>
#include <salp/loop.h>
#include <salp/name.h>

#ifdef SALP_HOSTILE
enum { MOST = 2 }; /* names that are looked up at a time */
#else
enum { MOST = 32 };
#endif
enum { MANY = 64 };

/* ---- a resolver of names that end in ".test" ---- */

static struct gate gate; /* before which "slow.test" stands */
static atomic_int asked; /* how often anything was looked up that is no number */
static atomic_int under_way, most_under_way;
static _Atomic pid_t asker;     /* the last thread that did */
static atomic_int open_signals; /* that the last thread would have handled */

static void note_asker(void)
{
    sigset_t blocked;
    int open = 0;
    atomic_fetch_add(&asked, 1);
    atomic_store(&asker, (pid_t)syscall(SYS_gettid));
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    for (int number = 1; number < 32; number++)
        open += number != SIGKILL && number != SIGSTOP && !sigismember(&blocked, number);
    atomic_store(&open_signals, open);
}

static int answer_slowly(void)
{
    int now = atomic_fetch_add(&under_way, 1) + 1, most = atomic_load(&most_under_way);
    while (most < now && !atomic_compare_exchange_weak(&most_under_way, &most, now))
        continue;
    int error = gate_pass(&gate);
    atomic_fetch_sub(&under_way, 1);
    return error < 0 ? EAI_AGAIN : 0;
}

static int fail_with(const char *host)
{
    static const struct {
        const char *host;
        int result;
    } failures[] = { { "noname.test", EAI_NONAME },      { "nodata.test", EAI_NODATA },
                     { "family.test", EAI_ADDRFAMILY },  { "again.test", EAI_AGAIN },
                     { "fail.test", EAI_FAIL },          { "memory.test", EAI_MEMORY },
                     { "descriptors.test", EAI_SYSTEM }, { "silent.test", EAI_SYSTEM },
                     { "service.test", EAI_SERVICE },    { "letters.test", EAI_IDN_ENCODE },
                     { "strange.test", EAI_BADFLAGS } };
    if (strcmp(host, "descriptors.test") == 0)
        errno = EMFILE; /* "silent.test" does not say */
    for (size_t i = 0; i < LENGTH(failures); i++)
        if (strcmp(host, failures[i].host) == 0)
            return failures[i].result;
    return 0;
}

/* As libc's; names in .test have the address 192.0.2.1. */
int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
    typedef int function(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    function *real = (function *)(uintptr_t)dlsym(RTLD_NEXT, "getaddrinfo");
    size_t length = host ? strlen(host) : 0;
    if (hints->ai_flags & AI_NUMERICHOST)
        return real(host, service, hints, found);
    note_asker();
    if (length < 5 || strcmp(host + length - 5, ".test") != 0)
        return real(host, service, hints, found);
    int result = strcmp(host, "slow.test") == 0 ? answer_slowly() : fail_with(host);
    return result ? result : real("192.0.2.1", service, hints, found);
}

/* 192.0.2.1 is "one.test", its neighbours have no name or a server that does not answer. */
int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size, char *service,
                socklen_t service_size, int flags)
{
    struct sockaddr_in ipv4;
    (void)service, (void)service_size;
    note_asker();
    if (size < sizeof ipv4 || flags != NI_NAMEREQD)
        return EAI_BADFLAGS;
    memcpy(&ipv4, address, sizeof ipv4);
    if (ipv4.sin_family != AF_INET)
        return EAI_FAMILY;
    switch (ntohl(ipv4.sin_addr.s_addr) & 0xff) {
    case 1:
        snprintf(host, host_size, "one.test");
        return 0;
    case 2:
        return EAI_NONAME;
    case 3:
        return answer_slowly();
    default:
        return EAI_AGAIN;
    }
}

/* ---- helpers ---- */

/* Runs it once in a task, once in a plain thread, and once in one that is in a scope. */
static void everywhere(salp_fn *function)
{
    salp_scope scope;
    EXPECT(salp_run(function, NULL) == 0);
    EXPECT(function(NULL) == 0);
    salp_scope_open(&scope, SALP_FOREVER);
    EXPECT(function(NULL) == 0);
    EXPECT(salp_scope_close(&scope) == 0);
}

static void note_call(void *called)
{
    *(bool *)called = true;
}

/* Runs it in a callback of a loop. */
static void in_callback(salp_call_fn *function, void *arg)
{
    salp_loop *loop;
    bool called = false;
    assert_int_equal(salp_loop_open(&loop, NULL), 0);
    assert_int_equal(salp_loop_call(loop, function, arg), 0);
    assert_int_equal(salp_loop_call(loop, note_call, &called), 0);
    while (!called)
        salp_loop_turn(loop, SALP_SECONDS(1));
    salp_loop_close(loop);
}

/* Looks up, and expects these addresses, in any order, each with a blank behind it. */
static void expect_addresses(const char *host, const char *service, const salp_resolve_options *options,
                             const char *expected)
{
    salp_address *addresses;
    int count = salp_resolve(&addresses, host, service, options), length = 0;
    if (count < 0)
        fprintf(stderr, "# %s: %s\n", host ? host : "NULL", salp_strerror(count));
    EXPECT(count > 0);
    for (int i = 0; i < count; i++) {
        char text[SALP_ADDRESS_TEXT + 1];
        EXPECT(salp_address_text(&addresses[i], text, sizeof text) > 0);
        strcat(text, " ");
        if (!strstr(expected, text))
            fprintf(stderr, "# %s: %s\n", host ? host : "NULL", text);
        EXPECT(strstr(expected, text));
        length += (int)strlen(text);
    }
    EXPECT(length == (int)strlen(expected));
    salp_addresses_free(addresses);
}

static int error_of(const char *host, const char *service, const salp_resolve_options *options)
{
    salp_address *addresses = (salp_address *)&addresses;
    int result = salp_resolve(&addresses, host, service, options);
    EXPECT(result < 0 && !addresses);
    return result;
}

/* ---- what nobody need be asked for ---- */

static int look_up_numbers(void *arg)
{
    (void)arg;
    expect_addresses("127.0.0.1", "80", NULL, "127.0.0.1:80 ");
    expect_addresses("127.0.0.1", NULL, NULL, "127.0.0.1 ");
    expect_addresses("::1", "080", NULL, "[::1]:80 ");
    expect_addresses("fe80::1%lo", "65535", NULL, "[fe80::1%lo]:65535 ");
    expect_addresses("::1", "1", &(salp_resolve_options){ .family = SALP_IPV6, .numeric = true }, "[::1]:1 ");
    expect_addresses("127.0.0.1", "53", &(salp_resolve_options){ .datagram = true, .listen = true }, "127.0.0.1:53 ");
    salp_resolve_options ipv4 = { .family = SALP_IPV4 }, ipv6 = { .family = SALP_IPV6 };
    expect_addresses("localhost", "80", &ipv4, "127.0.0.1:80 ");
    expect_addresses("localhost", "80", &ipv6, "[::1]:80 ");
    expect_addresses("LocalHost.", "80", &ipv4, "127.0.0.1:80 ");
    expect_addresses("a.b.localhost", "80", &ipv4, "127.0.0.1:80 ");
    expect_addresses("localhost", "80", NULL, "127.0.0.1:80 [::1]:80 ");
    expect_addresses(NULL, "80", NULL, "127.0.0.1:80 [::1]:80 ");
    expect_addresses(NULL, NULL, &ipv4, "127.0.0.1 ");
    expect_addresses(NULL, "80", &(salp_resolve_options){ .listen = true }, "0.0.0.0:80 [::]:80 ");
    expect_addresses("localhost", "80", &(salp_resolve_options){ .family = SALP_IPV4, .listen = true },
                     "127.0.0.1:80 ");
    EXPECT(error_of("127.0.0.1", "80", &ipv6) == SALP_ENOADDRESS);
    EXPECT(error_of("::1", "80", &ipv4) == SALP_ENOADDRESS);
    EXPECT(error_of("127.0.0.1", "65536", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("127.0.0.1", "100000", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("127.0.0.1", "18446744073709551617", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("one.test", "65536", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("one.test", "80", &(salp_resolve_options){ .numeric = true }) == SALP_ENONAME);
    EXPECT(error_of("127.0.0.1", "http", &(salp_resolve_options){ .numeric = true }) == SALP_ENOSERVICE);
    EXPECT(error_of("one.test", "80", &(salp_resolve_options){ .family = SALP_UNIX }) == -EINVAL);
    EXPECT(salp_resolve(NULL, "127.0.0.1", "80", NULL) == -EINVAL);
    salp_addresses_free(NULL);
    return 0;
}

static void call_look_up_numbers(void *called)
{
    look_up_numbers(NULL);
    note_call(called);
}

static void numbers_are_told_without_asking(void **state)
{
    bool called = false;
    (void)state;
    everywhere(look_up_numbers);
    in_callback(call_look_up_numbers, &called);
    assert_true(called);
    assert_int_equal(atomic_load(&asked), 0);
}

/* ---- what has to be asked for ---- */

static int look_up_names(void *arg)
{
    (void)arg;
    expect_addresses("one.test", "80", NULL, "192.0.2.1:80 ");
    expect_addresses("one.test", NULL, NULL, "192.0.2.1 ");
    EXPECT(error_of("noname.test", "80", NULL) == SALP_ENONAME);
    EXPECT(error_of("letters.test", "80", NULL) == SALP_ENONAME);
    EXPECT(error_of("nodata.test", "80", NULL) == SALP_ENOADDRESS);
    EXPECT(error_of("family.test", "80", NULL) == SALP_ENOADDRESS);
    EXPECT(error_of("again.test", "80", NULL) == SALP_ETRYAGAIN);
    EXPECT(error_of("fail.test", "80", NULL) == SALP_ENAMESERVER);
    errno = EACCES; /* of something before */
    EXPECT(error_of("silent.test", "80", NULL) == SALP_ENAMESERVER);
    EXPECT(error_of("service.test", "a service", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("memory.test", "80", NULL) == -ENOMEM);
    EXPECT(error_of("descriptors.test", "80", NULL) == -EMFILE);
    EXPECT(error_of("strange.test", "80", NULL) == -EINVAL);
    return 0;
}

static void answers_and_failures_are_told_apart(void **state)
{
    (void)state;
    everywhere(look_up_names);
    assert_int_equal(atomic_load(&asked), 3 * 13);
}

static int look_up_service(void *arg)
{
    (void)arg;
    expect_addresses("127.0.0.1", "http", NULL, "127.0.0.1:80 ");
    expect_addresses("localhost", "domain", &(salp_resolve_options){ .family = SALP_IPV4, .datagram = true },
                     "127.0.0.1:53 ");
    EXPECT(error_of("127.0.0.1", "no-such-service", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("127.0.0.1", "", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("127.0.0.1", "-1", NULL) == SALP_ENOSERVICE);
    EXPECT(error_of("a..b", "80", NULL) == SALP_ENONAME); /* no name server is asked for this */
    return 0;
}

static void services_have_names(void **state)
{
    (void)state;
    if (!getservbyname("http", "tcp") || !getservbyname("domain", "udp"))
        test_skip("this system has no list of services");
    everywhere(look_up_service);
}

static int look_up_addresses(void *arg)
{
    salp_address address;
    char name[SALP_NAME_TEXT];
    (void)arg;
    EXPECT(salp_address_parse(&address, "192.0.2.1:80") == 0);
    EXPECT(salp_resolve_name(&address, name, sizeof name) == 8 && strcmp(name, "one.test") == 0);
    EXPECT(salp_resolve_name(&address, name, 9) == 8 && strcmp(name, "one.test") == 0);
    EXPECT(salp_resolve_name(&address, name, 8) == -ENOSPC && strcmp(name, "") == 0);
    EXPECT(salp_resolve_name(&address, name, 0) == -EINVAL);
    EXPECT(salp_resolve_name(&address, NULL, 9) == -EINVAL);
    EXPECT(salp_resolve_name(NULL, name, sizeof name) == -EINVAL);
    EXPECT(salp_address_parse(&address, "192.0.2.2") == 0);
    EXPECT(salp_resolve_name(&address, name, sizeof name) == SALP_ENONAME && strcmp(name, "") == 0);
    EXPECT(salp_address_parse(&address, "192.0.2.4") == 0);
    EXPECT(salp_resolve_name(&address, name, sizeof name) == SALP_ETRYAGAIN);
    EXPECT(salp_address_parse(&address, "/run/service") == 0);
    EXPECT(salp_resolve_name(&address, name, sizeof name) == -EAFNOSUPPORT);
    return 0;
}

static void addresses_have_names(void **state)
{
    (void)state;
    everywhere(look_up_addresses);
}

/* ---- who asks ---- */

static void a_plain_thread_without_a_scope_asks_by_itself(void **state)
{
    (void)state;
    expect_addresses("one.test", "80", NULL, "192.0.2.1:80 ");
    assert_int_equal(atomic_load(&asker), syscall(SYS_gettid));
}

static int ask_from_task(void *arg)
{
    (void)arg;
    expect_addresses("one.test", "80", NULL, "192.0.2.1:80 ");
    EXPECT(atomic_load(&asker) != (pid_t)syscall(SYS_gettid));
    EXPECT(atomic_load(&open_signals) == 0);
    return 0;
}

static void threads_that_ask_take_no_signals(void **state)
{
    (void)state;
    assert_int_equal(salp_run(ask_from_task, NULL), 0);
}

static void call_and_look_up(void *result)
{
    salp_address *addresses;
    *(int *)result = salp_resolve(&addresses, "one.test", "80", NULL);
}

static void callbacks_cannot_ask(void **state)
{
    int result = 0;
    (void)state;
    in_callback(call_and_look_up, &result);
    assert_int_equal(result, SALP_EINSIDE);
    assert_int_equal(atomic_load(&asked), 0);
}

/* ---- slow ones ---- */

static int ended; /* tasks that have their answer */

static int look_up_slowly(void *arg)
{
    (void)arg;
    expect_addresses("slow.test", "80", NULL, "192.0.2.1:80 ");
    ended++;
    return 0;
}

/* Opens the group, with MANY tasks that ask for slow names, and returns when all threads are held up by them. */
static void go_many(salp_group *group, salp_fn *function)
{
    salp_group_open(group);
    for (int i = 0; i < MANY; i++)
        EXPECT(salp_go(group, function, NULL) == 0);
    while (atomic_load(&gate.inside) < MOST)
        EXPECT(salp_sleep(SALP_MICROSECONDS(100)) == 0);
}

/* All of them end. */
static void close_many(salp_group *group)
{
    EXPECT(salp_group_close(group) == 0);
    EXPECT(ended == MANY);
}

static int look_up_many_slowly(void *arg)
{
    salp_group group;
    (void)arg;
    go_many(&group, look_up_slowly);
    /* The loop goes on. */
    for (int i = 0; i < 100; i++)
        EXPECT(salp_yield() == 0);
    /* And so do files, which others read. */
    salp_buffer file = { 0 };
    EXPECT(salp_file_load("/proc/self/stat", &file) == 0 && file.size > 0);
    salp_buffer_free(&file);
    EXPECT(ended == 0);
    atomic_store(&gate.open, 1);
    close_many(&group);
    return 0;
}

static void many_slow_names_hold_up_nobody(void **state)
{
    (void)state;
    assert_int_equal(salp_run(look_up_many_slowly, NULL), 0);
    assert_int_equal(atomic_load(&asked), MANY);
    assert_int_equal(atomic_load(&most_under_way), MOST);
}

static int leave_slow_name(void *arg)
{
    salp_scope scope;
    char name[SALP_NAME_TEXT];
    salp_address *addresses, address;
    (void)arg;
    struct canceller canceller;
    cancel_at(&canceller, &scope, &gate.inside, 1);
    EXPECT(salp_resolve(&addresses, "slow.test", "80", NULL) == -ECANCELED && !addresses);
    /* and every time until it is closed */
    EXPECT(salp_resolve(&addresses, "slow.test", "80", NULL) == -ECANCELED && !addresses);
    was_cancelled(&canceller);
    EXPECT(salp_address_parse(&address, "192.0.2.3") == 0);
    cancel_at(&canceller, &scope, &gate.inside, 2);
    EXPECT(salp_resolve_name(&address, name, sizeof name) == -ECANCELED);
    was_cancelled(&canceller);
    EXPECT(atomic_load(&asked) == 2);
    return 0;
}

static void a_task_leaves_a_slow_name_behind(void **state)
{
    (void)state;
    assert_int_equal(salp_run(leave_slow_name, NULL), 0);
    atomic_store(&gate.open, 1); /* the threads free what they have */
}

static void a_plain_thread_leaves_a_slow_name_behind(void **state)
{
    (void)state;
    assert_int_equal(leave_slow_name(NULL), 0);
    atomic_store(&gate.open, 1);
}

/* With a crew whose threads are all held up, so that nothing can come first. */
static int run_out_of_time(void *arg)
{
    salp_group group;
    salp_scope scope;
    salp_address *addresses;
    (void)arg;
    go_many(&group, look_up_slowly);
    salp_scope_open(&scope, SALP_MILLISECONDS(1));
    EXPECT(salp_resolve(&addresses, "one.test", "80", NULL) == -ETIMEDOUT && !addresses);
    EXPECT(salp_scope_close(&scope) == -ETIMEDOUT);
    atomic_store(&gate.open, 1);
    close_many(&group);
    EXPECT(atomic_load(&asked) == MANY);
    return 0;
}

static void a_deadline_ends_the_wait_for_a_turn(void **state)
{
    (void)state;
    assert_int_equal(salp_run(run_out_of_time, NULL), 0);
}

static int be_cancelled(void *arg)
{
    salp_address *addresses;
    (void)arg;
    EXPECT(salp_resolve(&addresses, "slow.test", "80", NULL) == -ECANCELED && !addresses);
    ended++;
    return 0;
}

static int cancel_many(void *arg)
{
    salp_group group;
    (void)arg;
    go_many(&group, be_cancelled);
    salp_group_cancel(&group);
    close_many(&group);
    return 0;
}

static void names_that_nobody_waits_for_any_more_are_not_looked_up(void **state)
{
    (void)state;
    assert_int_equal(salp_run(cancel_many, NULL), 0);
    atomic_store(&gate.open, 1);
    /* A name that comes after them is served by threads that have seen all of the queue. */
    assert_int_equal(salp_run(ask_from_task, NULL), 0);
    assert_int_equal(atomic_load(&asked), MOST + 1);
}

static void a_program_ends_while_names_are_looked_up(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        pid_t child = fork();
        if (child == 0) {
            if (salp_run(leave_slow_name, NULL) != 0)
                _exit(1);
            if (way == 0)
                _exit(7);
            exit(7); /* with all that was registered for it */
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 7);
    }
}

static void *run_in_thread(void *arg)
{
    EXPECT(salp_run(ask_from_task, arg) == 0);
    return NULL;
}

/* The parent's threads are all busy, and its queue is long, when it forks. */
static int fork_and_look_up(void *arg)
{
    salp_group group;
    (void)arg;
    go_many(&group, look_up_slowly);
    pid_t child = fork();
    if (child == 0) {
        /* The run is the parent's, so this is done in a thread of its own. */
        pthread_t thread;
        EXPECT(pthread_create(&thread, NULL, run_in_thread, NULL) == 0);
        EXPECT(pthread_join(thread, NULL) == 0);
        _exit(7);
    }
    int status;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    atomic_store(&gate.open, 1);
    close_many(&group);
    return 0;
}

static void a_child_asks_with_threads_of_its_own(void **state)
{
    (void)state;
    assert_int_equal(salp_run(fork_and_look_up, NULL), 0);
}

/* ---- at the same time ---- */

static int end_about_now(void *arg)
{
    unsigned random = (unsigned)(uintptr_t)arg;
    salp_scope scope;
    salp_address *addresses;
    salp_scope_open(&scope, SALP_MICROSECONDS(rand_r(&random) % 60));
    int count = salp_resolve(&addresses, "one.test", "80", NULL), over = salp_scope_close(&scope);
    EXPECT(count == 1 || count == -ETIMEDOUT);
    EXPECT((count == 1) == (addresses != NULL));
    EXPECT(over == (count == 1 ? 0 : -ETIMEDOUT));
    salp_addresses_free(addresses);
    ended++;
    return 0;
}

static int end_many_about_now(void *arg)
{
    salp_group group;
    (void)arg;
    for (int round = 0; round < test_scale(200); round++) {
        salp_group_open(&group);
        for (int i = 0; i < 20; i++)
            EXPECT(salp_go(&group, end_about_now, (void *)(uintptr_t)(unsigned)(round * 20 + i)) == 0);
        EXPECT(salp_group_close(&group) == 0);
    }
    EXPECT(ended == 20 * test_scale(200));
    return 0;
}

static void answers_that_come_as_a_scope_ends_are_given_or_freed(void **state)
{
    (void)state;
    assert_int_equal(salp_run(end_many_about_now, NULL), 0);
}

/* Loops in several threads share the crew. */
static int look_up_often(void *arg)
{
    (void)arg;
    for (int round = 0; round < test_scale(200); round++)
        expect_addresses("one.test", "80", NULL, "192.0.2.1:80 ");
    return 0;
}

static void several_loops_ask_at_a_time(void **state)
{
    (void)state;
    assert_int_equal(salp_run_loops(4, look_up_often, NULL), 0);
    assert_int_equal(atomic_load(&asked), 4 * test_scale(200));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("numbers are told without asking", numbers_are_told_without_asking),
        TEST("answers and failures are told apart", answers_and_failures_are_told_apart),
        TEST("services have names", services_have_names),
        TEST("addresses have names", addresses_have_names),
        TEST("a plain thread without a scope asks by itself", a_plain_thread_without_a_scope_asks_by_itself),
        TEST("threads that ask take no signals", threads_that_ask_take_no_signals),
        TEST("callbacks cannot ask", callbacks_cannot_ask),
        TEST("many slow names hold up nobody", many_slow_names_hold_up_nobody),
        TEST("a task leaves a slow name behind", a_task_leaves_a_slow_name_behind),
        TEST("a plain thread leaves a slow name behind", a_plain_thread_leaves_a_slow_name_behind),
        TEST("a deadline ends the wait for a turn", a_deadline_ends_the_wait_for_a_turn),
        TEST("names that nobody waits for any more are not looked up",
             names_that_nobody_waits_for_any_more_are_not_looked_up),
        TEST("a program ends while names are looked up", a_program_ends_while_names_are_looked_up),
        TEST("a child asks with threads of its own", a_child_asks_with_threads_of_its_own),
        TEST("answers that come as a scope ends are given or freed",
             answers_that_come_as_a_scope_ends_are_given_or_freed),
        TEST("several loops ask at a time", several_loops_ask_at_a_time),
    };
    return test_main(argc, argv, tests, LENGTH(tests));
}
