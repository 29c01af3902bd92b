/* Chance that can be had again: a number for each question, the same for the same seed. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <stdint.h>

/* What is asked. Each unit answers each of these as often as it likes; the nth answer depends on nothing else. */
enum chance_about {
    CHANCE_PROFILE,
    CHANCE_START,
    CHANCE_PHASE,
    CHANCE_JITTER,
    CHANCE_MISCHIEF,
    CHANCE_SENSOR,
    CHANCE_BACKOFF
};

struct chance {
    uint64_t seed;
    uint64_t who; /* the unit's number */
};

uint64_t chance_bits(struct chance chance, enum chance_about about, uint64_t nth);
double chance_share(struct chance chance, enum chance_about about, uint64_t nth); /* 0 to just below 1 */
