/* The sign-in rate limit, with a clock that the test moves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/signin_limit.h"

#include "base/memory.h"
#include "crypto/fixture.h"

#include <stdio.h>

#define ANNA BYTES("name anna")

static void waits_grow(void **state)
{
    static const uint32_t waits[] = {0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900};
    struct signin_limit *limit;
    int64_t now_ms = 1000;
    assert_ok(signin_limit_open(&limit));
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        signin_limit_failed(limit, ANNA, now_ms);
        assert_int_equal(signin_limit_wait_s(limit, ANNA, now_ms), waits[i]);
        assert_int_equal(signin_limit_wait_s(limit, BYTES("name bert"), now_ms), 0);
        now_ms += (int64_t)waits[i] * 1000;
        assert_int_equal(signin_limit_wait_s(limit, ANNA, now_ms), 0);
    }
    signin_limit_close(limit);
}

static void success_and_time_forgive(void **state)
{
    struct signin_limit *limit;
    assert_ok(signin_limit_open(&limit));
    for (int i = 0; i < 8; i++)
        signin_limit_failed(limit, ANNA, 0);
    assert_int_equal(signin_limit_wait_s(limit, ANNA, 239001), 1); /* rounded up */
    assert_int_equal(signin_limit_wait_s(limit, ANNA, (int64_t)SIGNIN_FORGET_S * 1000), 0);
    signin_limit_failed(limit, ANNA, (int64_t)SIGNIN_FORGET_S * 1000); /* counts from one again */
    assert_int_equal(signin_limit_wait_s(limit, ANNA, (int64_t)SIGNIN_FORGET_S * 1000), 0);
    for (int i = 0; i < 8; i++)
        signin_limit_failed(limit, ANNA, 0);
    signin_limit_forgive(limit, ANNA);
    assert_int_equal(signin_limit_wait_s(limit, ANNA, 0), 0);
    signin_limit_close(limit);
}

static void full_of_others(void **state)
{
    struct signin_limit *limit;
    char key[32];
    assert_ok(signin_limit_open(&limit));
    for (int i = 0; i < SIGNIN_FREE_FAILURES; i++)
        signin_limit_failed(limit, ANNA, 1);
    for (int i = 0; i < SIGNIN_KEYS_MAX - 1; i++) {
        snprintf(key, sizeof key, "address %d", i);
        signin_limit_failed(limit, bytes_of_text(key), 2);
    }
    assert_int_equal(signin_limit_wait_s(limit, ANNA, 2), 30);
    signin_limit_failed(limit, BYTES("one more"), 3); /* the one that failed longest ago makes room */
    assert_int_equal(signin_limit_wait_s(limit, ANNA, 3), 0);
    signin_limit_close(limit);
}

static void no_memory(void **state)
{
    struct signin_limit *limit;
    mem_trial(1);
    assert_kind(signin_limit_open(&limit), ERR_MEMORY);
    mem_trial(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_grow),
        cmocka_unit_test(success_and_time_forgive),
        cmocka_unit_test(full_of_others),
        cmocka_unit_test(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
