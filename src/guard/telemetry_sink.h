/* Where decoders of telemetry put samples: it checks what holds for every format and keeps the names. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "guard/telemetry.h"

/* Room for the samples of one payload, counted beforehand, so that names never move. */
struct telemetry_sink {
    struct telemetry *out;
    struct bytes stream;
    int64_t now_us;
    size_t room; /* samples that fit */
};

/* Makes room. ERR_MALFORMED when count is 0, ERR_TOO_LARGE when it is over SAMPLES_MAX, ERR_MEMORY. */
MUST err sink_open(struct telemetry_sink *sink, size_t count, char why[WHY_TEXT]);

/* Refuses two samples of one metric, where the format has no times of its own to tell them apart:
 * {"a.b":1,"a":{"b":2}}. ERR_MALFORMED, ERR_MEMORY. */
MUST err sink_check_unique(const struct telemetry_sink *sink, char why[WHY_TEXT]);

/* A name in parts, joined as they stand: {"cpu", ".", "load"}. Borrowed. */
struct telemetry_name {
    const struct bytes *parts;
    size_t count;
};

/* Adds a sample: `value` with everything but its metric. Checks the name, the unit, the time and a text's length. */
MUST err sink_take(struct telemetry_sink *sink, struct telemetry_name name, const struct sample *value,
                   char why[WHY_TEXT]);
