/* The keeper's desk: a request's bytes in, an answer's bytes out. Pure: keys, names, clock and dice are handed in. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "crypto/certificate_order.h"
#include "trust/authority.h"
#include "trust/keeper_protocol.h"

/* The start of every certificate lies this far back, for devices whose clocks are a little slow. */
enum { KEEPER_BACKDATE_S = 300 };

/* Everything borrowed. */
struct keeper_desk {
    const struct authority *authority;
    const struct certificate_name *server_names; /* what a server certificate says, fixed at start */
    size_t server_name_count;
    const struct clock *clock;
    const struct dice *dice;
};

/* Appends the first message: the chain. */
MUST err keeper_desk_greet(const struct keeper_desk *desk, struct buffer *answer);
/* Appends the answer to any request, sound or not. An error means that no answer could be made at all (memory); what
 * was refused is in *refused, for the keeper's log. */
MUST err keeper_desk_answer(const struct keeper_desk *desk, struct bytes request, struct buffer *answer,
                            enum keeper_refusal *refused);
