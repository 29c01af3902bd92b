/* Text encodings: what is read, what is refused, and that both directions agree. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof rows / sizeof *rows)

static void unsigned_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        uint64_t value;
    } rows[] = {
        {"0", true, 0},       {"00012", true, 12},   {"18446744073709551615", true, UINT64_MAX},
        {"", false, 0},       {" 1", false, 0},      {"1 ", false, 0},
        {"+1", false, 0},     {"-1", false, 0},      {"18446744073709551616", false, 0},
        {"1e3", false, 0},    {"0x10", false, 0},    {"99999999999999999999999", false, 0},
        {"1\n", false, 0},    {"\xD9\xA1", false, 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        uint64_t value = 7;
        err e = text_to_u64(bytes_of_text(rows[i].text), &value);
        if (rows[i].good ? e || value != rows[i].value : !err_is(e, ERR_MALFORMED) || value != 7)
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
    uint64_t value;
    assert_true(err_is(text_to_u64(BYTES("1\0"), &value), ERR_MALFORMED));
}

static void signed_numbers(void **state)
{
    static const struct {
        const char *text;
        bool good;
        int64_t value;
    } rows[] = {
        {"9223372036854775807", true, INT64_MAX},    {"-9223372036854775808", true, INT64_MIN},
        {"-1", true, -1},                            {"-0", true, 0},
        {"9223372036854775808", false, 0},           {"-9223372036854775809", false, 0},
        {"-", false, 0},                             {"--1", false, 0},
        {"- 1", false, 0},                           {"", false, 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        int64_t value = 7;
        err e = text_to_i64(bytes_of_text(rows[i].text), &value);
        if (rows[i].good ? e || value != rows[i].value : !err_is(e, ERR_MALFORMED))
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
}

static void doubles(void **state)
{
    static const struct {
        const char *text;
        bool good;
        double value;
    } rows[] = {
        {"1.5", true, 1.5},      {"-2e3", true, -2000},   {"1E-2", true, 0.01},  {".5", true, 0.5},
        {"1e308", true, 1e308},  {"1e309", false, 0},     {"-1e999", false, 0},  {"", false, 0},
        {" 1", false, 0},        {"1 ", false, 0},        {"nan", false, 0},     {"inf", false, 0},
        {"infinity", false, 0},  {"0x1p3", false, 0},     {"1,5", false, 0},     {"1.5.5", false, 0},
        {"e5", false, 0},        {"-", false, 0},         {"1e", false, 0},
        {"1111111111111111111111111111111111111111111111111111111111111111111111111111111111", false, 0},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        double value = 7;
        err e = text_to_double(bytes_of_text(rows[i].text), &value);
        if (rows[i].good ? e || value != rows[i].value : !err_is(e, ERR_MALFORMED))
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
    double value;
    assert_true(err_is(text_to_double(BYTES("1\0"), &value), ERR_MALFORMED));
}

static void hex(void **state)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"", ""},       {"00ff7F", "\x00\xff\x7f"}, {"DEADbeef", "\xde\xad\xbe\xef"},
        {"0", NULL},    {"0g", NULL},               {"g0", NULL},
        {" 00", NULL},  {"0x00", NULL},             {"@A", NULL},
        {"\x10\x10", NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 16};
        err e = hex_decode(bytes_of_text(rows[i].text), &out);
        struct bytes want = bytes_of(rows[i].bytes, strlen(rows[i].text) / 2);
        if (rows[i].bytes ? e || !bytes_equal(buffer_view(&out), want) : !err_is(e, ERR_MALFORMED))
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
    SCOPED(buffer_drop) struct buffer out = {.max = 6};
    put_hex(&out, BYTES("\x00\xff\x7a"));
    assert_true(bytes_is(buffer_view(&out), "00ff7a"));
}

/* RFC 4648, 10, and what a lenient decoder would let through. */
static void base64(void **state)
{
    static const struct {
        const char *rule, *text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"nothing", "", ""},
        {"one byte", "Zg==", "f"},
        {"two bytes", "Zm8=", "fo"},
        {"three bytes", "Zm9v", "foo"},
        {"six bytes", "Zm9vYmFy", "foobar"},
        {"both special characters", "+/+/", "\xfb\xff\xbf"},
        {"lines and blanks", " Zm9v\r\nYm\tFy \n", "foobar"},
        {"only blanks", " \r\n", ""},
        {"no padding", "Zg", NULL},
        {"too little padding", "Zg=", NULL},
        {"too much padding", "Zg===", NULL},
        {"only padding", "====", NULL},
        {"three of padding", "Z===", NULL},
        {"padding inside", "Zg==Zg==", NULL},
        {"padding in the middle", "Z=g=", NULL},
        {"left-over bits in two", "Zh==", NULL},
        {"left-over bits in three", "Zm9=", NULL},
        {"the URL alphabet", "-_-_", NULL},
        {"a foreign character", "Zm9*", NULL},
        {"not ASCII", "Zm\xC3\xA9", NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 64};
        err e = base64_decode(bytes_of_text(rows[i].text), &out);
        if (rows[i].bytes ? e || !bytes_is(buffer_view(&out), rows[i].bytes) : !err_is(e, ERR_MALFORMED))
            fail_msg("%s: %s", rows[i].rule, err_text(e));
    }
    SCOPED(buffer_drop) struct buffer out = {.max = 64};
    assert_true(err_is(base64_decode(BYTES("Zm9v\0AAA"), &out), ERR_MALFORMED));
}

