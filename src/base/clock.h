/* Time and randomness are handed in, so that logic can be run in simulation. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bytes.h"

/* A port: filled by os/clock.h in production and by tests. Borrowed by whoever holds it. */
struct clock {
    int64_t (*wall_us)(const struct clock *self);      /* microseconds since 1970-01-01 UTC; may jump */
    int64_t (*monotonic_ms)(const struct clock *self); /* milliseconds since some start; never goes back */
};

/* A port: cryptographically strong in production (os/clock.h), seeded in simulation. */
struct dice {
    void (*fill)(const struct dice *self, uint8_t *out, size_t len); /* cannot fail: the process ends instead */
};

static inline int64_t wall_us(const struct clock *c)
{
    return c->wall_us(c);
}

static inline int64_t monotonic_ms(const struct clock *c)
{
    return c->monotonic_ms(c);
}

/* RFC 3339 in UTC with milliseconds, "2026-01-31T08:15:00.123Z". out holds TIME_TEXT bytes with its NUL. Years 0 to
 * 9999; times outside are clamped to them. */
enum { TIME_TEXT = 25 };
void time_text(int64_t wall_us, char out[TIME_TEXT]);
/* Reads RFC 3339 in UTC ("Z"), with or without a fraction (digits past microseconds are dropped). */
MUST err time_parse(struct bytes text, int64_t *wall_us_out);
