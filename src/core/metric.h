/* What the server counts of itself, as it is told to those who watch it: GET /metrics and GET /api/v1/health. Whoever
 * counts says in one row what the number means; nobody else needs to know it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/latency.h"

enum metric_kind {
    METRIC_COUNTER, /* only rises until the server restarts */
    METRIC_GAUGE,   /* goes up and down */
};

/* Constant texts, borrowed. Metrics of one family follow each other when they are told, and differ in their labels. */
struct metric {
    const char *family;   /* "messages_in"; Prometheus sees holdfast_messages_in_total */
    const char *labels;   /* "qos=\"1\"", as they stand between the braces; "": none */
    const char *sentence; /* about the family */
    enum metric_kind kind;
};

struct metric_rows {
    void (*number)(struct metric_rows *self, const struct metric *metric, uint64_t value);
    void (*latency)(struct metric_rows *self, const struct metric *metric, const struct latency_sum *sum);
};
