/* The mapping: rules that are none, what a rule makes of a topic, what would come back, what is subscribed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/mapping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { RULES = 3 };

/* ---- One topic through the rules */

struct crossing_row {
    const char *rule; /* what the row shows */
    struct mapping rules[RULES];
    enum mapping_side from;
    const char *topic, *expected; /* NULL: not taken */
    uint8_t qos;
};

static const struct crossing_row crossings[] = {
    {"out: the prefix of the other side stands in the place of ours",
     {{MAPPING_OUT, 1, "#", "plant/", "site-1/"}},
     MAPPING_LOCAL,
     "plant/pump/rpm",
     "site-1/pump/rpm",
     1},
    {"out takes nothing from the remote side",
     {{MAPPING_OUT, 1, "#", "plant/", "site-1/"}},
     MAPPING_REMOTE,
     "site-1/a",
     NULL,
     0},
    {"in: the other way round",
     {{MAPPING_IN, 1, "orders/#", "", "site-1/"}},
     MAPPING_REMOTE,
     "site-1/orders/7",
     "orders/7",
     1},
    {"in takes nothing from the local side",
     {{MAPPING_IN, 1, "orders/#", "", "site-1/"}},
     MAPPING_LOCAL,
     "orders/7",
     NULL,
     0},
    {"both goes out", {{MAPPING_BOTH, 1, "x/#", "l/", "r/"}}, MAPPING_LOCAL, "l/x/1", "r/x/1", 1},
    {"both comes in", {{MAPPING_BOTH, 1, "x/#", "l/", "r/"}}, MAPPING_REMOTE, "r/x/1", "l/x/1", 1},
    {"no prefix: the same name", {{MAPPING_OUT, 1, "a/+", "", ""}}, MAPPING_LOCAL, "a/b", "a/b", 1},
    {"a prefix on our side only is taken off",
     {{MAPPING_OUT, 1, "t/#", "devices/", ""}},
     MAPPING_LOCAL,
     "devices/t/x",
     "t/x",
     1},
    {"the filter decides, not the prefix", {{MAPPING_OUT, 1, "t/+", "p/", ""}}, MAPPING_LOCAL, "p/t/x/y", NULL, 0},
    {"+ is one level", {{MAPPING_OUT, 1, "+/rpm", "p/", "q/"}}, MAPPING_LOCAL, "p/pump/rpm", "q/pump/rpm", 1},
    {"without a filter one topic becomes another",
     {{MAPPING_OUT, 1, "", "a/b", "c/d"}},
     MAPPING_LOCAL,
     "a/b",
     "c/d",
     1},
    {"and no topic below it", {{MAPPING_OUT, 1, "", "a/b", "c/d"}}, MAPPING_LOCAL, "a/b/c", NULL, 0},
    {"# also matches the level above it, which lacks the prefix: not taken",
     {{MAPPING_OUT, 1, "#", "a/", "b/"}},
     MAPPING_LOCAL,
     "a",
     NULL,
     0},
    {"the same level above, with the filter holding it, crosses",
     {{MAPPING_OUT, 1, "a/#", "", "b/"}},
     MAPPING_LOCAL,
     "a",
     "b/a",
     1},
    {"the first rule that takes it decides",
     {{MAPPING_OUT, 0, "a/+", "", "one/"}, {MAPPING_OUT, 1, "a/#", "", "two/"}},
     MAPPING_LOCAL,
     "a/b",
     "one/a/b",
     0},
    {"what the first leaves the second takes",
     {{MAPPING_OUT, 0, "a/+", "", "one/"}, {MAPPING_OUT, 1, "a/#", "", "two/"}},
     MAPPING_LOCAL,
     "a/b/c",
     "two/a/b/c",
     1},
    {"a prefix need not end with a level", {{MAPPING_OUT, 1, "#", "", "$aws/"}}, MAPPING_LOCAL, "x", "$aws/x", 1},
    {"topics that begin with $ are no wildcard's",
     {{MAPPING_IN, 1, "#", "", ""}},
     MAPPING_REMOTE,
     "$SYS/uptime",
     NULL,
     0},
    {"but their own filter's",
     {{MAPPING_IN, 1, "$SYS/#", "far/", ""}},
     MAPPING_REMOTE,
     "$SYS/uptime",
     "far/$SYS/uptime",
     1},
    {"a topic of nobody's", {{MAPPING_OUT, 1, "a/#", "", ""}}, MAPPING_LOCAL, "b", NULL, 0},
};

static size_t count_of(const struct mapping *rules)
{
    size_t count = 0;
    while (count < RULES && (rules[count].filter[0] || rules[count].local_prefix[0]))
        count++;
    return count;
}

