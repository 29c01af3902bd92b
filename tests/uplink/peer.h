/* A server of one connection at a time, on the loop of the test: it does what the test tells it, and notes what it saw.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/world.h"

#include "os/socket.h"

#include <openssl/x509.h>
#include <sys/epoll.h>

enum { NO_ANSWER = 0x1FF, ROOM = 1 << 21, MESSAGES = 4096 };

/* A server of one connection at a time, on the loop of the test. */
struct peer {
    struct world world;
    struct watcher listener, line;
    struct tls_context *ctx;
    struct tls *tls;
    struct buffer in, out;
    bool greeted, connected;

    /* What it is told to do. */
    unsigned connack;                                    /* an mqtt_reason, or NO_ANSWER */
    struct mqtt_properties said;                         /* in CONNACK */
    unsigned (*answer)(struct peer *p, uint64_t number); /* to a PUBLISH; NULL: success */
    bool dumb;                                           /* no PINGRESP */
    size_t hold;                                         /* PUBACKs leave when so many wait, or all is there */

    /* What it saw. */
    unsigned connects, disconnects, pings;
    uint64_t numbers[MESSAGES];
    size_t count, high_water;
    uint16_t held[512];
    size_t holding;
    char last_client[64];
    struct mqtt_connect connect;
    enum mqtt_reason goodbye;
    struct bytes raw; /* sent behind CONNACK as it is */

    /* For clients that subscribe and keep their session. */
    bool lenient;              /* QoS 0 may come */
    bool plain;                /* without TLS */
    enum mqtt_version version; /* that it speaks; 0: whatever CONNECT says. Another one is refused in its own words */
    bool present;              /* it has kept the session */
    unsigned refuses_filter;   /* SUBACK says so of this one, counted from 1 over all; 0: none */
    unsigned subscribes, unsubscribes, filters;
    struct mqtt_filter last_filter;
    char filter_text[128], former_text[128], user[64], password[64];
    uint16_t acknowledged[512]; /* PUBACKs of the client, in order */
    size_t acknowledged_count;
    uint16_t ids[MESSAGES]; /* of what it published */
    bool dups[MESSAGES];
};

static inline void hang_up(struct peer *p)
{
    if (!p->connected)
        return;
    p->connected = false;
    tls_close(p->tls);
    p->tls = NULL;
    loop_unwatch(p->world.loop, &p->line);
    fd_close(&p->line.fd);
    buffer_clear(&p->in);
    buffer_clear(&p->out);
    p->holding = 0;
    p->greeted = false;
}

static inline void reply(struct peer *p, const struct mqtt_packet *packet)
{
    enum mqtt_version version = p->version ? p->version : MQTT_5;
    assert_null(mqtt_encode(packet, (struct mqtt_dialect){version, MQTT_FROM_SERVER}, &p->out));
}

static inline void acknowledge(struct peer *p, uint16_t id, unsigned reason)
{
    reply(p, &(struct mqtt_packet){MQTT_PUBACK, .as.ack = {.packet_id = id, .reason = (enum mqtt_reason)reason}});
}

static inline void release(struct peer *p)
{
    p->high_water = p->holding > p->high_water ? p->holding : p->high_water;
    if (p->holding < p->hold && p->count < p->world.appended)
        return;
    for (size_t i = 0; i < p->holding; i++)
        acknowledge(p, p->held[i], MQTT_SUCCESS);
    p->holding = 0;
}

static inline void hear_publish(struct peer *p, const struct mqtt_publish *in)
{
    uint64_t number = 0;
    assert_true(in->qos == 1 || p->lenient);
    if (in->payload.len == sizeof number)
        memcpy(&number, in->payload.at, sizeof number);
    if (p->count < MESSAGES) {
        p->ids[p->count] = in->packet_id;
        p->dups[p->count] = in->dup;
        p->numbers[p->count++] = number;
    }
    if (!in->qos)
        return;
    unsigned reason = p->answer ? p->answer(p, number) : MQTT_SUCCESS;
    if (reason == NO_ANSWER)
        return;
    if (reason != MQTT_SUCCESS) {
        acknowledge(p, in->packet_id, reason);
        return;
    }
    p->held[p->holding++] = in->packet_id;
    release(p);
}

static inline void note_text(struct bytes text, char *out, size_t room)
{
    snprintf(out, room, "%.*s", (int)text.len, text.len ? (const char *)text.at : "");
}

static inline void hear_subscribe(struct peer *p, enum mqtt_type type, const struct mqtt_subscribe *in)
{
    uint8_t reasons[64];
    size_t count = 0;
    for (struct bytes rest = in->filters; mqtt_next_filter(&rest, type, &p->last_filter); count++) {
        bool subscribes = type == MQTT_SUBSCRIBE;
        char *text = subscribes ? p->filter_text : p->former_text;
        note_text(p->last_filter.filter, text, sizeof p->filter_text);
        p->filters += subscribes;
        reasons[count] = subscribes && p->filters == p->refuses_filter ? 0x80 : 0;
    }
    p->subscribes += type == MQTT_SUBSCRIBE;
    p->unsubscribes += type != MQTT_SUBSCRIBE;
    reply(p, &(struct mqtt_packet){type == MQTT_SUBSCRIBE ? MQTT_SUBACK : MQTT_UNSUBACK,
                                   .as.suback = {.packet_id = in->packet_id, .reasons = bytes_of(reasons, count)}});
}

