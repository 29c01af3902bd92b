/* SenML in JSON (RFC 8428): an array of records becomes resolved samples. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/sample.h"
#include "guard/telemetry_sink.h"
#include "wire/json.h"

/* Base fields are added, relative times are resolved against the sink's time of arrival. Sums, data values and fields
 * that must be understood (those ending in "_") are refused by name; other unknown fields are ignored, as the standard
 * asks. ERR_MALFORMED, ERR_UNSUPPORTED and what sink_take says. */
MUST err senml_decode(json_t *array, struct telemetry_sink *sink, char why[WHY_TEXT]);
