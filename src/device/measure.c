/* The list of measured numbers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "device/measure.h"

#include "base/clock.h"
#include "base/text.h"

#include <assert.h>
#include <math.h>

static const double scale[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};

void measures_add(struct measures *m, const char *metric, double value, unsigned decimals)
{
    assert(m->count < MEASURES_MAX && decimals < sizeof scale / sizeof *scale);
    double rounded = round(value * scale[decimals]) / scale[decimals];
    if (isfinite(rounded))
        m->at[m->count++] = (struct measure){metric, rounded + 0.0}; /* + 0.0: no "-0" */
}

void measures_put_json(struct buffer *b, const struct measures *m, int64_t wall_us)
{
    char time[TIME_TEXT];
    time_text(wall_us, time);
    put_format(b, "{\"time\":\"%s\"", time);
    for (size_t i = 0; i < m->count; i++) {
        put_u8(b, ',');
        put_json_text(b, bytes_of_text(m->at[i].metric));
        put_format(b, ":%.15g", m->at[i].value);
    }
    put_u8(b, '}');
}
