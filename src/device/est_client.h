/* The device's side of EST (RFC 7030) and of what else it asks the server for by HTTPS. Blocks. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "device/https_client.h"

/* Everything borrowed. */
struct est_server {
    const char *url;               /* "https://host:8443" */
    struct bytes anchors_pem;      /* the root that the server's certificate must chain to */
    const struct counter *abandon; /* as in https_request; may be NULL */
};

/* All append PEM to a buffer, add to the errors of https_call and https_want_200 ERR_MALFORMED for an answer that is
 * not what RFC 7030 promises, and fill why when they fail. */

/* The root that the server itself offers, taken only when the SHA-256 of its DER is `sha256_hex` (64 digits, either
 * case). ERR_REFUSED: it has another one. server->anchors_pem is not looked at: the pin is the trust. */
MUST err est_fetch_root(const struct est_server *server, const char *sha256_hex, struct buffer *pem, char why[WHY_TEXT]);
/* RFC 7030, 4.1: the authorities' certificates. */
MUST err est_fetch_authorities(const struct est_server *server, struct buffer *pem, char why[WHY_TEXT]);
/* RFC 7030, 4.2.1, with the token as the password of HTTP Basic (3.2.3). csr is DER. */
MUST err est_enrol(const struct est_server *server, const char *token, struct bytes csr, struct buffer *pem,
                   char why[WHY_TEXT]);
/* RFC 7030, 4.2.2, with the certificate that is to be renewed (3.3.2). */
struct est_renewal {
    struct bytes chain_pem, key_pem;
    struct bytes csr;
};
MUST err est_renew(const struct est_server *server, const struct est_renewal *renewal, struct buffer *pem,
                   char why[WHY_TEXT]);
/* How far this machine's clock is ahead of the server's, by GET /healthz, half of the way there and back allowed for. */
MUST err est_clock_offset(const struct est_server *server, const struct clock *clock, int64_t *ahead_us_out,
                          char why[WHY_TEXT]);
