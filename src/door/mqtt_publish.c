/* PUBLISH from a client: into the flow, and acknowledged when the flow is done with it.
 *
 *   QoS 1   PUBLISH -> flow -> PUBACK
 *   QoS 2   PUBLISH -> flow, and its packet identifier is kept with all it causes -> PUBREC -> PUBREL -> the identifier
 * is forgotten -> PUBCOMP (MQTT 5.0, 4.3.3, method B). The same identifier before PUBREL is the same message.
 *
 * Acknowledgements leave in the order in which the publishes came (4.6). A refused publish is answered with its reason
 * in MQTT 5.0; 3.1.1 has no way to say no, so its connection is closed rather than that something is acknowledged which
 * was not kept (3.1.1, 3.3.5-2). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "core/topic.h"
#include "session/retained.h"

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a publication"};
static const struct fault early_release = {ERR_REFUSED, "mqtt: PUBREL before PUBREC was sent (MQTT 5.0, 4.3.3)"};

enum { SPARE_MAX = 1024, US = 1000000 };

/* A publication from the client, until it is acknowledged. */
struct publication {
    struct request request;
    struct list place;      /* in arriving, or in the lobby's spare ones */
    struct mqtt_peer *peer; /* NULL: a will */
    struct mqtt_session *session;
    struct message *message; /* owned */
    int64_t came_us;         /* wall clock; of QoS 1 and 2 */
    uint16_t packet_id;      /* 0 for QoS 0 */
    uint8_t qos;
    bool finished;
};

static void judged(struct request *r);

static struct publication *publication_take(struct mqtt_session *s, struct message *message)
{
    struct mqtt_commons *commons = &s->lobby->mqtt;
    struct list *spare = message ? list_take(&commons->spare) : NULL;
    struct publication *p = spare ? CONTAINER(spare, struct publication, place) : NULL;
    if (p)
        commons->spare_count--;
    else if (message)
        p = MEM_NEW(struct publication);
    if (!p) {
        message_drop(message);
        return NULL;
    }
    list_open(&p->place);
    p->peer = NULL;
    p->session = s;
    p->message = message;
    p->packet_id = 0;
    p->qos = message->qos;
    p->finished = false;
    request_open(&p->request, VERB_PUBLISH, &s->who, "");
    p->request.resource = message->topic;
    p->request.message = message;
    p->request.lane = &s->lane;
    p->request.done = judged;
    s->busy++;
    return p;
}

void mqtt_forget_spare(struct lobby *lobby)
{
    for (struct list *at = list_take(&lobby->mqtt.spare); at; at = list_take(&lobby->mqtt.spare))
        mem_drop(CONTAINER(at, struct publication, place));
}

static void publication_drop(struct publication *p)
{
    struct mqtt_session *s = p->session;
    struct mqtt_peer *peer = p->peer;
    struct mqtt_commons *commons = &s->lobby->mqtt;
    list_remove(&p->place);
    message_drop(p->message);
    if (commons->spare_count < SPARE_MAX) {
        list_append(&commons->spare, &p->place);
        commons->spare_count++;
    } else {
        mem_drop(p);
    }
    s->busy--;
    mqtt_release_session(s);
    if (peer) {
        peer->busy--;
        mqtt_release(peer);
    }
}

/* ---- acknowledging */

static bool is_refused(enum mqtt_reason reason)
{
    return reason >= MQTT_UNSPECIFIED_ERROR;
}

static enum mqtt_reason acknowledge(struct mqtt_peer *to, const struct publication *p)
{
    const struct request *r = &p->request;
    enum mqtt_reason reason = r->refused ? mqtt_refusal(r->refused) : MQTT_SUCCESS;
    const char *why = !r->refused ? NULL : r->why[0] ? r->why : err_text(r->refused);
    if (p->qos && (to->version == MQTT_5 || !r->refused))
        mqtt_send_ack(to, p->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
                      &(struct mqtt_ack){.packet_id = p->packet_id, .reason = reason}, why);
    return reason;
}

