/* Who is at the other end: whom a client expects, and what a certificate says. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "os/fault.h"
#include "stream/openssl.h"
#include "stream/tls.h"

enum { LONGEST = 253 }; /* name of a host */

/* Without what a certificate has no part in: the last dot of a name, and the zone of an address. -EINVAL: it is no name. To
   OpenSSL an empty one would mean anybody, and one that begins with a dot, all whose names end so. */
static int simplify(char plain[LONGEST + 1], const char *host)
{
    size_t length = strchr(host, ':') ? strcspn(host, "%") : strlen(host);
    if (length > 0 && host[length - 1] == '.')
        length--;
    if (length == 0 || length > LONGEST || host[0] == '.')
        return -EINVAL;
    memcpy(plain, host, length);
    plain[length] = 0;
    return 0;
}

int salp__tls_expect(SSL *openssl, const salp_tls *tls, const char *host)
{
    char name[LONGEST + 1];
    salp__ssl.SSL_set_verify(openssl, tls->dangerously_trust_anybody ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    host = tls->name ? tls->name : host;
    if (!host && tls->dangerously_trust_anybody)
        return 0;
    int error = host ? simplify(name, host) : -EINVAL;
    if (error < 0)
        return error;
    X509_VERIFY_PARAM *wanted = salp__ssl.SSL_get0_param(openssl);
    salp__tls_quiet();
    bool good = salp__ssl.X509_VERIFY_PARAM_set1_ip_asc(wanted, name) == 1; /* a client names no address: RFC 6066 */
    if (!good) {
        salp__ssl.X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        good = salp__ssl.X509_VERIFY_PARAM_set1_host(wanted, name, 0) == 1 &&
               salp__ssl.SSL_ctrl(openssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
    }
    salp__tls_quiet();
    return good ? 0 : -ENOMEM;
}

static BIO *new_text(void)
{
    SALP__FAULT(NULL);
    return salp__ssl.BIO_new(salp__ssl.BIO_s_mem());
}

int salp__tls_describe(const SSL *openssl, char *text, size_t size)
{
    X509 *certificate = salp__ssl.SSL_get0_peer_certificate(openssl);
    if (!certificate)
        return 0;
    BIO *bio = new_text();
    char *data;
    if (!bio)
        return -ENOMEM;
    int printed = salp__ssl.X509_NAME_print_ex(bio, salp__ssl.X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    long length = printed < 0 ? -ENOMEM : salp__ssl.BIO_ctrl(bio, BIO_CTRL_INFO, 0, &data);
    if (length >= (long)size)
        length = -ENOSPC;
    if (length > 0) {
        memcpy(text, data, (size_t)length);
        text[length] = 0;
    }
    salp__ssl.BIO_free(bio);
    salp__tls_quiet();
    return (int)length;
}
