/* CONNECT: who is it, which loop owns it, may it come in, and what was agreed. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "base/text.h"
#include "core/topic.h"

#include <string.h>

static const struct fault bad_client_id = {
    ERR_REFUSED, "mqtt: the client identifier is over 256 bytes, or empty without a clean session"};
static const struct fault will_qos_2 = {ERR_UNSUPPORTED, "mqtt: a will with QoS 2 is not offered"};
static const struct fault will_retained = {ERR_UNSUPPORTED, "mqtt: a retained will is not offered"};
static const struct fault bad_will_topic = {ERR_REFUSED, "mqtt: the will's topic is over 1,024 bytes or 32 levels"};
static const struct fault has_method = {
    ERR_UNSUPPORTED, "mqtt: enhanced authentication is not offered; the certificate is the identity"};
static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a session"};

enum mqtt_reason mqtt_refusal(err refused)
{
    switch (refused->kind) {
    case ERR_REFUSED:
    case ERR_ABSENT:
    case ERR_EXPIRED:
        return MQTT_NOT_AUTHORIZED;
    case ERR_MALFORMED:
    case ERR_TOO_LARGE:
    case ERR_UNSUPPORTED:
        return MQTT_PAYLOAD_FORMAT_INVALID;
    case ERR_FULL:
    case ERR_AGAIN:
        return MQTT_QUOTA_EXCEEDED;
    case ERR_EXISTS:
    case ERR_CLOSED:
    case ERR_IO:
    case ERR_MEMORY:
        return MQTT_UNSPECIFIED_ERROR;
    }
    return MQTT_UNSPECIFIED_ERROR;
}

static void connack(struct mqtt_session *s, enum mqtt_reason reason, const char *why)
{
    const struct door_limits *limits = s->lobby->limits;
    struct mqtt_connack ack = {.reason = reason};
    struct mqtt_properties *p = &ack.properties;
    if (reason == MQTT_SUCCESS) {
        p->present = MQTT_HAS(SESSION_EXPIRY) | MQTT_HAS(RECEIVE_MAXIMUM) | MQTT_HAS(MAXIMUM_QOS) |
                     MQTT_HAS(RETAIN_AVAILABLE) | MQTT_HAS(MAXIMUM_PACKET_SIZE) | MQTT_HAS(SUBSCRIPTION_ID_AVAILABLE) |
                     MQTT_HAS(SHARED_AVAILABLE);
        p->session_expiry = 0;
        p->receive_maximum = limits->receive_max;
        p->maximum_qos = 1;
        p->maximum_packet_size = (uint32_t)limits->packet_max;
        if (s->assigned)
            p->present |= MQTT_HAS(ASSIGNED_CLIENT_ID);
        p->assigned_client_id = bytes_of_text(s->client_id);
        if (s->keep_alive_s != s->keep_alive_asked_s)
            p->present |= MQTT_HAS(SERVER_KEEP_ALIVE);
        p->server_keep_alive = s->keep_alive_s;
    } else if (why) {
        p->present = MQTT_HAS(REASON_STRING);
        p->reason_string = bytes_of_text(why);
    }
    mqtt_send(s, &(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = ack});
}

static void refuse(struct mqtt_session *s, enum mqtt_reason reason, const char *why)
{
    connack(s, reason, why);
    s->phase = SESSION_OVER;
    line_end(s->speaker.line);
}

static void answered(struct request *r)
{
    struct mqtt_session *s = CONTAINER(r, struct mqtt_session, hello);
    s->asking = false;
    s->busy--;
    if (!r->refused) {
        s->present = true;
        if (s->enrolled)
            roll_present(&s->lobby->roll, s->who.id);
        counter_raise(&s->lobby->counts->sessions_now, 1);
    }
    if (!s->speaker.line) {
        mqtt_leave(s);
        return;
    }
    if (s->phase != SESSION_ASKING)
        return; /* it was taken over or shut while it was asked for; `lost` comes */
    if (r->refused) {
        enum mqtt_reason reason = mqtt_refusal(r->refused);
        refuse(s, reason == MQTT_QUOTA_EXCEEDED ? MQTT_SERVER_BUSY : reason, err_text(r->refused));
        return;
    }
    s->phase = SESSION_OPEN;
    connack(s, MQTT_SUCCESS, NULL);
    s->speaker.line->calls->patience(s->speaker.line, (int64_t)s->keep_alive_s * 1500);
    s->speaker.line->calls->resume(s->speaker.line);
}

static err take_client_id(struct mqtt_session *s, const struct mqtt_connect *c)
{
    if (c->client_id.len > CLIENT_ID_MAX || (!c->client_id.len && s->version == MQTT_3_1_1 && !c->clean_start))
        return &bad_client_id;
    if (c->client_id.len)
        return text_copy(c->client_id, s->client_id, sizeof s->client_id);
    SCOPED(buffer_drop) struct buffer name = {.max = CLIENT_ID_MAX};
    uint8_t random[8];
    s->lobby->dice->fill(s->lobby->dice, random, sizeof random);
    put_text(&name, "auto-");
    put_hex(&name, bytes_of(random, sizeof random));
    s->assigned = true;
    return text_copy(buffer_view(&name), s->client_id, sizeof s->client_id);
}

