/* Passwords: kept as scrypt, told apart, and bounded. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/password.h"

#include "crypto/fixture.h"

static void kept_and_told_apart(void **state)
{
    struct test_dice dice = TEST_DICE(7);
    char kept[PASSWORD_HASH_TEXT], other[PASSWORD_HASH_TEXT];
    assert_ok(password_hash(BYTES("a long enough one"), &dice.dice, kept));
    assert_ok(password_hash(BYTES("a long enough one"), &dice.dice, other));
    assert_true(bytes_starts(bytes_of_text(kept), "scrypt$15$8$1$"));
    assert_string_not_equal(kept, other); /* salted */
    assert_ok(password_verify(BYTES("a long enough one"), bytes_of_text(kept)));
    assert_kind(password_verify(BYTES("a long enough onf"), bytes_of_text(kept)), ERR_REFUSED);
    assert_kind(password_verify(BYTES(""), bytes_of_text(kept)), ERR_REFUSED);
    assert_kind(password_verify_nobody(BYTES("a long enough one")), ERR_REFUSED);
}

static void vector_of_another_hand(void **state)
{
    /* hashlib.scrypt(b"correct horse", salt=bytes(range(16)), n=2**14, r=8, p=1, dklen=32) */
    assert_ok(
        password_verify(BYTES("correct horse"),
                        BYTES("scrypt$14$8$1$AAECAwQFBgcICQoLDA0ODw$JbN2hANm9NOw4h5BRHZnbjzQ6Jr0QwNWojTOC2WgIbU")));
}

static void kept_texts_are_bounded(void **state)
{
    static const char *const rows[] = {
        "",
        "plain",
        "scrypt$15$8$1$",
        "scrypt$31$8$1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", /* N too large */
        "scrypt$1$8$1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",  /* N too small */
        "scrypt$15$64$1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$15$8$99$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$AAAA", /* hash too short */
        "scrypt$15$8$1$AA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "argon2$15$8$1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "scrypt$15$8$1$AAECAwQFBgcICQoLDA0ODw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA$",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_kind(password_verify(BYTES("x"), bytes_of_text(rows[i])), ERR_MALFORMED);
}

static void passwords_are_bounded(void **state)
{
    static const uint8_t zeroes[PASSWORD_MAX + 1];
    struct test_dice dice = TEST_DICE(7);
    char kept[PASSWORD_HASH_TEXT];
    assert_kind(password_hash(bytes_of(zeroes, sizeof zeroes), &dice.dice, kept), ERR_TOO_LARGE);
    assert_kind(password_verify_nobody(bytes_of(zeroes, sizeof zeroes)), ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_and_told_apart),
        cmocka_unit_test(vector_of_another_hand),
        cmocka_unit_test(kept_texts_are_bounded),
        cmocka_unit_test(passwords_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
