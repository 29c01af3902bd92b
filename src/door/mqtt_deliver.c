/* PUBLISH to a client: through the session's outbox, within the client's window, and no faster than its line takes it.
 * A slow subscriber holds back itself only. What a session keeps is with the store before it is sent.
 *
 *   matched -> reserved -> (kept) -> sent -> PUBACK                      -> over
 *                                         -> PUBREC -> (kept) -> PUBREL -> PUBCOMP -> over
 *
 * A full queue costs a message, by the policy of the settings; each one is counted and shown. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_press.h"

#include "base/memory.h"

static const struct fault queue_full = {ERR_FULL,
                                        "mqtt: the queue of a session that may not miss this message is full"};
static const struct fault wrong_ack = {ERR_REFUSED,
                                       "mqtt: an acknowledgement that does not fit the message's QoS (MQTT 5.0, 4.3)"};
static const struct fault not_kept = {ERR_IO, "mqtt: what was released could not be kept"};

enum {
    LINE_HIGH = 65536, /* bytes queued in the line above which the rest waits here */
    WINDOW_MAX = 1024, /* unacknowledged messages, whatever the client allows */
};

static size_t size_of(const struct message *m)
{
    return m->topic.len + m->payload.len + m->properties.len;
}

void mqtt_count_dropped(struct mqtt_session *s, const char *why)
{
    s->dropped++;
    counter_raise(&s->lobby->counts->messages_dropped, 1);
    if (s->peer)
        mqtt_report(s->peer, EVENT_SUBSCRIBER_SLOW, why, (struct bytes){NULL, 0});
}

/* A counter takes what it is less as what it is more, modulo its size. */
void mqtt_account(struct mqtt_session *s)
{
    struct door_counts *counts = s->lobby->counts;
    uint32_t count = (uint32_t)outbox_count(&s->outbox), under_way = (uint32_t)outbox_under_way(&s->outbox);
    counter_raise(&counts->queued_now, (uint64_t)count - s->told_count);
    counter_raise(&counts->under_way_now, (uint64_t)under_way - s->told_under_way);
    counter_raise(&counts->queued_bytes, (uint64_t)s->outbox.bytes - s->told_bytes);
    s->told_count = count;
    s->told_under_way = under_way;
    s->told_bytes = s->outbox.bytes;
}

/* ---- sending */

static uint16_t window(const struct mqtt_peer *p)
{
    return p->receive_max < WINDOW_MAX ? p->receive_max : WINDOW_MAX;
}

static bool has_expired(const struct mqtt_session *s, const struct message *m)
{
    return m->expires_us && m->expires_us <= wall_us(s->lobby->flow.clock);
}

static bool can_send(const struct mqtt_session *s)
{
    const struct mqtt_peer *p = s->peer;
    return p && p->phase == PEER_OPEN && p->speaker.line && line_backlog(p->speaker.line) < LINE_HIGH;
}

static void send_pubrel(struct mqtt_session *s, uint16_t packet_id)
{
    if (s->peer && s->peer->phase == PEER_OPEN)
        mqtt_send_ack(s->peer, MQTT_PUBREL, &(struct mqtt_ack){.packet_id = packet_id}, NULL);
}

static void released(struct mqtt_note *note, err failed)
{
    struct mqtt_session *s = note->session;
    if (failed) { /* the client waits for PUBREL: it comes again, and with it this is tried again */
        if (s->peer)
            mqtt_bye(s->peer, MQTT_IMPLEMENTATION_SPECIFIC_ERROR, err_text(&not_kept));
        return;
    }
    if (outbox_released(&s->outbox, note->number))
        send_pubrel(s, outbox_packet_id(note->number));
}

static void release(struct mqtt_session *s, uint64_t number)
{
    struct write w = {.kind = WRITE_RELEASED,
                      .now_us = wall_us(s->lobby->flow.clock),
                      .as.delivery = {.session = s->number, .number = number}};
    if (!s->kept) {
        if (outbox_released(&s->outbox, number))
            send_pubrel(s, outbox_packet_id(number));
        return;
    }
    if (!mqtt_journal(s, write_plain(&w), &(struct mqtt_note){.done = released, .number = number}) && s->peer)
        mqtt_bye(s->peer, MQTT_IMPLEMENTATION_SPECIFIC_ERROR, err_text(&not_kept));
}

/* Without memory the connection ends: what has a number is sent on the next one, and no alias is taken for told. */
static enum mqtt_printed send_message(struct mqtt_session *s, const struct delivery *d, uint64_t number)
{
    struct mqtt_leaf leaf = {.message = d->message,
                             .subscription_id = d->subscription_id,
                             .packet_id = d->qos ? outbox_packet_id(number) : 0,
                             .qos = d->qos,
                             .retain = d->retain,
                             .dup = d->state == DELIVERY_SENT};
    enum mqtt_printed printed = mqtt_print(s->peer, &leaf);
    if (printed == PRINTED) {
        s->messages_out++;
        counter_raise(&s->lobby->counts->messages_out[d->qos], 1);
    }
    if (printed == PRINT_NO_MEMORY)
        mqtt_bye(s->peer, MQTT_SERVER_BUSY, "no memory for a message");
    return printed;
}

