/* An MQTT client on a fake line: it says packets, and tells what it heard as lines of words. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "fake_line.h"

#include "wire/mqtt.h"

static inline void peer_packet(struct fake_line *l, const struct mqtt_packet *packet)
{
    SCOPED(buffer_drop) struct buffer out = {.max = FAKE_LINE_MAX};
    must(!mqtt_encode(packet, (struct mqtt_dialect){(enum mqtt_version)l->version, MQTT_FROM_CLIENT}, &out));
    fake_line_say(l, buffer_view(&out));
}

static inline void peer_connect(struct fake_line *l, const struct mqtt_connect *connect)
{
    if (!l->connects++)
        l->version = connect->version; /* that of the first one is what the server answers in */
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_CONNECT, .as.connect = *connect});
}

static inline void peer_publish(struct fake_line *l, const char *topic, const char *payload, unsigned packet_id)
{
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                         .as.publish = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload),
                                                        .qos = packet_id > 0, .packet_id = (uint16_t)packet_id}});
}

static inline void peer_subscribe(struct fake_line *l, const struct mqtt_filter *filter, unsigned packet_id)
{
    SCOPED(buffer_drop) struct buffer filters = {.max = 65536};
    must(!mqtt_put_filter(&filters, MQTT_SUBSCRIBE, filter));
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_SUBSCRIBE,
                                         .as.subscribe = {.filters = buffer_view(&filters), .packet_id = (uint16_t)packet_id}});
}

static inline void peer_unsubscribe(struct fake_line *l, const char *filter, unsigned packet_id)
{
    SCOPED(buffer_drop) struct buffer filters = {.max = 65536};
    must(!mqtt_put_filter(&filters, MQTT_UNSUBSCRIBE, &(struct mqtt_filter){.filter = bytes_of_text(filter)}));
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_UNSUBSCRIBE,
                                         .as.subscribe = {.filters = buffer_view(&filters), .packet_id = (uint16_t)packet_id}});
}

/* PUBACK and its kin. */
static inline void peer_ack(struct fake_line *l, enum mqtt_type type, unsigned packet_id)
{
    peer_packet(l, &(struct mqtt_packet){.type = type, .as.ack = {.packet_id = (uint16_t)packet_id}});
}

static inline void peer_puback(struct fake_line *l, unsigned packet_id)
{
    peer_ack(l, MQTT_PUBACK, packet_id);
}

static inline void peer_publish_2(struct fake_line *l, const char *topic, const char *payload, unsigned packet_id)
{
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_PUBLISH,
                                         .as.publish = {.topic = bytes_of_text(topic), .payload = bytes_of_text(payload),
                                                        .qos = 2, .packet_id = (uint16_t)packet_id}});
}

static inline void peer_disconnect(struct fake_line *l, enum mqtt_reason reason)
{
    peer_packet(l, &(struct mqtt_packet){.type = MQTT_DISCONNECT, .as.ending = {.reason = reason}});
}

/* The next packet that the peer took, decoded; false: none. Lends from the line until it sends again. */
static inline bool peer_next(struct fake_line *l, struct mqtt_packet *packet)
{
    struct mqtt_frame frame;
    struct bytes rest = bytes_from(bytes_first(buffer_view(&l->out), l->taken), l->read);
    if (!rest.len)
        return false;
    must(!mqtt_frame(rest, MQTT_REMAINING_MAX, &frame)); /* whole packets only, and well-formed ones */
    must(!mqtt_decode(&frame, (struct mqtt_dialect){(enum mqtt_version)l->version, MQTT_FROM_SERVER}, packet));
    l->read += frame.size;
    return true;
}

static inline void peer_say_publish(struct buffer *out, const struct mqtt_publish *p)
{
    put_format(out, "PUBLISH %u %.*s=%.*s%s%s%s\n", p->packet_id, (int)p->topic.len, (const char *)p->topic.at,
               (int)p->payload.len, (const char *)p->payload.at, p->qos == 2 ? " q2" : "", p->retain ? " retain" : "",
               p->dup ? " dup" : "");
}

static inline void peer_say_suback(struct buffer *out, const char *name, const struct mqtt_suback *ack)
{
    put_format(out, "%s %u", name, ack->packet_id);
    for (size_t i = 0; i < ack->reasons.len; i++)
        put_format(out, " %02x", ack->reasons.at[i]);
    put_text(out, "\n");
}

static inline void peer_say_packet(struct buffer *out, const struct mqtt_packet *p)
{
    const char *name = mqtt_type_text(p->type);
    if (p->type == MQTT_CONNACK)
        put_format(out, "%s %02x%s\n", name, (unsigned)p->as.connack.reason, p->as.connack.session_present ? " present" : "");
    else if (p->type >= MQTT_PUBACK && p->type <= MQTT_PUBCOMP)
        put_format(out, "%s %u %02x\n", name, p->as.ack.packet_id, (unsigned)p->as.ack.reason);
    else if (p->type == MQTT_DISCONNECT || p->type == MQTT_AUTH)
        put_format(out, "%s %02x\n", name, (unsigned)p->as.ending.reason);
    else if (p->type == MQTT_PUBLISH)
        peer_say_publish(out, &p->as.publish);
    else if (p->type == MQTT_SUBACK || p->type == MQTT_UNSUBACK)
        peer_say_suback(out, name, &p->as.suback);
    else
        put_format(out, "%s\n", name);
}

/* What came since the last time, one line for each packet, and "end" when the line is over. */
static inline void peer_heard(struct fake_line *l, struct buffer *out)
{
    struct mqtt_packet packet;
    while (peer_next(l, &packet))
        peer_say_packet(out, &packet);
    if (!l->open)
        put_text(out, "end\n");
}
