/* The MQTT speaker: packets in, one table from packet type to handler, and every way that a session ends.
 *
 *   bytes -> mqtt_frame -> mqtt_decode -> the handler of its type -> request -> flow -> answer
 *
 * A fault in a packet is answered with its reason code (MQTT 5.0, 4.13) and ends the line; it leaves an event. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt.h"
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "base/text.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a session"};
static const struct fault connect_first = {ERR_REFUSED, "mqtt: the first packet must be CONNECT (MQTT 5.0, 3.1)"};
static const struct fault connect_again = {ERR_REFUSED, "mqtt: a second CONNECT (MQTT 5.0, 3.1.0-2)"};
static const struct fault not_for_servers = {ERR_REFUSED, "mqtt: a packet that only servers send"};
static const struct fault no_qos_2 = {ERR_UNSUPPORTED, "mqtt: QoS 2 is not offered"};
static const struct fault no_method = {ERR_REFUSED,
                                       "mqtt: AUTH without an authentication method in CONNECT (MQTT 5.0, 4.12)"};

static const struct speech speech;

struct mqtt_dialect mqtt_server_dialect(const struct mqtt_session *s)
{
    return (struct mqtt_dialect){s->version, MQTT_FROM_SERVER};
}

static bool encode(const struct mqtt_session *s, const struct mqtt_packet *packet, struct buffer *out)
{
    buffer_clear(out);
    return !mqtt_encode(packet, mqtt_server_dialect(s), out) && out->len <= s->packet_max;
}

static void forget_reason_string(struct mqtt_packet *p)
{
    if (p->type == MQTT_CONNACK)
        p->as.connack.properties.present &= ~MQTT_HAS(REASON_STRING);
    if (p->type == MQTT_PUBACK)
        p->as.ack.properties.present &= ~MQTT_HAS(REASON_STRING);
    if (p->type == MQTT_DISCONNECT)
        p->as.ending.properties.present &= ~MQTT_HAS(REASON_STRING);
}

void mqtt_send(struct mqtt_session *s, const struct mqtt_packet *packet)
{
    SCOPED(buffer_drop) struct buffer out = {.max = 65536 + PAYLOAD_MAX};
    if (!s->speaker.line)
        return;
    bool fits = encode(s, packet, &out);
    if (!fits) { /* MQTT 5.0, 3.2.2.3.9, 3.4.2.2.2, 3.14.2.2.3 */
        struct mqtt_packet brief = *packet;
        forget_reason_string(&brief);
        fits = encode(s, &brief, &out);
    }
    if (fits) {
        line_send(s->speaker.line, buffer_view(&out));
        return;
    }
    s->phase = SESSION_OVER;
    line_end(s->speaker.line);
}

void mqtt_report(struct mqtt_session *s, enum event_kind kind, const char *why, struct bytes topic)
{
    const char *device = s->who.kind == PRINCIPAL_DEVICE ? s->who.id : "";
    s->lobby->reporter->report(s->lobby->reporter, &(struct report){kind, device, s->peer, why, topic});
}

void mqtt_bye(struct mqtt_session *s, enum mqtt_reason reason, const char *why)
{
    if (s->phase == SESSION_OVER || !s->speaker.line)
        return;
    /* 3.1.1 servers have no DISCONNECT: they close the connection (3.1.1, 4.8). */
    if (s->phase == SESSION_OPEN && s->version == MQTT_5)
        mqtt_send(s, &(struct mqtt_packet){.type = MQTT_DISCONNECT,
                                           .as.ending = {.reason = reason,
                                                         .properties = {.present = MQTT_HAS(REASON_STRING),
                                                                        .reason_string = bytes_of_text(why)}}});
    s->phase = SESSION_OVER;
    line_end(s->speaker.line);
}

/* ---- packets in */

static err on_publish(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return mqtt_on_publish(s, &p->as.publish);
}

static err on_subscribe(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return mqtt_on_subscribe(s, &p->as.subscribe);
}

