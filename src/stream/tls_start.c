/* Going over to TLS on a stream that is open already. SPDX-License-Identifier: MIT */
#include <errno.h>

#include "stream/held.h"
#include "stream/stream.h"
#include "stream/tls.h"

static int check(const salp_stream *stream, const salp_tls *tls)
{
    if (!stream || !tls)
        return -EINVAL;
    if (stream->own)
        return -EALREADY;
    if (stream->type != &salp__stream_socket)
        return -ENOTSUP;
    /* Sent in the clear, maybe by somebody in between: whoever reads on would take it for encrypted. */
    return salp__held_size(stream) > 0 ? -EPROTO : 0;
}

int salp_tls_start(salp_stream *stream, const char *host, const salp_tls *tls)
{
    salp__tls_context *context;
    int error = check(stream, tls);
    if (error == 0)
        error = salp__wait_begin();
    if (error == 0)
        error = salp__tls_context_of(&context, tls, false);
    if (error < 0)
        return error;
    error = salp__tls_begin_client(stream, context, tls, host);
    salp__tls_context_let_go(context);
    return error < 0 ? error : stream->type->start(stream);
}

int salp_tls_start_server(salp_stream *stream, const salp_tls *tls)
{
    salp__tls_context *context;
    int error = check(stream, tls);
    if (error == 0)
        error = salp__tls_context_of(&context, tls, true);
    if (error < 0)
        return error;
    error = salp__tls_begin_server(stream, context);
    salp__tls_context_let_go(context);
    return error;
}
