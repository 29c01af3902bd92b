/* Header fields: lists, ranges, entity tags, cookies, credentials. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/http_fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define EACH(i, rows)                                                                                                  \
    size_t i = 0;                                                                                                      \
    i < sizeof(rows) / sizeof((rows)[0]);                                                                              \
    i++

static void lists(void **state)
{
    assert_true(http_list_has(BYTES("keep-alive, Upgrade"), "upgrade"));
    assert_true(http_list_has(BYTES(" a ,\tb\t"), "b"));
    assert_false(http_list_has(BYTES("upgraded"), "upgrade"));
    assert_false(http_list_has(BYTES(""), "upgrade"));
    assert_false(http_list_has(BYTES(",,"), "upgrade"));
}

static void media_types(void **state)
{
    assert_true(http_media_type_is(BYTES("Application/JSON ; charset=utf-8"), "application/json"));
    assert_false(http_media_type_is(BYTES("application/jsonp"), "application/json"));
    assert_false(http_media_type_is(BYTES(""), "application/json"));
}

static void codings(void **state)
{
    static const struct {
        const char *field;
        bool accepts;
    } rows[] = {
        {"gzip", true},
        {"deflate, GZIP;q=0.5", true},
        {"gzip;q=0", false},
        {"gzip; q=0.000", false},
        {"gzip; q=0.001", true},
        {"*", false},
        {"", false},
        {"x-gzip", false},
    };
    for (EACH(i, rows))
        assert_int_equal(http_accepts_coding(bytes_of_text(rows[i].field), "gzip"), rows[i].accepts);
}

static void ranges(void **state)
{
    enum { WHOLE = HTTP_RANGE_WHOLE, PART = HTTP_RANGE_PART, NONE = HTTP_RANGE_UNSATISFIABLE };
    static const struct {
        const char *rule, *field;
        uint64_t size;
        int kind;
        uint64_t first, length;
    } rows[] = {
        {"first and last", "bytes=0-4", 10, PART, 0, 5},
        {"the unit's case does not matter", "Bytes=0-4", 10, PART, 0, 5},
        {"one byte", "bytes=9-9", 10, PART, 9, 1},
        {"open end", "bytes=3-", 10, PART, 3, 7},
        {"a last past the end is cut", "bytes=3-99", 10, PART, 3, 7},
        {"a last at the very end of numbers", "bytes=3-18446744073709551615", 10, PART, 3, 7},
        {"a suffix", "bytes=-3", 10, PART, 7, 3},
        {"a suffix longer than all", "bytes=-99", 10, PART, 0, 10},
        {"a first at the end", "bytes=10-", 10, NONE, 0, 0},
        {"an empty suffix", "bytes=-0", 10, NONE, 0, 0},
        {"nothing of nothing", "bytes=0-", 0, NONE, 0, 0},
        {"a suffix of nothing", "bytes=-1", 0, NONE, 0, 0},
        {"absent", "", 10, WHOLE, 0, 10},
        {"several", "bytes=0-1,3-4", 10, WHOLE, 0, 10},
        {"another unit", "lines=0-1", 10, WHOLE, 0, 10},
        {"backwards", "bytes=4-3", 10, WHOLE, 0, 10},
        {"only a dash", "bytes=-", 10, WHOLE, 0, 10},
        {"no dash", "bytes=4", 10, WHOLE, 0, 10},
        {"blanks inside", "bytes=0 - 4", 10, WHOLE, 0, 10},
        {"a number over 2^64", "bytes=0-18446744073709551616", 10, WHOLE, 0, 10},
        {"two dashes", "bytes=1--2", 10, WHOLE, 0, 10},
    };
    for (EACH(i, rows)) {
        struct http_range out;
        enum http_range_kind kind = http_range(bytes_of_text(rows[i].field), rows[i].size, &out);
        if ((int)kind != rows[i].kind || out.first != rows[i].first || out.length != rows[i].length)
            fail_msg("%s: kind %d, %lu+%lu", rows[i].rule, (int)kind, (unsigned long)out.first,
                     (unsigned long)out.length);
    }
}

static void content_ranges(void **state)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 200};
    http_put_content_range(&out, HTTP_RANGE_PART, (struct http_range){3, 7}, 10);
    http_put_content_range(&out, HTTP_RANGE_UNSATISFIABLE, (struct http_range){0, 0}, 10);
    http_put_content_range(&out, HTTP_RANGE_WHOLE, (struct http_range){0, 10}, 10);
    assert_string_equal(buffer_text(&out), "Content-Range: bytes 3-9/10\r\nContent-Range: bytes */10\r\n");
}

