/* Operator accounts: set-up once, sign-in, and what is refused. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/account.h"

#include "trust/bearer.h"
#include "trust/fakes.h"

#define PEER      "192.0.2.7:41234"
#define HOUR_US   (3600 * SECOND_US)
#define GOOD_NAME BYTES("anna")
#define GOOD_WORD BYTES("correct horse battery")

struct scene {
    struct fake_store store;
    struct test_clock clock;
    struct test_dice dice;
    struct signin_limit *limit;
    struct accounts accounts;
    struct secret setup;
};

static void scene_open(struct scene *s)
{
    *s = (struct scene){.clock = TEST_CLOCK(TEST_NOW_US), .dice = TEST_DICE(9)};
    fake_store_open(&s->store);
    assert_ok(signin_limit_open(&s->limit));
    s->accounts = (struct accounts){&s->store.reader, &s->store.recorder, &s->clock.clock, &s->dice.dice, s->limit};
    assert_ok(account_invite(&s->accounts, &s->setup));
}

static void scene_close(struct scene *s)
{
    signin_limit_close(s->limit);
    secret_wipe(&s->setup);
}

static void with_anna(struct scene *s)
{
    struct signed_in in;
    scene_open(s);
    const struct credentials with = {secret_view(&s->setup), GOOD_NAME, GOOD_WORD, PEER};
    assert_ok(account_setup(&s->accounts, &with, &in));
    s->store.event_count = 0;
}

static void set_up_once(void **state)
{
    struct scene s;
    struct signed_in in;
    scene_open(&s);
    const struct credentials with = {secret_view(&s.setup), GOOD_NAME, GOOD_WORD, PEER};
    assert_ok(account_setup(&s.accounts, &with, &in));
    assert_string_equal(s.store.person.name, "anna");
    assert_null(strstr(s.store.person.password_hash, "horse"));
    assert_string_equal(in.session.operator_name, "anna");
    assert_int_equal(in.session.expires_us, TEST_NOW_US + 12 * HOUR_US);
    uint8_t hash[TOKEN_HASH];
    assert_ok(account_session_hash(secret_view(&in.text), hash));
    assert_memory_equal(hash, s.store.session.hash, sizeof hash);
    assert_int_equal(s.store.events[0].kind, EVENT_OPERATOR_CREATED);
    assert_int_equal(s.store.events[1].kind, EVENT_OPERATOR_SIGNED_IN);
    assert_kind(account_setup(&s.accounts, &with, &in), ERR_REFUSED); /* the link is spent */
    assert_int_equal(last_event(&s.store)->kind, EVENT_SIGN_IN_REFUSED);
    struct secret again;
    assert_kind(account_invite(&s.accounts, &again), ERR_EXISTS);
    scene_close(&s);
}

