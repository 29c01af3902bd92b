/* A connection's bytes: one read and one write in a turn.
 *
 * Bytes are read into the scratch that all connections of a loop share, and heard there: only an unfinished rest is
 * copied, into a buffer of the pool. A read that brings less than there was room for is the last, as epoll tells of
 * what comes later. What is sent is gathered in a buffer of the pool until the sweep writes it, which then goes back:
 * an idle connection holds no bytes at all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection_parts.h"

#include <string.h>
#include <sys/epoll.h>

static const struct fault too_much = {ERR_TOO_LARGE, "door: the peer sent more than fits before it made sense"};

enum {
    OUT_MAX = ANSWER_BODY_MAX + 65536,
    TURN_LONG_MS = 2, /* from here on each peer gets a smaller share of a turn: it is the others who wait */
    SHARE_SMALL = 4096,
};

static struct traffic *traffic_of(const struct connection *c)
{
    return c->line.lobby->traffic;
}

size_t connection_waiting(const struct connection *c)
{
    return c->out ? c->out->len - c->written : 0;
}

/* ---- what epoll tells */

static uint32_t wanted(const struct connection *c)
{
    switch ((enum phase)c->phase) {
    case HANDSHAKE:
        return tls_wants(c->tls);
    case OPEN:
        return (c->held ? 0 : EPOLLIN) | c->blocked;
    case ENDING:
        return c->blocked;
    case LINGERING:
        return EPOLLIN;
    case WAITING:
    case DEAD:
        break;
    }
    return 0;
}

static void ask_epoll(struct connection *c, uint32_t events)
{
    err failed = c->in_epoll ? loop_rewatch(c->line.lobby->loop, &c->watcher, events)
                             : loop_watch(c->line.lobby->loop, &c->watcher, events);
    c->watched = (uint16_t)events;
    c->in_epoll = c->in_epoll || !failed;
    if (failed)
        connection_die(c);
}

/* What is watched in vain stays so until epoll tells of it: most that are held are heard again before that. */
void connection_watch(struct connection *c)
{
    uint32_t events = wanted(c);
    if (events & ~(uint32_t)c->watched || (!c->in_epoll && c->phase != WAITING && c->phase != DEAD))
        ask_epoll(c, events);
}

void connection_unwatch_idle(struct connection *c, uint32_t told)
{
    uint32_t events = wanted(c);
    if (c->phase != DEAD && c->in_epoll && told & c->watched & ~events)
        ask_epoll(c, events);
}

/* ---- in */

/* Keeps what the speaker did not use: a view of the scratch, or of c->in itself. */
static void keep(struct connection *c, struct bytes left)
{
    const struct door_limits *limits = c->line.lobby->limits;
    if (!left.len) {
        traffic_give(traffic_of(c), &c->in);
        return;
    }
    if (c->in && left.at >= c->in->at && left.at < c->in->at + c->in->len) {
        buffer_consume(c->in, (size_t)(left.at - c->in->at));
        return;
    }
    if (!c->in)
        c->in = traffic_take(traffic_of(c), limits->packet_max + limits->body_max + 2 * TLS_BATCH);
    if (!c->in) {
        connection_end(c);
        return;
    }
    buffer_clear(c->in);
    put_bytes(c->in, left);
    if (c->in->spoiled)
        connection_end(c);
}

static void hear(struct connection *c, struct bytes in)
{
    size_t used = 0;
    struct speaker *speaker = c->line.speaker;
    err failed = speaker->speech->hear(speaker, in, &used);
    keep(c, bytes_from(in, used));
    if (failed)
        connection_end(c);
}

static bool hears(const struct connection *c)
{
    return c->phase == OPEN && !c->held && !c->moving_to;
}

/* TLS opens whole records only, and a batch of them at once. */
static size_t share(const struct connection *c)
{
    return !c->tls && loop_turn_ms(c->line.lobby->loop) >= TURN_LONG_MS ? SHARE_SMALL : TLS_BATCH;
}

/* Where the next bytes go: behind the rest, wherever that is by then. NULL: there is no room. */
static uint8_t *room_behind_rest(struct connection *c, size_t *front)
{
    uint8_t *scratch = traffic_of(c)->scratch;
    struct bytes rest = c->in ? buffer_view(c->in) : (struct bytes){NULL, 0};
    *front = rest.len;
    if (rest.len > SCRATCH_FRONT)
        return buffer_reserve(c->in, TLS_BATCH);
    if (rest.len)
        memcpy(scratch, rest.at, rest.len);
    return scratch + rest.len;
}

