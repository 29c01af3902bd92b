/* Token buckets: burst, refill, clocks that jump. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bucket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static unsigned drain(struct bucket *b, struct bucket_rate rate, int64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 10000 && bucket_take(b, rate, now_ms))
        taken++;
    return taken;
}

static void a_bucket_fills_at_its_rate(void **state)
{
    static const struct {
        const char *what;
        int64_t after_ms;
        unsigned taken;
    } rows[] = {
        {"at once", 0, 0},           {"a tenth of a second", 100, 1}, {"half a token is none", 50, 0},
        {"and then a whole", 50, 1}, {"back in time", -100000, 0},    {"time goes on from there", 1000, 10},
        {"over full is full", 1 << 30, 30},
    };
    const struct bucket_rate rate = {10, 30};
    struct bucket b = {0};
    int64_t now_ms = 1000000;
    assert_int_equal(drain(&b, rate, now_ms), 30); /* zero is full */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        now_ms += rows[i].after_ms;
        unsigned taken = drain(&b, rate, now_ms);
        if (taken != rows[i].taken)
            fail_msg("%s: %u", rows[i].what, taken);
    }
}

static void extremes(void **state)
{
    struct bucket none = {0}, large = {0};
    assert_int_equal(drain(&none, (struct bucket_rate){0, 0}, 5), 0);
    assert_int_equal(drain(&large, (struct bucket_rate){UINT32_MAX, 100}, INT64_MAX), 100);
    assert_int_equal(drain(&large, (struct bucket_rate){UINT32_MAX, 100}, INT64_MAX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_bucket_fills_at_its_rate), cmocka_unit_test(extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
