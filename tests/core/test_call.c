/* Calls: headers, and the answer's defaults. Principals and the one rule for ids. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void headers(void **state)
{
    const struct call_header lines[] = {{BYTES("host"), BYTES("a")}, {BYTES("x"), BYTES("1")}, {BYTES("x"), BYTES("2")}};
    struct call call = {.headers = lines, .header_count = 3};
    assert_true(bytes_is(call_header(&call, "x"), "1"));
    assert_int_equal(call_header(&call, "y").len, 0);
    assert_string_equal(call_method_text(METHOD_PATCH), "PATCH");
    for (unsigned m = 0; m < METHODS; m++)
        assert_non_null(call_method_text((enum call_method)m));
}

static void answers(void **state)
{
    struct answer answer;
    answer_open(&answer);
    assert_int_equal(answer.status, 200);
    assert_string_equal(answer.content_type, "application/json");
    answer_header(&answer, "Location", "/a");
    answer_header(&answer, "Allow", "GET");
    assert_string_equal(buffer_text(&answer.headers), "Location: /a\r\nAllow: GET\r\n");
    answer_header(&answer, "X", "1\r\nSet-Cookie: evil"); /* a header line cannot be smuggled in */
    assert_true(answer.headers.spoiled);
    answer_drop(&answer);
}

static void ids(void **state)
{
    static const struct {
        const char *id;
        bool good;
    } rows[] = {
        {"a", true},   {"7", true},    {"pump-1", true},  {"A.b_c-9", true}, {"", false},      {"-a", false},
        {".a", false}, {"_a", false},  {"..", false},     {"a/b", false},    {"a+b", false},   {"#", false},
        {"a b", false}, {"\xC3\xA9", false}, {"a\n", false}, {"a:b", false},  {"$a", false},
        {"0123456789012345678901234567890123456789012345678901234567890123", true},
        {"01234567890123456789012345678901234567890123456789012345678901234", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct principal p = {PRINCIPAL_OPERATOR, "before"};
        err e = principal_set(&p, PRINCIPAL_DEVICE, bytes_of_text(rows[i].id));
        if (rows[i].good ? e || p.kind != PRINCIPAL_DEVICE || strcmp(p.id, rows[i].id) != 0
                         : !err_is(e, ERR_MALFORMED) || p.kind != PRINCIPAL_NOBODY || p.id[0])
            fail_msg("\"%s\": %s", rows[i].id, err_text(e));
    }
    assert_false(id_is_valid(BYTES("a\0")));
}

static void what_the_anonymous_may_hear(void **state)
{
    static const struct principal anonymous = {PRINCIPAL_ANONYMOUS, ""}, device = {PRINCIPAL_DEVICE, "a"};
    assert_false(principal_may_hear(&anonymous, BYTES("devices/a/telemetry")));
    assert_false(principal_may_hear(&anonymous, BYTES("devices/")));
    assert_true(principal_may_hear(&anonymous, BYTES("devices")));
    assert_true(principal_may_hear(&anonymous, BYTES("a/devices/b")));
    assert_true(principal_may_hear(&device, BYTES("devices/b/telemetry")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(headers), cmocka_unit_test(answers), cmocka_unit_test(ids),
                                       cmocka_unit_test(what_the_anonymous_may_hear)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
