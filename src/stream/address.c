/* Addresses. SPDX-License-Identifier: MIT */
#include <salp/address.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/assert.h"
#include "os/names.h"

_Static_assert(SALP_UNIX == AF_UNIX && SALP_IPV4 == AF_INET && SALP_IPV6 == AF_INET6, "families are the system's");
_Static_assert(sizeof((salp_address *)0)->data == sizeof(struct sockaddr_storage), "every address fits");

enum {
    UNIX_NAME = offsetof(struct sockaddr_un, sun_path),          /* where the name begins */
    UNIX_MOST = sizeof((struct sockaddr_un *)0)->sun_path - 1,   /* bytes of a path, or of an abstract name */
    IPV6_TEXT = INET6_ADDRSTRLEN + 1 + SALP__INTERFACE_NAME + 1, /* with a zone, as a name or a number */
};
_Static_assert(SALP_ADDRESS_TEXT > sizeof "unix:@" + 4 * UNIX_MOST, "every text fits");

/* Copies go in and out: the bytes of `data` have no type of their own that would say how they may be read. */
static void store(salp_address *address, const void *sockaddr, size_t size)
{
    memset(address, 0, sizeof *address);
    memcpy(address->data, sockaddr, size);
    address->size = (uint32_t)size;
}

static struct sockaddr_in ipv4_of(const salp_address *address)
{
    struct sockaddr_in ipv4;
    memcpy(&ipv4, address->data, sizeof ipv4);
    return ipv4;
}

static struct sockaddr_in6 ipv6_of(const salp_address *address)
{
    struct sockaddr_in6 ipv6;
    memcpy(&ipv6, address->data, sizeof ipv6);
    return ipv6;
}

/* With its final zero, if it is a path and has one; an abstract name begins with a zero; empty: there is none. */
static const char *unix_name(const salp_address *address)
{
    return (const char *)address->data + UNIX_NAME;
}

static size_t unix_size(const salp_address *address)
{
    return address->size - UNIX_NAME;
}

/* ---- reading ---- */

/* A decimal number of digits alone, up to `most`. */
static int parse_number(const char *text, unsigned long most, unsigned long *number)
{
    *number = 0;
    if (*text == '\0')
        return -EINVAL;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return -EINVAL;
        *number = 10 * *number + (unsigned long)(*text - '0');
        if (*number > most)
            return -EINVAL;
    }
    return 0;
}

/* The port of an address, from behind its colon; NULL: there is none. */
static int parse_port(const char *text, in_port_t *port)
{
    unsigned long number = 0;
    int error = text ? parse_number(text, UINT16_MAX, &number) : 0;
    *port = htons((uint16_t)number);
    return error;
}

static int parse_zone(const char *text, uint32_t *zone)
{
    unsigned long number;
    if (parse_number(text, UINT32_MAX, &number) == 0) {
        *zone = (uint32_t)number;
        return 0;
    }
    int index = salp__interface_index(text);
    *zone = index > 0 ? (uint32_t)index : 0;
    return index > 0 ? 0 : index;
}

static int parse_ipv4(salp_address *address, const char *host, const char *port)
{
    struct sockaddr_in ipv4 = { .sin_family = AF_INET };
    if (inet_pton(AF_INET, host, &ipv4.sin_addr) != 1)
        return -EINVAL;
    int error = parse_port(port, &ipv4.sin_port);
    if (error == 0)
        store(address, &ipv4, sizeof ipv4);
    return error;
}

/* `host` is changed. */
static int parse_ipv6(salp_address *address, char *host, const char *port)
{
    struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
    char *zone = strchr(host, '%');
    if (zone)
        *zone++ = '\0';
    if (inet_pton(AF_INET6, host, &ipv6.sin6_addr) != 1)
        return -EINVAL;
    int error = parse_port(port, &ipv6.sin6_port);
    if (error == 0 && zone)
        error = *zone ? parse_zone(zone, &ipv6.sin6_scope_id) : -EINVAL;
    if (error == 0)
        store(address, &ipv6, sizeof ipv6);
    return error;
}

/* "[host]" or "[host]:port", which is changed. */
static int parse_brackets(salp_address *address, char *text)
{
    char *end = strchr(text, ']'), *port = NULL;
    if (!end)
        return -EINVAL;
    if (end[1] == ':')
        port = end + 2;
    else if (end[1] != '\0')
        return -EINVAL;
    *end = '\0';
    return parse_ipv6(address, text + 1, port);
}

