/* The back-off's bounds: full jitter, doubling, never over the maximum. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* Dice that always show the same. */
struct loaded {
    struct dice dice;
    uint64_t shows;
};

static void show(const struct dice *self, uint8_t *out, size_t len)
{
    const struct loaded *loaded = (const struct loaded *)self;
    assert_int_equal(len, sizeof loaded->shows);
    memcpy(out, &loaded->shows, len);
}

/* What a wait is for dice that show zero, and the largest of many. */
static void test_bounds(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        struct backoff b;
        uint32_t bound;
    } rows[] = {
        {"first", {1000, 60000, 0}, 1000},        {"doubles", {1000, 60000, 1}, 2000},
        {"and again", {1000, 60000, 5}, 32000},   {"up to the maximum", {1000, 60000, 6}, 60000},
        {"and stays", {1000, 60000, 31}, 60000},  {"for ever", {1000, 60000, UINT32_MAX}, 60000},
        {"at least a millisecond", {0, 0, 0}, 1}, {"a maximum under the first", {1000, 10, 3}, 1000},
        {"and for ever", {1000, 0, 40}, 1000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct loaded low = {{show}, 0}, high = {{show}, rows[i].bound - 1}, over = {{show}, rows[i].bound};
        struct backoff b = rows[i].b;
        if (backoff_next(&b, &low.dice) != 1)
            fail_msg("%s: not from 1", rows[i].rule);
        b = rows[i].b;
        if (backoff_next(&b, &high.dice) != rows[i].bound)
            fail_msg("%s: not up to %u", rows[i].rule, rows[i].bound);
        b = rows[i].b;
        if (backoff_next(&b, &over.dice) != 1)
            fail_msg("%s: over %u", rows[i].rule, rows[i].bound);
    }
}

static void test_counts_and_resets(void **state)
{
    (void)state;
    struct loaded dice = {{show}, 12345678901234567ULL};
    struct backoff b = {.first_ms = 100, .max_ms = 100000};
    for (unsigned i = 0; i < 50; i++) {
        uint32_t wait = backoff_next(&b, &dice.dice);
        assert_true(wait >= 1 && wait <= 100000);
        assert_true(i > 9 || wait <= 100u << i);
        assert_int_equal(b.failures, i + 1);
    }
    backoff_reset(&b);
    assert_true(backoff_next(&b, &dice.dice) <= 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_counts_and_resets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