static void receive(struct connection *c)
{
    size_t front, got = 0;
    uint8_t *room = room_behind_rest(c, &front);
    err failed = !room    ? &too_much
                 : c->tls ? tls_read(c->tls, room, TLS_BATCH, &got)
                          : socket_read(c->watcher.fd, room, share(c), &got);
    if (err_is(failed, ERR_AGAIN))
        return;
    if (failed) { /* one that only sends no more still reads what it asked for */
        c->heard_all = failed != &too_much;
        connection_end(c);
        return;
    }
    bool pending = c->tls && tls_has_pending(c->tls);
    if (front > SCRATCH_FRONT) {
        buffer_filled(c->in, got);
        hear(c, buffer_view(c->in));
    } else {
        hear(c, bytes_of(traffic_of(c)->scratch, front + got));
    }
    if (pending && c->phase == OPEN) {
        c->unread = true;
        connection_soil(c);
    }
}

void connection_read(struct connection *c)
{
    /* What an earlier hold left; a line within this one may have kept something although we have nothing. */
    if (c->unread && hears(c)) {
        c->unread = false;
        hear(c, c->in ? buffer_view(c->in) : (struct bytes){NULL, 0});
    }
    if (hears(c))
        receive(c);
}

/* ---- out */

/* A peer that takes a part each time would otherwise have us keep all that it took. */
static void forget_written(struct connection *c)
{
    if (c->written < c->out->len / 2)
        return;
    buffer_consume(c->out, c->written);
    c->written = 0;
}

static err write_all(struct connection *c)
{
    while (!c->blocked && connection_waiting(c)) {
        size_t taken = 0;
        struct bytes left = bytes_from(buffer_view(c->out), c->written);
        err failed = c->tls ? tls_write(c->tls, left, &taken) : socket_write(c->watcher.fd, left, &taken);
        c->written += (uint32_t)taken;
        /* A socket that takes a part takes no more at once; TLS may only have reached the end of a batch. */
        if (err_is(failed, ERR_AGAIN) || (!c->tls && taken < left.len))
            c->blocked = c->tls ? (uint16_t)tls_wants(c->tls) : EPOLLOUT;
        if (failed && !c->blocked)
            return failed;
    }
    return OK;
}

void connection_write(struct connection *c)
{
    size_t before = connection_waiting(c);
    c->blocked = 0;
    if (c->spoiled || write_all(c)) {
        connection_die(c);
        return;
    }
    if (connection_waiting(c)) {
        if (connection_waiting(c) != before || !c->stalled_ms)
            connection_expect(c, &c->stalled_ms, c->line.lobby->limits->stall_ms);
        forget_written(c);
        return;
    }
    traffic_give(traffic_of(c), &c->out);
    c->written = 0;
    c->stalled_ms = 0;
    if (before && c->phase == OPEN)
        c->line.speaker->speech->drained(c->line.speaker);
}

/* ---- the line's calls */

static struct connection *of(const struct line *self)
{
    return CONTAINER(self, struct connection, line);
}

static void send_bytes(struct line *self, struct bytes bytes)
{
    struct connection *c = of(self);
    if (c->phase != OPEN || !bytes.len)
        return; /* behind its end: a peer that takes a little from time to time would never see it otherwise */
    if (!c->out)
        c->out = traffic_take(traffic_of(c), OUT_MAX);
    if (c->out)
        put_bytes(c->out, bytes);
    c->spoiled = !c->out || c->out->spoiled;
    connection_soil(c);
}

static size_t backlog(const struct line *self)
{
    return connection_waiting(of(self));
}

static void end(struct line *self)
{
    connection_end(of(self));
}

static void hold(struct line *self)
{
    of(self)->held = true;
}

static void resume(struct line *self)
{
    struct connection *c = of(self);
    c->held = false;
    c->unread = true; /* what waits in the buffer or inside TLS will wake no epoll */
    connection_soil(c);
}

static void patience(struct line *self, int64_t ms)
{
    struct connection *c = of(self);
    if (c->phase == OPEN || !ms)
        connection_expect(c, &c->tired_ms, ms);
}

static void move(struct line *self, struct lobby *to)
{
    of(self)->moving_to = to;
    connection_soil(of(self));
}

static void settled(struct line *self)
{
    connection_settle(of(self));
}

const struct line_calls connection_tls_calls = {
    send_bytes, backlog, end, hold, resume, patience, move, settled, .transport = "tls",
};
const struct line_calls connection_plain_calls = {
    send_bytes, backlog, end, hold, resume, patience, move, settled, .transport = "plain",
};
