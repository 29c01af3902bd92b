/* Telemetry payloads: JSON objects here, SenML in senml.c, what both obey in telemetry_sink.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/telemetry.h"

#include "base/clock.h"
#include "base/memory.h"
#include "guard/senml.h"
#include "guard/telemetry_sink.h"
#include "wire/json.h"

#include <string.h>

static const struct fault bad_object = {ERR_MALFORMED, "telemetry: a member that is no metric"};
static const struct fault bad_time = {ERR_MALFORMED, "telemetry: a time that is none"};

/* ---- JSON objects: {"time": ..., "temperature": 21.5, "cpu": {"load": 0.5}} */

/* The keys from the top to a member, with the dots between. */
struct key_path {
    struct bytes parts[2 * TELEMETRY_DEPTH_MAX];
    size_t count;
};

static void path_push(struct key_path *path, struct bytes key)
{
    if (path->count)
        path->parts[path->count++] = BYTES(".");
    path->parts[path->count++] = key;
}

static void path_pop(struct key_path *path)
{
    path->count -= path->count > 1 ? 2 : 1;
}

static err refuse_member(const struct key_path *path, const char *what, char why[WHY_TEXT])
{
    SCOPED(buffer_drop) struct buffer name = {.max = WHY_TEXT};
    for (size_t i = 0; i < path->count; i++)
        put_bytes(&name, bytes_first(path->parts[i], 60));
    why_say(why, "the member \"%s\" %s", buffer_text(&name), what);
    return &bad_object;
}

static bool is_time(const struct key_path *path)
{
    return path->count == 1 && bytes_is(path->parts[0], "time");
}

/* Recursion ends at TELEMETRY_DEPTH_MAX, here and in take_members; count_metrics runs first and refuses deeper ones. */
static err count_metrics(json_t *object, struct key_path *path, size_t *count, char why[WHY_TEXT])
{
    const char *key;
    size_t key_len;
    json_t *value;
    json_object_keylen_foreach(object, key, key_len, value)
    {
        path_push(path, bytes_of(key, key_len));
        if (!key_len)
            return refuse_member(path, "has an empty name", why);
        if (json_is_null(value) || json_is_array(value))
            return refuse_member(path, "must be a number, true, false, a text or an object", why);
        if (json_is_object(value) && path->count >= 2 * TELEMETRY_DEPTH_MAX - 1)
            return refuse_member(path, "is nested too deep; four levels are allowed", why);
        if (json_is_object(value) && !json_object_size(value))
            return refuse_member(path, "is an empty object", why);
        if (json_is_object(value) && !is_time(path))
            TRY(count_metrics(value, path, count, why));
        else
            *count += !is_time(path);
        path_pop(path);
    }
    return OK;
}

static err read_time(const json_t *value, int64_t *time_us, char why[WHY_TEXT])
{
    if (json_is_string(value) && !time_parse(json_text(value), time_us))
        return OK;
    if (json_is_integer(value) && !__builtin_mul_overflow(json_integer_value(value), INT64_C(1000), time_us))
        return OK;
    why_say(why,
            "the member \"time\" must be a text like 2026-01-31T08:15:00Z or an integer of milliseconds since 1970");
    return &bad_time;
}

static void read_value(const json_t *value, struct sample *out)
{
    if (json_is_integer(value)) {
        out->kind = SAMPLE_INTEGER;
        out->value.integer = json_integer_value(value);
    } else if (json_is_real(value)) {
        out->kind = SAMPLE_NUMBER;
        out->value.number = json_real_value(value);
    } else if (json_is_boolean(value)) {
        out->kind = SAMPLE_TRUTH;
        out->value.truth = json_is_true(value);
    } else {
        out->kind = SAMPLE_TEXT;
        out->value.text = json_text(value);
    }
}

static err take_members(json_t *object, struct key_path *path, int64_t time_us, struct telemetry_sink *sink,
                        char why[WHY_TEXT])
{
    const char *key;
    size_t key_len;
    json_t *value;
    json_object_keylen_foreach(object, key, key_len, value)
    {
        path_push(path, bytes_of(key, key_len));
        struct sample sample = {.time_us = time_us};
        if (json_is_object(value)) {
            TRY(take_members(value, path, time_us, sink, why));
        } else if (!is_time(path)) {
            read_value(value, &sample);
            TRY(sink_take(sink, (struct telemetry_name){path->parts, path->count}, &sample, why));
        }
        path_pop(path);
    }
    return OK;
}

static err decode_object(json_t *object, struct telemetry_sink *sink, char why[WHY_TEXT])
{
    struct key_path path = {.count = 0};
    const json_t *time = json_object_get(object, "time");
    int64_t time_us = sink->now_us;
    size_t count = 0;
    if (time)
        TRY(read_time(time, &time_us, why));
    TRY(count_metrics(object, &path, &count, why));
    TRY(sink_open(sink, count, why));
    TRY(take_members(object, &path, time_us, sink, why));
    return sink_check_unique(sink, why); /* "a.b" may be one name or two */
}

/* ---- Any payload */

static err decode(json_t *document, struct telemetry_sink *sink, char why[WHY_TEXT])
{
    return json_is_array(document) ? senml_decode(document, sink, why) : decode_object(document, sink, why);
}

err telemetry_decode(struct bytes payload, struct bytes stream, int64_t now_us, struct telemetry *out,
                     char why[WHY_TEXT])
{
    SCOPED(telemetry_drop) struct telemetry made = {.names = {.max = 0}};
    struct telemetry_sink sink = {.out = &made, .stream = stream, .now_us = now_us};
    TRY(json_parse(payload, PAYLOAD_MAX, &made.document, why));
    TRY(decode(made.document, &sink, why));
    *out = made;
    memset(&made, 0, sizeof made); /* it has moved */
    return OK;
}

void telemetry_drop(struct telemetry *t)
{
    mem_drop(t->rows);
    buffer_drop(&t->names);
    json_drop(&t->document);
    memset(t, 0, sizeof *t);
}