/* One that was sent before is sent again whatever its age: the client may have half of the exchange (4.4). What the
 * client cannot take counts as sent and acknowledged (3.1.2-25). */
static void send_next(struct mqtt_session *s, const struct delivery *d, uint64_t number)
{
    bool durable = d->durable;
    if (d->state == DELIVERY_RELEASING || d->state == DELIVERY_RELEASED) {
        bool again = d->state == DELIVERY_RELEASING;
        outbox_sent(&s->outbox, number);
        if (again)
            release(s, number);
        else
            send_pubrel(s, outbox_packet_id(number));
        return;
    }
    bool expired = d->state == DELIVERY_WAITING && has_expired(s, d->message);
    enum mqtt_printed printed = expired ? PRINT_TOO_LARGE : send_message(s, d, number);
    if (printed == PRINTED)
        outbox_sent(&s->outbox, number);
    if (printed != PRINT_TOO_LARGE)
        return;
    if (!expired)
        mqtt_count_dropped(s, "a message was larger than this client takes");
    else
        counter_raise(&s->lobby->counts->messages_dropped, 1);
    outbox_skip(&s->outbox, number);
    if (durable)
        mqtt_journal_delivered(s, number);
}

void mqtt_deliver_more(struct mqtt_session *s)
{
    const struct delivery *d;
    uint64_t number;
    while (can_send(s) && (d = outbox_next(&s->outbox, window(s->peer), &number)))
        send_next(s, d, number);
    mqtt_account(s);
    if (s->giving)
        mqtt_give_more(s);
}

/* ---- taking */

/* All sessions of a lobby have an equal part of what may wait in all. */
static bool lobby_is_full(const struct mqtt_session *s, size_t bytes)
{
    const struct lobby *lobby = s->lobby;
    return counter_read(&lobby->counts->queued_bytes) + bytes > lobby->limits->queue_total_bytes / lobby->all_count;
}

/* Makes room by the policy. False: there is none. When it is the others that fill the lobby, a session gives up no more
 * than what it takes. */
static bool make_room(struct mqtt_session *s, size_t bytes)
{
    const struct outbox_limits *limits = &s->lobby->mqtt.queue;
    size_t before = s->outbox.bytes;
    while (!outbox_has_room(&s->outbox, limits, bytes) ||
           (lobby_is_full(s, bytes) && before - s->outbox.bytes < bytes)) {
        struct shed shed;
        if (outbox_shed(&s->outbox, limits, bytes, &shed))
            return false;
        mqtt_count_dropped(s, "its queue was full: the oldest message in it was dropped");
        if (shed.durable)
            mqtt_journal_delivered(s, shed.number);
        mqtt_account(s);
    }
    return true;
}

static err take(struct mqtt_session *s, const struct mqtt_gift *gift, enum delivery_state state, uint64_t *number)
{
    struct delivery d = {.message = gift->message,
                         .subscription_id = gift->subscription_id & 0xFFFFFFF,
                         .qos = gift->qos & 3u,
                         .retain = gift->retain,
                         .durable = gift->qos && s->kept,
                         .state = (uint8_t)state};
    if (!make_room(s, size_of(gift->message)))
        return &queue_full;
    return outbox_add(&s->outbox, &d, number);
}

void mqtt_settle(struct promiser *self, const struct client_delivery *promise, struct message *message,
                 enum offer_outcome outcome)
{
    struct mqtt_session *s = CONTAINER(self, struct mqtt_session, promiser);
    struct mqtt_gift gift = {
        .message = message, .subscription_id = promise->subscription_id, .retain = promise->retain};
    if (!promise->qos && outcome == OFFER_KEPT)
        mqtt_deliver(s, &gift);
    else if (outcome == OFFER_KEPT)
        outbox_commit(&s->outbox, promise->number);
    else
        outbox_cancel(&s->outbox, promise->number);
    mqtt_deliver_more(s);
    s->busy--;
    mqtt_release_session(s);
}

void mqtt_offer(struct mqtt_session *s, const struct mqtt_gift *gift, struct offer *offer)
{
    uint64_t number = 0; /* one with QoS 0, of a share, has its place when it is settled: it keeps nothing */
    err failed = gift->qos ? take(s, gift, DELIVERY_RESERVED, &number) : OK;
    if (failed && s->lobby->mqtt.queue.policy != OVERFLOW_REFUSE) {
        mqtt_count_dropped(s, "its queue was full: a message was dropped");
        return;
    }
    struct client_delivery promise = {.session = gift->qos && s->kept ? s->number : 0,
                                      .number = number,
                                      .subscription_id = gift->subscription_id,
                                      .qos = gift->qos,
                                      .retain = gift->retain};
    if (!failed && (failed = offer_promise(offer, &s->promiser, &promise)))
        outbox_cancel(&s->outbox, number);
    if (failed)
        offer->failed = failed;
    else
        s->busy++;
    mqtt_account(s);
}

