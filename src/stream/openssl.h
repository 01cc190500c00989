/*
 * OpenSSL, loaded when somebody encrypts for the first time (os/library.h).
 *
 *     int error = salp__openssl_load(why, sizeof why);
 *     if (error == 0)
 *         salp__ssl.SSL_CTX_new(...)
 *
 * Many calls of OpenSSL are macros for others: SSL_CTX_set_mode is SSL_CTX_ctrl with a number. They would ask the linker for
 * those, which has none, so that what they stand for is written out. What looks into numbers and structures alone
 * (ERR_GET_REASON) can be used as it is.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef SALP__OPENSSL_H
#define SALP__OPENSSL_H

#include <stddef.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#define SALP__OPENSSL_EACH(what)              \
    what(BIO_clear_flags);                    \
    what(BIO_ctrl);                           \
    what(BIO_free);                           \
    what(BIO_get_data);                       \
    what(BIO_get_new_index);                  \
    what(BIO_meth_new);                       \
    what(BIO_meth_set_ctrl);                  \
    what(BIO_meth_set_read);                  \
    what(BIO_meth_set_write);                 \
    what(BIO_new);                            \
    what(BIO_s_mem);                          \
    what(BIO_set_data);                       \
    what(BIO_set_flags);                      \
    what(BIO_set_init);                       \
    what(ERR_clear_error);                    \
    what(ERR_peek_error_data);                \
    what(ERR_reason_error_string);            \
    what(OPENSSL_init_ssl);                   \
    what(OPENSSL_sk_new_null);                \
    what(SSL_CTX_check_private_key);          \
    what(SSL_CTX_ctrl);                       \
    what(SSL_CTX_free);                       \
    what(SSL_CTX_load_verify_dir);            \
    what(SSL_CTX_load_verify_file);           \
    what(SSL_CTX_new);                        \
    what(SSL_CTX_set_alpn_protos);            \
    what(SSL_CTX_set_alpn_select_cb);         \
    what(SSL_CTX_set_client_CA_list);         \
    what(SSL_CTX_set_default_passwd_cb);      \
    what(SSL_CTX_set_default_verify_paths);   \
    what(SSL_CTX_set_options);                \
    what(SSL_CTX_set_session_id_context);     \
    what(SSL_CTX_use_PrivateKey_file);        \
    what(SSL_CTX_use_certificate_chain_file); \
    what(SSL_add_dir_cert_subjects_to_stack); \
    what(SSL_ctrl);                           \
    what(SSL_do_handshake);                   \
    what(SSL_free);                           \
    what(SSL_get0_alpn_selected);             \
    what(SSL_get0_param);                     \
    what(SSL_get0_peer_certificate);          \
    what(SSL_get_error);                      \
    what(SSL_get_verify_result);              \
    what(SSL_get_version);                    \
    what(SSL_is_init_finished);               \
    what(SSL_is_server);                      \
    what(SSL_load_client_CA_file);            \
    what(SSL_new);                            \
    what(SSL_peek_ex);                        \
    what(SSL_read_ex);                        \
    what(SSL_select_next_proto);              \
    what(SSL_set_accept_state);               \
    what(SSL_set_bio);                        \
    what(SSL_set_connect_state);              \
    what(SSL_set_verify);                     \
    what(SSL_shutdown);                       \
    what(SSL_write_ex);                       \
    what(TLS_method);                         \
    what(X509_NAME_print_ex);                 \
    what(X509_VERIFY_PARAM_set1_host);        \
    what(X509_VERIFY_PARAM_set1_ip_asc);      \
    what(X509_VERIFY_PARAM_set_hostflags);    \
    what(X509_get_subject_name);              \
    what(X509_verify_cert_error_string)

/* Of each a pointer of its name. */
typedef struct salp__openssl {
#define SALP__OPENSSL_FIELD(name) __typeof__(name) *name
    SALP__OPENSSL_EACH(SALP__OPENSSL_FIELD);
#undef SALP__OPENSSL_FIELD
} salp__openssl;

extern salp__openssl salp__ssl; /* [const after salp__openssl_load] */

/*
 * Loads it, unless that was done, and for good. Threads: any.
 * Errors: SALP_ETLSLIBRARY it is not there, or cannot be loaded now; then `why`, of size bytes, has what the loader
 * says of it. To ask again later may succeed.
 */
int salp__openssl_load(char *why, size_t size);

#endif
