/* A sample: one value of one metric at one time. A metric belongs to one device. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"
#include "core/limits.h"

enum sample_kind { SAMPLE_NUMBER, SAMPLE_INTEGER, SAMPLE_TRUTH, SAMPLE_TEXT };

struct sample {
    struct bytes metric; /* 1 to METRIC_MAX bytes of UTF-8 without control characters; borrowed */
    struct bytes unit;   /* UNIT_MAX; empty when the sender gave none; borrowed */
    int64_t time_us;     /* since 1970-01-01 UTC */
    enum sample_kind kind;
    union {
        double number; /* finite */
        int64_t integer;
        bool truth;
        struct bytes text; /* SAMPLE_TEXT_MAX bytes of UTF-8; borrowed */
    } value;
};

struct samples {
    const struct sample *at;
    size_t count;
};