static void test_crossings(void **state)
{
    for (size_t i = 0; i < sizeof crossings / sizeof *crossings; i++) {
        const struct crossing_row *row = &crossings[i];
        struct mappings m = {row->rules, count_of(row->rules)};
        struct crossing_topic out;
        err e = mappings_translate(&m, row->from, bytes_of_text(row->topic), &out);
        if (err_is(e, ERR_ABSENT) != !row->expected)
            fail_msg("%s: %s", row->rule, err_text(e));
        if (row->expected && (strcmp(out.topic, row->expected) || out.qos != row->qos))
            fail_msg("%s: %s at QoS %u", row->rule, out.topic, out.qos);
    }
}

static void test_a_topic_that_grows_too_long(void **state)
{
    struct mapping rule = {.direction = MAPPING_OUT, .qos = 1, .filter = "#"};
    struct mappings m = {&rule, 1};
    struct crossing_topic out;
    char topic[TOPIC_MAX];
    memset(topic, 'x', sizeof topic);
    memset(rule.remote_prefix, 'p', 10);
    assert_null(mappings_translate(&m, MAPPING_LOCAL, bytes_of(topic, TOPIC_MAX - 10), &out));
    assert_int_equal(out.len, TOPIC_MAX);
    assert_true(err_is(mappings_translate(&m, MAPPING_LOCAL, bytes_of(topic, TOPIC_MAX - 9), &out), ERR_TOO_LARGE));
    assert_true(err_is(mappings_translate(&m, MAPPING_LOCAL, BYTES(""), &out), ERR_ABSENT));
}

/* ---- Rules that are none */

static const struct {
    const char *rule;
    struct mapping rules[RULES];
    size_t wrong;
    const char *expected; /* NULL: acceptable */
} wrongs[] = {
    {"an ordinary rule", {{MAPPING_OUT, 1, "a/#", "l/", "r/"}}, 0, NULL},
    {"a wildcard in the local prefix", {{MAPPING_OUT, 1, "a", "+/", ""}}, 0, "local-prefix \"+/\" has a wildcard"},
    {"a wildcard in the remote prefix", {{MAPPING_OUT, 1, "a", "", "x/#"}}, 0, "remote-prefix \"x/#\" has a wildcard"},
    {"# that is not last", {{MAPPING_OUT, 1, "a/#/b", "", ""}}, 0, "# must be the whole last level"},
    {"# that is not a whole level", {{MAPPING_OUT, 1, "a#", "", ""}}, 0, "# must be the whole last level"},
    {"a prefix that makes + no whole level",
     {{MAPPING_IN, 1, "+/a", "x/", "y"}},
     0,
     "\"y+/a\" is no filter on the remote side"},
    {"no filter and one prefix", {{MAPPING_OUT, 1, "", "a", ""}}, 0, "filter is missing"},
    {"a shared subscription", {{MAPPING_IN, 1, "$share/g/a", "", ""}}, 0, "shared subscription"},
    {"the same twice",
     {{MAPPING_OUT, 1, "a", "", ""}, {MAPPING_OUT, 1, "a", "", "x/"}},
     1,
     "\"a\" on the local side is taken"},
    {"the same, once by both",
     {{MAPPING_BOTH, 1, "a", "", "x/"}, {MAPPING_IN, 1, "x/a", "", ""}},
     1,
     "\"x/a\" on the remote side is taken"},
    {"the same in different directions", {{MAPPING_OUT, 1, "a", "", ""}, {MAPPING_IN, 1, "a", "", ""}}, 0, NULL},
    {"the same filter below different prefixes",
     {{MAPPING_OUT, 1, "a", "x/", ""}, {MAPPING_OUT, 1, "a", "y/", ""}},
     0,
     NULL},
    {"the second of two is wrong",
     {{MAPPING_OUT, 1, "a", "", ""}, {MAPPING_OUT, 1, "b/+c", "", ""}},
     1,
     "+ must be a whole level"},
};

static void test_wrong_rules(void **state)
{
    for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
        struct mappings m = {wrongs[i].rules, count_of(wrongs[i].rules)};
        char why[WHY_TEXT] = "";
        size_t wrong = 99;
        err e = mappings_check(&m, &wrong, why);
        if (!e != !wrongs[i].expected || (e && (wrong != wrongs[i].wrong || !strstr(why, wrongs[i].expected))))
            fail_msg("%s: rule %zu: %s", wrongs[i].rule, wrong, why);
    }
}

/* ---- Filters that overlap, rules that echo */

