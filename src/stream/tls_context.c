/* Settings whose files have been read. SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "os/fault.h"
#include "os/file.h"
#include "os/memory.h"
#include "os/thread.h"
#include "stream/openssl.h"
#include "stream/tls.h"

/* ---- OpenSSL itself ---- */

/* Its clean-up at exit would take it from under threads that still talk: loops that nobody has ended, errands. The system
   frees all that, too. */
static void open_openssl(void)
{
    salp__ssl.OPENSSL_init_ssl(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static SSL_CTX *new_context(void)
{
    static salp__once opened = SALP__ONCE;
    SALP__FAULT(NULL);
    salp__do_once(&opened, open_openssl);
    return salp__ssl.SSL_CTX_new(salp__ssl.TLS_method());
}

/* OpenSSL's own way to find out the word for a key is to ask at the terminal. */
static int refuse_to_ask(char *word, int size, int writing, void *arg)
{
    (void)word, (void)size, (void)writing, (void)arg;
    return -1;
}

/* ---- protocols (ALPN) ---- */

/* "h2,http/1.1" as RFC 7301 has it: each with a byte for its length before it. */
static int take_protocols(salp__tls_context *context, const char *names)
{
    size_t size = strlen(names) + 1;
    if (size > UINT16_MAX)
        return -EINVAL;
    unsigned char *to = context->protocols = salp__allocate(size);
    if (!to)
        return -ENOMEM;
    for (const char *name = names;;) {
        size_t length = strcspn(name, ",");
        if (length == 0 || length > UINT8_MAX)
            return -EINVAL;
        *to++ = (unsigned char)length;
        memcpy(to, name, length);
        to += length;
        if (name[length] == 0)
            break;
        name += length + 1;
    }
    context->protocols_size = size;
    /* This one returns 0 when it has succeeded. */
    return salp__ssl.SSL_CTX_set_alpn_protos(context->openssl, context->protocols, (unsigned)size) == 0 ? 0 : -ENOMEM;
}

/* The server's choice: the first of ours that the client speaks, too. */
static int choose(SSL *ssl, const unsigned char **chosen, unsigned char *length, const unsigned char *offered,
                  unsigned size, void *arg)
{
    const salp__tls_context *context = arg;
    (void)ssl;
    int found = salp__ssl.SSL_select_next_proto((unsigned char **)chosen, length, context->protocols,
                                                (unsigned)context->protocols_size, offered, size);
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* ---- files ---- */

static int read_certificate(SSL_CTX *openssl, const salp_tls *tls)
{
    if (salp__ssl.SSL_CTX_use_certificate_chain_file(openssl, tls->certificate) != 1 ||
        salp__ssl.SSL_CTX_use_PrivateKey_file(openssl, tls->key ? tls->key : tls->certificate, SSL_FILETYPE_PEM) != 1 ||
        salp__ssl.SSL_CTX_check_private_key(openssl) != 1)
        return salp__tls_file_error();
    return 0;
}

/* The names that clients are told, so that they know which of their certificates to show. */
static int name_authorities(SSL_CTX *openssl, const char *path, bool folder)
{
    STACK_OF(X509_NAME) *names =
        folder ? (void *)salp__ssl.OPENSSL_sk_new_null() : salp__ssl.SSL_load_client_CA_file(path);
    if (!names)
        return salp__tls_file_error();
    salp__ssl.SSL_CTX_set_client_CA_list(openssl, names); /* which frees it */
    return !folder || salp__ssl.SSL_add_dir_cert_subjects_to_stack(names, path) == 1 ? 0 : salp__tls_file_error();
}

static int read_authorities(SSL_CTX *openssl, const salp_tls *tls)
{
    const char *path = tls->authorities;
    if (!path)
        return salp__ssl.SSL_CTX_set_default_verify_paths(openssl) == 1 ? 0 : salp__tls_file_error();
    int folder = salp__path_is_folder(path);
    if (folder < 0)
        return folder;
    /* Of a folder, files are read when somebody shows a certificate that they could stand behind. */
    if ((folder ? salp__ssl.SSL_CTX_load_verify_dir(openssl, path)
                : salp__ssl.SSL_CTX_load_verify_file(openssl, path)) != 1)
        return salp__tls_file_error();
    return tls->clients != SALP_TLS_ANYBODY ? name_authorities(openssl, path, folder) : 0;
}

/* ---- contexts ---- */

void salp__tls_context_let_go(salp__tls_context *context)
{
    /* acq_rel: the last one sees what the others have done with it. */
    if (!context || atomic_fetch_sub_explicit(&context->holders, 1, memory_order_acq_rel) > 1)
        return;
    salp__ssl.SSL_CTX_free(context->openssl);
    salp__free(context->protocols);
    salp__free(context);
}

/* What is the same for all. */
static int apply(SSL_CTX *openssl, const salp_tls *tls)
{
    static const unsigned char name[] = "salp";
#ifdef SALP_HOSTILE
    salp__ssl.SSL_CTX_ctrl(openssl, SSL_CTRL_SET_MAX_SEND_FRAGMENT, 512, NULL); /* the least */
#endif
    /* One record at a time: I3 of tls.c. Idle streams hold no buffers. */
    salp__ssl.SSL_CTX_ctrl(openssl, SSL_CTRL_MODE, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS, NULL);
    salp__ssl.SSL_CTX_set_options(openssl, SSL_OP_NO_RENEGOTIATION);
    salp__ssl.SSL_CTX_ctrl(openssl, SSL_CTRL_SET_READ_AHEAD, 1, NULL); /* not one call of the system for each header */
    salp__ssl.SSL_CTX_set_default_passwd_cb(openssl, refuse_to_ask);
    int oldest = tls->oldest == SALP_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
    if (salp__ssl.SSL_CTX_ctrl(openssl, SSL_CTRL_SET_MIN_PROTO_VERSION, oldest, NULL) != 1 ||
        salp__ssl.SSL_CTX_set_session_id_context(openssl, name, sizeof name - 1) != 1)
        return salp__tls_file_error();
    return 0;
}

static int fill(salp__tls_context *context, const salp_tls *tls, bool authorities)
{
    int error = apply(context->openssl, tls);
    if (error == 0 && tls->protocols)
        error = take_protocols(context, tls->protocols);
    if (error == 0 && tls->protocols)
        salp__ssl.SSL_CTX_set_alpn_select_cb(context->openssl, choose, context);
    if (error == 0 && tls->certificate)
        error = read_certificate(context->openssl, tls);
    if (error == 0 && authorities)
        error = read_authorities(context->openssl, tls);
    return error;
}

static int open_context(salp__tls_context **out, const salp_tls *tls, bool authorities)
{
    int error = salp__tls_load();
    if (error < 0)
        return error;
    salp__tls_quiet();
    salp__tls_context *context = salp__allocate(sizeof *context);
    if (!context)
        return -ENOMEM;
    atomic_init(&context->holders, 1);
    context->clients = tls->clients;
    context->openssl = new_context();
    error = context->openssl ? fill(context, tls, authorities) : -ENOMEM;
    salp__tls_quiet();
    if (error < 0) {
        salp__tls_context_let_go(context);
        return error;
    }
    *out = context;
    return 0;
}

static int check(const salp_tls *tls)
{
    bool odd = tls->oldest < SALP_TLS_1_2 || tls->oldest > SALP_TLS_1_3 || tls->clients < SALP_TLS_ANYBODY ||
               tls->clients > SALP_TLS_REQUIRE;
    if (odd || (tls->key && !tls->certificate) || (tls->clients != SALP_TLS_ANYBODY && !tls->authorities))
        return -EINVAL;
    return 0;
}

int salp__tls_context_of(salp__tls_context **out, const salp_tls *tls, bool server)
{
    int error = check(tls);
    if (error < 0)
        return error;
    if (server && !tls->certificate)
        return -EINVAL;
    salp__tls_context *prepared = tls->salp__private;
    if (prepared) {
        /* relaxed: who has the settings holds it, so it does not go meanwhile. */
        atomic_fetch_add_explicit(&prepared->holders, 1, memory_order_relaxed);
        *out = prepared;
        return 0;
    }
    bool verifies = server ? tls->clients != SALP_TLS_ANYBODY : !tls->dangerously_trust_anybody;
    return open_context(out, tls, verifies);
}

int salp_tls_prepare(salp_tls *tls)
{
    salp__tls_context *context;
    if (!tls)
        return -EINVAL;
    int error = check(tls);
    if (error == 0)
        error = open_context(&context, tls, true);
    if (error < 0)
        return error;
    salp_tls_forget(tls);
    tls->salp__private = context;
    return 0;
}

void salp_tls_forget(salp_tls *tls)
{
    if (!tls)
        return;
    salp__tls_context_let_go(tls->salp__private);
    tls->salp__private = NULL;
}
