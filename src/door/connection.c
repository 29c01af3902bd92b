/* Connections: handshake, bytes in, bytes out, the end.
 *
 *   HANDSHAKE -> OPEN -> ENDING (what is queued is written) -> LINGERING -> DEAD (buried by the next sweep)
 *
 * Whoever closes a socket in which unread bytes lie makes the kernel say RST, and the peer may lose what was said last:
 * why its body is too large, why its packet is none. So we only say that we are done, read past what still comes, and
 * wait a moment for the peer to close (RFC 9112, 9.6).
 *
 * Nothing is written or freed inside a speaker's callback: a connection that has work left goes on the lobby's dirty
 * list, and the sweep runs when the present callback is over. So a burst of messages becomes few writes, and no speaker
 * ever loses its line under its feet. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection.h"

#include "base/memory.h"
#include "crypto/certificate.h"
#include "os/file.h"

#include <string.h>
#include <sys/epoll.h>

static const struct fault no_memory = {ERR_MEMORY, "door: no memory for a connection"};
static const struct fault too_much = {ERR_TOO_LARGE, "door: the peer sent more than fits before it made sense"};

enum {
    READ_CHUNK = 16384,
    READ_BUDGET = 131072, /* bytes of one connection before the others have their turn */
    LINGER_MS = 2000,
    OUT_MAX = ANSWER_BODY_MAX + 65536,
};

enum phase { HANDSHAKE, OPEN, ENDING, LINGERING, DEAD };

struct connection {
    struct line line;
    struct list place; /* in the lobby's lines or graves */
    struct list dirt;  /* in the lobby's dirty list */
    int fd;
    enum phase phase;
    struct tls *tls; /* NULL: of a plain port, or closed already */
    struct watcher watcher;
    uint32_t watched;
    struct timer patience, stall;
    struct buffer in, out;
    size_t written;             /* of out */
    bool held, unread, blocked; /* blocked: the socket takes no more just now */
    bool heard_all;             /* the peer sends no more */
    bool leaves_at_once;        /* the server stops: no time to linger */
    struct lobby *moving_to;
    const struct protocol *protocol;
    struct buffer certificate;
    char peer[ADDRESS_TEXT];
};

struct moving {
    struct mail mail;
    struct connection *connection;
};

static void soil(struct connection *c)
{
    if (!list_empty(&c->dirt))
        return;
    list_append(&c->line.lobby->dirty, &c->dirt);
    if (!c->line.lobby->sweep.place)
        IGNORE(loop_timer_set(c->line.lobby->loop, &c->line.lobby->sweep, 0));
}

static size_t waiting(const struct connection *c)
{
    return c->out.len - c->written;
}

static void lose_speaker(struct connection *c)
{
    struct speaker *speaker = c->line.speaker;
    c->line.speaker = NULL;
    if (speaker)
        speaker->speech->lost(speaker);
}

static void die(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    if (c->phase == DEAD)
        return;
    c->phase = DEAD;
    loop_unwatch(lobby->loop, &c->watcher);
    loop_timer_clear(lobby->loop, &c->patience);
    loop_timer_clear(lobby->loop, &c->stall);
    list_remove(&c->place);
    list_append(&lobby->graves, &c->place);
    soil(c); /* so that the sweep runs */
    lose_speaker(c);
}

static void bury(struct connection *c)
{
    list_remove(&c->place);
    list_remove(&c->dirt);
    tls_close(c->tls);
    fd_close(&c->fd);
    buffer_wipe(&c->in);
    buffer_wipe(&c->out);
    buffer_drop(&c->certificate);
    counter_lower(&c->line.lobby->counts->connections_now, 1);
    mem_drop(c);
}

/* ---- TLS or none */

static err transport_read(struct connection *c, uint8_t *out, size_t room, size_t *got)
{
    return c->tls ? tls_read(c->tls, out, room, got) : socket_read(c->fd, out, room, got);
}

static err transport_write(struct connection *c, struct bytes in, size_t *taken)
{
    return c->tls ? tls_write(c->tls, in, taken) : socket_write(c->fd, in, taken);
}

/* What the last write waits for. */
static uint32_t transport_wants(const struct connection *c)
{
    return c->tls ? tls_wants(c->tls) : EPOLLOUT;
}

