/* Reading certificates and checking a path. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate.h"

#include "crypto/digest.h"
#include "crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <time.h>

static const struct fault bad_serial = {ERR_MALFORMED, "certificate: the serial number is not 1 to 20 bytes, positive"};
static const struct fault bad_date = {ERR_MALFORMED, "certificate: a date is not in RFC 5280's form"};
static const struct fault no_uri = {ERR_ABSENT, "certificate: no such URI among its names"};
static const struct fault bad_uri = {ERR_MALFORMED, "certificate: more than one such URI, or one that is too long"};
static const struct fault bad_names = {ERR_MALFORMED, "certificate: its alternative names cannot be read"};
static const struct fault no_block = {ERR_ABSENT, "certificate: no further PEM block"};
static const struct fault bad_block = {ERR_MALFORMED, "certificate: a PEM block that is no certificate"};
static const struct fault expired = {ERR_EXPIRED, "certificate: outside of its time"};
static const struct fault no_path = {ERR_REFUSED, "certificate: not issued under the root, or against RFC 5280"};
static const struct fault other_key = {ERR_REFUSED, "certificate: about another key"};

enum { SERIAL_BYTES_MAX = 20 };

static err read_serial(const X509 *x, char out[CERTIFICATE_SERIAL_TEXT])
{
    static const char digit[] = "0123456789abcdef";
    const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
    int len = ASN1_STRING_length(serial);
    const unsigned char *at = ASN1_STRING_get0_data(serial);
    if (ASN1_STRING_type(serial) != V_ASN1_INTEGER || len < 1 || len > SERIAL_BYTES_MAX || (len == 1 && !at[0]))
        return &bad_serial;
    for (int i = 0; i < len; i++) {
        *out++ = digit[at[i] >> 4];
        *out++ = digit[at[i] & 15];
    }
    *out = 0;
    return OK;
}

static err read_date(const ASN1_TIME *date, int64_t *us_out)
{
    struct tm tm = {0};
    if (ASN1_TIME_check(date) != 1 || ASN1_TIME_to_tm(date, &tm) != 1)
        return openssl_failed(&bad_date);
    *us_out = (int64_t)timegm(&tm) * 1000000;
    return OK;
}

static err put_public(const X509 *x, struct buffer *out)
{
    return openssl_put_der(out, (const ASN1_VALUE *)X509_get_X509_PUBKEY(x), ASN1_ITEM_rptr(X509_PUBKEY));
}

err certificate_read(struct bytes der, struct certificate_facts *out)
{
    SCOPED(X509_end) X509 *x = NULL;
    SCOPED(buffer_drop) struct buffer public_key = {.max = CERTIFICATE_MAX};
    TRY(openssl_read_certificate(der, &x));
    *out = (struct certificate_facts){0};
    TRY(read_serial(x, out->serial));
    TRY(read_date(X509_get0_notBefore(x), &out->not_before_us));
    TRY(read_date(X509_get0_notAfter(x), &out->not_after_us));
    TRY(put_public(x, &public_key));
    TRY(key_fingerprint(buffer_view(&public_key), out->key_fingerprint));
    IGNORE(openssl_common_name(X509_get_subject_name(x), out->common_name, sizeof out->common_name));
    return digest_sha256_text(der, out->fingerprint);
}

static struct bytes string_view(const ASN1_STRING *s)
{
    return bytes_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

err certificate_uri(struct bytes der, const char *prefix, char *out, size_t room)
{
    SCOPED(X509_end) X509 *x = NULL;
    TRY(openssl_read_certificate(der, &x));
    int state = 0;
    SCOPED(GENERAL_NAMES_end) GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, &state, NULL);
    if (!names)
        return openssl_failed(state == -1 ? &no_uri : &bad_names); /* -1: not there; other values: there, and bad */
    struct bytes found = {NULL, 0};
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type != GEN_URI || !bytes_starts(string_view(name->d.uniformResourceIdentifier), prefix))
            continue;
        if (found.at)
            return &bad_uri;
        found = string_view(name->d.uniformResourceIdentifier);
    }
    size_t skip = strlen(prefix), nul;
    if (!found.at)
        return &no_uri;
    if (found.len - skip >= room || bytes_find(found, 0, &nul))
        return &bad_uri;
    memcpy(out, found.at + skip, found.len - skip);
    out[found.len - skip] = 0;
    return OK;
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
