/* Bytes to control packets: one function per layout of the standard, each reading down like its figure. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/mqtt_cursor.h"

struct decoding {
    struct cursor c;
    struct mqtt_dialect dialect;
    const struct mqtt_frame *frame;
    struct mqtt_packet *out;
};

static const struct fault wrong_sender = {ERR_REFUSED,
                                          "mqtt: a packet that only the other side may send (MQTT 5.0, 2.1.2)"};
static const struct fault reserved_type = {ERR_MALFORMED, "mqtt: packet type 15 (MQTT 3.1.1, 2.2.1)"};
static const struct fault padded_length = {ERR_MALFORMED,
                                           "mqtt: a remaining length with more bytes than it needs (MQTT 5.0, 1.5.5)"};
static const struct fault other_protocol = {ERR_UNSUPPORTED,
                                            "mqtt: a protocol name that is not MQTT (MQTT 5.0, 3.1.2.1)"};
static const struct fault other_version = {
    ERR_UNSUPPORTED, "mqtt: a protocol version that is neither 3.1.1 nor 5.0 (MQTT 5.0, 3.1.2.2)"};
static const struct fault reserved_flag = {ERR_MALFORMED,
                                           "mqtt: the reserved flag of CONNECT is set (MQTT 5.0, 3.1.2.3)"};
static const struct fault will_qos = {ERR_MALFORMED, "mqtt: a will of QoS 3 (MQTT 5.0, 3.1.2.6)"};
static const struct fault no_will = {ERR_MALFORMED, "mqtt: will QoS or will retain without a will (MQTT 5.0, 3.1.2.6)"};
static const struct fault password_alone = {ERR_MALFORMED,
                                            "mqtt: a password without a user name (MQTT 3.1.1, 3.1.2.9)"};
static const struct fault will_topic = {ERR_MALFORMED, "mqtt: an empty will topic (MQTT 5.0, 4.7.3)"};
static const struct fault data_alone = {
    ERR_REFUSED, "mqtt: Authentication Data without Authentication Method (MQTT 5.0, 3.1.2.11.10)"};
static const struct fault no_method = {ERR_REFUSED, "mqtt: AUTH without Authentication Method (MQTT 5.0, 3.15.2.2.2)"};
static const struct fault connack_flags = {ERR_MALFORMED,
                                           "mqtt: reserved flags of CONNACK are set (MQTT 5.0, 3.2.2.1)"};
static const struct fault present_and_refused = {ERR_REFUSED,
                                                 "mqtt: Session Present with a refusal (MQTT 5.0, 3.2.2.1.1)"};
static const struct fault return_code = {ERR_MALFORMED,
                                         "mqtt: an unknown return code in CONNACK (MQTT 3.1.1, 3.2.2.3)"};
static const struct fault misplaced_reason = {ERR_REFUSED,
                                              "mqtt: a reason code that may not stand there (MQTT 5.0, 2.4)"};
static const struct fault qos_3 = {ERR_MALFORMED, "mqtt: QoS 3 (MQTT 5.0, 3.3.1.2)"};
static const struct fault dup_qos_0 = {ERR_MALFORMED, "mqtt: DUP with QoS 0 (MQTT 5.0, 3.3.1.1)"};
static const struct fault empty_topic = {ERR_REFUSED, "mqtt: an empty topic without a topic alias (MQTT 5.0, 3.3.2.1)"};
static const struct fault subscription_id = {ERR_REFUSED,
                                             "mqtt: a Subscription Identifier from a client (MQTT 5.0, 3.3.4)"};
static const struct fault session_expiry = {
    ERR_REFUSED, "mqtt: Session Expiry Interval in a server's DISCONNECT (MQTT 5.0, 3.14.2.2.2)"};
static const struct fault no_filters = {ERR_REFUSED, "mqtt: no filter (MQTT 5.0, 3.8.3)"};
static const struct fault empty_filter = {ERR_REFUSED, "mqtt: an empty filter (MQTT 5.0, 4.7.3)"};
static const struct fault reserved_options = {ERR_MALFORMED,
                                              "mqtt: reserved bits in subscription options (MQTT 5.0, 3.8.3.1)"};
static const struct fault filter_qos = {ERR_REFUSED, "mqtt: a filter with QoS 3 (MQTT 5.0, 3.8.3.1)"};
static const struct fault handling_3 = {ERR_REFUSED, "mqtt: a filter with retain handling 3 (MQTT 5.0, 3.8.3.1)"};
static const struct fault shared_no_local = {ERR_REFUSED,
                                             "mqtt: No Local on a shared subscription (MQTT 5.0, 3.8.3.1)"};
static const struct fault no_reasons = {ERR_REFUSED,
                                        "mqtt: SUBACK or UNSUBACK without a reason code (MQTT 5.0, 3.9.3)"};

static bool is_5(const struct decoding *d)
{
    return d->dialect.version == MQTT_5;
}

static void read_properties(struct decoding *d, unsigned packet, struct mqtt_properties *out)
{
    if (is_5(d))
        cursor_properties(&d->c, packet, out);
    else
        *out = properties_absent;
    uint64_t authentication = MQTT_HAS(AUTHENTICATION_METHOD) | MQTT_HAS(AUTHENTICATION_DATA);
    if ((out->present & authentication) == MQTT_HAS(AUTHENTICATION_DATA))
        cursor_blame(&d->c, &data_alone);
}

static enum mqtt_reason read_reason(struct decoding *d)
{
    enum mqtt_reason reason = (enum mqtt_reason)read_u8(&d->c.r);
    if (!reason_fits(reason, d->frame->type, d->dialect.sender))
        cursor_blame(&d->c, &misplaced_reason);
    return reason;
}

/* 3.1.2.1, 3.1.2.2. What speaks a later level is answered in 5.0, what speaks an earlier one in 3.1.1; the high bit is
 * what bridges of some servers set. */
