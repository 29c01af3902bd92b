/* What devices measure: payloads of devices/{id}/telemetry[/{stream}] become samples. A JSON object has metrics as its
 * members; a JSON array is SenML (RFC 8428). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "core/sample.h"
#include "wire/why.h"

enum {
    TELEMETRY_DEPTH_MAX = 4,   /* objects within each other: {"a":{"b":{"c":{"d":1}}}} */
    TELEMETRY_AHEAD_S = 86400, /* a sample time further ahead of the server's clock is refused */
};
#define TELEMETRY_EARLIEST_US 946684800000000LL /* 2000-01-01T00:00:00Z; an earlier sample time is refused */

struct json_t;

/* Owns everything that its samples borrow. */
struct telemetry {
    struct samples samples; /* 1 to SAMPLES_MAX, in the order of the payload */
    struct sample *rows;    /* the decoder's own, as the next two */
    struct buffer names;
    struct json_t *document;
};

/* `stream` is what stands behind "telemetry/" in the topic, empty when nothing does: "boiler/2" puts "boiler.2." before
 * each metric's name. `now_us` is the time of arrival, for samples that have none. ERR_MALFORMED, ERR_TOO_LARGE,
 * ERR_UNSUPPORTED, ERR_MEMORY: nothing is to be dropped, and why names the member, never a value. */
MUST err telemetry_decode(struct bytes payload, struct bytes stream, int64_t now_us, struct telemetry *out,
                          char why[WHY_TEXT]);
void telemetry_drop(struct telemetry *t); /* for SCOPED(telemetry_drop); all zero is fine */
