/* The stream of events: its filter, its backlog, and that nothing comes twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct opened {
    err failed;
    struct api_stream stream;
    struct answer answer;
};

static struct opened open_stream(const char *query, const char *last_id)
{
    struct opened o = {.failed = OK};
    const struct call_header headers[] = {{BYTES("last-event-id"), bytes_of_text(last_id)}};
    struct call call = {.path = BYTES("/api/v1/events/stream"),
                        .query = bytes_of_text(query),
                        .headers = headers,
                        .header_count = last_id ? 1 : 0};
    answer_open(&o.answer);
    o.failed = api_stream_open(&call, &o.stream, &o.answer);
    return o;
}

static size_t count(struct buffer *text, const char *part)
{
    size_t hits = 0;
    for (const char *at = buffer_text(text); (at = strstr(at, part)) != NULL; at++)
        hits++;
    return hits;
}

static void backlogs(void **state)
{
    static const struct {
        const char *rule, *query, *last_id;
        size_t events;
        int64_t after_id;
    } rows[] = {
        {"without an id there is none", "", NULL, 0, 0},
        {"from the beginning", "", "0", 30, 30},
        {"from an id on", "", "27", 3, 30},
        {"of a device", "device=pump-1", "20", 5, 29},
        {"of a kind", "kind=payload.refused", "0", 10, 30},
        {"of a severity", "severity=warning", "28", 1, 30},
        {"nothing was missed", "", "30", 0, 30},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ports ports;
        ports_open(&ports);
        struct opened o = open_stream(rows[i].query, rows[i].last_id);
        assert_null(o.failed);
        assert_string_equal(o.answer.content_type, "text/event-stream");
        assert_null(api_stream_backlog(&ports.api, &o.stream, &o.answer.body));
        if (count(&o.answer.body, "\ndata: {") != rows[i].events || o.stream.after_id != rows[i].after_id ||
            o.stream.behind)
            fail_msg("%s: %s", rows[i].rule, buffer_text(&o.answer.body));
        answer_drop(&o.answer);
    }
}

static void bad_streams(void **state)
{
    static const struct {
        const char *query, *last_id, *holds;
    } rows[] = {
        {"device=..", NULL, "'device'"}, {"kind=x", NULL, "'kind'"},  {"limit=3", NULL, "'limit' is not known"},
        {"", "x", "Last-Event-ID"},      {"", "-1", "Last-Event-ID"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct opened o = open_stream(rows[i].query, rows[i].last_id);
        assert_non_null(o.failed);
        assert_int_equal(o.answer.status, 400);
        assert_true(holds(&o.answer.body, rows[i].holds));
        answer_drop(&o.answer);
    }
}

static void one_event(void **state)
{
    struct opened o = open_stream("device=pump-1", "6");
    struct event event = port_event(7);
    api_stream_event(&o.stream, &event, &o.answer.body);
    assert_string_equal(buffer_text(&o.answer.body),
                        "id: 7\nevent: device.connected\ndata: {\"id\":7,\"time\":\"2025-12-31T23:59:37.000Z\","
                        "\"kind\":\"device.connected\",\"severity\":\"info\",\"device\":\"pump-1\","
                        "\"detail\":{\"reason\":\"why\"}}\n\n");
    buffer_clear(&o.answer.body);
    api_stream_event(&o.stream, &event, &o.answer.body); /* came twice */
    event = port_event(8);
    api_stream_event(&o.stream, &event, &o.answer.body); /* of another device */
    assert_int_equal(o.answer.body.len, 0);
    answer_drop(&o.answer);
}

/* A store with more events than one backlog holds: the stream says that it is behind, and goes on where it stopped. */
static err endless(struct store_reader *self, const struct event_query *q, struct event_rows *rows)
{
    struct event e = {.kind = EVENT_SERVER_STARTED};
    for (size_t i = 1; i <= q->limit; i++) {
        e.id = q->after_id + (int64_t)i;
        if (!rows->row(rows, &e))
            break;
    }
    return OK;
}

/* The same with the largest events: what is appended fits into an answer, or no listener would ever come further. */
static err endless_and_large(struct store_reader *self, const struct event_query *q, struct event_rows *rows)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    put_format(&detail, "{\"why\":\"%0*d\"}", DETAIL_MAX - 10, 0);
    struct event e = {.kind = EVENT_DEVICE_EVENT, .detail = buffer_view(&detail)};
    assert_int_equal(detail.len, DETAIL_MAX);
    for (size_t i = 1; i <= q->limit; i++) {
        e.id = q->after_id + (int64_t)i;
        if (!rows->row(rows, &e))
            break;
    }
    return OK;
}

static void far_behind(void **state)
{
    struct ports ports;
    ports_open(&ports);
    ports.reader.list_events = endless_and_large;
    struct opened o = open_stream("", "5");
    assert_null(api_stream_backlog(&ports.api, &o.stream, &o.answer.body));
    assert_true(o.stream.behind);
    assert_int_equal(count(&o.answer.body, "\ndata: {"), o.stream.after_id - 5);
    answer_drop(&o.answer);
}

static void behind(void **state)
{
    struct ports ports;
    ports_open(&ports);
    ports.reader.list_events = endless;
    struct opened o = open_stream("", "5");
    assert_null(api_stream_backlog(&ports.api, &o.stream, &o.answer.body));
    assert_true(o.stream.behind);
    assert_int_equal(o.stream.after_id, STREAM_BACKLOG_MAX + 5);
    answer_drop(&o.answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(backlogs), cmocka_unit_test(bad_streams),
                                       cmocka_unit_test(one_event), cmocka_unit_test(behind),
                                       cmocka_unit_test(far_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
