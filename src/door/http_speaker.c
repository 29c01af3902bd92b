/* The HTTP speaker: requests in, each through the flow and then to whoever answers it.
 *
 *   bytes -> http_request_feed -> call -> flow (limit, authorise) -> asset | stream | WebSocket | desk -> answer
 *
 * One request at a time: pipelined ones wait in the line. Slow peers run out of patience: one for the head, one for the
 * body, one between requests; a peer that does not read is the line's to end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/http_speaker.h"

#include "base/memory.h"
#include "base/text.h"
#include "door/http.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "http: no memory"};
static const struct fault broken = {ERR_MALFORMED, "http: the request could not be read"};

enum { BACKLOG_HIGH = 262144 }; /* bytes of answers that the peer has not taken, above which it is asked to wait */

static void answered(struct inquiry *inquiry)
{
    struct http_speaker *h = CONTAINER(inquiry, struct http_speaker, inquiry);
    h->phase = HTTP_READING;
    if (!h->speaker.line) {
        http_release(h);
        return;
    }
    h->speaker.line->calls->resume(h->speaker.line);
    if (h->stream)
        http_on_backlog(h);
    else
        http_reply(h, &inquiry->answer);
}

err http_ask(struct http_speaker *h)
{
    answer_drop(&h->inquiry.answer);
    answer_open(&h->inquiry.answer);
    h->inquiry.stream = h->stream;
    h->inquiry.done = answered;
    TRY(h->lobby->desk->ask(h->lobby->desk, h->lobby, &h->inquiry));
    h->phase = HTTP_ASKING;
    h->speaker.line->calls->hold(h->speaker.line);
    h->speaker.line->calls->patience(h->speaker.line, 0);
    return OK;
}

static void judged(struct request *r)
{
    /* CALL never waits: whoever began it reads the outcome when flow_begin returns. */
}

static void deny(struct http_speaker *h)
{
    const struct request *r = &h->request;
    const char *detail = err_text(r->refused);
    if (!err_is(r->refused, ERR_REFUSED))
        http_refuse(h, 429, detail, "Retry-After: 1\r\n");
    else if (h->inquiry.call.who.kind == PRINCIPAL_NOBODY)
        http_refuse(h, 401, "this needs a signed-in operator or a device's certificate", "");
    else
        http_refuse(h, 403, detail, "");
}

static void call_desk(struct http_speaker *h)
{
    if (http_ask(h))
        http_refuse(h, 503, "the server has more questions to answer than it has room for", "Retry-After: 1\r\n");
}

static void call_stream(struct http_speaker *h)
{
    SCOPED(answer_drop) struct answer answer;
    answer_open(&answer);
    err failed = h->lobby->streams->open(h->lobby->streams, &h->inquiry.call, &answer, &h->stream);
    if (err_is(failed, ERR_ABSENT))
        call_desk(h);
    else if (failed)
        http_refuse(h, 503, err_text(failed), "Retry-After: 1\r\n");
    else if (h->stream)
        http_begin_stream(h);
    else
        http_reply(h, &answer);
}

static bool is_websocket(const struct http_speaker *h)
{
    const struct call *call = &h->inquiry.call;
    return call->method == METHOD_GET && (h->offer == HTTP_WEBSOCKET || bytes_is(call->path, "/mqtt"));
}

static enum audience audience_of(const struct http_speaker *h, const struct asset *asset)
{
    const struct call *call = &h->inquiry.call;
    if (asset)
        return AUDIENCE_ANYBODY;
    return is_websocket(h) ? AUDIENCE_MEMBER : h->lobby->audiences->of(h->lobby->audiences, call->method, call->path);
}

static void pass(struct http_speaker *h)
{
    struct call *call = &h->inquiry.call;
    const struct asset *asset = h->offer == HTTP_ALL ? http_find_asset(h->lobby->assets, call) : NULL;
    h->request = (struct request){.verb = VERB_CALL,
                                  .who = &call->who,
                                  .peer = h->peer,
                                  .audience = audience_of(h, asset),
                                  .resource = call->path,
                                  .done = judged};
    flow_begin(&h->lobby->flow, &h->request);
    if (h->request.refused)
        deny(h);
    else if (asset)
        http_send_asset(h, asset);
    else if (is_websocket(h))
        http_upgrade(h);
    else if (h->offer == HTTP_WEBSOCKET)
        http_refuse(h, 404, "this port is for MQTT over WebSocket only", "");
    else
        call_stream(h);
}

/* The two method enums stand in the same order (wire/http.h). */
static err make_call(struct http_speaker *h)
{
    const struct http_request *r = http_request(h->parser);
    struct line *line = h->speaker.line;
    struct call *call = &h->inquiry.call;
    mem_drop(h->headers);
    h->headers = mem_take(r->header_count, sizeof *h->headers);
    if (!h->headers)
        return &no_memory;
    for (size_t i = 0; i < r->header_count; i++)
        h->headers[i] = (struct call_header){r->headers[i].name, r->headers[i].value};
    *call = (struct call){.method = (enum call_method)r->method,
                          .path = r->path,
                          .query = r->query,
                          .body = r->body,
                          .headers = h->headers,
                          .header_count = r->header_count,
                          .who = line->who,
                          .peer_certificate = line->certificate};
    memcpy(call->peer, h->peer, sizeof call->peer);
    if (call->who.kind == PRINCIPAL_NOBODY)
        h->lobby->badges->show(h->lobby->badges, call);
    return OK;
}

