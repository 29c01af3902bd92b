/* Certificate signing requests. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/csr.h"

#include "crypto/openssl.h"

#include <string.h>

static const struct fault too_large = {ERR_TOO_LARGE, "request: over 8192 bytes"};
static const struct fault not_a_request = {ERR_MALFORMED, "request: not the DER of one PKCS#10 request"};
static const struct fault bad_name = {ERR_MALFORMED, "request: the subject must hold one common name of 1 to 64 bytes"};
static const struct fault bad_signature = {ERR_MALFORMED,
                                           "request: its signature does not prove possession of the private key"};
static const struct fault other_key = {
    ERR_UNSUPPORTED, "request: the key must be ECDSA P-256, a named curve with an uncompressed point"};
static const struct fault other_signature = {ERR_UNSUPPORTED,
                                             "request: the signature must be ECDSA with SHA-256, SHA-384 or SHA-512"};

static err read_request(struct bytes der, X509_REQ **out)
{
    if (der.len > CSR_MAX)
        return &too_large;
    const unsigned char *at = der.at;
    SCOPED(X509_REQ_end) X509_REQ *request = der.len ? d2i_X509_REQ(NULL, &at, (long)der.len) : NULL;
    if (!request || at != der.at + der.len || X509_REQ_get_version(request) != X509_REQ_VERSION_1)
        return openssl_failed(&not_a_request);
    *out = request;
    request = NULL;
    return OK;
}

static err read_key(X509_REQ *request, struct csr *out)
{
    SCOPED(buffer_drop) struct buffer public_key = {.max = KEY_PUBLIC_P256};
    const ASN1_VALUE *field = (const ASN1_VALUE *)X509_REQ_get_X509_PUBKEY(request);
    /* A key over the buffer's bound is no P-256 key either. */
    if (openssl_put_der(&public_key, field, ASN1_ITEM_rptr(X509_PUBKEY)) ||
        key_check_public_p256(buffer_view(&public_key)))
        return openssl_failed(&other_key);
    memcpy(out->public_key, public_key.at, KEY_PUBLIC_P256);
    return OK;
}

static err check_signature(X509_REQ *request)
{
    int how = X509_REQ_get_signature_nid(request);
    if (how != NID_ecdsa_with_SHA256 && how != NID_ecdsa_with_SHA384 && how != NID_ecdsa_with_SHA512)
        return &other_signature;
    return X509_REQ_verify(request, X509_REQ_get0_pubkey(request)) == 1 ? OK : openssl_failed(&bad_signature);
}

err csr_read(struct bytes der, struct csr *out)
{
    SCOPED(X509_REQ_end) X509_REQ *request = NULL;
    *out = (struct csr){0};
    TRY(read_request(der, &request));
    /* The name first: whoever records a refusal then knows whose it claimed to be. */
    if (openssl_common_name(X509_REQ_get_subject_name(request), out->common_name, sizeof out->common_name))
        return &bad_name;
    TRY(read_key(request, out));
    return check_signature(request);
}

struct bytes csr_public_key(const struct csr *csr)
{
    return bytes_of(csr->public_key, sizeof csr->public_key);
}

err csr_make(const struct key *key, struct bytes common_name, struct buffer *out)
{
    SCOPED(X509_NAME_end) X509_NAME *subject = NULL;
    TRY(openssl_make_name(common_name, (struct bytes){NULL, 0}, &subject));
    SCOPED(X509_REQ_end) X509_REQ *request = X509_REQ_new();
    if (!request || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(request, subject) != 1 || X509_REQ_set_pubkey(request, key->pkey) != 1 ||
        X509_REQ_sign(request, key->pkey, openssl_digest_for(key)) <= 0)
        return openssl_failed(&openssl_trouble);
    return openssl_put_der(out, (const ASN1_VALUE *)request, ASN1_ITEM_rptr(X509_REQ));
}
