/* Exponential back-off with full jitter. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

static uint64_t bound(const struct backoff *b)
{
    uint64_t first = b->first_ms ? b->first_ms : 1;
    uint64_t limit = b->max_ms > first ? b->max_ms : first;
    uint64_t grown = first;
    for (uint32_t i = 0; i < b->failures && grown < limit; i++)
        grown *= 2;
    return grown < limit ? grown : limit;
}

uint32_t backoff_next(struct backoff *b, const struct dice *dice)
{
    uint64_t roll;
    dice->fill(dice, (uint8_t *)&roll, sizeof roll);
    /* 64 bits over a range of at most 32: the unevenness is under one in four thousand million. */
    uint32_t wait = (uint32_t)(1 + roll % bound(b));
    if (b->failures < UINT32_MAX)
        b->failures++;
    return wait;
}

void backoff_reset(struct backoff *b)
{
    b->failures = 0;
}