static void whole(struct http_speaker *h)
{
    counter_raise(&h->lobby->counts->http_requests, 1);
    if (make_call(h))
        http_refuse(h, 503, "the server has no memory left for this", "");
    else
        pass(h);
}

/* A head must come within its time however many pieces it comes in, so patience is not set anew by each of them. */
struct moment {
    enum http_stage stage;
    bool idle;
};

static struct moment present(const struct http_speaker *h)
{
    return (struct moment){http_parser_stage(h->parser), http_parser_is_idle(h->parser)};
}

static void expect_more(struct http_speaker *h, struct moment before)
{
    struct line *line = h->speaker.line;
    struct moment now = present(h);
    if (now.stage == HTTP_IN_HEAD && before.idle && !now.idle)
        line->calls->patience(line, h->lobby->limits->handshake_ms);
    if (now.stage == HTTP_IN_BODY && before.stage == HTTP_IN_HEAD)
        line->calls->patience(line, h->lobby->limits->body_ms);
}

static err feed(struct http_speaker *h, struct bytes in, size_t *used)
{
    struct moment before = present(h);
    if (http_request_feed(h->parser, in, used)) {
        http_refuse(h, http_parser_status(h->parser), "the request could not be read", "");
        return &broken;
    }
    expect_more(h, before);
    if (http_wants_continue(h->parser))
        line_send(h->speaker.line, BYTES(HTTP_CONTINUE));
    if (http_parser_stage(h->parser) == HTTP_WHOLE)
        whole(h);
    return OK;
}

/* A peer may ask for more than it reads. Its further requests then wait until it took what it got: the answers to a few
 * bytes would otherwise fill our memory. */
static bool is_ahead(struct http_speaker *h)
{
    struct line *line = h->speaker.line;
    if (h->ahead || line_backlog(line) < BACKLOG_HIGH)
        return h->ahead;
    h->ahead = true;
    line->calls->hold(line);
    line->calls->patience(line, 0); /* a peer that takes nothing is the line's to end */
    return true;
}

static err hear(struct speaker *speaker, struct bytes in, size_t *used)
{
    struct http_speaker *h = CONTAINER(speaker, struct http_speaker, speaker);
    if (h->phase == HTTP_STREAMING) {
        *used = in.len; /* behind a stream there is nothing to ask any more */
        return OK;
    }
    /* After an upgrade the line has another speaker, and h may be gone. */
    struct line *line = speaker->line;
    while (in.len && line->speaker == speaker && h->phase == HTTP_READING && !is_ahead(h)) {
        size_t taken = 0;
        err failed = feed(h, in, &taken);
        *used += taken;
        in = bytes_from(in, taken);
        if (failed)
            return failed;
    }
    return OK;
}

static void drained(struct speaker *speaker)
{
    struct http_speaker *h = CONTAINER(speaker, struct http_speaker, speaker);
    if (!h->ahead)
        return;
    h->ahead = false;
    speaker->line->calls->patience(speaker->line, h->lobby->limits->idle_ms);
    speaker->line->calls->resume(speaker->line);
}

static void tired(struct speaker *speaker)
{
    struct http_speaker *h = CONTAINER(speaker, struct http_speaker, speaker);
    if (h->phase == HTTP_STREAMING)
        http_stream_tired(h);
    else if (http_parser_is_idle(h->parser))
        line_end(speaker->line);
    else
        http_refuse(h, 408, "the request did not come in time", "");
}

static void lost(struct speaker *speaker)
{
    struct http_speaker *h = CONTAINER(speaker, struct http_speaker, speaker);
    speaker->line = NULL;
    router_remove(h->lobby->flow.router, &h->subscription);
    http_release(h);
}

void http_release(struct http_speaker *h)
{
    if (h->phase == HTTP_ASKING)
        return; /* the inquiry lends from us; `answered` comes */
    if (h->stream)
        h->stream->drop(h->stream);
    http_parser_drop(h->parser);
    answer_drop(&h->inquiry.answer);
    mem_drop(h->headers);
    mem_drop(h);
}

static err make(struct line *line, enum http_offer offer, struct speaker **out)
{
    static const struct speech speech = {"http", hear, drained, tired, lost};
    struct http_speaker *h = MEM_NEW(struct http_speaker);
    struct http_parser *parser = h ? http_parser_make(line->lobby->limits->body_max) : NULL;
    if (!parser) {
        mem_drop(h);
        return &no_memory;
    }
    *h = (struct http_speaker){.speaker = {&speech, line}, .offer = offer, .lobby = line->lobby, .parser = parser};
    answer_open(&h->inquiry.answer);
    IGNORE(text_copy(bytes_of_text(line->peer), h->peer, sizeof h->peer));
    *out = &h->speaker;
    return OK;
}

static err speak(struct line *line, struct speaker **out)
{
    return make(line, HTTP_ALL, out);
}

static err speak_websocket(struct line *line, struct speaker **out)
{
    return make(line, HTTP_WEBSOCKET, out);
}

const struct protocol *http_protocol(void)
{
    static const struct protocol protocol = {"https", speak};
    return &protocol;
}

const struct protocol *websocket_protocol(void)
{
    static const struct protocol protocol = {"websocket", speak_websocket};
    return &protocol;
}
