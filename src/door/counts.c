/* The counts of all lobbies as metrics: counts.def, read as a table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/counts.h"

static const struct count_row {
    struct metric metric;
    size_t at;      /* in struct door_counts */
    bool durations; /* a struct latency stands there, else a counter */
} rows_of[] = {
#define NUMBER(field, family, labels, sentence, kind)                                                                  \
    {{family, labels, sentence, kind}, offsetof(struct door_counts, field), false},
#define COUNTER(field, family, labels, sentence) NUMBER(field, family, labels, sentence, METRIC_COUNTER)
#define GAUGE(field, family, labels, sentence)   NUMBER(field, family, labels, sentence, METRIC_GAUGE)
#define COUNTER_BY_QOS(field, family, sentence)                                                                        \
    COUNTER(field[0], family, "qos=\"0\"", sentence)                                                                   \
    COUNTER(field[1], family, "qos=\"1\"", sentence)                                                                   \
    COUNTER(field[2], family, "qos=\"2\"", sentence)
#define LATENCY(field, family, labels, sentence)                                                                       \
    {{family, labels, sentence, METRIC_COUNTER}, offsetof(struct door_counts, field), true},
#include "door/counts.def"
#undef NUMBER
#undef COUNTER
#undef GAUGE
#undef COUNTER_BY_QOS
#undef LATENCY
};

uint64_t door_counts_sum(const struct door_counts *const *of, size_t count, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += counter_read((const struct counter *)((const char *)of[i] + offset));
    return sum;
}

static struct latency_sum sum_latencies(const struct door_counts *const *of, size_t count, size_t offset)
{
    struct latency_sum sum = {.count = 0};
    for (size_t i = 0; i < count; i++)
        latency_sum_add(&sum, (const struct latency *)((const char *)of[i] + offset));
    return sum;
}

void door_counts_tell(const struct door_counts *const *of, size_t count, struct metric_rows *rows)
{
    for (const struct count_row *row = rows_of; row < rows_of + sizeof rows_of / sizeof *rows_of; row++) {
        if (row->durations) {
            struct latency_sum sum = sum_latencies(of, count, row->at);
            rows->latency(rows, &row->metric, &sum);
        } else {
            rows->number(rows, &row->metric, door_counts_sum(of, count, row->at));
        }
    }
}
