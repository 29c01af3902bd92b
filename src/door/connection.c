/* Connections: the life of one, from its socket to its end.
 *
 * Whoever closes a socket in which unread bytes lie makes the kernel say RST, and the peer may lose what was said last:
 * why its body is too large, why its packet is none. So we only say that we are done, read past what still comes, and
 * wait a moment for the peer to close (RFC 9112, 9.6).
 *
 * Nothing is written or freed inside a speaker's callback: a connection that has work left goes on the lobby's dirty
 * list, and the sweep runs at the end of the turn. So a burst of messages becomes few writes, and no speaker ever loses
 * its line under its feet. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/connection_parts.h"

#include "base/memory.h"
#include "os/file.h"

#include <string.h>
#include <sys/epoll.h>

static const struct fault no_memory = {ERR_MEMORY, "door: no memory for a connection"};

enum { LINGER_MS = 2000, DISCARD = 131072 };

void connection_soil(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    struct traffic *t = lobby->traffic;
    if (!list_empty(&c->dirt))
        return;
    list_append(&lobby->dirty, &c->dirt);
    if (t->sweeping) /* the others have their turn before it is swept again */
        loop_at_next_turn_end(lobby->loop, &t->sweep);
    else
        loop_at_turn_end(lobby->loop, &t->sweep);
}

/* ---- the end */

static void lose_speaker(struct connection *c)
{
    struct speaker *speaker = c->line.speaker;
    c->line.speaker = NULL;
    if (speaker)
        speaker->speech->lost(speaker);
}

void connection_die(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    if (c->phase == DEAD)
        return;
    c->phase = DEAD;
    if (c->in_epoll)
        loop_unwatch(lobby->loop, &c->watcher);
    loop_timer_clear(lobby->loop, &c->timer);
    admission_forget(c);
    list_remove(&c->place);
    list_append(&lobby->graves, &c->place);
    connection_soil(c); /* so that the sweep runs */
    lose_speaker(c);
}

void connection_settle(struct connection *c)
{
    struct arrival *a = c->arrival;
    c->arrival = NULL;
    c->line.certificate = (struct bytes){NULL, 0};
    c->line.peer = "";
    if (!a)
        return;
    tls_context_drop(a->tls);
    buffer_drop(&a->certificate);
    mem_drop(a);
}

static void bury(struct connection *c)
{
    struct lobby *lobby = c->line.lobby;
    list_remove(&c->place);
    list_remove(&c->dirt);
    tls_close(c->tls);
    if (connection_waiting(c)) /* the peer did not take what we had to say, nor will it take what the kernel has */
        socket_abandon(c->watcher.fd);
    fd_close(&c->watcher.fd);
    traffic_give(lobby->traffic, &c->in);
    traffic_give(lobby->traffic, &c->out);
    connection_settle(c);
    counter_lower(&lobby->counts->connections_now, 1);
    mem_drop(c);
}

void connection_end(struct connection *c)
{
    if (c->phase == WAITING) {
        connection_die(c);
        return;
    }
    if (c->phase == OPEN || c->phase == HANDSHAKE) {
        admission_forget(c);
        c->phase = ENDING;
        c->tired_ms = 0; /* from here on only the stall counts */
    }
    connection_soil(c);
}

/* All that was queued is written: says good-bye to the speaker and to the peer. */
static void part(struct connection *c)
{
    lose_speaker(c);
    if (c->heard_all || c->leaves_at_once) {
        connection_die(c);
        return;
    }
    c->phase = LINGERING;
    tls_close(c->tls);
    c->tls = NULL;
    socket_finish(c->watcher.fd);
    connection_expect(c, &c->tired_ms, LINGER_MS);
}

/* ---- time */

