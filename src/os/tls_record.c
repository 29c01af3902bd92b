/* Records of TLS 1.3.
 *
 * A nonce is the IV with the record's number mixed in (RFC 8446, 5.3). A number is used up by record_seal itself, so
 * that no caller can use one twice without meaning to. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/tls_record.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/kdf.h>
#include <string.h>

static const struct fault broken_library = {ERR_IO, "tls: OpenSSL did not seal or derive as asked"};
static const struct fault other_suite = {ERR_UNSUPPORTED, "tls: a cipher suite that the record layer has not"};
static const struct fault part_of_head = {ERR_AGAIN, "tls: the head of a record is not whole"};
const struct fault record_bad_mac = {ERR_REFUSED, "tls: a record is not what the other side sealed"};
const struct fault record_overflow = {ERR_REFUSED, "tls: a record is longer than any may be"};
const struct fault record_unexpected = {ERR_REFUSED, "tls: a record or message of a kind that has no place here"};
const struct fault record_exhausted = {ERR_REFUSED, "tls: too many records under one key"};

enum { IV_SIZE = 12, KEY_MAX = 32, INFO_MAX = 32 };

static const struct suite {
    uint16_t number;
    uint8_t secret, key;
    const char *cipher, *digest;
} suites[RECORD_SUITES] = {
    [RECORD_AES_128_GCM_SHA256] = {0x1301, 32, 16, "AES-128-GCM", "SHA2-256"},
    [RECORD_AES_256_GCM_SHA384] = {0x1302, 48, 32, "AES-256-GCM", "SHA2-384"},
    [RECORD_CHACHA20_POLY1305_SHA256] = {0x1303, 32, 32, "ChaCha20-Poly1305", "SHA2-256"},
};

err record_suite_of(uint16_t number, enum record_suite *out)
{
    for (int i = 0; i < RECORD_SUITES; i++)
        if (suites[i].number == number) {
            *out = (enum record_suite)i;
            return OK;
        }
    return &other_suite;
}

size_t record_secret_size(enum record_suite suite)
{
    return suites[suite].secret;
}

static err cipher_open(const struct suite *suite, EVP_CIPHER_CTX **out)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, suite->cipher, NULL);
    *out = EVP_CIPHER_CTX_new();
    int ready = cipher && *out ? EVP_CipherInit_ex2(*out, cipher, NULL, NULL, 1, NULL) : 0;
    EVP_CIPHER_free(cipher); /* the context holds it */
    return ready == 1 ? OK : &broken_library;
}

/* The digest is looked up here, once. */
static err kdf_open(const struct suite *suite, EVP_KDF_CTX **out)
{
    char digest[16] = "";
    memcpy(digest, suite->digest, strlen(suite->digest) + 1);
    int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
    OSSL_PARAM params[] = {OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                           OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0), OSSL_PARAM_END};
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
    *out = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    EVP_KDF_free(kdf); /* the context holds it */
    return *out && EVP_KDF_CTX_set_params(*out, params) == 1 ? OK : &broken_library;
}

err record_ciphers_open(struct record_ciphers *c)
{
    *c = (struct record_ciphers){0};
    ERR_clear_error();
    for (int i = 0; i < RECORD_SUITES; i++) {
        TRY(cipher_open(&suites[i], &c->ciphers[i]));
        TRY(kdf_open(&suites[i], &c->kdfs[i]));
    }
    return OK;
}

void record_ciphers_close(struct record_ciphers *c)
{
    for (int i = 0; i < RECORD_SUITES; i++) {
        EVP_CIPHER_CTX_free(c->ciphers[i]);
        EVP_KDF_CTX_free(c->kdfs[i]);
    }
    *c = (struct record_ciphers){0};
}

/* ---- keys */

static uint8_t *key_of(const struct suite *suite, struct record_keys *keys)
{
    return keys->material + suite->secret;
}

static uint8_t *iv_of(const struct suite *suite, struct record_keys *keys)
{
    return keys->material + suite->secret + suite->key;
}

size_t record_keys_size(enum record_suite suite)
{
    size_t used = sizeof(struct record_keys) + suites[suite].secret + suites[suite].key + IV_SIZE;
    return (used + 7) / 8 * 8;
}

/* HKDF-Expand-Label with an empty context (7.1). */
static err expand(EVP_KDF_CTX *kdf, struct bytes secret, const char *label, uint8_t *out, size_t len)
{
    uint8_t at[INFO_MAX];
    size_t label_len = strlen(label);
    at[0] = 0;
    at[1] = (uint8_t)len;
    at[2] = (uint8_t)(6 + label_len);
    memcpy(at + 3, "tls13 ", 6);
    memcpy(at + 9, label, label_len);
    at[9 + label_len] = 0;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.at, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, at, 10 + label_len), OSSL_PARAM_END};
    return EVP_KDF_derive(kdf, out, len, params) == 1 ? OK : &broken_library;
}

static err follow_secret(struct record_ciphers *c, enum record_suite number, struct record_keys *keys)
{
    const struct suite *suite = &suites[number];
    struct bytes secret = bytes_of(keys->material, suite->secret);
    keys->number = 0;
    TRY(expand(c->kdfs[number], secret, "key", key_of(suite, keys), suite->key));
    return expand(c->kdfs[number], secret, "iv", iv_of(suite, keys), IV_SIZE);
}

