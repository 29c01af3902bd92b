/* What was measured: a bounded list of named numbers, and the telemetry payload that carries it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

enum { MEASURES_MAX = 32 };

struct measure {
    const char *metric; /* a literal: "cpu.load" */
    double value;       /* finite */
};

/* Zero is the empty list. */
struct measures {
    size_t count;
    struct measure at[MEASURES_MAX];
};

/* Adds one, rounded to `decimals` (0 to 6), since more digits than the source has would only cost room. A value that
 * is not finite is left out; a full list is a bug and ends the process. */
void measures_add(struct measures *m, const char *metric, double value, unsigned decimals);
/* Appends {"time":"2026-...Z","cpu.load":0.25,...}. */
void measures_put_json(struct buffer *b, const struct measures *m, int64_t wall_us);