static bool read_protocol(struct decoding *d, struct mqtt_connect *out)
{
    struct bytes name = cursor_binary(&d->c);
    uint8_t level = read_u8(&d->c.r);
    if (d->c.r.spoiled)
        return false;
    bool ours = bytes_is(name, "MQTT");
    out->version = ours && (level & 0x7F) >= MQTT_5 ? MQTT_5 : MQTT_3_1_1;
    if (!ours)
        cursor_blame(&d->c, &other_protocol);
    else if (level != MQTT_3_1_1 && level != MQTT_5)
        cursor_blame(&d->c, &other_version);
    d->dialect.version = out->version;
    return !d->c.wrong;
}

/* 3.1.2.3 to 3.1.2.9 */
enum {
    RESERVED = 0x01,
    CLEAN_START = 0x02,
    WILL = 0x04,
    WILL_QOS_SHIFT = 3,
    WILL_RETAIN = 0x20,
    PASSWORD = 0x40,
    USERNAME = 0x80
};

static void read_connect_flags(struct decoding *d, struct mqtt_connect *out)
{
    uint8_t flags = read_u8(&d->c.r);
    out->clean_start = flags & CLEAN_START;
    out->has_will = flags & WILL;
    out->has_username = flags & USERNAME;
    out->has_password = flags & PASSWORD;
    out->will.qos = (flags >> WILL_QOS_SHIFT) & 3;
    out->will.retain = flags & WILL_RETAIN;
    if (flags & RESERVED)
        cursor_blame(&d->c, &reserved_flag);
    if (!out->has_will && (out->will.qos || out->will.retain))
        cursor_blame(&d->c, &no_will);
    if (out->will.qos > 2)
        cursor_blame(&d->c, &will_qos);
    if (!is_5(d) && out->has_password && !out->has_username)
        cursor_blame(&d->c, &password_alone);
}

static void read_will(struct decoding *d, struct mqtt_will *out)
{
    read_properties(d, MQTT_WILL, &out->properties);
    out->topic = cursor_topic(&d->c);
    if (!out->topic.len)
        cursor_blame(&d->c, &will_topic);
    out->payload = cursor_binary(&d->c);
}

static void read_connect(struct decoding *d)
{
    struct mqtt_connect *out = &d->out->as.connect;
    *out = (struct mqtt_connect){.will.properties = properties_absent};
    if (!read_protocol(d, out))
        return;
    read_connect_flags(d, out);
    out->keep_alive = read_u16(&d->c.r);
    read_properties(d, MQTT_CONNECT, &out->properties);
    out->client_id = cursor_text(&d->c);
    if (out->has_will)
        read_will(d, &out->will);
    if (out->has_username)
        out->username = cursor_text(&d->c);
    if (out->has_password)
        out->password = cursor_binary(&d->c);
}

