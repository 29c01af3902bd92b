/* A sensor in a room. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/sensor.h"

#include "base/clock.h"

#include <math.h>

enum { DAY_S = 86400, WEATHER_S = 6 * 3600, BATTERY_S = 40 * DAY_S };
#define TURN 6.283185307179586

/* A value for each six hours, and straight lines between them: what the weather does. -1 to 1. */
static double weather(struct chance chance, double now_s)
{
    double at = now_s / WEATHER_S;
    uint64_t step = (uint64_t)at;
    double part = at - (double)step;
    double a = chance_share(chance, CHANCE_SENSOR, 1000 + step), b = chance_share(chance, CHANCE_SENSOR, 1001 + step);
    return 2 * (a * (1 - part) + b * part) - 1;
}

static double noise(struct chance chance, uint64_t nth, unsigned which)
{
    return 2 * chance_share(chance, CHANCE_JITTER, 4 * nth + which) - 1;
}

void sensor_put(struct chance chance, uint64_t nth, int64_t wall_us, struct buffer *out)
{
    char time[TIME_TEXT];
    double now_s = (double)wall_us / 1e6;
    double mean = 17 + 8 * chance_share(chance, CHANCE_SENSOR, 0);
    double warmest_s = (14 + 3 * chance_share(chance, CHANCE_SENSOR, 1)) * 3600;
    double day = cos((fmod(now_s, DAY_S) - warmest_s) / DAY_S * TURN);
    double temperature = mean + 2.5 * day + 1.5 * weather(chance, now_s) + 0.05 * noise(chance, nth, 0);
    double humidity =
        48 - 2.2 * (temperature - mean) + 8 * chance_share(chance, CHANCE_SENSOR, 2) + 0.4 * noise(chance, nth, 1);
    double age = fmod(now_s + BATTERY_S * chance_share(chance, CHANCE_SENSOR, 3), BATTERY_S) / BATTERY_S;
    double battery = 4.15 - 0.55 * age - 0.35 * pow(age, 8) + 0.004 * noise(chance, nth, 2);
    time_text(wall_us, time);
    put_format(out, "{\"time\":\"%s\",\"temperature\":%.2f,\"humidity\":%.1f,\"battery\":%.3f}", time, temperature,
               humidity, battery);
}