static int parse_internet(salp_address *address, const char *text)
{
    char copy[1 + IPV6_TEXT + sizeof "]:65535"];
    size_t length = strlen(text);
    if (length >= sizeof copy)
        return -EINVAL; /* longer than any */
    memcpy(copy, text, length + 1);
    if (*copy == '[')
        return parse_brackets(address, copy);
    char *colon = strchr(copy, ':');
    if (colon && strchr(colon + 1, ':'))
        return parse_ipv6(address, copy, NULL);
    if (colon)
        *colon++ = '\0';
    return parse_ipv4(address, copy, colon);
}

static int hexadecimal(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    digit |= 'a' ^ 'A'; /* as a small letter */
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

/* One byte of an abstract name. Moves the text on; -EINVAL: a backslash that begins no \xNN. */
static int parse_byte(const char **text)
{
    const char *at = *text;
    *text = at + 1;
    if (*at != '\\')
        return (unsigned char)*at;
    int high = at[1] == 'x' ? hexadecimal(at[2]) : -1, low = high >= 0 ? hexadecimal(at[3]) : -1;
    if (low < 0)
        return -EINVAL;
    *text = at + 4;
    return 16 * high + low;
}

static int parse_abstract(salp_address *address, const char *name)
{
    struct sockaddr_un abstract = { .sun_family = AF_UNIX };
    size_t length = 0;
    while (*name) {
        int byte = parse_byte(&name);
        if (byte < 0)
            return byte;
        if (length == UNIX_MOST)
            return -ENAMETOOLONG;
        abstract.sun_path[1 + length++] = (char)byte;
    }
    store(address, &abstract, UNIX_NAME + 1 + length);
    return 0;
}

int salp_address_unix(salp_address *address, const char *path)
{
    struct sockaddr_un named = { .sun_family = AF_UNIX };
    if (!address)
        return -EINVAL;
    *address = (salp_address){ .size = 0 };
    if (!path)
        return -EINVAL;
    if (*path == '@')
        return parse_abstract(address, path + 1);
    size_t length = strlen(path);
    if (length > UNIX_MOST)
        return -ENAMETOOLONG;
    memcpy(named.sun_path, path, length);
    /* A path goes with its final zero; without any, there is no name. */
    store(address, &named, length > 0 ? UNIX_NAME + length + 1 : UNIX_NAME);
    return 0;
}

int salp_address_parse(salp_address *address, const char *text)
{
    static const char prefix[] = "unix:";
    if (!address)
        return -EINVAL;
    *address = (salp_address){ .size = 0 };
    if (!text)
        return -EINVAL;
    if (strncmp(text, prefix, sizeof prefix - 1) == 0)
        return salp_address_unix(address, text + sizeof prefix - 1);
    if (*text == '/' || *text == '@')
        return salp_address_unix(address, text);
    return parse_internet(address, text);
}

int salp_address_set(salp_address *address, const void *sockaddr, size_t size)
{
    sa_family_t family;
    if (!address)
        return -EINVAL;
    *address = (salp_address){ .size = 0 };
    if (!sockaddr || size < sizeof family || size > sizeof address->data)
        return -EINVAL;
    memcpy(&family, sockaddr, sizeof family);
    bool fits = family != AF_UNSPEC;
    if (family == AF_INET)
        fits = size >= sizeof(struct sockaddr_in);
    else if (family == AF_INET6)
        fits = size >= sizeof(struct sockaddr_in6);
    else if (family == AF_UNIX)
        fits = size <= sizeof(struct sockaddr_un);
    if (!fits)
        return -EINVAL;
    store(address, sockaddr, size);
    return 0;
}

/* ---- writing ---- */

static void write_host_and_port(char text[SALP_ADDRESS_TEXT], const char *host, bool brackets, unsigned port)
{
    if (port == 0)
        snprintf(text, SALP_ADDRESS_TEXT, "%s", host);
    else
        snprintf(text, SALP_ADDRESS_TEXT, brackets ? "[%s]:%u" : "%s:%u", host, port);
}

static void write_ipv4(char text[SALP_ADDRESS_TEXT], const salp_address *address)
{
    struct sockaddr_in ipv4 = ipv4_of(address);
    char host[INET_ADDRSTRLEN];
    salp__must(inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof host));
    write_host_and_port(text, host, false, ntohs(ipv4.sin_port));
}

