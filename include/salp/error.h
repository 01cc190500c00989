/*
 * salp/error.h - the errors of Salp and their texts.
 *
 * Every call returns 0 or a count on success and a negative number on failure.
 * Failures that the system has a name for are its errno values, negated
 * (-ENOMEM, -EINVAL, ...); what only Salp can tell has the numbers below -4096,
 * where no errno value lies.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP_ERROR_H
#define SALP_ERROR_H

#include <salp/base.h>

SALP_BEGIN

/* X(name, number, text): the one list from which the numbers and the texts are made. */
#define SALP_ERRORS(X)                                                                                          \
    X(SALP_ECRASHED, -4097, "the worker died while it ran the item")                                            \
    X(SALP_ELIMIT, -4098, "the worker went past its memory limit while it ran the item")                        \
    X(SALP_EBROKEN, -4099, "it is broken: the pool cannot keep its workers alive, or a party left the barrier") \
    X(SALP_ECLOSED, -4100, "the pool is being closed or was terminated")                                        \
    X(SALP_EFORKED, -4101, "the object belongs to another process: it was opened before a fork")                \
    X(SALP_EUNKNOWN, -4102, "the process that is to use the function or context does not have it")              \
    X(SALP_EINSIDE, -4103, "who calls cannot wait: a job for its own pool, or a callback of a loop")            \
    X(SALP_EDAMAGED, -4104, "the result was overwritten by a crash before it could be delivered")               \
    X(SALP_EDEADLK, -4105, "all tasks wait for each other")                                                     \
    X(SALP_ENONAME, -4106, "no host has this name, or this address has no name")                                \
    X(SALP_ENOADDRESS, -4107, "the host has no address of the kind that was asked for")                         \
    X(SALP_ENOSERVICE, -4108, "no service has this name, or the number is no port")                             \
    X(SALP_ETRYAGAIN, -4109, "no name server has answered so far: it may do so later")                          \
    X(SALP_ENAMESERVER, -4110, "the name server has failed, or answered what makes no sense")                   \
    X(SALP_EINCOMPLETE, -4111, "the other side ended in the midst of what was to be read")                      \
    X(SALP_EKILLED, -4112, "a signal has ended the process")                                                    \
    X(SALP_EFAILED, -4113, "the command has exited with another status than 0")                                 \
    X(SALP_ETLSFILE, -4114, "a file has no certificate, key or authority that can be used")                     \
    X(SALP_ETLSKEY, -4115, "the key is not that of the certificate")                                            \
    X(SALP_ETLSTRUST, -4116, "no trusted authority stands behind the certificate of the other side")            \
    X(SALP_ETLSNAME, -4117, "the certificate of the other side is for another name")                            \
    X(SALP_ETLSDATE, -4118, "the certificate of the other side has expired, or is not valid yet")               \
    X(SALP_ETLSCERTIFICATE, -4119, "the certificate of the other side is not valid")                            \
    X(SALP_ETLSMISSING, -4120, "the server wants a certificate, and the client has shown none")                 \
    X(SALP_ETLSPLAIN, -4121, "the other side speaks no TLS")                                                    \
    X(SALP_ETLSCOMMON, -4122, "both sides have no version, cipher or protocol of TLS in common")                \
    X(SALP_ETLSREFUSED, -4123, "the other side has ended the encrypted connection with an alert")               \
    X(SALP_ETLSBROKEN, -4124, "the other side breaks the rules of TLS, or its bytes were changed on the way")   \
    X(SALP_ETRUNCATED, -4125, "the connection ended without the farewell of TLS: something may be missing")     \
    X(SALP_ETLSLIBRARY, -4126, "OpenSSL is not installed, or cannot be loaded")

enum salp_error {
#define SALP_ERROR_ENUM(name, number, text) name = number,
    SALP_ERRORS(SALP_ERROR_ENUM)
#undef SALP_ERROR_ENUM
};

/*
 * The text of an error: never NULL, in English, without a full stop. Zero and
 * positive numbers read "success". The text is constant and need not be freed.
 *
 * Threads: any. Waits: no. Safe in a signal handler: no.
 */
SALP_API const char *salp_strerror(int error);

SALP_END

#endif
