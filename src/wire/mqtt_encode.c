/* Control packets to bytes. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

#include <string.h>

static const struct fault no_packet_id = {ERR_REFUSED, "mqtt: packet identifier 0 (MQTT 5.0, 2.2.1)"};
static const struct fault stray_packet_id = {ERR_REFUSED, "mqtt: a packet identifier with QoS 0 (MQTT 5.0, 2.2.1)"};
static const struct fault bad_qos = {ERR_REFUSED, "mqtt: QoS 3, or DUP with QoS 0 (MQTT 5.0, 3.3.1)"};
static const struct fault bad_topic = {ERR_REFUSED, "mqtt: an empty topic without a topic alias (MQTT 5.0, 3.3.2.1)"};
static const struct fault bad_will = {ERR_REFUSED, "mqtt: a will of QoS 3 or without a topic (MQTT 5.0, 3.1.2.6)"};
static const struct fault bad_version = {ERR_REFUSED, "mqtt: a protocol version that is neither 3.1.1 nor 5.0"};
static const struct fault bad_sender = {ERR_REFUSED, "mqtt: a packet or property that only the other side may send"};
static const struct fault bad_reason = {ERR_REFUSED, "mqtt: a reason code that may not stand there (MQTT 5.0, 2.4)"};
static const struct fault bad_session = {ERR_REFUSED, "mqtt: Session Present with a refusal (MQTT 5.0, 3.2.2.1.1)"};
static const struct fault bad_login = {ERR_REFUSED, "mqtt: a password without a user name (MQTT 3.1.1, 3.1.2.9)"};
static const struct fault no_list = {ERR_REFUSED, "mqtt: an empty list of filters or reason codes (MQTT 5.0, 3.8.3)"};
static const struct fault no_method = {ERR_REFUSED, "mqtt: AUTH without Authentication Method (MQTT 5.0, 3.15.2.2.2)"};
static const struct fault not_in_3 = {ERR_UNSUPPORTED,
                                      "mqtt: 3.1.1 has no way to say this; its server closes instead (3.2.2.3)"};
static const struct fault over_limit = {ERR_TOO_LARGE, "mqtt: a packet over 268,435,455 bytes (MQTT 5.0, 2.1.4)"};

/* What every writing function needs. */
struct encoding {
    struct buffer *b;
    struct mqtt_dialect dialect;
    const struct mqtt_packet *packet;
};

static bool is_5(const struct encoding *e)
{
    return e->dialect.version == MQTT_5;
}

static err write_properties(struct encoding *e, unsigned packet, const struct mqtt_properties *p)
{
    return is_5(e) ? put_properties(e->b, packet, p) : OK;
}

static bool has_properties(const struct mqtt_properties *p)
{
    return p->present != 0;
}

static err write_packet_id(struct encoding *e, uint16_t id)
{
    put_u16(e->b, id);
    return id ? OK : &no_packet_id;
}

static err write_reason(struct encoding *e, enum mqtt_reason reason)
{
    put_u8(e->b, (uint8_t)reason);
    return reason_fits(reason, e->packet->type, e->dialect.sender) ? OK : &bad_reason;
}

/* 3.1.2.3 */
static uint8_t connect_flags(const struct mqtt_connect *in)
{
    unsigned will = in->has_will ? 0x04u | (unsigned)in->will.qos << 3 | (in->will.retain ? 0x20u : 0) : 0;
    return (uint8_t)(will | (in->clean_start ? 0x02u : 0) | (in->has_password ? 0x40u : 0) |
                     (in->has_username ? 0x80u : 0));
}

static err write_will(struct encoding *e, const struct mqtt_will *will)
{
    if (will->qos > 2 || !will->topic.len)
        return &bad_will;
    TRY(write_properties(e, MQTT_WILL, &will->properties));
    TRY(put_field(e->b, will->topic));
    return put_field(e->b, will->payload);
}

static err write_connect(struct encoding *e)
{
    const struct mqtt_connect *in = &e->packet->as.connect;
    if (in->version != MQTT_3_1_1 && in->version != MQTT_5)
        return &bad_version;
    e->dialect.version = in->version;
    if (!is_5(e) && in->has_password && !in->has_username)
        return &bad_login;
    TRY(put_field(e->b, BYTES("MQTT")));
    put_u8(e->b, (uint8_t)in->version);
    put_u8(e->b, connect_flags(in));
    put_u16(e->b, in->keep_alive);
    TRY(write_properties(e, MQTT_CONNECT, &in->properties));
    TRY(put_field(e->b, in->client_id));
    if (in->has_will)
        TRY(write_will(e, &in->will));
    if (in->has_username)
        TRY(put_field(e->b, in->username));
    return in->has_password ? put_field(e->b, in->password) : OK;
}

