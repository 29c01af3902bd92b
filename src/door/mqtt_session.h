/* MQTT: what the files of this door share. For this room only.
 *
 *   mqtt_peer     a connection and its client's half of the protocol, until the connection and all it asked for are
 * over mqtt_session  what MQTT 5.0, 4.1 calls Session State: outlives the peer when it has an expiry
 *
 * mqtt_speaker.c packets in, the end of a peer · mqtt_connect.c CONNECT · mqtt_life.c the life of sessions ·
 * mqtt_publish.c from the client · mqtt_deliver.c to the client · mqtt_subscribe.c · mqtt_alias.c · mqtt_journal.c what
 * is kept of a session · mqtt_restore.c sessions at the start · mqtt_board.c what operators see. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/share.h"
#include "door/line.h"
#include "door/lobby.h"
#include "session/inbox.h"
#include "session/outbox.h"
#include "wire/mqtt.h"

enum peer_phase {
    PEER_NEW = 0,  /* CONNECT is awaited */
    PEER_ASKING,   /* CONNECT came, the flow judges it */
    PEER_ENTERING, /* it may come in: its session is being kept */
    PEER_OPEN,
    PEER_OVER, /* good-bye was said or the line was lost */
};

enum { SESSION_KEY_MAX = DEVICE_ID_MAX + 2 + CLIENT_ID_MAX };

struct mqtt_peer;
struct mqtt_arrival;
struct mqtt_asking;
struct mqtt_giving;
struct mqtt_member;
struct mqtt_aliases_in;
struct mqtt_aliases_out;

struct mqtt_session {
    struct table_node place; /* in lobby->sessions, by key; key.at is NULL when it is over */
    struct lobby *lobby;
    struct mqtt_peer *peer; /* NULL: its client is away */
    uint64_t number;        /* of all sessions of all loops, also after a restart; never given twice */
    struct outbox outbox;
    struct inbox inbox;
    struct table watches; /* by filter */
    struct lane lane;
    struct promiser promiser;
    struct mqtt_giving *giving; /* retained messages that new subscriptions are still owed; mqtt_giving.c */
    struct message *will;       /* published when the session or its delay ends without a good-bye; NULL: none */
    struct timer due;           /* while its client is away: the will's delay, then the end */
    int64_t since_us;           /* wall clock: when its client came or left */
    int64_t will_ms;            /* by the loop's clock, while its client is away: when its will's delay is over */
    int64_t end_ms;             /* likewise, its expiry; INT64_MAX: never */
    uint32_t expiry_s, will_delay_s;
    uint32_t busy;                       /* requests, errands and promises under way: the memory outlives them */
    uint32_t told_count, told_under_way; /* of its outbox, as the lobby's counts have them */
    size_t told_bytes;
    uint32_t gathered; /* its place + 1 in what the present message gathered; 0: none */
    bool kept;         /* the store knows it */
    bool away;         /* counted as one that waits for its client */
    uint8_t version;   /* of the last connection */
    uint64_t dropped, messages_in, messages_out;
    struct principal who;
    uint16_t key_len, client_at; /* in key */
    uint8_t key[];               /* kind of principal, its id, a line feed, the client id */
};

struct mqtt_peer {
    struct speaker speaker;
    struct lobby *lobby;
    struct mqtt_session *session; /* NULL before CONNECT is accepted, and when another connection took it over */
    enum peer_phase phase;
    enum mqtt_version version;
    struct mqtt_arrival *arrival; /* CONNECT under judgement; NULL otherwise */
    char *client_id;              /* owned, as the next; NULL before CONNECT was read */
    char *method;                 /* of enhanced authentication (MQTT 5.0, 4.12); NULL: none */
    uint8_t *badge;               /* of the proof by that method; owned. NULL: none */
    uint16_t keep_alive_s;        /* as agreed */
    uint16_t receive_max;         /* of the client (MQTT 5.0, 3.1.2.11.3) */
    uint16_t alias_max;           /* that the client takes (3.1.2.11.5) */
    bool asked_expiry;   /* CONNECT asked for a session that outlives it; what it got may be less (3.14.2.2.2) */
    uint32_t packet_max; /* that the client takes (3.1.2.11.4) */
    bool no_reasons;     /* the client asked for no reason strings (3.1.2.11.7) */
    bool asking;         /* HELLO is under way */
    bool enrolled;       /* counted in the lobby's roll */
    bool present;        /* HELLO was remembered: BYE must be too */
    bool held;           /* reading stopped because too many wait */
    bool awaits_lane;    /* held until what it published is through */
    bool said_goodbye;   /* DISCONNECT without the will came */
    uint32_t busy;       /* requests under way: the peer outlives its line until they are done */

    struct list arriving; /* publications in the order they came; acknowledged in that order */
    uint32_t arriving_count, arriving_qos_1;
    struct mqtt_aliases_in *aliases_in;
    struct mqtt_aliases_out *aliases_out;
    struct principal who;
    char address[CALL_PEER_TEXT];
};

