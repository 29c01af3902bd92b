/* Percentiles that a histogram gives, against the values that went in. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void an_empty_one_gives_nothing(void **state)
{
    static const struct histogram empty;
    assert_int_equal(histogram_at(&empty, .5), 0);
    assert_int_equal(histogram_at(&empty, 1), 0);
}

static void small_values_are_exact(void **state)
{
    struct histogram h = {0};
    for (unsigned i = 0; i < 64; i++)
        histogram_add(&h, i);
    assert_int_equal(histogram_at(&h, 0), 0);
    assert_int_equal(histogram_at(&h, .5), 32);
    assert_int_equal(histogram_at(&h, .99), 63);
    assert_int_equal(h.sum, 63 * 64 / 2);
}

/* One value alone comes back as itself: a bucket's end is cut at the largest that was seen. */
static void every_power_of_two_and_its_neighbours(void **state)
{
    for (unsigned bit = 0; bit < 40; bit++)
        for (int step = -1; step <= 1; step++) {
            uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;
            struct histogram h = {0};
            histogram_add(&h, value);
            histogram_add(&h, UINT64_MAX / 4);
            uint64_t got = histogram_at(&h, 0);
            if (value <= UINT32_MAX) {
                assert_true(got >= value);
                assert_true(got <= value + value / 32);
            }
            assert_int_equal(histogram_at(&h, 1), UINT64_MAX / 4);
        }
}

static void merged_is_as_if_counted_in_one(void **state)
{
    struct histogram one = {0}, two = {0}, both = {0};
    for (unsigned i = 0; i < 10000; i++) {
        histogram_add(i % 3 ? &one : &two, i * i);
        histogram_add(&both, i * i);
    }
    histogram_merge(&one, &two);
    assert_memory_equal(&one, &both, sizeof one);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_one_gives_nothing),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(every_power_of_two_and_its_neighbours),
        cmocka_unit_test(merged_is_as_if_counted_in_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