/* Watches for what can happen next; dies when epoll will not. */
static void watch(struct connection *c)
{
    uint32_t events = 0;
    if (c->phase == DEAD)
        return;
    if (c->phase == HANDSHAKE)
        events = tls_wants(c->tls);
    else if (c->phase == LINGERING)
        events = EPOLLIN;
    else
        events = (c->held || c->phase == ENDING ? 0 : EPOLLIN) | (c->blocked ? transport_wants(c) : 0);
    if (events == c->watched)
        return;
    c->watched = events;
    if (loop_rewatch(c->line.lobby->loop, &c->watcher, events))
        die(c);
}

/* ---- the line's calls */

static void send_bytes(struct line *self, struct bytes bytes)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    if (c->phase == DEAD)
        return;
    put_bytes(&c->out, bytes);
    soil(c);
}

static size_t backlog(const struct line *self)
{
    return waiting(CONTAINER(self, struct connection, line));
}

static void end(struct line *self)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    if (c->phase == OPEN || c->phase == HANDSHAKE) {
        c->phase = ENDING;
        loop_timer_clear(self->lobby->loop, &c->patience); /* from here on only the stall counts */
    }
    soil(c);
}

static void hold(struct line *self)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    c->held = true;
    soil(c);
}

static void resume(struct line *self)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    c->held = false;
    c->unread = true; /* what waits in the buffer or inside TLS will wake no epoll */
    soil(c);
}

/* Ends it soon: not here, where its speaker may be speaking. */
static void give_up(struct connection *c)
{
    c->out.spoiled = true;
    soil(c);
}

static void patience(struct line *self, int64_t ms)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    if (c->phase == DEAD)
        return;
    if (!ms)
        loop_timer_clear(self->lobby->loop, &c->patience);
    else if (c->phase != ENDING && loop_timer_set(self->lobby->loop, &c->patience, ms))
        give_up(c);
}

static void move(struct line *self, struct lobby *to)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    c->moving_to = to;
    soil(c);
}

static void settled(struct line *self)
{
    struct connection *c = CONTAINER(self, struct connection, line);
    buffer_drop(&c->certificate);
    self->certificate = (struct bytes){NULL, 0};
    self->peer = "";
}

static const struct line_calls calls = {
    send_bytes, backlog, end, hold, resume, patience, move, settled, .transport = "tls",
};
static const struct line_calls plain_calls = {
    send_bytes, backlog, end, hold, resume, patience, move, settled, .transport = "plain",
};

static void hear(struct connection *c)
{
    size_t used = 0;
    struct speaker *speaker = c->line.speaker;
    if (c->phase != OPEN || c->held || c->moving_to)
        return;
    err failed = speaker->speech->hear(speaker, buffer_view(&c->in), &used);
    buffer_consume(&c->in, used);
    if (!c->in.len)
        buffer_drop(&c->in);
    if (failed)
        end(&c->line);
}

static void read_some(struct connection *c)
{
    size_t budget = READ_BUDGET;
    /* What an earlier hold left; a line within this one may have kept something although we have nothing. */
    if (c->unread)
        hear(c);
    c->unread = false;
    while (c->phase == OPEN && !c->held && !c->moving_to) {
        size_t got = 0;
        uint8_t *room = buffer_reserve(&c->in, READ_CHUNK);
        err failed = room ? transport_read(c, room, READ_CHUNK, &got) : &too_much;
        if (err_is(failed, ERR_AGAIN)) {
            if (!c->in.len)
                buffer_drop(&c->in);
            return;
        }
        if (failed) { /* one that only sends no more still reads what it asked for */
            c->heard_all = failed != &too_much;
            end(&c->line);
            return;
        }
        buffer_filled(&c->in, got);
        hear(c);
        if (got >= budget) {
            c->unread = true; /* TLS may hold decrypted bytes that epoll cannot see */
            soil(c);
            return;
        }
        budget -= got;
    }
}

static void stalled(struct timer *timer)
{
    die(CONTAINER(timer, struct connection, stall));
}

/* All that was queued is written: says good-bye to the speaker and to the peer. */
static void part(struct connection *c)
{
    lose_speaker(c);
    if (c->heard_all || c->leaves_at_once || loop_timer_set(c->line.lobby->loop, &c->patience, LINGER_MS)) {
        die(c);
        return;
    }
    c->phase = LINGERING;
    tls_close(c->tls);
    c->tls = NULL;
    socket_finish(c->fd);
}

