/* Digests of whole views. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/digest.h"

#include "crypto/openssl.h"

static err digest(struct bytes in, const EVP_MD *with, uint8_t *out)
{
    return EVP_Digest(in.at, in.len, out, NULL, with, NULL) == 1 ? OK : openssl_failed(&openssl_trouble);
}

err digest_sha256(struct bytes in, uint8_t out[DIGEST_SHA256])
{
    return digest(in, EVP_sha256(), out);
}

err digest_sha256_text(struct bytes in, char out[DIGEST_SHA256_TEXT])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t hash[DIGEST_SHA256];
    TRY(digest_sha256(in, hash));
    for (size_t i = 0; i < sizeof hash; i++) {
        out[2 * i] = digit[hash[i] >> 4];
        out[2 * i + 1] = digit[hash[i] & 15];
    }
    out[DIGEST_SHA256_TEXT - 1] = 0;
    return OK;
}

err digest_sha1_websocket_accept(struct bytes in, uint8_t out[DIGEST_SHA1])
{
    return digest(in, EVP_sha1(), out);
}
