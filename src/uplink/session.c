/* What is said and what is heard.
 *
 *   CONNECT ->            clean start; everything that was unsettled is sent again
 *   <- CONNACK            window and packet size from its properties
 *   SUBSCRIBE ->          the owner's filters
 *   PUBLISH ->            from the spool, in order, up to the window
 *   <- PUBACK             settled; the spool drops what is settled from the oldest on
 *   PINGREQ ->, <- PINGRESP
 *
 * It ends when the line does, on DISCONNECT, on what breaks the protocol, on silence, and on a refusal that may pass.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/session.h"

#include "base/text.h"

#include <stdio.h>

enum {
    OUT_HIGH = 65536, /* records are put behind each other up to here, then the line must take some */
    PACKET_HEAD = 64, /* a PUBLISH of ours without its topic and payload is shorter */
    KEEP_ALIVE_S = 60,
    WINDOW = 32,
    SUBSCRIBE_ID = 65535, /* over every identifier of the window */
};

_Static_assert((int)LINK_WINDOW_MAX == (int)WINDOW_MAX, "a link's window is as large as a window can be");

static const struct mqtt_dialect ours = {MQTT_5, MQTT_FROM_CLIENT}, theirs = {MQTT_5, MQTT_FROM_SERVER};

static const struct fault refused = {ERR_REFUSED, "uplink: the server refused CONNECT"};
static const struct fault dismissed = {ERR_CLOSED, "uplink: the server ended the session"};
static const struct fault out_of_turn = {ERR_REFUSED, "uplink: the server sent a packet out of turn"};
static const struct fault deferred = {ERR_FULL, "uplink: the server cannot take messages now"};
static const struct fault silent = {ERR_EXPIRED, "uplink: the server did not answer PINGREQ"};
static const struct fault no_qos_1 = {ERR_UNSUPPORTED, "uplink: the server takes QoS 0 only"};
static const struct fault stray_alias = {ERR_REFUSED, "uplink: the server used a topic alias, and none is allowed"};
static const struct fault stray_qos = {ERR_REFUSED, "uplink: the server sent QoS 2, and 1 was asked for"};

void session_prepare(struct session *s, const struct link_options *options, struct link_counts *counts)
{
    *s = (struct session){.options = options, .counts = counts};
    s->line.loop = options->loop;
    s->line.watcher.fd = -1;
    s->line.in.max = (size_t)LINK_PACKET_MAX + LINE_CHUNK + LINE_CHUNK;
    s->line.out.max = (size_t)OUT_HIGH + PACKET_HEAD + SPOOL_TOPIC_MAX + SPOOL_PAYLOAD_MAX + OUT_HIGH;
}

static void turn_off(struct session *s)
{
    line_close(&s->line);
    window_clear(&s->window);
    s->phase = SESSION_OFF;
    s->draining = false;
}

/* Ends the session over a fault; the server's word, when there was one, is part of the sentence. */
static err fail(struct session *s, err fault)
{
    if (!s->why[0])
        snprintf(s->why, sizeof s->why, "%s%s%s", fault->text, s->reason == MQTT_SUCCESS ? "" : ": ",
                 s->reason == MQTT_SUCCESS ? "" : mqtt_reason_text(s->reason));
    turn_off(s);
    return fault;
}

static err fail_line(struct session *s, err fault)
{
    snprintf(s->why, sizeof s->why, "%s", s->line.why);
    return fail(s, fault);
}

err session_start(struct session *s, const struct line_target *target)
{
    s->window_max = s->options->window ? s->options->window : WINDOW;
    s->keep_alive = s->options->keep_alive ? s->options->keep_alive : KEEP_ALIVE_S;
    s->packet_max = UINT32_MAX;
    s->greeted = s->spoke = s->heard = s->asked = s->progressed = s->halted = s->draining = false;
    s->reason = MQTT_SUCCESS;
    s->why[0] = 0;
    window_clear(&s->window);
    s->phase = SESSION_OPENING;
    err e = line_open(&s->line, target);
    return e ? fail_line(s, e) : OK;
}

static err say(struct session *s, const struct mqtt_packet *packet)
{
    s->spoke = true;
    return mqtt_encode(packet, ours, &s->line.out);
}

static err greet(struct session *s)
{
    const struct mqtt_packet packet = {
        MQTT_CONNECT,
        .as.connect =
            {
                .version = MQTT_5,
                .client_id = bytes_of_text(s->options->client_id),
                .clean_start = true,
                .keep_alive = s->keep_alive,
                .properties = {.present = MQTT_HAS(MAXIMUM_PACKET_SIZE), .maximum_packet_size = LINK_PACKET_MAX},
            },
    };
    s->greeted = true;
    return say(s, &packet);
}

