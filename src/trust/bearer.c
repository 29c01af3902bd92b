/* Bearer secrets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/bearer.h"

#include "crypto/digest.h"

static const struct fault not_ours = {ERR_MALFORMED, "secret: not 32 of the characters a to z and 2 to 7"};

enum { BEARER_BYTES = 20 };
_Static_assert(BEARER_BYTES * 8 == BEARER_TEXT * 5, "no bits are left over");
_Static_assert((int)DIGEST_SHA256 == (int)TOKEN_HASH, "the store keeps whole digests");

static void to_base32(const uint8_t in[BEARER_BYTES], uint8_t out[BEARER_TEXT])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz234567";
    for (size_t i = 0; i < BEARER_TEXT; i++) {
        size_t bit = i * 5;
        unsigned pair = (unsigned)in[bit / 8] << 8 | (bit / 8 + 1 < BEARER_BYTES ? in[bit / 8 + 1] : 0);
        out[i] = (uint8_t)alphabet[pair >> (11 - bit % 8) & 31];
    }
}

err bearer_make(const struct dice *dice, struct secret *text, uint8_t hash[TOKEN_HASH])
{
    SCOPED(secret_wipe) struct secret raw = {.len = BEARER_BYTES};
    dice->fill(dice, raw.at, BEARER_BYTES);
    secret_wipe(text);
    to_base32(raw.at, text->at);
    text->len = BEARER_TEXT;
    return digest_sha256(secret_view(text), hash);
}

err bearer_hash(struct bytes text, uint8_t hash[TOKEN_HASH])
{
    if (text.len != BEARER_TEXT)
        return &not_ours;
    for (size_t i = 0; i < text.len; i++)
        if (!(text.at[i] >= 'a' && text.at[i] <= 'z') && !(text.at[i] >= '2' && text.at[i] <= '7'))
            return &not_ours;
    return digest_sha256(text, hash);
}
