/* Quotas under a clock that the test turns: bursts, refills, clocks that misbehave, and a bounded table. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/quota.h"

#include "base/list.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { DEVICE = 10, OPERATOR = 5, ADDRESS = 3 };

struct play {
    struct clock clock;
    int64_t now_ms;
    struct quota *quota;
};

static int64_t now_ms(const struct clock *self)
{
    return CONTAINER(self, struct play, clock)->now_ms;
}

static int64_t no_wall_us(const struct clock *self)
{
    fail_msg("quotas do not depend on a clock that may jump");
    return 0;
}

static void play_open(struct play *p, size_t buckets_max)
{
    *p = (struct play){.clock = {no_wall_us, now_ms}, .now_ms = 1000000};
    struct quota_options options = {DEVICE, OPERATOR, ADDRESS, buckets_max, 7, 0};
    assert_null(quota_open(&options, &p->clock, &p->quota));
}

static bool admits(struct play *p, enum principal_kind kind, const char *id, const char *peer)
{
    struct principal who = {.kind = kind};
    struct request r = {.verb = VERB_PUBLISH, .who = &who, .peer = peer};
    struct limiter *limiter = quota_limiter(p->quota);
    snprintf(who.id, sizeof who.id, "%s", id);
    err refused = limiter->admit(limiter, &r);
    assert_true(!refused || err_is(refused, ERR_FULL));
    return !refused;
}

static bool pump(struct play *p)
{
    return admits(p, PRINCIPAL_DEVICE, "pump-1", "192.0.2.7:1");
}

static size_t pump_bursts(struct play *p)
{
    size_t passed = 0;
    while (passed < 1000 && pump(p))
        passed++;
    return passed;
}

static void a_burst_of_two_seconds_passes(void **state)
{
    struct play p;
    play_open(&p, 100);
    assert_int_equal(pump_bursts(&p), 2 * DEVICE);
    p.now_ms += 99;
    assert_false(pump(&p));
    p.now_ms += 1; /* a tenth of a second is one of ten a second */
    assert_true(pump(&p));
    assert_false(pump(&p));
    p.now_ms += 500;
    assert_int_equal(pump_bursts(&p), DEVICE / 2);
    p.now_ms += 3600 * 1000; /* a long rest saves up no more than the burst */
    assert_int_equal(pump_bursts(&p), 2 * DEVICE);
    quota_close(p.quota);
    quota_close(NULL);
}

/* Exactly the rate, in single milliseconds, over a minute: nothing is lost to rounding. */
static void the_rate_is_kept(void **state)
{
    struct play p;
    play_open(&p, 100);
    size_t passed = 0;
    (void)pump_bursts(&p);
    for (int i = 0; i < 60000; i++) {
        p.now_ms++;
        passed += pump(&p);
    }
    assert_int_equal(passed, 60 * DEVICE);
    quota_close(p.quota);
}

/* A monotonic clock does not go back; should one do it all the same, it costs nobody what they had. */
static void a_clock_that_misbehaves_locks_nobody_out(void **state)
{
    static const int64_t jumps[] = {-1, -1000, -1000000, INT64_MIN / 4, INT64_MAX / 4};
    for (size_t i = 0; i < sizeof jumps / sizeof *jumps; i++) {
        struct play p;
        play_open(&p, 100);
        assert_true(pump(&p));
        p.now_ms += jumps[i];
        assert_int_equal(pump_bursts(&p), jumps[i] < 0 ? 2 * DEVICE - 1 : 2 * DEVICE);
        p.now_ms += 1000;
        assert_int_equal(pump_bursts(&p), DEVICE);
        quota_close(p.quota);
    }
}