static err subscribe(struct session *s)
{
    SCOPED(buffer_drop) struct buffer filters = {.max = OUT_HIGH};
    for (const char *const *filter = s->options->filters; filter && *filter; filter++)
        TRY(mqtt_put_filter(&filters, MQTT_SUBSCRIBE, &(struct mqtt_filter){bytes_of_text(*filter), .qos = 1}));
    if (!filters.len)
        return OK;
    const struct mqtt_packet packet = {MQTT_SUBSCRIBE,
                                       .as.subscribe = {.packet_id = SUBSCRIBE_ID, .filters = buffer_view(&filters)}};
    return say(s, &packet);
}

static err take_connack(struct session *s, const struct mqtt_connack *in)
{
    s->reason = in->reason;
    if (in->reason != MQTT_SUCCESS)
        return &refused;
    if (in->properties.maximum_qos < 1)
        return &no_qos_1;
    if (in->properties.receive_maximum < s->window_max)
        s->window_max = in->properties.receive_maximum;
    if (in->properties.present & MQTT_HAS(SERVER_KEEP_ALIVE) && in->properties.server_keep_alive)
        s->keep_alive = in->properties.server_keep_alive;
    s->packet_max = in->properties.maximum_packet_size;
    s->phase = SESSION_UP;
    s->counts->connected++;
    spool_rewind(s->options->spool);
    return subscribe(s);
}

static err take_publish(struct session *s, const struct mqtt_publish *in)
{
    if (in->properties.present & MQTT_HAS(TOPIC_ALIAS))
        return &stray_alias;
    if (in->qos > 1)
        return &stray_qos;
    s->counts->arrived++;
    s->options->owner->arrived(s->options->owner, in->topic, in->payload);
    const struct mqtt_packet answer = {MQTT_PUBACK, .as.ack = {.packet_id = in->packet_id}};
    return in->qos && !s->halted ? say(s, &answer) : OK;
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
        return &deferred;
    }
    window_settle(&s->window, in->packet_id);
    s->progressed = true;
    if (in->reason < MQTT_UNSPECIFIED_ERROR)
        s->counts->acknowledged++;
    else
        tell_refused(s, number, in->reason);
    return OK;
}

static err take_suback(struct session *s, const struct mqtt_suback *in)
{
    for (size_t i = 0; i < in->reasons.len; i++)
        if (in->reasons.at[i] >= MQTT_UNSPECIFIED_ERROR)
            log_line(s->options->log, LOG_WARN, "subscription refused", "filter=%zu reason=\"%s\"", i,
                     mqtt_reason_text((enum mqtt_reason)in->reasons.at[i]));
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
        return take_suback(s, &packet->as.suback);
    case MQTT_PINGRESP:
        s->asked = false;
        return OK;
    case MQTT_DISCONNECT:
        s->reason = packet->as.ending.reason;
        return &dismissed;
    case MQTT_CONNECT:
    case MQTT_PUBREC:
    case MQTT_PUBREL:
    case MQTT_PUBCOMP:
    case MQTT_SUBSCRIBE:
    case MQTT_UNSUBSCRIBE:
    case MQTT_UNSUBACK:
    case MQTT_PINGREQ:
    case MQTT_AUTH:
        break;
    }
    return &out_of_turn;
}

static err take_packets(struct session *s)
{
    while (!s->halted) {
        struct mqtt_frame frame;
        struct mqtt_packet packet;
        err e = mqtt_frame(buffer_view(&s->line.in), LINK_PACKET_MAX, &frame);
        if (err_is(e, ERR_AGAIN))
            return OK;
        TRY(e);
        TRY(mqtt_decode(&frame, theirs, &packet));
        s->heard = true;
        TRY(take_packet(s, &packet));
        buffer_consume(&s->line.in, frame.size);
    }
    return OK;
}

static void drop_settled(struct session *s)
{
    uint64_t last = window_take_settled(&s->window);
    err e = last ? spool_drop(s->options->spool, last) : OK;
    if (e)
        log_line(s->options->log, LOG_WARN, "spool not shortened", "why=\"%s\"", e->text);
}

