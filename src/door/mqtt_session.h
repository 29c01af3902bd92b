/* An MQTT session and the files that share it: mqtt_speaker.c (packets in, the end), mqtt_connect.c, mqtt_publish.c
 * (from the client), mqtt_subscribe.c, mqtt_deliver.c (to the client). For this room only.
 *
 * Today a session lives as long as its line (clean sessions). What a later persistent session needs to keep is what
 * stands here apart from `speaker`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/line.h"
#include "door/lobby.h"
#include "wire/mqtt.h"

enum session_phase {
    SESSION_NEW = 0, /* CONNECT is awaited */
    SESSION_ASKING,  /* CONNECT came, the flow judges it */
    SESSION_OPEN,
    SESSION_OVER, /* good-bye was said or the line was lost */
};

enum { SESSION_KEY_MAX = DEVICE_ID_MAX + 2 + CLIENT_ID_MAX };

struct mqtt_session {
    struct speaker speaker;
    struct lobby *lobby;
    struct principal who;
    struct table_node place; /* in lobby->sessions, from SESSION_ASKING on */
    enum session_phase phase;
    enum mqtt_version version;
    char key[SESSION_KEY_MAX];
    char client_id[CLIENT_ID_MAX + 1];
    char peer[CALL_PEER_TEXT];
    bool assigned;         /* the client id is ours */
    bool enrolled;         /* counted in the lobby's roll */
    bool asking;           /* HELLO is under way */
    bool present;          /* HELLO was remembered: BYE must be too */
    uint16_t keep_alive_s; /* as agreed */
    uint16_t keep_alive_asked_s;
    uint32_t packet_max; /* what the client takes (MQTT 5.0, 3.1.2.11.4) */
    bool no_reasons;     /* the client asked for no reason strings (MQTT 5.0, 3.1.2.11.7) */
    struct request hello;
    struct message *will; /* owned; published unless the client said good-bye */

    /* from the client */
    struct list arriving; /* publications in the order they came; acknowledged in that order */
    size_t arriving_count, arriving_qos_1;
    bool held;   /* reading stopped because too many wait */
    size_t busy; /* requests under way: the session outlives its line until they are done */

    /* to the client */
    struct table subscriptions; /* by filter */
    struct list leaving;        /* deliveries that wait for a place in the window or in the line */
    struct list unacked;        /* QoS 1 deliveries that were sent */
    size_t leaving_count, leaving_bytes, unacked_count;
    uint16_t receive_max; /* of the client */
    uint16_t last_packet_id;
};

/* A publication from the client, until it is acknowledged. */
struct publication {
    struct request request;
    struct list place; /* in arriving */
    struct mqtt_session *session;
    struct message *message; /* owned */
    uint16_t packet_id;      /* 0 for QoS 0 */
    bool finished;
};

/* Queues an encoded packet, without its reason string when it is too large for the client with it. What cannot be
 * encoded or is still too large ends the line. */
void mqtt_send(struct mqtt_session *s, const struct mqtt_packet *packet);
/* Says good-bye with the reason where the version knows one, and ends the line. */
void mqtt_bye(struct mqtt_session *s, enum mqtt_reason reason, const char *why);
void mqtt_leave(struct mqtt_session *s);   /* the line is lost and HELLO is over: says BYE where HELLO was remembered */
void mqtt_release(struct mqtt_session *s); /* frees a session whose line is lost and that has nothing under way */
void mqtt_report(struct mqtt_session *s, enum event_kind kind, const char *why, struct bytes topic);
struct mqtt_dialect mqtt_server_dialect(const struct mqtt_session *s);

/* A CONNECT. OK with *moved true: the line goes to another loop first and the packet is heard again there. */
MUST err mqtt_on_connect(struct mqtt_session *s, const struct mqtt_connect *connect, bool *moved);
MUST err mqtt_on_publish(struct mqtt_session *s, const struct mqtt_publish *publish);
MUST err mqtt_on_subscribe(struct mqtt_session *s, const struct mqtt_subscribe *subscribe);
MUST err mqtt_on_unsubscribe(struct mqtt_session *s, const struct mqtt_subscribe *unsubscribe);
MUST err mqtt_on_puback(struct mqtt_session *s, const struct mqtt_ack *ack);

void mqtt_publish_will(struct mqtt_session *s); /* when there is one; takes it */
void mqtt_forget_subscriptions(struct mqtt_session *s);
void mqtt_forget_deliveries(struct mqtt_session *s);
void mqtt_deliver_more(struct mqtt_session *s); /* sends what the window and the line have room for */
void mqtt_deliver(struct mqtt_session *s, struct message *message, uint8_t qos);
enum mqtt_reason mqtt_refusal(err refused);       /* the reason code of a request that the flow refused */
void mqtt_forget_session(struct mqtt_session *s); /* out of lobby->sessions */

void mqtt_expel(struct lobby *lobby,
                const char *device_id); /* ends every session of the device: 0x87, Not authorized */
void mqtt_shut(struct lobby *lobby);    /* ends every session: 0x8B, Server shutting down */
