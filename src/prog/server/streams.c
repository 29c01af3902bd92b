/* Streams of events, and of messages. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/streams.h"

#include "api/tail.h"
#include "base/memory.h"
#include "base/text.h"

#include <string.h>

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

static err open_events(const struct call *call, struct answer *answer, struct stream **out)
{
    SCOPED(buffer_drop) struct buffer filter = {.max = TOPIC_MAX - 1};
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

/* ---- the tail */

struct tail_stream {
    struct stream stream;
    struct api_tail tail;
    const struct clock *clock;
};

static void tell_skipped(struct stream *self, struct buffer *out)
{
    api_tail_skipped(self->skipped, out);
    self->skipped = 0;
}

static void hear_tail(struct stream *self, const struct message *message, struct buffer *out)
{
    struct tail_stream *s = CONTAINER(self, struct tail_stream, stream);
    SCOPED(buffer_drop) struct buffer text = {.max = TAIL_PIECE_MAX};
    struct tail_moment now = {wall_us(s->clock), monotonic_ms(s->clock)};
    if (!api_tail_message(&s->tail, message, now, &text) || text.spoiled) {
        self->skipped++;
        return;
    }
    if (self->skipped)
        tell_skipped(self, out);
    put_bytes(out, buffer_view(&text));
}

static void drop_tail(struct stream *self)
{
    mem_drop(CONTAINER(self, struct tail_stream, stream));
}

static err open_tail(const struct clock *clock, const struct call *call, struct answer *answer, struct stream **out)
{
    struct tail_stream *s = MEM_NEW(struct tail_stream);
    if (!s)
        return &no_memory;
    *s = (struct tail_stream){.stream = {.hear = hear_tail, .drop = drop_tail, .tell_skipped = tell_skipped},
                              .clock = clock};
    if (api_tail_open(call, &s->tail, answer)) { /* the answer says why not */
        mem_drop(s);
        return OK;
    }
    memcpy(s->stream.filter, s->tail.filter, sizeof s->stream.filter);
    *out = &s->stream;
    return OK;
}

/* ---- which */

static err open_stream(struct streams *self, const struct call *call, struct answer *answer, struct stream **out)
{
    *out = NULL;
    if (call->method != METHOD_GET || api_route_service(call->method, call->path) != API_STREAM)
        return &not_here;
    if (bytes_is(call->path, API_TAIL_PATH))
        return open_tail(CONTAINER(self, struct api_streams, streams)->clock, call, answer, out);
    return open_events(call, answer, out);
}

void api_streams_open(struct api_streams *streams, const struct clock *clock)
{
    *streams = (struct api_streams){{open_stream}, clock};
}

/* ---- the past of events */

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
