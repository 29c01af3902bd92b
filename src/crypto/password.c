/* Passwords. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/password.h"

#include "base/buffer.h"
#include "base/memory.h"
#include "base/text.h"
#include "crypto/openssl.h"

static const struct fault too_long = {ERR_TOO_LARGE, "password: over 256 bytes"};
static const struct fault wrong = {ERR_REFUSED, "password: wrong"};
static const struct fault not_a_hash = {ERR_MALFORMED, "password: what is kept is no scrypt hash that we take"};
static const struct fault no_memory = {ERR_MEMORY, "password: no memory for scrypt"};

enum { SALT_BYTES = 16, HASH_BYTES = 32, KEPT_BYTES_MAX = 64 };
enum { LOG_N = 15, LOG_N_MIN = 14, LOG_N_MAX = 17, R = 8, P = 1, P_MAX = 4 };
enum { MEMORY_MAX = 160 << 20 /* over what the largest N takes: 128 MiB and a little */ };

struct cost {
    uint64_t log_n, r, p;
};

static err derive(struct bytes password, struct bytes salt, const struct cost *cost, struct secret *out)
{
    if (password.len > PASSWORD_MAX)
        return &too_long;
    out->len = HASH_BYTES;
    const char *at = password.len ? (const char *)password.at : "";
    if (EVP_PBE_scrypt(at, password.len, salt.at, salt.len, (uint64_t)1 << cost->log_n, cost->r, cost->p, MEMORY_MAX,
                       out->at, HASH_BYTES) != 1)
        return openssl_failed(&no_memory);
    return OK;
}

err password_hash(struct bytes password, const struct dice *dice, char out[PASSWORD_HASH_TEXT])
{
    static const struct cost cost = {LOG_N, R, P};
    SCOPED(secret_wipe) struct secret hash = {0};
    SCOPED(buffer_drop) struct buffer text = {.max = PASSWORD_HASH_TEXT};
    uint8_t salt[SALT_BYTES];
    dice->fill(dice, salt, sizeof salt);
    TRY(derive(password, bytes_of(salt, sizeof salt), &cost, &hash));
    put_format(&text, "scrypt$%d$%d$%d$", LOG_N, R, P);
    put_base64url(&text, bytes_of(salt, sizeof salt));
    put_u8(&text, '$');
    put_base64url(&text, secret_view(&hash));
    TRY(buffer_finish(&text));
    return text_copy(buffer_view(&text), out, PASSWORD_HASH_TEXT);
}

/* The bounds keep a damaged store from asking for hours or gigabytes. */
static err read_cost(struct bytes *rest, struct cost *out)
{
    if (!bytes_is(bytes_cut(rest, '$'), "scrypt"))
        return &not_a_hash;
    TRY(text_to_u64(bytes_cut(rest, '$'), &out->log_n));
    TRY(text_to_u64(bytes_cut(rest, '$'), &out->r));
    TRY(text_to_u64(bytes_cut(rest, '$'), &out->p));
    bool bounded = out->log_n >= LOG_N_MIN && out->log_n <= LOG_N_MAX && out->r == R && out->p >= 1 && out->p <= P_MAX;
    return bounded ? OK : &not_a_hash;
}

err password_verify(struct bytes password, struct bytes kept)
{
    struct cost cost;
    SCOPED(buffer_drop) struct buffer salt = {.max = KEPT_BYTES_MAX};
    SCOPED(buffer_drop) struct buffer expected = {.max = KEPT_BYTES_MAX};
    SCOPED(secret_wipe) struct secret hash = {0};
    if (read_cost(&kept, &cost) || base64url_decode(bytes_cut(&kept, '$'), &salt) ||
        base64url_decode(kept, &expected) || expected.len != HASH_BYTES || salt.len < 8)
        return &not_a_hash;
    TRY(derive(password, buffer_view(&salt), &cost, &hash));
    return bytes_equal_secret(secret_view(&hash), buffer_view(&expected)) ? OK : &wrong;
}

err password_verify_nobody(struct bytes password)
{
    static const struct cost cost = {LOG_N, R, P};
    static const uint8_t salt[SALT_BYTES] = {0};
    SCOPED(secret_wipe) struct secret hash = {0};
    TRY(derive(password, bytes_of(salt, sizeof salt), &cost, &hash));
    return &wrong;
}
