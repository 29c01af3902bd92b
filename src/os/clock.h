/* The machine's clocks and its randomness, as the ports of base/clock.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"

const struct clock *machine_clock(void); /* a constant: CLOCK_REALTIME and CLOCK_MONOTONIC */
const struct dice *machine_dice(void);   /* a constant: getrandom(2) */
