/* How long things took, in a few fixed buckets: one thread adds, any other may read meanwhile. For what is watched for
 * years; base/histogram.h gives exact percentiles of one run. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/count.h"

#include <stddef.h>

enum { LATENCY_BOUNDS = 17, LATENCY_BUCKETS = LATENCY_BOUNDS + 1 };

/* The largest time of each bucket, in microseconds; the last bucket has no bound. */
extern const uint32_t latency_bounds_us[LATENCY_BOUNDS];

/* Zero is empty. */
struct latency {
    struct counter buckets[LATENCY_BUCKETS];
    struct counter sum_us;
};

/* By the one thread that the latency belongs to. Less than nothing, after a clock was set back, counts as nothing. */
void latency_add(struct latency *l, int64_t us);

/* The sum of several, as read at one time; zero is empty. */
struct latency_sum {
    uint64_t buckets[LATENCY_BUCKETS];
    uint64_t count, sum_us;
};
void latency_sum_add(struct latency_sum *sum, const struct latency *l);