static err write_connack(struct encoding *e)
{
    const struct mqtt_connack *in = &e->packet->as.connack;
    if (in->session_present && in->reason != MQTT_SUCCESS)
        return &bad_session;
    put_u8(e->b, in->session_present);
    if (is_5(e)) {
        TRY(write_reason(e, in->reason));
        return put_properties(e->b, MQTT_CONNACK, &in->properties);
    }
    uint8_t code;
    if (!return_code_from(in->reason, &code))
        return &not_in_3;
    put_u8(e->b, code);
    return OK;
}

static err write_ack(struct encoding *e)
{
    const struct mqtt_ack *in = &e->packet->as.ack;
    TRY(write_packet_id(e, in->packet_id));
    bool properties = has_properties(&in->properties);
    if (!is_5(e) || (in->reason == MQTT_SUCCESS && !properties))
        return OK;
    TRY(write_reason(e, in->reason));
    return properties ? put_properties(e->b, e->packet->type, &in->properties) : OK;
}

static err write_subscribe(struct encoding *e)
{
    const struct mqtt_subscribe *in = &e->packet->as.subscribe;
    TRY(write_packet_id(e, in->packet_id));
    TRY(write_properties(e, e->packet->type, &in->properties));
    put_bytes(e->b, in->filters);
    return in->filters.len ? OK : &no_list;
}

static err write_suback(struct encoding *e)
{
    const struct mqtt_suback *in = &e->packet->as.suback;
    TRY(write_packet_id(e, in->packet_id));
    TRY(write_properties(e, e->packet->type, &in->properties));
    if (!is_5(e) && e->packet->type == MQTT_UNSUBACK)
        return OK;
    for (size_t i = 0; i < in->reasons.len; i++) {
        uint8_t code = in->reasons.at[i];
        TRY(write_reason(e, (enum mqtt_reason)(is_5(e) || code < 0x80 ? code : MQTT_UNSPECIFIED_ERROR)));
    }
    return in->reasons.len ? OK : &no_list;
}

static err write_ending(struct encoding *e)
{
    const struct mqtt_ending *in = &e->packet->as.ending;
    enum mqtt_type type = e->packet->type;
    bool properties = has_properties(&in->properties);
    if (!is_5(e) || (in->reason == MQTT_SUCCESS && !properties))
        return OK;
    if (type == MQTT_AUTH && !(in->properties.present & MQTT_HAS(AUTHENTICATION_METHOD)))
        return &no_method;
    if (e->dialect.sender == MQTT_FROM_SERVER && in->properties.present & MQTT_HAS(SESSION_EXPIRY))
        return &bad_sender;
    TRY(write_reason(e, in->reason));
    return properties ? put_properties(e->b, type, &in->properties) : OK;
}

static err write_nothing(struct encoding *e)
{
    (void)e; /* PINGREQ and PINGRESP are their fixed header */
    return OK;
}

enum { BY_CLIENT = 1 << MQTT_FROM_CLIENT, BY_SERVER = 1 << MQTT_FROM_SERVER, BY_BOTH = BY_CLIENT | BY_SERVER };

static const struct layout {
    err (*write)(struct encoding *e) MUST;
    uint8_t flags;
    uint8_t senders;   /* in 5.0 */
    uint8_t senders_3; /* in 3.1.1 */
} layouts[] = {
    [MQTT_CONNECT] = {write_connect, 0, BY_CLIENT, BY_CLIENT},
    [MQTT_CONNACK] = {write_connack, 0, BY_SERVER, BY_SERVER},
    [MQTT_PUBACK] = {write_ack, 0, BY_BOTH, BY_BOTH},
    [MQTT_PUBREC] = {write_ack, 0, BY_BOTH, BY_BOTH},
    [MQTT_PUBREL] = {write_ack, 2, BY_BOTH, BY_BOTH},
    [MQTT_PUBCOMP] = {write_ack, 0, BY_BOTH, BY_BOTH},
    [MQTT_SUBSCRIBE] = {write_subscribe, 2, BY_CLIENT, BY_CLIENT},
    [MQTT_SUBACK] = {write_suback, 0, BY_SERVER, BY_SERVER},
    [MQTT_UNSUBSCRIBE] = {write_subscribe, 2, BY_CLIENT, BY_CLIENT},
    [MQTT_UNSUBACK] = {write_suback, 0, BY_SERVER, BY_SERVER},
    [MQTT_PINGREQ] = {write_nothing, 0, BY_CLIENT, BY_CLIENT},
    [MQTT_PINGRESP] = {write_nothing, 0, BY_SERVER, BY_SERVER},
    [MQTT_DISCONNECT] = {write_ending, 0, BY_BOTH, BY_CLIENT},
    [MQTT_AUTH] = {write_ending, 0, BY_BOTH, 0},
};

