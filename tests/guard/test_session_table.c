/* The signed-in operators: found, expired, replaced, bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/session_table.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct session_record record(uint32_t number, int64_t expires_us)
{
    struct session_record s = {.operator_name = "ada", .expires_us = expires_us};
    memcpy(s.hash, &number, sizeof number);
    return s;
}

static struct session_table *table(void)
{
    struct session_table *t;
    assert_null(session_table_open(3, &t));
    return t;
}

static void found_until_it_expires_or_is_removed(void **state)
{
    struct session_table *t = table();
    struct session_record a = record(1, 1000), b = record(2, 2000);
    assert_null(session_table_find(t, a.hash, 0));
    session_table_remove(t, a.hash);
    assert_null(session_table_add(t, &a));
    assert_null(session_table_add(t, &b));
    assert_string_equal(session_table_find(t, a.hash, 999)->operator_name, "ada");
    assert_null(session_table_find(t, a.hash, 1000)); /* the moment itself is too late */
    assert_null(session_table_find(t, a.hash, 0));    /* and what is over is gone */
    assert_non_null(session_table_find(t, b.hash, 1000));
    session_table_remove(t, b.hash);
    session_table_remove(t, b.hash);
    assert_null(session_table_find(t, b.hash, 0));
    session_table_close(t);
    session_table_close(NULL);
}

static void a_hash_that_comes_again_replaces(void **state)
{
    struct session_table *t = table();
    struct session_record first = record(1, 1000), second = record(1, 5000);
    assert_null(session_table_add(t, &first));
    assert_null(session_table_add(t, &second));
    assert_int_equal(session_table_find(t, first.hash, 0)->expires_us, 5000);
    session_table_remove(t, first.hash);
    assert_null(session_table_find(t, first.hash, 0));
    session_table_close(t);
}

static void a_hash_differs_in_any_byte(void **state)
{
    struct session_table *t = table();
    struct session_record s = record(1, 1000);
    assert_null(session_table_add(t, &s));
    for (size_t i = 0; i < TOKEN_HASH; i++) {
        s.hash[i] ^= 1;
        assert_null(session_table_find(t, s.hash, 0));
        s.hash[i] ^= 1;
    }
    session_table_close(t);
}

static void at_the_bound_the_first_to_expire_goes(void **state)
{
    struct session_table *t = table();
    for (uint32_t i = 0; i < SESSIONS_MAX; i++) {
        struct session_record s = record(i, 10000 - i); /* the last one expires first */
        assert_null(session_table_add(t, &s));
    }
    struct session_record more = record(SESSIONS_MAX, 20000), last = record(SESSIONS_MAX - 1, 0),
                          kept = record(SESSIONS_MAX - 2, 0);
    assert_null(session_table_add(t, &more));
    assert_null(session_table_find(t, last.hash, 1));
    assert_non_null(session_table_find(t, kept.hash, 1));
    assert_non_null(session_table_find(t, more.hash, 1));
    session_table_close(t);
}

static void every_allocation_may_fail(void **state)
{
    struct session_table *t;
    struct session_record s = record(1, 1000);
    mem_trial(1);
    assert_true(err_is(session_table_open(3, &t), ERR_MEMORY));
    mem_trial(0);
    t = table();
    for (unsigned long n = 1; n <= 2; n++) {
        mem_trial(n);
        assert_true(err_is(session_table_add(t, &s), ERR_MEMORY));
        mem_trial(0);
        assert_null(session_table_find(t, s.hash, 0));
    }
    assert_null(session_table_add(t, &s));
    session_table_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_until_it_expires_or_is_removed), cmocka_unit_test(a_hash_that_comes_again_replaces),
        cmocka_unit_test(a_hash_differs_in_any_byte),           cmocka_unit_test(at_the_bound_the_first_to_expire_goes),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