static inline void hear_connect(struct peer *p, const struct mqtt_connect *in)
{
    p->connects++;
    p->connect = *in;
    note_text(in->username, p->user, sizeof p->user);
    note_text(in->password, p->password, sizeof p->password);
    if (p->connack == NO_ANSWER)
        return;
    if (p->version == MQTT_3_1_1 && in->version != MQTT_3_1_1) { /* 3.1.1, 3.1.2.2 */
        put_bytes(&p->out, BYTES("\x20\2\0\1"));
        return;
    }
    reply(p, &(struct mqtt_packet){MQTT_CONNACK, .as.connack = {.reason = (enum mqtt_reason)p->connack,
                                                                .session_present = p->present,
                                                                .properties = p->said}});
    put_bytes(&p->out, p->raw);
}

static inline void hear(struct peer *p, const struct mqtt_packet *packet)
{
    if (packet->type == MQTT_CONNECT)
        hear_connect(p, &packet->as.connect);
    else if (packet->type == MQTT_PUBLISH)
        hear_publish(p, &packet->as.publish);
    else if (packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
        hear_subscribe(p, packet->type, &packet->as.subscribe);
    else if (packet->type == MQTT_PUBACK && p->acknowledged_count < 512)
        p->acknowledged[p->acknowledged_count++] = packet->as.ack.packet_id;
    else if (packet->type == MQTT_PINGREQ) {
        p->pings++;
        if (!p->dumb)
            reply(p, &(struct mqtt_packet){.type = MQTT_PINGRESP});
    } else if (packet->type == MQTT_DISCONNECT) {
        p->disconnects++;
        p->goodbye = packet->as.ending.reason;
    }
}

static inline void note_client(struct peer *p)
{
    SCOPED(buffer_drop) struct buffer der = {.max = 8192};
    assert_null(tls_peer_certificate(p->tls, &der));
    const uint8_t *at = der.at;
    X509 *certificate = d2i_X509(NULL, &at, (long)der.len);
    assert_non_null(certificate);
    X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, p->last_client,
                              sizeof p->last_client);
    X509_free(certificate);
}

static inline err talk(struct peer *p)
{
    if (!p->plain)
        TRY(tls_handshake(p->tls));
    if (!p->greeted && !p->plain)
        note_client(p);
    p->greeted = true;
    for (err e = OK; !e;) {
        size_t got = 0;
        uint8_t *room = buffer_reserve(&p->in, 16384);
        assert_non_null(room);
        e = p->plain ? socket_read(p->line.fd, room, 16384, &got) : tls_read(p->tls, room, 16384, &got);
        buffer_filled(&p->in, got);
        if (e && !err_is(e, ERR_AGAIN))
            return e;
    }
    return OK;
}

static inline void hear_all(struct peer *p)
{
    struct mqtt_frame frame;
    struct mqtt_packet packet;
    while (mqtt_frame(buffer_view(&p->in), ROOM, &frame) == OK) {
        enum mqtt_version version = p->version ? p->version : MQTT_5;
        assert_null(mqtt_decode(&frame, (struct mqtt_dialect){version, MQTT_FROM_CLIENT}, &packet));
        hear(p, &packet);
        buffer_consume(&p->in, frame.size);
    }
}

static inline void line_ready(struct watcher *self, uint32_t events)
{
    struct peer *p = CONTAINER(self, struct peer, line);
    err e = talk(p);
    hear_all(p);
    size_t taken = 0;
    while (p->out.len && (p->plain ? socket_write(p->line.fd, buffer_view(&p->out), &taken)
                                   : tls_write(p->tls, buffer_view(&p->out), &taken)) == OK)
        buffer_consume(&p->out, taken);
    if (e && !err_is(e, ERR_AGAIN))
        hang_up(p);
    look(&p->world);
}

static inline void listener_ready(struct watcher *self, uint32_t events)
{
    struct peer *p = CONTAINER(self, struct peer, listener);
    char address[ADDRESS_TEXT];
    int fd;
    if (socket_accept(p->listener.fd, &fd, address))
        return;
    hang_up(p);
    p->line = (struct watcher){fd, line_ready};
    p->connected = true;
    if (!p->plain)
        assert_null(tls_open(p->ctx, fd, &p->tls));
    assert_null(loop_watch(p->world.loop, &p->line, EPOLLIN));
}

static inline int set_up(void **state)
{
    struct peer *p = calloc(1, sizeof *p);
    world_open(&p->world);
    p->in.max = p->out.max = ROOM;
    const struct tls_options options = {.chain_pem = buffer_view(&p->world.server.chain_pem),
                                        .key_pem = buffer_view(&p->world.server.key_pem),
                                        .anchors_pem = buffer_view(&p->world.authority.chain_pem)};
    assert_null(tls_context_server(&options, &p->ctx));
    p->listener.ready = listener_ready;
    assert_null(socket_listen("127.0.0.1", 0, &p->listener.fd));
    assert_null(loop_watch(p->world.loop, &p->listener, EPOLLIN));
    *state = p;
    return 0;
}

static inline int tear_down(void **state)
{
    struct peer *p = *state;
    hang_up(p);
    loop_unwatch(p->world.loop, &p->listener);
    fd_close(&p->listener.fd);
    world_close(&p->world);
    tls_context_drop(p->ctx);
    buffer_drop(&p->in);
    buffer_drop(&p->out);
    free(p);
    return 0;
}

static inline void start(struct peer *p, struct link_options options)
{
    assert_null(socket_port(p->listener.fd, &options.port));
    link_up(&p->world, options);
}
