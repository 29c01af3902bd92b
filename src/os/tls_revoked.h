/* What the revocation lists of a context name, in a form that outlives the handshake: a connection keeps eight bytes of
 * its peer's certificate, and can be asked at any time. For os/tls*.c only, everybody else sees os/tls.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_revoked;

/* From the lists in a store, of which only those count that one of its certificates signed. *out is NULL when there is
 * no list. */
MUST err tls_revoked_open(X509_STORE *store, struct tls_revoked **out);
void tls_revoked_drop(struct tls_revoked *revoked); /* takes; NULL is fine */

/* A certificate's issuer and serial number, by which lists name it (RFC 5280, 5.3). Never 0; 0 when OpenSSL fails. */
uint64_t tls_revoked_mark(const X509 *certificate);
bool tls_revoked_names(const struct tls_revoked *revoked, uint64_t mark); /* NULL names nobody */
/* ERR_REFUSED: one of the lists is signed by none of the certificates. ERR_EXPIRED: one is over, or not valid yet. */
MUST err tls_revoked_judge(const struct tls_revoked *revoked); /* NULL is OK */
