/*
 * Certificates for tests, made while they run, in a folder that goes with the test.
 *
 *     certificate root = certify("root", &(wish){ .authority = true });
 *     certificate server = certify("server", &(wish){ .dns = "localhost", .by = &root });
 *     ... .certificate = server.path, .key = server.key_path, .authorities = root.path
 *     forget_certificate(&root), forget_certificate(&server);
 *     remove_scratch();
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CERTIFICATES_H
#define CERTIFICATES_H

#include "tasks.h"

#include <dirent.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

enum { SCRATCH = 64, DAY = 24 * 3600 };

static char scratch[SCRATCH]; /* the folder, or "" */

static inline void scratch_path(char path[2 * SCRATCH], const char *name, const char *ending)
{
    if (!*scratch) {
        strcpy(scratch, "/tmp/salp-tls-XXXXXX");
        EXPECT(mkdtemp(scratch));
    }
    snprintf(path, 2 * SCRATCH, "%s/%s%s", scratch, name, ending);
}

static inline void remove_scratch(void)
{
    char path[2 * SCRATCH + 256];
    DIR *folder = *scratch ? opendir(scratch) : NULL;
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        (void)unlink(path);
    }
    closedir(folder);
    EXPECT(rmdir(scratch) == 0);
    *scratch = 0;
}

typedef struct certificate {
    X509 *x509;
    EVP_PKEY *key;
    char path[2 * SCRATCH], key_path[2 * SCRATCH];
} certificate;

typedef struct wish {
    const certificate *by; /* NULL: signed by itself */
    bool authority;
    bool rsa;
    const char *dns, *ip; /* names that it is for */
    const char *use;      /* "serverAuth", "clientAuth"; NULL: anything */
    int from, to;         /* days from now; 0, 0: from yesterday until tomorrow */
} wish;

static inline void add_extension(X509 *x509, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
    EXPECT(extension && X509_add_ext(x509, extension, -1));
    X509_EXTENSION_free(extension);
}

static inline void add_extensions(X509 *x509, const wish *w)
{
    char names[200];
    if (w->authority)
        add_extension(x509, NID_basic_constraints, "critical,CA:TRUE");
    if (w->use)
        add_extension(x509, NID_ext_key_usage, w->use);
    snprintf(names, sizeof names, "%s%s%s%s%s", w->dns ? "DNS:" : "", w->dns ? w->dns : "", w->dns && w->ip ? "," : "",
             w->ip ? "IP:" : "", w->ip ? w->ip : "");
    if (*names)
        add_extension(x509, NID_subject_alt_name, names);
}

static inline certificate certify(const char *name, const wish *w)
{
    static long serial;
    certificate c = { .x509 = X509_new(), .key = w->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256") };
    EXPECT(c.x509 && c.key);
    scratch_path(c.path, name, ".pem");
    scratch_path(c.key_path, name, ".key");
    const certificate *by = w->by ? w->by : &c;
    bool usual = w->from == 0 && w->to == 0;
    X509_NAME *subject = X509_get_subject_name(c.x509);
    EXPECT(X509_set_version(c.x509, X509_VERSION_3) && ASN1_INTEGER_set(X509_get_serialNumber(c.x509), ++serial));
    EXPECT(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0));
    EXPECT(X509_set_issuer_name(c.x509, X509_get_subject_name(by->x509)) && X509_set_pubkey(c.x509, c.key));
    EXPECT(X509_gmtime_adj(X509_getm_notBefore(c.x509), (usual ? -1 : w->from) * (long)DAY));
    EXPECT(X509_gmtime_adj(X509_getm_notAfter(c.x509), (usual ? 1 : w->to) * (long)DAY));
    add_extensions(c.x509, w);
    EXPECT(X509_sign(c.x509, by->key, EVP_sha256()) > 0);
    FILE *file = fopen(c.path, "w"), *key_file = fopen(c.key_path, "w");
    EXPECT(file && PEM_write_X509(file, c.x509) && fclose(file) == 0);
    EXPECT(key_file && PEM_write_PrivateKey(key_file, c.key, NULL, NULL, 0, NULL, NULL) && fclose(key_file) == 0);
    return c;
}

static inline void forget_certificate(certificate *c)
{
    X509_free(c->x509);
    EVP_PKEY_free(c->key);
    *c = (certificate){ .x509 = NULL };
}

#endif
