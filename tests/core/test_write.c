/* Writes and messages own what they carry: the originals are overwritten, and the copies still say it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/message.h"
#include "core/write.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define ID_64 "0123456789012345678901234567890123456789012345678901234567890123"

static void samples_are_copied(void **state)
{
    char metric[] = "cpu.load", unit[] = "%", text[] = "on";
    struct sample rows[] = {
        {.metric = bytes_of_text(metric), .unit = bytes_of_text(unit), .time_us = 1, .kind = SAMPLE_NUMBER, .value.number = 0.5},
        {.metric = bytes_of_text(metric), .time_us = 2, .kind = SAMPLE_TEXT, .value.text = bytes_of_text(text)},
        {.metric = bytes_of_text(metric), .time_us = 3, .kind = SAMPLE_TRUTH, .value.truth = true},
        {.metric = bytes_of_text(metric), .time_us = 4, .kind = SAMPLE_INTEGER, .value.integer = INT64_MIN},
    };
    struct write *w = write_samples("pump-1", (struct samples){rows, 4}, 99);
    memset(metric, 'x', sizeof metric);
    memset(unit, 'x', sizeof unit);
    memset(text, 'x', sizeof text);
    memset(rows, 0xff, sizeof rows);
    const struct sample *s = w->as.samples.samples.at;
    assert_int_equal(w->kind, WRITE_SAMPLES);
    assert_int_equal(w->now_us, 99);
    assert_string_equal(w->as.samples.device, "pump-1");
    assert_int_equal(w->as.samples.samples.count, 4);
    assert_true(bytes_is(s[0].metric, "cpu.load") && bytes_is(s[0].unit, "%") && s[0].value.number == 0.5);
    assert_true(bytes_is(s[1].metric, "cpu.load") && bytes_is(s[1].value.text, "on") && !s[1].unit.len);
    assert_true(s[2].value.truth && s[3].value.integer == INT64_MIN && s[3].time_us == 4);
    write_drop(w);
    w = write_samples("pump-1", (struct samples){NULL, 0}, 1);
    assert_int_equal(w->as.samples.samples.count, 0);
    write_drop(w);
}

static void events_and_documents_are_copied(void **state)
{
    char detail[] = "{\"a\":1}", json[] = "[1]";
    struct event event = {.time_us = 7, .kind = EVENT_DEVICE_EVENT, .device = "pump-1", .detail = bytes_of_text(detail)};
    struct write *e = write_event(&event), *d = write_document("pump-1", BYTES("inventory"), bytes_of_text(json), 8);
    memset(detail, 'x', sizeof detail);
    memset(json, 'x', sizeof json);
    assert_true(bytes_is(e->as.event.detail, "{\"a\":1}"));
    assert_int_equal(e->now_us, 7);
    assert_string_equal(e->as.event.device, "pump-1");
    assert_true(bytes_is(d->as.document.json, "[1]"));
    assert_string_equal(d->as.document.name, "inventory");
    write_drop(e);
    write_drop(d);
    struct write from = {.kind = WRITE_DEVICE_DELETE, .as.device = "pump-1"};
    struct write *p = write_plain(&from);
    assert_memory_equal(p, &from, sizeof from);
    write_drop(p);
    write_drop(NULL);
}

/* An id that does not fit its field makes no write at all. */
static void what_does_not_fit_is_refused(void **state)
{
    char name[METRIC_MAX + 2];
    memset(name, 'n', sizeof name);
    struct write *longest = write_document(ID_64, bytes_of(name, METRIC_MAX), BYTES("1"), 0);
    assert_non_null(longest);
    write_drop(longest);
    assert_null(write_samples(ID_64 "4", (struct samples){NULL, 0}, 0));
    assert_null(write_document(ID_64 "4", BYTES("a"), BYTES("1"), 0));
    assert_null(write_document("a", bytes_of(name, METRIC_MAX + 1), BYTES("1"), 0));
    for (unsigned long n = 1; n <= 4; n++) {
        mem_trial(1);
        assert_null(n == 1   ? write_samples("a", (struct samples){NULL, 0}, 0)
                    : n == 2 ? write_event(&(struct event){.time_us = 1})
                    : n == 3 ? write_document("a", BYTES("b"), BYTES("1"), 0)
                             : write_plain(&(struct write){.kind = WRITE_EXPIRE}));
        mem_trial(0);
    }
}

static void messages_are_counted(void **state)
{
    char topic[] = "a/b", payload[] = "21.5", properties[] = "p";
    struct message_parts parts = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload),
                                  .properties = bytes_of_text(properties), .qos = 1, .number = 5, .source = 6};
    struct message *m = message_make(&parts);
    memset(topic, 'x', sizeof topic);
    memset(payload, 'x', sizeof payload);
    memset(properties, 'x', sizeof properties);
    assert_ptr_equal(message_share(m), m);
    assert_ptr_equal(message_share(m), m);
    message_drop(m);
    message_drop(m);
    assert_true(bytes_is(m->topic, "a/b") && bytes_is(m->payload, "21.5") && bytes_is(m->properties, "p"));
    assert_true(m->qos == 1 && m->number == 5 && m->source == 6);
    message_drop(m); /* the third and last */
    message_drop(NULL);
    mem_trial(1);
    assert_null(message_make(&parts));
    mem_trial(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_are_copied),
        cmocka_unit_test(events_and_documents_are_copied),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(messages_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
