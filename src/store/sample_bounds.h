/* What every store asks of samples before it keeps any of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/sample.h"

/* ERR_REFUSED: over SAMPLES_MAX samples, an empty or too long name of a metric, or a number that is not finite. */
MUST err samples_fit(const struct samples *samples);
