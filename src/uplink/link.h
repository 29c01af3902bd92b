/* The link: one outgoing MQTT connection, kept up, that empties a spool in order and hears what is subscribed. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/memory.h"
#include "os/log.h"
#include "os/loop.h"
#include "os/tls.h"
#include "uplink/spool.h"
#include "wire/mqtt.h"

/* Connects, and after every end waits (base/backoff.h) and connects again. While connected it publishes the spool's
 * records at QoS 1, up to a window of them before the first is acknowledged, and drops each from the spool when it and
 * all before it are settled. A record is settled by
 *   PUBACK with success                            it is stored over there;
 *   PUBACK Payload format invalid, Not authorized, Topic Name invalid
 *                                                  it would be refused for ever: counted, told to the owner, dropped;
 *   any other refusal (quota, unspecified ...)     is no settlement: the connection is ended and all that is
 *                                                  unsettled is sent again after a back-off.
 * A record that does not fit into the server's Maximum Packet Size is refused like the second case, with Packet too
 * large. A server of MQTT 3.1.1 has no reasons: what it does not want it answers by ending the connection.
 *
 * What comes on the subscribed filters is given to the owner, and acknowledged when the owner has made it durable. What
 * the owner cannot take now is not acknowledged, nor anything behind it: the link is deaf then, though it goes on to
 * send, until link_reconnect makes the server send it all again in its order. Everything here runs on the loop's
 * thread. */
struct link;

enum link_state {
    LINK_WAITING = 0, /* not connected: backing off */
    LINK_CONNECTING,
    LINK_CONNECTED, /* CONNACK with success came */
};

struct link_note {
    enum link_state state;
    enum mqtt_version version; /* LINK_CONNECTED: what is spoken */
    bool session_present;      /* LINK_CONNECTED: the server has kept the session */
    const char *why; /* one sentence without a full stop, e.g. "uplink: the server refused CONNECT: Not authorized" */
    enum mqtt_reason reason; /* the server's, in CONNACK or DISCONNECT; MQTT_SUCCESS when it said none */
    uint32_t wait_ms;        /* LINK_WAITING: until the next attempt */
};

enum link_arrival {
    LINK_LATER = 0, /* not now: it is not acknowledged, and the link is deaf from here on */
    LINK_TAKEN,     /* it is acknowledged behind the next settle */
};

enum link_sending {
    LINK_PASS_OVER = 0, /* nothing is sent: the record is settled as it is, and the owner knows why */
    LINK_SEND,
};

/* A port: filled by whoever has the link. Lends what it passes until the call returns. All link functions and
 * link_close may be called from inside. */
struct link_owner {
    void (*changed)(struct link_owner *self, const struct link_note *note);
    enum link_arrival (*arrived)(struct link_owner *self, const struct mqtt_publish *publish);
    void (*refused)(struct link_owner *self, enum mqtt_reason reason, const struct spool_record *record);
    /* Makes durable what was taken since the last time; once for all that came together. On an error none of it is
     * acknowledged, and the link is deaf. NULL: nothing is to be done. */
    err (*settle)(struct link_owner *self);
    /* What a record says: fills QoS (0 or 1), retain, topic, payload and properties. NULL: each record is its topic and
     * its payload, at QoS 1. */
    enum link_sending (*unwrap)(struct link_owner *self, const struct spool_record *record, struct mqtt_publish *out);
    /* The server's answer about options.filters[filter]: a granted QoS, or a refusal. NULL: it is logged when refused.
     */
    void (*granted)(struct link_owner *self, size_t filter, enum mqtt_reason reason);
};

enum link_version {
    LINK_MQTT_5 = 0,
    LINK_MQTT_5_OR_3_1_1, /* 3.1.1 from when the server refuses version 5, as long as the link lives */
    LINK_MQTT_3_1_1,
};

struct link_options {
    struct loop *loop; /* borrowed for the link's life, as all pointers here but the texts, which are copied */
    struct spool *spool;
    struct link_owner *owner;
    const struct dice *dice;
    const struct log *log;
    struct tls_context *tls; /* shared: the link holds it for itself. NULL: plain TCP */
    enum link_version version;
    const char *host;
    uint16_t port;
    uint16_t keep_alive; /* seconds; 0: 60 */
    uint16_t window;     /* records on their way; 0: 32; at most LINK_WINDOW_MAX and the server's receive maximum */
    uint32_t backoff_first_ms; /* 0: 1,000 */
    uint32_t backoff_max_ms;   /* 0: 60,000 */
    const char *client_id;
    const char *user_name;         /* NULL: none */
    const struct secret *password; /* NULL: none */
    uint32_t session_expiry; /* seconds for which the server keeps the session while the link is away, UINT32_MAX: for
                              * ever (3.1.1 knows only that); 0: every connect begins a new one */
    uint32_t packet_max;     /* bytes of an incoming packet; 0: LINK_PACKET_MAX, which is also the most */
    uint16_t receive_max;    /* QoS 1 messages that the server may have on their way to here; 0: it decides */
    const struct mqtt_filter *filters; /* subscribed after every connect */
    size_t filter_count;
    const struct mqtt_filter *former; /* unsubscribed before that; of a session that the server may have kept */
    size_t former_count;
};

enum {
    LINK_WINDOW_MAX = 256,
    LINK_PACKET_MAX = 1 << 20, /* bytes of an incoming packet; told to the server as Maximum Packet Size */
    LINK_FILTERS_MAX = 256,
    LINK_ATTEMPT_MS = 30000, /* from connect to CONNACK */
    LINK_DRAIN_MS = 5000,    /* for acknowledgements still out, before new credentials are taken into use */
};

/* Gives; the first attempt starts at once. ERR_REFUSED: an option out of its bounds. */
MUST err link_open(const struct link_options *options, struct link **out);
void link_close(struct link *link); /* takes; says DISCONNECT when it can without waiting. NULL is fine */

void link_wake(struct link *link); /* the spool has something new */
/* Says one thing past the spool, at QoS 0: for what is worth nothing later. Nothing happens when the link is not
 * connected, or has much to write. Not from inside a callback of the link's owner. */
void link_remark(struct link *link, struct bytes topic, struct bytes payload);

/* New credentials: holds the new context, lets what is on its way be acknowledged (LINK_DRAIN_MS at most), disconnects
 * in order and connects with the new ones at once. */
void link_use_tls(struct link *link, struct tls_context *tls);
/* The same with the credentials that it has. */
void link_reconnect(struct link *link);

struct link_counts {
    uint64_t connected;     /* times CONNACK with success came */
    uint64_t sent;          /* PUBLISH packets, those sent again included */
    uint64_t acknowledged;  /* records */
    uint64_t unanswered;    /* records that were sent at QoS 0: nobody acknowledges them */
    uint64_t refused;       /* records, for good */
    uint64_t deferred;      /* refusals that were taken as "later" */
    uint64_t arrived;       /* messages on subscribed filters */
    uint64_t unheard;       /* of these: came while the link was deaf; the server sends those of QoS 1 again */
    uint64_t oversized;     /* of these: over packet_max, from a server that cannot be told of it; they are lost */
    uint64_t sessions_lost; /* times the server had forgotten the session: what came meanwhile never arrives */
};
void link_read_counts(const struct link *link, struct link_counts *out);
enum link_state link_state_now(const struct link *link);
bool link_is_deaf(const struct link *link);