static void base64_for_urls(void **state)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"", ""},         {"Zg", "f"},      {"Zm8", "fo"},    {"Zm9v", "foo"},  {"-_-_", "\xfb\xff\xbf"},
        {"Zg==", NULL},   {"Z", NULL},      {"Zh", NULL},     {"Zm9", NULL},    {"+/+/", NULL},
        {"Zm 9v", NULL},  {"Zm9v\n", NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 64};
        err e = base64url_decode(bytes_of_text(rows[i].text), &out);
        if (rows[i].bytes ? e || !bytes_is(buffer_view(&out), rows[i].bytes) : !err_is(e, ERR_MALFORMED))
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
}

static void what_is_put_is_decoded_again(void **state)
{
    uint8_t bytes[67];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 151 + 7);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        SCOPED(buffer_drop) struct buffer text = {.max = 256};
        SCOPED(buffer_drop) struct buffer url = {.max = 256};
        SCOPED(buffer_drop) struct buffer back = {.max = 3 * sizeof bytes};
        struct bytes view = bytes_of(bytes, len);
        put_base64(&text, view);
        put_base64url(&url, view);
        assert_null(base64_decode(buffer_view(&text), &back));
        assert_null(base64url_decode(buffer_view(&url), &back));
        buffer_clear(&text);
        put_hex(&text, view);
        assert_null(hex_decode(buffer_view(&text), &back));
        assert_int_equal(back.len, 3 * len);
        for (size_t k = 0; k < 3; k++)
            assert_true(bytes_equal(bytes_first(bytes_from(buffer_view(&back), k * len), len), view));
    }
}

static void a_full_buffer_is_a_fault_of_the_decoders(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 2};
    assert_true(err_is(hex_decode(BYTES("000000"), &out), ERR_TOO_LARGE));
    buffer_clear(&out);
    assert_true(err_is(base64_decode(BYTES("Zm9v"), &out), ERR_TOO_LARGE));
    buffer_clear(&out);
    assert_true(err_is(percent_decode(BYTES("abc"), &out), ERR_TOO_LARGE));
}

static void percent(void **state)
{
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } rows[] = {
        {"", ""},        {"a%20b", "a b"}, {"%C3%a9", "\xC3\xA9"}, {"a+b", "a+b"}, {"%25", "%"},
        {"%", NULL},     {"%2", NULL},     {"%2g", NULL},          {"%g2", NULL},  {"abc%", NULL},
        {"%%20", NULL},  {"% 20", NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 16};
        err e = percent_decode(bytes_of_text(rows[i].text), &out);
        if (rows[i].bytes ? e || !bytes_is(buffer_view(&out), rows[i].bytes) : !err_is(e, ERR_MALFORMED))
            fail_msg("\"%s\": %s", rows[i].text, err_text(e));
    }
}

