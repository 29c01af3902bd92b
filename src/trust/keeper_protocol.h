/* What the server and the keeper say to each other: one message per packet of a SOCK_SEQPACKET pair, in network order.
 *
 *   keeper -> server   answer 0, CHAIN      once, when the keeper is ready
 *   server -> keeper   request n            n counts up from 1
 *   keeper -> server   answer n             exactly one per request, in order
 *
 * A request that cannot be read is answered as number 0, REFUSED: the server is broken or taken over, and is told no
 * more than that. Coding is pure; views lend from the decoded bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/issuer.h"

enum {
    KEEPER_VERSION = 1,
    KEEPER_REQUEST_MAX = 1024, /* bytes of a request */
    KEEPER_ANSWER_MAX = 16384, /* bytes of an answer */
};

enum keeper_request_kind { KEEPER_ISSUE_DEVICE = 1, KEEPER_ISSUE_SERVER, KEEPER_SHOW_CHAIN };

struct keeper_request {
    uint32_t number;
    enum keeper_request_kind kind;
    struct bytes device_id;  /* KEEPER_ISSUE_DEVICE: as id_is_valid() */
    struct bytes public_key; /* both ISSUE: KEY_PUBLIC_P256 bytes, not yet looked into */
    uint32_t lifetime_s;     /* both ISSUE */
};

enum keeper_answer_kind { KEEPER_CHAIN = 1, KEEPER_ISSUED, KEEPER_REFUSED };

/* Why not. Both sides know the sentence (keeper_refusal_fault), so none crosses. */
enum keeper_refusal {
    KEEPER_NOTHING_REFUSED = 0,
    KEEPER_NOT_UNDERSTOOD,
    KEEPER_NOT_PERMITTED, /* the table says no */
    KEEPER_BAD_KEY,       /* not a P-256 key */
    KEEPER_EXPIRED,       /* the issuing certificate ended */
    KEEPER_FAILED,        /* signing itself failed */
    KEEPER_REFUSALS
};

struct keeper_answer {
    uint32_t number;
    enum keeper_answer_kind kind;
    struct bytes chain;       /* KEEPER_CHAIN: PEM, issuing then root */
    struct bytes certificate; /* KEEPER_ISSUED: DER */
    int64_t expires_us;       /* KEEPER_ISSUED */
    struct bytes serial;      /* KEEPER_ISSUED: hex */
    enum keeper_refusal refusal;
};

/* Encoding appends; ERR_TOO_LARGE when a part is over its bound. Decoding: ERR_MALFORMED, and nothing in out counts. */
MUST err keeper_request_encode(const struct keeper_request *request, struct buffer *out);
MUST err keeper_request_decode(struct bytes in, struct keeper_request *out);
MUST err keeper_answer_encode(const struct keeper_answer *answer, struct buffer *out);
MUST err keeper_answer_decode(struct bytes in, struct keeper_answer *out);

err keeper_refusal_fault(enum keeper_refusal refusal); /* never OK */

/* What the keeper's table permits for a profile, whatever the server asks. */
struct keeper_permit {
    uint32_t lifetime_min_s; /* below: not permitted */
    uint32_t lifetime_max_s; /* above: cut to this */
};
const struct keeper_permit *keeper_permit(enum certificate_profile profile);
