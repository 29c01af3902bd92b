/* The MQTT speaker: packets in, one table from packet type to handler, packets out, and every way that a peer ends.
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
static const struct fault late_expiry = {
    ERR_REFUSED, "mqtt: DISCONNECT gives an expiry to a session that CONNECT gave none (MQTT 5.0, 3.14.2.2.2)"};

static const struct speech speech;

struct mqtt_dialect mqtt_server_dialect(const struct mqtt_peer *p)
{
    return (struct mqtt_dialect){p->version, MQTT_FROM_SERVER};
}

/* ---- packets out */

static bool encode(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    struct buffer *out = &p->lobby->mqtt.scratch;
    buffer_clear(out);
    return !mqtt_encode(packet, mqtt_server_dialect(p), out) && out->len <= p->packet_max;
}

static void forget_reason_string(struct mqtt_packet *p)
{
    if (p->type == MQTT_CONNACK)
        p->as.connack.properties.present &= ~MQTT_HAS(REASON_STRING);
    if (p->type >= MQTT_PUBACK && p->type <= MQTT_PUBCOMP)
        p->as.ack.properties.present &= ~MQTT_HAS(REASON_STRING);
    if (p->type == MQTT_DISCONNECT)
        p->as.ending.properties.present &= ~MQTT_HAS(REASON_STRING);
}

void mqtt_send(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    if (!p->speaker.line)
        return;
    bool fits = encode(p, packet);
    if (!fits) { /* MQTT 5.0, 3.2.2.3.9, 3.4.2.2.2, 3.14.2.2.3 */
        struct mqtt_packet brief = *packet;
        forget_reason_string(&brief);
        fits = encode(p, &brief);
    }
    if (fits) {
        line_send(p->speaker.line, buffer_view(&p->lobby->mqtt.scratch));
        return;
    }
    p->phase = PEER_OVER;
    line_end(p->speaker.line);
}

void mqtt_send_ack(struct mqtt_peer *p, enum mqtt_type type, const struct mqtt_ack *ack, const char *why)
{
    if (!p->speaker.line)
        return;
    if (!ack->reason) { /* the hot path: type, length 2, packet identifier (3.4.2.1) */
        uint8_t first = (uint8_t)((unsigned)type << 4 | (type == MQTT_PUBREL ? 2u : 0));
        const uint8_t packet[] = {first, 2, (uint8_t)(ack->packet_id >> 8), (uint8_t)ack->packet_id};
        line_send(p->speaker.line, bytes_of(packet, sizeof packet));
        return;
    }
    struct mqtt_packet packet = {.type = type, .as.ack = *ack};
    if (why && !p->no_reasons) {
        packet.as.ack.properties.present = MQTT_HAS(REASON_STRING);
        packet.as.ack.properties.reason_string = bytes_of_text(why);
    }
    mqtt_send(p, &packet);
}

void mqtt_report(struct mqtt_peer *p, enum event_kind kind, const char *why, struct bytes topic)
{
    const char *device = p->who.kind == PRINCIPAL_DEVICE ? p->who.id : "";
    p->lobby->reporter->report(p->lobby->reporter, &(struct report){kind, device, p->address, why, topic});
}

void mqtt_bye_to(struct mqtt_peer *p, enum mqtt_reason reason, const char *why, struct bytes reference)
{
    if (p->phase == PEER_OVER || !p->speaker.line)
        return;
    /* 3.1.1 servers have no DISCONNECT: they close the connection (3.1.1, 4.8). */
    if (p->phase == PEER_OPEN && p->version == MQTT_5) {
        struct mqtt_packet packet = {
            .type = MQTT_DISCONNECT,
            .as.ending = {.reason = reason,
                          .properties = {.reason_string = bytes_of_text(why), .server_reference = reference}}};
        packet.as.ending.properties.present =
            MQTT_HAS(REASON_STRING) | (reference.len ? MQTT_HAS(SERVER_REFERENCE) : 0);
        mqtt_send(p, &packet);
    }
    p->phase = PEER_OVER;
    line_end(p->speaker.line);
}

void mqtt_bye(struct mqtt_peer *p, enum mqtt_reason reason, const char *why)
{
    mqtt_bye_to(p, reason, why, (struct bytes){NULL, 0});
}

/* ---- packets in */

static err on_publish(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_publish(p, &packet->as.publish);
}

/* Sent at least once in each keep-alive by who says nothing else: the time to see whether a proof still holds. */
static err on_pingreq(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    if (!mqtt_still_proved(p)) {
        mqtt_bye(p, MQTT_NOT_AUTHORIZED, "the operator is not signed in any more");
        return OK;
    }
    mqtt_send(p, &(struct mqtt_packet){.type = MQTT_PINGRESP});
    return OK;
}