static void set_ups_that_are_refused(void **state)
{
    struct scene s;
    scene_open(&s);
    const struct bytes link = secret_view(&s.setup);
    const struct {
        const char *what;
        struct bytes link, name, password;
        int64_t later_us;
        enum fault_kind expected;
    } rows[] = {
        {"11 characters", link, GOOD_NAME, BYTES("elevenchars"), 0, ERR_MALFORMED},
        {"22 bytes, 11 characters", link, GOOD_NAME,
         BYTES("\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4\xC3\xA4"), 0,
         ERR_MALFORMED},
        {"no UTF-8", link, GOOD_NAME, BYTES("correct horse\xFF"), 0, ERR_MALFORMED},
        {"no name", link, BYTES(""), GOOD_WORD, 0, ERR_MALFORMED},
        {"a name with a blank", link, BYTES("an na"), GOOD_WORD, 0, ERR_MALFORMED},
        {"no link", BYTES(""), GOOD_NAME, GOOD_WORD, 0, ERR_REFUSED},
        {"another link", BYTES("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), GOOD_NAME, GOOD_WORD, 0, ERR_REFUSED},
        {"an old link", link, GOOD_NAME, GOOD_WORD, 24 * HOUR_US, ERR_REFUSED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct credentials with = {rows[i].link, rows[i].name, rows[i].password, PEER};
        struct signed_in in;
        s.clock.now_us = TEST_NOW_US + rows[i].later_us;
        err e = account_setup(&s.accounts, &with, &in);
        if (!err_is(e, rows[i].expected))
            fail_msg("%s: %s", rows[i].what, err_text(e));
        assert_int_equal(s.store.person.name[0], 0);
        assert_int_equal(in.text.len, 0);
    }
    scene_close(&s);
}

static void signs_in(void **state)
{
    struct scene s;
    struct signed_in in;
    with_anna(&s);
    const struct credentials with = {.name = GOOD_NAME, .password = GOOD_WORD, .peer = PEER};
    assert_ok(account_sign_in(&s.accounts, &with, &in));
    assert_int_equal(in.text.len, BEARER_TEXT);
    assert_int_equal(last_event(&s.store)->kind, EVENT_OPERATOR_SIGNED_IN);
    assert_string_equal(last_event(&s.store)->detail, "{\"operator\":\"anna\",\"peer\":\"192.0.2.7:41234\"}");
    assert_ok(account_sign_out(&s.accounts, &in.session, PEER));
    assert_int_equal(last_event(&s.store)->kind, EVENT_OPERATOR_SIGNED_OUT);
    assert_kind(account_sign_out(&s.accounts, &in.session, PEER), ERR_ABSENT);
    scene_close(&s);
}

static void sign_ins_that_are_refused(void **state)
{
    static const uint8_t long_word[300];
    struct scene s;
    with_anna(&s);
    const struct {
        struct bytes name, password;
        const char *detail; /* what cannot be a name is not written down */
    } rows[] = {
        {GOOD_NAME, BYTES("correct horse batterz"), "\"operator\":\"anna\""},
        {BYTES("bert"), GOOD_WORD, "\"operator\":\"bert\""},
        {BYTES("my secret pass phrase"), GOOD_WORD, "{\"reason\""},
        {GOOD_NAME, bytes_of(long_word, sizeof long_word), "\"operator\":\"anna\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct signed_in in;
        const struct credentials with = {.name = rows[i].name, .password = rows[i].password, .peer = PEER};
        err e = account_sign_in(&s.accounts, &with, &in);
        assert_kind(e, ERR_REFUSED);
        assert_string_equal(err_text(e), "the name or the password is wrong"); /* never which */
        assert_int_equal(last_event(&s.store)->kind, EVENT_SIGN_IN_REFUSED);
        assert_non_null(strstr(last_event(&s.store)->detail, rows[i].detail));
    }
    scene_close(&s);
}

static err try_from(struct scene *s, struct bytes name, struct bytes password, const char *peer, uint32_t *retry_s)
{
    struct signed_in in;
    const struct credentials with = {.name = name, .password = password, .peer = peer};
    err e = account_sign_in(&s->accounts, &with, &in);
    *retry_s = in.retry_after_s;
    return e;
}

static void guessing_is_slowed_down(void **state)
{
    struct scene s;
    uint32_t retry_s;
    with_anna(&s);
    for (int i = 0; i < SIGNIN_FREE_FAILURES; i++)
        assert_kind(try_from(&s, GOOD_NAME, BYTES("x"), "[2001:db8:1:2::1]:9", &retry_s), ERR_REFUSED);
    size_t events = s.store.event_count;
    /* The network waits for any name; no event and no work for each. */
    assert_kind(try_from(&s, BYTES("bert"), BYTES("x"), "[2001:db8:1:2:ffff::7]:8", &retry_s), ERR_AGAIN);
    assert_int_equal(retry_s, 30);
    assert_int_equal(s.store.event_count, events);
    assert_kind(try_from(&s, BYTES("bert"), BYTES("x"), "[2001:db8:1:3::1]:9", &retry_s), ERR_REFUSED);
    /* Nobody keeps the operator out by failing under that name. */
    assert_ok(try_from(&s, GOOD_NAME, GOOD_WORD, "198.51.100.1:9", &retry_s));
    s.clock.now_us += 30 * SECOND_US;
    assert_ok(try_from(&s, GOOD_NAME, GOOD_WORD, "[2001:db8:1:2::1]:9", &retry_s));
    scene_close(&s);
}

static void a_failing_store(void **state)
{
    static const struct fault full = {ERR_FULL, "fake: full"};
    struct scene s;
    uint32_t retry_s;
    with_anna(&s);
    s.store.fail_write = &full;
    assert_kind(try_from(&s, GOOD_NAME, GOOD_WORD, PEER, &retry_s), ERR_FULL);
    s.store.fail_write = OK;
    memcpy(s.store.person.password_hash, "plain", 6);
    assert_kind(try_from(&s, GOOD_NAME, GOOD_WORD, PEER, &retry_s), ERR_IO);
    scene_close(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(set_up_once),     cmocka_unit_test(set_ups_that_are_refused),
        cmocka_unit_test(signs_in),        cmocka_unit_test(sign_ins_that_are_refused),
        cmocka_unit_test(a_failing_store), cmocka_unit_test(guessing_is_slowed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
