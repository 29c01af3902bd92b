/* The built-in policy, row by row: who, what, where; and every trick with prefixes and wildcards that we know. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy.h"

#include "base/buffer.h"
#include "core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ROWS(rows) (sizeof rows / sizeof *rows)

static const struct principal nobody = {PRINCIPAL_NOBODY, ""}, pump = {PRINCIPAL_DEVICE, "pump-1"},
                              ada = {PRINCIPAL_OPERATOR, "ada"}, pump_person = {PRINCIPAL_OPERATOR, "pump-1"},
                              anonymous = {PRINCIPAL_ANONYMOUS, ""}, bridge = {PRINCIPAL_DEVICE, "bridge-2"};

static err judge(const struct principal *who, enum verb verb, const char *resource, enum audience audience)
{
    const struct rule *rule = policy_built_in();
    struct request r = {.verb = verb, .who = who, .resource = bytes_of_text(resource), .audience = audience};
    return rule->allows(rule, &r);
}

static void topics_and_filters(void **state)
{
    static const struct {
        const struct principal *who;
        const char *resource;
        bool publish, watch;
    } rows[] = {
        {&pump, "devices/pump-1/telemetry", true, true},
        {&pump, "devices/pump-1/telemetry/boiler/2", true, true},
        {&pump, "devices/pump-1/anything", true, true},
        {&pump, "devices/pump-1//", true, true},
        {&pump, "devices/pump-2/telemetry", false, false},
        {&pump, "devices/pump-10/telemetry", false, false},
        {&pump, "devices/pump-/telemetry", false, false},
        {&pump, "devices/PUMP-1/telemetry", false, false},
        {&pump, "devices/pump-1", false, false},
        {&pump, "devices/pump-1/", false, false},
        {&pump, "devices//pump-1/telemetry", false, false},
        {&pump, "/devices/pump-1/telemetry", false, false},
        {&pump, "devices/pump-2/../pump-1/telemetry", false, false},
        {&pump, "devices/ pump-1/telemetry", false, false},
        {&pump, "devices/", false, false},
        {&pump, "devices", false, false},
        {&pump, "a", false, false},
        {&pump, "$SYS/uptime", false, false},
        {&pump, "$holdfast/events/info/device.enrolled/pump-1", false, false},
        {&nobody, "devices/pump-1/telemetry", false, false},
        {&nobody, "devices//telemetry", false, false}, /* nobody's id is empty, and so is the level */
        {&ada, "devices/pump-1/telemetry", false, true},
        {&ada, "devices/", false, true},
        {&ada, "devices", false, true},
        {&ada, "$holdfast/events/info/device.enrolled/pump-1", false, true},
        {&ada, "$holdfast/other", false, false},
        {&ada, "$SYS/uptime", false, false},
        {&ada, "other/pump-1/telemetry", false, true},
        {&pump_person, "devices/pump-1/telemetry", false, true}, /* a name is not a device */
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        err publish = judge(rows[i].who, VERB_PUBLISH, rows[i].resource, 0);
        err watch = judge(rows[i].who, VERB_WATCH, rows[i].resource, 0);
        if (!publish != rows[i].publish || !watch != rows[i].watch || (publish && !err_is(publish, ERR_REFUSED)) ||
            (watch && !err_is(watch, ERR_REFUSED)))
            fail_msg("\"%s\" by \"%s\"", rows[i].resource, rows[i].who->id);
    }
}

