/* The table of event kinds: complete, its texts one of a kind and fit for topics and filters. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void every_kind_has_its_row(void **state)
{
    for (unsigned kind = 0; kind < EVENT_KINDS; kind++) {
        const char *text = event_kind_text((enum event_kind)kind), *sentence = event_kind_sentence((enum event_kind)kind);
        enum event_kind found;
        assert_null(event_kind_from(bytes_of_text(text), &found));
        assert_int_equal(found, kind); /* no second row of that text stands before it */
        assert_true(strspn(text, "abcdefghijklmnopqrstuvwxyz-.") == strlen(text) && strchr(text, '.'));
        assert_true(strlen(sentence) > 10 && sentence[strlen(sentence) - 1] == '.');
        assert_true(event_kind_severity((enum event_kind)kind) <= SEVERITY_ERROR);
    }
}

static void unknown_kinds_and_severities(void **state)
{
    enum event_kind kind = EVENT_DEVICE_EVENT;
    enum severity severity = SEVERITY_ERROR;
    static const char *const none[] = {"", "device", "device.", "DEVICE.ENROLLED", "device.enrolled "};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_true(err_is(event_kind_from(bytes_of_text(none[i]), &kind), ERR_ABSENT));
        assert_true(err_is(severity_from(bytes_of_text(none[i]), &severity), ERR_ABSENT));
    }
    assert_int_equal(kind, EVENT_DEVICE_EVENT);
    for (unsigned s = SEVERITY_INFO; s <= SEVERITY_ERROR; s++) {
        assert_null(severity_from(bytes_of_text(severity_text((enum severity)s)), &severity));
        assert_int_equal(severity, s);
    }
    assert_int_equal(event_kind_severity(EVENT_STORE_FULL), SEVERITY_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_kind_has_its_row),
                                       cmocka_unit_test(unknown_kinds_and_severities)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
