/* Key pairs: elliptic-curve keys as PKCS#8 PEM, their public halves as SubjectPublicKeyInfo in DER. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

struct key; /* a private key; wiped when dropped */

enum key_curve {
    KEY_P256 = 0, /* devices, servers */
    KEY_P384,     /* authorities that live for years */
};

enum {
    KEY_PEM_MAX = 8192,        /* bytes of a PEM text that key_read_pem looks at */
    KEY_PASSPHRASE_MAX = 512,  /* bytes */
    KEY_PUBLIC_MAX = 512,      /* bytes of a SubjectPublicKeyInfo that is looked at */
    KEY_PUBLIC_P256 = 91,      /* bytes of the only form of a P-256 SubjectPublicKeyInfo that we take */
    KEY_FINGERPRINT_TEXT = 65, /* SHA-256 of the SubjectPublicKeyInfo as lower-case hex, with its NUL */
};

/* Keys that are made or read after this call live in memory that is locked and left out of core dumps. For processes
 * that hold authority keys; once, at the start. Best effort: a low RLIMIT_MEMLOCK leaves the memory unlocked. */
void key_memory_protect(void);

MUST err key_generate(enum key_curve curve, struct key **out); /* gives */
void key_drop(struct key *key);                                /* takes; NULL is fine */
void key_drop_scoped(struct key **key);                        /* for SCOPED() */

/* PKCS#8 in PEM; `passphrase` is looked at only when the PEM is encrypted. Gives. ERR_MALFORMED: no private key inside;
 * ERR_REFUSED: encrypted, and the passphrase does not open it; ERR_UNSUPPORTED: neither P-256 nor P-384. */
MUST err key_read_pem(struct bytes pem, struct bytes passphrase, struct key **out);
/* Appends the plain PEM. Use a buffer that is dropped with buffer_wipe; it is given its whole room at once, so that no
 * copy of the key stays behind in memory that was outgrown. */
MUST err key_put_pem(const struct key *key, struct buffer *out);
/* Appends PEM encrypted by PBES2: AES-256-CBC under scrypt with N = 2^14, r = 8, p = 5: as much memory as OpenSSL's
 * own tools, which people will open it with, agree to use. Passphrase of 1 to KEY_PASSPHRASE_MAX bytes. */
MUST err key_put_pem_locked(const struct key *key, struct bytes passphrase, struct buffer *out);

MUST err key_put_public(const struct key *key, struct buffer *out); /* appends the SubjectPublicKeyInfo */
/* SHA-256 of a SubjectPublicKeyInfo, as hex. Does not look into it. */
MUST err key_fingerprint(struct bytes public_key, char out[KEY_FINGERPRINT_TEXT]);
/* OK: public_key is an ECDSA P-256 key in the one form that we take: named curve, uncompressed point, on the curve
 * (RFC 5480, 2.1.1 and 2.2). ERR_UNSUPPORTED otherwise. */
MUST err key_check_public_p256(struct bytes public_key);