/* The exchange of a QoS 2 message belongs to the session: when its connection was lost meanwhile and the client is
 * back and has asked again, the new one hears of it. */
static void received(struct publication *p)
{
    struct mqtt_session *s = p->session;
    bool asked = inbox_asked(&s->inbox, p->packet_id);
    if (p->request.refused)
        inbox_remove(&s->inbox, p->packet_id);
    else if (inbox_put(&s->inbox, p->packet_id, INBOX_RECEIVED))
        return; /* it is there already, so this needs no memory */
    struct mqtt_peer *now = s->peer;
    if (asked && now && now != p->peer && now->phase == PEER_OPEN && is_refused(acknowledge(now, p)) &&
        now->version == MQTT_3_1_1)
        mqtt_bye(now, MQTT_UNSPECIFIED_ERROR, "");
}

/* Answers those at the head of the row that are done. */
static void settle(struct mqtt_peer *peer)
{
    peer->busy++; /* it may be lost under our feet */
    while (!list_empty(&peer->arriving)) {
        struct publication *p = CONTAINER(peer->arriving.next, struct publication, place);
        if (!p->finished)
            break;
        if (p->qos)
            latency_add(&peer->lobby->counts->acknowledgement, wall_us(peer->lobby->flow.clock) - p->came_us);
        if (peer->phase == PEER_OPEN) {
            enum mqtt_reason reason = acknowledge(peer, p);
            if (is_refused(reason) && p->qos && peer->version == MQTT_3_1_1)
                mqtt_bye(peer, reason, "");
        }
        peer->arriving_count--;
        peer->arriving_qos_1 -= p->qos == 1;
        publication_drop(p);
    }
    peer->busy--;
    mqtt_release(peer);
}

/* Reads on when what it waited for is through. */
static void go_on(struct mqtt_peer *peer)
{
    if (!peer || !peer->held || !peer->speaker.line || !peer->session)
        return;
    if (peer->arriving_count > peer->lobby->limits->receive_max ||
        (peer->awaits_lane && lane_is_busy(&peer->session->lane)))
        return;
    peer->held = peer->awaits_lane = false;
    peer->speaker.line->calls->resume(peer->speaker.line);
}

static void judged(struct request *r)
{
    struct publication *p = CONTAINER(r, struct publication, request);
    struct mqtt_peer *peer = p->peer;
    struct mqtt_session *s = p->session;
    p->finished = true;
    s->busy++; /* for what comes last */
    if (r->refused)
        counter_raise(&p->session->lobby->counts->messages_refused, 1);
    if (p->qos == 2 && p->packet_id) /* a will has no exchange */
        received(p);
    if (peer)
        settle(peer);
    else
        publication_drop(p);
    go_on(s->peer);
    s->busy--;
    mqtt_release_session(s);
}

/* ---- publishing */

struct message *mqtt_message(struct mqtt_session *s, const struct mqtt_publish *publish, struct bytes topic)
{
    SCOPED(buffer_drop) struct buffer block = {.max = PAYLOAD_MAX};
    const struct mqtt_properties *from = &publish->properties;
    struct message_parts parts = {.topic = topic,
                                  .payload = publish->payload,
                                  .qos = publish->qos,
                                  .retain = publish->retain,
                                  .source = s->number};
    if (from->present & (MQTT_HAS(TOPIC_ALIAS) | MQTT_HAS(MESSAGE_EXPIRY))) {
        if (mqtt_put_forwarded(from, &block))
            return NULL;
        parts.properties = buffer_view(&block);
    } else {
        parts.properties = from->block;
    }
    if (from->present & MQTT_HAS(MESSAGE_EXPIRY))
        parts.expires_us = wall_us(s->lobby->flow.clock) + (int64_t)from->message_expiry * US;
    return message_make(&parts);
}

