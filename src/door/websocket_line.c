/* A WebSocket (RFC 6455) as a line within a line: for MQTT inside it, it is a line like any other; for the connection
 * it is a speaker. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/http_speaker.h"

#include "base/memory.h"
#include "crypto/digest.h"
#include "door/mqtt.h"
#include "wire/websocket.h"

static const struct fault no_memory = {ERR_MEMORY, "websocket: no memory"};

enum { HEARTBEAT_MS = 15000 };

struct websocket_line {
    struct speaker outer;
    struct timer heartbeat;   /* on the loop of inner.lobby */
    uint8_t session_hash[32]; /* when it is an operator, who is signed in */
    struct line inner;
    struct websocket reader;
    struct buffer data; /* unmasked bytes that the inner speaker has not used */
    bool held, closing;
};

static struct websocket_line *of(const struct line *inner)
{
    return CONTAINER(inner, struct websocket_line, inner);
}

/* ---- as a line */

static void send_bytes(struct line *self, struct bytes bytes)
{
    struct websocket_line *w = of(self);
    uint8_t head[WEBSOCKET_HEAD_MAX];
    line_send(w->outer.line, bytes_of(head, websocket_head(WEBSOCKET_BINARY, bytes.len, head)));
    line_send(w->outer.line, bytes);
}

static size_t backlog(const struct line *self)
{
    return line_backlog(of(self)->outer.line);
}

static void close_with(struct websocket_line *w, enum websocket_code code)
{
    SCOPED(buffer_drop) struct buffer frame = {.max = WEBSOCKET_CONTROL_MAX + 16};
    if (w->closing)
        return;
    w->closing = true;
    websocket_put_close(&frame, code, "");
    line_send(w->outer.line, buffer_view(&frame));
    line_end(w->outer.line);
}

static void end(struct line *self)
{
    close_with(of(self), WEBSOCKET_NORMAL);
}

static void hold(struct line *self)
{
    struct websocket_line *w = of(self);
    w->held = true;
    w->outer.line->calls->hold(w->outer.line);
}

static void resume(struct line *self)
{
    struct websocket_line *w = of(self);
    w->held = false;
    w->outer.line->calls->resume(w->outer.line); /* which makes the connection ask us, also when it has nothing new */
}

static void patience(struct line *self, int64_t ms)
{
    struct line *outer = of(self)->outer.line;
    outer->calls->patience(outer, ms);
}

static void move(struct line *self, struct lobby *to)
{
    struct line *outer = of(self)->outer.line;
    of(self)->held = true; /* until it is heard again, there */
    loop_timer_clear(self->lobby->loop, &of(self)->heartbeat);
    outer->calls->move(outer, to);
}

static void settled(struct line *self)
{
    struct line *outer = of(self)->outer.line;
    self->certificate = (struct bytes){NULL, 0};
    self->peer = "";
    outer->calls->settled(outer);
}

static const struct line_calls calls = {
    send_bytes, backlog, end, hold, resume, patience, move, settled, .transport = "websocket",
};

/* ---- as a speaker */

static void pass_on(struct websocket_line *w)
{
    size_t used = 0;
    if (w->held || w->closing)
        return;
    err failed = w->inner.speaker->speech->hear(w->inner.speaker, buffer_view(&w->data), &used);
    buffer_consume(&w->data, used);
    if (!w->data.len)
        buffer_drop(&w->data);
    if (failed)
        close_with(w, WEBSOCKET_PROTOCOL_ERROR);
}

static void react(struct websocket_line *w)
{
    SCOPED(buffer_drop) struct buffer frame = {.max = WEBSOCKET_CONTROL_MAX + 16};
    switch (w->reader.event) {
    case WEBSOCKET_NOTHING:
    case WEBSOCKET_PONGED:
        return;
    case WEBSOCKET_PINGED:
        websocket_put_frame(&frame, WEBSOCKET_PONG, w->reader.control);
        line_send(w->outer.line, buffer_view(&frame));
        return;
    case WEBSOCKET_CLOSED:
        close_with(w, w->reader.peer_code);
        return;
    }
}

/* A device's certificate holds as long as the line; a deleted device is expelled by its session. */
static bool signed_out(const struct websocket_line *w)
{
    struct badges *badges = w->inner.lobby->badges;
    return w->inner.who.kind == PRINCIPAL_OPERATOR && !badges->holds(badges, w->session_hash);
}

/* Keeps middle boxes awake; it is also when a signed-out operator stops hearing. */
static void beat(struct timer *timer)
{
    struct websocket_line *w = CONTAINER(timer, struct websocket_line, heartbeat);
    struct lobby *lobby = w->inner.lobby;
    SCOPED(buffer_drop) struct buffer ping = {.max = 16};
    if (w->closing)
        return;
    websocket_put_frame(&ping, WEBSOCKET_PING, (struct bytes){NULL, 0});
    line_send(w->outer.line, buffer_view(&ping));
    if (signed_out(w) || loop_timer_set(lobby->loop, timer, HEARTBEAT_MS))
        close_with(w, WEBSOCKET_POLICY);
}