static err on_unsubscribe(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return mqtt_on_unsubscribe(s, &p->as.subscribe);
}

static err on_puback(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return mqtt_on_puback(s, &p->as.ack);
}

static err on_pingreq(struct mqtt_session *s, const struct mqtt_packet *p)
{
    mqtt_send(s, &(struct mqtt_packet){.type = MQTT_PINGRESP});
    return OK;
}

/* A client's good-bye: its will is forgotten, unless it asks for it (MQTT 5.0, 3.14.4). */
static err on_disconnect(struct mqtt_session *s, const struct mqtt_packet *p)
{
    if (p->as.ending.reason != MQTT_DISCONNECT_WITH_WILL) {
        message_drop(s->will);
        s->will = NULL;
    }
    s->phase = SESSION_OVER;
    line_end(s->speaker.line);
    return OK;
}

static err refuse_connect(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return &connect_again;
}

static err refuse_qos_2(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return &no_qos_2;
}

static err refuse_auth(struct mqtt_session *s, const struct mqtt_packet *p)
{
    return &no_method;
}

static err (*const handlers[])(struct mqtt_session *s, const struct mqtt_packet *p) = {
    [MQTT_CONNECT] = refuse_connect,   [MQTT_PUBLISH] = on_publish,         [MQTT_PUBACK] = on_puback,
    [MQTT_PUBREC] = refuse_qos_2,      [MQTT_PUBREL] = refuse_qos_2,        [MQTT_PUBCOMP] = refuse_qos_2,
    [MQTT_SUBSCRIBE] = on_subscribe,   [MQTT_UNSUBSCRIBE] = on_unsubscribe, [MQTT_PINGREQ] = on_pingreq,
    [MQTT_DISCONNECT] = on_disconnect, [MQTT_AUTH] = refuse_auth,           [MQTT_CONNACK] = NULL,
};

static err dispatch(struct mqtt_session *s, const struct mqtt_packet *packet, bool *again)
{
    if (s->phase == SESSION_NEW)
        return packet->type == MQTT_CONNECT ? mqtt_on_connect(s, &packet->as.connect, again) : &connect_first;
    if ((size_t)packet->type >= sizeof handlers / sizeof *handlers || !handlers[packet->type])
        return &not_for_servers;
    return handlers[packet->type](s, packet);
}

/* MQTT 5.0, 3.1.2.10: one and a half times the agreed time without any packet ends the session. */
static void expect_more(struct mqtt_session *s)
{
    if (s->phase == SESSION_OPEN && s->speaker.line)
        s->speaker.line->calls->patience(s->speaker.line, (int64_t)s->keep_alive_s * 1500);
}

/* A CONNECT that cannot be read is still answered, in its version where that is known (3.1.4, 4.13). */
static void refuse(struct mqtt_session *s, err failed)
{
    enum mqtt_reason reason = mqtt_reason_for(failed);
    if (failed == &no_qos_2)
        reason = MQTT_QOS_NOT_SUPPORTED;
    mqtt_report(s, EVENT_PROTOCOL_ERROR, err_text(failed), (struct bytes){NULL, 0});
    if (s->phase == SESSION_NEW && s->version)
        mqtt_send(s, &(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = {.reason = reason}});
    mqtt_bye(s, reason, err_text(failed));
}

static err take_packet(struct mqtt_session *s, const struct mqtt_frame *frame, bool *again)
{
    struct mqtt_packet packet = {0};
    err failed = mqtt_decode(frame, (struct mqtt_dialect){s->version, MQTT_FROM_CLIENT}, &packet);
    if (failed && s->phase == SESSION_NEW && frame->type == MQTT_CONNECT)
        s->version = packet.as.connect.version; /* the refusal is said in it */
    return failed ? failed : dispatch(s, &packet, again);
}

