/* What is heard. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/session_parts.h"

#include "base/text.h"

const struct fault session_other_version = {ERR_UNSUPPORTED, "uplink: the server does not speak this version of MQTT"};
const struct fault session_dismissed = {ERR_CLOSED, "uplink: the server ended the session"};
const struct fault session_deferred = {ERR_FULL, "uplink: the server cannot take messages now"};

static const struct fault refused = {ERR_REFUSED, "uplink: the server refused CONNECT"};
static const struct fault out_of_turn = {ERR_REFUSED, "uplink: the server sent a packet out of turn"};
static const struct fault no_qos_1 = {ERR_UNSUPPORTED, "uplink: the server takes QoS 0 only"};
static const struct fault stray_alias = {ERR_REFUSED, "uplink: the server used a topic alias, and none is allowed"};
static const struct fault stray_qos = {ERR_REFUSED, "uplink: the server sent QoS 2, and 1 was asked for"};

/* What was on its way to a session that goes on is sent to it again (4.4), marked as such; a process that is new does
 * not know what the one before it sent, but no more than a window of it can be unsettled. */
static void take_up(struct session *s, const struct mqtt_connack *in)
{
    s->present = in->session_present;
    if (s->options->session_expiry && !s->present && s->counts->connected)
        s->counts->sessions_lost++;
    s->counts->connected++;
    s->again_through = !s->present ? 0 : s->sent_through ? s->sent_through : UINT64_MAX;
    s->held = 0;
    spool_rewind(s->options->spool);
}

static err take_connack(struct session *s, const struct mqtt_connack *in)
{
    s->reason = in->reason;
    if (in->reason == MQTT_UNSUPPORTED_PROTOCOL_VERSION)
        return &session_other_version;
    if (in->reason != MQTT_SUCCESS)
        return &refused;
    if (s->version == MQTT_5 && in->properties.maximum_qos < 1)
        return &no_qos_1;
    if (s->version == MQTT_5 && in->properties.receive_maximum < s->window_max)
        s->window_max = in->properties.receive_maximum;
    if (in->properties.present & MQTT_HAS(SERVER_KEEP_ALIVE) && in->properties.server_keep_alive)
        s->keep_alive = in->properties.server_keep_alive;
    if (s->version == MQTT_5)
        s->packet_max = in->properties.maximum_packet_size;
    s->phase = SESSION_UP;
    take_up(s, in);
    return session_subscribe(s);
}

/* Acknowledges what the owner took, in the order in which it came (4.6), when it is durable. */
static err settle(struct session *s)
{
    struct link_owner *owner = s->options->owner;
    size_t count = s->answer_count;
    s->answer_count = 0;
    err e = count && owner->settle ? owner->settle(owner) : OK;
    if (e) {
        s->deaf = true;
        return OK;
    }
    for (size_t i = 0; i < count && !s->halted; i++)
        TRY(session_say(s, &(struct mqtt_packet){MQTT_PUBACK, .as.ack = {.packet_id = s->answers[i]}}));
    return OK;
}

static err take_publish(struct session *s, const struct mqtt_publish *in)
{
    if (in->properties.present & MQTT_HAS(TOPIC_ALIAS))
        return &stray_alias;
    if (in->qos > 1)
        return &stray_qos;
    s->counts->arrived++;
    if (!s->deaf)
        s->deaf = s->options->owner->arrived(s->options->owner, in) == LINK_LATER;
    if (s->deaf)
        s->counts->unheard++;
    else if (in->qos)
        s->answers[s->answer_count++] = in->packet_id;
    return s->answer_count == SESSION_ANSWERS_MAX ? settle(s) : OK;
}

/* 3.4.2.1: these would be said of the same message every time. */
static bool is_for_ever(enum mqtt_reason reason)
{
    return reason == MQTT_PAYLOAD_FORMAT_INVALID || reason == MQTT_NOT_AUTHORIZED || reason == MQTT_TOPIC_NAME_INVALID;
}

static void tell_refused(struct session *s, uint64_t number, enum mqtt_reason reason)
{
    struct spool_record record;
    s->counts->refused++;
    if (spool_find(s->options->spool, number, &record) == OK)
        s->options->owner->refused(s->options->owner, reason, &record);
}