/* RFC 3629, 4. */
static void utf8(void **state)
{
    static const struct {
        const char *rule, *text;
        bool good;
    } rows[] = {
        {"nothing", "", true},
        {"ASCII", "abc", true},
        {"two bytes, the first", "\xC2\x80", true},
        {"two bytes, the last", "\xDF\xBF", true},
        {"three bytes, the first", "\xE0\xA0\x80", true},
        {"below the surrogates", "\xED\x9F\xBF", true},
        {"above the surrogates", "\xEE\x80\x80", true},
        {"U+FFFF", "\xEF\xBF\xBF", true},
        {"four bytes, the first", "\xF0\x90\x80\x80", true},
        {"U+10FFFF", "\xF4\x8F\xBF\xBF", true},
        {"mixed", "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z", true},
        {"a lone continuation", "\x80", false},
        {"overlong NUL", "\xC0\x80", false},
        {"overlong in two bytes", "\xC1\xBF", false},
        {"overlong in three bytes", "\xE0\x9F\xBF", false},
        {"overlong in four bytes", "\xF0\x8F\xBF\xBF", false},
        {"the first surrogate", "\xED\xA0\x80", false},
        {"the last surrogate", "\xED\xBF\xBF", false},
        {"over U+10FFFF", "\xF4\x90\x80\x80", false},
        {"a byte that never begins", "\xF5\x80\x80\x80", false},
        {"0xFF", "\xFF", false},
        {"cut after one of two", "\xC3", false},
        {"cut after two of three", "\xE2\x82", false},
        {"cut after three of four", "\xF0\x9F\x98", false},
        {"a letter instead of a continuation", "\xE2\x82z", false},
        {"Latin-1", "caf\xE9", false},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        if (utf8_valid(bytes_of_text(rows[i].text)) != rows[i].good)
            fail_msg("%s", rows[i].rule);
    assert_true(utf8_valid(BYTES("a\0b")));
}

static void json_texts(void **state)
{
    static const struct {
        struct bytes text;
        const char *json;
    } rows[] = {
        {BYTES_ROW(""), "\"\""},
        {BYTES_ROW("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {BYTES_ROW("\n\t\x01\x7f"), "\"\\u000a\\u0009\\u0001\\u007f\""},
        {BYTES_ROW("\0"), "\"\\u0000\""},
        {BYTES_ROW("\xC3\xA9"), "\"\xC3\xA9\""},
        {BYTES_ROW("a\xFF\xC3z"), "\"a\xEF\xBF\xBD\xEF\xBF\xBDz\""},
        {BYTES_ROW("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        SCOPED(buffer_drop) struct buffer out = {.max = 64};
        put_json_text(&out, rows[i].text);
        if (!bytes_is(buffer_view(&out), rows[i].json))
            fail_msg("row %zu: %s", i, buffer_text(&out));
    }
}

static void copies(void **state)
{
    char field[4] = "xyz";
    assert_null(text_copy(BYTES("abc"), field, sizeof field));
    assert_string_equal(field, "abc");
    assert_null(text_copy(bytes_of(NULL, 0), field, sizeof field));
    assert_string_equal(field, "");
    assert_true(err_is(text_copy(BYTES("abcd"), field, sizeof field), ERR_TOO_LARGE));
    assert_true(err_is(text_copy(BYTES("a\0b"), field, sizeof field), ERR_MALFORMED));
    assert_true(err_is(text_copy(BYTES(""), field, 0), ERR_TOO_LARGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(hex),
        cmocka_unit_test(base64),
        cmocka_unit_test(base64_for_urls),
        cmocka_unit_test(what_is_put_is_decoded_again),
        cmocka_unit_test(a_full_buffer_is_a_fault_of_the_decoders),
        cmocka_unit_test(percent),
        cmocka_unit_test(utf8),
        cmocka_unit_test(json_texts),
        cmocka_unit_test(copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
