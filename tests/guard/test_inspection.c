/* Inspection: which topic promises what, and which writes come of it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/inspection.h"

#include "base/buffer.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW_US INT64_C(1767225600000000)

static int64_t wall(const struct clock *self)
{
    return NOW_US;
}

static const struct clock the_clock = {wall, wall};
static const struct principal pump = {PRINCIPAL_DEVICE, "pump-1"}, ada = {PRINCIPAL_OPERATOR, "ada"};

/* One write as a line of words. */
static void say(struct buffer *out, const struct write *w)
{
    switch (w->kind) {
    case WRITE_SAMPLES:
        put_format(out, "%s:", w->as.samples.device);
        for (size_t i = 0; i < w->as.samples.samples.count; i++) {
            put_u8(out, ' ');
            put_bytes(out, w->as.samples.samples.at[i].metric);
        }
        break;
    case WRITE_EVENT:
        put_format(out, "%s %s %s ", event_kind_text(w->as.event.kind), severity_text(w->as.event.severity), w->as.event.device);
        put_bytes(out, w->as.event.detail);
        break;
    case WRITE_DOCUMENT:
        put_format(out, "%s %s ", w->as.document.device, w->as.document.name);
        put_bytes(out, w->as.document.json);
        break;
    case WRITE_PRESENCE:
        put_format(out, "%s %s", w->as.presence.device, w->as.presence.connected_us ? "comes" : "goes");
        break;
    case WRITE_ENROLMENT:
    case WRITE_RENEWAL:
    case WRITE_DEVICE_DELETE:
    case WRITE_TOKEN:
    case WRITE_TOKEN_DELETE:
    case WRITE_SETUP:
    case WRITE_OPERATOR:
    case WRITE_SESSION:
    case WRITE_SESSION_DELETE:
    case WRITE_CLIENT:
    case WRITE_CLIENT_DELETE:
    case WRITE_CLIENT_WATCH:
    case WRITE_CLIENT_UNWATCH:
    case WRITE_DELIVERIES:
    case WRITE_RELEASED:
    case WRITE_DELIVERED:
    case WRITE_RECEIVED:
    case WRITE_RECEIVED_DELETE:
    case WRITE_RETAINED:
    case WRITE_EXPIRE:
    case WRITE_KINDS:
        fail_msg("a write that inspection does not make: %d", (int)w->kind);
    }
    assert_true(w->now_us == NOW_US);
    put_u8(out, ';');
}

/* Inspects, says the writes, drops them. */
static err inspect(struct request *r, struct buffer *out)
{
    struct inspection inspection;
    inspection_open(&inspection, &the_clock);
    err refused = inspection.inspector.inspect(&inspection.inspector, r);
    for (const struct write *w = r->writes; w; w = w->next)
        say(out, w);
    write_drop(r->writes);
    r->writes = NULL;
    return refused;
}

