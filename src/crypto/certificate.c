/* Reading certificates and checking a path. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate.h"

#include "base/text.h"
#include "crypto/certificate_fields.h"
#include "crypto/digest.h"
#include "crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

static const struct fault no_uri = {ERR_ABSENT, "certificate: no such URI among its names"};
static const struct fault bad_uri = {ERR_MALFORMED, "certificate: more than one such URI, or one that is too long"};
static const struct fault bad_names = {ERR_MALFORMED, "certificate: its alternative names cannot be read"};
static const struct fault no_block = {ERR_ABSENT, "certificate: no further PEM block"};
static const struct fault bad_block = {ERR_MALFORMED, "certificate: a PEM block that is no certificate"};
static const struct fault expired = {ERR_EXPIRED, "certificate: outside of its time"};
static const struct fault no_path = {ERR_REFUSED, "certificate: not issued under the root, or against RFC 5280"};
static const struct fault other_key = {ERR_REFUSED, "certificate: about another key"};

static void put_serial(struct bytes serial, char out[CERTIFICATE_SERIAL_TEXT])
{
    static const char digit[] = "0123456789abcdef";
    for (size_t i = 0; i < serial.len; i++) {
        *out++ = digit[serial.at[i] >> 4];
        *out++ = digit[serial.at[i] & 15];
    }
    *out = 0;
}

err certificate_read(struct bytes der, struct certificate_facts *out)
{
    struct certificate_fields fields;
    TRY(certificate_take_apart(der, &fields));
    *out = (struct certificate_facts){0};
    put_serial(fields.serial, out->serial);
    TRY(certificate_date(fields.from, &out->not_before_us));
    TRY(certificate_date(fields.until, &out->not_after_us));
    TRY(key_fingerprint(fields.public_key, out->key_fingerprint));
    IGNORE(certificate_common_name(fields.subject, out->common_name, sizeof out->common_name));
    return digest_sha256_text(der, out->fingerprint);
}

/* GeneralNames ::= SEQUENCE OF GeneralName, of which uniformResourceIdentifier is [6] IA5String. */
err certificate_uri(struct bytes der, const char *prefix, char *out, size_t room)
{
    enum { URI = DER_CONTEXT | 6 };
    struct certificate_fields fields;
    TRY(certificate_take_apart(der, &fields));
    if (!fields.names.at)
        return &no_uri;
    struct bytes found = {NULL, 0};
    struct reader around = reader_over(fields.names);
    struct reader names = der_enter(&around, DER_SEQUENCE);
    while (!names.spoiled && names.left.len) {
        struct der name = der_next(&names);
        if (name.tag != URI || !bytes_starts(name.contents, prefix))
            continue;
        if (found.at)
            return &bad_uri;
        found = name.contents;
    }
    der_leave(&around, &names);
    if (reader_finish(&around))
        return &bad_names;
    if (!found.at)
        return &no_uri;
    return text_copy(bytes_from(found, strlen(prefix)), out, room) ? &bad_uri : OK;
}

err certificate_put_pem(struct bytes der, struct buffer *out)
{
    SCOPED(X509_end) X509 *x = NULL;
    TRY(openssl_read_certificate(der, &x));
    SCOPED(BIO_end) BIO *bio = BIO_new(BIO_s_mem());
    char *at = NULL;
    if (!bio || PEM_write_bio_X509(bio, x) != 1)
        return openssl_failed(&openssl_trouble);
    long len = BIO_get_mem_data(bio, &at);
    put_bytes(out, bytes_of(at, (size_t)len));
    return buffer_finish(out);
}

/* OpenSSL would ask for the passphrase of an encrypted block on the terminal, and the block may be a stranger's. */
static int no_passphrase(char *out, int room, int writing, void *with)
{
    return -1;
}

err certificate_next_pem(struct bytes *pem, struct buffer *der_out)
{
    if (!pem->len)
        return &no_block;
    if (pem->len > (size_t)CERTIFICATE_CHAIN_MAX * CERTIFICATE_MAX * 2)
        return &bad_block;
    SCOPED(BIO_end) BIO *in = BIO_new_mem_buf(pem->at, (int)pem->len);
    SCOPED(X509_end) X509 *x = in ? PEM_read_bio_X509(in, NULL, no_passphrase, NULL) : NULL;
    if (!x) {
        bool end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
        return openssl_failed(end ? &no_block : &bad_block);
    }
    *pem = bytes_from(*pem, pem->len - BIO_ctrl_pending(in));
    return openssl_put_der(der_out, (const ASN1_VALUE *)x, ASN1_ITEM_rptr(X509));
}

static err run_path(X509_STORE_CTX *ctx)
{
    if (X509_verify_cert(ctx) == 1)
        return OK;
    int why = X509_STORE_CTX_get_error(ctx);
    bool time = why == X509_V_ERR_CERT_HAS_EXPIRED || why == X509_V_ERR_CERT_NOT_YET_VALID;
    return openssl_failed(time ? &expired : &no_path);
}

err certificate_verify(const struct certificate_path *path)
{
    SCOPED(X509_end) X509 *leaf = NULL;
    SCOPED(X509_end) X509 *middle = NULL;
    SCOPED(X509_end) X509 *root = NULL;
    TRY(openssl_read_certificate(path->leaf, &leaf));
    TRY(openssl_read_certificate(path->root, &root));
    if (path->intermediate.len)
        TRY(openssl_read_certificate(path->intermediate, &middle));
    SCOPED(X509_STORE_end) X509_STORE *anchors = X509_STORE_new();
    SCOPED(X509_STORE_CTX_end) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *others = sk_X509_new_null();
    err e = &openssl_trouble;
    if (anchors && ctx && others && X509_STORE_add_cert(anchors, root) == 1 &&
        (!middle || sk_X509_push(others, middle) > 0) && X509_STORE_CTX_init(ctx, anchors, leaf, others) == 1) {
        X509_VERIFY_PARAM *rules = X509_STORE_CTX_get0_param(ctx);
        X509_VERIFY_PARAM_set_time(rules, (time_t)(path->now_us / 1000000));
        X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
        e = run_path(ctx);
    }
    sk_X509_free(others); /* the stack alone: the certificates are scoped */
    return e ? openssl_failed(e) : OK;
}

err certificate_matches_key(struct bytes der, const struct key *key)
{
    SCOPED(X509_end) X509 *x = NULL;
    TRY(openssl_read_certificate(der, &x));
    return X509_check_private_key(x, key->pkey) == 1 ? OK : openssl_failed(&other_key);
}
