/* Inspection of requests before they are remembered. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/inspection.h"

#include "base/list.h"
#include "base/text.h"
#include "core/topic.h"
#include "guard/report.h"
#include "guard/telemetry.h"

_Static_assert((int)REQUEST_WHY >= (int)WHY_TEXT, "a decoder's sentence fits into a request");

enum { STREAM_START = sizeof "telemetry" - 1 };

static err inspect_telemetry(struct request *r, struct bytes rest, int64_t now_us)
{
    SCOPED(telemetry_drop) struct telemetry t = {0};
    struct bytes stream = bytes_from(rest, STREAM_START + 1);
    TRY(telemetry_decode(r->message->payload, stream, now_us, &t, r->why));
    return request_remember(r, write_samples(r->who->id, t.samples, now_us));
}

static err inspect_event(struct request *r, struct bytes rest, int64_t now_us)
{
    SCOPED(report_event_drop) struct report_event reported = {0};
    TRY(report_event_decode(r->message->payload, &reported, r->why));
    struct event event = {.time_us = now_us,
                          .kind = EVENT_DEVICE_EVENT,
                          .severity = reported.severity,
                          .detail = buffer_view(&reported.detail)};
    TRY(text_copy(bytes_of_text(r->who->id), event.device, sizeof event.device));
    return request_remember(r, write_event(&event));
}

static err inspect_reported(struct request *r, struct bytes rest, int64_t now_us)
{
    SCOPED(report_documents_drop) struct report_documents reported = {.count = 0};
    TRY(report_documents_decode(r->message->payload, &reported, r->why));
    for (size_t i = 0; i < reported.count; i++)
        TRY(request_remember(r, write_document(r->who->id, reported.at[i].name, reported.at[i].json, now_us)));
    return OK;
}

static const struct promise {
    const char *topic; /* behind devices/{id}/ */
    const char *below; /* and everything below this, when not NULL */
    err (*inspect)(struct request *r, struct bytes rest, int64_t now_us);
} promises[] = {
    {"telemetry", "telemetry/", inspect_telemetry},
    {"events", NULL, inspect_event},
    {"twin/reported", NULL, inspect_reported},
};

static err inspect_publish(struct request *r, const struct clock *clock)
{
    struct device_topic topic;
    if (!topic_is_device(r->resource, &topic))
        return OK;
    int64_t now_us = wall_us(clock);
    for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
        const struct promise *p = &promises[i];
        if (bytes_is(topic.rest, p->topic) || (p->below && bytes_starts(topic.rest, p->below)))
            return p->inspect(r, topic.rest, now_us);
    }
    return OK;
}

/* A device's session begins or ends: its presence and an event. An operator's console leaves no such trace. */
static err inspect_session(struct request *r, int64_t now_us)
{
    SCOPED(buffer_drop) struct buffer detail = {.max = DETAIL_MAX};
    bool begins = r->verb == VERB_HELLO;
    struct write presence = {
        .kind = WRITE_PRESENCE, .now_us = now_us, .as.presence = {.connected_us = begins ? now_us : 0}};
    struct event event = {.time_us = now_us, .kind = begins ? EVENT_DEVICE_CONNECTED : EVENT_DEVICE_DISCONNECTED};
    struct bytes id = bytes_of_text(r->who->id);
    if (r->who->kind != PRINCIPAL_DEVICE)
        return OK;
    TRY(text_copy(id, presence.as.presence.device, sizeof presence.as.presence.device));
    TRY(text_copy(id, event.device, sizeof event.device));
    put_text(&detail, "{\"client\":");
    put_json_text(&detail, r->resource);
    put_text(&detail, ",\"peer\":");
    put_json_text(&detail, bytes_of_text(r->peer));
    put_text(&detail, "}");
    TRY(buffer_finish(&detail));
    event.detail = buffer_view(&detail);
    event.severity = event_kind_severity(event.kind);
    if (begins || !r->sessions_left)
        TRY(request_remember(r, write_plain(&presence)));
    return begins || r->resource.len ? request_remember(r, write_event(&event)) : OK;
}

static err inspect(struct inspector *self, struct request *r)
{
    const struct clock *clock = CONTAINER(self, struct inspection, inspector)->clock;
    switch (r->verb) {
    case VERB_HELLO:
    case VERB_BYE:
        return inspect_session(r, wall_us(clock));
    case VERB_PUBLISH:
        return inspect_publish(r, clock);
    case VERB_WATCH:
    case VERB_CALL:
    case VERBS:
        return OK;
    }
    return OK;
}

void inspection_open(struct inspection *i, const struct clock *clock)
{
    *i = (struct inspection){{inspect}, clock};
}