static void everybody_has_a_bucket_of_their_own(void **state)
{
    struct play p;
    play_open(&p, 100);
    (void)pump_bursts(&p);
    assert_true(admits(&p, PRINCIPAL_DEVICE, "pump-2", "192.0.2.7:1"));
    size_t operator = 0, address = 0;
    while (admits(&p, PRINCIPAL_OPERATOR, "pump-1", "192.0.2.7:1")) /* of the same name */
        operator++;
    assert_int_equal(operator, 2 * OPERATOR);
    while (admits(&p, PRINCIPAL_NOBODY, "", address % 2 ? "192.0.2.7:1" : "192.0.2.7:2")) /* the port does not count */
        address++;
    assert_int_equal(address, 2 * ADDRESS);
    assert_true(admits(&p, PRINCIPAL_NOBODY, "", "192.0.2.8:1"));
    assert_true(admits(&p, PRINCIPAL_NOBODY, "", "[2001:db8::1]:1"));
    assert_true(admits(&p, PRINCIPAL_NOBODY, "", "[2001:db8::2]:1"));
    assert_true(admits(&p, PRINCIPAL_NOBODY, "", ""));
    quota_close(p.quota);
}

static void the_anonymous_are_limited_by_address_or_not_at_all(void **state)
{
    struct play p;
    struct quota_options options = {DEVICE, OPERATOR, ADDRESS, 10, 7, 2};
    unsigned passed = 0;
    play_open(&p, 10);
    for (int i = 0; i < 1000; i++)
        assert_true(admits(&p, PRINCIPAL_ANONYMOUS, "", "127.0.0.1:1"));
    quota_close(p.quota);
    assert_null(quota_open(&options, &p.clock, &p.quota));
    while (admits(&p, PRINCIPAL_ANONYMOUS, "", passed % 2 ? "127.0.0.1:1" : "127.0.0.1:2"))
        passed++;
    assert_int_equal(passed, 4);
    assert_true(admits(&p, PRINCIPAL_ANONYMOUS, "", "127.0.0.2:1"));
    assert_true(admits(&p, PRINCIPAL_NOBODY, "", "127.0.0.1:1")); /* another bucket */
    quota_close(p.quota);
}

/* The table is full: whoever was quiet for the longest time gives way, and gets a full bucket when it comes back. */
static void the_longest_unused_give_way(void **state)
{
    struct play p;
    char id[8];
    play_open(&p, 3);
    for (int i = 0; i < 3; i++) {
        snprintf(id, sizeof id, "d%d", i);
        for (int k = 0; k < 2 * DEVICE; k++)
            assert_true(admits(&p, PRINCIPAL_DEVICE, id, ""));
    }
    assert_false(admits(&p, PRINCIPAL_DEVICE, "d0", "")); /* which was the oldest, and is the youngest now */
    assert_true(admits(&p, PRINCIPAL_DEVICE, "d3", ""));  /* in the place of d1 */
    assert_false(admits(&p, PRINCIPAL_DEVICE, "d0", ""));
    assert_false(admits(&p, PRINCIPAL_DEVICE, "d2", ""));
    assert_true(admits(&p, PRINCIPAL_DEVICE, "d1", ""));
    for (int i = 0; i < 10000; i++) {
        snprintf(id, sizeof id, "x%d", i);
        assert_true(admits(&p, PRINCIPAL_DEVICE, id, ""));
    }
    quota_close(p.quota);
}

static void every_allocation_may_fail(void **state)
{
    struct play p;
    struct quota_options options = {DEVICE, OPERATOR, ADDRESS, 10, 7, 0};
    play_open(&p, 10);
    struct principal who = {PRINCIPAL_DEVICE, "pump-1"};
    struct request r = {.verb = VERB_PUBLISH, .who = &who, .peer = ""};
    for (unsigned long n = 1; n <= 2; n++) {
        struct limiter *limiter = quota_limiter(p.quota);
        mem_trial(n);
        err refused = limiter->admit(limiter, &r);
        mem_trial(0);
        assert_true(err_is(refused, ERR_MEMORY)); /* who cannot be counted does not pass */
    }
    assert_true(pump(&p));
    quota_close(p.quota);
    mem_trial(1);
    assert_true(err_is(quota_open(&options, &p.clock, &p.quota), ERR_MEMORY));
    mem_trial(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_two_seconds_passes),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(a_clock_that_misbehaves_locks_nobody_out),
        cmocka_unit_test(everybody_has_a_bucket_of_their_own),
        cmocka_unit_test(the_anonymous_are_limited_by_address_or_not_at_all),
        cmocka_unit_test(the_longest_unused_give_way),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