void connection_expect(struct connection *c, int64_t *deadline, int64_t after_ms)
{
    struct loop *loop = c->line.lobby->loop;
    if (c->phase == DEAD)
        return;
    *deadline = after_ms ? loop_now_ms(loop) + after_ms : 0;
    if (!after_ms || (c->timer.place && c->timer.due_ms <= *deadline))
        return;
    if (loop_timer_set(loop, &c->timer, after_ms)) {
        c->spoiled = true;
        connection_soil(c);
    }
}

static void out_of_patience(struct connection *c)
{
    c->tired_ms = 0;
    if (c->phase == OPEN)
        c->line.speaker->speech->tired(c->line.speaker);
    else if (c->phase == WAITING)
        admission_shed(c);
    else
        connection_die(c);
}

static void due(struct timer *timer)
{
    struct connection *c = CONTAINER(timer, struct connection, timer);
    int64_t now_ms = loop_now_ms(c->line.lobby->loop);
    if (c->stalled_ms && now_ms >= c->stalled_ms)
        connection_die(c);
    else if (c->tired_ms && now_ms >= c->tired_ms)
        out_of_patience(c);
    if (c->tired_ms)
        connection_expect(c, &c->tired_ms, c->tired_ms > now_ms ? c->tired_ms - now_ms : 1);
    if (c->stalled_ms)
        connection_expect(c, &c->stalled_ms, c->stalled_ms > now_ms ? c->stalled_ms - now_ms : 1);
}

/* ---- revoked certificates */

bool connection_is_revoked(const struct connection *c)
{
    const struct tls_context *lists = c->line.lobby->traffic->lists;
    return lists && c->tls && tls_peer_is_revoked(c->tls, lists);
}

static void end_revoked(struct connection *c)
{
    static const char why[] = "its certificate was revoked";
    struct lobby *lobby = c->line.lobby;
    log_line(lobby->log, LOG_WARN, "connection ended", "device=%s why=\"%s\"", c->line.who.id, why);
    lobby->reporter->report(
        lobby->reporter,
        &(struct report){.kind = EVENT_CONNECTION_REFUSED, .device = c->line.who.id, .peer = c->line.peer, .why = why});
    connection_die(c); /* what is queued is not for it any more */
}

/* ---- the beginning */

void connection_begin(struct connection *c)
{
    c->phase = OPEN;
    if (c->arrival->protocol->speak(&c->line, &c->line.speaker)) {
        c->line.speaker = NULL;
        connection_die(c);
        return;
    }
    connection_expect(c, &c->tired_ms, c->line.lobby->limits->handshake_ms);
    if (c->tls && tls_has_pending(c->tls))
        connection_read(c); /* what came behind the handshake, and lies inside TLS */
}

static void ready(struct watcher *watcher, uint32_t events)
{
    struct connection *c = CONTAINER(watcher, struct connection, watcher);
    bool broken = events & (EPOLLERR | EPOLLHUP);
    switch ((enum phase)c->phase) {
    case HANDSHAKE:
        admission_ready(c);
        return;
    case LINGERING:
        if (socket_discard(watcher->fd, DISCARD))
            connection_die(c);
        return;
    case OPEN:
        if (broken && c->held)
            connection_die(c);
        else if (broken || events & EPOLLIN)
            connection_read(c);
        break;
    case ENDING:
        if (broken)
            connection_die(c);
        break;
    case WAITING:
    case DEAD:
        return;
    }
    if (c->phase != DEAD && (events & c->blocked || (broken && c->blocked)))
        connection_write(c);
    if (c->phase == ENDING)
        connection_soil(c); /* perhaps all was written */
    connection_unwatch_idle(c, events);
    connection_watch(c);
}