static void filters_with_wildcards(void **state)
{
    static const struct {
        const struct principal *who;
        const char *filter;
        bool allowed;
    } rows[] = {
        {&pump, "devices/pump-1/#", true},
        {&pump, "devices/pump-1/+", true},
        {&pump, "devices/pump-1/+/#", true},
        {&pump, "devices/pump-1/telemetry/+", true},
        {&pump, "#", false},
        {&pump, "+/#", false},
        {&pump, "devices/#", false},
        {&pump, "devices/+", false},
        {&pump, "devices/+/telemetry", false},
        {&pump, "devices/+/#", false},
        {&pump, "+/pump-1/telemetry", false},
        {&pump, "+/+/telemetry", false},
        {&pump, "/+/pump-1/#", false},
        {&ada, "devices/#", true},
        {&ada, "devices/+/telemetry/#", true},
        {&ada, "#", true},
        {&ada, "+/pump-1/#", true},
        {&ada, "$SYS/#", false},
        {&ada, "$holdfast/events/#", true},
        {&ada, "$holdfast/#", false},
        {&ada, "$holdfast/+/info/#", false},
        {&nobody, "#", false},
        {&nobody, "devices/#", false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        assert_null(topic_check_filter(bytes_of_text(rows[i].filter)));
        if (!judge(rows[i].who, VERB_WATCH, rows[i].filter, 0) != rows[i].allowed)
            fail_msg("\"%s\" by \"%s\"", rows[i].filter, rows[i].who->id);
    }
}

/* What a device may watch, over filters made of every level there is: it never reaches another device's topic. */
static void no_allowed_filter_reaches_further(void **state)
{
    static const char *const levels[] = {"devices", "pump-1", "pump-10", "telemetry", "+", "#", ""};
    static const char *const foreign[] = {"devices/pump-10/telemetry", "devices/pump-10/pump-1", "devices//pump-1",
                                          "pump-1/devices/telemetry", "devices/telemetry/pump-1", "devices/devices/pump-1"};
    unsigned allowed = 0;
    for (unsigned n = 0; n < 7 * 7 * 7 * 7; n++) {
        SCOPED(buffer_drop) struct buffer filter = {.max = 128};
        for (unsigned rest = n, i = 0; i < 4; i++, rest /= 7)
            put_format(&filter, "%s%s", i ? "/" : "", levels[rest % 7]);
        const char *text = buffer_text(&filter);
        if (topic_check_filter(buffer_view(&filter)) || judge(&pump, VERB_WATCH, text, 0))
            continue;
        allowed++;
        for (size_t i = 0; i < ROWS(foreign); i++)
            if (topic_matches(buffer_view(&filter), bytes_of_text(foreign[i])))
                fail_msg("\"%s\" reaches \"%s\"", text, foreign[i]);
    }
    assert_true(allowed > 20);
}

/* What the settings add: one row each, and not a topic more. */
static void what_the_settings_open(void **state)
{
    struct policy open;
    policy_open(&open, POLICY_ANONYMOUS, "bridge-1 bridge-2");
    static const struct {
        const struct principal *who;
        const char *resource;
        bool publish, watch;
    } rows[] = {
        {&anonymous, "a", true, true},
        {&anonymous, "/a/b", true, true},
        {&anonymous, "device/pump-1", true, true},
        {&anonymous, "devices", true, true}, /* no device's: it has no level below */
        {&anonymous, "devices/", false, false},
        {&anonymous, "devices/pump-1/telemetry", false, false},
        {&anonymous, "devices/#", false, false},
        {&anonymous, "devices//telemetry", false, false},
        {&anonymous, "$holdfast/events/info/x/-", false, false},
        {&anonymous, "$SYS/uptime", true, true},
        {&bridge, "plant/line-4", true, true},
        {&bridge, "devices/bridge-2/telemetry", true, true},
        {&bridge, "devices/pump-1/telemetry", false, true},
        {&bridge, "devices/#", false, true},
        {&bridge, "$holdfast/events/#", false, false},
        {&bridge, "$SYS/uptime", true, false},
        {&pump, "plant/line-4", false, false},
        {&nobody, "a", false, false},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct request r = {.verb = VERB_PUBLISH, .who = rows[i].who, .resource = bytes_of_text(rows[i].resource)};
        bool publish = !open.rule.allows(&open.rule, &r);
        r.verb = VERB_WATCH;
        bool watch = !open.rule.allows(&open.rule, &r);
        bool strict = !judge(rows[i].who, VERB_PUBLISH, rows[i].resource, 0) && rows[i].who == &anonymous;
        if (publish != rows[i].publish || watch != rows[i].watch || strict)
            fail_msg("\"%s\" by \"%s\"", rows[i].resource, rows[i].who->id);
    }
    struct request hello = {.verb = VERB_HELLO, .who = &anonymous};
    assert_null(open.rule.allows(&open.rule, &hello));
    struct request call = {.verb = VERB_CALL, .who = &anonymous, .audience = AUDIENCE_MEMBER};
    assert_null(open.rule.allows(&open.rule, &call));
    call.audience = AUDIENCE_OPERATOR;
    assert_non_null(open.rule.allows(&open.rule, &call));
}

static void sessions_and_calls(void **state)
{
    static const struct principal *const who[] = {&nobody, &pump, &ada, &anonymous};
    static const bool may_hello[] = {false, true, true, false};
    static const bool may_call[4][5] = {
        /* NOBODY, ANYBODY, DEVICE, OPERATOR, MEMBER */
        {false, true, false, false, false},
        {false, true, true, false, true},
        {false, true, false, true, true},
        {false, true, false, false, false},
    };
    for (size_t i = 0; i < ROWS(who); i++) {
        assert_int_equal(!judge(who[i], VERB_HELLO, "client", 0), may_hello[i]);
        assert_true(err_is(judge(who[i], VERB_BYE, "client", 0), ERR_REFUSED)); /* never asked: the flow lets BYE pass */
        for (unsigned audience = AUDIENCE_NOBODY; audience <= AUDIENCE_MEMBER; audience++)
            assert_int_equal(!judge(who[i], VERB_CALL, "/api/v1/devices", (enum audience)audience), may_call[i][audience]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_and_filters),
        cmocka_unit_test(filters_with_wildcards),
        cmocka_unit_test(no_allowed_filter_reaches_further),
        cmocka_unit_test(what_the_settings_open),
        cmocka_unit_test(sessions_and_calls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
