/* What holds for every sample, whatever its format. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/telemetry_sink.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#include <math.h>
#include <stdlib.h>

static const struct fault nothing_in_it = {ERR_MALFORMED, "telemetry: no sample in the payload"};
static const struct fault too_many = {ERR_TOO_LARGE, "telemetry: more samples than one payload may have"};
static const struct fault bad_name = {ERR_MALFORMED, "telemetry: a metric's name that is not allowed"};
static const struct fault said_twice = {ERR_MALFORMED, "telemetry: one metric has two values"};
static const struct fault bad_unit = {ERR_MALFORMED, "telemetry: a unit that is not allowed"};
static const struct fault bad_time = {ERR_MALFORMED, "telemetry: a time out of reach"};
static const struct fault bad_value = {ERR_MALFORMED, "telemetry: a value that is not allowed"};
static const struct fault no_memory = {ERR_MEMORY, "telemetry: no memory"};

err sink_open(struct telemetry_sink *sink, size_t count, char why[WHY_TEXT])
{
    struct telemetry *out = sink->out;
    if (!count) {
        why_say(why, "there is no value in the payload");
        return &nothing_in_it;
    }
    if (count > SAMPLES_MAX) {
        why_say(why, "the payload has %zu values; at most %d are allowed", count, SAMPLES_MAX);
        return &too_many;
    }
    out->names.max = count * METRIC_MAX;
    out->rows = mem_take(count, sizeof *out->rows);
    if (!out->rows || !buffer_reserve(&out->names, out->names.max)) {
        why_say(why, "%s", no_memory.text);
        return &no_memory;
    }
    sink->room = count;
    return OK;
}

/* UTF-8 without control characters, U+0080 to U+009F included. */
static bool is_clean(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        bool high_control = text.at[i] == 0xC2 && i + 1 < text.len && text.at[i + 1] < 0xA0;
        if (text.at[i] < 0x20 || text.at[i] == 0x7F || high_control)
            return false;
    }
    return utf8_valid(text);
}

static err refuse(err fault, struct bytes metric, const char *what, char why[WHY_TEXT])
{
    why_say(why, "the metric \"%.*s\" %s", (int)metric.len, (const char *)metric.at, what);
    return fault;
}

static void put_stream(struct buffer *out, struct bytes stream)
{
    for (size_t i = 0; i < stream.len; i++)
        put_u8(out, stream.at[i] == '/' ? '.' : stream.at[i]);
    if (stream.len)
        put_u8(out, '.');
}

static err join_name(struct telemetry_sink *sink, struct telemetry_name name, struct bytes *metric, char why[WHY_TEXT])
{
    struct buffer *names = &sink->out->names;
    struct bytes last = name.count ? name.parts[name.count - 1] : (struct bytes){NULL, 0};
    size_t start = names->len, len = sink->stream.len + (sink->stream.len > 0);
    for (size_t i = 0; i < name.count; i++)
        len += name.parts[i].len;
    if (len > METRIC_MAX)
        return refuse(&bad_name, bytes_first(last, 60), "has a name of more than 128 bytes, its prefixes included",
                      why);
    put_stream(names, sink->stream);
    for (size_t i = 0; i < name.count; i++)
        put_bytes(names, name.parts[i]);
    *metric = bytes_from(buffer_view(names), start);
    if (buffer_finish(names) || !metric->len || !is_clean(*metric))
        return refuse(&bad_name, *metric, "has an empty name or a control character in it", why);
    return OK;
}

static err check_time(const struct telemetry_sink *sink, struct bytes metric, int64_t time_us, char why[WHY_TEXT])
{
    char text[TIME_TEXT];
    const int64_t ahead_us = TELEMETRY_AHEAD_S * INT64_C(1000000);
    /* A sample without a time of its own has the server's, even when that clock is far off. */
    if (time_us == sink->now_us)
        return OK;
    if (time_us >= TELEMETRY_EARLIEST_US && (time_us < sink->now_us || time_us - sink->now_us <= ahead_us))
        return OK;
    time_text(time_us, text);
    why_say(why, "the metric \"%.*s\" has the time %s, which is %s", (int)metric.len, (const char *)metric.at, text,
            time_us < TELEMETRY_EARLIEST_US ? "before the year 2000" : "more than a day ahead");
    return &bad_time;
}

static err check_value(struct bytes metric, const struct sample *value, char why[WHY_TEXT])
{
    if (value->unit.len > UNIT_MAX || !is_clean(value->unit))
        return refuse(&bad_unit, metric, "has a unit of more than 32 bytes or with a control character", why);
    if (value->kind == SAMPLE_NUMBER && !isfinite(value->value.number))
        return refuse(&bad_value, metric, "is not a finite number", why);
    if (value->kind == SAMPLE_TEXT && value->value.text.len > SAMPLE_TEXT_MAX)
        return refuse(&bad_value, metric, "has a text of more than 1024 bytes", why);
    if (value->kind == SAMPLE_TEXT && !is_clean(value->value.text))
        return refuse(&bad_value, metric, "has a text with a control character", why);
    return OK;
}

err sink_take(struct telemetry_sink *sink, struct telemetry_name name, const struct sample *value, char why[WHY_TEXT])
{
    struct telemetry *out = sink->out;
    struct sample sample = *value;
    if (out->samples.count == sink->room) {
        why_say(why, "%s", too_many.text);
        return &too_many;
    }
    TRY(join_name(sink, name, &sample.metric, why));
    TRY(check_time(sink, sample.metric, sample.time_us, why));
    TRY(check_value(sample.metric, &sample, why));
    out->rows[out->samples.count] = sample;
    out->samples = (struct samples){out->rows, out->samples.count + 1};
    return OK;
}

static int order_names(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

static void drop_names(struct bytes **names)
{
    mem_drop(*names);
}

err sink_check_unique(const struct telemetry_sink *sink, char why[WHY_TEXT])
{
    struct samples samples = sink->out->samples;
    SCOPED(drop_names) struct bytes *names = mem_take(samples.count, sizeof *names);
    if (!names) {
        why_say(why, "%s", no_memory.text);
        return &no_memory;
    }
    for (size_t i = 0; i < samples.count; i++)
        names[i] = samples.at[i].metric;
    qsort(names, samples.count, sizeof *names, order_names);
    for (size_t i = 1; i < samples.count; i++)
        if (bytes_equal(names[i - 1], names[i]))
            return refuse(&said_twice, names[i], "has two values", why);
    return OK;
}