static struct connection *make(const struct listener *l, int fd, const char peer[ADDRESS_TEXT])
{
    struct connection *c = MEM_NEW(struct connection);
    struct arrival *a = c ? MEM_NEW(struct arrival) : NULL;
    if (!a) {
        mem_drop(c);
        return NULL;
    }
    *a = (struct arrival){.connection = c,
                          .certificate = {.max = 65536},
                          .protocol = l->protocol,
                          .tls = l->tls ? tls_context_share(l->tls) : NULL};
    memcpy(a->peer, peer, ADDRESS_TEXT);
    *c = (struct connection){
        .line = {.calls = l->tls ? &connection_tls_calls : &connection_plain_calls,
                 .lobby = l->lobby,
                 .who.kind = l->tls ? PRINCIPAL_NOBODY : PRINCIPAL_ANONYMOUS,
                 .peer = a->peer},
        .watcher = {fd, ready},
        .timer = {.due = due},
        .arrival = a,
        .phase = l->tls ? WAITING : OPEN,
    };
    list_open(&c->dirt);
    list_open(&a->queue);
    list_open(&a->step);
    return c;
}

err connection_open(const struct listener *l, int fd, const char peer[ADDRESS_TEXT])
{
    struct connection *c = make(l, fd, peer);
    if (!c)
        return &no_memory;
    list_append(&l->lobby->lines, &c->place);
    counter_raise(&l->lobby->counts->connections_now, 1);
    counter_raise(&l->lobby->counts->accepted, 1);
    if (l->tls)
        admission_queue(c);
    else
        connection_begin(c);
    connection_watch(c);
    return OK;
}

void connection_arrived(struct connection *c)
{
    connection_expect(c, &c->tired_ms, c->line.lobby->limits->handshake_ms);
    if (c->stalled_ms)
        connection_expect(c, &c->stalled_ms, c->line.lobby->limits->stall_ms);
    connection_watch(c);
    c->unread = true;
    connection_soil(c);
    if (c->line.lobby->shut)
        connection_leave_now(c);
    else if (connection_is_revoked(c))
        end_revoked(c);
}

/* ---- all lines of a lobby */

static void sweep_one(struct connection *c)
{
    if (c->phase == OPEN && c->unread && !c->held)
        connection_read(c);
    if (c->phase == DEAD)
        return;
    if (c->moving_to) {
        connection_leave(c);
        return; /* it may be on another thread by now */
    }
    bool talks = c->phase == OPEN || c->phase == ENDING;
    if (c->spoiled || (talks && connection_waiting(c) && !c->blocked))
        connection_write(c);
    if (c->phase == ENDING && !connection_waiting(c))
        part(c);
    connection_watch(c);
}

void connection_sweep(struct lobby *lobby)
{
    struct traffic *t = lobby->traffic;
    struct list now;
    list_open(&now);
    t->sweeping = true;
    for (struct list *at = list_take(&lobby->dirty); at; at = list_take(&lobby->dirty))
        list_append(&now, at);
    for (struct list *at = list_take(&now); at; at = list_take(&now))
        sweep_one(CONTAINER(at, struct connection, dirt));
    admission_run(lobby);
    for (struct list *at = list_take(&lobby->graves); at; at = list_take(&lobby->graves))
        bury(CONTAINER(at, struct connection, place));
    t->sweeping = false;
}

void connection_end_revoked(struct lobby *lobby, struct tls_context *ctx)
{
    struct tls_context *before = lobby->traffic->lists;
    lobby->traffic->lists = tls_context_share(ctx);
    tls_context_drop(before);
    list_each (at, &lobby->lines) {
        struct connection *c = CONTAINER(at, struct connection, place);
        if (c->phase == OPEN && connection_is_revoked(c))
            end_revoked(c);
    }
}

void connection_end_all(struct lobby *lobby)
{
    for (struct list *at = lobby->lines.next; at != &lobby->lines; at = lobby->lines.next)
        connection_die(CONTAINER(at, struct connection, place));
    connection_sweep(lobby);
}

void connection_leave_now(struct connection *c)
{
    c->leaves_at_once = true;
    if (c->phase == LINGERING)
        connection_die(c);
    else
        connection_end(c);
}

void connection_close_all(struct lobby *lobby)
{
    list_each (at, &lobby->lines) {
        connection_leave_now(CONTAINER(at, struct connection, place));
    }
}
