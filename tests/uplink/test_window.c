/* The window: order of settling, identifiers that come around, and a random run against a model. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_settles_in_order(void **state)
{
    (void)state;
    struct window w = {0};
    uint64_t number = 0;
    uint16_t a = window_add(&w, 10), b = window_add(&w, 11), c = window_add(&w, 15);
    assert_true(a && b && c && a != b && b != c);
    assert_true(window_number(&w, b, &number));
    assert_int_equal(number, 11);
    window_settle(&w, b);
    assert_false(window_number(&w, b, &number));  /* settled once is enough */
    assert_int_equal(window_take_settled(&w), 0); /* the oldest is still out */
    window_settle(&w, a);
    assert_int_equal(window_take_settled(&w), 11);
    assert_int_equal(w.count, 1);
    assert_false(window_number(&w, a, &number));
    window_settle(&w, c);
    assert_int_equal(window_take_settled(&w), 15);
    assert_int_equal(w.count, 0);
}

static void test_foreign_identifiers(void **state)
{
    (void)state;
    struct window w = {0};
    uint64_t number;
    uint16_t a = window_add(&w, 1);
    for (unsigned id = 0; id <= UINT16_MAX; id++)
        assert_true(window_number(&w, (uint16_t)id, &number) == (id == a));
    window_clear(&w);
    assert_false(window_number(&w, a, &number));
}

static void test_gaps(void **state)
{
    (void)state;
    struct window w = {0};
    uint64_t number;
    uint16_t a = window_add(&w, 1000);
    assert_true(window_takes(&w, 1000 + WINDOW_MAX - 1));
    assert_false(window_takes(&w, 1000 + WINDOW_MAX)); /* it would have the identifier of the oldest */
    uint16_t b = window_add(&w, 1000 + WINDOW_MAX - 1);
    assert_int_equal(w.count, 2);
    window_settle(&w, b);
    assert_int_equal(window_take_settled(&w), 0);
    window_settle(&w, a);
    assert_int_equal(window_take_settled(&w), 1000 + WINDOW_MAX - 1);
    assert_int_equal(w.count, 0);
    assert_true(window_takes(&w, UINT64_MAX));
    uint16_t again = window_add(&w, 1000 + 7 * WINDOW_MAX); /* the identifier follows from the number alone */
    assert_int_equal(again, a);
    assert_true(window_number(&w, again, &number));
    assert_int_equal(number, 1000 + 7 * WINDOW_MAX);
}

static void test_comes_around(void **state)
{
    (void)state;
    struct window w = {0};
    uint64_t next = 1, oldest = 1, seed = 99, number;
    uint16_t ids[WINDOW_MAX];
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        if (next - oldest < WINDOW_MAX && seed >> 63) {
            ids[next % WINDOW_MAX] = window_add(&w, next);
            next++;
        } else if (next > oldest) {
            uint64_t pick = oldest + (seed >> 20) % (next - oldest);
            if (window_number(&w, ids[pick % WINDOW_MAX], &number)) {
                assert_int_equal(number, pick);
                window_settle(&w, ids[pick % WINDOW_MAX]);
            }
            uint64_t last = window_take_settled(&w);
            assert_true(!last || (last >= oldest && last < next));
            oldest = last ? last + 1 : oldest;
        }
        assert_int_equal(w.count, next - oldest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settles_in_order),
        cmocka_unit_test(test_foreign_identifiers),
        cmocka_unit_test(test_gaps),
        cmocka_unit_test(test_comes_around),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