err record_keys_set(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys, struct bytes secret)
{
    if (secret.len != suites[suite].secret)
        return &broken_library;
    memcpy(keys->material, secret.at, secret.len);
    return follow_secret(c, suite, keys);
}

err record_keys_update(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys)
{
    uint8_t next[RECORD_SECRET_MAX];
    struct bytes secret = bytes_of(keys->material, suites[suite].secret);
    err failed = expand(c->kdfs[suite], secret, "traffic upd", next, secret.len);
    if (!failed)
        failed = record_keys_set(c, suite, keys, bytes_of(next, secret.len));
    mem_wipe(next, sizeof next);
    return failed;
}

/* ---- records */

err record_run_begin(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys, enum record_act act,
                     struct record_run *out)
{
    *out = (struct record_run){c->ciphers[suite], keys, iv_of(&suites[suite], keys)};
    ERR_clear_error();
    return EVP_CipherInit_ex2(out->cipher, NULL, key_of(&suites[suite], keys), NULL, act == RECORD_SEAL, NULL) == 1
               ? OK
               : &broken_library;
}

/* Uses up the number. */
static err next_nonce(struct record_run *run, uint8_t nonce[IV_SIZE])
{
    uint64_t number = run->keys->number;
    if (number >= RECORDS_MAX)
        return &record_exhausted;
    run->keys->number++;
    memcpy(nonce, run->iv, IV_SIZE);
    for (int i = 0; i < 8; i++)
        nonce[IV_SIZE - 1 - i] ^= (uint8_t)(number >> (8 * i));
    return OK;
}

/* The number is used up by now, whatever OpenSSL says. */
static int seal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[IV_SIZE], uint8_t content, struct bytes plain, uint8_t *out)
{
    int len;
    uint8_t *body = out + RECORD_HEAD;
    return EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CipherUpdate(cipher, NULL, &len, out, RECORD_HEAD) == 1 &&
           (!plain.len || EVP_CipherUpdate(cipher, body, &len, plain.at, (int)plain.len) == 1) &&
           EVP_CipherUpdate(cipher, body + plain.len, &len, &content, 1) == 1 &&
           EVP_CipherFinal_ex(cipher, body + plain.len + 1, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, RECORD_TAG, body + plain.len + 1) == 1;
}

err record_seal(struct record_run *run, enum record_content content, struct bytes plain, uint8_t *out)
{
    uint8_t nonce[IV_SIZE];
    size_t body = plain.len + 1 + RECORD_TAG;
    if (plain.len > RECORD_PLAIN_MAX)
        return &record_overflow;
    TRY(next_nonce(run, nonce));
    out[0] = RECORD_DATA;
    out[1] = 3;
    out[2] = 3;
    out[3] = (uint8_t)(body >> 8);
    out[4] = (uint8_t)body;
    return seal(run->cipher, nonce, (uint8_t)content, plain, out) ? OK : &broken_library;
}

err record_length(struct bytes wire, size_t *out)
{
    if (wire.len && wire.at[0] != RECORD_DATA)
        return &record_unexpected;
    if (wire.len < RECORD_HEAD)
        return &part_of_head;
    size_t body = (size_t)wire.at[3] << 8 | wire.at[4];
    if (body > RECORD_BODY_MAX)
        return &record_overflow;
    if (body < RECORD_BODY_MIN)
        return &record_bad_mac; /* nothing can be authentic in it */
    *out = RECORD_HEAD + body;
    return OK;
}

static int unseal(EVP_CIPHER_CTX *cipher, const uint8_t nonce[IV_SIZE], struct bytes wire, uint8_t *to, size_t len)
{
    int done;
    const uint8_t *body = wire.at + RECORD_HEAD;
    return EVP_CipherInit_ex2(cipher, NULL, NULL, nonce, -1, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, RECORD_TAG, (void *)(uintptr_t)(body + len)) == 1 &&
           EVP_CipherUpdate(cipher, NULL, &done, wire.at, RECORD_HEAD) == 1 &&
           EVP_CipherUpdate(cipher, to, &done, body, (int)len) == 1 && EVP_CipherFinal_ex(cipher, to + len, &done) == 1;
}

/* 5.4: the type is the last byte that is not zero. */
static err take_type(uint8_t *inner, size_t len, struct record_plain *out)
{
    while (len && !inner[len - 1])
        len--;
    if (!len)
        return &record_unexpected;
    *out = (struct record_plain){inner[len - 1], bytes_of(inner, len - 1)};
    return out->content == RECORD_ALERT || out->content == RECORD_HANDSHAKE || out->content == RECORD_DATA
               ? OK
               : &record_unexpected;
}

err record_open(struct record_run *run, struct bytes wire, uint8_t *to, struct record_plain *out)
{
    uint8_t nonce[IV_SIZE];
    size_t whole = 0;
    TRY(record_length(wire, &whole));
    if (whole != wire.len)
        return &record_bad_mac;
    size_t len = wire.len - RECORD_HEAD - RECORD_TAG;
    TRY(next_nonce(run, nonce));
    err failed = unseal(run->cipher, nonce, wire, to, len) ? OK : &record_bad_mac;
    if (!failed)
        failed = len > RECORD_INNER_MAX ? &record_overflow : take_type(to, len, out);
    if (failed) {
        ERR_clear_error();
        mem_wipe(to, len);
    }
    return failed;
}
