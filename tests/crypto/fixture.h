/* What tests of certificates share: seeded dice, a fixed clock, a small authority. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "crypto/certificate_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_US   ((int64_t)1000000)
#define DAY_US      (86400 * SECOND_US)
#define TEST_NOW_US ((int64_t)1800000000 * SECOND_US) /* 2027-01-15 */

#define assert_ok(call) assert_string_equal(err_text(call), "ok")
#define assert_kind(call, expected)                                                                                    \
    do {                                                                                                               \
        err assert_err_ = (call);                                                                                      \
        if (!err_is(assert_err_, (expected)))                                                                          \
            fail_msg("%s instead of kind %d", err_text(assert_err_), (int)(expected));                                 \
    } while (0)

struct test_dice {
    struct dice dice; /* first */
    uint64_t state;
};

static inline void test_dice_fill(const struct dice *self, uint8_t *out, size_t len)
{
    struct test_dice *d = (struct test_dice *)(uintptr_t)self;
    for (size_t i = 0; i < len; i++) {
        d->state = d->state * 6364136223846793005u + 1442695040888963407u;
        out[i] = (uint8_t)(d->state >> 56);
    }
}

struct test_clock {
    struct clock clock; /* first */
    int64_t now_us;
};

static inline int64_t test_wall_us(const struct clock *self)
{
    return ((const struct test_clock *)self)->now_us;
}

static inline int64_t test_monotonic_ms(const struct clock *self)
{
    return ((const struct test_clock *)self)->now_us / 1000;
}

#define TEST_DICE(seed) ((struct test_dice){{test_dice_fill}, (seed)})
#define TEST_CLOCK(now) ((struct test_clock){{test_wall_us, test_monotonic_ms}, (now)})
