/* Views and the reader: comparing, cutting, trimming, and a fault that sticks. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SAME = 0, LESS = -1, MORE = 1 };

static void comparing(void **state)
{
    static const struct {
        const char *rule;
        struct bytes a, b;
        int order;
        bool nocase;
    } rows[] = {
        {"the same", BYTES_ROW("abc"), BYTES_ROW("abc"), SAME, true},
        {"two empty ones", {NULL, 0}, BYTES_ROW(""), SAME, true},
        {"shorter is less", BYTES_ROW("ab"), BYTES_ROW("abc"), LESS, false},
        {"empty is least", {NULL, 0}, BYTES_ROW("a"), LESS, false},
        {"the first difference decides", BYTES_ROW("b"), BYTES_ROW("abc"), MORE, false},
        {"bytes are unsigned", BYTES_ROW("\xff"), BYTES_ROW("\x01"), MORE, false},
        {"NULs count", BYTES_ROW("a\0b"), BYTES_ROW("a\0c"), LESS, false},
        {"case", BYTES_ROW("Content-Type"), BYTES_ROW("content-tYPE"), LESS, true},
        {"only letters have a case", BYTES_ROW("[@`"), BYTES_ROW("{`@"), LESS, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int order = bytes_compare(rows[i].a, rows[i].b), back = bytes_compare(rows[i].b, rows[i].a);
        bool same = rows[i].order == SAME;
        if ((order > 0) - (order < 0) != rows[i].order || (back > 0) - (back < 0) != -rows[i].order ||
            bytes_equal(rows[i].a, rows[i].b) != same || bytes_equal_secret(rows[i].a, rows[i].b) != same ||
            bytes_equal_nocase(rows[i].a, rows[i].b) != rows[i].nocase)
            fail_msg("%s", rows[i].rule);
    }
}

static void beginnings_and_ends(void **state)
{
    struct bytes b = BYTES("  a b\r\n\t");
    assert_true(bytes_is(bytes_trim(b), "a b"));
    assert_true(bytes_is(bytes_trim(BYTES(" \t ")), ""));
    assert_true(bytes_is(bytes_trim(bytes_of(NULL, 0)), ""));
    assert_true(bytes_starts(b, "  a"));
    assert_true(bytes_starts(b, ""));
    assert_false(bytes_starts(BYTES("ab"), "abc"));
    assert_true(bytes_is(bytes_from(BYTES("abc"), 1), "bc"));
    assert_int_equal(bytes_from(BYTES("abc"), 3).len, 0);
    assert_int_equal(bytes_from(BYTES("abc"), SIZE_MAX).len, 0);
    assert_true(bytes_is(bytes_first(BYTES("abc"), 2), "ab"));
    assert_true(bytes_is(bytes_first(BYTES("abc"), SIZE_MAX), "abc"));
    assert_int_equal(bytes_of_text(NULL).len, 0);
    assert_null(bytes_of_text(NULL).at);
}

/* Cuts until nothing is left, which the empty view behind the last separator is not: "a/" is two pieces. */
static void cutting(void **state)
{
    static const struct {
        const char *text;
        size_t count;
        const char *pieces[4];
    } rows[] = {
        {"a/b/c", 3, {"a", "b", "c"}}, {"a", 1, {"a"}},          {"a/", 2, {"a", ""}},
        {"/a", 2, {"", "a"}},          {"/", 2, {"", ""}},       {"//", 3, {"", "", ""}},
        {"", 1, {""}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bytes rest = bytes_of_text(rows[i].text);
        size_t count = 0;
        while (rest.at) {
            struct bytes piece = bytes_cut(&rest, '/');
            if (count >= rows[i].count || !bytes_is(piece, rows[i].pieces[count]))
                fail_msg("\"%s\": piece %zu", rows[i].text, count);
            count++;
        }
        if (count != rows[i].count)
            fail_msg("\"%s\": %zu pieces", rows[i].text, count);
    }
    struct bytes nothing = {NULL, 0};
    assert_int_equal(bytes_cut(&nothing, '/').len, 0);
    assert_null(nothing.at);
}

static void reading(void **state)
{
    struct reader r = reader_over(BYTES("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f" "ab"));
    assert_int_equal(read_u8(&r), 0x01);
    assert_int_equal(read_u16(&r), 0x0203);
    assert_int_equal(read_u32(&r), 0x04050607);
    assert_true(read_u64(&r) == 0x08090a0b0c0d0e0f);
    assert_true(err_is(reader_finish(&r), ERR_MALFORMED)); /* something is left */
    assert_true(bytes_is(read_view(&r, 2), "ab"));
    assert_null(reader_finish(&r));
}

static void a_read_past_the_end_spoils_the_reader(void **state)
{
    struct reader r = reader_over(BYTES("\x01\x02\x03"));
    assert_int_equal(read_u32(&r), 0);
    assert_int_equal(read_u8(&r), 0); /* although a byte is there */
    assert_int_equal(read_view(&r, 0).len, 0);
    assert_true(err_is(reader_finish(&r), ERR_MALFORMED));
    r = reader_over(bytes_of(NULL, 0));
    assert_null(reader_finish(&r));
    assert_int_equal(read_view(&r, SIZE_MAX).len, 0);
    assert_true(err_is(reader_finish(&r), ERR_MALFORMED));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comparing), cmocka_unit_test(beginnings_and_ends), cmocka_unit_test(cutting),
        cmocka_unit_test(reading),   cmocka_unit_test(a_read_past_the_end_spoils_the_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
