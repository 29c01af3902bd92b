/* Passwords: scrypt (RFC 7914), kept as "scrypt$15$8$1$<salt>$<hash>": log2 N, r, p, and two base64url texts. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "base/clock.h"

enum {
    PASSWORD_MAX = 256,      /* bytes */
    PASSWORD_HASH_TEXT = 128 /* bytes of the kept text with its NUL */
};

/* Each call below takes about a tenth of a second and 32 MiB: never on a loop thread. ERR_TOO_LARGE: over PASSWORD_MAX.
 * ERR_MEMORY: the 32 MiB were not there. */
MUST err password_hash(struct bytes password, const struct dice *dice, char out[PASSWORD_HASH_TEXT]);
/* OK: it is the password. ERR_REFUSED: it is not. ERR_MALFORMED: the kept text is no such hash, or its parameters are
 * outside of N = 2^14 to 2^17, r = 8, p = 1 to 4. */
MUST err password_verify(struct bytes password, struct bytes kept);
/* The work of password_verify for nobody: so that an unknown name takes as long as a wrong password. ERR_REFUSED. */
MUST err password_verify_nobody(struct bytes password);
