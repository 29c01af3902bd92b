/* Trust on first use, by a hash. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/ctl/pin.h"

#include "prog/ctl/client.h"

#include "base/text.h"

#include <openssl/evp.h>

#include <string.h>

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END   "-----END CERTIFICATE-----"

enum { SHA256_BYTES = 32, PEM_LINE_BYTES = 48 /* 64 characters (RFC 7468, 2) */ };

/* The certificate's DER: what stands between the lines of the one PEM block that there must be. */
static err pem_body(const char *pem, struct buffer *der)
{
    static const struct fault not_one = {ERR_MALFORMED, "pin: not one PEM certificate"};
    const char *begin = strstr(pem, PEM_BEGIN), *end = begin ? strstr(begin, PEM_END) : NULL;
    if (!end || strstr(end, PEM_BEGIN))
        return &not_one;
    begin += strlen(PEM_BEGIN);
    return base64_decode(bytes_of(begin, (size_t)(end - begin)), der);
}

/* Written anew from what was hashed: TLS libraries read other labels too ("X509 CERTIFICATE"), and whatever stands
 * beside the pinned certificate was put there by somebody whom nobody knows. */
static void put_pem(struct buffer *pem, struct bytes der)
{
    put_text(pem, PEM_BEGIN "\n");
    for (; der.len; der = bytes_from(der, PEM_LINE_BYTES)) {
        put_base64(pem, bytes_first(der, PEM_LINE_BYTES));
        put_u8(pem, '\n');
    }
    put_text(pem, PEM_END "\n");
}

static bool hash_is(const struct buffer *der, const struct buffer *wanted)
{
    uint8_t hash[SHA256_BYTES];
    return EVP_Digest(der->at, der->len, hash, NULL, EVP_sha256(), NULL) == 1 &&
           bytes_equal(bytes_of(hash, sizeof hash), buffer_view(wanted));
}

static OUTCOME take_pinned(struct reply *reply, const struct buffer *wanted, struct buffer *pem)
{
    SCOPED(buffer_drop) struct buffer der = {.max = REPLY_MAX};
    if (reply->status != 200 || pem_body(buffer_text(&reply->body), &der)) {
        complain("the server gives no root certificate");
        return UNREACHED;
    }
    if (!hash_is(&der, wanted)) {
        complain("the server's root certificate has another SHA-256 than --ca-sha256 says: do not trust it");
        return UNREACHED;
    }
    put_pem(pem, buffer_view(&der));
    if (!buffer_finish(pem))
        return DONE;
    complain("the server's root certificate is too large");
    return UNREACHED;
}

OUTCOME pin_fetch(const char *server, const char *hex, struct buffer *pem)
{
    struct reply reply = {.status = 0};
    SCOPED(buffer_drop) struct buffer wanted = {.max = SHA256_BYTES};
    if (hex_decode(bytes_of_text(hex), &wanted) || wanted.len != SHA256_BYTES) {
        complain("--ca-sha256 wants 64 hexadecimal digits");
        return USAGE;
    }
    enum outcome o = client_fetch_unverified(server, "/api/v1/ca.pem", &reply);
    if (!o)
        o = take_pinned(&reply, &wanted, pem);
    reply_drop(&reply);
    return o;
}
