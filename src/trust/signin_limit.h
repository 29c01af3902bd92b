/* The sign-in rate limit: pure, bounded, with the clock handed in. Each key (a name, an address) may fail a few times;
 * from then on it has to wait after each failure, twice as long each time up to a bound. A success forgives. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

enum {
    SIGNIN_FREE_FAILURES = 5,
    SIGNIN_WAIT_S = 30, /* after the fifth failure */
    SIGNIN_WAIT_MAX_S = 900,
    SIGNIN_FORGET_S = 3600, /* without a failure, a key is as new */
    SIGNIN_KEYS_MAX = 4096, /* keys that are remembered; the one that failed longest ago makes room */
    SIGNIN_KEY_BYTES = 32,  /* keys are kept as digests, so that a long one costs no more than a short one */
};

struct signin_limit; /* belongs to one thread */

MUST err signin_limit_open(struct signin_limit **out); /* gives */
void signin_limit_close(struct signin_limit *limit);   /* takes; NULL is fine */

/* Seconds that the key still has to wait at now_ms (monotonic): 0 means go on. */
uint32_t signin_limit_wait_s(const struct signin_limit *limit, struct bytes key, int64_t now_ms);
void signin_limit_failed(struct signin_limit *limit, struct bytes key, int64_t now_ms);
void signin_limit_forgive(struct signin_limit *limit, struct bytes key);
