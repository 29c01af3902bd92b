/* The board port: what operators see of the clients' sessions on all loops, and what they may do to them. Filled by
 * prog/server, which asks every loop by mail and waits: for threads that may block, never for a loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/client.h"

/* One client session as it is now. Texts and views are lent for the call that shows it. */
struct session_view {
    struct principal who;
    struct bytes client_id;
    const char *peer;      /* address; "" when not connected */
    const char *transport; /* "tls", "plain", "websocket"; "" when not connected */
    uint8_t version;       /* 4: MQTT 3.1.1, 5: MQTT 5.0 */
    bool connected;
    int64_t since_us;  /* wall clock: connected or left since */
    uint32_t expiry_s; /* CLIENT_EXPIRY_NEVER: none */
    uint16_t keep_alive_s;
    size_t subscriptions;
    size_t queued, queued_bytes; /* deliveries that wait, those under way included */
    size_t under_way;            /* sent and not acknowledged */
    uint64_t dropped; /* deliveries that its full queue cost, since the session began or the server started */
    uint64_t messages_in, messages_out; /* as `dropped` */
};

/* Called for each session, in the order of session_name_order. Its answer false ends the listing. */
struct session_rows_view {
    bool (*row)(struct session_rows_view *self, const struct session_view *session);
};
/* Called for each subscription of a session. */
struct watch_rows_view {
    bool (*row)(struct watch_rows_view *self, const struct client_watch *watch);
};

enum connected_wish { SESSIONS_ALL = 0, SESSIONS_CONNECTED, SESSIONS_AWAY };

/* Names one session: principals of different kinds may bear one id. */
struct session_name {
    struct principal who;
    struct bytes client_id;
};

/* The order of listings: by principal's id, its kind, the client id. Less than 0: a stands before b; 0: they are one.
 */
int session_name_order(const struct session_name *a, const struct session_name *b);

struct session_query {
    struct bytes
        search; /* part of the principal's id or of the client id, in ASCII without regard to case; empty: any */
    enum connected_wish connected;
    const struct session_name *after; /* only those behind it; NULL: from the first */
    size_t limit;                     /* 1 to PAGE_MAX */
};
/* Is it among those that the query searches for? Regardless of `after` and `limit`. */
bool session_is_wanted(const struct session_query *query, const struct session_view *session);

/* What happens to a session that is ended by an operator. */
enum kick_how {
    KICK_CONNECTION =
        0,        /* the connection ends (MQTT 5.0: 0x98, Administrative action); the state stays until it expires */
    KICK_SESSION, /* its state, too: subscriptions and queued messages are gone */
};

/* Maintenance: new sessions are refused and those that stand are told to go (MQTT 5.0: 0x9C, Use another server, with
 * the reference when there is one; 3.1.1: closed), so many a second on each loop. Acknowledged messages stay kept. */
struct drain_order {
    bool drains;         /* false: ends the drain */
    char reference[256]; /* Server Reference (MQTT 5.0, 4.11); "": none */
    uint32_t per_s;      /* 1 or more */
};

struct board {
    err (*list)(struct board *self, const struct session_query *query, struct session_rows_view *rows, uint64_t *total)
        MUST;
    /* ERR_ABSENT: no such session. The row is called once. */
    err (*show)(struct board *self, const struct session_name *name, struct session_rows_view *row,
                struct watch_rows_view *watches) MUST;
    err (*kick)(struct board *self, const struct session_name *name, enum kick_how how) MUST; /* ERR_ABSENT */
    err (*drain)(struct board *self, const struct drain_order *order) MUST;
    void (*draining)(struct board *self, struct drain_order *out); /* the order that holds */
};
