/* Whom a server's context trusts, and the short way to it. A leaf that one of our own anchors signed is judged with
 * what was prepared when the context was made; everything else, and everything that is to be refused, goes to OpenSSL's
 * X509_verify_cert. So the short way may only ever say yes where the long one would. For os/tls*.c and their tests. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/err.h"

#include <openssl/ssl.h>
#include <stdbool.h>

struct tls_context;
struct tls_trust;

enum { NO_ANCHOR = -1, ANCHOR_MAX = 16 };

/* From what the store of ctx holds by now: anchors and, when they are asked for, revocation lists. The store must not
 * change any more. */
MUST err tls_trust_open(SSL_CTX *ctx, struct tls_trust **out);
void tls_trust_drop(struct tls_trust *trust); /* takes; NULL is fine */

/* Which anchor vouches for the leaf now, by the short way; NO_ANCHOR: ask the long way. Any thread. */
int tls_trust_finds(const struct tls_trust *trust, X509 *leaf);

/* Makes ctx use it, and its tickets if it has any: a session is resumed only while the leaf and the anchor that vouched
 * for it are valid, trusted and not revoked, by the clock and the lists of the context that resumes it. */
MUST err tls_verify_install(struct tls_context *ctx);
/* After each handshake call: the thread sees all of OpenSSL again, however the call ended. */
void tls_verify_end(const struct tls_context *ctx);
/* Whether this finished handshake may leave a ticket. anchor: what the handshake found. */
bool tls_verify_allows_ticket(const struct tls_context *ctx, const SSL *ssl, int anchor);