static err hear(struct speaker *speaker, struct bytes in, size_t *used)
{
    struct mqtt_session *s = CONTAINER(speaker, struct mqtt_session, speaker);
    err failed = OK;
    s->lobby = speaker->line->lobby; /* CONNECT may have moved it here */
    while (s->phase != SESSION_OVER && s->phase != SESSION_ASKING && !s->held) {
        struct mqtt_frame frame;
        bool again = false;
        failed = mqtt_frame(in, s->lobby->limits->packet_max, &frame);
        if (failed)
            break;
        failed = take_packet(s, &frame, &again);
        if (again)
            return OK;
        if (failed)
            break;
        *used += frame.size;
        in = bytes_from(in, frame.size);
        expect_more(s);
    }
    if (failed && !err_is(failed, ERR_AGAIN))
        refuse(s, failed);
    return OK;
}

/* ---- the end */

static void tired(struct speaker *speaker)
{
    struct mqtt_session *s = CONTAINER(speaker, struct mqtt_session, speaker);
    if (s->held) { /* it is we who do not read */
        expect_more(s);
        return;
    }
    mqtt_bye(s, MQTT_KEEP_ALIVE_TIMEOUT, "the keep-alive time passed without a packet");
    s->phase = SESSION_OVER;
    if (s->speaker.line)
        line_end(s->speaker.line);
}

static void drained(struct speaker *speaker)
{
    mqtt_deliver_more(CONTAINER(speaker, struct mqtt_session, speaker));
}

static void gone(struct request *r)
{
    struct mqtt_session *s = CONTAINER(r, struct mqtt_session, hello);
    s->busy--;
    mqtt_release(s);
}

void mqtt_leave(struct mqtt_session *s)
{
    struct roll_left left = s->enrolled ? roll_leave(&s->lobby->roll, s->who.id) : (struct roll_left){0, false};
    s->enrolled = false;
    /* One that was refused may still be the last to go, after another whose presence it held up. */
    if (!s->present && !left.present) {
        mqtt_release(s);
        return;
    }
    bool was_present = s->present;
    if (was_present)
        counter_lower(&s->lobby->counts->sessions_now, 1);
    s->present = false;
    s->hello = (struct request){.verb = VERB_BYE,
                                .who = &s->who,
                                .peer = s->peer,
                                .done = gone,
                                .resource = bytes_of_text(was_present ? s->client_id : ""),
                                .sessions_left = left.sessions};
    s->busy++;
    flow_begin(&s->lobby->flow, &s->hello);
}

static void lost(struct speaker *speaker)
{
    struct mqtt_session *s = CONTAINER(speaker, struct mqtt_session, speaker);
    s->speaker.line = NULL;
    s->phase = SESSION_OVER;
    s->busy++; /* the will may be refused at once, and must not end the session under our feet */
    mqtt_forget_subscriptions(s);
    mqtt_forget_deliveries(s);
    mqtt_forget_session(s);
    mqtt_publish_will(s);
    s->busy--;
    if (!s->asking)
        mqtt_leave(s);
}

void mqtt_release(struct mqtt_session *s)
{
    if (s->speaker.line || s->busy)
        return;
    message_drop(s->will);
    table_close(&s->subscriptions);
    mem_drop(s);
}

static const struct speech speech = {"mqtt", hear, drained, tired, lost};

err mqtt_speak(struct line *line, struct speaker **out)
{
    struct mqtt_session *s = MEM_NEW(struct mqtt_session);
    if (!s)
        return &no_memory;
    *s = (struct mqtt_session){.speaker = {&speech, line},
                               .lobby = line->lobby,
                               .who = line->who,
                               .packet_max = UINT32_MAX,
                               .receive_max = UINT16_MAX};
    IGNORE(text_copy(bytes_of_text(line->peer), s->peer, sizeof s->peer));
    table_open(&s->subscriptions, line->lobby->limits->subscriptions_max, line->lobby->sessions.seed);
    list_open(&s->arriving);
    list_open(&s->leaving);
    list_open(&s->unacked);
    *out = &s->speaker;
    return OK;
}

const struct protocol *mqtt_protocol(void)
{
    static const struct protocol protocol = {"mqtt", mqtt_speak};
    return &protocol;
}
