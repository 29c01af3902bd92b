/* Enrolment over Secure Transport (RFC 7030, with the clarifications of RFC 8951): certificates for devices. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/call.h"
#include "core/issuer.h"
#include "core/recorder.h"
#include "core/store.h"
#include "trust/notice.h"

/* Everything borrowed. Used by one thread at a time, which may block. */
struct est {
    struct store_reader *reader;
    struct recorder *recorder;
    struct issuer *issuer;
    const struct clock *clock;
    struct bytes chain_pem; /* issuing certificate, then root */
    uint32_t device_lifetime_s;
    struct notice_budget *refusals;
};

/* Each fills an answer opened by the caller; refusals are answers too, as text/plain with the reason in a sentence. An
 * error means that no answer could be made (memory): the caller answers 500.
 *
 *   GET  /.well-known/est/cacerts          nobody   200 with issuing certificate and root
 *   GET  /.well-known/est/csrattrs         nobody   204: the server wants no attributes
 *   POST /.well-known/est/simpleenroll     token    by HTTP Basic (any user name, the token as password) or Bearer
 *   POST /.well-known/est/simplereenroll   device   by its client certificate
 *
 * 400 wrong request (CSR), 401 no token or an unknown one, 403 token spent or expired, foreign or outlived certificate,
 * 409 the id is taken, 415 not application/pkcs10, 503 with Retry-After when the store or the keeper failed. */
MUST err est_cacerts(const struct est *est, const struct call *call, struct answer *answer);
MUST err est_csrattrs(const struct est *est, const struct call *call, struct answer *answer);
MUST err est_simpleenroll(const struct est *est, const struct call *call, struct answer *answer);
MUST err est_simplereenroll(const struct est *est, const struct call *call, struct answer *answer);