/* A subscription of a session. */
struct mqtt_watch {
    struct table_node place; /* in the session's watches */
    struct subscription subscription;
    struct mqtt_session *session;
    struct mqtt_member *member; /* of a shared subscription; mqtt_share.c. NULL otherwise */
    struct client_watch how;    /* its filter is the one below */
    struct bytes routed;        /* its filter as the router knows it */
    uint8_t filter[];
};

/* ---- mqtt_speaker.c */

/* Queues an encoded packet, without its reason string when it is too large for the client with it. What cannot be
 * encoded or is still too large ends the line. */
void mqtt_send(struct mqtt_peer *p, const struct mqtt_packet *packet);
/* PUBACK and its kin; `why` NULL: no reason string. */
void mqtt_send_ack(struct mqtt_peer *p, enum mqtt_type type, const struct mqtt_ack *ack, const char *why);
/* Says good-bye with the reason where the version knows one, and ends the line. */
void mqtt_bye(struct mqtt_peer *p, enum mqtt_reason reason, const char *why);
void mqtt_bye_to(struct mqtt_peer *p, enum mqtt_reason reason, const char *why, struct bytes reference);
void mqtt_leave(struct mqtt_peer *p);   /* the line is lost and HELLO is over: says BYE where HELLO was remembered */
void mqtt_release(struct mqtt_peer *p); /* frees a peer whose line is lost and that has nothing under way */
void mqtt_report(struct mqtt_peer *p, enum event_kind kind, const char *why, struct bytes topic);
struct mqtt_dialect mqtt_server_dialect(const struct mqtt_peer *p);
void mqtt_expect_more(struct mqtt_peer *p); /* a packet came: the keep-alive begins anew (3.1.2.10) */

/* ---- mqtt_connect.c */

/* A CONNECT. OK with *moved true: the line goes to another loop first and the packet is heard again there. */
MUST err mqtt_on_connect(struct mqtt_peer *p, const struct mqtt_connect *connect, bool *moved);
/* The session that the peer asked for stands and is kept: CONNACK. A fault: it cannot be kept. */
enum mqtt_presence { SESSION_FRESH = 0, SESSION_PRESENT };
void mqtt_entered(struct mqtt_peer *p, enum mqtt_presence presence, err failed);
void mqtt_forget_arrival(struct mqtt_peer *p);     /* one whose line was lost */
bool mqtt_still_proved(const struct mqtt_peer *p); /* the operator whose token was shown is still signed in */
MUST err mqtt_on_auth(struct mqtt_peer *p, const struct mqtt_ending *auth);
uint32_t mqtt_expiry(const struct lobby *lobby, uint32_t asked_s); /* the expiry that a session gets */
enum mqtt_reason mqtt_refusal(err refused); /* the reason code of a request that the flow refused */

/* ---- mqtt_life.c */

struct mqtt_wish {
    struct bytes client_id;
    bool clean_start;
    uint32_t expiry_s, will_delay_s;
    struct message *will; /* taken */
};
/* The peer's session, a new one or that which stands: mqtt_entered follows. Whoever held it is told to go (3.1.4-3). */
void mqtt_enter(struct mqtt_peer *p, const struct mqtt_wish *wish);
/* The peer lost its line, or was taken over. */
void mqtt_detach(struct mqtt_peer *p);
/* Ends the session and all it holds, here and in the store; its will, if it waits, is published. Its peer must be gone.
 */
void mqtt_end_session(struct mqtt_session *s);
void mqtt_release_session(struct mqtt_session *s); /* frees one that is over and has nothing under way */
MUST err mqtt_make_session(struct lobby *lobby, const struct principal *who, struct bytes client_id,
                           struct mqtt_session **out);
void mqtt_session_away(struct mqtt_session *s, int64_t left_us); /* from now on without its client, since left_us */
/* NULL: there is none on this loop. */
struct mqtt_session *mqtt_find_session(const struct lobby *lobby, const struct principal *who, struct bytes client_id);
struct bytes mqtt_client_id(const struct mqtt_session *s);

/* ---- mqtt_publish.c */

MUST err mqtt_on_publish(struct mqtt_peer *p, const struct mqtt_publish *publish);
MUST err mqtt_on_pubrel(struct mqtt_peer *p, const struct mqtt_ack *ack);
void mqtt_publish_will(struct mqtt_session *s); /* when there is one; takes it */
/* A message of what came; NULL: no memory. */
struct message *mqtt_message(struct mqtt_session *s, const struct mqtt_publish *publish, struct bytes topic);

void mqtt_forget_spare(struct lobby *lobby); /* the publications that are not in use */

/* ---- mqtt_subscribe.c */