static void write_ipv6(char text[SALP_ADDRESS_TEXT], const salp_address *address)
{
    struct sockaddr_in6 ipv6 = ipv6_of(address);
    char host[IPV6_TEXT], zone[SALP__INTERFACE_NAME];
    salp__must(inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof host));
    if (ipv6.sin6_scope_id != 0) {
        if (salp__interface_name(ipv6.sin6_scope_id, zone) < 0)
            snprintf(zone, sizeof zone, "%u", ipv6.sin6_scope_id);
        strcat(strcat(host, "%"), zone);
    }
    write_host_and_port(text, host, true, ntohs(ipv6.sin6_port));
}

static void write_unix(char text[SALP_ADDRESS_TEXT], const salp_address *address)
{
    const char *name = unix_name(address);
    size_t size = unix_size(address);
    if (size == 0 || name[0] != '\0') {
        /* The system counts the final zero of a path, but does not insist on it. A path may begin as abstract names do. */
        const char *before = size == 0 ? "unix:" : name[0] == '/' ? "" : name[0] == '@' ? "unix:./" : "unix:";
        snprintf(text, SALP_ADDRESS_TEXT, "%s%.*s", before, (int)size, name);
        return;
    }
    *text++ = '@';
    for (size_t i = 1; i < size; i++) {
        unsigned char byte = (unsigned char)name[i];
        if (byte > ' ' && byte < 0x7f && byte != '\\')
            *text++ = (char)byte;
        else
            text += sprintf(text, "\\x%02x", byte);
    }
    *text = '\0';
}

int salp_address_text(const salp_address *address, char *text, size_t size)
{
    char whole[SALP_ADDRESS_TEXT];
    if (text && size > 0)
        *text = '\0';
    if (!address || !text)
        return -EINVAL;
    switch (salp_address_family(address)) {
    case SALP_IPV4:
        write_ipv4(whole, address);
        break;
    case SALP_IPV6:
        write_ipv6(whole, address);
        break;
    case SALP_UNIX:
        write_unix(whole, address);
        break;
    default:
        return -EAFNOSUPPORT;
    }
    size_t length = strlen(whole);
    if (length >= size)
        return -ENOSPC;
    memcpy(text, whole, length + 1);
    return (int)length;
}

/* ---- its parts ---- */

int salp_address_family(const salp_address *address)
{
    sa_family_t family = AF_UNSPEC;
    if (address && address->size >= sizeof family)
        memcpy(&family, address->data, sizeof family);
    return family;
}

int salp_address_port(const salp_address *address)
{
    if (!address)
        return -EINVAL;
    switch (salp_address_family(address)) {
    case SALP_IPV4:
        return ntohs(ipv4_of(address).sin_port);
    case SALP_IPV6:
        return ntohs(ipv6_of(address).sin6_port);
    default:
        return -EAFNOSUPPORT;
    }
}

int salp_address_set_port(salp_address *address, unsigned port)
{
    int error = salp_address_port(address);
    if (error < 0)
        return error;
    if (port > UINT16_MAX)
        return -EINVAL;
    if (salp_address_family(address) == SALP_IPV4) {
        struct sockaddr_in ipv4 = ipv4_of(address);
        ipv4.sin_port = htons((uint16_t)port);
        store(address, &ipv4, sizeof ipv4);
    } else {
        struct sockaddr_in6 ipv6 = ipv6_of(address);
        ipv6.sin6_port = htons((uint16_t)port);
        store(address, &ipv6, sizeof ipv6);
    }
    return 0;
}

static bool unix_equal(const salp_address *a, const salp_address *b)
{
    const char *x = unix_name(a), *y = unix_name(b);
    size_t m = unix_size(a), n = unix_size(b);
    if (m > 0 && n > 0 && *x && *y) {
        m = strnlen(x, m);
        n = strnlen(y, n);
    }
    return m == n && memcmp(x, y, m) == 0;
}

bool salp_address_equal(const salp_address *a, const salp_address *b)
{
    int family = salp_address_family(a);
    if (family != salp_address_family(b))
        return false;
    /* Not the bytes: some of them mean nothing. */
    if (family == SALP_IPV4) {
        struct sockaddr_in x = ipv4_of(a), y = ipv4_of(b);
        return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
    }
    if (family == SALP_IPV6) {
        struct sockaddr_in6 x = ipv6_of(a), y = ipv6_of(b);
        return x.sin6_port == y.sin6_port && x.sin6_scope_id == y.sin6_scope_id &&
               memcmp(&x.sin6_addr, &y.sin6_addr, sizeof x.sin6_addr) == 0;
    }
    if (family == SALP_UNIX)
        return unix_equal(a, b);
    return family == SALP_NO_FAMILY || (a->size == b->size && memcmp(a->data, b->data, a->size) == 0);
}