/* The last word to a server that is still there: why it is left (3.14.2.1). */
static void take_leave(struct session *s, enum mqtt_reason reason)
{
    if (s->phase != SESSION_UP)
        return;
    IGNORE(say(s, &(struct mqtt_packet){.type = MQTT_DISCONNECT, .as.ending = {.reason = reason}}));
    IGNORE(line_flush(&s->line));
}

/* What was read before the line broke is taken first: it may say why. */
err session_turn(struct session *s)
{
    err broken, wrong = OK;
    do {
        broken = line_turn(&s->line);
        if (s->line.phase == LINE_OPEN && !s->greeted)
            wrong = greet(s);
        if (!wrong)
            wrong = take_packets(s);
        drop_settled(s);
    } while (!broken && !wrong && !s->halted && line_has_more(&s->line));
    if (wrong && wrong != &dismissed)
        take_leave(s, wrong == &deferred ? MQTT_SUCCESS : mqtt_reason_for(wrong));
    if (wrong)
        return fail(s, wrong);
    if (broken)
        return fail_line(s, broken);
    broken = line_flush(&s->line);
    return broken ? fail_line(s, broken) : OK;
}

static bool topic_is_plain(struct bytes topic)
{
    size_t at;
    return topic.len && utf8_valid(topic) && !bytes_find(topic, 0, &at) && !bytes_find(topic, '+', &at) &&
           !bytes_find(topic, '#', &at);
}

/* A record that would end every session is not sent at all, or nothing behind it would ever leave. */
static enum mqtt_reason sendable(const struct session *s, const struct mqtt_publish *publish)
{
    if (!topic_is_plain(publish->topic))
        return MQTT_TOPIC_NAME_INVALID;
    return mqtt_publish_size(publish, MQTT_5) > s->packet_max ? MQTT_PACKET_TOO_LARGE : MQTT_SUCCESS;
}

static err send_record(struct session *s, const struct spool_record *record)
{
    struct mqtt_packet packet = {MQTT_PUBLISH,
                                 .as.publish = {.topic = record->topic, .payload = record->payload, .qos = 1}};
    uint16_t id = window_add(&s->window, record->number);
    packet.as.publish.packet_id = id;
    enum mqtt_reason reason = sendable(s, &packet.as.publish);
    if (reason == MQTT_SUCCESS) {
        s->counts->sent++;
        return say(s, &packet);
    }
    window_settle(&s->window, id);
    s->counts->refused++;
    s->options->owner->refused(s->options->owner, reason, record);
    return OK;
}

static bool has_room(const struct session *s)
{
    return s->phase == SESSION_UP && !s->halted && !s->draining && s->window.count < s->window_max &&
           s->line.out.len < OUT_HIGH;
}

static err send_records(struct session *s)
{
    while (has_room(s)) {
        struct spool_record record;
        err e = spool_next(s->options->spool, &record);
        if (err_is(e, ERR_ABSENT))
            return OK;
        if (e) { /* the disk failed, not the line: the next wake tries again */
            log_line(s->options->log, LOG_WARN, "spool not read", "why=\"%s\"", e->text);
            return OK;
        }
        TRY(send_record(s, &record));
        drop_settled(s);
    }
    return OK;
}

/* Sent is what the line has taken; when it takes all at once, there is room for more. */
err session_pump(struct session *s)
{
    while (s->phase == SESSION_UP && !s->halted) {
        err e = send_records(s);
        if (e)
            return fail(s, e);
        bool full = s->line.out.len >= OUT_HIGH;
        e = line_flush(&s->line);
        if (e)
            return fail_line(s, e);
        if (!full || s->line.out.len)
            return OK;
    }
    return OK;
}

int64_t session_tick_ms(const struct session *s)
{
    return (int64_t)s->keep_alive * 500;
}

err session_tick(struct session *s)
{
    if (s->phase != SESSION_UP)
        return OK;
    if (s->asked && !s->heard)
        return fail(s, &silent);
    s->progressed = true;
    bool needed = !s->asked && !(s->spoke && s->heard);
    s->spoke = s->heard = false;
    if (!needed)
        return OK;
    s->asked = true;
    err e = say(s, &(struct mqtt_packet){.type = MQTT_PINGREQ});
    if (e)
        return fail(s, e);
    e = line_flush(&s->line);
    return e ? fail_line(s, e) : OK;
}

bool session_is_idle(const struct session *s)
{
    return !s->window.count;
}

void session_end(struct session *s)
{
    take_leave(s, MQTT_SUCCESS);
    turn_off(s);
}

void session_drop(struct session *s)
{
    session_end(s);
    line_drop(&s->line);
}
