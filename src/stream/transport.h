/* Transports as those who open them see them. SPDX-License-Identifier: MIT */
#ifndef SALP__TRANSPORT_H
#define SALP__TRANSPORT_H

#include <salp/transport.h>

/* Makes one of this thread's loop, without a stream yet. Errors: as salp_transport_connect. */
int salp__transport_open(salp_transport **transport, const salp_protocol *protocol, void *arg,
                         const salp_transport_options *options);

/* Gives it its stream, which is its own then: `connected` follows; or else (NULL) an error, and `lost` does. */
void salp__transport_connected(salp_transport *transport, salp_stream *stream, int error);

/* Somebody is about to connect it, and is told when it is aborted meanwhile, or what he does is not wanted any more: he still
   has to call salp__transport_connected, and only then it is lost. */
void salp__transport_connects(salp_transport *transport, void (*stop)(void *arg), void *arg);

/* Calls lost(arg) after its protocol has been told. */
void salp__transport_when_lost(salp_transport *transport, void (*lost)(void *arg), void *arg);

/* Frees one that nobody has been told of. */
void salp__transport_drop(salp_transport *transport);

#endif
