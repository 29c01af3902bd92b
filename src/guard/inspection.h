/* Inspection: what a payload must hold because of where it goes, and what of it is kept.
 *
 *   devices/{id}/telemetry[/{stream}]  JSON object or SenML -> samples       (guard/telemetry.h)
 *   devices/{id}/events                JSON object          -> an event      (guard/report.h)
 *   devices/{id}/twin/reported         JSON object          -> documents     (guard/report.h)
 *   anything else                      any bytes            -> routed, not kept */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/flow.h"

struct inspection {
    struct inspector inspector; /* hand this to the flow */
    const struct clock *clock;  /* borrowed */
};

void inspection_open(struct inspection *i, const struct clock *clock);
