/* The lobby: what all lines of one loop share. There is one for each loop; a line belongs to one lobby at a time. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "base/table.h"
#include "core/authenticator.h"
#include "core/board.h"
#include "core/call.h"
#include "core/flow.h"
#include "core/reporter.h"
#include "core/share.h"
#include "door/counts.h"
#include "door/mqtt_commons.h"
#include "door/roll.h"
#include "os/log.h"
#include "os/loop.h"

struct lobby;
struct retained;
struct traffic;

/* The bounds of the doors. From the settings; immutable. */
struct door_limits {
    size_t connections_max;     /* of all lobbies together */
    size_t packet_max;          /* bytes of one MQTT packet */
    size_t body_max;            /* bytes of one HTTP body */
    size_t subscriptions_max;   /* of one session */
    size_t sessions_max;        /* MQTT sessions of one lobby, those of clients that are away included */
    size_t sessions_per_owner;  /* MQTT sessions of one device or operator */
    size_t will_max;            /* bytes of a will's payload: it is held for as long as its session */
    struct outbox_limits queue; /* what one session is owed at the most */
    size_t queue_total_bytes;   /* what all sessions of all lobbies are owed at the most */
    uint32_t
        expiry_max_s; /* the longest Session Expiry Interval that a client gets; 0: sessions end with connections */
    size_t stream_bytes_max;   /* bytes that wait for the reader of a stream */
    uint16_t receive_max;      /* publishes of one session that wait for the store (MQTT 5.0, 3.2.2.3.3) */
    uint16_t keep_alive_max_s; /* longest that a client gets; also for those that ask for none */
    size_t handshakes_max;     /* TLS handshakes under way in one lobby */
    uint32_t handshakes_per_s; /* begun in one lobby; 0: as many as its turns have time for */
    int64_t handshake_ms;      /* TLS, and then MQTT's CONNECT or HTTP's head, each within this */
    int64_t body_ms;           /* an HTTP body must arrive within this */
    int64_t idle_ms;           /* an HTTP connection without a request */
    int64_t stall_ms;          /* a peer that takes none of what is queued for it */
};

/* An answer without an end: what is published under `filter` from now on, rendered for the one who asked. */
struct stream {
    char filter[TOPIC_MAX + 1]; /* a topic filter */
    bool over; /* it missed more than it can be told: it ends, and the one who asked comes back to ask for the rest */
    /* Appends what the message is in this stream; nothing when it does not belong into it. */
    void (*hear)(struct stream *self, const struct message *message, struct buffer *out);
    void (*drop)(struct stream *self); /* takes */
    /* NULL: the stream has a past, which the query threads look up, and ends when its reader is too slow. Else it has
     * none, and leaves out what is too much: here it appends how many those were, and forgets them. */
    void (*tell_skipped)(struct stream *self, struct buffer *out);
    uint64_t skipped; /* left out by the stream itself or by the door, and not told yet */
};

/* Opens the stream that a call asks for, or fills the answer with the reason why not (OK, and *out is NULL).
 * ERR_ABSENT: it asks for none. */
struct streams {
    err (*open)(struct streams *self, const struct call *call, struct answer *answer, struct stream **out) MUST;
};

/* A call that waits for a query thread. Embedded in the HTTP speaker; alive until `done` ran, on its own loop. */
struct inquiry {
    struct mail mail;      /* the desk's own */
    struct call call;      /* its views live as long as the inquiry */
    struct answer answer;  /* opened and dropped by the speaker */
    struct stream *stream; /* not NULL: the answer's body is what the stream has missed so far */
    struct mailbox *home;  /* filled by the desk's poster: where `done` runs */
    void (*done)(struct inquiry *self);
};

/* Takes calls to the query threads. ERR_FULL: they have enough to do; the inquiry is still the caller's. */
struct desk {
    err (*ask)(struct desk *self, struct lobby *lobby, struct inquiry *inquiry) MUST;
};

/* Finds the operator whose session's secret the call carries, and fills call->who and call->session_hash; leaves the
 * call alone when it carries none, or one that is unknown or over. */
struct badges {
    void (*show)(struct badges *self, struct call *call);
    /* Is the session that show() found still that of an operator? For what outlives its call: streams, WebSockets. */
    bool (*holds)(struct badges *self, const uint8_t session_hash[32]);
};

/* Which audience a path is for; see api/api.h. */
struct audiences {
    enum audience (*of)(const struct audiences *self, enum call_method method, struct bytes path);
};

/* One file that the server carries in itself: the console's. */
struct asset {
    const char *path; /* "/app.js" */
    const char *content_type;
    const char *etag, *gzip_etag; /* quoted; each encoding is a representation of its own (RFC 9110, 8.8.3.3) */
    struct bytes plain, gzip;     /* gzip may be empty */
};

struct assets {
    const struct asset *at;
    size_t count;
};

struct lobby {
    struct loop *loop;
    struct flow flow;
    const struct door_limits *limits;
    struct door_counts *counts; /* this lobby's own; lobby_sum adds up those of all */
    const struct log *log;
    const struct dice *dice;
    struct desk *desk;
    struct badges *badges;
    struct streams *streams;
    struct reporter *reporter;
    const struct audiences *audiences;
    const struct assets *assets;
    struct shares *shares;
    struct retained *retained;
    struct authenticator *authenticator;
    struct lobby *const *all; /* every lobby, this one too, by number */
    size_t all_count;
    struct table sessions; /* MQTT sessions by principal and client id; door/mqtt_session.h */
    struct mqtt_commons mqtt;
    struct drain_order drain;
    struct timer drain_tick;
    size_t drain_next, drain_owed; /* the bucket of `sessions` that is next; tenths of sessions that are due */
    struct roll roll;              /* how many sessions each device holds here */
    struct roll owners; /* how many MQTT sessions each principal has here, those of clients that are away included */
    struct list lines;  /* every connection of this loop */
    bool shut;          /* the server stops: a line that still arrives from another loop is ended, too */
    struct list dirty;  /* connections that have something to write or to read once the present callback is over */
    struct list graves; /* connections that are over */
    struct traffic *traffic; /* what the connections share */
};

err lobby_open(struct lobby *lobby) MUST; /* what stands above `sessions` is filled in; readies the rest */
void lobby_close(struct lobby *lobby);  /* ends every line; after the loop stopped. Their last requests are under way */
void lobby_forget(struct lobby *lobby); /* frees the lobby's own, once those requests are done */
/* A count of all lobbies together: LOBBY_SUM(lobby, connections_now). */
#define LOBBY_SUM(lobby, name) lobby_sum(lobby, offsetof(struct door_counts, name))
uint64_t lobby_sum(const struct lobby *lobby, size_t offset);
/* The loop has more to do than it can do in good time: who comes now is better told to come back (MQTT 5.0: 0x89,
 * Server busy) than made to wait, and those who wait already are served sooner. */
bool lobby_is_pressed(const struct lobby *lobby);
/* The lobby that owns all sessions of a principal: take-over, expulsion and presence then need no other loop. */
struct lobby *lobby_home(const struct lobby *lobby, const struct principal *who);
/* The lobby that owns the session of a client: its principal's, or, of the anonymous, who would all share one, that of
 * the client id. */
struct lobby *lobby_home_of(const struct lobby *lobby, const struct principal *who, struct bytes client_id);
/* Ends every session of the device on this loop. */
void lobby_expel(struct lobby *lobby, const char *device_id);
/* Tells every MQTT session that the server stops (MQTT 5.0: 0x8B), and ends all lines. */
void lobby_shut(struct lobby *lobby);
