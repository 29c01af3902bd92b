/* The witness: one loop's tap and reporter. What was refused becomes a kept event, but no more of them than a bounded rate, so
 * that a flood of refusals fills no disk; those left out are counted in the next one. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bucket.h"
#include "core/flow.h"
#include "core/reporter.h"
#include "os/log.h"

struct witness {
    struct tap tap;           /* hand this to the flow */
    struct reporter reporter; /* hand this to the lobby */
    struct recorder *recorder;
    const struct clock *clock;
    const struct log *log;
    struct bucket allowance;
    uint64_t left_out;
};

/* Borrows all. */
struct witness_options {
    struct recorder *recorder; /* the loop's own */
    const struct clock *clock;
    const struct log *log;
};
void witness_open(struct witness *w, const struct witness_options *options);