static const struct {
    const char *a, *b;
    bool overlap;
} overlaps[] = {
    {"a", "a", true},           {"a", "b", false},      {"a/b", "a", false},       {"a/#", "a", true},
    {"a/#", "a/b/c", true},     {"#", "a/b", true},     {"+", "a", true},          {"+", "a/b", false},
    {"+/b", "a/+", true},       {"+/b", "a/c", false},  {"a/+/c", "a/b/+", true},  {"a/+/c", "a/b/d", false},
    {"a/+/#", "a", false},      {"a/+/#", "a/b", true}, {"#", "$SYS/x", false},    {"+/x", "$SYS/x", false},
    {"$SYS/#", "$SYS/x", true}, {"a/b/#", "a/+", true}, {"a/b/#", "+/c/#", false}, {"a//b", "a/+/b", true},
    {"a/#", "a/#", true},       {"x/#", "a/#", false},
};

static void test_overlaps(void **state)
{
    for (size_t i = 0; i < sizeof overlaps / sizeof *overlaps; i++) {
        struct bytes a = bytes_of_text(overlaps[i].a), b = bytes_of_text(overlaps[i].b);
        if (filters_overlap(a, b) != overlaps[i].overlap || filters_overlap(b, a) != overlaps[i].overlap)
            fail_msg("%s and %s", overlaps[i].a, overlaps[i].b);
    }
}

static const struct {
    const char *rule;
    struct mapping rules[RULES];
    bool echo;
} echoes[] = {
    {"both is its own echo", {{MAPPING_BOTH, 1, "a/#", "", ""}}, true},
    {"both with prefixes as well", {{MAPPING_BOTH, 1, "a/#", "l/", "r/"}}, true},
    {"out and in of one tree", {{MAPPING_OUT, 1, "a/#", "", ""}, {MAPPING_IN, 1, "a/+", "b/", ""}}, true},
    {"in before out", {{MAPPING_IN, 1, "#", "far/", ""}, {MAPPING_OUT, 1, "a/#", "", ""}}, true},
    {"kept apart by prefixes",
     {{MAPPING_OUT, 1, "#", "up/", "site/up/"}, {MAPPING_IN, 1, "#", "down/", "site/down/"}},
     false},
    {"out alone", {{MAPPING_OUT, 1, "#", "", ""}}, false},
    {"in alone", {{MAPPING_IN, 1, "#", "", ""}}, false},
    {"two ins that overlap", {{MAPPING_IN, 1, "#", "", ""}, {MAPPING_IN, 1, "a", "x/", ""}}, false},
};

static void test_echoes(void **state)
{
    for (size_t i = 0; i < sizeof echoes / sizeof *echoes; i++) {
        struct mappings m = {echoes[i].rules, count_of(echoes[i].rules)};
        char why[WHY_TEXT] = "";
        size_t wrong;
        err e = mappings_check_echo(&m, &wrong, why);
        if (err_is(e, ERR_REFUSED) != echoes[i].echo || (e && !strstr(why, "would come back")))
            fail_msg("%s: %s", echoes[i].rule, why);
    }
}

/* ---- What is subscribed */

static void test_filters(void **state)
{
    static const struct mapping rules[] = {
        {MAPPING_OUT, 1, "a/#", "l/", "r/"}, {MAPPING_IN, 0, "b", "", "r/"}, {MAPPING_BOTH, 1, "c", "l/", ""}};
    const struct mappings m = {rules, 3};
    static const char *const expected[][2] = {{"l/a/#", "l/c"}, {"r/b", "c"}};
    for (unsigned side = 0; side < 2; side++) {
        SCOPED(buffer_drop) struct buffer texts = {.max = 1000};
        struct mapping_filters out;
        assert_null(mappings_filters(&m, (enum mapping_side)side, &texts, &out));
        assert_int_equal(out.count, 2);
        for (size_t i = 0; i < 2; i++) {
            assert_true(bytes_is(out.at[i].filter, expected[side][i]));
            assert_true(out.at[i].no_local && out.at[i].retain_as_published && out.at[i].retain_handling == 1);
        }
        assert_int_equal(out.at[0].qos, side == MAPPING_LOCAL);
    }
    SCOPED(buffer_drop) struct buffer small = {.max = 3};
    struct mapping_filters out;
    assert_true(err_is(mappings_filters(&m, MAPPING_LOCAL, &small, &out), ERR_TOO_LARGE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_crossings),   cmocka_unit_test(test_a_topic_that_grows_too_long),
        cmocka_unit_test(test_wrong_rules), cmocka_unit_test(test_overlaps),
        cmocka_unit_test(test_echoes),      cmocka_unit_test(test_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
