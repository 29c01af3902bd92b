/* A sensor in a room: temperature, humidity and a battery, as real ones look. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "prog/sim/chance.h"

/* Appends the unit's nth sample at that time, as JSON: a day's curve around the place's own mean, slow weather, a
 * little noise, a battery that empties over weeks and is then changed. The values are those of (seed, unit, n, time).
 */
void sensor_put(struct chance chance, uint64_t nth, int64_t wall_us, struct buffer *out);
