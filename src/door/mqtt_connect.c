/* CONNECT: who is it, which loop owns it, may it come in, and what was agreed.
 *
 *   CONNECT -> (moved to its loop) -> judged here -> HELLO through the flow -> its session (mqtt_life.c) -> CONNACK */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_session.h"

#include "base/memory.h"
#include "base/text.h"
#include "core/topic.h"

#include <string.h>

static const struct fault bad_client_id = {
    ERR_REFUSED, "mqtt: the client identifier is over 256 bytes, or empty without a clean session"};
static const struct fault bad_will_topic = {ERR_REFUSED, "mqtt: the will's topic is over 1,024 bytes or 32 levels"};
static const struct fault large_will = {ERR_TOO_LARGE, "mqtt: the will is larger than mqtt.will-max"};
static const struct fault bad_method = {ERR_UNSUPPORTED, "mqtt: no such authentication method is offered"};
static const struct fault no_method = {ERR_REFUSED,
                                       "mqtt: AUTH without an authentication method in CONNECT (MQTT 5.0, 4.12)"};
static const struct fault other_method = {ERR_REFUSED,
                                          "mqtt: AUTH with another method than CONNECT (MQTT 5.0, 4.12.0-5)"};
static const struct fault other_person = {ERR_REFUSED, "mqtt: re-authentication proved somebody else"};
static const struct fault pressed = {ERR_AGAIN, "mqtt: this server has more to do than it can now; come back later"};
static const struct fault draining = {ERR_CLOSED, "mqtt: this server is being emptied for maintenance"};
static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for a session"};

enum { AUTO_ID_TRIES = 1000, REPLY_MAX = 4096 };

/* CONNECT while it is judged. */
struct mqtt_arrival {
    struct request hello;
    struct mqtt_peer *peer;
    struct mqtt_wish wish;
    uint32_t expiry_asked_s;
    uint16_t keep_alive_asked_s;
    bool assigned;          /* the client id is ours */
    bool wants_information; /* MQTT 5.0, 3.1.2.11.6 */
    char client_id[CLIENT_ID_MAX + 1];
};

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

uint32_t mqtt_expiry(const struct lobby *lobby, uint32_t asked_s)
{
    return asked_s < lobby->limits->expiry_max_s ? asked_s : lobby->limits->expiry_max_s;
}

/* ---- CONNACK */

/* Where a client that asks for it may have its responses sent (MQTT 5.0, 4.10.1): a place of its own. False: its client
 * identifier is no level of a topic. */
static bool put_response_information(const struct mqtt_peer *p, struct buffer *out)
{
    if (p->who.kind == PRINCIPAL_DEVICE)
        put_format(out, "devices/%s/responses", p->who.id);
    else if (!strpbrk(p->client_id, "/+#"))
        put_format(out, "responses/%s", p->client_id);
    return out->len && !out->spoiled;
}

static void accept(struct mqtt_peer *p, const struct mqtt_arrival *a, enum mqtt_presence presence)
{
    SCOPED(buffer_drop) struct buffer information = {.max = TOPIC_MAX};
    const struct door_limits *limits = p->lobby->limits;
    struct mqtt_connack ack = {.session_present = presence == SESSION_PRESENT};
    struct mqtt_properties *out = &ack.properties;
    out->present = MQTT_HAS(RECEIVE_MAXIMUM) | MQTT_HAS(MAXIMUM_PACKET_SIZE) | MQTT_HAS(TOPIC_ALIAS_MAXIMUM);
    out->receive_maximum = limits->receive_max;
    out->maximum_packet_size = (uint32_t)limits->packet_max;
    out->topic_alias_maximum = MQTT_ALIASES_MAX;
    out->session_expiry = p->session->expiry_s;
    if (out->session_expiry != a->expiry_asked_s)
        out->present |= MQTT_HAS(SESSION_EXPIRY);
    out->assigned_client_id = bytes_of_text(a->client_id);
    if (a->assigned)
        out->present |= MQTT_HAS(ASSIGNED_CLIENT_ID);
    out->server_keep_alive = p->keep_alive_s;
    if (p->keep_alive_s != a->keep_alive_asked_s)
        out->present |= MQTT_HAS(SERVER_KEEP_ALIVE);
    if (a->wants_information && put_response_information(p, &information)) {
        out->response_information = buffer_view(&information);
        out->present |= MQTT_HAS(RESPONSE_INFORMATION);
    }
    out->authentication_method = bytes_of_text(p->method);
    if (p->method)
        out->present |= MQTT_HAS(AUTHENTICATION_METHOD);
    mqtt_send(p, &(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = ack});
}

