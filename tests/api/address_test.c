/*
 * Addresses and their texts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <salp/address.h>

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static salp_address parsed(const char *text)
{
    salp_address address;
    int error = salp_address_parse(&address, text);
    if (error < 0)
        fail_msg("\"%s\" is not read: %s", text, salp_strerror(error));
    return address;
}

/* What is read from `text`, written. */
static const char *written(const char *text)
{
    static char whole[SALP_ADDRESS_TEXT];
    salp_address address = parsed(text);
    int length = salp_address_text(&address, whole, sizeof whole);
    assert_int_equal(length, strlen(whole));
    return whole;
}

static void what_is_read_is_written_again(void **state)
{
    static const char *const texts[] = {
        "127.0.0.1",
        "127.0.0.1:80",
        "0.0.0.0",
        "255.255.255.255:65535",
        "::",
        "::1",
        "[::1]:80",
        "[2001:db8::1:2]:1",
        "::ffff:192.0.2.1",
        "fe80::1%lo",
        "[fe80::1%lo]:80",
        "/run/service",
        "/",
        "unix:service",
        "unix:./@service",
        "unix:",
        "@service",
        "@",
        "@a\\x00b\\x20c\\x5c",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++)
        assert_string_equal(written(texts[i]), texts[i]);
}

static void there_are_several_ways_to_write_one(void **state)
{
    (void)state;
    assert_string_equal(written("[::1]"), "::1");
    assert_string_equal(written("127.0.0.1:0"), "127.0.0.1");
    assert_string_equal(written("127.0.0.1:00080"), "127.0.0.1:80");
    assert_string_equal(written("[::1]:0"), "::1");
    assert_string_equal(written("0:0:0:0:0:0:0:1"), "::1");
    assert_string_equal(written("2001:DB8::A"), "2001:db8::a");
    assert_string_equal(written("1::1:80"), "1::1:80"); /* no port without brackets */
    assert_string_equal(written("unix:/run/service"), "/run/service");
    assert_string_equal(written("unix:@service"), "@service");
    assert_string_equal(written("@\\x41\\x4A\\x4a\\xff"), "@AJJ\\xff");
    assert_string_equal(written("fe80::1%1"), "fe80::1%lo");
    assert_string_equal(written("fe80::1%4000000000"), "fe80::1%4000000000"); /* no interface has this number */
}

static void what_is_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        ":",
        ":80",
        "localhost",
        "localhost:80",
        "127.0.0.1:",
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:+1",
        "127.0.0.1: 1",
        "127.0.0.1:80x",
        "127.0.0.1:18446744073709551696",
        "127.0.0.1:http",
        "127.0.0",
        "127.0.0.1.",
        "127.0.0.256",
        "127.0.0.1%lo",
        " 127.0.0.1",
        "[127.0.0.1]:80",
        "[::1",
        "[]",
        "[::1]80",
        "[::1]:",
        "[::1]:80:80",
        "::1]",
        "1:2:3",
        ":::",
        "::1%",
        "::g",
        "1:2:3:4:5:6:7:8:9",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:1111:2222:3333:4444",
        "@\\",
        "@\\x",
        "@\\x1",
        "@\\x1g",
        "@\\y41",
        "@a\\\\b",
        "service",
        "Unix:service",
    };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        salp_address address = { .size = 5 };
        int error = salp_address_parse(&address, texts[i]);
        if (error != -EINVAL)
            fail_msg("\"%s\": %d", texts[i], error);
        assert_int_equal(salp_address_family(&address), SALP_NO_FAMILY);
    }
}

static void a_zone_is_an_interface(void **state)
{
    salp_address address;
    (void)state;
    assert_int_equal(salp_address_parse(&address, "fe80::1%none_such"), -ENODEV);
    assert_int_equal(salp_address_parse(&address, "fe80::1%4294967296"), -ENODEV);
    assert_int_equal(salp_address_parse(&address, "fe80::1%a_name_that_is_too_long"), -ENODEV);
    address = parsed("fe80::1%lo");
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, address.data, sizeof ipv6);
    assert_int_equal(ipv6.sin6_scope_id, 1);
}

