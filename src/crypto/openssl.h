/* What the files of this room share about OpenSSL: scopes, the error queue, DER out and names. For this room alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "crypto/key.h"

#include <openssl/asn1t.h>
#include <openssl/evp.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

struct key {
    EVP_PKEY *pkey;
};

/* OPENSSL_SCOPE(X509) makes the clean-up for SCOPED(X509_end) X509 *x. NULL is fine. */
#define OPENSSL_SCOPE(type)                                                                                            \
    static inline void type##_end(type **it) /* NOLINT(bugprone-macro-parentheses): a type cannot stand in them */     \
    {                                                                                                                  \
        type##_free(*it);                                                                                              \
    }
OPENSSL_SCOPE(X509)
OPENSSL_SCOPE(X509_REQ)
OPENSSL_SCOPE(X509_SIG)
OPENSSL_SCOPE(X509_NAME)
OPENSSL_SCOPE(X509_STORE)
OPENSSL_SCOPE(X509_STORE_CTX)
OPENSSL_SCOPE(PKCS7)
OPENSSL_SCOPE(PKCS8_PRIV_KEY_INFO)
OPENSSL_SCOPE(EVP_PKEY)
OPENSSL_SCOPE(EVP_PKEY_CTX)
OPENSSL_SCOPE(ASN1_INTEGER)
OPENSSL_SCOPE(ASN1_TIME)
OPENSSL_SCOPE(ASN1_BIT_STRING)
OPENSSL_SCOPE(ASN1_OCTET_STRING)
OPENSSL_SCOPE(BASIC_CONSTRAINTS)
OPENSSL_SCOPE(AUTHORITY_KEYID)
OPENSSL_SCOPE(EXTENDED_KEY_USAGE)
OPENSSL_SCOPE(GENERAL_NAMES)
OPENSSL_SCOPE(GENERAL_NAME)

static inline void BIGNUM_end(BIGNUM **it)
{
    BN_free(*it);
}

static inline void BIO_end(BIO **it)
{
    BIO_free(*it);
}

/* Returns why, after emptying this thread's OpenSSL error queue: what stays in it would be taken for a TLS error by
 * whoever asks next. */
err openssl_failed(err why);

extern const struct fault openssl_trouble; /* ERR_IO: OpenSSL itself failed, out of memory as a rule */

/* Appends the DER of an ASN.1 value, e.g. openssl_put_der(out, (const ASN1_VALUE *)x, ASN1_ITEM_rptr(X509)). */
MUST err openssl_put_der(struct buffer *out, const ASN1_VALUE *value, const ASN1_ITEM *item);
/* A certificate that fills the view to its last byte. Gives. */
MUST err openssl_read_certificate(struct bytes der, X509 **out);
/* A public key that fills the view to its last byte. Gives. */
MUST err openssl_read_public(struct bytes der, EVP_PKEY **out);

/* The one common name of a subject. ERR_ABSENT: none. ERR_MALFORMED: several, empty, too long, or with a NUL. */
MUST err openssl_common_name(const X509_NAME *name, char *out, size_t room);
/* Gives a name with a common name and, unless it is empty, an organization. */
MUST err openssl_make_name(struct bytes common_name, struct bytes organization, X509_NAME **out);
/* The digest that is as strong as the key: SHA-384 for P-384, otherwise SHA-256. */
const EVP_MD *openssl_digest_for(const struct key *key);
