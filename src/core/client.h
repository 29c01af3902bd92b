/* A client's session as it is kept beyond its connection: what MQTT 5.0, 4.1 calls the Session State of a session with
 * an expiry. Values that cross to the store; the live state stands in `session/`. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/message.h"
#include "core/principal.h"

enum {
    CLIENT_ID_MAX = 256
}; /* bytes of a client identifier; MQTT requires 23 (5.0, 3.1.3.1), its own bound is 65,535 */

#define CLIENT_EXPIRY_NEVER UINT32_MAX /* MQTT 5.0, 3.1.2.11.2; too large for an enumerator */

/* All views borrowed. */
struct client_record {
    uint64_t number;      /* of this session, unique in the store and never given twice; not 0 */
    struct principal who; /* its owner, as the handshake proved it */
    struct bytes client_id;
    uint32_t expiry_s;    /* after the connection's end; CLIENT_EXPIRY_NEVER: none */
    int64_t left_us;      /* wall clock: when the connection ended; 0: it stood when this was written */
    struct message *will; /* NULL: none */
    uint32_t will_delay_s;
};

/* How a subscription wants its messages (MQTT 5.0, 3.8.3.1). */
struct client_watch {
    struct bytes filter;      /* with "$share/{name}/" in front where it is shared */
    uint32_t subscription_id; /* 0: none */
    uint8_t qos;              /* granted */
    uint8_t flags;            /* CLIENT_WATCH_... */
};
enum { CLIENT_WATCH_NO_LOCAL = 1, CLIENT_WATCH_AS_PUBLISHED = 2 };

/* A delivery with QoS 1 or 2 to one session. `number` rises within the session and is never given twice while a client
 * may know it: the packet identifier follows from it (session/outbox.h). */
struct client_delivery {
    uint64_t session, number;
    uint32_t subscription_id; /* 0: none */
    uint8_t qos;              /* 1 or 2 */
    bool retain;              /* the flag as it is to be sent */
    bool released;            /* QoS 2: PUBREC came, the message is forgotten and PUBREL is due */
};
