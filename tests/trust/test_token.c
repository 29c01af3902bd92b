/* Bearer secrets and enrolment tokens. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/token.h"

#include "crypto/digest.h"
#include "crypto/fixture.h"
#include "trust/bearer.h"

struct fixed_dice {
    struct dice dice; /* first */
    const uint8_t *bytes;
};

static void fixed_fill(const struct dice *self, uint8_t *out, size_t len)
{
    memcpy(out, ((const struct fixed_dice *)self)->bytes, len);
}

static void base32_of_rfc_4648(void **state)
{
    /* RFC 4648, 10: "foobar" is MZXW6YTBOI======; this one has no padding, so four times five bytes */
    const struct fixed_dice dice = {{fixed_fill}, (const uint8_t *)"foobafoobafoobafooba"};
    SCOPED(secret_wipe) struct secret text = {0};
    uint8_t hash[TOKEN_HASH], expected[TOKEN_HASH];
    assert_ok(bearer_make(&dice.dice, &text, hash));
    assert_true(bytes_is(secret_view(&text), "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6ytb"));
    assert_ok(digest_sha256(secret_view(&text), expected));
    assert_memory_equal(hash, expected, sizeof hash);
    assert_ok(bearer_hash(secret_view(&text), expected));
    assert_memory_equal(hash, expected, sizeof hash);
}

static void only_our_form(void **state)
{
    static const char *const rows[] = {"",
                                       "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6yt",
                                       "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6ytbm",
                                       "MZXW6YTBMZXW6YTBMZXW6YTBMZXW6YTB",
                                       "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6yt1",
                                       "mzxw6ytbmzxw6ytbmzxw6ytbmzxw6yt\n"};
    uint8_t hash[TOKEN_HASH];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_kind(bearer_hash(bytes_of_text(rows[i]), hash), ERR_MALFORMED);
}

static void orders(void **state)
{
    const struct test_clock clock = TEST_CLOCK(TEST_NOW_US);
    const struct test_dice dice = TEST_DICE(5);
    const struct {
        const char *what;
        struct token_order order;
        enum fault_kind expected;
    } rows[] = {
        {"the least", {BYTES("a"), 1, 1, BYTES("anna")}, 0},
        {"the most", {BYTES("a"), TOKEN_USES_MAX, TOKEN_MINUTES_MAX, BYTES("anna")}, 0},
        {"no group", {BYTES(""), 1, 1, BYTES("anna")}, ERR_MALFORMED},
        {"a group that is none", {BYTES("a b"), 1, 1, BYTES("anna")}, ERR_MALFORMED},
        {"no use", {BYTES("a"), 0, 1, BYTES("anna")}, ERR_MALFORMED},
        {"too many uses", {BYTES("a"), TOKEN_USES_MAX + 1, 1, BYTES("anna")}, ERR_MALFORMED},
        {"no time", {BYTES("a"), 1, 0, BYTES("anna")}, ERR_MALFORMED},
        {"too much time", {BYTES("a"), 1, TOKEN_MINUTES_MAX + 1, BYTES("anna")}, ERR_MALFORMED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(secret_wipe) struct secret text = {0};
        struct token token;
        err e = token_make(&rows[i].order, &clock.clock, &dice.dice, &token, &text);
        if (rows[i].expected ? !err_is(e, rows[i].expected) : e != OK)
            fail_msg("%s: %s", rows[i].what, err_text(e));
        if (e)
            continue;
        assert_int_equal(strlen(token.id), TOKEN_ID_TEXT - 1);
        assert_int_equal(token.uses_left, rows[i].order.uses);
        assert_int_equal(token.expires_us, TEST_NOW_US + (int64_t)rows[i].order.minutes * 60 * SECOND_US);
        assert_string_equal(token.made_by, "anna");
    }
}

static void alive_or_not(void **state)
{
    struct token token = {.uses_left = 1, .uses_total = 1, .expires_us = TEST_NOW_US};
    assert_ok(token_check(&token, TEST_NOW_US - 1));
    assert_kind(token_check(&token, TEST_NOW_US), ERR_EXPIRED);
    token.uses_left = 0;
    assert_kind(token_check(&token, TEST_NOW_US - 1), ERR_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base32_of_rfc_4648),
        cmocka_unit_test(only_our_form),
        cmocka_unit_test(orders),
        cmocka_unit_test(alive_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
