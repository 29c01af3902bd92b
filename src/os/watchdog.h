/* The watchdog: notices loops that do not come to the end of a turn, which is a callback that blocks. It lives on a
 * loop of its own choice, which must not be one of those it watches. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/loop.h"

enum { WATCHDOG_LOOPS_MAX = 64 };

/* Embedded in whoever is told; stays in place while it watches. */
struct watchdog {
    int64_t stall_ms; /* a turn that takes longer is told */
    /* Once for each turn that takes too long: when it is noticed, and when it ended after all. For about so long. */
    void (*stalled)(struct watchdog *self, size_t number, int64_t for_ms);
    void (*resumed)(struct watchdog *self, size_t number, int64_t for_ms);
    /* ---- its own */
    struct loop *loop;
    struct timer look;
    const struct loop *watched[WATCHDOG_LOOPS_MAX];
    int64_t since_ms[WATCHDOG_LOOPS_MAX]; /* the turn that was told; 0: none */
    size_t count;
};

/* The three at the top are filled in. Borrows the loops, which are told by their place in `watched`; all have one
 * clock. ERR_TOO_LARGE: more than WATCHDOG_LOOPS_MAX. */
MUST err watchdog_open(struct watchdog *w, struct loop *loop, struct loop *const *watched, size_t count);
void watchdog_close(struct watchdog *w); /* before the loops are closed; one that was never opened is fine */
