/* PUBLISH to a client: a bounded queue, a window of unacknowledged QoS 1 messages, and a line that is not written to
 * faster than the peer reads. A slow subscriber holds back itself only: past its bounds QoS 0 messages are dropped and
 * counted, and a QoS 1 message ends the session, so that nothing is lost in silence. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"

enum {
    LINE_HIGH = 65536, /* bytes queued in the line above which the rest waits here */
    WINDOW_MAX = 1024, /* unacknowledged messages, whatever the client allows */
    HEAD_MAX = 327680, /* bytes of a PUBLISH without its payload: a topic, and properties as large as a packet */
};

struct delivery {
    struct list place; /* in leaving, then in unacked */
    struct message *message;
    uint16_t packet_id;
    uint8_t qos;
};

static void drop(struct delivery *d)
{
    list_remove(&d->place);
    message_drop(d->message);
    mem_drop(d);
}

/* False: it can never be sent to this client. */
static bool send(struct mqtt_session *s, const struct delivery *d)
{
    SCOPED(buffer_drop) struct buffer head = {.max = HEAD_MAX};
    struct mqtt_publish publish = {
        .topic = d->message->topic, .payload = d->message->payload, .qos = d->qos, .packet_id = d->packet_id};
    /* The properties that travel with a message are kept as they came; one codec judges them, here as there. */
    if (s->version == MQTT_5 && mqtt_publish_properties(d->message->properties, &publish.properties))
        return false;
    if (mqtt_publish_size(&publish, s->version) > s->packet_max ||
        mqtt_put_publish_head(&publish, mqtt_server_dialect(s), &head))
        return false;
    line_send(s->speaker.line, buffer_view(&head));
    line_send(s->speaker.line, d->message->payload);
    return true;
}

/* The next free packet identifier. Those in use were given in rising order, so the oldest is the first to be met. */
static bool number(struct mqtt_session *s, struct delivery *d)
{
    uint16_t id = s->last_packet_id == UINT16_MAX ? 1 : (uint16_t)(s->last_packet_id + 1);
    if (!list_empty(&s->unacked) && CONTAINER(s->unacked.next, struct delivery, place)->packet_id == id)
        return false;
    d->packet_id = s->last_packet_id = id;
    return true;
}

static size_t window(const struct mqtt_session *s)
{
    return s->receive_max < WINDOW_MAX ? s->receive_max : WINDOW_MAX;
}

void mqtt_deliver_more(struct mqtt_session *s)
{
    while (s->phase == SESSION_OPEN && !list_empty(&s->leaving) && line_backlog(s->speaker.line) < LINE_HIGH) {
        struct delivery *d = CONTAINER(s->leaving.next, struct delivery, place);
        if (d->qos && (s->unacked_count >= window(s) || !number(s, d)))
            return;
        s->leaving_count--;
        s->leaving_bytes -= d->message->payload.len;
        /* What the client cannot take counts as sent and acknowledged (MQTT 5.0, 3.1.2-25). */
        bool sent = send(s, d);
        counter_raise(sent ? &s->lobby->counts->messages_out[d->qos] : &s->lobby->counts->messages_dropped, 1);
        if (!sent || !d->qos) {
            drop(d);
            continue;
        }
        list_remove(&d->place);
        list_append(&s->unacked, &d->place);
        s->unacked_count++;
    }
}

static bool is_full(const struct mqtt_session *s, const struct message *message)
{
    const struct door_limits *limits = s->lobby->limits;
    return s->leaving_count >= limits->queue_messages_max ||
           s->leaving_bytes + message->payload.len > limits->queue_bytes_max;
}

static void overflow(struct mqtt_session *s, uint8_t qos)
{
    counter_raise(&s->lobby->counts->messages_dropped, 1);
    mqtt_report(s, EVENT_SUBSCRIBER_SLOW,
                qos ? "a QoS 1 message found its queue full: the session was ended"
                    : "a QoS 0 message found its queue full and was dropped",
                (struct bytes){NULL, 0});
    if (qos)
        mqtt_bye(s, MQTT_QUOTA_EXCEEDED, "the queue of messages that wait for this client is full");
}

void mqtt_deliver(struct mqtt_session *s, struct message *message, uint8_t qos)
{
    if (s->phase != SESSION_OPEN || !principal_may_hear(&s->who, message->topic))
        return;
    struct delivery *d = is_full(s, message) ? NULL : MEM_NEW(struct delivery);
    if (!d) {
        overflow(s, qos);
        return;
    }
    d->message = message_share(message);
    d->qos = qos;
    list_append(&s->leaving, &d->place);
    s->leaving_count++;
    s->leaving_bytes += message->payload.len;
    mqtt_deliver_more(s);
}

err mqtt_on_puback(struct mqtt_session *s, const struct mqtt_ack *ack)
{
    list_each (at, &s->unacked) {
        struct delivery *d = CONTAINER(at, struct delivery, place);
        if (d->packet_id != ack->packet_id)
            continue;
        drop(d);
        s->unacked_count--;
        mqtt_deliver_more(s);
        return OK;
    }
    return OK; /* for a message we no longer know: nothing is lost by it */
}

void mqtt_forget_deliveries(struct mqtt_session *s)
{
    for (struct list *at = list_take(&s->leaving); at; at = list_take(&s->leaving))
        drop(CONTAINER(at, struct delivery, place));
    for (struct list *at = list_take(&s->unacked); at; at = list_take(&s->unacked))
        drop(CONTAINER(at, struct delivery, place));
    s->leaving_count = s->leaving_bytes = s->unacked_count = 0;
}