static void refuse(struct mqtt_peer *p, enum mqtt_reason reason, const char *why)
{
    struct mqtt_connack ack = {.reason = reason};
    const char *reference = p->lobby->drain.reference;
    ack.properties.reason_string = bytes_of_text(why);
    ack.properties.present = why ? MQTT_HAS(REASON_STRING) : 0;
    if (reason == MQTT_USE_ANOTHER_SERVER && *reference) {
        ack.properties.server_reference = bytes_of_text(reference);
        ack.properties.present |= MQTT_HAS(SERVER_REFERENCE);
    }
    mqtt_send(p, &(struct mqtt_packet){.type = MQTT_CONNACK, .as.connack = ack});
    p->phase = PEER_OVER;
    if (p->speaker.line)
        line_end(p->speaker.line);
}

void mqtt_forget_arrival(struct mqtt_peer *p)
{
    if (!p->arrival)
        return;
    message_drop(p->arrival->wish.will);
    mem_drop(p->arrival);
    p->arrival = NULL;
}

void mqtt_entered(struct mqtt_peer *p, enum mqtt_presence presence, err failed)
{
    struct mqtt_arrival *a = p->arrival;
    if (p->phase != PEER_ENTERING || !p->speaker.line || !a)
        return;
    if (failed) {
        enum mqtt_reason reason = mqtt_refusal(failed);
        refuse(p, reason == MQTT_QUOTA_EXCEEDED ? MQTT_QUOTA_EXCEEDED : MQTT_SERVER_UNAVAILABLE, err_text(failed));
        mqtt_forget_arrival(p);
        return;
    }
    p->phase = PEER_OPEN;
    accept(p, a, presence);
    mqtt_forget_arrival(p);
    mqtt_expect_more(p);
    p->speaker.line->calls->settled(p->speaker.line);
    p->speaker.line->calls->resume(p->speaker.line);
    mqtt_deliver_more(p->session);
}

static void enter(struct mqtt_peer *p)
{
    struct mqtt_wish wish = p->arrival->wish;
    p->arrival->wish.will = NULL;
    wish.client_id = bytes_of_text(p->arrival->client_id);
    p->phase = PEER_ENTERING;
    mqtt_enter(p, &wish);
}

static void answered(struct request *r)
{
    struct mqtt_arrival *a = CONTAINER(r, struct mqtt_arrival, hello);
    struct mqtt_peer *p = a->peer;
    p->asking = false;
    p->busy--;
    if (!r->refused) {
        p->present = true;
        if (p->enrolled)
            roll_present(&p->lobby->roll, p->who.id);
        counter_raise(&p->lobby->counts->sessions_now, 1);
    }
    if (!p->speaker.line) {
        mqtt_forget_arrival(p);
        mqtt_leave(p);
        return;
    }
    if (p->phase != PEER_ASKING) { /* the server stops, and said so; `lost` comes */
        mqtt_forget_arrival(p);
        return;
    }
    if (!r->refused) {
        enter(p);
        return;
    }
    enum mqtt_reason reason = mqtt_refusal(r->refused);
    refuse(p, reason == MQTT_QUOTA_EXCEEDED ? MQTT_SERVER_BUSY : reason, err_text(r->refused));
    mqtt_forget_arrival(p);
}

/* ---- judging */

/* One that this loop owns: for the anonymous the loop follows from the client id. */
static err assign_client_id(struct mqtt_peer *p, struct mqtt_arrival *a)
{
    a->assigned = true;
    for (int i = 0; i < AUTO_ID_TRIES; i++) {
        SCOPED(buffer_drop) struct buffer name = {.max = CLIENT_ID_MAX};
        uint8_t random[8];
        p->lobby->dice->fill(p->lobby->dice, random, sizeof random);
        put_text(&name, "auto-");
        put_hex(&name, bytes_of(random, sizeof random));
        TRY(text_copy(buffer_view(&name), a->client_id, sizeof a->client_id));
        if (lobby_home_of(p->lobby, &p->who, bytes_of_text(a->client_id)) == p->lobby)
            return OK;
    }
    return &no_memory;
}

