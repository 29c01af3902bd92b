/* Chance that can be had again. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/sim/chance.h"

/* The finalizer of splitmix64: every bit of the result depends on every bit of the input. */
static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

uint64_t chance_bits(struct chance chance, enum chance_about about, uint64_t nth)
{
    return mix(mix(mix(mix(chance.seed) ^ chance.who) ^ (uint64_t)about) ^ nth);
}

double chance_share(struct chance chance, enum chance_about about, uint64_t nth)
{
    return (double)(chance_bits(chance, about, nth) >> 11) * 0x1p-53;
}
