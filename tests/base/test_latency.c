/* Latencies: which bucket takes what, and that several add up. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/latency.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void each_time_has_its_bucket(void **state)
{
    static const struct {
        const char *rule;
        int64_t us;
        size_t bucket;
        uint64_t sum;
    } rows[] = {
        {"nothing", 0, 0, 0},
        {"less than nothing: the clock was set back", -5, 0, 0},
        {"a bound belongs to its bucket", 50, 0, 50},
        {"just behind it", 51, 1, 51},
        {"a millisecond", 1000, 4, 1000},
        {"the last bound", 10000000, LATENCY_BOUNDS - 1, 10000000},
        {"longer than all bounds", 10000001, LATENCY_BOUNDS, 10000001},
        {"a day", 86400000000, LATENCY_BOUNDS, 86400000000},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct latency l = {0};
        struct latency_sum sum = {.count = 0};
        latency_add(&l, rows[i].us);
        latency_sum_add(&sum, &l);
        if (sum.buckets[rows[i].bucket] != 1 || sum.count != 1 || sum.sum_us != rows[i].sum)
            fail_msg("%s", rows[i].rule);
    }
}

static void bounds_rise(void **state)
{
    for (size_t i = 1; i < LATENCY_BOUNDS; i++)
        assert_true(latency_bounds_us[i - 1] < latency_bounds_us[i]);
}

static void several_add_up(void **state)
{
    struct latency one = {0}, two = {0};
    struct latency_sum sum = {.count = 0};
    for (int64_t us = 0; us < 1000; us++)
        latency_add(us % 3 ? &one : &two, us);
    latency_sum_add(&sum, &one);
    latency_sum_add(&sum, &two);
    assert_int_equal(sum.count, 1000);
    assert_int_equal(sum.sum_us, 1000 * 999 / 2);
    assert_int_equal(sum.buckets[0], 51);
    assert_int_equal(sum.buckets[1], 50);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_has_its_bucket),
        cmocka_unit_test(bounds_rise),
        cmocka_unit_test(several_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