static err take_client_id(struct mqtt_peer *p, const struct mqtt_connect *c, struct mqtt_arrival *a)
{
    if (c->client_id.len > CLIENT_ID_MAX || (!c->client_id.len && p->version == MQTT_3_1_1 && !c->clean_start))
        return &bad_client_id;
    if (!c->client_id.len)
        return assign_client_id(p, a);
    return text_copy(c->client_id, a->client_id, sizeof a->client_id);
}

static err take_will(struct mqtt_peer *p, const struct mqtt_connect *c, struct mqtt_wish *wish)
{
    SCOPED(buffer_drop) struct buffer block = {.max = PAYLOAD_MAX};
    const struct mqtt_properties *from = &c->will.properties;
    if (!c->has_will)
        return OK;
    if (topic_check_name(c->will.topic))
        return &bad_will_topic;
    if (c->will.payload.len > p->lobby->limits->will_max)
        return &large_will;
    TRY(mqtt_put_forwarded(from, &block));
    if (from->present & MQTT_HAS(MESSAGE_EXPIRY)) /* begins when it is published */
        TRY(mqtt_put_message_expiry(&block, from->message_expiry));
    struct message_parts parts = {.topic = c->will.topic,
                                  .payload = c->will.payload,
                                  .properties = buffer_view(&block),
                                  .qos = c->will.qos,
                                  .retain = c->will.retain};
    wish->will = message_make(&parts);
    wish->will_delay_s = from->will_delay;
    return wish->will ? OK : &no_memory;
}

static void agree(struct mqtt_peer *p, const struct mqtt_connect *c, struct mqtt_arrival *a)
{
    uint16_t longest = p->lobby->limits->keep_alive_max_s;
    a->keep_alive_asked_s = c->keep_alive;
    a->wish.clean_start = c->clean_start;
    p->keep_alive_s = c->keep_alive && c->keep_alive < longest ? c->keep_alive : longest;
    if (p->version == MQTT_5) {
        p->receive_max = c->properties.receive_maximum;
        p->alias_max = c->properties.topic_alias_maximum;
        p->no_reasons = !c->properties.request_problem;
        a->wants_information = c->properties.request_response;
        a->expiry_asked_s = c->properties.session_expiry;
    } else { /* 3.1.1, 3.1.2.4: a session that is not clean has no end; ours has one */
        a->expiry_asked_s = c->clean_start ? 0 : CLIENT_EXPIRY_NEVER;
    }
    p->asked_expiry = a->expiry_asked_s;
    a->wish.expiry_s = mqtt_expiry(p->lobby, a->expiry_asked_s);
}

