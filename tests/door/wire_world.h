/* Real connections over the loopback: two lobbies on one loop, a speaker that does what a test tells it, and clients on
 * the same loop, in the clear or with TLS. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "door/connection_parts.h"
#include "os/certificates.h"
#include "os/clock.h"
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOBBIES = 2, SPOKEN_MAX = 64, PATIENCE_MS = 60000 };

/* Answers each line ("...\n") with the same in capitals; a few words it obeys instead. */
struct spoken {
    struct speaker speaker;
    struct world *world;
    size_t number;
    unsigned hears, tired, drained;
    bool lost, holds;
    bool astray; /* it was heard while a lobby was swept that is not its own */
};

struct world {
    struct loop *loop;
    struct log log;
    struct door_limits limits;
    struct door_counts counts[LOBBIES];
    struct interests interests[LOBBIES];
    struct reporter reporter;
    struct lobby lobbies[LOBBIES], *all[LOBBIES];
    struct listener listener;
    struct protocol protocol;
    struct timer look;
    bool (*done)(struct world *w);
    int64_t until_ms;
    int port_fd;
    uint16_t port;
    struct spoken spoken[SPOKEN_MAX]; /* as they came */
    size_t spoken_count;
    struct party root, server, device;
    struct tls_context *server_tls, *client_tls;
    struct dice dice;
    unsigned reports;
};

/* ---- the speaker */

static inline void obey(struct spoken *s, struct bytes line)
{
    struct line *l = s->speaker.line;
    uint8_t capitals[65536];
    if (bytes_is(line, "hold\n")) {
        s->holds = true;
        l->calls->hold(l);
    } else if (bytes_is(line, "move\n")) {
        l->calls->move(l, s->world->all[1]);
    } else if (bytes_is(line, "settle\n")) {
        l->calls->settled(l);
        line_send(l, bytes_of_text(l->peer[0] || l->certificate.len ? "KNOWN\n" : "FORGOTTEN\n"));
    } else if (bytes_is(line, "who\n")) {
        line_send(l, bytes_of_text(l->who.kind == PRINCIPAL_ANONYMOUS ? "ANONYMOUS" : l->who.id));
        line_send(l, BYTES("\n"));
    } else if (bytes_is(line, "much\n")) {
        memset(capitals, 'M', sizeof capitals);
        for (int i = 0; i < 128; i++)
            line_send(l, bytes_of(capitals, sizeof capitals));
    } else if (bytes_is(line, "end\n")) {
        line_send(l, BYTES("LAST WORDS\n"));
        line_end(l);
    } else {
        size_t len = line.len < sizeof capitals ? line.len : sizeof capitals;
        for (size_t i = 0; i < len; i++)
            capitals[i] = line.at[i] >= 'a' && line.at[i] <= 'z' ? (uint8_t)(line.at[i] - 32) : line.at[i];
        line_send(l, bytes_of(capitals, len));
    }
}

static inline err spoken_hear(struct speaker *self, struct bytes in, size_t *used)
{
    struct spoken *s = CONTAINER(self, struct spoken, speaker);
    size_t at;
    s->hears++;
    for (size_t i = 0; i < LOBBIES; i++)
        s->astray |= s->world->all[i] != self->line->lobby && s->world->all[i]->traffic->sweeping;
    while (!s->holds && bytes_find(in, '\n', &at)) {
        struct bytes line = bytes_first(in, at + 1);
        in = bytes_from(in, at + 1);
        *used += at + 1;
        obey(s, line);
        if (bytes_is(line, "move\n") || bytes_is(line, "end\n"))
            break;
    }
    return OK;
}

static inline void spoken_drained(struct speaker *self)
{
    CONTAINER(self, struct spoken, speaker)->drained++;
}

static inline void spoken_tired(struct speaker *self)
{
    CONTAINER(self, struct spoken, speaker)->tired++;
}

static inline void spoken_lost(struct speaker *self)
{
    struct spoken *s = CONTAINER(self, struct spoken, speaker);
    s->lost = true;
    s->speaker.line = NULL;
}

static inline err spoken_speak(struct line *line, struct speaker **out);

/* ---- time */

static inline void world_look(struct timer *timer)
{
    struct world *w = CONTAINER(timer, struct world, look);
    if (w->done(w)) {
        loop_stop(w->loop);
        return;
    }
    assert_true(loop_now_ms(w->loop) < w->until_ms); /* it never comes */
    assert_null(loop_timer_set(w->loop, timer, 1));
}

/* Everything happens until `done` holds. */
static inline void run_until(struct world *w, bool (*done)(struct world *w))
{
    w->done = done;
    w->until_ms = loop_now_ms(w->loop) + PATIENCE_MS;
    assert_null(loop_timer_set(w->loop, &w->look, 0));
    assert_null(loop_run(w->loop));
}

/* ---- clients: non-blocking, turned by the test */

struct guest {
    int fd;
    struct tls *tls;
    struct buffer heard;
    bool closed, reset;
};

static inline void guest_open(struct world *w, struct guest *g)
{
    *g = (struct guest){.fd = -1, .heard = {.max = 64 << 20}};
    assert_null(socket_connect("127.0.0.1", w->port, &g->fd));
    if (w->client_tls)
        assert_null(tls_open(w->client_tls, g->fd, &g->tls));
}

static inline void guest_close(struct guest *g)
{
    tls_close(g->tls);
    fd_close(&g->fd);
    buffer_drop(&g->heard);
    g->fd = -1;
    g->tls = NULL;
}

