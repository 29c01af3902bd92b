/* A unit's connection: TCP, TLS, CONNECT, and packets from then on. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "os/socket.h"
#include "prog/sim/squad.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { SMALL_RECEIVE = 4096 };

int64_t unit_now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

void unit_wait(struct unit *u, int64_t ms)
{
    if (loop_timer_set(u->squad->loop, &u->timer, ms > 0 ? ms : 1))
        part_lost(u, "no memory for a timer");
}

/* ---- endings */

static void forget_tls(struct unit *u)
{
    if (u->ssl)
        SSL_set_shutdown(u->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* otherwise the ticket is worth nothing */
    SSL_free(u->ssl);
    u->ssl = NULL;
}

void unit_drop(struct unit *u)
{
    if (u->phase == UNIT_UP)
        counter_less(&u->squad->tally.open, 1);
    if (u->watcher.fd >= 0) {
        if (u->watched)
            loop_unwatch(u->squad->loop, &u->watcher);
        forget_tls(u);
        (void)close(u->watcher.fd);
    }
    u->watcher.fd = -1;
    u->watched = 0;
    buffer_drop(&u->in);
    buffer_drop(&u->out);
    loop_timer_clear(u->squad->loop, &u->timer);
    if (u->phase == UNIT_QUEUED)
        list_remove(&u->queued);
    squad_arrived(u);
    u->phase = UNIT_AWAY;
}

/* It did not come as far as a session: again, later each time. */
static void failed(struct unit *u, const char *why)
{
    struct squad *squad = u->squad;
    if (u->phase == UNIT_UP) {
        part_lost(u, why);
        return;
    }
    if (part_mischief(u)) {
        part_caught(u);
        return;
    }
    tally_reason(&squad->tally.refusals, why);
    unit_drop(u);
    if (squad->phase == SQUAD_RUNS)
        unit_wait(u, plan_backoff_ms(&u->plan, u->failures++));
}

static void failed_in_tls(struct unit *u, const char *otherwise)
{
    unsigned long code = ERR_peek_last_error();
    const char *why = code ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    failed(u, why ? why : otherwise);
}

/* ---- bytes */

static err watch(struct unit *u, uint32_t events)
{
    err e = OK;
    if (!u->watched)
        e = loop_watch(u->squad->loop, &u->watcher, events);
    else if (u->watched != events)
        e = loop_rewatch(u->squad->loop, &u->watcher, events);
    u->watched = e ? u->watched : events;
    return e;
}

/* A slow one is not told when there is something to read. */
static uint32_t read_events(const struct unit *u)
{
    return u->plan.profile == PROFILE_SLOW && u->phase == UNIT_UP ? (uint32_t)EPOLLRDHUP : (uint32_t)EPOLLIN;
}

void unit_listen(struct unit *u)
{
    if (watch(u, EPOLLIN))
        failed(u, "no memory for a watcher");
}

static void flush(struct unit *u)
{
    while (u->out.len && u->ssl) {
        ERR_clear_error();
        int sent = SSL_write(u->ssl, u->out.at, (int)u->out.len);
        if (sent <= 0)
            break;
        buffer_consume(&u->out, (size_t)sent);
    }
    bool left = u->out.len > 0;
    if (!left)
        buffer_drop(&u->out);
    IGNORE(watch(u, left ? read_events(u) | EPOLLOUT : read_events(u)));
}

void unit_say(struct unit *u, struct bytes bytes)
{
    if (u->out.len + bytes.len > u->out.max || !u->ssl)
        return;
    put_bytes(&u->out, bytes);
    flush(u);
}

static void say_packet(struct unit *u, const struct mqtt_packet *packet)
{
    SCOPED(buffer_drop) struct buffer out = {.max = UNIT_PACKET_MAX};
    if (!mqtt_encode(packet, (struct mqtt_dialect){MQTT_5, MQTT_FROM_CLIENT}, &out))
        unit_say(u, buffer_view(&out));
}

void unit_leave(struct unit *u)
{
    if (u->phase == UNIT_UP)
        say_packet(u, &(struct mqtt_packet){.type = MQTT_DISCONNECT});
    if (u->ssl)
        (void)SSL_shutdown(u->ssl);
    unit_drop(u);
}

/* ---- packets */

static void on_connack(struct unit *u, const struct mqtt_connack *ack)
{
    struct squad *squad = u->squad;
    if (ack->reason) {
        failed(u, mqtt_reason_text(ack->reason));
        return;
    }
    u->phase = UNIT_UP;
    u->failures = 0;
    squad_arrived(u);
    counter_add(&squad->tally.connects, 1);
    counter_add(&squad->tally.open, 1);
    squad->tally.resumed += u->ssl && SSL_session_reused(u->ssl);
    histogram_add(&squad->tally.connect_us, (uint64_t)(unit_now_us() - u->since_us));
    part_begin(u);
    if (u->phase == UNIT_UP && u->plan.profile == PROFILE_IDLE && squad->how->mute == MUTE_IDLE) {
        forget_tls(u);
        IGNORE(watch(u, EPOLLRDHUP));
    }
}

static void on_packet(struct unit *u, const struct mqtt_packet *packet)
{
    if (packet->type == MQTT_DISCONNECT)
        failed(u, mqtt_reason_text(packet->as.ending.reason));
    else if (packet->type == MQTT_CONNACK && u->phase == UNIT_GREETING)
        on_connack(u, &packet->as.connack);
    else if (u->phase == UNIT_UP)
        part_answer(u, packet);
    else if (u->phase != UNIT_CAUGHT)
        failed(u, "the server sent what was not asked for");
}

/* Takes the whole packets at the front of what came. */
static void take_packets(struct unit *u)
{
    struct mqtt_frame frame;
    struct mqtt_packet packet;
    err e = OK;
    size_t used = 0;
    while (u->watcher.fd >= 0 && !(e = mqtt_frame(bytes_from(buffer_view(&u->in), used), UNIT_PACKET_MAX, &frame))) {
        used += frame.size;
        e = mqtt_decode(&frame, (struct mqtt_dialect){MQTT_5, MQTT_FROM_SERVER}, &packet);
        if (e)
            break;
        on_packet(u, &packet);
    }
    if (u->watcher.fd < 0)
        return;
    if (e && !err_is(e, ERR_AGAIN)) {
        failed(u, e->text);
        return;
    }
    buffer_consume(&u->in, used);
    if (!u->in.len)
        buffer_drop(&u->in);
}

void unit_read(struct unit *u, size_t room)
{
    while (u->ssl) {
        ERR_clear_error();
        int got = SSL_read(u->ssl, u->squad->scratch, (int)room);
        if (got <= 0) {
            int why = SSL_get_error(u->ssl, got);
            if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
                failed_in_tls(u, "the server closed the connection");
            return;
        }
        put_bytes(&u->in, bytes_of(u->squad->scratch, (size_t)got));
        if (buffer_finish(&u->in))
            failed(u, "a packet that is too large");
        else
            take_packets(u);
        if (room < UNIT_PACKET_MAX)
            return;
    }
}

/* ---- the way up */

static void greet(struct unit *u)
{
    struct vault_identity identity;
    char id[DEVICE_ID_MAX + 16];
    u->phase = UNIT_GREETING;
    if (part_misbehaves(u, MISCHIEF_FIRST))
        return;
    if (vault_find(u->squad->how->vault, u->number, &identity)) {
        failed(u, "a unit without an identity");
        return;
    }
    (void)snprintf(id, sizeof id, u->session ? "%s-%u" : "%s", identity.id, u->session);
    say_packet(u, &(struct mqtt_packet){.type = MQTT_CONNECT,
                                        .as.connect = {.version = MQTT_5,
                                                       .client_id = bytes_of_text(id),
                                                       .keep_alive = UNIT_KEEP_ALIVE_S,
                                                       .clean_start = true}});
}

static void shake(struct unit *u)
{
    ERR_clear_error();
    int done = SSL_connect(u->ssl);
    if (done == 1) {
        IGNORE(watch(u, EPOLLIN));
        greet(u);
        return;
    }
    int why = SSL_get_error(u->ssl, done);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
        failed_in_tls(u, "the server closed the connection in the handshake");
    else if (watch(u, why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT))
        failed(u, "no memory for a watcher");
}

static void connected(struct unit *u)
{
    err e = socket_connected(u->watcher.fd);
    if (err_is(e, ERR_AGAIN))
        return;
    if (e) {
        failed(u, "nobody listens there");
        return;
    }
    u->phase = UNIT_SHAKING;
    if (part_misbehaves(u, MISCHIEF_TCP))
        return;
    e = certificates_dress(u);
    if (e)
        failed(u, e->text);
    else
        shake(u);
}

/* While a bad one waits nothing of what the server says matters, but its end. */
static void watch_the_end(struct unit *u)
{
    if (u->ssl) {
        unit_read(u, UNIT_PACKET_MAX);
        return;
    }
    ssize_t got = recv(u->watcher.fd, u->squad->scratch, sizeof u->squad->scratch, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN))
        part_caught(u);
}

