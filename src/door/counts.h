/* What one lobby counts. Its loop's thread raises (counter_raise, counter_lower, counter_set, latency_add), any thread
 * reads; lobbies do not share a cache line. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/metric.h"

enum { DOOR_COUNTS_QOS = 3 }; /* QoS 0, 1 and 2 */

#define COUNTER(name, family, labels, sentence) struct counter name;
#define GAUGE(name, family, labels, sentence)   struct counter name;
#define COUNTER_BY_QOS(name, family, sentence)  struct counter name[DOOR_COUNTS_QOS];
#define LATENCY(name, family, labels, sentence) struct latency name;
struct door_counts {
#include "door/counts.def"
    uint8_t apart[64];
};
#undef COUNTER
#undef GAUGE
#undef COUNTER_BY_QOS
#undef LATENCY

/* Tells the sums over `count` of them, in the order of counts.def; from any thread. */
void door_counts_tell(const struct door_counts *const *of, size_t count, struct metric_rows *rows);
/* The sum of one of them: DOOR_COUNTS_SUM(of, count, connections_now). */
uint64_t door_counts_sum(const struct door_counts *const *of, size_t count, size_t offset);
#define DOOR_COUNTS_SUM(of, count, name) door_counts_sum(of, count, offsetof(struct door_counts, name))