static void read_connack(struct decoding *d)
{
    struct mqtt_connack *out = &d->out->as.connack;
    uint8_t flags = read_u8(&d->c.r);
    out->session_present = flags & 1;
    if (flags & ~1u)
        cursor_blame(&d->c, &connack_flags);
    if (is_5(d))
        out->reason = read_reason(d);
    else if (!return_code_to(read_u8(&d->c.r), &out->reason))
        cursor_blame(&d->c, &return_code);
    if (out->session_present && out->reason != MQTT_SUCCESS)
        cursor_blame(&d->c, &present_and_refused);
    read_properties(d, MQTT_CONNACK, &out->properties);
}

enum { RETAIN = 0x01, QOS_SHIFT = 1, DUP = 0x08 };

static void read_publish(struct decoding *d)
{
    struct mqtt_publish *out = &d->out->as.publish;
    uint8_t flags = d->frame->flags;
    out->retain = flags & RETAIN;
    out->dup = flags & DUP;
    out->qos = (flags >> QOS_SHIFT) & 3;
    if (out->qos > 2)
        cursor_blame(&d->c, &qos_3);
    if (out->dup && !out->qos)
        cursor_blame(&d->c, &dup_qos_0);
    out->topic = cursor_topic(&d->c);
    out->packet_id = out->qos ? cursor_packet_id(&d->c) : 0;
    read_properties(d, MQTT_PUBLISH, &out->properties);
    if (!out->topic.len && !(out->properties.present & MQTT_HAS(TOPIC_ALIAS)))
        cursor_blame(&d->c, &empty_topic);
    if (d->dialect.sender == MQTT_FROM_CLIENT && out->properties.present & MQTT_HAS(SUBSCRIPTION_ID))
        cursor_blame(&d->c, &subscription_id);
    out->payload = read_view(&d->c.r, d->c.r.left.len);
}

/* 3.4.2.1: the reason may be left out when it is success, the properties when there are none. */
static void read_ack(struct decoding *d)
{
    struct mqtt_ack *out = &d->out->as.ack;
    *out = (struct mqtt_ack){.properties = properties_absent, .packet_id = cursor_packet_id(&d->c)};
    if (!is_5(d) || !d->c.r.left.len)
        return;
    out->reason = read_reason(d);
    if (d->c.r.left.len)
        read_properties(d, d->frame->type, &out->properties);
}

/* 3.8.3.1, and 3.1.1, 3.8.3, where all bits but the QoS are reserved. */
static void check_filter(struct decoding *d, const struct mqtt_filter *filter, uint8_t options)
{
    if (options & (is_5(d) ? 0xC0 : 0xFC))
        cursor_blame(&d->c, &reserved_options);
    if (filter->qos > 2)
        cursor_blame(&d->c, &filter_qos);
    if (filter->retain_handling > 2)
        cursor_blame(&d->c, &handling_3);
    if (filter->no_local && bytes_starts(filter->filter, "$share/"))
        cursor_blame(&d->c, &shared_no_local);
}

static void read_filter(struct decoding *d)
{
    struct bytes all = d->c.r.left;
    if (!cursor_text(&d->c).len)
        cursor_blame(&d->c, &empty_filter);
    if (d->frame->type != MQTT_SUBSCRIBE)
        return;
    uint8_t options = read_u8(&d->c.r);
    struct mqtt_filter filter;
    if (!d->c.r.spoiled && mqtt_next_filter(&all, MQTT_SUBSCRIBE, &filter))
        check_filter(d, &filter, options);
}

static void read_subscribe(struct decoding *d)
{
    struct mqtt_subscribe *out = &d->out->as.subscribe;
    out->packet_id = cursor_packet_id(&d->c);
    read_properties(d, d->frame->type, &out->properties);
    out->filters = d->c.r.left;
    out->count = 0;
    while (d->c.r.left.len && !d->c.r.spoiled && !d->c.wrong) {
        read_filter(d);
        out->count++;
    }
    if (!out->count)
        cursor_blame(&d->c, &no_filters);
}

