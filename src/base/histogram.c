/* The histogram: log-linear buckets. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

enum { WHOLE_BITS = 6, PART_BITS = 5, PARTS = 1 << PART_BITS, WHOLE = 1 << WHOLE_BITS };

static unsigned bucket_of(uint64_t value)
{
    if (value < WHOLE)
        return (unsigned)value;
    if (value > UINT32_MAX)
        value = UINT32_MAX;
    unsigned top = 63 - (unsigned)__builtin_clzll(value);
    unsigned part = (unsigned)(value >> (top - PART_BITS)) & (PARTS - 1);
    return WHOLE + (top - WHOLE_BITS) * PARTS + part;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(unsigned bucket)
{
    if (bucket < WHOLE)
        return bucket;
    unsigned top = (bucket - WHOLE) / PARTS + WHOLE_BITS, part = (bucket - WHOLE) % PARTS;
    return ((uint64_t)(PARTS + part + 1) << (top - PART_BITS)) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->buckets[bucket_of(value)]++;
    h->count++;
    h->sum += value;
    if (value > h->max)
        h->max = value;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    into->sum += from->sum;
    if (from->max > into->max)
        into->max = from->max;
}

uint64_t histogram_at(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    if (wanted >= h->count)
        return h->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (seen > wanted)
            return bucket_end(i) < h->max ? bucket_end(i) : h->max;
    }
    return h->max;
}