static void unix_names_have_a_longest(void **state)
{
    char text[200] = "unix:", back[SALP_ADDRESS_TEXT];
    salp_address address;
    (void)state;
    memset(text + 5, 'x', 107);
    address = parsed(text);
    assert_int_equal(address.size, sizeof(struct sockaddr_un));
    assert_int_equal(salp_address_text(&address, back, sizeof back), 112);
    assert_string_equal(back, text);
    text[112] = 'x';
    assert_int_equal(salp_address_parse(&address, text), -ENAMETOOLONG);
    assert_int_equal(address.size, 0);
    text[5] = '@';
    address = parsed(text);
    assert_int_equal(address.size, sizeof(struct sockaddr_un));
    assert_string_equal(written(text), text + 5);
    text[113] = 'x';
    assert_int_equal(salp_address_parse(&address, text), -ENAMETOOLONG);

    char longest[5 + 107 * 4 + 1] = "unix:@";
    for (int i = 0; i < 105; i++)
        strcat(longest, "\\xfe");
    assert_string_equal(written(longest), longest + 5);
}

static void addresses_are_as_the_system_wants_them(void **state)
{
    salp_address address = parsed("192.0.2.1:258");
    struct sockaddr_in ipv4;
    struct sockaddr_in6 ipv6;
    struct sockaddr_un named;
    (void)state;
    assert_int_equal(address.size, sizeof ipv4);
    memcpy(&ipv4, address.data, sizeof ipv4);
    assert_int_equal(ipv4.sin_family, AF_INET);
    assert_int_equal(ntohl(ipv4.sin_addr.s_addr), 0xc0000201);
    assert_int_equal(ntohs(ipv4.sin_port), 258);

    address = parsed("[::1]:258");
    assert_int_equal(address.size, sizeof ipv6);
    memcpy(&ipv6, address.data, sizeof ipv6);
    assert_int_equal(ipv6.sin6_family, AF_INET6);
    assert_memory_equal(&ipv6.sin6_addr, &in6addr_loopback, sizeof in6addr_loopback);
    assert_int_equal(ntohs(ipv6.sin6_port), 258);
    assert_int_equal(ipv6.sin6_scope_id, 0);

    address = parsed("/run/x");
    memcpy(&named, address.data, sizeof named);
    assert_int_equal(named.sun_family, AF_UNIX);
    assert_string_equal(named.sun_path, "/run/x");
    assert_int_equal(address.size, offsetof(struct sockaddr_un, sun_path) + 7);
}

/* Binds, connects to what getsockname says, and looks at who that is. */
static void a_socket_can_be_bound_and_reached(void **state)
{
    static const char *const texts[] = { "127.0.0.1", "unix:", "@salp\\x00test" };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        salp_address address = parsed(texts[i]), own;
        int family = salp_address_family(&address), listening = socket(family, SOCK_STREAM, 0),
            connected = socket(family, SOCK_STREAM, 0);
        struct sockaddr_storage name;
        socklen_t size = sizeof name;
        if (family == AF_UNIX && address.size > sizeof(sa_family_t)) {
            /* a name that no other run of this test has */
            char text[64];
            snprintf(text, sizeof text, "%s%d", texts[i], (int)getpid());
            address = parsed(text);
        }
        assert_int_equal(bind(listening, (struct sockaddr *)address.data, address.size), 0);
        assert_int_equal(listen(listening, 1), 0);
        assert_int_equal(getsockname(listening, (struct sockaddr *)&name, &size), 0);
        assert_int_equal(salp_address_set(&own, &name, size), 0);
        assert_int_equal(salp_address_family(&own), family);
        assert_true(family == AF_UNIX || salp_address_port(&own) > 0);
        /* and there and back by its text */
        char text[SALP_ADDRESS_TEXT];
        assert_true(salp_address_text(&own, text, sizeof text) > 0);
        salp_address again = parsed(text);
        assert_true(salp_address_equal(&own, &again));
        assert_int_equal(connect(connected, (struct sockaddr *)again.data, again.size), 0);
        close(connected);
        close(listening);
    }
}