static void write_some(struct connection *c)
{
    size_t before = waiting(c);
    c->blocked = false;
    if (c->out.spoiled) {
        die(c);
        return;
    }
    while (waiting(c)) {
        size_t taken = 0;
        err failed = transport_write(c, bytes_from(buffer_view(&c->out), c->written), &taken);
        if (err_is(failed, ERR_AGAIN)) {
            c->blocked = true;
            break;
        }
        if (failed) {
            die(c);
            return;
        }
        c->written += taken;
    }
    if (!waiting(c)) {
        buffer_drop(&c->out);
        c->written = 0;
        loop_timer_clear(c->line.lobby->loop, &c->stall);
        if (before && c->phase == OPEN)
            c->line.speaker->speech->drained(c->line.speaker);
    } else if (waiting(c) != before || !c->stall.place) {
        if (loop_timer_set(c->line.lobby->loop, &c->stall, c->line.lobby->limits->stall_ms))
            die(c);
    }
    if (c->phase == ENDING && !waiting(c))
        part(c);
}

static void prove(struct connection *c)
{
    char id[DEVICE_ID_MAX + 1];
    if (tls_peer_certificate(c->tls, &c->certificate))
        return; /* it showed none: it stays nobody */
    c->line.certificate = buffer_view(&c->certificate);
    if (!certificate_uri(c->line.certificate, DEVICE_URI, id, sizeof id))
        IGNORE(principal_set(&c->line.who, PRINCIPAL_DEVICE, bytes_of_text(id)));
}

static void begin(struct connection *c)
{
    c->phase = OPEN;
    if (c->protocol->speak(&c->line, &c->line.speaker)) {
        c->line.speaker = NULL;
        die(c);
        return;
    }
    patience(&c->line, c->line.lobby->limits->handshake_ms);
    if (c->tls)
        read_some(c); /* what came behind the handshake, and lies inside TLS */
}

static void shake_hands(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    err failed = tls_handshake(c->tls);
    if (err_is(failed, ERR_AGAIN))
        return;
    if (failed) {
        counter_raise(&lobby->counts->handshakes_refused, 1);
        log_line(lobby->log, LOG_INFO, "handshake refused", "peer=%s door=%s why=\"%s\"", c->peer, c->protocol->name,
                 tls_trouble(c->tls));
        /* Whom we refused leaves an event. One that went away does not, nor one that refused us: a browser that does
         * not know our root does so many times. */
        if (err_is(failed, ERR_REFUSED) && !tls_peer_refused(c->tls))
            lobby->reporter->report(
                lobby->reporter,
                &(struct report){.kind = EVENT_CONNECTION_REFUSED, .peer = c->peer, .why = tls_trouble(c->tls)});
        die(c);
        return;
    }
    prove(c);
    begin(c);
}

static void out_of_patience(struct timer *timer)
{
    struct connection *c = CONTAINER(timer, struct connection, patience);
    if (c->phase == OPEN)
        c->line.speaker->speech->tired(c->line.speaker);
    else
        die(c);
}

static void ready(struct watcher *watcher, uint32_t events)
{
    struct connection *c = CONTAINER(watcher, struct connection, watcher);
    if (c->phase == LINGERING) {
        if (socket_discard(c->fd, READ_BUDGET))
            die(c);
        return;
    }
    if (c->phase == HANDSHAKE)
        shake_hands(c);
    else if (events & (EPOLLERR | EPOLLHUP) && (c->held || c->phase == ENDING))
        die(c);
    else if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
        read_some(c);
    if (c->phase != DEAD && (events & EPOLLOUT || c->blocked))
        write_some(c);
    watch(c);
}

/* The server stops: no time to linger. */
static void leave_now(struct connection *c)
{
    c->leaves_at_once = true;
    if (c->phase == LINGERING)
        die(c);
    else
        end(&c->line);
}

/* ---- moving to another loop */

static void arrive(struct mail *mail)
{
    struct moving *moving = CONTAINER(mail, struct moving, mail);
    struct connection *c = moving->connection;
    struct lobby *lobby = c->line.lobby;
    mem_drop(moving);
    list_append(&lobby->lines, &c->place);
    c->watched = EPOLLIN;
    if (loop_watch(lobby->loop, &c->watcher, c->watched)) {
        die(c);
        return;
    }
    patience(&c->line, lobby->limits->handshake_ms);
    c->unread = true;
    soil(c);
    if (lobby->shut)
        leave_now(c);
}

