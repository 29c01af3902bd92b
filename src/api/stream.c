/* The live stream of events (Server-Sent Events; WHATWG HTML, 9.2). The happy path: the loop opens the stream from the
 * call, a query thread appends what was missed since Last-Event-ID, then the loop hands it each event as it is kept.
 * Ids only rise, so an event that comes both ways is sent once. A listener that has missed more than one backlog holds
 * is `behind`: its stream ends there, and it comes back with the last id that it got. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "api/event_filter.h"
#include "api/handlers.h"
#include "api/problem.h"
#include "api/render.h"

#include "base/text.h"

static const struct fault no_route = {ERR_ABSENT, "api: there is no such stream"};

static err read_last_id(struct visit *v, struct api_stream *out)
{
    struct bytes last = call_header(v->call, "last-event-id");
    out->resumes = last.len > 0;
    if (last.len && (text_to_i64(last, &out->after_id) || out->after_id < 0))
        return visit_refuse(v, &visit_bad_request, "Last-Event-ID must be the id of an event.");
    return OK;
}

static err read_stream(struct visit *v, struct api_stream *out)
{
    struct event_filter filter;
    TRY(event_filter_read(v, &filter));
    *out = (struct api_stream){.one_kind = filter.one_kind, .kind = filter.kind, .at_least = filter.at_least};
    TRY(text_copy(filter.device, out->device, sizeof out->device));
    return read_last_id(v, out);
}

static err open_stream(struct visit *v, struct api_stream *out)
{
    const struct route *route;
    struct bytes segment;
    if (route_find(v->call->method, v->call->path, &route, &segment) != ROUTE_FOUND)
        return &no_route;
    TRY(visit_open(v, route, segment));
    return read_stream(v, out);
}

err api_stream_open(const struct call *call, struct api_stream *out, struct answer *answer)
{
    SCOPED(visit_close) struct visit v = {.call = call, .answer = answer};
    err e = open_stream(&v, out);
    if (e)
        problem_of_fault(answer, e, v.detail);
    else
        answer->content_type = "text/event-stream";
    return e;
}

static void put_event(struct buffer *out, const struct event *event)
{
    put_format(out, "id: %lld\nevent: %s\ndata: ", (long long)event->id, event_kind_text(event->kind));
    api_render_event(out, event);
    put_text(out, "\n\n");
}

static bool wants(const struct api_stream *stream, const struct event *event)
{
    return event->id > stream->after_id && event->severity >= stream->at_least &&
           (!stream->one_kind || event->kind == stream->kind) &&
           (!*stream->device || bytes_is(bytes_of_text(event->device), stream->device));
}

void api_stream_event(struct api_stream *stream, const struct event *event, struct buffer *out)
{
    if (!wants(stream, event))
        return;
    put_event(out, event);
    stream->after_id = event->id;
}

struct backlog_page {
    struct event_rows rows;
    struct api_stream *stream;
    struct buffer *out;
    size_t seen;
};

static bool backlog_row(struct event_rows *rows, const struct event *event)
{
    struct backlog_page *page = (struct backlog_page *)rows;
    page->seen++;
    api_stream_event(page->stream, event, page->out);
    return !page->out->spoiled;
}

err api_stream_backlog(struct api *api, struct api_stream *stream, struct buffer *out)
{
    struct event_query query = {.device = bytes_of_text(stream->device),
                                .one_kind = stream->one_kind,
                                .kind = stream->kind,
                                .at_least = stream->at_least,
                                .order = EVENTS_OLDEST_FIRST,
                                .limit = PAGE_MAX};
    stream->behind = stream->resumes;
    for (size_t all = 0; stream->behind && all < STREAM_BACKLOG_MAX && out->len < STREAM_BACKLOG_BYTES;
         all += PAGE_MAX) {
        struct backlog_page page = {.rows = {backlog_row}, .stream = stream, .out = out};
        query.after_id = stream->after_id;
        TRY(api->reader->list_events(api->reader, &query, &page.rows));
        stream->behind = page.seen == PAGE_MAX;
    }
    return buffer_finish(out);
}

/* Without a loop that keeps the connection: what was missed, and the end. A client then comes back with its last id. */
err events_stream(struct visit *v)
{
    struct api_stream stream;
    TRY(read_stream(v, &stream));
    v->answer->content_type = "text/event-stream";
    return api_stream_backlog(v->api, &stream, &v->answer->body);
}
