/* The tail. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/tail.h"

#include "api/handlers.h"
#include "api/problem.h"
#include "api/render.h"

#include "base/text.h"
#include "wire/mqtt_property.h"

#include <inttypes.h>

static const struct fault no_route = {ERR_ABSENT, "api: there is no such stream"};

static err read_filter(struct visit *v, struct api_tail *out)
{
    struct bytes filter = visit_text(v, "filter");
    if (bytes_starts(filter, "$share/"))
        return visit_refuse(v, &visit_bad_request,
                            "Parameter 'filter' must be a plain filter: who looks on takes no "
                            "share of others' messages.");
    if (topic_check_filter(filter))
        return visit_refuse(v, &visit_bad_request,
                            "Parameter 'filter' must be a topic filter like devices/+/telemetry: at most %d bytes and "
                            "%d levels, + for a whole level, # for the whole end.",
                            TOPIC_MAX, TOPIC_LEVELS_MAX);
    return text_copy(filter, out->filter, sizeof out->filter);
}

static err open_tail(struct visit *v, struct api_tail *out)
{
    const struct route *route;
    struct bytes segment;
    if (route_find(v->call->method, v->call->path, &route, &segment) != ROUTE_FOUND)
        return &no_route;
    TRY(visit_open(v, route, segment));
    return read_filter(v, out);
}

err api_tail_open(const struct call *call, struct api_tail *out, struct answer *answer)
{
    SCOPED(visit_close) struct visit v = {.call = call, .answer = answer};
    *out = (struct api_tail){.filter = ""};
    err e = open_tail(&v, out);
    if (e)
        problem_of_fault(answer, e, v.detail);
    return e;
}

/* Without a loop that keeps the connection (HEAD) there is nothing to hear; what is wrong with the filter is said. */
err tail_stream(struct visit *v)
{
    struct api_tail tail;
    TRY(read_filter(v, &tail));
    v->answer->content_type = "text/event-stream";
    return OK;
}

/* The first bytes of a text, no character cut in two. */
static struct bytes first_characters(struct bytes text, size_t len)
{
    if (text.len <= len)
        return text;
    while (len && (text.at[len] & 0xC0) == 0x80)
        len--;
    return bytes_first(text, len);
}

static void put_payload(struct buffer *out, struct bytes payload)
{
    bool text = utf8_valid(payload);
    struct bytes shown = text ? first_characters(payload, TAIL_PAYLOAD_MAX) : bytes_first(payload, TAIL_PAYLOAD_MAX);
    put_format(out, "{\"bytes\":%zu,\"whole\":%s,\"encoding\":\"%s\",\"data\":", payload.len,
               shown.len == payload.len ? "true" : "false", text ? "text" : "base64");
    if (text) {
        put_json_text(out, shown);
    } else {
        put_text(out, "\"");
        put_base64(out, shown);
        put_text(out, "\"");
    }
    put_text(out, "}");
}

static void put_user_properties(struct buffer *out, struct bytes block)
{
    struct mqtt_user_property property;
    for (size_t i = 0; mqtt_next_user_property(&block, &property); i++) {
        put_text(out, i ? ",[" : "[");
        put_json_text(out, property.name);
        put_text(out, ",");
        put_json_text(out, property.value);
        put_text(out, "]");
    }
}

static void put_properties(struct buffer *out, struct bytes block)
{
    struct mqtt_properties p;
    if (mqtt_publish_properties(block, &p))
        p = (struct mqtt_properties){.present = 0};
    put_text(out, "{\"content_type\":");
    render_text_or_null(out, p.content_type);
    put_text(out, ",\"response_topic\":");
    render_text_or_null(out, p.response_topic);
    put_text(out, ",\"correlation_data\":");
    if (p.correlation_data.len) {
        put_text(out, "\"");
        put_base64(out, p.correlation_data);
        put_text(out, "\"");
    } else {
        put_text(out, "null");
    }
    put_text(out, ",\"user\":[");
    put_user_properties(out, p.block);
    put_text(out, "]}");
}

bool api_tail_message(struct api_tail *tail, const struct message *message, struct tail_moment now, struct buffer *out)
{
    static const struct bucket_rate rate = {TAIL_PER_S, TAIL_PER_S};
    if (!bucket_take(&tail->rate, rate, now.monotonic_ms))
        return false;
    put_text(out, "event: message\ndata: {\"time\":");
    render_time(out, now.wall_us);
    put_text(out, ",\"topic\":");
    put_json_text(out, message->topic);
    put_format(out, ",\"qos\":%u,\"retain\":%s,\"expires\":", (unsigned)message->qos,
               message->retain ? "true" : "false");
    render_time_or_null(out, message->expires_us);
    put_text(out, ",\"payload\":");
    put_payload(out, message->payload);
    put_text(out, ",\"properties\":");
    put_properties(out, message->properties);
    put_text(out, "}\n\n");
    return true;
}

void api_tail_skipped(uint64_t messages, struct buffer *out)
{
    put_format(out, "event: skipped\ndata: {\"messages\":%" PRIu64 "}\n\n", messages);
}