/* What is kept with the message in one commit, whatever the flow adds. */
static err keep_with(struct publication *p)
{
    struct mqtt_session *s = p->session;
    int64_t now_us = wall_us(s->lobby->flow.clock);
    if (p->message->retain) {
        TRY(retained_admits(s->lobby->retained, p->message));
        TRY(request_remember(&p->request, write_retained(p->message, now_us)));
    }
    if (p->qos != 2 || !p->packet_id || !s->kept)
        return OK;
    struct write w = {
        .kind = WRITE_RECEIVED, .now_us = now_us, .as.received = {.session = s->number, .packet_id = p->packet_id}};
    return request_remember(&p->request, write_plain(&w));
}

/* What cannot even be asked for ends as a refusal of the flow would. */
static void begin(struct publication *p)
{
    struct flow *flow = &p->session->lobby->flow;
    err failed = p->message->retain || p->qos == 2 ? keep_with(p) : OK;
    if (!failed) {
        flow_begin(flow, &p->request);
        return;
    }
    write_drop(p->request.writes);
    p->request.refused = failed;
    judged(&p->request);
}

/* A QoS 2 message whose identifier is in use is the same one again (4.3.3). */
static bool came_before(struct mqtt_peer *peer, uint16_t packet_id)
{
    struct inbox *inbox = &peer->session->inbox;
    switch (inbox_find(inbox, packet_id)) {
    case INBOX_ABSENT:
        return false;
    case INBOX_RECEIVED:
        mqtt_send_ack(peer, MQTT_PUBREC, &(struct mqtt_ack){.packet_id = packet_id}, NULL);
        return true;
    case INBOX_ARRIVING:
        IGNORE(inbox_put(inbox, packet_id, INBOX_ARRIVING)); /* its answer is on the way, now to here */
        return true;
    case INBOX_LEAVING:
        return true;
    }
    return true;
}

/* What we told the client in CONNACK (MQTT 5.0, 3.2.2.3), and it did not keep to. */
static enum mqtt_reason breach(const struct mqtt_peer *peer, const struct mqtt_publish *publish, struct bytes topic)
{
    const struct inbox *inbox = &peer->session->inbox;
    size_t under_way = peer->arriving_qos_1 + inbox->count - inbox->carried;
    if (topic_check_bounds(topic)) /* MQTT allows 65,535 bytes and as many levels */
        return MQTT_TOPIC_NAME_INVALID;
    if (publish->qos && peer->version == MQTT_5 && under_way >= peer->lobby->limits->receive_max)
        return MQTT_RECEIVE_MAXIMUM_EXCEEDED;
    return MQTT_SUCCESS;
}

static void refuse(struct mqtt_peer *peer, enum mqtt_reason reason, struct bytes topic)
{
    mqtt_report(peer, EVENT_PROTOCOL_ERROR, mqtt_reason_text(reason), topic);
    mqtt_bye(peer, reason, mqtt_reason_text(reason));
}

static void hold_back(struct mqtt_peer *peer)
{
    if (peer->arriving_count < 2u * peer->lobby->limits->receive_max || !peer->speaker.line || peer->held)
        return;
    peer->held = true;
    peer->speaker.line->calls->hold(peer->speaker.line);
}

err mqtt_on_publish(struct mqtt_peer *peer, const struct mqtt_publish *publish)
{
    struct mqtt_session *s = peer->session;
    struct bytes topic;
    counter_raise(&peer->lobby->counts->messages_in[publish->qos], 1);
    s->messages_in++;
    err failed = mqtt_alias_in(peer, publish, &topic);
    if (failed && !err_is(failed, ERR_REFUSED))
        return failed;
    if (failed) {
        refuse(peer, MQTT_TOPIC_ALIAS_INVALID, publish->topic);
        return OK;
    }
    if (publish->qos == 2 && came_before(peer, publish->packet_id))
        return OK;
    enum mqtt_reason reason = breach(peer, publish, topic);
    if (reason) {
        refuse(peer, reason, topic);
        return OK;
    }
    struct publication *p = publication_take(s, mqtt_message(s, publish, topic));
    if (!p)
        return &no_memory;
    if (publish->qos == 2 && inbox_put(&s->inbox, publish->packet_id, INBOX_ARRIVING)) {
        publication_drop(p);
        return &no_memory;
    }
    p->peer = peer;
    p->came_us = p->qos ? wall_us(peer->lobby->flow.clock) : 0;
    p->packet_id = publish->packet_id;
    p->request.peer = peer->address;
    peer->busy++;
    peer->arriving_count++;
    peer->arriving_qos_1 += publish->qos == 1;
    list_append(&peer->arriving, &p->place);
    begin(p);
    hold_back(peer);
    return OK;
}

