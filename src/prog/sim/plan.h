/* What each unit of the fleet will do, decided before anything happens: the same seed gives the same plan. Pure. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "prog/sim/chance.h"

enum profile {
    PROFILE_TELEMETRY = 0, /* sends a sample now and then */
    PROFILE_STORM,         /* the same; all of them lose their connection at the same moments, and come back at once */
    PROFILE_SLOW,          /* sends itself more than it reads */
    PROFILE_BAD,           /* breaks the rules, one mischief after the other */
    PROFILE_IDLE,          /* is there */
    PROFILES,
};

/* A mixture: shares[PROFILE_BAD] of all shares together are bad. At least one is not 0. */
struct mixture {
    uint32_t shares[PROFILES];
};

struct plan_wishes {
    uint64_t seed;
    struct mixture mixture;
    uint32_t arrive_ms;   /* over how long units begin */
    uint32_t interval_ms; /* between the messages of one unit, on the average */
};

struct plan {
    struct chance chance;
    enum profile profile;
    uint32_t start_ms; /* from the run's start */
    uint32_t interval_ms;
    uint32_t mischief; /* a bad unit's first; it takes those behind it in turn */
};

struct plan plan_of(const struct plan_wishes *wishes, uint64_t unit);
/* From the message before to the nth message: the interval, up to a fifth more or less; to the first a part of it. */
uint32_t plan_wait_ms(const struct plan *plan, uint64_t nth);
/* Until the nth attempt in a row to come back: doubles from half a second to half a minute, and a random half of it. */
uint32_t plan_backoff_ms(const struct plan *plan, uint64_t nth);

const char *profile_name(enum profile profile);
/* Reads "telemetry" or "telemetry:90,bad:10". ERR_MALFORMED otherwise. */
MUST err mixture_read(struct bytes text, struct mixture *out);
/* Appends the unit's plan as one line of JSON, with its first three waits. */
void plan_put(const struct plan *plan, uint64_t unit, struct buffer *out);
