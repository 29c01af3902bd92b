/* How long to wait before the next attempt: exponential with full jitter, so that a fleet does not come back at once.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

struct backoff {
    uint32_t first_ms; /* the bound of the first wait; at least 1 */
    uint32_t max_ms;   /* the bound of every wait; at least first_ms */
    uint32_t failures; /* so far, without a success; starts at 0 */
};

/* One more failure: a wait of 1 to min(max_ms, first_ms * 2^failures) ms, evenly spread. */
uint32_t backoff_next(struct backoff *b, const struct dice *dice);
void backoff_reset(struct backoff *b); /* after a success */
