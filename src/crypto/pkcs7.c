/* Certificates in a PKCS#7 without signers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/pkcs7.h"

#include "crypto/certificate.h"
#include "crypto/openssl.h"

static const struct fault bad_count = {ERR_MALFORMED, "pkcs7: not 1 to 8 certificates"};
static const struct fault not_pkcs7 = {ERR_MALFORMED, "pkcs7: not the DER of one PKCS#7 signed-data"};

static PKCS7 *signed_data(void)
{
    PKCS7 *p7 = PKCS7_new();
    if (p7 && PKCS7_set_type(p7, NID_pkcs7_signed) == 1 && PKCS7_content_new(p7, NID_pkcs7_data) == 1 &&
        PKCS7_set_detached(p7, 1) == 1) /* no content at all (RFC 5751, 3.7) */
        return p7;
    PKCS7_free(p7);
    return NULL;
}

err pkcs7_put_certificates(const struct bytes *certificates, size_t count, struct buffer *out)
{
    if (!count || count > CERTIFICATE_CHAIN_MAX)
        return &bad_count;
    SCOPED(PKCS7_end) PKCS7 *p7 = signed_data();
    if (!p7)
        return openssl_failed(&openssl_trouble);
    for (size_t i = 0; i < count; i++) {
        SCOPED(X509_end) X509 *x = NULL;
        TRY(openssl_read_certificate(certificates[i], &x));
        if (PKCS7_add_certificate(p7, x) != 1)
            return openssl_failed(&openssl_trouble);
    }
    return openssl_put_der(out, (const ASN1_VALUE *)p7, ASN1_ITEM_rptr(PKCS7));
}

static err put_one(X509 *x, struct buffer *out)
{
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    TRY(openssl_put_der(&der, (const ASN1_VALUE *)x, ASN1_ITEM_rptr(X509)));
    return certificate_put_pem(buffer_view(&der), out);
}

err pkcs7_put_pem(struct bytes der, struct buffer *out)
{
    if (!der.len || der.len > PKCS7_MAX)
        return &not_pkcs7;
    const unsigned char *at = der.at;
    SCOPED(PKCS7_end) PKCS7 *p7 = d2i_PKCS7(NULL, &at, (long)der.len);
    if (!p7 || at != der.at + der.len || !PKCS7_type_is_signed(p7) || !p7->d.sign)
        return openssl_failed(&not_pkcs7);
    int count = sk_X509_num(p7->d.sign->cert); /* -1 for none */
    if (count < 1 || count > CERTIFICATE_CHAIN_MAX)
        return &bad_count;
    for (int i = 0; i < count; i++)
        TRY(put_one(sk_X509_value(p7->d.sign->cert, i), out));
    return OK;
}
