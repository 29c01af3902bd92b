/* JSON in: bounds, places of mistakes, tables of members. Reasons: what they may hold. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json.h"

#include "base/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void documents(void **state)
{
    static const struct {
        const char *rule;
        struct bytes text;
        const char *why; /* NULL: taken */
    } rows[] = {
        {"an object", BYTES_ROW("{\"a\":1}"), NULL},
        {"an array", BYTES_ROW(" [1, 2] \n"), NULL},
        {"16 levels", BYTES_ROW("[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"), NULL},
        {"17 levels", BYTES_ROW("[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]"), "nested deeper than 16"},
        {"brackets in a text are no levels", BYTES_ROW("[\"[[[[[[[[[[[[[[[[[[[[[\\\"[[[[\"]"), NULL},
        {"a place", BYTES_ROW("{\n  \"a\": x}"), "line 2, column 8"},
        {"a duplicate", BYTES_ROW("{\"a\":1,\"a\":1}"), "duplicate"},
        {"a scalar", BYTES_ROW("1"), "line 1"},
        {"an escaped NUL", BYTES_ROW("[\"\\u0000\"]"), "line 1"},
        {"a NUL", BYTES_ROW("[\0]"), "line 1"},
        {"a NUL behind the end", BYTES_ROW("[]\0"), "line 1"},
        {"more behind the end", BYTES_ROW("[] []"), "line 1"},
        {"no UTF-8", BYTES_ROW("[\"\xC0\x80\"]"), "line 1"},
        {"a lone surrogate", BYTES_ROW("[\"\\uD800\"]"), "line 1"},
        {"a comment", BYTES_ROW("[1] // one"), "line 1"},
        {"a comma too many", BYTES_ROW("[1,]"), "line 1"},
        {"nothing", BYTES_ROW(""), "line 1"},
        {"blanks", BYTES_ROW("  "), "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCOPED(json_drop) json_t *root = NULL;
        char why[WHY_TEXT] = "";
        err e = json_parse(rows[i].text, 100, &root, why);
        if ((e != OK) != (rows[i].why != NULL) || (e && !strstr(why, rows[i].why)))
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
    }
}

/* A reason is logged, kept as an event and shown: where a mistake is, not what stands there. */
static void reasons_quote_nothing(void **state)
{
    static const struct bytes rows[] = {
        BYTES_ROW("{\"password\":hunter}"), BYTES_ROW("{\"password\":\"hunter\" hunter"),
        BYTES_ROW("[\"hunter\",]"), BYTES_ROW("[1] hunter"),
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *root = NULL;
        char why[WHY_TEXT] = "";
        assert_non_null(json_parse(rows[i], 100, &root, why));
        if (strstr(why, "hunter") || !strstr(why, "line 1"))
            fail_msg("%s", why);
    }
}

static void the_size_is_bounded(void **state)
{
    json_t *root = NULL;
    char why[WHY_TEXT];
    assert_true(err_is(json_parse(BYTES("[1,2,3]"), 6, &root, why), ERR_TOO_LARGE));
    assert_string_equal(why, "the document has 7 bytes; at most 6 are allowed");
    assert_null(root);
}