static void ports_are_read_and_set(void **state)
{
    salp_address ipv4 = parsed("127.0.0.1:80"), ipv6 = parsed("[fe80::1%lo]:443"), named = parsed("@x"),
                 none = { .size = 0 };
    (void)state;
    assert_int_equal(salp_address_port(&ipv4), 80);
    assert_int_equal(salp_address_port(&ipv6), 443);
    assert_int_equal(salp_address_port(&named), -EAFNOSUPPORT);
    assert_int_equal(salp_address_port(&none), -EAFNOSUPPORT);
    assert_int_equal(salp_address_port(NULL), -EINVAL);
    assert_int_equal(salp_address_set_port(&ipv4, 65535), 0);
    assert_int_equal(salp_address_set_port(&ipv6, 0), 0);
    assert_int_equal(salp_address_set_port(&ipv4, 65536), -EINVAL);
    assert_int_equal(salp_address_set_port(&named, 1), -EAFNOSUPPORT);
    assert_int_equal(salp_address_set_port(NULL, 1), -EINVAL);
    salp_address expected = parsed("127.0.0.1:65535");
    assert_true(salp_address_equal(&ipv4, &expected));
    expected = parsed("fe80::1%lo");
    assert_true(salp_address_equal(&ipv6, &expected));
}

static void equal_is_what_is_the_same_place(void **state)
{
    static const char *const texts[] = { "127.0.0.1", "127.0.0.1:80", "127.0.0.2:80",     "[::1]:80", "::1",
                                         "fe80::1",   "fe80::1%lo",   "::ffff:127.0.0.1", "/x",       "@x",
                                         "@x\\x00",   "unix:",        "unix:x",           "@" };
    (void)state;
    for (size_t i = 0; i < LENGTH(texts); i++) {
        for (size_t k = 0; k < LENGTH(texts); k++) {
            salp_address a = parsed(texts[i]), b = parsed(texts[k]);
            if (salp_address_equal(&a, &b) != (i == k))
                fail_msg("\"%s\" and \"%s\"", texts[i], texts[k]);
        }
    }
    /* padding of IPv4 and the final zero of a path mean nothing */
    salp_address a = parsed("127.0.0.1:80"), b = a, none = { .size = 0 };
    ((unsigned char *)b.data)[sizeof(struct sockaddr_in) - 1] = 1;
    assert_true(salp_address_equal(&a, &b));
    a = parsed("/x");
    b = a;
    b.size--;
    assert_true(salp_address_equal(&a, &b));
    assert_true(salp_address_equal(&none, &none) && salp_address_equal(NULL, &none));
    assert_false(salp_address_equal(&a, &none) || salp_address_equal(NULL, &a));
}