static void publishes(void **state)
{
    static const struct {
        const char *topic, *payload;
        const char *writes; /* NULL: refused, with a reason */
    } rows[] = {
        {"devices/pump-1/telemetry", "{\"t\":1}", "pump-1: t;"},
        {"devices/pump-1/telemetry/", "{\"t\":1}", "pump-1: t;"},
        {"devices/pump-1/telemetry/boiler/2", "{\"t\":1,\"u\":2}", "pump-1: boiler.2.t boiler.2.u;"},
        {"devices/pump-1/telemetry", "[{\"n\":\"t\",\"v\":1}]", "pump-1: t;"},
        {"devices/pump-1/telemetry", "hello", NULL},
        {"devices/pump-1/telemetry", "", NULL},
        {"devices/pump-1/events", "{\"kind\":\"disk.low\",\"severity\":\"error\"}",
         "device.event error pump-1 {\"kind\":\"disk.low\",\"detail\":{}};"},
        {"devices/pump-1/events", "{}", NULL},
        {"devices/pump-1/events/disk", "{}", ""}, /* promises nothing: routed, not kept */
        {"devices/pump-1/twin/reported", "{\"agent\":{\"v\":1},\"inventory\":[]}",
         "pump-1 agent {\"v\":1};pump-1 inventory [];"},
        {"devices/pump-1/twin/reported", "{\"agent\":null}", NULL},
        {"devices/pump-1/twin/reported/x", "no JSON", ""},
        {"devices/pump-1/twin", "no JSON", ""},
        {"devices/pump-1/telemetryx", "no JSON", ""},
        {"devices/pump-1/x/telemetry", "no JSON", ""},
        {"anything/else", "no JSON", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer said = {.max = 4096};
        struct message_parts parts = {.topic = bytes_of_text(rows[i].topic), .payload = bytes_of_text(rows[i].payload)};
        struct message *m = message_make(&parts);
        struct request r;
        request_open(&r, VERB_PUBLISH, &pump, "p");
        r.resource = m->topic;
        r.message = m;
        err refused = inspect(&r, &said);
        if (rows[i].writes ? refused || !bytes_is(buffer_view(&said), rows[i].writes) : !refused || !r.why[0] || said.len)
            fail_msg("%s %s: %s; %s; %s", rows[i].topic, rows[i].payload, err_text(refused), r.why, buffer_text(&said));
        message_drop(m);
    }
}

static void sessions(void **state)
{
    static const struct {
        enum verb verb;
        const struct principal *who;
        size_t left;
        const char *writes;
    } rows[] = {
        {VERB_HELLO, &pump, 0,
         "pump-1 comes;device.connected info pump-1 {\"client\":\"c\\\"1\",\"peer\":\"192.0.2.7:1\"};"},
        {VERB_BYE, &pump, 0,
         "pump-1 goes;device.disconnected info pump-1 {\"client\":\"c\\\"1\",\"peer\":\"192.0.2.7:1\"};"},
        {VERB_BYE, &pump, 1, "device.disconnected info pump-1 {\"client\":\"c\\\"1\",\"peer\":\"192.0.2.7:1\"};"},
        {VERB_HELLO, &ada, 0, ""},
        {VERB_BYE, &ada, 0, ""},
        {VERB_WATCH, &pump, 0, ""},
        {VERB_CALL, &pump, 0, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        SCOPED(buffer_drop) struct buffer said = {.max = 4096};
        struct request r;
        request_open(&r, rows[i].verb, rows[i].who, "192.0.2.7:1");
        r.resource = BYTES("c\"1");
        r.sessions_left = rows[i].left;
        err refused = inspect(&r, &said);
        if (refused || !bytes_is(buffer_view(&said), rows[i].writes))
            fail_msg("row %zu: %s; %s", i, err_text(refused), buffer_text(&said));
    }
}

/* A session that was refused and yet was the last to go: there is no session's end to tell, only a presence to end. */
static void a_bye_without_a_name_ends_the_presence_alone(void **state)
{
    SCOPED(buffer_drop) struct buffer said = {.max = 4096};
    struct request r;
    request_open(&r, VERB_BYE, &pump, "p");
    assert_null(inspect(&r, &said));
    assert_string_equal(buffer_text(&said), "pump-1 goes;");
}

/* The longest client identifier, of bytes that need the most room in JSON, still leaves its event. */
static void a_long_client_id_fits_its_event(void **state)
{
    SCOPED(buffer_drop) struct buffer said = {.max = 8192};
    char id[256];
    memset(id, 1, sizeof id);
    struct request r;
    request_open(&r, VERB_HELLO, &pump, "p");
    r.resource = bytes_of(id, sizeof id);
    assert_null(inspect(&r, &said));
    assert_non_null(strstr(buffer_text(&said), "device.connected"));
}

/* Whatever allocation fails, the request is refused as a whole and nothing of it is left behind. */
static void every_allocation_may_fail(void **state)
{
    static const struct {
        const char *topic, *payload;
    } rows[] = {
        {"devices/pump-1/telemetry", "{\"t\":1,\"u\":{\"v\":\"x\"}}"},
        {"devices/pump-1/events", "{\"kind\":\"a\",\"detail\":{\"b\":1}}"},
        {"devices/pump-1/twin/reported", "{\"agent\":{\"v\":1},\"inventory\":[]}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct message_parts parts = {.topic = bytes_of_text(rows[i].topic), .payload = bytes_of_text(rows[i].payload)};
        struct message *m = message_make(&parts);
        unsigned long n = 0, seen = 0;
        while (seen >= n) {
            struct inspection inspection;
            struct request r;
            request_open(&r, VERB_PUBLISH, &pump, "p");
            r.resource = m->topic;
            r.message = m;
            inspection_open(&inspection, &the_clock);
            mem_trial(++n);
            err refused = inspection.inspector.inspect(&inspection.inspector, &r);
            seen = mem_trial(0);
            if (seen >= n ? !err_is(refused, ERR_MEMORY) : refused != OK)
                fail_msg("%s, allocation %lu: %s", rows[i].topic, n, err_text(refused));
            write_drop(r.writes);
        }
        message_drop(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(publishes),
        cmocka_unit_test(sessions),
        cmocka_unit_test(a_bye_without_a_name_ends_the_presence_alone),
        cmocka_unit_test(a_long_client_id_fits_its_event),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
