/* What is said and what is heard.
 *
 *   CONNECT ->            a new session, or the one that was kept; everything that was unsettled is sent again
 *   <- CONNACK            window and packet size from its properties
 *   SUBSCRIBE ->          the owner's filters
 *   PUBLISH ->            from the spool, in order, up to the window
 *   <- PUBACK             settled; the spool drops what is settled from the oldest on
 *   <- PUBLISH            to the owner; PUBACK -> when the owner has made it durable
 *   PINGREQ ->, <- PINGRESP
 *
 * It ends when the line does, on DISCONNECT, on what breaks the protocol, on silence, and on a refusal that may pass.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#include "uplink/session_parts.h"

#include "base/text.h"

#include <stdio.h>

enum {
    PACKET_HEAD = 64, /* a PUBLISH of ours without its topic, properties and payload is shorter */
    KEEP_ALIVE_S = 60,
    WINDOW = 32,
};

_Static_assert((int)LINK_WINDOW_MAX == (int)WINDOW_MAX, "a link's window is as large as a window can be");
_Static_assert((int)WINDOW_MAX < SUBSCRIBE_ID - 2 * (int)LINK_FILTERS_MAX, "identifiers of the window are no others");

static const struct fault silent = {ERR_EXPIRED, "uplink: the server did not answer PINGREQ"};

void session_prepare(struct session *s, const struct link_options *options, struct link_counts *counts)
{
    *s = (struct session){.options = options, .counts = counts};
    s->version = options->version == LINK_MQTT_3_1_1 ? MQTT_3_1_1 : MQTT_5;
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
    s->draining = s->deaf = false;
    s->answer_count = s->skip = 0;
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
    s->greeted = s->spoke = s->heard = s->asked = s->progressed = s->halted = s->draining = s->present = false;
    s->reason = MQTT_SUCCESS;
    s->why[0] = 0;
    window_clear(&s->window);
    s->phase = SESSION_OPENING;
    err e = line_open(&s->line, target);
    return e ? fail_line(s, e) : OK;
}

err session_say(struct session *s, const struct mqtt_packet *packet)
{
    s->spoke = true;
    return mqtt_encode(packet, (struct mqtt_dialect){s->version, MQTT_FROM_CLIENT}, &s->line.out);
}

void session_drop_settled(struct session *s)
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
        return; /* 3.1.1, 3.14: its DISCONNECT says nothing but good-bye; the codec leaves the reason out */
    IGNORE(session_say(s, &(struct mqtt_packet){.type = MQTT_DISCONNECT, .as.ending = {.reason = reason}}));
    IGNORE(line_flush(&s->line));
}

/* What was read before the line broke is taken first: it may say why. */
err session_turn(struct session *s)
{
    err broken, wrong = OK;
    do {
        broken = line_turn(&s->line);
        if (s->line.phase == LINE_OPEN && !s->greeted)
            wrong = session_greet(s);
        if (!wrong)
            wrong = session_hear(s);
        session_drop_settled(s);
    } while (!broken && !wrong && !s->halted && line_has_more(&s->line));
    if (wrong && wrong != &session_dismissed)
        take_leave(s, wrong == &session_deferred ? MQTT_SUCCESS : mqtt_reason_for(wrong));
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
    return mqtt_publish_size(publish, s->version) > s->packet_max ? MQTT_PACKET_TOO_LARGE : MQTT_SUCCESS;
}

static void settle_unsent(struct session *s, uint64_t number)
{
    window_settle(&s->window, window_add(&s->window, number));
}

static err send_publish(struct session *s, uint64_t number, const struct mqtt_publish *publish)
{
    struct mqtt_packet packet = {MQTT_PUBLISH, .as.publish = *publish};
    uint16_t id = window_add(&s->window, number);
    if (s->again_through == UINT64_MAX)
        s->again_through = number + s->window_max - 1;
    packet.as.publish.packet_id = publish->qos ? id : 0;
    packet.as.publish.dup = publish->qos && number <= s->again_through;
    if (number > s->sent_through)
        s->sent_through = number;
    if (!publish->qos) {
        window_settle(&s->window, id);
        s->counts->unanswered++;
    }
    s->counts->sent++;
    return session_say(s, &packet);
}

static err send_record(struct session *s, const struct spool_record *record)
{
    struct link_owner *owner = s->options->owner;
    struct mqtt_publish publish = {.topic = record->topic, .payload = record->payload, .qos = 1};
    if (owner->unwrap && owner->unwrap(owner, record, &publish) == LINK_PASS_OVER) {
        settle_unsent(s, record->number);
        return OK;
    }
    enum mqtt_reason reason = sendable(s, &publish);
    if (reason == MQTT_SUCCESS)
        return send_publish(s, record->number, &publish);
    settle_unsent(s, record->number);
    s->counts->refused++;
    owner->refused(owner, reason, record);
    return OK;
}

static bool has_room(const struct session *s)
{
    return s->phase == SESSION_UP && !s->halted && !s->draining && s->window.count < s->window_max &&
           s->line.out.len < OUT_HIGH && !(s->held && s->window.count);
}

/* The record that the window did not take comes first; it may have been dropped meanwhile. */
static err next_record(struct session *s, struct spool_record *out)
{
    uint64_t held = s->held;
    s->held = 0;
    err e = held ? spool_find(s->options->spool, held, out) : spool_next(s->options->spool, out);
    if (held && err_is(e, ERR_ABSENT))
        return spool_next(s->options->spool, out);
    if (e && held)
        s->held = held; /* the disk failed: without it those behind would overtake it */
    return e;
}

static err send_records(struct session *s)
{
    while (has_room(s)) {
        struct spool_record record;
        err e = next_record(s, &record);
        if (err_is(e, ERR_ABSENT))
            return OK;
        if (e) { /* the disk failed, not the line: the next wake tries again */
            log_line(s->options->log, LOG_WARN, "spool not read", "why=\"%s\"", e->text);
            return OK;
        }
        if (!window_takes(&s->window, record.number)) {
            s->held = record.number;
            return OK;
        }
        TRY(send_record(s, &record));
        session_drop_settled(s);
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

err session_remark(struct session *s, struct bytes topic, struct bytes payload)
{
    if (s->phase != SESSION_UP || s->halted || s->draining || s->line.out.len >= OUT_HIGH)
        return OK;
    err e = session_say(s, &(struct mqtt_packet){MQTT_PUBLISH, .as.publish = {.topic = topic, .payload = payload}});
    return e ? fail(s, e) : OK; /* the pump that follows writes it */
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
    err e = session_say(s, &(struct mqtt_packet){.type = MQTT_PINGREQ});
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
