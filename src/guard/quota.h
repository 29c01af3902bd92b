/* Quotas: a token bucket per principal and verb class, or per network (core/peer.h) for callers that nobody vouches for. Bounded:
 * when the table is full the longest unused buckets go; a bucket that is full again is no loss. Belongs to one loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/flow.h"

struct quota_options {
    uint32_t device_messages_per_s; /* publishes and subscriptions of one device; bursts of twice as many pass */
    uint32_t operator_calls_per_s;
    uint32_t address_calls_per_s; /* calls and sessions from one address that is no known principal */
    size_t buckets_max;
    uint64_t seed;
    uint32_t anonymous_messages_per_s; /* of one address on a plain port; 0: no limit */
};

struct quota;
MUST err quota_open(const struct quota_options *options, const struct clock *clock, struct quota **out); /* gives; borrows clock */
void quota_close(struct quota *quota); /* takes; NULL is fine */
struct limiter *quota_limiter(struct quota *quota); /* lends for the quota's life */
