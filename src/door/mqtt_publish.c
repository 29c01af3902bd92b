/* PUBLISH from a client: into the flow, and acknowledged when the flow is done with it.
 *
 * Acknowledgements leave in the order in which the publishes came (MQTT 5.0, 4.6). A refused publish is answered with
 * its reason in MQTT 5.0; 3.1.1 has no way to say no, so its connection is closed rather than that something
 * is acknowledged which was not kept (3.1.1, 3.3.5-2). */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "core/topic.h"

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a publication"};

static void drop(struct publication *p)
{
    list_remove(&p->place);
    message_drop(p->message);
    mem_drop(p);
}

static enum mqtt_reason acknowledge(struct mqtt_session *s, const struct publication *p)
{
    const struct request *r = &p->request;
    enum mqtt_reason reason = r->refused ? mqtt_refusal(r->refused) : MQTT_SUCCESS;
    struct mqtt_ack ack = {.packet_id = p->packet_id, .reason = reason};
    if (r->refused && !s->no_reasons) {
        ack.properties.present = MQTT_HAS(REASON_STRING);
        ack.properties.reason_string = bytes_of_text(r->why[0] ? r->why : err_text(r->refused));
    }
    if (p->packet_id && (s->version == MQTT_5 || !r->refused))
        mqtt_send(s, &(struct mqtt_packet){.type = MQTT_PUBACK, .as.ack = ack});
    return reason;
}

/* Answers those at the head of the row that are done. */
static void settle(struct mqtt_session *s)
{
    list_each (at, &s->arriving) {
        struct publication *p = CONTAINER(at, struct publication, place);
        if (!p->finished)
            break;
        if (s->phase == SESSION_OPEN) {
            enum mqtt_reason reason = acknowledge(s, p);
            if (reason && p->packet_id && s->version == MQTT_3_1_1)
                mqtt_bye(s, reason, "");
        }
        s->arriving_count--;
        s->arriving_qos_1 -= p->packet_id != 0;
        drop(p);
    }
    if (s->held && s->speaker.line && s->arriving_count <= s->lobby->limits->receive_max) {
        s->held = false;
        s->speaker.line->calls->resume(s->speaker.line);
    }
}

static void judged(struct request *r)
{
    struct publication *p = CONTAINER(r, struct publication, request);
    struct mqtt_session *s = p->session;
    p->finished = true;
    if (r->refused)
        counter_raise(&s->lobby->counts->messages_refused, 1);
    settle(s);
    s->busy--;
    mqtt_release(s);
}

static struct publication *publication_make(struct mqtt_session *s, struct message *message)
{
    struct publication *p = message ? MEM_NEW(struct publication) : NULL;
    if (!p) {
        message_drop(message);
        return NULL;
    }
    list_open(&p->place);
    p->session = s;
    p->message = message;
    p->request = (struct request){.verb = VERB_PUBLISH,
                                  .who = &s->who,
                                  .peer = s->peer,
                                  .resource = message->topic,
                                  .message = message,
                                  .done = judged};
    return p;
}

static void begin(struct mqtt_session *s, struct publication *p)
{
    s->busy++;
    s->arriving_count++;
    s->arriving_qos_1 += p->packet_id != 0;
    list_append(&s->arriving, &p->place);
    flow_begin(&s->lobby->flow, &p->request);
}

/* What we told the client in CONNACK that we do not do (MQTT 5.0, 3.2.2.3), and it did. 3.1.1 clients could not know
 * about retain: theirs is routed like any other. */
static enum mqtt_reason unoffered(const struct mqtt_session *s, const struct mqtt_publish *publish)
{
    if (publish->qos == 2)
        return MQTT_QOS_NOT_SUPPORTED;
    if (publish->retain && s->version == MQTT_5)
        return MQTT_RETAIN_NOT_SUPPORTED;
    if (publish->properties.present & MQTT_HAS(TOPIC_ALIAS))
        return MQTT_TOPIC_ALIAS_INVALID;
    if (topic_check_name(publish->topic)) /* MQTT allows 65,535 bytes and as many levels */
        return MQTT_TOPIC_NAME_INVALID;
    if (publish->qos && s->version == MQTT_5 && s->arriving_qos_1 >= s->lobby->limits->receive_max)
        return MQTT_RECEIVE_MAXIMUM_EXCEEDED;
    return MQTT_SUCCESS;
}

err mqtt_on_publish(struct mqtt_session *s, const struct mqtt_publish *publish)
{
    enum mqtt_reason reason = unoffered(s, publish);
    counter_raise(&s->lobby->counts->messages_in[publish->qos], 1);
    if (reason) {
        mqtt_report(s, EVENT_PROTOCOL_ERROR, mqtt_reason_text(reason), publish->topic);
        mqtt_bye(s, reason, mqtt_reason_text(reason));
        return OK;
    }
    struct message_parts parts = {.topic = publish->topic,
                                  .payload = publish->payload,
                                  .qos = publish->qos,
                                  .properties = publish->properties.block,
                                  .source = (uintptr_t)s};
    struct publication *p = publication_make(s, message_make(&parts));
    if (!p)
        return &no_memory;
    p->packet_id = publish->packet_id;
    begin(s, p);
    if (s->arriving_count >= 2u * s->lobby->limits->receive_max && s->speaker.line) {
        s->held = true;
        s->speaker.line->calls->hold(s->speaker.line);
    }
    return OK;
}

void mqtt_publish_will(struct mqtt_session *s)
{
    struct message *will = s->will;
    s->will = NULL;
    if (!will || !s->present) {
        message_drop(will);
        return;
    }
    struct publication *p = publication_make(s, will);
    if (p)
        begin(s, p);
}
