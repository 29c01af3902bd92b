/* Server-Sent Events, cut anywhere, come out whole. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/event_stream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

struct listener {
    struct event_stream stream;
    struct buffer heard; /* "kind=data;" */
};

static void hear(struct event_stream *self, const struct stream_event *event)
{
    struct listener *l = (struct listener *)self;
    put_bytes(&l->heard, event->kind);
    put_text(&l->heard, "=");
    put_bytes(&l->heard, event->data);
    put_text(&l->heard, ";");
}

static const struct {
    const char *rule;
    const char *in, *heard, *last_id;
} rows[] = {
    {"an event ends with an empty line", "data: a\n\n", "=a;", ""},
    {"an unfinished event is not heard", "data: a\n", "", ""},
    {"the kind and the id", "id: 7\nevent: x\ndata: a\n\n", "x=a;", "7"},
    {"the kind belongs to one event", "event: x\ndata: a\n\ndata: b\n\n", "x=a;=b;", ""},
    {"the id stays", "id: 7\ndata: a\n\ndata: b\n\n", "=a;=b;", "7"},
    {"the id of an unfinished event does not count", "id: 7\ndata: a\n\nid: 8\ndata: b\n", "=a;", "7"},
    {"an id alone counts", "id: 9\n\n", "", "9"},
    {"lines of data are joined", "data: a\ndata: b\n\n", "=a\nb;", ""},
    {"one blank behind the colon goes", "data:  a\n\n", "= a;", ""},
    {"no blank is needed", "data:a\n\n", "=a;", ""},
    {"comments are skipped", ": warm\n\ndata: a\n\n", "=a;", ""},
    {"unknown fields are skipped", "retry: 5\nfoo: 1\nbar\ndata: a\n\n", "=a;", ""},
    {"a carriage return ends a line", "data: a\r\rdata: b\r\r", "=a;=b;", ""},
    {"both together end one line", "data: a\r\n\r\ndata: b\r\n\r\n", "=a;=b;", ""},
    {"an empty data line is data", "data\n\ndata: b\n\n", "=;=b;", ""},
};

static void check(size_t row, size_t step)
{
    struct listener l = {.heard = {.max = 4096}};
    event_stream_open(&l.stream, hear);
    for (size_t at = 0, len = strlen(rows[row].in); at < len; at += step)
        assert_null(event_stream_take(&l.stream, bytes_first(bytes_of_text(rows[row].in + at), step)));
    if (strcmp(buffer_text(&l.heard), rows[row].heard) || strcmp(l.stream.last_id, rows[row].last_id))
        fail_msg("%s (in pieces of %zu): heard %s, id %s", rows[row].rule, step, buffer_text(&l.heard),
                 l.stream.last_id);
    buffer_drop(&l.heard);
    event_stream_close(&l.stream);
}

static void pieces(void **state)
{
    for (size_t row = 0; row < sizeof rows / sizeof rows[0]; row++)
        for (size_t step = 1; step < 20; step++)
            check(row, step);
}

static void bounds(void **state)
{
    struct listener l = {.heard = {.max = 4096}};
    event_stream_open(&l.stream, hear);
    err e = OK;
    for (size_t i = 0; i <= EVENT_STREAM_LINE_MAX && !e; i++)
        e = event_stream_take(&l.stream, BYTES("x"));
    assert_true(err_is(e, ERR_TOO_LARGE));
    event_stream_restart(&l.stream);
    assert_null(event_stream_take(&l.stream, BYTES("data: a\n\n")));
    assert_string_equal(buffer_text(&l.heard), "=a;");
    buffer_drop(&l.heard);
    event_stream_close(&l.stream);
}

static void restart(void **state)
{
    struct listener l = {.heard = {.max = 4096}};
    event_stream_open(&l.stream, hear);
    assert_null(event_stream_take(&l.stream, BYTES("id: 3\ndata: a\n\nid: 4\ndata: cut")));
    event_stream_restart(&l.stream);
    assert_string_equal(l.stream.last_id, "3");
    assert_null(event_stream_take(&l.stream, BYTES("data: b\n\n")));
    assert_string_equal(buffer_text(&l.heard), "=a;=b;");
    assert_string_equal(l.stream.last_id, "3");
    buffer_drop(&l.heard);
    event_stream_close(&l.stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(pieces), cmocka_unit_test(bounds), cmocka_unit_test(restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