static err take_will(struct mqtt_session *s, const struct mqtt_connect *c)
{
    if (!c->has_will)
        return OK;
    if (c->will.retain && s->version == MQTT_5)
        return &will_retained;
    if (c->will.qos == 2 && s->version == MQTT_5)
        return &will_qos_2;
    if (topic_check_name(c->will.topic))
        return &bad_will_topic;
    struct message_parts parts = {.topic = c->will.topic, .payload = c->will.payload, .qos = c->will.qos > 0};
    s->will = message_make(&parts);
    return s->will ? OK : &no_memory;
}

/* The key carries the principal, so that no device can take over another's session by its client id. */
static void make_key(struct mqtt_session *s, struct bytes *key)
{
    SCOPED(buffer_drop) struct buffer text = {.max = sizeof s->key};
    put_format(&text, "%c%s\n%s", '0' + (int)s->who.kind, s->who.id, s->client_id);
    if (text.len)
        memcpy(s->key, text.at, text.len);
    *key = bytes_of(s->key, text.len);
}

/* MQTT 5.0, 3.1.4-3: the older session of the same client gives way. */
static err enter(struct mqtt_session *s)
{
    struct bytes key;
    make_key(s, &key);
    struct table_node *older = table_find(&s->lobby->sessions, key);
    if (older) {
        struct mqtt_session *other = CONTAINER(older, struct mqtt_session, place);
        mqtt_forget_session(other);
        mqtt_bye(other, MQTT_SESSION_TAKEN_OVER, "another connection with the same client identifier");
    }
    return table_add(&s->lobby->sessions, &s->place, key);
}

void mqtt_forget_session(struct mqtt_session *s)
{
    if (!s->place.key.at)
        return;
    table_remove(&s->lobby->sessions, &s->place);
    s->place.key = (struct bytes){NULL, 0};
}

static void agree(struct mqtt_session *s, const struct mqtt_connect *c)
{
    uint16_t longest = s->lobby->limits->keep_alive_max_s;
    s->keep_alive_asked_s = c->keep_alive;
    s->keep_alive_s = c->keep_alive && c->keep_alive < longest ? c->keep_alive : longest;
    if (s->version == MQTT_5) {
        s->packet_max = c->properties.maximum_packet_size;
        s->receive_max = c->properties.receive_maximum;
        s->no_reasons = !c->properties.request_problem;
    }
}

static enum mqtt_reason reason_of(err failed)
{
    if (failed == &bad_client_id)
        return MQTT_CLIENT_IDENTIFIER_NOT_VALID;
    if (failed == &will_qos_2)
        return MQTT_QOS_NOT_SUPPORTED;
    if (failed == &will_retained)
        return MQTT_RETAIN_NOT_SUPPORTED;
    if (failed == &bad_will_topic)
        return MQTT_TOPIC_NAME_INVALID;
    if (failed == &has_method)
        return MQTT_BAD_AUTHENTICATION_METHOD;
    return MQTT_SERVER_UNAVAILABLE;
}

static err judge(struct mqtt_session *s, const struct mqtt_connect *c)
{
    if (c->properties.present & MQTT_HAS(AUTHENTICATION_METHOD))
        return &has_method;
    TRY(take_client_id(s, c));
    TRY(take_will(s, c));
    agree(s, c);
    TRY(enter(s));
    if (s->who.kind != PRINCIPAL_DEVICE)
        return OK; /* an operator leaves no presence, and may bear a device's name */
    TRY(roll_enter(&s->lobby->roll, s->who.id));
    s->enrolled = true;
    return OK;
}

err mqtt_on_connect(struct mqtt_session *s, const struct mqtt_connect *c, bool *moved)
{
    struct lobby *home =
        c->client_id.len ? lobby_home_of(s->lobby, &s->who, c->client_id) : lobby_home(s->lobby, &s->who);
    if (home != s->lobby) {
        *moved = true;
        s->speaker.line->calls->move(s->speaker.line, home);
        return OK;
    }
    s->version = c->version;
    err failed = judge(s, c);
    if (failed) {
        mqtt_report(s, EVENT_CONNECTION_REFUSED, err_text(failed), (struct bytes){NULL, 0});
        refuse(s, reason_of(failed), err_text(failed));
        return OK;
    }
    s->phase = SESSION_ASKING;
    s->asking = true;
    s->busy++;
    s->speaker.line->calls->hold(s->speaker.line);
    s->hello = (struct request){.verb = VERB_HELLO,
                                .who = &s->who,
                                .peer = s->peer,
                                .done = answered,
                                .certificate = s->speaker.line->certificate,
                                .resource = bytes_of_text(s->client_id)};
    flow_begin(&s->lobby->flow, &s->hello);
    return OK;
}

void mqtt_expel(struct lobby *lobby, const char *device_id)
{
    for (struct table_node *node = table_next(&lobby->sessions, NULL); node;
         node = table_next(&lobby->sessions, node)) {
        struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
        if (s->who.kind == PRINCIPAL_DEVICE && strcmp(s->who.id, device_id) == 0)
            mqtt_bye(s, MQTT_NOT_AUTHORIZED, "the device was deleted");
    }
}

void mqtt_shut(struct lobby *lobby)
{
    for (struct table_node *node = table_next(&lobby->sessions, NULL); node; node = table_next(&lobby->sessions, node))
        mqtt_bye(CONTAINER(node, struct mqtt_session, place), MQTT_SERVER_SHUTTING_DOWN, "the server is shutting down");
}
