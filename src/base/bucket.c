/* Token buckets. What is missing is counted, not what is there, so that zero is full. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

enum { MILLI = 1000 };

static void refill(struct bucket *b, struct bucket_rate rate, int64_t now_ms)
{
    int64_t elapsed_ms = now_ms > b->filled_ms ? now_ms - b->filled_ms : 0;
    /* One token per second is one thousandth per millisecond. Held against division first: a long time overflows. */
    bool full = !rate.per_s || elapsed_ms > b->milli / rate.per_s;
    b->milli = full ? 0 : b->milli - elapsed_ms * rate.per_s;
    b->filled_ms = now_ms;
}

bool bucket_take(struct bucket *b, struct bucket_rate rate, int64_t now_ms)
{
    refill(b, rate, now_ms);
    if (b->milli + MILLI > (int64_t)rate.burst * MILLI)
        return false;
    b->milli += MILLI;
    return true;
}
