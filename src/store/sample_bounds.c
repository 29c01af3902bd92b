/* What every store asks of samples before it keeps any of them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sample_bounds.h"

#include <math.h>

static const struct fault too_many = {ERR_REFUSED, "store: more samples than one write may carry"};
static const struct fault long_metric = {ERR_REFUSED, "store: the name of a metric is empty or too long"};
static const struct fault not_finite = {ERR_REFUSED, "store: a number is not finite"};

err samples_fit(const struct samples *samples)
{
    if (samples->count > SAMPLES_MAX)
        return &too_many;
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *sample = &samples->at[i];
        if (!sample->metric.len || sample->metric.len > METRIC_MAX)
            return &long_metric;
        if (sample->kind == SAMPLE_NUMBER && !isfinite(sample->value.number))
            return &not_finite;
    }
    return OK;
}