static void leave(struct connection *c)
{
    struct lobby *from = c->line.lobby, *to = c->moving_to;
    struct moving *moving = MEM_NEW(struct moving);
    c->moving_to = NULL;
    if (!moving) {
        die(c);
        return;
    }
    *moving = (struct moving){.mail = {.open = arrive}, .connection = c};
    loop_unwatch(from->loop, &c->watcher);
    loop_timer_clear(from->loop, &c->patience);
    loop_timer_clear(from->loop, &c->stall);
    list_remove(&c->place);
    c->line.lobby = to;
    if (mailbox_post(loop_mailbox(to->loop),
                     &moving->mail)) { /* that loop has too much to do: the peer may come again */
        mem_drop(moving);
        c->line.lobby = from;
        list_append(&from->lines, &c->place);
        die(c);
    }
}

/* ---- the sweep */

static void sweep_one(struct connection *c)
{
    if (c->phase == DEAD)
        return;
    if (c->phase == OPEN && c->unread && !c->held)
        read_some(c);
    if (c->phase == DEAD)
        return;
    if (c->moving_to) {
        leave(c);
        return; /* it may be on another thread by now */
    }
    if (c->phase != HANDSHAKE && (waiting(c) || c->phase == ENDING || c->out.spoiled))
        write_some(c);
    watch(c);
}

void connection_sweep(struct lobby *lobby)
{
    struct list now;
    list_open(&now);
    /* Those that get dirty again while they are swept wait for the next round, so that one busy peer starves nobody. */
    for (struct list *at = list_take(&lobby->dirty); at; at = list_take(&lobby->dirty))
        list_append(&now, at);
    for (struct list *at = list_take(&now); at; at = list_take(&now))
        sweep_one(CONTAINER(at, struct connection, dirt));
    for (struct list *at = list_take(&lobby->graves); at; at = list_take(&lobby->graves))
        bury(CONTAINER(at, struct connection, place));
}

void connection_end_all(struct lobby *lobby)
{
    for (struct list *at = lobby->lines.next; at != &lobby->lines; at = lobby->lines.next)
        die(CONTAINER(at, struct connection, place));
    connection_sweep(lobby);
}

void connection_close_all(struct lobby *lobby)
{
    list_each (at, &lobby->lines) {
        leave_now(CONTAINER(at, struct connection, place));
    }
}

err connection_open(const struct listener *l, int fd, const char peer[ADDRESS_TEXT])
{
    struct connection *c = MEM_NEW(struct connection);
    if (!c)
        return &no_memory;
    struct tls *tls = NULL;
    err failed = l->tls ? tls_open(l->tls, fd, &tls) : OK;
    if (failed) {
        mem_drop(c);
        return failed;
    }
    *c = (struct connection){
        .line = {.calls = tls ? &calls : &plain_calls,
                 .lobby = l->lobby,
                 .who.kind = l->tls ? PRINCIPAL_NOBODY : PRINCIPAL_ANONYMOUS},
        .fd = fd,
        .phase = HANDSHAKE,
        .tls = tls,
        .watcher = {fd, ready},
        .watched = EPOLLIN,
        .patience = {.due = out_of_patience},
        .stall = {.due = stalled},
        .in = {.max = l->lobby->limits->packet_max + l->lobby->limits->body_max + 2 * READ_CHUNK},
        .out = {.max = OUT_MAX},
        .protocol = l->protocol,
        .certificate = {.max = 65536},
    };
    memcpy(c->peer, peer, ADDRESS_TEXT);
    c->line.peer = c->peer;
    list_open(&c->dirt);
    list_append(&l->lobby->lines, &c->place);
    counter_raise(&l->lobby->counts->connections_now, 1);
    counter_raise(&l->lobby->counts->accepted, 1);
    if (loop_watch(l->lobby->loop, &c->watcher, EPOLLIN) ||
        loop_timer_set(l->lobby->loop, &c->patience, l->lobby->limits->handshake_ms))
        die(c);
    else if (!tls)
        begin(c);
    return OK;
}
