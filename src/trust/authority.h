/* The certificate authority: a root that is needed once, and the issuing key that works under it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "crypto/key.h"

enum {
    AUTHORITY_ROOT_YEARS = 20,
    AUTHORITY_ISSUING_YEARS = 5,
    AUTHORITY_PEM_MAX = 65536, /* bytes of any one PEM */
};

/* What the first start writes down. Owned; drop it with authority_texts_wipe. */
struct authority_texts {
    struct buffer root_key;    /* PEM, encrypted with the passphrase: to be taken offline */
    struct buffer root;        /* PEM certificate */
    struct buffer issuing_key; /* PEM, plain: for the keeper's folder alone */
    struct buffer issuing;     /* PEM certificate */
};
void authority_texts_open(struct authority_texts *t); /* sets the bounds; nothing is allocated yet */
void authority_texts_wipe(struct authority_texts *t); /* for SCOPED() too */

struct authority_birth {
    struct bytes passphrase; /* of the root key; at least AUTHORITY_PASSPHRASE_MIN bytes */
    const struct clock *clock;
    const struct dice *dice;
};
enum { AUTHORITY_PASSPHRASE_MIN = 16 };

/* Makes both keys and certificates. The root's private key exists in memory only while this runs. */
MUST err authority_create(const struct authority_birth *birth, struct authority_texts *out);

/* What the keeper works with. Owned; the key is wiped with it. */
struct authority {
    struct key *issuing_key;
    struct buffer issuing; /* DER */
    struct buffer root;    /* DER */
    int64_t issuing_expires_us;
};

/* Loads root, issuing and issuing_key (root_key is not looked at) and holds them against each other: the key is the
 * certificate's, the certificate is the root's, both are valid now. ERR_EXPIRED, ERR_REFUSED, ERR_MALFORMED. */
MUST err authority_load(const struct authority_texts *texts, const struct clock *clock, struct authority *out);
void authority_drop(struct authority *a); /* for SCOPED() too */

MUST err authority_put_chain_pem(const struct authority *a, struct buffer *out); /* appends issuing, then root */
