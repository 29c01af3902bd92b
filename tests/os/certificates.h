/* Certificates for tests, made on the spot: authorities, and leaves with every fault that a peer may show. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

struct party {
    X509 *certificate;
    EVP_PKEY *key;
    struct buffer chain_pem, key_pem;
};

enum { DAY_SECONDS = 86400 };

struct leaf {
    const char *name;         /* common name */
    const char *alternatives; /* subjectAltName as OpenSSL writes it; NULL: none */
    const char *usage;        /* extendedKeyUsage; NULL: none */
    const char *constraints;  /* basicConstraints; NULL: "CA:FALSE" */
    long from_s, until_s;     /* seconds from now; both zero: a day around now */
};

static inline void certify(int claim)
{
    if (!claim)
        abort();
}

static inline void extend(X509 *certificate, X509 *issuer, int id, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = value ? X509V3_EXT_conf_nid(NULL, &ctx, id, value) : NULL;
    certify(!value || (extension && X509_add_ext(certificate, extension, -1)));
    X509_EXTENSION_free(extension);
}

static inline void pem_of(BIO *bio, struct buffer *out)
{
    char *at = NULL;
    long len = BIO_get_mem_data(bio, &at);
    *out = (struct buffer){.max = 65536};
    put_bytes(out, bytes_of(at, (size_t)len));
    BIO_free(bio);
}

/* issuer NULL: it signs itself. */
static inline struct party party_make(const struct party *issuer, const struct leaf *leaf)
{
    struct party p = {X509_new(), EVP_EC_gen("P-256"), {0}, {0}};
    X509 *signer = issuer ? issuer->certificate : p.certificate;
    bool dated = leaf->from_s || leaf->until_s;
    uint64_t serial;
    certify(p.certificate && p.key && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1);
    certify(X509_set_version(p.certificate, X509_VERSION_3) &&
            ASN1_INTEGER_set_uint64(X509_get_serialNumber(p.certificate), serial >> 1) &&
            X509_gmtime_adj(X509_getm_notBefore(p.certificate), dated ? leaf->from_s : -DAY_SECONDS) &&
            X509_gmtime_adj(X509_getm_notAfter(p.certificate), dated ? leaf->until_s : DAY_SECONDS) &&
            X509_NAME_add_entry_by_txt(X509_get_subject_name(p.certificate), "CN", MBSTRING_UTF8,
                                       (const unsigned char *)leaf->name, -1, -1, 0) &&
            X509_set_issuer_name(p.certificate, X509_get_subject_name(signer)) &&
            X509_set_pubkey(p.certificate, p.key));
    extend(p.certificate, signer, NID_basic_constraints, leaf->constraints ? leaf->constraints : "critical,CA:FALSE");
    extend(p.certificate, signer, NID_subject_alt_name, leaf->alternatives);
    extend(p.certificate, signer, NID_ext_key_usage, leaf->usage);
    certify(X509_sign(p.certificate, issuer ? issuer->key : p.key, EVP_sha256()) > 0);
    BIO *chain = BIO_new(BIO_s_mem()), *key = BIO_new(BIO_s_mem());
    certify(chain && key && PEM_write_bio_X509(chain, p.certificate) &&
            PEM_write_bio_PKCS8PrivateKey(key, p.key, NULL, NULL, 0, NULL, NULL));
    pem_of(chain, &p.chain_pem);
    pem_of(key, &p.key_pem);
    return p;
}

static inline struct party authority_make(const struct party *issuer, const char *name)
{
    return party_make(issuer, &(struct leaf){.name = name, .constraints = "critical,CA:TRUE"});
}

static inline void party_drop(struct party *p)
{
    X509_free(p->certificate);
    EVP_PKEY_free(p->key);
    buffer_drop(&p->chain_pem);
    buffer_wipe(&p->key_pem);
}
