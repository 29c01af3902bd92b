/* Enrolment and renewal: the decision, and its order.
 *
 *   enrol: the request is sound and proves its key -> the token exists and is alive -> the id is free -> the keeper
 *   issues -> WRITE_ENROLMENT spends the token and registers the device, both or neither -> the certificate is handed
 *   out. The write is the authority: two devices with the last use of a token, or with one id, may both come as far as
 *   a certificate, but only one certificate leaves this function.
 *   renew: the device exists and the shown certificate belongs to this enrolment of it -> the request is sound and
 *   names the same device -> the keeper issues -> WRITE_RENEWAL.
 *
 * Every refusal is recorded as EVENT_ENROLMENT_REFUSED, never with the token; of a flood of them some are left out, and
 * the next one says how many. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/issuer.h"
#include "core/recorder.h"
#include "core/store.h"
#include "crypto/certificate.h"
#include "trust/notice.h"

/* Everything borrowed. Used by one thread at a time, which may block. */
struct enrolment {
    struct store_reader *reader;
    struct recorder *recorder;
    struct issuer *issuer;
    const struct clock *clock;
    uint32_t device_lifetime_s; /* what is asked of the keeper, which caps it */
    struct notice_budget *refusals;
};

struct enrol_request {
    struct bytes token; /* as the peer sent it */
    struct bytes csr;   /* DER */
    const char *peer;   /* "192.0.2.7:41234" */
};

struct renew_request {
    const char *device_id;    /* proved by the handshake */
    struct bytes certificate; /* DER; the one that proved it */
    struct bytes csr;         /* DER */
    const char *peer;
};

struct enrolled {
    struct device device; /* as it was registered; with its group */
    struct issued issued;
};

void enrolled_drop(struct enrolled *e); /* for SCOPED() too; {0} is fine */

/* Both fill *out, which the caller drops, only when OK. Each fault's text is a sentence fit for the peer:
 *   ERR_MALFORMED, ERR_UNSUPPORTED, ERR_TOO_LARGE   the request (CSR) is wrong
 *   ERR_ABSENT     no such token; renew: no such device
 *   ERR_EXPIRED    the token is too old
 *   ERR_REFUSED    the token's uses are spent; the keeper's table says no; renew: another device's name, or a
 *                  certificate from before this enrolment
 *   ERR_EXISTS     the id is taken
 *   others         the store or the keeper failed: nothing was registered, the peer may try again */
MUST err enrolment_enrol(const struct enrolment *e, const struct enrol_request *request, struct enrolled *out);
MUST err enrolment_renew(const struct enrolment *e, const struct renew_request *request, struct enrolled *out);

/* OK: this certificate was issued for this enrolment of the device: it is the one on record, or it is no older than the
 * enrolment. ERR_REFUSED: it was issued to a device of the same id that has been deleted since. For every door that
 * admits devices. */
MUST err enrolment_covers(const struct device *device, const struct certificate_facts *shown);