static void read_suback(struct decoding *d)
{
    struct mqtt_suback *out = &d->out->as.suback;
    out->packet_id = cursor_packet_id(&d->c);
    read_properties(d, d->frame->type, &out->properties);
    out->reasons = bytes_of(NULL, 0);
    if (!is_5(d) && d->frame->type == MQTT_UNSUBACK)
        return;
    out->reasons = read_view(&d->c.r, d->c.r.left.len);
    if (!out->reasons.len)
        cursor_blame(&d->c, &no_reasons);
    for (size_t i = 0; i < out->reasons.len; i++) {
        uint8_t code = out->reasons.at[i];
        bool known = is_5(d) || code <= MQTT_UNSPECIFIED_ERROR;
        if (!known || !reason_fits((enum mqtt_reason)code, d->frame->type, d->dialect.sender))
            cursor_blame(&d->c, &misplaced_reason);
    }
}

/* 3.14.2 and 3.15.2; DISCONNECT may also leave out the length of no properties (3.14.2.2.1). */
static void read_ending(struct decoding *d)
{
    struct mqtt_ending *out = &d->out->as.ending;
    enum mqtt_type type = d->frame->type;
    *out = (struct mqtt_ending){.properties = properties_absent};
    if (!is_5(d) || !d->c.r.left.len)
        return;
    out->reason = read_reason(d);
    if (type == MQTT_AUTH || d->c.r.left.len)
        read_properties(d, type, &out->properties);
    if (type == MQTT_AUTH && !(out->properties.present & MQTT_HAS(AUTHENTICATION_METHOD)))
        cursor_blame(&d->c, &no_method);
    if (d->dialect.sender == MQTT_FROM_SERVER && out->properties.present & MQTT_HAS(SESSION_EXPIRY))
        cursor_blame(&d->c, &session_expiry);
}

static void read_ping(struct decoding *d)
{
    (void)d; /* nothing stands in it; cursor_finish sees to that */
}

enum { BY_CLIENT = 1 << MQTT_FROM_CLIENT, BY_SERVER = 1 << MQTT_FROM_SERVER, BY_BOTH = BY_CLIENT | BY_SERVER };

static const struct layout {
    void (*read)(struct decoding *d);
    uint8_t senders;   /* in 5.0 */
    uint8_t senders_3; /* in 3.1.1 */
} layouts[] = {
    [MQTT_CONNECT] = {read_connect, BY_CLIENT, BY_CLIENT},
    [MQTT_CONNACK] = {read_connack, BY_SERVER, BY_SERVER},
    [MQTT_PUBLISH] = {read_publish, BY_BOTH, BY_BOTH},
    [MQTT_PUBACK] = {read_ack, BY_BOTH, BY_BOTH},
    [MQTT_PUBREC] = {read_ack, BY_BOTH, BY_BOTH},
    [MQTT_PUBREL] = {read_ack, BY_BOTH, BY_BOTH},
    [MQTT_PUBCOMP] = {read_ack, BY_BOTH, BY_BOTH},
    [MQTT_SUBSCRIBE] = {read_subscribe, BY_CLIENT, BY_CLIENT},
    [MQTT_SUBACK] = {read_suback, BY_SERVER, BY_SERVER},
    [MQTT_UNSUBSCRIBE] = {read_subscribe, BY_CLIENT, BY_CLIENT},
    [MQTT_UNSUBACK] = {read_suback, BY_SERVER, BY_SERVER},
    [MQTT_PINGREQ] = {read_ping, BY_CLIENT, BY_CLIENT},
    [MQTT_PINGRESP] = {read_ping, BY_SERVER, BY_SERVER},
    [MQTT_DISCONNECT] = {read_ending, BY_BOTH, BY_CLIENT},
    [MQTT_AUTH] = {read_ending, BY_BOTH, 0},
};

err mqtt_decode(const struct mqtt_frame *frame, struct mqtt_dialect dialect, struct mqtt_packet *out)
{
    const struct layout *layout = &layouts[frame->type];
    out->type = frame->type;
    if (frame->type == MQTT_CONNECT)
        out->as.connect.version = (enum mqtt_version)0;
    uint8_t senders = dialect.version == MQTT_5 ? layout->senders : layout->senders_3;
    if (!senders)
        return &reserved_type;
    if (!(senders & 1u << dialect.sender))
        return &wrong_sender;
    struct decoding d = {{reader_over(frame->body), NULL}, dialect, frame, out};
    layout->read(&d);
    /* 3.1.1 says nothing about a length that is written longer than it must be, so it is forgiven there. */
    if (is_5(&d) && frame->head != 1 + varint_size((uint32_t)frame->body.len))
        return &padded_length;
    return cursor_finish(&d.c);
}
