/*
 * Names. What can be told without asking anybody is told in line; the rest are errands (sync/errand.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include <salp/name.h>

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "os/memory.h"
#include "os/names.h"
#include "sync/errand.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* ---- addresses of a name ---- */

typedef struct lookup {
    salp__errand errand;
    struct addrinfo hints;
    const char *host, *service; /* or NULL; in `text` */
    int result;                 /* how many, or an error */
    salp_address *addresses;
    char text[];
} lookup;

/* Returns how many addresses were found. */
static int find(const char *host, const char *service, const struct addrinfo *hints, salp_address **addresses)
{
    struct addrinfo *found;
    int count = 0, error = salp__hosts_find(host, service, hints, &found);
    if (error < 0)
        return error;
    for (const struct addrinfo *each = found; each; each = each->ai_next)
        count++;
    *addresses = salp__allocate((size_t)count * sizeof **addresses);
    if (*addresses) {
        salp_address *next = *addresses;
        for (const struct addrinfo *each = found; each; each = each->ai_next)
            next += salp_address_set(next, each->ai_addr, each->ai_addrlen) == 0;
        count = (int)(next - *addresses);
    }
    salp__hosts_free(found);
    return *addresses ? count : -ENOMEM;
}

static void run_lookup(salp__errand *errand)
{
    lookup *l = (lookup *)errand;
    l->result = find(l->host, l->service, &l->hints, &l->addresses);
}

static void free_lookup(salp__errand *errand)
{
    lookup *l = (lookup *)errand;
    salp__free(l->addresses);
    salp__free(l);
}

static const salp__errand_sort lookups = {
    .crew = SALP__NAMES, .what = "the address of a host", .run = run_lookup, .free = free_lookup
};

/* Copies a string, and moves to where the next one can go. */
static const char *copy(char **to, const char *text)
{
    char *begin = *to;
    if (!text)
        return NULL;
    *to = stpcpy(begin, text) + 1;
    return begin;
}

static int send_lookup(const char *host, const char *service, const struct addrinfo *hints, salp_address **addresses)
{
    size_t room = (host ? strlen(host) + 1 : 0) + (service ? strlen(service) + 1 : 0);
    lookup *l = salp__allocate(sizeof *l + room);
    if (!l)
        return -ENOMEM;
    char *next = l->text;
    l->errand.sort = &lookups;
    l->hints = *hints;
    l->host = copy(&next, host);
    l->service = copy(&next, service);
    int result = salp__errand_do(&l->errand);
    if (result < 0)
        return result;
    result = l->result;
    *addresses = l->addresses;
    l->addresses = NULL;
    free_lookup(&l->errand);
    return result;
}

/* RFC 6761: such names are this machine's, whatever others say. */
static bool is_localhost(const char *host)
{
    static const char local[] = "localhost";
    size_t length = strlen(host), least = sizeof local - 1;
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length < least || strncasecmp(host + length - least, local, least) != 0)
        return false;
    return length == least || host[length - least - 1] == '.';
}

/* Digits alone are a port, NULL is port 0. Names have a letter: the system would read "" and "-1" as ports, and take all
   ports modulo 65536. */
static int check_service(const char *service, bool *numeric)
{
    *numeric = !service || service[strspn(service, "0123456789")] == '\0';
    if (!service)
        return 0;
    if (!*numeric)
        return strpbrk(service, LETTERS) ? 0 : SALP_ENOSERVICE;
    if (*service == '\0')
        return SALP_ENOSERVICE;
    service += strspn(service, "0");
    size_t digits = strlen(service);
    return digits > 5 || (digits == 5 && strcmp(service, "65535") > 0) ? SALP_ENOSERVICE : 0;
}

int salp_resolve(salp_address **addresses, const char *host, const char *service, const salp_resolve_options *options)
{
    static const salp_resolve_options defaults;
    if (!addresses)
        return -EINVAL;
    *addresses = NULL;
    if (!options)
        options = &defaults;
    if (options->family != SALP_NO_FAMILY && options->family != SALP_IPV4 && options->family != SALP_IPV6)
        return -EINVAL;
    bool numeric;
    int error = check_service(service, &numeric);
    if (error < 0)
        return error;
    if (!service)
        service = "0"; /* the system wants one of the two */
    struct addrinfo hints = { .ai_family = (int)options->family,
                              .ai_socktype = options->datagram ? SOCK_DGRAM : SOCK_STREAM,
                              .ai_flags = options->listen && !host ? AI_PASSIVE : 0 };
    if (host && is_localhost(host))
        host = NULL;
    if (numeric) {
        struct addrinfo quick = hints;
        quick.ai_flags |= AI_NUMERICHOST | AI_NUMERICSERV;
        int result = find(host, service, &quick, addresses);
        /* Else it is a name. */
        if (result != SALP_ENONAME || options->numeric)
            return result;
    }
    return options->numeric ? SALP_ENOSERVICE : send_lookup(host, service, &hints, addresses);
}

void salp_addresses_free(salp_address *addresses)
{
    salp__free(addresses);
}

/* ---- the name of an address ---- */

typedef struct inquiry {
    salp__errand errand;
    salp_address address;
    int result;
    char name[SALP_NAME_TEXT];
} inquiry;

static void run_inquiry(salp__errand *errand)
{
    inquiry *i = (inquiry *)errand;
    i->result = salp__host_name((const struct sockaddr *)i->address.data, i->address.size, i->name, sizeof i->name);
}

static void free_inquiry(salp__errand *errand)
{
    salp__free(errand);
}

static const salp__errand_sort inquiries = {
    .crew = SALP__NAMES, .what = "the name of a host", .run = run_inquiry, .free = free_inquiry
};

int salp_resolve_name(const salp_address *address, char *name, size_t size)
{
    if (name && size > 0)
        *name = '\0';
    if (!address || !name || size == 0)
        return -EINVAL;
    int family = salp_address_family(address);
    if (family != SALP_IPV4 && family != SALP_IPV6)
        return -EAFNOSUPPORT;
    inquiry *i = salp__allocate(sizeof *i);
    if (!i)
        return -ENOMEM;
    i->errand.sort = &inquiries;
    i->address = *address;
    int error = salp__errand_do(&i->errand);
    if (error < 0)
        return error;
    error = i->result;
    size_t length = error < 0 ? 0 : strlen(i->name);
    if (error == 0 && length >= size)
        error = -ENOSPC;
    if (error == 0)
        memcpy(name, i->name, length + 1);
    free_inquiry(&i->errand);
    return error < 0 ? error : (int)length;
}