static err take_puback(struct session *s, const struct mqtt_ack *in)
{
    uint64_t number;
    if (!window_number(&s->window, in->packet_id, &number))
        return &out_of_turn;
    if (in->reason >= MQTT_UNSPECIFIED_ERROR && !is_for_ever(in->reason)) {
        s->counts->deferred++;
        s->reason = in->reason;
        return &session_deferred;
    }
    window_settle(&s->window, in->packet_id);
    s->progressed = true;
    if (in->reason < MQTT_UNSPECIFIED_ERROR)
        s->counts->acknowledged++;
    else
        tell_refused(s, number, in->reason);
    return OK;
}

static err take_packet(struct session *s, const struct mqtt_packet *packet)
{
    bool opening = s->phase == SESSION_OPENING;
    if (opening != (packet->type == MQTT_CONNACK) && packet->type != MQTT_DISCONNECT)
        return &out_of_turn;
    switch (packet->type) {
    case MQTT_CONNACK:
        return take_connack(s, &packet->as.connack);
    case MQTT_PUBLISH:
        return take_publish(s, &packet->as.publish);
    case MQTT_PUBACK:
        return take_puback(s, &packet->as.ack);
    case MQTT_SUBACK:
        return session_take_suback(s, &packet->as.suback);
    case MQTT_UNSUBACK:
        return OK;
    case MQTT_PINGRESP:
        s->asked = false;
        return OK;
    case MQTT_DISCONNECT:
        s->reason = packet->as.ending.reason;
        return &session_dismissed;
    case MQTT_CONNECT:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_PINGREQ:
    case MQTT_AUTH:
        break;
    }
    return &out_of_turn;
}

/* A server of 3.1.1 cannot be told how large a packet may be. One that is larger is acknowledged and lost, for without
 * that it would come again at every connect, and nothing behind it ever. ERR_AGAIN: its topic is not whole yet. */
static err pass_over(struct session *s)
{
    struct mqtt_frame frame;
    struct bytes in = buffer_view(&s->line.in);
    IGNORE(mqtt_frame(in, SIZE_MAX, &frame)); /* it is not whole: the length was looked for */
    struct reader r = reader_over(bytes_from(in, frame.head));
    struct bytes topic = read_view(&r, read_u16(&r));
    uint16_t id = read_u16(&r);
    static const struct fault more = {ERR_AGAIN, "uplink: the topic is not whole yet"};
    if (r.spoiled)
        return &more;
    s->counts->arrived++;
    s->counts->oversized++;
    if (s->counts->oversized == 1 && utf8_valid(topic)) /* how many more there are is counted */
        log_line(s->options->log, LOG_ERROR, "a message is too large and is lost", "topic=\"%.*s\" bytes=%zu most=%u",
                 (int)topic.len, (const char *)topic.at, frame.size, s->options->packet_max);
    s->skip = frame.size;
    if (!(frame.flags & 6) || s->deaf)
        return OK;
    s->answers[s->answer_count++] = id;
    return s->answer_count == SESSION_ANSWERS_MAX ? settle(s) : OK;
}

/* A server of 3.1.1 answers a CONNECT of version 5 in its own format (3.1.1, 3.1.2.2): return code 1. */
static bool is_old_refusal(const struct session *s, const struct mqtt_frame *frame)
{
    return s->version == MQTT_5 && s->phase == SESSION_OPENING && frame->type == MQTT_CONNACK &&
           bytes_equal(frame->body, BYTES("\0\1"));
}

static err take_next(struct session *s)
{
    struct mqtt_frame frame;
    struct mqtt_packet packet;
    err e = mqtt_frame(buffer_view(&s->line.in), s->options->packet_max, &frame);
    if (err_is(e, ERR_TOO_LARGE) && s->version == MQTT_3_1_1 && frame.type == MQTT_PUBLISH)
        return pass_over(s);
    TRY(e);
    if (is_old_refusal(s, &frame))
        return &session_other_version;
    TRY(mqtt_decode(&frame, (struct mqtt_dialect){s->version, MQTT_FROM_SERVER}, &packet));
    s->heard = true;
    TRY(take_packet(s, &packet));
    buffer_consume(&s->line.in, frame.size);
    return OK;
}

static void skip_some(struct session *s)
{
    size_t len = s->skip < s->line.in.len ? s->skip : s->line.in.len;
    buffer_consume(&s->line.in, len);
    s->skip -= len;
    s->heard = s->heard || len;
}

err session_hear(struct session *s)
{
    err e = OK;
    while (!s->halted && !e) {
        skip_some(s);
        e = take_next(s);
    }
    TRY(!e || err_is(e, ERR_AGAIN) ? settle(s) : OK);
    return err_is(e, ERR_AGAIN) ? OK : e;
}
