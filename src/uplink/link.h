/* The link: one outgoing MQTT 5 connection over TLS, kept up, that empties a spool in order. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "os/log.h"
#include "os/loop.h"
#include "os/tls.h"
#include "uplink/spool.h"
#include "wire/mqtt.h"

/* Connects, and after every end waits (uplink/backoff.h) and connects again. While connected it publishes the spool's
 * records at QoS 1, up to a window of them before the first is acknowledged, and drops each from the spool when it and
 * all before it are settled. A record is settled by
 *   PUBACK with success                            it is stored over there;
 *   PUBACK Payload format invalid, Not authorized, Topic Name invalid
 *                                                  it would be refused for ever: counted, told to the owner, dropped;
 *   any other refusal (quota, unspecified ...)     is no settlement: the connection is ended and all that is
 *                                                  unsettled is sent again after a back-off.
 * A record that does not fit into the server's Maximum Packet Size is refused like the second case, with Packet too
 * large. Everything here runs on the loop's thread. */
struct link;

enum link_state {
    LINK_WAITING = 0, /* not connected: backing off */
    LINK_CONNECTING,
    LINK_CONNECTED, /* CONNACK with success came */
};

struct link_note {
    enum link_state state;
    const char *why; /* one sentence without a full stop, e.g. "uplink: the server refused CONNECT: Not authorized" */
    enum mqtt_reason reason; /* the server's, in CONNACK or DISCONNECT; MQTT_SUCCESS when it said none */
    uint32_t wait_ms;        /* LINK_WAITING: until the next attempt */
};

/* A port: filled by whoever has the link. Lends what it passes until the call returns. All link functions
 * link_close may be called from inside. */
struct link_owner {
    void (*changed)(struct link_owner *self, const struct link_note *note);
    void (*arrived)(struct link_owner *self, struct bytes topic, struct bytes payload); /* on a subscribed filter */
    void (*refused)(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record);
};

struct link_options {
    struct loop *loop; /* borrowed for the link's life, as all pointers here but the texts, which are copied */
    struct spool *spool;
    struct link_owner *owner;
    const struct dice *dice;
    const struct log *log;
    struct tls_context *tls; /* shared: the link holds it for itself */
    const char *host;
    uint16_t port;
    uint16_t keep_alive; /* seconds; 0: 60 */
    uint16_t window;     /* records on their way; 0: 32; at most LINK_WINDOW_MAX and the server's receive maximum */
    uint32_t backoff_first_ms; /* 0: 1,000 */
    uint32_t backoff_max_ms;   /* 0: 60,000 */
    const char *client_id;
    const char *const *filters; /* subscribed at QoS 1 after every connect; NULL-terminated; may be NULL */
};

enum {
    LINK_WINDOW_MAX = 256,
    LINK_PACKET_MAX = 1 << 20, /* bytes of an incoming packet; told to the server as Maximum Packet Size */
    LINK_FILTERS_MAX = 16,
    LINK_ATTEMPT_MS = 30000, /* from connect to CONNACK */
    LINK_DRAIN_MS = 5000,    /* for acknowledgements still out, before new credentials are taken into use */
};

/* Gives; the first attempt starts at once. ERR_REFUSED: an option out of its bounds. */
MUST err link_open(const struct link_options *options, struct link **out);
void link_close(struct link *link); /* takes; says DISCONNECT when it can without waiting. NULL is fine */

void link_wake(struct link *link); /* the spool has something new */

/* New credentials: holds the new context, lets what is on its way be acknowledged (LINK_DRAIN_MS at most), disconnects
 * in order and connects with the new ones at once. */
void link_use_tls(struct link *link, struct tls_context *tls);

struct link_counts {
    uint64_t connected;    /* times CONNACK with success came */
    uint64_t sent;         /* PUBLISH packets, those sent again included */
    uint64_t acknowledged; /* records */
    uint64_t refused;      /* records, for good */
    uint64_t deferred;     /* refusals that were taken as "later" */
    uint64_t arrived;      /* messages on subscribed filters */
};
void link_read_counts(const struct link *link, struct link_counts *out);
enum link_state link_state_now(const struct link *link);