static enum mqtt_reason reason_of(err failed)
{
    static const struct {
        const struct fault *fault;
        enum mqtt_reason reason;
    } rows[] = {
        {&bad_client_id, MQTT_CLIENT_IDENTIFIER_NOT_VALID},
        {&bad_will_topic, MQTT_TOPIC_NAME_INVALID},
        {&large_will, MQTT_PACKET_TOO_LARGE},
        {&bad_method, MQTT_BAD_AUTHENTICATION_METHOD},
        {&draining, MQTT_USE_ANOTHER_SERVER},
        {&pressed, MQTT_SERVER_BUSY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (failed == rows[i].fault)
            return rows[i].reason;
    return err_is(failed, ERR_REFUSED) ? MQTT_NOT_AUTHORIZED : MQTT_SERVER_UNAVAILABLE;
}

static err judge(struct mqtt_peer *p, const struct mqtt_connect *c, struct mqtt_arrival *a)
{
    if (p->lobby->drain.drains)
        return &draining;
    if (lobby_is_pressed(p->lobby))
        return &pressed;
    TRY(take_client_id(p, c, a));
    TRY(take_will(p, c, &a->wish));
    agree(p, c, a);
    p->client_id = mem_text(bytes_of_text(a->client_id));
    if (!p->client_id)
        return &no_memory;
    if (p->who.kind != PRINCIPAL_DEVICE)
        return OK; /* an operator leaves no presence, and may bear a device's name */
    TRY(roll_enter(&p->lobby->roll, p->who.id));
    p->enrolled = true;
    return OK;
}

static void turn_away(struct mqtt_peer *p, err failed)
{
    mqtt_report(p, EVENT_CONNECTION_REFUSED, err_text(failed), (struct bytes){NULL, 0});
    refuse(p, reason_of(failed), err_text(failed));
    mqtt_forget_arrival(p);
}

static void ask(struct mqtt_peer *p)
{
    struct mqtt_arrival *a = p->arrival;
    p->phase = PEER_ASKING;
    p->asking = true;
    p->busy++;
    p->speaker.line->calls->hold(p->speaker.line);
    a->peer = p;
    request_open(&a->hello, VERB_HELLO, &p->who, p->address);
    a->hello.done = answered;
    a->hello.certificate = p->speaker.line->certificate;
    a->hello.resource = bytes_of_text(a->client_id);
    flow_begin(&p->lobby->flow, &a->hello);
}

/* ---- enhanced authentication (MQTT 5.0, 4.12): methods of one step */

static err authenticate(struct mqtt_peer *p, const struct mqtt_properties *in, struct principal *who)
{
    struct authenticator *by = p->lobby->authenticator;
    if (!(in->present & MQTT_HAS(AUTHENTICATION_METHOD)))
        return OK;
    if (!p->badge && !(p->badge = mem_take(1, AUTHENTICATOR_BADGE)))
        return &no_memory;
    err failed = by->prove(by, in->authentication_method, in->authentication_data, who, p->badge);
    return err_is(failed, ERR_UNSUPPORTED) ? &bad_method : failed;
}

bool mqtt_still_proved(const struct mqtt_peer *p)
{
    return !p->badge || p->lobby->badges->holds(p->lobby->badges, p->badge);
}

err mqtt_on_auth(struct mqtt_peer *p, const struct mqtt_ending *auth)
{
    struct principal who = p->who;
    if (!p->method)
        return &no_method;
    if (auth->reason != MQTT_REAUTHENTICATE || !bytes_is(auth->properties.authentication_method, p->method))
        return &other_method;
    err failed = authenticate(p, &auth->properties, &who);
    if (!failed && (who.kind != p->who.kind || strcmp(who.id, p->who.id) != 0))
        failed = &other_person;
    if (failed) {
        mqtt_report(p, EVENT_CONNECTION_REFUSED, err_text(failed), (struct bytes){NULL, 0});
        mqtt_bye(p, MQTT_NOT_AUTHORIZED, err_text(failed));
        return OK;
    }
    struct mqtt_packet done = {.type = MQTT_AUTH,
                               .as.ending = {.reason = MQTT_SUCCESS,
                                             .properties = {.present = MQTT_HAS(AUTHENTICATION_METHOD),
                                                            .authentication_method = bytes_of_text(p->method)}}};
    mqtt_send(p, &done);
    return OK;
}

/* ---- CONNECT */

err mqtt_on_connect(struct mqtt_peer *p, const struct mqtt_connect *c, bool *moved)
{
    p->version = c->version;
    if (p->version == MQTT_5) /* also for the CONNACK that says no (3.2.2-19) */
        p->packet_max = c->properties.maximum_packet_size;
    err failed = authenticate(p, &c->properties, &p->who);
    struct lobby *home = !failed && c->client_id.len          ? lobby_home_of(p->lobby, &p->who, c->client_id)
                         : p->who.kind == PRINCIPAL_ANONYMOUS ? p->lobby
                                                              : lobby_home(p->lobby, &p->who);
    if (!failed && home != p->lobby) {
        *moved = true;
        p->speaker.line->calls->move(p->speaker.line, home);
        return OK;
    }
    p->arrival = failed ? NULL : MEM_NEW(struct mqtt_arrival);
    if (!failed && c->properties.present & MQTT_HAS(AUTHENTICATION_METHOD))
        p->method = mem_text(c->properties.authentication_method);
    if (!failed)
        failed = p->arrival ? judge(p, c, p->arrival) : &no_memory;
    if (failed)
        turn_away(p, failed);
    else
        ask(p);
    return OK;
}
