/* Topic names and filters: every rule of MQTT 5.0, 4.7, and the examples that stand there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof rows / sizeof *rows)
#define LEVELS_8   "a/a/a/a/a/a/a/a/"

/* 0: good. */
static void names_and_filters(void **state)
{
    static const struct {
        const char *rule;
        struct bytes text;
        enum fault_kind name, filter;
    } rows[] = {
        {"4.7.1.1: levels", BYTES_ROW("sport/tennis/player1"), 0, 0},
        {"4.7.3: at least one character", BYTES_ROW(""), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.3: blanks are allowed", BYTES_ROW("Accounts payable"), 0, 0},
        {"4.7.3: only a separator", BYTES_ROW("/"), 0, 0},
        {"4.7.1.1: separators at the ends and beside each other", BYTES_ROW("//a//"), 0, 0},
        {"4.7.3: no U+0000", BYTES_ROW("a\0b"), ERR_MALFORMED, ERR_MALFORMED},
        {"1.5.4: UTF-8", BYTES_ROW("temp\xC3\xA9rature"), 0, 0},
        {"1.5.4: no other bytes", BYTES_ROW("temp\xE9rature"), ERR_MALFORMED, ERR_MALFORMED},
        {"1.5.4: no surrogates", BYTES_ROW("\xED\xA0\x80"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.2: # alone", BYTES_ROW("#"), ERR_MALFORMED, 0},
        {"4.7.1.2: # as the last level", BYTES_ROW("sport/tennis/#"), ERR_MALFORMED, 0},
        {"4.7.1.2: # not behind other characters", BYTES_ROW("sport/tennis#"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.2: # not before other characters", BYTES_ROW("sport/#tennis"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.2: # not before other levels", BYTES_ROW("sport/tennis/#/ranking"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.2: # not before an empty level", BYTES_ROW("#/"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.2: not two of them", BYTES_ROW("##"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.3: + alone", BYTES_ROW("+"), ERR_MALFORMED, 0},
        {"4.7.1.3: + with #", BYTES_ROW("+/tennis/#"), ERR_MALFORMED, 0},
        {"4.7.1.3: + inside", BYTES_ROW("sport/+/player1"), ERR_MALFORMED, 0},
        {"4.7.1.3: + at both ends", BYTES_ROW("+/a/+"), ERR_MALFORMED, 0},
        {"4.7.1.3: + not behind other characters", BYTES_ROW("sport+"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.3: + not before other characters", BYTES_ROW("a/+b/c"), ERR_MALFORMED, ERR_MALFORMED},
        {"4.7.1.3: not two of them", BYTES_ROW("a/++/c"), ERR_MALFORMED, ERR_MALFORMED},
        {"our own bound: 32 levels", BYTES_ROW(LEVELS_8 LEVELS_8 LEVELS_8 "a/a/a/a/a/a/a/a"), 0, 0},
        {"our own bound: not 33", BYTES_ROW(LEVELS_8 LEVELS_8 LEVELS_8 LEVELS_8), ERR_TOO_LARGE, ERR_TOO_LARGE},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        err name = topic_check_name(rows[i].text), filter = topic_check_filter(rows[i].text);
        if ((name ? name->kind : 0) != rows[i].name || (filter ? filter->kind : 0) != rows[i].filter)
            fail_msg("%s: %s; %s", rows[i].rule, err_text(name), err_text(filter));
    }
}

static void the_length_is_bounded(void **state)
{
    char text[TOPIC_MAX + 1];
    memset(text, 'x', sizeof text);
    assert_null(topic_check_name(bytes_of(text, TOPIC_MAX)));
    assert_null(topic_check_filter(bytes_of(text, TOPIC_MAX)));
    assert_true(err_is(topic_check_name(bytes_of(text, TOPIC_MAX + 1)), ERR_TOO_LARGE));
    assert_true(err_is(topic_check_filter(bytes_of(text, TOPIC_MAX + 1)), ERR_TOO_LARGE));
}

static void matching(void **state)
{
    static const struct {
        const char *filter, *name;
        bool matches;
    } rows[] = {
        {"a", "a", true},
        {"a/b/c", "a/b/c", true},
        {"a/b", "a/b/c", false},
        {"a/b/c", "a/b", false},
        {"ACCOUNTS", "Accounts", false}, /* 4.7.3: case matters */
        {"/finance", "finance", false},  /* 4.7.3: a leading separator is another topic */
        {"finance", "/finance", false},
        {"a/", "a", false},
        {"a", "a/", false},
        {"a/", "a/", true},
        {"ab", "a", false},
        {"a", "ab", false},
        /* 4.7.1.2 */
        {"sport/tennis/player1/#", "sport/tennis/player1", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/ranking", true},
        {"sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true},
        {"sport/tennis/player1/#", "sport/tennis/player10", false},
        {"sport/#", "sport", true},
        {"sport/#", "sport/", true},
        {"sport/#", "sports", false},
        {"#", "a", true},
        {"#", "/", true},
        {"#", "a/b/c", true},
        {"a/b/#", "a", false},
        /* 4.7.1.3 */
        {"sport/tennis/+", "sport/tennis/player1", true},
        {"sport/tennis/+", "sport/tennis/player2", true},
        {"sport/tennis/+", "sport/tennis/player1/ranking", false},
        {"sport/+", "sport", false},
        {"sport/+", "sport/", true},
        {"+/+", "/finance", true},
        {"/+", "/finance", true},
        {"+", "/finance", false},
        {"+", "finance", true},
        {"+/tennis/#", "sport/tennis", true},
        {"+/tennis/#", "/tennis/x", true},
        {"a/+/c", "a//c", true},
        {"a/+/c", "a/c", false},
        {"+/+/#", "a/b", true},
        {"+/+/#", "a", false},
        {"+/", "a/", true},
        {"+/", "a", false},
        /* 4.7.2 */
        {"#", "$SYS/", false},
        {"+/monitor/Clients", "$SYS/monitor/Clients", false},
        {"$SYS/#", "$SYS/", true},
        {"$SYS/#", "$SYS", true},
        {"$SYS/monitor/+", "$SYS/monitor/Clients", true},
        {"+", "$SYS", false},
        {"$SYS/+", "$SYS/$x", true},
        {"a/#", "a/$x", true}, /* a $ further down is a letter */
        {"a/+", "a/$x", true},
    };
    for (size_t i = 0; i < ROWS(rows); i++)
        if (topic_matches(bytes_of_text(rows[i].filter), bytes_of_text(rows[i].name)) != rows[i].matches)
            fail_msg("%s, %s", rows[i].filter, rows[i].name);
}

static void device_topics(void **state)
{
    static const struct {
        const char *name;
        const char *id, *rest; /* NULL: none of ours */
    } rows[] = {
        {"devices/pump-1/telemetry", "pump-1", "telemetry"},
        {"devices/pump-1/telemetry/boiler/2", "pump-1", "telemetry/boiler/2"},
        {"devices/pump-1//", "pump-1", "/"},
        {"devices/+/x", "+", "x"},
        {"devices/pump-1", NULL, NULL},
        {"devices/pump-1/", NULL, NULL},
        {"devices//telemetry", NULL, NULL},
        {"devices/", NULL, NULL},
        {"devices", NULL, NULL},
        {"device/pump-1/telemetry", NULL, NULL},
        {"/devices/pump-1/telemetry", NULL, NULL},
        {"Devices/pump-1/telemetry", NULL, NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct device_topic topic;
        bool ours = topic_is_device(bytes_of_text(rows[i].name), &topic);
        if (ours != (rows[i].id != NULL) ||
            (ours && (!bytes_is(topic.id, rows[i].id) || !bytes_is(topic.rest, rows[i].rest))))
            fail_msg("%s", rows[i].name);
    }
}

/* 4.8.2: the parts of a shared filter, and what is none. */
static void shares(void **state)
{
    static const struct {
        const char *filter;
        const char *name, *rest; /* NULL: malformed; name "": not shared */
    } rows[] = {
        {"$share/g/a/b", "g", "a/b"},
        {"$share/g/#", "g", "#"},
        {"$share/g//", "g", "/"},
        {"$share/a b/+", "a b", "+"},
        {"$share/$share/x", "$share", "x"},
        {"a/b", "", "a/b"},
        {"$shared/g/a", "", "$shared/g/a"}, /* another word */
        {"$SHARE/g/a", "", "$SHARE/g/a"},
        {"/$share/g/a", "", "/$share/g/a"},
        {"$share", NULL, NULL},
        {"$share/", NULL, NULL},
        {"$share/g", NULL, NULL},
        {"$share/g/", NULL, NULL},
        {"$share//a", NULL, NULL},
        {"$share/+/a", NULL, NULL},
        {"$share/#/a", NULL, NULL},
        {"$share/g+/a", NULL, NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct topic_share share;
        struct bytes filter = bytes_of_text(rows[i].filter);
        err failed = topic_share(filter, &share);
        if (!rows[i].name ? !err_is(failed, ERR_MALFORMED)
                          : failed || !bytes_is(share.name, rows[i].name) || !bytes_is(share.filter, rows[i].rest))
            fail_msg("%s: %s", rows[i].filter, err_text(failed));
        if (!rows[i].name != (topic_check_filter(filter) != OK))
            fail_msg("%s is checked otherwise", rows[i].filter);
    }
    assert_non_null(topic_check_filter(BYTES("$share/g/a+"))); /* and what stands behind the name */
    assert_non_null(topic_check_filter(BYTES("$share/g/a/#/b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_filters),
        cmocka_unit_test(the_length_is_bounded),
        cmocka_unit_test(matching),
        cmocka_unit_test(device_topics),
        cmocka_unit_test(shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