static void put_head(struct buffer *b, unsigned first, size_t length)
{
    put_u8(b, (uint8_t)first);
    put_varint(b, (uint32_t)length);
}

/* The length of a body is known when it is written: its fixed header is put before it then. */
static err insert_head(struct buffer *b, size_t start, unsigned first)
{
    TRY(buffer_finish(b));
    size_t length = b->len - start;
    if (length > MQTT_REMAINING_MAX)
        return &over_limit;
    size_t head = 1 + varint_size((uint32_t)length);
    if (!buffer_reserve(b, head))
        return buffer_finish(b);
    memmove(b->at + start + head, b->at + start, length);
    b->len = start;
    put_head(b, first, length);
    b->len = start + head + length;
    return OK;
}

static err write_packet(struct encoding *e)
{
    const struct layout *layout = &layouts[e->packet->type];
    uint8_t senders = is_5(e) ? layout->senders : layout->senders_3;
    if (!(senders & 1u << e->dialect.sender))
        return layout->senders & 1u << e->dialect.sender ? &not_in_3 : &bad_sender;
    size_t start = e->b->len;
    TRY(layout->write(e));
    return insert_head(e->b, start, (unsigned)e->packet->type << 4 | layout->flags);
}

err mqtt_encode(const struct mqtt_packet *packet, struct mqtt_dialect dialect, struct buffer *out)
{
    size_t start = out->len;
    TRY(buffer_finish(out));
    struct encoding e = {out, dialect, packet};
    if (packet->type != MQTT_PUBLISH)
        return settle_write(out, start, write_packet(&e));
    TRY(mqtt_put_publish_head(&packet->as.publish, dialect, out));
    put_bytes(out, packet->as.publish.payload);
    return settle_write(out, start, OK);
}

static size_t publish_body_size(const struct mqtt_publish *in, enum mqtt_version version)
{
    size_t properties = version == MQTT_5 ? properties_size(MQTT_PUBLISH, &in->properties) : 0;
    return 2 + in->topic.len + (in->qos ? 2 : 0) + properties + in->payload.len;
}

size_t mqtt_publish_size(const struct mqtt_publish *publish, enum mqtt_version version)
{
    size_t body = publish_body_size(publish, version);
    return 1 + varint_size(body > MQTT_REMAINING_MAX ? MQTT_REMAINING_MAX : (uint32_t)body) + body;
}

static err check_publish(const struct mqtt_publish *in, struct mqtt_dialect dialect)
{
    if (in->qos > 2 || (in->dup && !in->qos))
        return &bad_qos;
    if (!in->qos != !in->packet_id)
        return in->qos ? &no_packet_id : &stray_packet_id;
    bool alias = dialect.version == MQTT_5 && in->properties.present & MQTT_HAS(TOPIC_ALIAS);
    if (!in->topic.len && !alias)
        return &bad_topic;
    if (dialect.sender == MQTT_FROM_CLIENT && in->properties.present & MQTT_HAS(SUBSCRIPTION_ID))
        return &bad_sender;
    return OK;
}

static err write_publish_head(struct encoding *e, const struct mqtt_publish *in)
{
    size_t body = publish_body_size(in, e->dialect.version);
    if (body > MQTT_REMAINING_MAX)
        return &over_limit;
    put_head(e->b, (unsigned)MQTT_PUBLISH << 4 | (in->dup ? 8u : 0) | (unsigned)in->qos << 1 | (in->retain ? 1u : 0),
             body);
    TRY(put_field(e->b, in->topic));
    if (in->qos)
        put_u16(e->b, in->packet_id);
    return write_properties(e, MQTT_PUBLISH, &in->properties);
}

err mqtt_put_publish_head(const struct mqtt_publish *publish, struct mqtt_dialect dialect, struct buffer *out)
{
    TRY(check_publish(publish, dialect));
    TRY(buffer_finish(out));
    size_t start = out->len;
    struct encoding e = {out, dialect, NULL};
    return settle_write(out, start, write_publish_head(&e, publish));
}