/* How much went out. */
static inline size_t guest_send(struct guest *g, struct bytes bytes)
{
    size_t taken = 0;
    err failed = g->tls ? tls_write(g->tls, bytes, &taken) : socket_write(g->fd, bytes, &taken);
    return failed ? 0 : taken;
}

static inline void guest_say(struct guest *g, const char *text)
{
    assert_int_equal(guest_send(g, bytes_of_text(text)), strlen(text));
}

static inline void guest_hear(struct guest *g)
{
    uint8_t piece[65536];
    size_t got;
    for (;;) {
        errno = 0;
        err failed = g->tls ? tls_read(g->tls, piece, sizeof piece, &got) : socket_read(g->fd, piece, sizeof piece, &got);
        bool over = failed && !err_is(failed, ERR_AGAIN);
        g->closed = g->closed || over;
        g->reset = g->reset || (over && errno == ECONNRESET);
        if (failed)
            return;
        put_bytes(&g->heard, bytes_of(piece, got));
    }
}

static inline bool guest_shook_hands(struct guest *g)
{
    return !tls_handshake(g->tls);
}

/* ---- the house */

static inline err spoken_speak(struct line *line, struct speaker **out)
{
    static const struct speech speech = {"spoken", spoken_hear, spoken_drained, spoken_tired, spoken_lost};
    struct world *w = CONTAINER(line->lobby->limits, struct world, limits);
    assert_true(w->spoken_count < SPOKEN_MAX);
    struct spoken *s = &w->spoken[w->spoken_count];
    *s = (struct spoken){.speaker = {&speech, line}, .world = w, .number = w->spoken_count++};
    *out = &s->speaker;
    return OK;
}

static inline void world_report(struct reporter *self, const struct report *report)
{
    CONTAINER(self, struct world, reporter)->reports++;
}

static inline void world_fill(const struct dice *self, uint8_t *out, size_t len)
{
    memset(out, 7, len);
}

enum wire_kind { IN_THE_CLEAR = 0, WITH_TLS };

static inline void make_certificates(struct world *w)
{
    w->root = authority_make(NULL, "root");
    w->server = party_make(&w->root, &(struct leaf){"localhost", "DNS:localhost,IP:127.0.0.1", "serverAuth", NULL, 0, 0});
    w->device = party_make(&w->root, &(struct leaf){"pump-1", "URI:urn:holdfast:device:pump-1", "clientAuth", NULL, 0, 0});
    struct tls_options options = {.chain_pem = buffer_view(&w->server.chain_pem),
                                  .key_pem = buffer_view(&w->server.key_pem),
                                  .anchors_pem = buffer_view(&w->root.chain_pem)};
    assert_null(tls_context_server(&options, &w->server_tls));
    options.chain_pem = buffer_view(&w->device.chain_pem);
    options.key_pem = buffer_view(&w->device.key_pem);
    options.server_name = "localhost";
    assert_null(tls_context_client(&options, &w->client_tls));
}

static inline struct world *world_open(enum wire_kind kind)
{
    struct world *w = calloc(1, sizeof *w);
    w->reporter.report = world_report;
    w->dice.fill = world_fill;
    w->look.due = world_look;
    w->log = (struct log){machine_clock(), "test", LOG_ERROR};
    w->limits = (struct door_limits){.connections_max = 1000, .packet_max = 262144, .body_max = 1048576,
                                     .handshake_ms = 10000, .stall_ms = 10000, .handshakes_max = 100};
    w->protocol = (struct protocol){"test", spoken_speak};
    assert_null(loop_open(machine_clock(), 64, &w->loop));
    for (size_t i = 0; i < LOBBIES; i++) {
        w->all[i] = &w->lobbies[i];
        w->lobbies[i] = (struct lobby){.loop = w->loop, .limits = &w->limits, .counts = &w->counts[i], .log = &w->log,
                                       .dice = &w->dice, .reporter = &w->reporter, .all = w->all, .all_count = LOBBIES};
        assert_null(router_open(100, 7, &w->interests[i], &w->lobbies[i].flow.router));
        assert_null(lobby_open(&w->lobbies[i]));
        assert_null(traffic_use_tls(w->lobbies[i].traffic));
    }
    if (kind == WITH_TLS)
        make_certificates(w);
    assert_null(socket_listen("127.0.0.1", 0, &w->port_fd));
    assert_null(socket_port(w->port_fd, &w->port));
    assert_null(listener_open(&w->listener, w->all[0], w->port_fd, &w->protocol, w->server_tls));
    return w;
}

static inline void world_close(struct world *w)
{
    listener_close(&w->listener);
    fd_close(&w->port_fd);
    for (size_t i = 0; i < LOBBIES; i++)
        lobby_close(&w->lobbies[i]);
    for (size_t i = 0; i < LOBBIES; i++)
        lobby_forget(&w->lobbies[i]);
    for (size_t i = 0; i < LOBBIES; i++)
        router_close(w->lobbies[i].flow.router);
    for (size_t i = 0; i < w->spoken_count; i++)
        assert_true(w->spoken[i].lost); /* a speaker that is never told would live for ever */
    tls_context_drop(w->server_tls);
    tls_context_drop(w->client_tls);
    if (w->server_tls) {
        party_drop(&w->root);
        party_drop(&w->server);
        party_drop(&w->device);
    }
    loop_close(w->loop);
    free(w);
}

/* The connection of the client that came as number n. */
static inline struct connection *connection_of(struct world *w, size_t n)
{
    return CONTAINER(w->spoken[n].speaker.line, struct connection, line);
}
