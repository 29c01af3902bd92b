/* What the files of this room share about OpenSSL. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/openssl.h"

#include "crypto/certificate.h"

#include <limits.h>
#include <openssl/err.h>
#include <string.h>

const struct fault openssl_trouble = {ERR_IO, "crypto: OpenSSL failed, probably for want of memory"};
static const struct fault not_a_certificate = {ERR_MALFORMED, "certificate: not the DER of one certificate"};
static const struct fault not_a_public_key = {ERR_MALFORMED, "key: not the DER of one public key"};
static const struct fault no_common_name = {ERR_ABSENT, "name: there is no common name in it"};
static const struct fault bad_common_name = {ERR_MALFORMED, "name: there must be one common name of 1 to 64 bytes"};

err openssl_failed(err why)
{
    ERR_clear_error();
    return why;
}

err openssl_put_der(struct buffer *out, const ASN1_VALUE *value, const ASN1_ITEM *item)
{
    int len = ASN1_item_i2d(value, NULL, item);
    if (len <= 0)
        return openssl_failed(&openssl_trouble);
    unsigned char *at = buffer_reserve(out, (size_t)len);
    if (!at)
        return buffer_finish(out);
    if (ASN1_item_i2d(value, &at, item) != len)
        return openssl_failed(&openssl_trouble);
    buffer_filled(out, (size_t)len);
    return buffer_finish(out);
}

err openssl_read_certificate(struct bytes der, X509 **out)
{
    if (!der.len || der.len > CERTIFICATE_MAX)
        return &not_a_certificate;
    const unsigned char *at = der.at;
    SCOPED(X509_end) X509 *x = d2i_X509(NULL, &at, (long)der.len);
    if (!x || at != der.at + der.len)
        return openssl_failed(&not_a_certificate);
    *out = x;
    x = NULL;
    return OK;
}

err openssl_read_public(struct bytes der, EVP_PKEY **out)
{
    if (!der.len || der.len > KEY_PUBLIC_MAX)
        return &not_a_public_key;
    const unsigned char *at = der.at;
    SCOPED(EVP_PKEY_end) EVP_PKEY *pkey = d2i_PUBKEY(NULL, &at, (long)der.len);
    if (!pkey || at != der.at + der.len)
        return openssl_failed(&not_a_public_key);
    *out = pkey;
    pkey = NULL;
    return OK;
}

err openssl_common_name(const X509_NAME *name, char *out, size_t room)
{
    int place = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (place < 0)
        return &no_common_name;
    if (X509_NAME_get_index_by_NID(name, NID_commonName, place) >= 0)
        return &bad_common_name;
    unsigned char *utf8 = NULL;
    int len = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, place)));
    if (len < 0)
        return openssl_failed(&bad_common_name);
    bool fits = len > 0 && (size_t)len < room && !memchr(utf8, 0, (size_t)len);
    if (fits) {
        memcpy(out, utf8, (size_t)len);
        out[len] = 0;
    }
    OPENSSL_free(utf8);
    return fits ? OK : &bad_common_name;
}

static bool add_entry(X509_NAME *name, int nid, struct bytes text)
{
    return text.len <= INT_MAX &&
           X509_NAME_add_entry_by_NID(name, nid, MBSTRING_UTF8, text.at, (int)text.len, -1, 0) == 1;
}

err openssl_make_name(struct bytes common_name, struct bytes organization, X509_NAME **out)
{
    size_t nul;
    if (!common_name.len || common_name.len > CERTIFICATE_NAME_MAX || organization.len > CERTIFICATE_NAME_MAX ||
        bytes_find(common_name, 0, &nul) || bytes_find(organization, 0, &nul))
        return &bad_common_name;
    SCOPED(X509_NAME_end) X509_NAME *name = X509_NAME_new();
    if (!name)
        return openssl_failed(&openssl_trouble);
    if ((organization.len && !add_entry(name, NID_organizationName, organization)) ||
        !add_entry(name, NID_commonName, common_name))
        return openssl_failed(&bad_common_name);
    *out = name;
    name = NULL;
    return OK;
}

const EVP_MD *openssl_digest_for(const struct key *key)
{
    return EVP_PKEY_get_bits(key->pkey) > 256 ? EVP_sha384() : EVP_sha256();
}
