/* Printing: a message as PUBLISH packets. What goes to many in the same way is encoded once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_press.h"

#include "base/memory.h"

enum {
    PACKET_MAX = PAYLOAD_MAX + 327680, /* a payload, a topic, and properties as large as a packet */
    PRINT_KEPT = 65536,                /* a buffer that is larger is not kept for the next message */
    US = 1000000,
    ALIAS_ROOM = 5, /* that telling an alias takes: itself, and perhaps one byte more for each of the two lengths */
};

static struct mqtt_print *print_of(struct mqtt_press *press, const struct mqtt_peer *p, const struct mqtt_leaf *leaf)
{
    size_t version = p->version == MQTT_5;
    return &press->prints[(version * 3 + leaf->qos) * 2 + leaf->retain];
}

void mqtt_press_forget(struct mqtt_press *press)
{
    message_drop(press->message);
    press->message = NULL;
    for (unsigned left = press->printed; left; left &= left - 1) {
        struct buffer *packet = &press->prints[__builtin_ctz(left)].packet;
        packet->len = 0;
        if (packet->spoiled || packet->room > PRINT_KEPT)
            buffer_drop(packet);
    }
    press->printed = 0;
}

void mqtt_press_close(struct mqtt_press *press)
{
    mqtt_press_forget(press);
    for (size_t i = 0; i < MQTT_PRINTS; i++)
        buffer_drop(&press->prints[i].packet);
}

/* The properties as they are to be sent; `block` holds those that may stand more than once. */
static err properties(struct mqtt_peer *p, const struct mqtt_leaf *leaf, struct buffer *block, struct mqtt_publish *out)
{
    const struct message *m = leaf->message;
    struct mqtt_properties *to = &out->properties;
    if (p->version != MQTT_5)
        return OK;
    if (m->properties.len)
        TRY(mqtt_publish_properties(m->properties, to));
    if (leaf->subscription_id) {
        put_bytes(block, m->properties);
        TRY(mqtt_put_subscription_id(block, leaf->subscription_id));
        to->block = buffer_view(block);
        to->present |= MQTT_HAS(SUBSCRIPTION_ID);
    }
    if (m->expires_us) { /* what is left of it (3.3.2-6); one that is over was passed over before */
        int64_t left_us = m->expires_us - wall_us(p->lobby->flow.clock);
        to->message_expiry = left_us > 0 ? (uint32_t)((left_us + US - 1) / US) : 0;
        to->present |= MQTT_HAS(MESSAGE_EXPIRY);
    }
    return OK;
}

static struct mqtt_publish publish_of(const struct mqtt_leaf *leaf)
{
    return (struct mqtt_publish){.topic = leaf->message->topic,
                                 .payload = leaf->message->payload,
                                 .packet_id = leaf->packet_id,
                                 .qos = leaf->qos,
                                 .retain = leaf->retain,
                                 .dup = leaf->dup};
}

static void add_alias(struct mqtt_peer *p, struct mqtt_publish *publish)
{
    bool known = false;
    uint16_t alias = p->version == MQTT_5 && p->alias_max ? mqtt_alias_out(p, publish->topic, &known) : 0;
    if (!alias)
        return;
    publish->properties.topic_alias = alias;
    publish->properties.present |= MQTT_HAS(TOPIC_ALIAS);
    if (known)
        publish->topic = (struct bytes){NULL, 0};
}

/* For one peer alone. */
static enum mqtt_printed print_own(struct mqtt_peer *p, const struct mqtt_leaf *leaf)
{
    SCOPED(buffer_drop) struct buffer block = {.max = PACKET_MAX};
    struct buffer *packet = &p->lobby->mqtt.scratch;
    struct mqtt_publish publish = publish_of(leaf);
    if (properties(p, leaf, &block, &publish))
        return PRINT_NO_MEMORY; /* they were checked when they came */
    size_t size = mqtt_publish_size(&publish, p->version);
    if (size > p->packet_max)
        return PRINT_TOO_LARGE;
    if (p->packet_max - size >= ALIAS_ROOM) /* 3.1.2-24 */
        add_alias(p, &publish);
    buffer_clear(packet);
    if (mqtt_put_publish_head(&publish, mqtt_server_dialect(p), packet))
        return PRINT_NO_MEMORY;
    line_send(p->speaker.line, buffer_view(packet));
    line_send(p->speaker.line, publish.payload);
    return PRINTED;
}

/* Where the packet identifier stands: behind the fixed header, its length and the topic. */
static size_t id_place(const struct buffer *packet, const struct message *m)
{
    size_t at = 1;
    while (packet->at[at] & 0x80)
        at++;
    return at + 1 + 2 + m->topic.len;
}

static bool print_shared(struct mqtt_peer *p, const struct mqtt_leaf *leaf, struct mqtt_print *print)
{
    SCOPED(buffer_drop) struct buffer block = {.max = PACKET_MAX};
    struct mqtt_packet packet = {.type = MQTT_PUBLISH, .as.publish = publish_of(leaf)};
    print->packet.max = PACKET_MAX;
    p->lobby->mqtt.press.printed |= 1u << (print - p->lobby->mqtt.press.prints);
    if (leaf->qos)
        packet.as.publish.packet_id = 1; /* each gets its own */
    if (properties(p, leaf, &block, &packet.as.publish) ||
        mqtt_encode(&packet, mqtt_server_dialect(p), &print->packet)) {
        print->packet.len = 0;
        return false;
    }
    print->id_at = leaf->qos ? id_place(&print->packet, leaf->message) : 0;
    return true;
}

enum mqtt_printed mqtt_print(struct mqtt_peer *p, const struct mqtt_leaf *leaf)
{
    struct mqtt_press *press = &p->lobby->mqtt.press;
    if (leaf->dup || leaf->subscription_id || leaf->message->expires_us || p->alias_max)
        return print_own(p, leaf);
    if (press->message != leaf->message) {
        mqtt_press_forget(press);
        press->message = message_share(leaf->message);
        loop_at_turn_end(p->lobby->loop, &p->lobby->mqtt.turn_end);
    }
    struct mqtt_print *print = print_of(press, p, leaf);
    if (!print->packet.len && !print_shared(p, leaf, print))
        return PRINT_NO_MEMORY;
    if (print->packet.len > p->packet_max)
        return PRINT_TOO_LARGE;
    if (print->id_at) {
        print->packet.at[print->id_at] = (uint8_t)(leaf->packet_id >> 8);
        print->packet.at[print->id_at + 1] = (uint8_t)leaf->packet_id;
    }
    line_send(p->speaker.line, buffer_view(&print->packet));
    return PRINTED;
}
