/* A token bucket: so many at once, then so many a second. {0} is a full one. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct bucket_rate {
    uint32_t per_s, burst;
};

struct bucket {
    int64_t filled_ms; /* by a monotonic clock */
    int64_t milli;     /* thousandths of a token that are missing from a full one */
};

/* Takes one token. False: there is none. A clock that goes back fills nothing and takes nothing away. */
bool bucket_take(struct bucket *b, struct bucket_rate rate, int64_t now_ms);
