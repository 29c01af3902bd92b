/* Latencies in buckets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/latency.h"

/* From a local queue's to a stalled disk's: 1, 2.5 and 5 of each power of ten. */
const uint32_t latency_bounds_us[LATENCY_BOUNDS] = {50,     100,     250,     500,     1000,    2500,
                                                    5000,   10000,   25000,   50000,   100000,  250000,
                                                    500000, 1000000, 2500000, 5000000, 10000000};

void latency_add(struct latency *l, int64_t us)
{
    size_t bucket = 0;
    while (bucket < LATENCY_BOUNDS && us > latency_bounds_us[bucket])
        bucket++;
    counter_raise(&l->buckets[bucket], 1);
    counter_raise(&l->sum_us, us > 0 ? (uint64_t)us : 0);
}

void latency_sum_add(struct latency_sum *sum, const struct latency *l)
{
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        uint64_t count = counter_read(&l->buckets[i]);
        sum->buckets[i] += count;
        sum->count += count;
    }
    sum->sum_us += counter_read(&l->sum_us);
}
