/* Event streams. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/streams.h"

#include "base/memory.h"
#include "base/text.h"

static const struct fault no_memory = {ERR_MEMORY, "stream: no memory"};
static const struct fault not_here = {ERR_ABSENT, "stream: the call asks for no stream"};

struct event_stream {
    struct stream stream;
    struct api_stream wanted;
};

struct message *event_message(const struct event *event)
{
    SCOPED(buffer_drop) struct buffer topic = {.max = TOPIC_MAX};
    SCOPED(buffer_drop) struct buffer text = {.max = DETAIL_MAX * 8};
    put_format(&topic, EVENT_TOPIC "%s/%s/%s", severity_text(event->severity), event_kind_text(event->kind),
               event->device[0] ? event->device : "-");
    api_render_event(&text, event);
    if (buffer_finish(&topic) || buffer_finish(&text))
        return NULL;
    struct message_parts parts = {
        .topic = buffer_view(&topic), .payload = buffer_view(&text), .number = (uint64_t)event->id};
    return message_make(&parts);
}

static void hear(struct stream *self, const struct message *message, struct buffer *out)
{
    struct event_stream *s = CONTAINER(self, struct event_stream, stream);
    struct bytes rest = bytes_from(message->topic, sizeof EVENT_TOPIC - 1);
    struct bytes severity = bytes_cut(&rest, '/'), kind = bytes_cut(&rest, '/');
    enum severity how_bad;
    if ((int64_t)message->number <= s->wanted.after_id || severity_from(severity, &how_bad) ||
        how_bad < s->wanted.at_least)
        return;
    s->wanted.after_id = (int64_t)message->number;
    put_format(out, "id: %lld\nevent: %.*s\ndata: ", (long long)message->number, (int)kind.len, (const char *)kind.at);
    put_bytes(out, message->payload);
    put_text(out, "\n\n");
}

static void drop(struct stream *self)
{
    mem_drop(CONTAINER(self, struct event_stream, stream));
}

static err open_stream(struct streams *self, const struct call *call, struct answer *answer, struct stream **out)
{
    SCOPED(buffer_drop) struct buffer filter = {.max = TOPIC_MAX - 1};
    *out = NULL;
    if (call->method != METHOD_GET || api_route_service(call->method, call->path) != API_STREAM)
        return &not_here;
    struct event_stream *s = MEM_NEW(struct event_stream);
    if (!s)
        return &no_memory;
    s->stream = (struct stream){.hear = hear, .drop = drop};
    if (api_stream_open(call, &s->wanted, answer)) { /* the answer says why not */
        mem_drop(s);
        return OK;
    }
    put_format(&filter, EVENT_TOPIC "+/%s/%s", s->wanted.one_kind ? event_kind_text(s->wanted.kind) : "+",
               s->wanted.device[0] ? s->wanted.device : "+");
    err failed = text_copy(buffer_view(&filter), s->stream.filter, sizeof s->stream.filter);
    if (failed) {
        mem_drop(s);
        return failed;
    }
    *out = &s->stream;
    return OK;
}

void event_streams_open(struct streams *streams)
{
    streams->open = open_stream;
}

struct newest {
    struct event_rows rows;
    int64_t id;
};

static bool take_newest(struct event_rows *self, const struct event *event)
{
    CONTAINER(self, struct newest, rows)->id = event->id;
    return false;
}

/* One who begins now has heard everything up to now: from here on it can be told what it missed, as one who resumes. */
static err begin_now(struct event_stream *s, struct store_reader *reader)
{
    struct newest newest = {.rows = {take_newest}};
    TRY(reader->list_events(reader, &(struct event_query){.limit = 1}, &newest.rows));
    s->wanted.after_id = newest.id;
    s->wanted.resumes = true;
    return OK;
}

void event_stream_backlog(struct stream *stream, struct api *api, struct answer *answer)
{
    struct event_stream *s = CONTAINER(stream, struct event_stream, stream);
    err failed = s->wanted.resumes ? api_stream_backlog(api, &s->wanted, &answer->body) : begin_now(s, api->reader);
    stream->over = s->wanted.behind;
    if (failed)
        answer->status = 503;
}