/* Its time to live begins now (3.1.3.2.4). */
static struct message *will_as_published(struct mqtt_session *s)
{
    struct mqtt_publish publish = {
        .topic = s->will->topic, .payload = s->will->payload, .qos = s->will->qos, .retain = s->will->retain};
    if (s->will->properties.len && mqtt_publish_properties(s->will->properties, &publish.properties))
        return NULL;
    return mqtt_message(s, &publish, publish.topic);
}

void mqtt_publish_will(struct mqtt_session *s)
{
    struct publication *p = publication_take(s, will_as_published(s));
    message_drop(s->will);
    s->will = NULL;
    if (p) {
        p->request.is_will = true;
        begin(p);
    }
}

/* ---- releasing */

static void forgotten(struct mqtt_note *note, err failed)
{
    struct mqtt_session *s = note->session;
    struct mqtt_peer *peer = s->peer;
    if (failed) { /* it stays received; the client asks again when it is back */
        IGNORE(inbox_put(&s->inbox, note->packet_id, INBOX_RECEIVED));
        if (peer)
            mqtt_bye(peer, MQTT_IMPLEMENTATION_SPECIFIC_ERROR, err_text(failed));
        return;
    }
    bool asked = inbox_asked(&s->inbox, note->packet_id);
    inbox_remove(&s->inbox, note->packet_id);
    if (asked && peer && peer->phase == PEER_OPEN)
        mqtt_send_ack(peer, MQTT_PUBCOMP, &(struct mqtt_ack){.packet_id = note->packet_id}, NULL);
}

static void forget(struct mqtt_peer *peer, uint16_t packet_id)
{
    struct mqtt_session *s = peer->session;
    struct write w = {.kind = WRITE_RECEIVED_DELETE,
                      .now_us = wall_us(s->lobby->flow.clock),
                      .as.received = {.session = s->number, .packet_id = packet_id}};
    if (!s->kept) {
        inbox_remove(&s->inbox, packet_id);
        mqtt_send_ack(peer, MQTT_PUBCOMP, &(struct mqtt_ack){.packet_id = packet_id}, NULL);
        return;
    }
    IGNORE(inbox_put(&s->inbox, packet_id, INBOX_LEAVING)); /* it is there already */
    if (!mqtt_journal(s, write_plain(&w), &(struct mqtt_note){.done = forgotten, .packet_id = packet_id})) {
        IGNORE(inbox_put(&s->inbox, packet_id, INBOX_RECEIVED));
        mqtt_bye(peer, MQTT_QUOTA_EXCEEDED, "the store has too much to do");
    }
}

err mqtt_on_pubrel(struct mqtt_peer *peer, const struct mqtt_ack *ack)
{
    switch (inbox_find(&peer->session->inbox, ack->packet_id)) {
    case INBOX_ABSENT:
        mqtt_send_ack(peer, MQTT_PUBCOMP,
                      &(struct mqtt_ack){.packet_id = ack->packet_id, .reason = MQTT_PACKET_IDENTIFIER_NOT_FOUND},
                      NULL);
        return OK;
    case INBOX_ARRIVING:
        return &early_release;
    case INBOX_RECEIVED:
        forget(peer, ack->packet_id);
        return OK;
    case INBOX_LEAVING:
        return inbox_put(&peer->session->inbox, ack->packet_id, INBOX_LEAVING);
    }
    return OK;
}