static void entity_tags(void **state)
{
    static const struct {
        const char *field;
        bool hits;
    } rows[] = {
        {"\"a\"", true}, {"W/\"a\"", true}, {"\"b\", \"a\"", true}, {"*", true}, {"\"b\"", false},
        {"a", false},    {"", false},       {"\"A\"", false},
    };
    for (EACH(i, rows))
        assert_int_equal(http_none_match_hits(bytes_of_text(rows[i].field), BYTES("\"a\"")), rows[i].hits);
    assert_false(http_none_match_hits(BYTES(","), BYTES("")));
    assert_true(http_if_range_holds(BYTES(""), BYTES("\"a\"")));
    assert_true(http_if_range_holds(BYTES("\"a\""), BYTES("\"a\"")));
    assert_false(http_if_range_holds(BYTES("W/\"a\""), BYTES("W/\"a\"")));
    assert_false(http_if_range_holds(BYTES("Sun, 06 Nov 1994 08:49:37 GMT"), BYTES("\"a\"")));
}

static void cookies(void **state)
{
    struct bytes field = BYTES("a=1; __Host-x=tok=en; b; aa=2;c=");
    assert_true(bytes_is(http_cookie(field, "a"), "1"));
    assert_true(bytes_is(http_cookie(field, "aa"), "2"));
    assert_true(bytes_is(http_cookie(field, "__Host-x"), "tok=en"));
    assert_int_equal(http_cookie(field, "b").len, 0);
    assert_int_equal(http_cookie(field, "c").len, 0);
    assert_int_equal(http_cookie(field, "A").len, 0);
    assert_int_equal(http_cookie(BYTES(""), "a").len, 0);
}

static void bearers(void **state)
{
    assert_true(bytes_is(http_bearer(BYTES("Bearer abc-._~+/9=")), "abc-._~+/9="));
    assert_true(bytes_is(http_bearer(BYTES("bearer  abc ")), "abc"));
    assert_int_equal(http_bearer(BYTES("Bearer a b")).len, 0);
    assert_int_equal(http_bearer(BYTES("Bearer a,b")).len, 0);
    assert_int_equal(http_bearer(BYTES("Bearer")).len, 0);
    assert_int_equal(http_bearer(BYTES("Bearerabc")).len, 0);
    assert_int_equal(http_bearer(BYTES("Basic abc")).len, 0);
    assert_int_equal(http_bearer(BYTES("")).len, 0);
}

static void basics(void **state)
{
    static const struct {
        const char *rule, *field;
        int kind; /* 0: OK */
        const char *name, *password;
    } rows[] = {
        {"RFC 7617, 2", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 0, "Aladdin", "open sesame"},
        {"the scheme's case does not matter", "bASIC YTpi", 0, "a", "b"},
        {"a password with a colon", "Basic YTpiOmM=", 0, "a", "b:c"},
        {"an empty name", "Basic OmI=", 0, "", "b"},
        {"an empty password", "Basic YTo=", 0, "a", ""},
        {"no colon", "Basic YWI=", ERR_MALFORMED, 0, 0},
        {"not base64", "Basic !!!!", ERR_MALFORMED, 0, 0},
        {"a NUL", "Basic YTpiAGM=", ERR_MALFORMED, 0, 0},
        {"not UTF-8", "Basic YTr/", ERR_MALFORMED, 0, 0},
        {"longer than its room", "Basic YTphYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh", ERR_MALFORMED, 0, 0},
        {"another scheme", "Bearer YTpi", ERR_ABSENT, 0, 0},
        {"nothing", "", ERR_ABSENT, 0, 0},
    };
    for (EACH(i, rows)) {
        SCOPED(buffer_wipe) struct buffer room = {.max = 32};
        struct http_basic out;
        err e = http_basic(bytes_of_text(rows[i].field), &room, &out);
        if ((e ? (int)e->kind : 0) != rows[i].kind)
            fail_msg("%s: %s", rows[i].rule, err_text(e));
        if (!e && (!bytes_is(out.name, rows[i].name) || !bytes_is(out.password, rows[i].password)))
            fail_msg("%s: another name or password", rows[i].rule);
    }
}

static void origins(void **state)
{
    assert_true(http_origin_is(BYTES("https://Host:8443"), BYTES("host:8443")));
    assert_false(http_origin_is(BYTES("http://host:8443"), BYTES("host:8443")));
    assert_false(http_origin_is(BYTES("https://host"), BYTES("host:8443")));
    assert_false(http_origin_is(BYTES("https://host:8443.evil"), BYTES("host:8443")));
    assert_false(http_origin_is(BYTES("null"), BYTES("host")));
    assert_false(http_origin_is(BYTES("https://"), BYTES("")));
    assert_false(http_origin_is(BYTES(""), BYTES("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists),   cmocka_unit_test(media_types),    cmocka_unit_test(codings),
        cmocka_unit_test(ranges),  cmocka_unit_test(content_ranges), cmocka_unit_test(entity_tags),
        cmocka_unit_test(cookies), cmocka_unit_test(bearers),        cmocka_unit_test(basics),
        cmocka_unit_test(origins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
