/* Keys: made, kept, read again; what is no key of ours. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/key.h"

#include "base/memory.h"
#include "base/text.h"
#include "crypto/fixture.h"

static const struct bytes none = {NULL, 0};

static void assert_same(const struct key *a, const struct key *b)
{
    SCOPED(buffer_drop) struct buffer first = {.max = KEY_PUBLIC_MAX}, second = {.max = KEY_PUBLIC_MAX};
    assert_ok(key_put_public(a, &first));
    assert_ok(key_put_public(b, &second));
    assert_true(bytes_equal(buffer_view(&first), buffer_view(&second)));
    buffer_drop(&second);
}

static void plain_round_trip(void **state)
{
    static const enum key_curve curves[] = {KEY_P256, KEY_P384};
    for (size_t i = 0; i < 2; i++) {
        SCOPED(key_drop_scoped) struct key *key = NULL;
        SCOPED(key_drop_scoped) struct key *again = NULL;
        SCOPED(buffer_wipe) struct buffer pem = {.max = KEY_PEM_MAX};
        assert_ok(key_generate(curves[i], &key));
        assert_ok(key_put_pem(key, &pem));
        assert_true(bytes_starts(buffer_view(&pem), "-----BEGIN PRIVATE KEY-----"));
        assert_ok(key_read_pem(buffer_view(&pem), none, &again));
        assert_same(key, again);
    }
}

static void locked_round_trip(void **state)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(key_drop_scoped) struct key *again = NULL;
    SCOPED(buffer_wipe) struct buffer pem = {.max = KEY_PEM_MAX};
    assert_ok(key_generate(KEY_P384, &key));
    assert_ok(key_put_pem_locked(key, BYTES("correct horse battery"), &pem));
    assert_true(bytes_starts(buffer_view(&pem), "-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    assert_kind(key_read_pem(buffer_view(&pem), BYTES("wrong horse battery"), &again), ERR_REFUSED);
    assert_kind(key_read_pem(buffer_view(&pem), none, &again), ERR_REFUSED);
    assert_null(again);
    assert_ok(key_read_pem(buffer_view(&pem), BYTES("correct horse battery"), &again));
    assert_same(key, again);
    assert_kind(key_put_pem_locked(key, none, &pem), ERR_MALFORMED);
}

static void only_our_curves(void **state)
{
    const struct {
        const char *what;
        struct bytes pem;
        enum fault_kind expected;
    } rows[] = {
        {"nothing", BYTES(""), ERR_MALFORMED},
        {"no PEM", BYTES("hello"), ERR_MALFORMED},
        {"a block cut short", BYTES("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n"), ERR_MALFORMED},
        {"Ed25519",
         BYTES("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
               "-----END PRIVATE KEY-----\n"),
         ERR_UNSUPPORTED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct key *key = NULL;
        err e = key_read_pem(rows[i].pem, none, &key);
        if (!err_is(e, rows[i].expected))
            fail_msg("%s: %s", rows[i].what, err_text(e));
    }
}

static void one_form_of_a_public_key(void **state)
{
    SCOPED(key_drop_scoped) struct key *key = NULL;
    SCOPED(key_drop_scoped) struct key *big = NULL;
    SCOPED(buffer_drop) struct buffer der = {.max = KEY_PUBLIC_MAX};
    SCOPED(buffer_drop) struct buffer other = {.max = KEY_PUBLIC_MAX};
    assert_ok(key_generate(KEY_P256, &key));
    assert_ok(key_generate(KEY_P384, &big));
    assert_ok(key_put_public(key, &der));
    assert_ok(key_put_public(big, &other));
    assert_ok(key_check_public_p256(buffer_view(&der)));
    assert_kind(key_check_public_p256(buffer_view(&other)), ERR_UNSUPPORTED);
    assert_kind(key_check_public_p256(bytes_first(buffer_view(&der), 90)), ERR_UNSUPPORTED);
    assert_kind(key_check_public_p256(none), ERR_UNSUPPORTED);
    der.at[KEY_PUBLIC_P256 - 1] ^= 1; /* off the curve */
    assert_kind(key_check_public_p256(buffer_view(&der)), ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_round_trip),
        cmocka_unit_test(locked_round_trip),
        cmocka_unit_test(only_our_curves),
        cmocka_unit_test(one_form_of_a_public_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
