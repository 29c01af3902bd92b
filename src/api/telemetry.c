/* What devices measured and what they say of themselves. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/handlers.h"
#include "api/render.h"

#include "base/text.h"

#include <inttypes.h>

enum { HOUR_MS = 3600000, MS_US = 1000 };
#define HOUR_US ((int64_t)HOUR_MS * MS_US)

static const struct whole_range point_range = {1, POINTS_MAX, 1000};

struct latest_values {
    struct sample_rows rows;
    struct buffer *out;
    size_t shown;
};

static bool latest_row(struct sample_rows *rows, const struct sample *sample)
{
    struct latest_values *values = (struct latest_values *)rows;
    struct buffer *out = values->out;
    put_text(out, values->shown++ ? ",{\"metric\":" : "{\"metric\":");
    put_json_text(out, sample->metric);
    put_text(out, ",\"time\":");
    render_time(out, sample->time_us);
    put_text(out, ",\"value\":");
    render_value(out, sample);
    put_text(out, ",\"unit\":");
    render_text_or_null(out, sample->unit);
    put_text(out, "}");
    return !out->spoiled;
}

err device_latest(struct visit *v)
{
    struct device device;
    TRY(visit_device(v, &device));
    struct latest_values values = {{latest_row}, &v->answer->body, 0};
    put_text(&v->answer->body, "{\"values\":[");
    TRY(v->api->reader->latest(v->api->reader, bytes_of_text(v->id), &values.rows));
    put_text(&v->answer->body, "]}");
    return OK;
}

struct series_points {
    struct sample_rows rows;
    struct buffer *out;
    size_t limit, shown;
    bool more;
    int64_t next_us; /* when more: of the first sample that is not shown */
};

static int64_t floor_ms(int64_t time_us)
{
    return time_us / MS_US - (time_us % MS_US < 0);
}

static bool point_row(struct sample_rows *rows, const struct sample *sample)
{
    struct series_points *points = (struct series_points *)rows;
    if (points->shown == points->limit) {
        points->more = true;
        points->next_us = sample->time_us;
        return false;
    }
    put_text(points->out, points->shown++ ? ",[" : "[");
    put_format(points->out, "%" PRId64 ",", floor_ms(sample->time_us));
    render_value(points->out, sample);
    put_text(points->out, "]");
    return !points->out->spoiled;
}

static err read_series(struct visit *v, struct series_query *query)
{
    int64_t limit, now_us = wall_us(v->api->clock);
    query->device = bytes_of_text(v->id);
    query->metric = visit_text(v, "metric");
    if (!query->metric.len || query->metric.len > METRIC_MAX)
        return visit_refuse(v, &visit_bad_request, "Parameter 'metric' must name a metric: 1 to %d bytes.", METRIC_MAX);
    TRY(visit_time(v, "to", now_us + 1, &query->to_us));
    TRY(visit_time(v, "from", query->to_us - HOUR_US, &query->from_us));
    if (query->from_us > query->to_us)
        return visit_refuse(v, &visit_bad_request, "Parameter 'from' must not be later than 'to'.");
    TRY(visit_whole(v, "limit", point_range, &limit));
    query->limit = (size_t)limit + 1; /* one more than is shown says whether there is more */
    return OK;
}

err device_series(struct visit *v)
{
    struct series_query query;
    struct device device;
    TRY(read_series(v, &query));
    TRY(visit_device(v, &device));
    struct buffer *out = &v->answer->body;
    struct series_points points = {.rows = {point_row}, .out = out, .limit = query.limit - 1};
    put_text(out, "{\"metric\":");
    put_json_text(out, query.metric);
    put_text(out, ",\"points\":[");
    TRY(v->api->reader->series(v->api->reader, &query, &points.rows));
    put_text(out, "],\"next\":");
    if (points.more)
        render_time_exact(out, points.next_us);
    else
        put_text(out, "null");
    put_text(out, "}");
    return OK;
}

struct document_list {
    struct document_rows rows;
    struct buffer *out;
    size_t shown;
};

static bool document_row(struct document_rows *rows, struct bytes name, struct bytes json, int64_t time_us)
{
    struct document_list *list = (struct document_list *)rows;
    put_text(list->out, list->shown++ ? "," : "");
    put_json_text(list->out, name);
    put_text(list->out, ":{\"time\":");
    render_time(list->out, time_us);
    put_text(list->out, ",\"content\":");
    put_bytes(list->out, json);
    put_text(list->out, "}");
    return !list->out->spoiled;
}

err device_documents(struct visit *v)
{
    struct device device;
    TRY(visit_device(v, &device));
    struct document_list list = {{document_row}, &v->answer->body, 0};
    put_text(&v->answer->body, "{\"documents\":{");
    TRY(v->api->reader->documents(v->api->reader, bytes_of_text(v->id), &list.rows));
    put_text(&v->answer->body, "}}");
    return OK;
}
