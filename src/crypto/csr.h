/* Certificate signing requests (PKCS#10, RFC 2986). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "crypto/certificate.h"

enum { CSR_MAX = 8192 /* bytes of DER that are looked at */ };

/* What a request asks for; a value without owned memory. Requested extensions are not read: the issuer's profile alone
 * decides what a certificate says. */
struct csr {
    char common_name[CERTIFICATE_NAME_MAX + 1];
    uint8_t public_key[KEY_PUBLIC_P256]; /* SubjectPublicKeyInfo */
};

/* Reads and verifies. ERR_MALFORMED: not DER, bytes left over, no or several or too long common names, or a signature
 * that does not prove possession of the key. ERR_UNSUPPORTED: a key other than P-256 (named curve, uncompressed), a
 * signature other than ECDSA with SHA-256, SHA-384 or SHA-512. ERR_TOO_LARGE: over CSR_MAX. Each text is a sentence
 * fit for the requester. */
MUST err csr_read(struct bytes der, struct csr *out);
struct bytes csr_public_key(const struct csr *csr); /* lends */

/* Appends the DER of a request for common_name, signed by key with SHA-256. */
MUST err csr_make(const struct key *key, struct bytes common_name, struct buffer *out);