static err on_subscribe(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    if (!mqtt_still_proved(p))
        return on_pingreq(p, packet);
    return mqtt_on_subscribe(p, &packet->as.subscribe);
}

static err on_unsubscribe(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_unsubscribe(p, &packet->as.subscribe);
}

static err on_puback(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_puback(p, &packet->as.ack);
}

static err on_pubrec(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_pubrec(p, &packet->as.ack);
}

static err on_pubrel(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_pubrel(p, &packet->as.ack);
}

static err on_pubcomp(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_pubcomp(p, &packet->as.ack);
}

static err on_auth(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return mqtt_on_auth(p, &packet->as.ending);
}

/* A client's good-bye. Its will is forgotten by a normal one only (MQTT 5.0, 3.14.4-3). */
static err on_disconnect(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    const struct mqtt_ending *ending = &packet->as.ending;
    if (ending->properties.present & MQTT_HAS(SESSION_EXPIRY)) {
        if (!p->asked_expiry && ending->properties.session_expiry)
            return &late_expiry;
        p->session->expiry_s = mqtt_expiry(p->lobby, ending->properties.session_expiry);
    }
    p->said_goodbye = ending->reason == MQTT_NORMAL_DISCONNECTION;
    p->phase = PEER_OVER;
    line_end(p->speaker.line);
    return OK;
}

static err refuse_connect(struct mqtt_peer *p, const struct mqtt_packet *packet)
{
    return &connect_again;
}

static err (*const handlers[])(struct mqtt_peer *p, const struct mqtt_packet *packet) = {
    [MQTT_CONNECT] = refuse_connect, [MQTT_PUBLISH] = on_publish,
    [MQTT_PUBACK] = on_puback,       [MQTT_PUBREC] = on_pubrec,
    [MQTT_PUBREL] = on_pubrel,       [MQTT_PUBCOMP] = on_pubcomp,
    [MQTT_SUBSCRIBE] = on_subscribe, [MQTT_UNSUBSCRIBE] = on_unsubscribe,
    [MQTT_PINGREQ] = on_pingreq,     [MQTT_DISCONNECT] = on_disconnect,
    [MQTT_AUTH] = on_auth,           [MQTT_CONNACK] = NULL,
};

static err dispatch(struct mqtt_peer *p, const struct mqtt_packet *packet, bool *again)
{
    if (p->phase == PEER_NEW)
        return packet->type == MQTT_CONNECT ? mqtt_on_connect(p, &packet->as.connect, again) : &connect_first;
    if ((size_t)packet->type >= sizeof handlers / sizeof *handlers || !handlers[packet->type])
        return &not_for_servers;
    return handlers[packet->type](p, packet);
}

/* MQTT 5.0, 3.1.2.10: one and a half times the agreed time without any packet ends the session. */
void mqtt_expect_more(struct mqtt_peer *p)
{
    if (p->phase == PEER_OPEN && p->speaker.line)
        p->speaker.line->calls->patience(p->speaker.line, (int64_t)p->keep_alive_s * 1500);
}

/* A CONNECT that cannot be read is still answered, in its version where that is known (3.1.4, 4.13). */
static void refuse(struct mqtt_peer *p, err failed)
{
    enum mqtt_reason reason = mqtt_reason_for(failed);
    mqtt_report(p, EVENT_PROTOCOL_ERROR, err_text(failed), (struct bytes){NULL, 0});
    if (p->phase == PEER_NEW && p->version)
        mqtt_send(p, &(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = {.reason = reason}});
    mqtt_bye(p, reason, err_text(failed));
}

static err take_packet(struct mqtt_peer *p, const struct mqtt_frame *frame, bool *again)
{
    struct mqtt_packet packet;
    err failed = mqtt_decode(frame, (struct mqtt_dialect){p->version, MQTT_FROM_CLIENT}, &packet);
    if (failed && p->phase == PEER_NEW && frame->type == MQTT_CONNECT)
        p->version = packet.as.connect.version; /* the refusal is said in it */
    return failed ? failed : dispatch(p, &packet, again);
}

static bool listens(const struct mqtt_peer *p)
{
    return (p->phase == PEER_NEW || p->phase == PEER_OPEN) && !p->held;
}

/* What a client publishes comes before what it subscribes to then: a message that still waits for the store would be
 * heard as a new one, and a retained one not be found (MQTT 5.0, 4.6). */
static bool must_wait(struct mqtt_peer *p, enum mqtt_type type)
{
    if ((type != MQTT_SUBSCRIBE && type != MQTT_UNSUBSCRIBE) || p->phase != PEER_OPEN ||
        !lane_is_busy(&p->session->lane))
        return false;
    p->held = p->awaits_lane = true;
    p->speaker.line->calls->hold(p->speaker.line);
    return true;
}

