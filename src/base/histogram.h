/* Counts of values by size: what percentiles of latencies are read off. Bounded memory, a thirty-second of error at
 * most. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* Values below 64 have a bucket each; from there on every power of two is cut into 32 equal buckets. Values from 2^32
 * on count as the largest. Zero is empty. One thread's own: merge those of several afterwards. */
enum { HISTOGRAM_BUCKETS = 64 + 26 * 32 };
struct histogram {
    uint64_t count, sum, max;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/* A value that the given share (0 to 1) of all does not exceed, and at most a 32nd larger than the least such; 0 when
 * empty. A share of 1 gives the largest exactly. */
uint64_t histogram_at(const struct histogram *h, double share);