static void members(void **state)
{
    static const struct {
        const char *rule, *text, *why;
    } rows[] = {
        {"all", "{\"name\":\"a\",\"uses\":1,\"share\":1,\"open\":true,\"more\":{},\"list\":[],\"any\":null}", NULL},
        {"the required ones", "{\"name\":\"a\",\"uses\":1}", NULL},
        {"one is missing", "{\"name\":\"a\"}", "the member \"uses\" is missing"},
        {"one is null", "{\"name\":null,\"uses\":1}", "the member \"name\" must be a text"},
        {"one is of another kind", "{\"name\":\"a\",\"uses\":1.0}", "the member \"uses\" must be an integer"},
        {"an optional one is of another kind", "{\"name\":\"a\",\"uses\":1,\"open\":0}",
         "the member \"open\" must be true or false"},
        {"one is unknown", "{\"name\":\"a\",\"uses\":1,\"Name\":\"b\"}", "the member \"Name\" is unknown"},
        {"one is unknown and nasty", "{\"name\":\"a\",\"uses\":1,\"\\u001b[2J\":1}", "the member \"?[2J\" is unknown"},
        {"an array", "[]", "the document must be an object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        SCOPED(json_drop) json_t *root = NULL;
        json_t *name, *uses, *share, *open, *more, *list, *any;
        const struct json_member table[] = {
            {"name", MEMBER_TEXT, MEMBER_REQUIRED, &name},     {"uses", MEMBER_INTEGER, MEMBER_REQUIRED, &uses},
            {"share", MEMBER_NUMBER, MEMBER_OPTIONAL, &share}, {"open", MEMBER_TRUTH, MEMBER_OPTIONAL, &open},
            {"more", MEMBER_OBJECT, MEMBER_OPTIONAL, &more},   {"list", MEMBER_ARRAY, MEMBER_OPTIONAL, &list},
            {"any", MEMBER_ANY, MEMBER_OPTIONAL, &any},
        };
        char why[WHY_TEXT] = "";
        assert_ptr_equal(json_parse(bytes_of_text(rows[i].text), 1000, &root, why), OK);
        err e = json_members(root, table, sizeof table / sizeof table[0], why);
        if (rows[i].why ? !e || strcmp(why, rows[i].why) != 0 : e != OK)
            fail_msg("%s: %s; %s", rows[i].rule, err_text(e), why);
        if (!e)
            assert_true(bytes_is(json_text(name), "a") && json_integer_value(uses) == 1);
    }
}

static void bounds(void **state)
{
    SCOPED(json_drop) json_t *root = NULL;
    char why[WHY_TEXT];
    int64_t number;
    assert_ptr_equal(json_parse(BYTES("{\"n\":5,\"t\":\"abc\"}"), 100, &root, why), OK);
    const json_t *n = json_object_get(root, "n"), *t = json_object_get(root, "t");
    assert_ptr_equal(json_integer_within(n, "n", (struct json_bounds){5, 5}, &number, why), OK);
    assert_int_equal(number, 5);
    assert_non_null(json_integer_within(n, "n", (struct json_bounds){6, 9}, &number, why));
    assert_string_equal(why, "the member \"n\" must be an integer from 6 to 9");
    assert_non_null(json_integer_within(n, "n", (struct json_bounds){1, 4}, &number, why));
    assert_non_null(json_integer_within(t, "t", (struct json_bounds){0, 4}, &number, why));
    assert_true(bytes_is(json_text(t), "abc"));
    assert_int_equal(json_text(n).len, 0);
    assert_int_equal(json_text(NULL).len, 0);
}

static void reasons_are_safe_to_show(void **state)
{
    char why[WHY_TEXT];
    why_say(why, "a %s b", "\xC3\xA9\x1B[2J\xFF\n\x7F\xC2\x85z");
    assert_string_equal(why, "a \xC3\xA9?[2J?????z b");
}

static void reasons_are_cut(void **state)
{
    char why[WHY_TEXT];
    char longer[2 * WHY_TEXT];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    why_say(why, "%s", longer);
    assert_int_equal(strlen(why), WHY_TEXT - 1);
    /* A character that is cut in two is none any more. */
    memcpy(longer + WHY_TEXT - 2, "\xC3\xA9", 2);
    why_say(why, "%s", longer);
    assert_int_equal(strlen(why), WHY_TEXT - 1);
    assert_int_equal(why[WHY_TEXT - 2], '?');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents),           cmocka_unit_test(reasons_quote_nothing),
        cmocka_unit_test(the_size_is_bounded), cmocka_unit_test(members),
        cmocka_unit_test(bounds),              cmocka_unit_test(reasons_are_safe_to_show),
        cmocka_unit_test(reasons_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
