/* Certificates in a PKCS#7 without signers ("certs-only", RFC 5751, 3.7; what EST hands out, RFC 7030, 4.1.3). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { PKCS7_MAX = 65536 /* bytes of DER that are looked at */ };

/* Appends the DER of a PKCS#7 with these certificates (each DER), at most CERTIFICATE_CHAIN_MAX, in this order. */
MUST err pkcs7_put_certificates(const struct bytes *certificates, size_t count, struct buffer *out);
/* Appends every certificate inside as PEM, in the order they stand in. ERR_MALFORMED: no PKCS#7 signed-data, bytes left
 * over, or none or more than CERTIFICATE_CHAIN_MAX certificates inside. Nothing is verified. */
MUST err pkcs7_put_pem(struct bytes der, struct buffer *out);
