/*
 * What OpenSSL says, in numbers of ours and in a text for logs.
 *
 * OpenSSL keeps a queue of errors for each thread: whoever fails appends what he knows, the innermost first. So the first
 * one names the cause. What is left there is found by the next one who looks, so each call of ours begins and ends with
 * an empty queue. Nothing waits between the two, so tasks do not mix theirs up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "stream/openssl.h"

enum { ALERT = SSL_AD_REASON_OFFSET }; /* of the other side: its number is added */

/* The last one that a call has returned to this thread. */
static _Thread_local char last_text[200];

const char *salp_tls_error_text(void)
{
    return last_text;
}

void salp__tls_quiet(void)
{
    salp__ssl.ERR_clear_error();
}

void salp__tls_no_details(void)
{
    *last_text = 0;
    salp__ssl.ERR_clear_error();
}

/* Texts of others may have anything in them, such as names of files. */
static void keep_text(const char *what, const char *details)
{
    snprintf(last_text, sizeof last_text, "%s%s%s", what ? what : "unknown", details && *details ? ": " : "",
             details ? details : "");
    for (char *at = last_text; *at; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f)
            *at = '?';
}

int salp__tls_load(void)
{
    char why[sizeof last_text] = "";
    int error = salp__openssl_load(why, sizeof why);
    if (error < 0)
        keep_text(*why ? why : NULL, NULL);
    return error;
}

/* Takes the first one, which is the cause, and the text of the last one that has details. */
static unsigned long take_first(void)
{
    const char *details = NULL;
    int flags = 0;
    unsigned long first = salp__ssl.ERR_peek_error_data(&details, &flags);
    keep_text(first ? salp__ssl.ERR_reason_error_string(first) : "no details", flags & ERR_TXT_STRING ? details : NULL);
    if (ERR_SYSTEM_ERROR(first))
        keep_text(strerrordesc_np(ERR_GET_REASON(first)), flags & ERR_TXT_STRING ? details : NULL);
    salp__ssl.ERR_clear_error();
    return first;
}

int salp__tls_file_error(void)
{
    unsigned long first = take_first();
    if (ERR_SYSTEM_ERROR(first))
        return -ERR_GET_REASON(first);
    if (ERR_GET_REASON(first) == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(first) == ERR_LIB_X509 &&
        (ERR_GET_REASON(first) == X509_R_KEY_VALUES_MISMATCH || ERR_GET_REASON(first) == X509_R_KEY_TYPE_MISMATCH))
        return SALP_ETLSKEY;
    if (ERR_GET_LIB(first) == ERR_LIB_SSL && ERR_GET_REASON(first) == SSL_R_NO_CERTIFICATE_ASSIGNED)
        return SALP_ETLSKEY; /* there is none for a key of this kind */
    return SALP_ETLSFILE;
}

/* Of a certificate that was looked at. */
static int verdict(long result)
{
    keep_text(salp__ssl.X509_verify_cert_error_string(result), NULL);
    switch (result) {
    case X509_V_ERR_OUT_OF_MEM:
        return -ENOMEM;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        return SALP_ETLSNAME;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return SALP_ETLSDATE;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED:
        return SALP_ETLSTRUST;
    default:
        return SALP_ETLSCERTIFICATE;
    }
}

/* The other side has sent it, `early` in the handshake or later. */
static int of_alert(int number, bool early)
{
    if (number == SSL_AD_CERTIFICATE_REQUIRED)
        return SALP_ETLSMISSING;
    if (!early)
        return SALP_ETLSREFUSED;
    switch (number) {
    case SSL_AD_HANDSHAKE_FAILURE:
    case SSL_AD_PROTOCOL_VERSION:
    case SSL_AD_INSUFFICIENT_SECURITY:
    case SSL_AD_NO_APPLICATION_PROTOCOL:
        return SALP_ETLSCOMMON;
    default:
        return SALP_ETLSREFUSED;
    }
}

int salp__tls_connection_error(const SSL *openssl, bool early)
{
    unsigned long first = take_first();
    int reason = ERR_GET_REASON(first);
    if (reason == ERR_R_MALLOC_FAILURE)
        return -ENOMEM;
    if (ERR_GET_LIB(first) != ERR_LIB_SSL)
        return SALP_ETLSBROKEN;
    if (reason >= ALERT)
        return of_alert(reason - ALERT, early);
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return verdict(salp__ssl.SSL_get_verify_result(openssl));
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return SALP_ETLSMISSING;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
        return SALP_ETLSCOMMON;
    default:
        return SALP_ETLSBROKEN;
    }
}
