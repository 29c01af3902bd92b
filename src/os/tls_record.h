/* The protection of TLS 1.3 records (RFC 8446, 5.2 to 5.5 and 7): keys, sequence numbers, sealing and opening. No I/O
 * and no connection. The ciphers and HKDF are OpenSSL's. For os/tls*.c and their tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/memory.h"

#include <openssl/evp.h>

enum {
    RECORD_HEAD = 5,
    RECORD_TAG = 16,
    RECORD_PLAIN_MAX = 16384,                 /* 5.1 */
    RECORD_INNER_MAX = RECORD_PLAIN_MAX + 1,  /* 5.4: content, its type, padding */
    RECORD_BODY_MAX = RECORD_PLAIN_MAX + 256, /* 5.2 */
    RECORD_BODY_MIN = 1 + RECORD_TAG,
    RECORD_WIRE_MAX = RECORD_HEAD + RECORD_BODY_MAX,
    RECORD_OVERHEAD = RECORD_HEAD + 1 + RECORD_TAG, /* of what we seal: we add no padding */
    RECORD_SECRET_MAX = 48,
};

/* 5.5: under one key AES-GCM may seal 2^24.5 records of full size. From the first number on new keys are due; what
 * comes under the same key behind the second is neither sealed nor opened. The numbers hold for all ciphers. */
enum { RECORDS_RENEW = 1 << 22, RECORDS_MAX = 1 << 24 };

enum record_content { RECORD_CHANGE_CIPHER = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

enum record_suite {
    RECORD_AES_128_GCM_SHA256,
    RECORD_AES_256_GCM_SHA384,
    RECORD_CHACHA20_POLY1305_SHA256,
    RECORD_SUITES
};

/* RFC 8446, B.4. ERR_UNSUPPORTED: another suite. */
MUST err record_suite_of(uint16_t number, enum record_suite *out);
size_t record_secret_size(enum record_suite suite); /* the length of the suite's hash */

/* Ciphers and key derivation of one thread. They hold the last key that was used. */
struct record_ciphers {
    EVP_CIPHER_CTX *ciphers[RECORD_SUITES];
    EVP_KDF_CTX *kdfs[RECORD_SUITES];
};
MUST err record_ciphers_open(struct record_ciphers *c); /* fetches all that OpenSSL will need */
void record_ciphers_close(struct record_ciphers *c);    /* wipes; what failed to open may be closed */

/* One direction of one connection: a traffic secret and what follows from it. Takes record_keys_size bytes, aligned for
 * a uint64_t; its owner wipes them. */
struct record_keys {
    uint64_t number;    /* of the next record under this key */
    uint8_t material[]; /* secret, key, IV, as long as the suite wants them */
};
size_t record_keys_size(enum record_suite suite); /* a multiple of 8 */
/* secret: record_secret_size bytes. */
MUST err record_keys_set(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys,
                         struct bytes secret);
/* To the next secret (7.2); numbers start anew. */
MUST err record_keys_update(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys);

/* A run of records of one direction and one key: the cipher is keyed once. Ends with whatever uses the ciphers next. */
struct record_run {
    EVP_CIPHER_CTX *cipher;
    struct record_keys *keys;
    const uint8_t *iv;
};
enum record_act { RECORD_OPEN = 0, RECORD_SEAL };
MUST err record_run_begin(struct record_ciphers *c, enum record_suite suite, struct record_keys *keys,
                          enum record_act act, struct record_run *out);

/* plain: at most RECORD_PLAIN_MAX bytes. out has room for RECORD_OVERHEAD more than that, and does not overlap it. */
MUST err record_seal(struct record_run *run, enum record_content content, struct bytes plain, uint8_t *out);

/* The length of the record that starts here, its head included. ERR_AGAIN: the head is not whole; record_unexpected and
 * record_overflow as below. That the version is not looked at is 5.1; the head is authenticated (5.2). */
MUST err record_length(struct bytes wire, size_t *out);

struct record_plain {
    uint8_t content;    /* alert, handshake or data; nothing else */
    struct bytes bytes; /* at most RECORD_PLAIN_MAX */
};
/* wire: one whole record. The plaintext goes to `to`, which has room for wire.len - RECORD_HEAD - RECORD_TAG bytes and
 * is either wire.at + RECORD_HEAD or does not overlap it. Lends from there. Whatever is refused leaves no plaintext. */
MUST err record_open(struct record_run *run, struct bytes wire, uint8_t *to, struct record_plain *out);

/* What may be wrong with a record. ERR_REFUSED all of them. */
extern const struct fault record_bad_mac, record_overflow, record_unexpected, record_exhausted;
