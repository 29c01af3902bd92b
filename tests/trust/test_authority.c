/* The authority: born whole, loaded only when its parts belong together. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "trust/authority.h"

#include "base/memory.h"
#include "crypto/certificate.h"
#include "crypto/fixture.h"

static const struct test_clock start = {{test_wall_us, test_monotonic_ms}, TEST_NOW_US};
#define YEAR_US (31557600 * SECOND_US)

static struct authority_texts first, second;

static int make_two(void **state)
{
    const struct test_dice dice = TEST_DICE(11);
    const struct authority_birth birth = {BYTES("sixteen bytes or more"), &start.clock, &dice.dice};
    authority_texts_open(&first);
    authority_texts_open(&second);
    return authority_create(&birth, &first) || authority_create(&birth, &second);
}

static int drop_two(void **state)
{
    authority_texts_wipe(&first);
    authority_texts_wipe(&second);
    return 0;
}

static void loads(void **state)
{
    SCOPED(authority_drop) struct authority a;
    SCOPED(buffer_drop) struct buffer chain = {.max = AUTHORITY_PEM_MAX};
    assert_ok(authority_load(&first, &start.clock, &a));
    assert_int_equal(a.issuing_expires_us, TEST_NOW_US + 5 * YEAR_US);
    assert_ok(authority_put_chain_pem(&a, &chain));
    assert_int_equal(chain.len, first.issuing.len + first.root.len);
}

static void the_root_key_is_locked(void **state)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(buffer_drop) struct buffer der = {.max = CERTIFICATE_MAX};
    struct bytes root = buffer_view(&first.root);
    assert_kind(key_read_pem(buffer_view(&first.root_key), BYTES("some other passphrase"), &key), ERR_REFUSED);
    assert_ok(key_read_pem(buffer_view(&first.root_key), BYTES("sixteen bytes or more"), &key));
    assert_ok(certificate_next_pem(&root, &der));
    assert_ok(certificate_matches_key(buffer_view(&der), key));
}

static void a_short_passphrase(void **state)
{
    const struct test_dice dice = TEST_DICE(11);
    const struct authority_birth birth = {BYTES("fifteen bytes.."), &start.clock, &dice.dice};
    SCOPED(authority_texts_wipe) struct authority_texts texts;
    authority_texts_open(&texts);
    assert_kind(authority_create(&birth, &texts), ERR_MALFORMED);
}

static void parts_of_two_do_not_mix(void **state)
{
    const struct buffer nothing = {0};
    const struct {
        const char *what;
        struct authority_texts texts;
        int64_t now_us;
        enum fault_kind expected;
    } rows[] = {
        {"another root", {nothing, second.root, first.issuing_key, first.issuing}, TEST_NOW_US, ERR_REFUSED},
        {"another key", {nothing, first.root, second.issuing_key, first.issuing}, TEST_NOW_US, ERR_REFUSED},
        {"another certificate", {nothing, first.root, first.issuing_key, second.issuing}, TEST_NOW_US, ERR_REFUSED},
        {"no key", {nothing, first.root, nothing, first.issuing}, TEST_NOW_US, ERR_MALFORMED},
        {"a locked key", {nothing, first.root, first.root_key, first.issuing}, TEST_NOW_US, ERR_REFUSED},
        {"no certificate", {nothing, first.root, first.issuing_key, nothing}, TEST_NOW_US, ERR_ABSENT},
        {"too late", {nothing, first.root, first.issuing_key, first.issuing}, TEST_NOW_US + 6 * YEAR_US, ERR_EXPIRED},
        {"too early", {nothing, first.root, first.issuing_key, first.issuing}, TEST_NOW_US - YEAR_US, ERR_EXPIRED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct test_clock clock = TEST_CLOCK(rows[i].now_us);
        struct authority a;
        err e = authority_load(&rows[i].texts, &clock.clock, &a);
        if (!err_is(e, rows[i].expected))
            fail_msg("%s: %s", rows[i].what, err_text(e));
        assert_null(a.issuing_key);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads),
        cmocka_unit_test(the_root_key_is_locked),
        cmocka_unit_test(a_short_passphrase),
        cmocka_unit_test(parts_of_two_do_not_mix),
    };
    return cmocka_run_group_tests(tests, make_two, drop_two);
}