MUST err mqtt_on_subscribe(struct mqtt_peer *p, const struct mqtt_subscribe *subscribe);
MUST err mqtt_on_unsubscribe(struct mqtt_peer *p, const struct mqtt_subscribe *unsubscribe);
void mqtt_forget_watches(struct mqtt_session *s);
void mqtt_mark_watches(struct mqtt_session *s); /* its client came or left, or its expiry changed */
MUST err mqtt_restore_watch(struct mqtt_session *s, const struct client_watch *watch);
void mqtt_asked_more(struct mqtt_asking *a); /* SUBACK waits for one more thing */
void mqtt_asked_less(struct mqtt_asking *a); /* one of them has come */

/* ---- mqtt_giving.c */

MUST err mqtt_give_retained(struct mqtt_session *s, const struct client_watch *how); /* to a new subscription */
void mqtt_give_more(struct mqtt_session *s);                                         /* there may be room again */
void mqtt_give_no_more(struct mqtt_session *s);                                      /* the session is over */

/* ---- mqtt_share.c */

/* `a` waits until all loops know of it; NULL: nobody waits. */
MUST err mqtt_join_share(struct mqtt_watch *w, struct mqtt_asking *a);
/* One that is not shared is fine. Gives who waited for it in vain: mqtt_asked_less is due once the watch is gone, since
 * it may take back others. NULL: nobody. */
struct mqtt_asking *mqtt_leave_share(struct mqtt_watch *w);
void mqtt_mark_share(struct mqtt_watch *w, unsigned flags);

/* ---- mqtt_deliver.c */

void mqtt_deliver_more(struct mqtt_session *s); /* sends what the window and the line have room for */
/* A message that a subscription matched; keeps it first where the session is kept. */
struct mqtt_gift {
    struct message *message; /* borrowed */
    uint32_t subscription_id;
    uint8_t qos;
    bool retain;
};
void mqtt_deliver(struct mqtt_session *s, const struct mqtt_gift *gift);
/* The same for a session that other subscriptions may match, too: delivered once, when the message is routed
 * (mqtt_gather.c). */
void mqtt_gather(struct mqtt_session *s, const struct mqtt_gift *gift);
void mqtt_account(struct mqtt_session *s); /* after a change of the outbox: the lobby's counts follow it */
void mqtt_hand_over(struct route_end *self);
void mqtt_offer(struct mqtt_session *s, const struct mqtt_gift *gift, struct offer *offer);
void mqtt_settle(struct promiser *self, const struct client_delivery *promise, struct message *message,
                 enum offer_outcome outcome);
MUST err mqtt_on_puback(struct mqtt_peer *p, const struct mqtt_ack *ack);
MUST err mqtt_on_pubrec(struct mqtt_peer *p, const struct mqtt_ack *ack);
MUST err mqtt_on_pubcomp(struct mqtt_peer *p, const struct mqtt_ack *ack);
void mqtt_count_dropped(struct mqtt_session *s, const char *why);

/* ---- mqtt_alias.c (MQTT 5.0, 3.3.2.3.4) */

/* What a topic and an alias of the client mean; ERR_REFUSED: an alias that is over the maximum or not known. */
MUST err mqtt_alias_in(struct mqtt_peer *p, const struct mqtt_publish *publish, struct bytes *topic);
/* The alias under which the client is told a topic; *known: it was told before, and the topic may be left out. 0: none.
 */
uint16_t mqtt_alias_out(struct mqtt_peer *p, struct bytes topic, bool *known);
void mqtt_forget_aliases(struct mqtt_peer *p);

/* ---- mqtt_journal.c: what the store is told of a kept session. */

struct mqtt_note {
    struct errand errand;
    struct mqtt_session *session;                     /* busy until the note is done */
    struct mqtt_peer *peer;                           /* likewise; NULL: none */
    void (*done)(struct mqtt_note *self, err failed); /* takes; NULL: nobody waits for it */
    uint64_t number;                                  /* the maker's own, as the next */
    uint16_t packet_id;
};
/* Takes the write. `done` is called later, or not at all when there is none. False: it could not be posted, and
 * `done` will not be called. */
bool mqtt_journal(struct mqtt_session *s, struct write *write, const struct mqtt_note *note);
void mqtt_journal_delivered(struct mqtt_session *s, uint64_t number);
struct write *mqtt_record(const struct mqtt_session *s,
                          int64_t left_us); /* WRITE_CLIENT of what stands; NULL: no memory */

/* ---- for the lobby */

void mqtt_expel(struct lobby *lobby,
                const char *device_id); /* ends every session of the device: 0x87, Not authorized */
void mqtt_shut(struct lobby *lobby);    /* tells every peer: 0x8B, Server shutting down */
void mqtt_open(struct lobby *lobby);    /* its commons */
void mqtt_close(struct lobby *lobby);   /* frees all sessions and the commons; no line and no request is left */
void mqtt_drain_tick(struct timer *timer);
