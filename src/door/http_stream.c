/* Answers without an end (Server-Sent Events): what was missed first, then what comes. The flow is asked whether the
 * caller may watch the stream's filter, as of any other subscriber.
 *
 * The subscription is made before the past is looked up, so nothing falls between the two. What is published meanwhile
 * is not kept but asked for again, until past and present meet. A client that does not read is let go: it comes back
 * and says where it was (Last-Event-ID). A stream without a past (the tail) begins at once, and tells its reader how
 * many messages were left out for being too much for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/http_speaker.h"

enum { HEARTBEAT_MS = 15000, SKIPPED_TOLD_MS = 1000, HEAD_MAX = 4096, PIECE_MAX = 1048576 };

static void send_piece(struct http_speaker *h, struct bytes piece)
{
    SCOPED(buffer_drop) struct buffer chunk = {.max = ANSWER_BODY_MAX + 64};
    if (http_request(h->parser)->minor)
        http_put_chunk(&chunk, piece);
    else
        put_bytes(&chunk, piece);
    line_send(h->speaker.line, buffer_view(&chunk));
}

/* The client comes back by itself and says where it was. */
static void give_up(struct http_speaker *h)
{
    SCOPED(buffer_drop) struct buffer end = {.max = 16};
    if (http_request(h->parser)->minor)
        http_put_last_chunk(&end); /* it ends, it was not cut (RFC 9112, 7.1) */
    line_send(h->speaker.line, buffer_view(&end));
    h->phase = HTTP_OVER;
    line_end(h->speaker.line);
}

static void deliver(struct subscription *self, struct message *message)
{
    struct http_speaker *h = CONTAINER(self, struct http_speaker, subscription);
    SCOPED(buffer_drop) struct buffer text = {.max = PIECE_MAX};
    struct stream *stream = h->stream;
    if (h->phase != HTTP_STREAMING) {
        h->missed = true;
        return;
    }
    uint64_t skipped = stream->skipped;
    bool is_slow = line_backlog(h->speaker.line) > h->lobby->limits->stream_bytes_max;
    if (is_slow && !stream->tell_skipped) {
        give_up(h);
        return;
    }
    if (is_slow)
        stream->skipped++;
    else
        stream->hear(stream, message, &text);
    if (!skipped && stream->skipped)
        h->speaker.line->calls->patience(h->speaker.line, SKIPPED_TOLD_MS);
    if (stream->skipped > skipped)
        counter_raise(&h->lobby->counts->tail_dropped, stream->skipped - skipped);
    if (text.len && !text.spoiled)
        send_piece(h, buffer_view(&text));
}

/* It keeps nothing, so it is never offered anything. */
static const struct subscription_calls calls = {.deliver = deliver};

static void forget(struct http_speaker *h)
{
    router_remove(h->lobby->flow.router, &h->subscription);
    h->stream->drop(h->stream);
    h->stream = NULL;
}

static void judged(struct request *r)
{
    /* WATCH never waits: whoever began it reads the outcome when flow_begin returns. */
}

static err ask_flow(struct http_speaker *h)
{
    struct request watch = {.verb = VERB_WATCH,
                            .who = &h->inquiry.call.who,
                            .peer = h->peer,
                            .resource = bytes_of_text(h->stream->filter),
                            .done = judged};
    flow_begin(&h->lobby->flow, &watch);
    return watch.refused;
}

static void send_head(struct http_speaker *h)
{
    SCOPED(buffer_drop) struct buffer head = {.max = HEAD_MAX};
    bool chunked = http_request(h->parser)->minor;
    http_put_head(&head, &(struct http_head){.status = 200,
                                             .now_us = wall_us(loop_clock(h->lobby->loop)),
                                             .framing = chunked ? HTTP_CHUNKED : HTTP_UNTIL_CLOSE,
                                             .connection = chunked ? HTTP_KEEP_ALIVE : HTTP_CLOSE,
                                             .content_type = "text/event-stream",
                                             .lines = BYTES(HTTP_SECURITY_LINES "Cache-Control: no-store\r\n"
                                                                                "X-Accel-Buffering: no\r\n")});
    line_send(h->speaker.line, buffer_view(&head));
}

/* From here on each message is sent as it comes. */
static void go_live(struct http_speaker *h)
{
    h->phase = HTTP_STREAMING;
    http_stream_tired(h); /* says the first word at once, so that the client knows it is heard */
}

static err begin(struct http_speaker *h)
{
    h->subscription.calls = &calls;
    TRY(router_add(h->lobby->flow.router, bytes_of_text(h->stream->filter), &h->subscription));
    if (!h->stream->tell_skipped)
        TRY(http_ask(h));
    send_head(h);
    if (h->stream->tell_skipped)
        go_live(h);
    return OK;
}

void http_begin_stream(struct http_speaker *h)
{
    err refused = ask_flow(h), failed = refused ? OK : begin(h);
    if (!refused && !failed)
        return;
    forget(h);
    if (err_is(refused, ERR_REFUSED))
        http_refuse(h, 403, err_text(refused), "");
    else if (refused)
        http_refuse(h, 429, err_text(refused), "Retry-After: 1\r\n");
    else
        http_refuse(h, 503, err_text(failed), "Retry-After: 1\r\n");
}

void http_on_backlog(struct http_speaker *h)
{
    const struct answer *answer = &h->inquiry.answer;
    if (answer->status != 200 || answer->body.spoiled) {
        give_up(h);
        return;
    }
    if (answer->body.len)
        send_piece(h, buffer_view(&answer->body));
    if (h->stream->over) {
        give_up(h);
        return;
    }
    if (h->missed) {
        h->missed = false;
        if (http_ask(h)) /* what was missed is not at hand */
            give_up(h);
        return;
    }
    go_live(h);
}

/* The heartbeat keeps middle boxes awake; it is also when a signed-out operator stops hearing. */
void http_stream_tired(struct http_speaker *h)
{
    if (!h->lobby->badges->holds(h->lobby->badges, h->inquiry.call.session_hash)) {
        give_up(h);
        return;
    }
    SCOPED(buffer_drop) struct buffer text = {.max = DETAIL_MAX};
    if (h->stream->skipped)
        h->stream->tell_skipped(h->stream, &text);
    else
        put_text(&text, ":\n\n");
    send_piece(h, buffer_view(&text));
    h->speaker.line->calls->patience(h->speaker.line, HEARTBEAT_MS);
}