static err hear(struct speaker *speaker, struct bytes in, size_t *used)
{
    struct websocket_line *w = CONTAINER(speaker, struct websocket_line, outer);
    w->inner.lobby = w->outer.line->lobby;
    w->held = false;
    if (!w->heartbeat.place)
        beat(&w->heartbeat);
    pass_on(w); /* what an earlier hold or move left */
    while (in.len && !w->closing && !w->held) {
        size_t taken = 0;
        if (websocket_feed(&w->reader, in, &taken, &w->data)) {
            close_with(w, w->reader.fail_code);
            return OK;
        }
        *used += taken;
        in = bytes_from(in, taken);
        react(w);
        pass_on(w);
    }
    return OK;
}

static void drained(struct speaker *speaker)
{
    struct speaker *inner = CONTAINER(speaker, struct websocket_line, outer)->inner.speaker;
    inner->speech->drained(inner);
}

static void tired(struct speaker *speaker)
{
    struct speaker *inner = CONTAINER(speaker, struct websocket_line, outer)->inner.speaker;
    inner->speech->tired(inner);
}

static void lost(struct speaker *speaker)
{
    struct websocket_line *w = CONTAINER(speaker, struct websocket_line, outer);
    loop_timer_clear(w->inner.lobby->loop, &w->heartbeat);
    w->inner.speaker->speech->lost(w->inner.speaker);
    buffer_drop(&w->data);
    mem_drop(w);
}

static err make(struct http_speaker *h, struct websocket_line **out)
{
    static const struct speech speech = {"websocket", hear, drained, tired, lost};
    const struct line *line = h->speaker.line;
    struct websocket_line *w = MEM_NEW(struct websocket_line);
    if (!w)
        return &no_memory;
    *w = (struct websocket_line){.outer = {&speech, h->speaker.line},
                                 .heartbeat = {.due = beat},
                                 .inner = {.calls = &calls,
                                           .lobby = h->lobby,
                                           .who = h->inquiry.call.who,
                                           .certificate = line->certificate,
                                           .peer = line->peer},
                                 .data = {.max = h->lobby->limits->packet_max + 65536}};
    for (size_t i = 0; i < sizeof w->session_hash; i++)
        w->session_hash[i] = h->inquiry.call.session_hash[i];
    err failed = mqtt_speak(&w->inner, &w->inner.speaker);
    if (failed) {
        mem_drop(w);
        return failed;
    }
    *out = w;
    return OK;
}

static err accept(struct http_speaker *h, const struct websocket_offer *offer, struct buffer *answer)
{
    uint8_t digest[WEBSOCKET_DIGEST];
    SCOPED(buffer_drop) struct buffer text = {.max = 256};
    websocket_put_accept_text(&text, offer->key);
    TRY(buffer_finish(&text));
    TRY(digest_sha1_websocket_accept(buffer_view(&text), digest));
    websocket_put_upgrade(answer, offer, digest, (struct bytes){NULL, 0});
    return buffer_finish(answer);
}

void http_upgrade(struct http_speaker *h)
{
    static const char *const protocols[] = {"mqtt", NULL};
    SCOPED(buffer_drop) struct buffer answer = {.max = 1024};
    const struct http_request *request = http_request(h->parser);
    struct line *line = h->speaker.line;
    struct websocket_offer offer;
    struct websocket_line *w = NULL;
    err failed = websocket_offer(request, protocols, &offer);
    if (failed) {
        bool plain = err_is(failed, ERR_ABSENT) || err_is(failed, ERR_UNSUPPORTED);
        http_refuse(h, plain ? 426 : 400, err_text(failed),
                    plain ? "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" : "");
        return;
    }
    /* Another site's page carries the cookie too; its Origin gives it away (RFC 6455, 10.2). */
    if (offer.origin.len && !http_origin_is(offer.origin, request->host)) {
        http_refuse(h, 403, "this WebSocket is for pages of this server only", "");
        return;
    }
    failed = accept(h, &offer, &answer);
    if (!failed)
        failed = make(h, &w);
    if (failed) {
        http_refuse(h, 503, err_text(failed), "");
        return;
    }
    line_send(line, buffer_view(&answer));
    line->speaker = &w->outer;
    line->calls->patience(line, h->lobby->limits->handshake_ms);
    line->calls->resume(line); /* what came behind the request is the WebSocket's */
    h->speaker.line = NULL;
    http_release(h);
}
