/* Events and documents that devices report. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void events(void **state)
{
    static const struct {
        const char *rule, *payload;
        const char *detail; /* NULL: refused, with `why` in its reason */
        enum severity severity;
        const char *why;
    } rows[] = {
        {"all members", "{\"kind\":\"disk.low\",\"severity\":\"error\",\"detail\":{\"free\":5}}",
         "{\"kind\":\"disk.low\",\"detail\":{\"free\":5}}", SEVERITY_ERROR, 0},
        {"severity and detail may be absent", "{\"kind\":\"a\"}", "{\"kind\":\"a\",\"detail\":{}}", SEVERITY_INFO, 0},
        {"the detail keeps its order", "{\"kind\":\"a\",\"detail\":{\"z\":1,\"a\":[null,true,\"x\"]}}",
         "{\"kind\":\"a\",\"detail\":{\"z\":1,\"a\":[null,true,\"x\"]}}", SEVERITY_INFO, 0},
        {"a kind of every character", "{\"kind\":\"a0._-z\",\"severity\":\"warning\"}",
         "{\"kind\":\"a0._-z\",\"detail\":{}}", SEVERITY_WARNING, 0},
        {"no kind", "{\"severity\":\"info\"}", 0, 0, "\"kind\" is missing"},
        {"an empty kind", "{\"kind\":\"\"}", 0, 0, "\"kind\" must be"},
        {"a kind in capitals", "{\"kind\":\"Disk\"}", 0, 0, "\"kind\" must be"},
        {"a kind that begins with a digit", "{\"kind\":\"1a\"}", 0, 0, "\"kind\" must be"},
        {"a kind that is no text", "{\"kind\":1}", 0, 0, "\"kind\" must be a text"},
        {"a kind of 65 bytes", "{\"kind\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}", 0, 0,
         "\"kind\" must be"},
        {"another severity", "{\"kind\":\"a\",\"severity\":\"fatal\"}", 0, 0, "\"severity\" must be"},
        {"a detail that is no object", "{\"kind\":\"a\",\"detail\":[1]}", 0, 0, "\"detail\" must be an object"},
        {"an unknown member", "{\"kind\":\"a\",\"level\":1}", 0, 0, "\"level\" is unknown"},
        {"an array", "[]", 0, 0, "must be an object"},
        {"no JSON", "disk low", 0, 0, "line 1"},
        {"nothing", "", 0, 0, "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCOPED(report_event_drop) struct report_event event = {0};
        char why[WHY_TEXT] = "";
        err e = report_event_decode(bytes_of_text(rows[i].payload), &event, why);
        if (rows[i].detail &&
            (e || !bytes_is(buffer_view(&event.detail), rows[i].detail) || event.severity != rows[i].severity))
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
        if (!rows[i].detail && (!e || !strstr(why, rows[i].why)))
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
    }
}

static void a_long_detail_is_refused(void **state)
{
    SCOPED(buffer_drop) struct buffer payload = {.max = 10000};
    struct report_event event;
    char why[WHY_TEXT];
    put_text(&payload, "{\"kind\":\"a\",\"detail\":{\"text\":\"");
    for (size_t i = 0; i < DETAIL_MAX; i++)
        put_u8(&payload, 'x');
    put_text(&payload, "\"}}");
    assert_true(err_is(report_event_decode(buffer_view(&payload), &event, why), ERR_TOO_LARGE));
    assert_non_null(strstr(why, "4096"));
}

static void documents(void **state)
{
    SCOPED(report_documents_drop) struct report_documents d = {.count = 0};
    char why[WHY_TEXT];
    assert_ptr_equal(report_documents_decode(BYTES("{ \"inventory\": {\"os\": {\"name\":\"Debian\"}, \"b\":[1, 2.5]},\n"
                                                   "  \"agent\": {}, \"version\": \"1.2\" }"),
                                             &d, why),
                     OK);
    assert_int_equal(d.count, 3);
    assert_true(bytes_is(d.at[0].name, "inventory"));
    assert_true(bytes_is(d.at[0].json, "{\"os\":{\"name\":\"Debian\"},\"b\":[1,2.5]}"));
    assert_true(bytes_is(d.at[1].name, "agent"));
    assert_true(bytes_is(d.at[1].json, "{}"));
    assert_true(bytes_is(d.at[2].name, "version"));
    assert_true(bytes_is(d.at[2].json, "\"1.2\""));
}

static void documents_refused(void **state)
{
    static const struct {
        const char *rule, *payload, *why;
    } rows[] = {
        {"an empty object", "{}", "1 to 32 documents"},
        {"an array", "[]", "1 to 32 documents"},
        {"null", "{\"a\":null}", "\"a\" is null"},
        {"an empty name", "{\"\":1}", "not allowed"},
        {"a name with a slash", "{\"a/b\":1}", "not allowed"},
        {"a name with a NUL", "{\"a\\u0000\":1}", "line 1"},
        {"a duplicate", "{\"a\":1,\"a\":1}", "duplicate"},
        {"cut short", "{\"a\":1", "line 1"},
        {"33 documents",
         "{\"a0\":1,\"a1\":1,\"a2\":1,\"a3\":1,\"a4\":1,\"a5\":1,\"a6\":1,\"a7\":1,\"a8\":1,\"a9\":1,\"b0\":1,\"b1\":1,"
         "\"b2\":1,\"b3\":1,\"b4\":1,\"b5\":1,\"b6\":1,\"b7\":1,\"b8\":1,\"b9\":1,\"c0\":1,\"c1\":1,\"c2\":1,\"c3\":1,"
         "\"c4\":1,\"c5\":1,\"c6\":1,\"c7\":1,\"c8\":1,\"c9\":1,\"d0\":1,\"d1\":1,\"d2\":1}",
         "1 to 32 documents"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct report_documents d;
        char why[WHY_TEXT] = "";
        err e = report_documents_decode(bytes_of_text(rows[i].payload), &d, why);
        if (!e || !strstr(why, rows[i].why))
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events),
        cmocka_unit_test(a_long_detail_is_refused),
        cmocka_unit_test(documents),
        cmocka_unit_test(documents_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