static void ready(struct watcher *watcher, uint32_t events)
{
    struct unit *u = CONTAINER(watcher, struct unit, watcher);
    if (u->phase == UNIT_CONNECTING) {
        connected(u);
    } else if (u->phase == UNIT_SHAKING) {
        shake(u);
    } else if (u->phase == UNIT_CAUGHT) {
        watch_the_end(u);
    } else if (!u->ssl) {
        failed(u, "the server closed the connection"); /* a mute one hears nothing but that */
    } else {
        if (events & EPOLLOUT)
            flush(u);
        if (events & ~(uint32_t)EPOLLOUT && u->ssl)
            unit_read(u, UNIT_PACKET_MAX);
    }
}

static int open_socket(const struct unit *u)
{
    const struct run_wishes *how = u->squad->how;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (u->plan.profile == PROFILE_SLOW)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){SMALL_RECEIVE}, sizeof(int));
    if (!how->sources)
        return fd;
    uint32_t place = (uint32_t)(u->plan.chance.who % how->sources);
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + place)};
    /* The port is chosen when the other end is known, so that each address has all of them for each server. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &(int){1}, sizeof(int));
    if (!bind(fd, (struct sockaddr *)&from, sizeof from))
        return fd;
    (void)close(fd);
    return -1;
}

void unit_connect(struct unit *u)
{
    const struct run_wishes *how = u->squad->how;
    u->phase = UNIT_CONNECTING;
    u->since_us = unit_now_us();
    u->waiting = false;
    u->watcher = (struct watcher){open_socket(u), ready};
    if (u->watcher.fd < 0) {
        failed(u, "no socket: this machine's limits are reached");
        return;
    }
    if (connect(u->watcher.fd, (const struct sockaddr *)&how->to, sizeof how->to) && errno != EINPROGRESS) {
        failed(u,
               errno == EADDRNOTAVAIL ? "no port is left on this address: more --sources are needed" : "no connection");
        return;
    }
    unit_wait(u, UNIT_CONNECT_MS);
    if (watch(u, EPOLLOUT))
        failed(u, "no memory for a watcher");
}

static void due(struct timer *timer)
{
    struct unit *u = CONTAINER(timer, struct unit, timer);
    switch (u->phase) {
    case UNIT_AWAY:
        squad_queue(u);
        return;
    case UNIT_QUEUED:
        return;
    case UNIT_CONNECTING:
    case UNIT_SHAKING:
    case UNIT_GREETING:
        failed(u, "no answer in a minute");
        return;
    case UNIT_UP:
    case UNIT_CAUGHT:
        part_due(u);
        return;
    }
}

void unit_begin(struct unit *u)
{
    u->watcher.fd = -1;
    u->timer.due = due;
    u->in.max = UNIT_PACKET_MAX * 2;
    u->out.max = UNIT_OUT_MAX;
    list_open(&u->queued);
    unit_wait(u, u->plan.start_ms);
}
