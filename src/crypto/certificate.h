/* X.509 certificates (RFC 5280): reading facts off them, checking a chain. A certificate is its DER, borrowed by
 * every call. Issuing is certificate_order.h's. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "crypto/key.h"

enum {
    CERTIFICATE_MAX = 16384,      /* bytes of DER that are looked at */
    CERTIFICATE_SERIAL_TEXT = 41, /* at most 20 bytes (RFC 5280, 4.1.2.2) as lower-case hex, with its NUL */
    CERTIFICATE_NAME_MAX = 64,    /* bytes of a common name (RFC 5280, A.1: ub-common-name) */
    CERTIFICATE_CHAIN_MAX = 8,    /* certificates in one PEM or PKCS#7 that is read */
};

struct certificate_facts {
    char serial[CERTIFICATE_SERIAL_TEXT];
    char fingerprint[KEY_FINGERPRINT_TEXT];     /* SHA-256 of the DER as hex */
    char key_fingerprint[KEY_FINGERPRINT_TEXT]; /* as key_fingerprint() */
    char common_name[CERTIFICATE_NAME_MAX + 1]; /* UTF-8; "" when the subject has none, several, a longer one */
    int64_t not_before_us, not_after_us;
};

/* ERR_MALFORMED: no certificate in strict DER, bytes left behind it, or a date or serial that RFC 5280 does not allow.
 * Nothing is verified, and the key is not looked into: that is the business of a handshake, or of certificate_verify.
 * So it costs little: 3 microseconds, as does certificate_uri less the digests. */
MUST err certificate_read(struct bytes der, struct certificate_facts *out);
/* The rest of the one URI among the subject alternative names that begins with prefix (core/principal.h: DEVICE_URI).
 * out holds room bytes with the NUL. ERR_ABSENT: no such URI. ERR_MALFORMED: more than one, or one with a NUL or over
 * the room. The caller still judges what stands in out. */
MUST err certificate_uri(struct bytes der, const char *prefix, char *out, size_t room);

MUST err certificate_put_pem(struct bytes der, struct buffer *out); /* appends one PEM block */
/* Takes the next certificate off the front of *pem and appends its DER. ERR_ABSENT: no further block. ERR_MALFORMED: a
 * block that is no certificate. */
MUST err certificate_next_pem(struct bytes *pem, struct buffer *der_out);

/* Path of leaf, intermediate, root at now_us under RFC 5280's strict rules; empty intermediate: leaf directly under
 * root; leaf may be the root itself. ERR_EXPIRED, or ERR_REFUSED for everything else. */
struct certificate_path {
    struct bytes leaf, intermediate, root;
    int64_t now_us;
};
MUST err certificate_verify(const struct certificate_path *path);
/* OK: the certificate is about this key. ERR_REFUSED otherwise. */
MUST err certificate_matches_key(struct bytes der, const struct key *key);
