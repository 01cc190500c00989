/*
 * OpenSSL's way to the descriptor of a stream.
 *
 * OpenSSL can go on without waiting by itself, but wants to be called again then with the very same bytes: and who wrote
 * them may have been ended by his scope meanwhile, and write something else. So it never learns that the system has no
 * room. What it gives is taken, and the little that is left over of one record is kept, until it is sent. So reading waits
 * for bytes only, and writing for room only, however the two are mixed inside; and what was encrypted is sent, or the stream is
 * broken.
 *
 * I1  What is unsent goes before everything else.
 * I2  Who writes begins only when nothing is unsent. So it is no more than a record of a write or a flight of a handshake, and
 *     what OpenSSL answers to odd messages while it reads. One who sends such and does not read the answers ends at a bound.
 * I3  What befalls the descriptor is kept here, by way: OpenSSL sees bytes, or none yet, or the end. So when a write fails,
 *     what the other side has said before it left can still be read: an alert as a rule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls_wire.h"

#include <errno.h>
#include <string.h>

#include "os/fault.h"
#include "os/memory.h"
#include "os/thread.h"
#include "stream/openssl.h"

enum { MOST_UNSENT = 65536 }; /* I2 */

static int64_t send_some(salp__tls_wire *wire, const void *data, size_t size)
{
    salp__way way;
    struct iovec part = { (void *)data, size };
    return salp__stream_socket.write(wire->stream, &part, 1, &way);
}

static void drop_unsent(salp__tls_wire *wire)
{
    salp__free(wire->unsent.data);
    wire->unsent = (salp__tls_unsent){ .data = NULL };
}

static void keep_unsent(salp__tls_wire *wire, const char *data, size_t size)
{
    salp__tls_unsent *u = &wire->unsent;
    size_t kept = u->end - u->begin;
    if (u->room - u->end < size) {
        char *larger = kept + size <= MOST_UNSENT ? salp__allocate_raw(kept + size) : NULL;
        if (!larger) {
            wire->write_error = kept + size <= MOST_UNSENT ? -ENOMEM : SALP_ETLSBROKEN;
            return;
        }
        if (kept > 0)
            memcpy(larger, u->data + u->begin, kept);
        salp__free(u->data);
        *u = (salp__tls_unsent){ .data = larger, .end = kept, .room = kept + size };
    }
    memcpy(u->data + u->end, data, size);
    u->end += size;
}

int salp__tls_wire_flush(salp__tls_wire *wire)
{
    salp__tls_unsent *u = &wire->unsent;
    while (wire->write_error == 0 && u->begin < u->end) {
        int64_t sent = send_some(wire, u->data + u->begin, u->end - u->begin);
        if (sent == -EAGAIN)
            return -EAGAIN;
        if (sent < 0)
            wire->write_error = (int)sent;
        else
            u->begin += (size_t)sent;
    }
    drop_unsent(wire);
    return wire->write_error;
}

/* OpenSSL's: takes all, whatever becomes of it. */
static int take_bytes(BIO *bio, const char *data, int size)
{
    salp__tls_wire *wire = salp__ssl.BIO_get_data(bio);
    size_t taken = 0;
    salp__ssl.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (size <= 0)
        return 0;
    while (salp__tls_wire_flush(wire) == 0 && taken < (size_t)size) {
        int64_t sent = send_some(wire, data + taken, (size_t)size - taken);
        if (sent == -EAGAIN)
            break;
        if (sent < 0)
            wire->write_error = (int)sent;
        else
            taken += (size_t)sent;
    }
    if (wire->write_error == 0 && taken < (size_t)size)
        keep_unsent(wire, data + taken, (size_t)size - taken);
    return size;
}

/* OpenSSL's: gives what is there. */
static int give_bytes(BIO *bio, char *data, int size)
{
    salp__tls_wire *wire = salp__ssl.BIO_get_data(bio);
    salp__way way;
    salp__ssl.BIO_clear_flags(bio, BIO_FLAGS_RWS | BIO_FLAGS_SHOULD_RETRY);
    if (size <= 0 || wire->at_end || wire->read_error < 0)
        return 0;
    int64_t got = salp__stream_socket.read(wire->stream, data, (size_t)size, &way);
    for (int64_t i = 0; i < got && wire->seen < (int)sizeof wire->first; i++)
        wire->first[wire->seen++] = (unsigned char)data[i];
    if (got > 0)
        return (int)got;
    if (got == -EAGAIN)
        salp__ssl.BIO_set_flags(bio, BIO_FLAGS_READ | BIO_FLAGS_SHOULD_RETRY);
    else if (got == 0)
        wire->at_end = true;
    else
        wire->read_error = (int)got;
    return got == 0 ? 0 : -1;
}

static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH; /* all others are for things that we do not have */
}

static BIO_METHOD *method; /* [const after once] */

static void open_method(void)
{
    BIO_METHOD *made = salp__ssl.BIO_meth_new(salp__ssl.BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "salp");
    if (made && salp__ssl.BIO_meth_set_write(made, take_bytes) && salp__ssl.BIO_meth_set_read(made, give_bytes) &&
        salp__ssl.BIO_meth_set_ctrl(made, control))
        method = made;
}

BIO *salp__tls_wire_bio(salp__tls_wire *wire)
{
    static salp__once opened = SALP__ONCE;
    SALP__FAULT(NULL);
    salp__do_once(&opened, open_method);
    BIO *bio = method ? salp__ssl.BIO_new(method) : NULL;
    if (bio) {
        salp__ssl.BIO_set_data(bio, wire);
        salp__ssl.BIO_set_init(bio, 1);
    }
    return bio;
}

bool salp__tls_wire_fits(const salp__tls_wire *wire)
{
    enum { ALERT = 21, HANDSHAKE = 22, MAJOR = 3 }; /* RFC 8446, section 5.1 */
    if (wire->seen > 0 && wire->first[0] != ALERT && wire->first[0] != HANDSHAKE)
        return false;
    return wire->seen < 2 || wire->first[1] == MAJOR;
}

void salp__tls_wire_close(salp__tls_wire *wire)
{
    drop_unsent(wire);
}
