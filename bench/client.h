/* The load generator's clients: many MQTT connections on one epoll, plain or over TLS. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"

#include <openssl/ssl.h>

/* They are as quick as can be made, because what they burn is missing to the broker on the same machine: packets are
 * laid out by hand, and a read goes into one buffer for all. A fault ends the program with a sentence: half a load
 * measures nothing. */

enum client_phase { CLIENT_OFF = 0, CLIENT_CONNECTING, CLIENT_SHAKING, CLIENT_GREETING, CLIENT_OPEN };

enum { PACKET_CONNECT = 1, PACKET_CONNACK, PACKET_PUBLISH, PACKET_PUBACK, PACKET_SUBSCRIBE = 8, PACKET_SUBACK };

struct client {
    int fd;
    enum client_phase phase;
    uint32_t number;
    uint32_t watched;
    SSL *ssl;             /* NULL: plain */
    SSL_SESSION *session; /* owned: the newest ticket, for the next handshake */
    struct buffer in;     /* what a read left of a packet */
    struct buffer out;    /* what waits to be written; what a packet event puts here leaves when the read is over */
    size_t out_done;
};

/* A packet that came; bytes lent for the call. */
struct packet {
    unsigned type, flags;
    struct bytes body;
};

struct clients;
/* What is done with them. self is the user's. */
struct client_events {
    void (*open)(void *self, struct client *c);
    void (*packet)(void *self, struct client *c, const struct packet *packet);
    void (*closed)(void *self, struct client *c); /* by the broker, at any time; NULL: that is a fault */
};

struct client_options {
    const char *host; /* numeric */
    uint16_t port;
    unsigned sources;    /* local addresses 127.0.0.1 ... to come from; 0: the kernel chooses */
    unsigned version;    /* 4 or 5 */
    unsigned keep_alive; /* seconds */
    const char *prefix;  /* of client ids */
    const char *ca;      /* NULL: plain TCP */
    const char *folder;  /* of NAMEn.pem and NAMEn.key, NAME being prefix; NULL: no client certificate */
    unsigned devices;    /* certificates there; client i has that of device i modulo devices, and is it */
    int tls_version;     /* 0: what both can do */
};

struct clients *clients_open(const struct client_options *options, size_t count, const struct client_events *events,
                             void *self);
struct client *clients_at(struct clients *all, size_t number);
void clients_start(struct clients *all, struct client *c); /* connects, shakes hands, says CONNECT; `open` follows */
void clients_stop(struct clients *all, struct client *c);  /* closes without a word; keeps the ticket */
void clients_wait(struct clients *all, int timeout_ms);    /* one turn */
void clients_watch(struct clients *all, int fd, void (*ready)(void *self)); /* one more descriptor, told with self */
bool client_resumed(const struct client *c);

/* One write of its own; what the kernel does not take waits, in order. */
void client_send(struct clients *all, struct client *c, struct bytes in);
void client_subscribe(struct clients *all, struct client *c, const char *const *filters, size_t count, unsigned qos);

_Noreturn void give_up(const char *format, ...) __attribute__((format(printf, 1, 2)));