static void given(struct mqtt_note *note, err failed)
{
    struct mqtt_session *s = note->session;
    if (failed) {
        outbox_cancel(&s->outbox, note->number);
        mqtt_count_dropped(s, "a message could not be kept for it");
    } else {
        outbox_commit(&s->outbox, note->number);
    }
    mqtt_deliver_more(s);
}

/* Not offered before it was published (a retained one, or a subscription that is younger than the offer): kept now. */
static void keep_first(struct mqtt_session *s, const struct mqtt_gift *gift)
{
    struct client_delivery delivery = {
        .session = s->number, .subscription_id = gift->subscription_id, .qos = gift->qos, .retain = gift->retain};
    if (take(s, gift, DELIVERY_RESERVED, &delivery.number)) {
        mqtt_count_dropped(s, "its queue was full: a message was dropped");
        return;
    }
    struct write *w = write_deliveries(gift->message, &delivery, 1, wall_us(s->lobby->flow.clock));
    if (mqtt_journal(s, w, &(struct mqtt_note){.done = given, .number = delivery.number}))
        return;
    outbox_cancel(&s->outbox, delivery.number);
    mqtt_count_dropped(s, "a message could not be kept for it");
}

/* Nothing waits before it. */
static void send_at_once(struct mqtt_session *s, const struct mqtt_gift *gift)
{
    struct delivery d = {
        .message = gift->message, .retain = gift->retain, .subscription_id = gift->subscription_id & 0xFFFFFFF};
    if (send_message(s, &d, 0) != PRINTED)
        mqtt_count_dropped(s, "a message was larger than this client takes, or there was no memory for it");
}

void mqtt_deliver(struct mqtt_session *s, const struct mqtt_gift *gift)
{
    uint64_t number;
    if (gift->qos && s->kept) {
        keep_first(s, gift);
        return;
    }
    if (!s->peer)
        return; /* QoS 0 is for those who listen */
    if (!gift->qos && can_send(s) && outbox_count(&s->outbox) == outbox_under_way(&s->outbox)) {
        send_at_once(s, gift);
        return;
    }
    if (take(s, gift, DELIVERY_WAITING, &number)) {
        mqtt_count_dropped(s, "its queue was full: a message was dropped");
        return;
    }
    mqtt_deliver_more(s);
}

/* ---- acknowledgements */

static void over(struct mqtt_session *s, const struct delivery *d, uint64_t number)
{
    bool durable = d->durable;
    outbox_done(&s->outbox, number);
    if (durable)
        mqtt_journal_delivered(s, number);
    mqtt_deliver_more(s);
}

err mqtt_on_puback(struct mqtt_peer *p, const struct mqtt_ack *ack)
{
    uint64_t number;
    const struct delivery *d = outbox_find(&p->session->outbox, ack->packet_id, &number);
    if (!d)
        return OK; /* for a message we no longer know: nothing is lost by it */
    if (d->qos != 1)
        return &wrong_ack;
    over(p->session, d, number);
    return OK;
}

err mqtt_on_pubrec(struct mqtt_peer *p, const struct mqtt_ack *ack)
{
    uint64_t number;
    struct mqtt_session *s = p->session;
    const struct delivery *d = outbox_find(&s->outbox, ack->packet_id, &number);
    if (d && d->qos != 2)
        return &wrong_ack;
    if (!d && ack->reason >= MQTT_UNSPECIFIED_ERROR)
        return OK; /* a refusal ends the exchange (4.3.3) */
    if (!d) {      /* 4.3.3: it is told that there is nothing to wait for */
        mqtt_send_ack(p, MQTT_PUBREL,
                      &(struct mqtt_ack){.packet_id = ack->packet_id, .reason = MQTT_PACKET_IDENTIFIER_NOT_FOUND},
                      NULL);
        return OK;
    }
    if (ack->reason >= MQTT_UNSPECIFIED_ERROR) {
        over(s, d, number);
        return OK;
    }
    if (d->state == DELIVERY_RELEASED) {
        send_pubrel(s, ack->packet_id);
    } else if (d->state == DELIVERY_SENT) {
        outbox_releasing(&s->outbox, number);
        release(s, number);
    }
    return OK;
}

err mqtt_on_pubcomp(struct mqtt_peer *p, const struct mqtt_ack *ack)
{
    uint64_t number;
    const struct delivery *d = outbox_find(&p->session->outbox, ack->packet_id, &number);
    if (!d)
        return OK;
    if (d->state != DELIVERY_RELEASED)
        return &wrong_ack;
    over(p->session, d, number);
    return OK;
}
