/*
 * salp/address.h - where somebody can be reached: IPv4, IPv6 and Unix-socket addresses.
 *
 * A salp_address is a value: copied by assignment, owning nothing. All zeros is no
 * address at all. Names of hosts are no addresses: salp/name.h finds theirs.
 *
 *     salp_address address;
 *     char text[SALP_ADDRESS_TEXT];
 *     if (salp_address_parse(&address, "[::1]:80") == 0)
 *         salp_address_text(&address, text, sizeof text);
 *
 * Any task and thread may call these; none waits.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_ADDRESS_H
#define SALP_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <salp/base.h>
#include <salp/error.h>

SALP_BEGIN

typedef struct salp_address {
    uint64_t data[16]; /* a struct sockaddr, for bind(2), connect(2), ...: cast its address */
    uint32_t size;     /* bytes of it in use; 0: no address */
} salp_address;

/* The numbers are those of AF_UNIX, AF_INET and AF_INET6. */
typedef enum salp_family {
    SALP_NO_FAMILY = 0,
    SALP_UNIX = 1,
    SALP_IPV4 = 2,
    SALP_IPV6 = 10,
} salp_family;

/*
 * Reads an address:
 *
 *     127.0.0.1   127.0.0.1:80           IPv4; without a port it is 0
 *     ::1   [::1]   [::1]:80             IPv6; with a zone: fe80::1%eth0, [fe80::1%2]:80
 *     /run/service                       Unix socket: an absolute path
 *     unix:service                       Unix socket: any path
 *     @service   unix:@service           Unix socket: an abstract name, which no file stands for
 *
 * In abstract names \xNN is the byte NN (hexadecimal), also \x00. "unix:" alone has
 * no name: binding to it makes the system choose one.
 *
 * Errors, after which *address is no address: -EINVAL: address or text is NULL, or
 * the text is none of these; -ENAMETOOLONG: a Unix name has more than 107 bytes;
 * -ENODEV: no network interface has the name of the zone; -EMFILE, -ENFILE, -ENOMEM:
 * the system could not be asked for it.
 */
SALP_API int salp_address_parse(salp_address *address, const char *text);

/* As salp_address_parse of "unix:" and this path, or "@" and an abstract name. Errors: -EINVAL; -ENAMETOOLONG. */
SALP_API int salp_address_unix(salp_address *address, const char *path);

/*
 * A copy of a struct sockaddr of `size` bytes, as accept(2), getsockname(2) or others
 * write them. A family that is not listed above is taken as it is.
 * Errors, after which *address is no address: -EINVAL: address or sockaddr is NULL,
 * it is of no family, or size does not fit its family (at most 128).
 */
SALP_API int salp_address_set(salp_address *address, const void *sockaddr, size_t size);

/* Long enough for each text. */
#define SALP_ADDRESS_TEXT 448

/*
 * Writes it as salp_address_parse reads it: with the port, unless that is 0. Bytes of
 * abstract names that cannot be printed become \xNN; a path that begins with @ gets ./ before it.
 *
 * Returns the length without the final zero. Errors: -EINVAL: address or text is NULL;
 * -ENOSPC: size, in bytes, is too small; -EAFNOSUPPORT: no address, or one of a
 * family that is not listed above. After an error the text is empty.
 */
SALP_API int salp_address_text(const salp_address *address, char *text, size_t size);

/* Of no address, or NULL: SALP_NO_FAMILY. Of a family not listed above: its number. */
SALP_API int salp_address_family(const salp_address *address);

/* The port. Errors: -EINVAL: address is NULL; -EAFNOSUPPORT: neither IPv4 nor IPv6. */
SALP_API int salp_address_port(const salp_address *address);

/* Sets the port. Errors: the same; -EINVAL: port is above 65535. */
SALP_API int salp_address_set_port(salp_address *address, unsigned port);

/* Whether both are the same address, with the same port and zone. Two that are no address are the same. */
SALP_API bool salp_address_equal(const salp_address *a, const salp_address *b);

SALP_END

#endif