static err hear(struct speaker *speaker, struct bytes in, size_t *used)
{
    struct mqtt_peer *p = CONTAINER(speaker, struct mqtt_peer, speaker);
    err failed = OK;
    p->lobby = speaker->line->lobby; /* CONNECT may have moved it here */
    p->busy++;                       /* a session that is taken over or refused may release it */
    while (listens(p)) {
        struct mqtt_frame frame;
        bool again = false;
        failed = mqtt_frame(in, p->lobby->limits->packet_max, &frame);
        if (failed || must_wait(p, frame.type))
            break;
        failed = take_packet(p, &frame, &again);
        if (again || failed)
            break;
        *used += frame.size;
        in = bytes_from(in, frame.size);
    }
    if (*used)
        mqtt_expect_more(p);
    if (failed && !err_is(failed, ERR_AGAIN))
        refuse(p, failed);
    p->busy--;
    return OK;
}

/* ---- the end */

static void tired(struct speaker *speaker)
{
    struct mqtt_peer *p = CONTAINER(speaker, struct mqtt_peer, speaker);
    if (p->held) { /* it is we who do not read */
        mqtt_expect_more(p);
        return;
    }
    mqtt_bye(p, MQTT_KEEP_ALIVE_TIMEOUT, "the keep-alive time passed without a packet");
    p->phase = PEER_OVER;
    if (p->speaker.line)
        line_end(p->speaker.line);
}

static void drained(struct speaker *speaker)
{
    struct mqtt_peer *p = CONTAINER(speaker, struct mqtt_peer, speaker);
    if (p->session)
        mqtt_deliver_more(p->session);
}

/* BYE on its way. */
struct farewell {
    struct request request;
    struct mqtt_peer *peer;
};

static void gone(struct request *r)
{
    struct farewell *f = CONTAINER(r, struct farewell, request);
    struct mqtt_peer *p = f->peer;
    mem_drop(f);
    p->busy--;
    mqtt_release(p);
}

void mqtt_leave(struct mqtt_peer *p)
{
    struct roll_left left = p->enrolled ? roll_leave(&p->lobby->roll, p->who.id) : (struct roll_left){0, false};
    p->enrolled = false;
    /* One that was refused may still be the last to go, after another whose presence it held up. */
    struct farewell *f = p->present || left.present ? MEM_NEW(struct farewell) : NULL;
    if (p->present)
        counter_lower(&p->lobby->counts->sessions_now, 1);
    if (!f) {
        p->present = false;
        mqtt_release(p);
        return;
    }
    f->peer = p;
    request_open(&f->request, VERB_BYE, &p->who, p->address);
    f->request.done = gone;
    f->request.sessions_left = left.sessions;
    f->request.resource = p->present ? bytes_of_text(p->client_id ? p->client_id : "") : (struct bytes){NULL, 0};
    p->present = false;
    p->busy++;
    flow_begin(&p->lobby->flow, &f->request);
}

static void lost(struct speaker *speaker)
{
    struct mqtt_peer *p = CONTAINER(speaker, struct mqtt_peer, speaker);
    p->speaker.line = NULL;
    p->phase = PEER_OVER;
    p->busy++;
    mqtt_detach(p);
    mqtt_forget_aliases(p);
    p->busy--;
    if (p->asking)
        return; /* HELLO's answer leaves */
    mqtt_forget_arrival(p);
    mqtt_leave(p);
}

void mqtt_release(struct mqtt_peer *p)
{
    if (p->speaker.line || p->busy)
        return;
    mqtt_forget_aliases(p);
    mem_drop(p->client_id);
    mem_drop(p->method);
    mem_drop(p->badge);
    mem_drop(p);
}

static const struct speech speech = {"mqtt", hear, drained, tired, lost};

err mqtt_speak(struct line *line, struct speaker **out)
{
    struct mqtt_peer *p = MEM_NEW(struct mqtt_peer);
    if (!p)
        return &no_memory;
    p->speaker = (struct speaker){&speech, line};
    p->lobby = line->lobby;
    p->who = line->who;
    p->packet_max = UINT32_MAX;
    p->receive_max = UINT16_MAX;
    IGNORE(text_copy(bytes_of_text(line->peer), p->address, sizeof p->address));
    list_open(&p->arriving);
    *out = &p->speaker;
    return OK;
}

const struct protocol *mqtt_protocol(void)
{
    static const struct protocol protocol = {"mqtt", mqtt_speak};
    return &protocol;
}