static void what_does_not_fit_is_refused(void **state)
{
    salp_address address = parsed("[::1]:80");
    struct sockaddr_storage other = { .ss_family = AF_NETLINK };
    struct sockaddr_un named = { .sun_family = AF_UNIX };
    char text[9] = "x";
    (void)state;
    assert_int_equal(salp_address_text(&address, text, 8), -ENOSPC);
    assert_string_equal(text, "");
    assert_int_equal(salp_address_text(&address, text, 9), 8);
    assert_int_equal(salp_address_text(&address, text, 0), -ENOSPC);
    assert_string_equal(text, "[::1]:80"); /* not even the zero fits */
    assert_int_equal(salp_address_text(&address, NULL, 0), -EINVAL);
    assert_int_equal(salp_address_text(NULL, text, sizeof text), -EINVAL);
    assert_int_equal(salp_address_parse(NULL, "::1"), -EINVAL);
    assert_int_equal(salp_address_parse(&address, NULL), -EINVAL);
    assert_int_equal(salp_address_unix(NULL, "x"), -EINVAL);
    assert_int_equal(salp_address_unix(&address, NULL), -EINVAL);
    assert_int_equal(salp_address_text(&address, text, sizeof text), -EAFNOSUPPORT);

    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
    assert_int_equal(salp_address_set(NULL, &ipv4, sizeof ipv4), -EINVAL);
    assert_int_equal(salp_address_set(&address, NULL, sizeof ipv4), -EINVAL);
    assert_int_equal(salp_address_set(&address, &ipv4, sizeof ipv4 - 1), -EINVAL);
    assert_int_equal(salp_address_set(&address, &ipv6, sizeof ipv6 - 1), -EINVAL);
    assert_int_equal(salp_address_set(&address, &ipv4, 1), -EINVAL);
    assert_int_equal(salp_address_set(&address, &other, sizeof other + 1), -EINVAL);
    assert_int_equal(salp_address_set(&address, &other, sizeof other), 0);
    assert_int_equal(salp_address_family(&address), AF_NETLINK);
    assert_int_equal(salp_address_text(&address, text, sizeof text), -EAFNOSUPPORT);
    assert_int_equal(salp_address_port(&address), -EAFNOSUPPORT);
    other.ss_family = AF_UNIX;
    assert_int_equal(salp_address_set(&address, &other, sizeof named + 1), -EINVAL);
    other.ss_family = AF_UNSPEC;
    assert_int_equal(salp_address_set(&address, &other, sizeof other), -EINVAL);
    assert_int_equal(salp_address_family(NULL), SALP_NO_FAMILY);

    /* a path that would be read as an abstract name */
    char odd[SALP_ADDRESS_TEXT];
    struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = "@x" };
    assert_int_equal(salp_address_set(&address, &at, sizeof at), 0);
    assert_int_equal(salp_address_text(&address, odd, sizeof odd), 9);
    assert_string_equal(odd, "unix:./@x");

    /* a path without a final zero, as long as the system allows */
    char longest[SALP_ADDRESS_TEXT];
    memset(named.sun_path, 'x', sizeof named.sun_path);
    assert_int_equal(salp_address_set(&address, &named, sizeof named), 0);
    assert_int_equal(salp_address_text(&address, longest, sizeof longest), 5 + 108);
    memset(named.sun_path, 0, sizeof named.sun_path);
    assert_int_equal(salp_address_set(&address, &named, sizeof named), 0);
    assert_int_equal(salp_address_text(&address, longest, sizeof longest), 1 + 4 * 107);
}

/* Whatever is read can be written, and is then the same. */
static void texts_of_any_bytes_do_no_harm(void **state)
{
    static const char letters[] = "0123456789abcdef:.[]%@/\\xlounx-";
    int taken = 0;
    (void)state;
    srandom(1);
    for (int round = 0; round < test_scale(200000); round++) {
        char text[24], back[SALP_ADDRESS_TEXT];
        size_t length = (size_t)random() % (sizeof text - 1);
        for (size_t i = 0; i < length; i++)
            text[i] = letters[(size_t)random() % (random() % 2 ? 25 : sizeof letters - 1)];
        text[length] = '\0';
        salp_address a, b;
        if (salp_address_parse(&a, text) < 0)
            continue;
        taken++;
        assert_true(salp_address_text(&a, back, sizeof back) > 0);
        b = parsed(back);
        if (!salp_address_equal(&a, &b))
            fail_msg("\"%s\" became \"%s\"", text, back);
    }
    assert_true(taken > test_scale(1000));
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST("what is read is written again", what_is_read_is_written_again),
        TEST("there are several ways to write one", there_are_several_ways_to_write_one),
        TEST("what is no address is refused", what_is_no_address_is_refused),
        TEST("a zone is an interface", a_zone_is_an_interface),
        TEST("Unix names have a longest", unix_names_have_a_longest),
        TEST("addresses are as the system wants them", addresses_are_as_the_system_wants_them),
        TEST("a socket can be bound and reached", a_socket_can_be_bound_and_reached),
        TEST("ports are read and set", ports_are_read_and_set),
        TEST("equal is what is the same place", equal_is_what_is_the_same_place),
        TEST("what does not fit is refused", what_does_not_fit_is_refused),
        TEST("texts of any bytes do no harm", texts_of_any_bytes_do_no_harm),
    };
    return test_main(argc, argv, tests, sizeof tests / sizeof *tests);
}
