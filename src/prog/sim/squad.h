/* A squad: a part of the fleet on one thread with one event loop. What stands here is shared by the files of the squad.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "os/loop.h"
#include "prog/sim/tally.h"
#include "prog/sim/vault.h"
#include "wire/mqtt.h"

#include <netinet/in.h>
#include <openssl/ssl.h>

enum {
    UNIT_PACKET_MAX = 65536,
    UNIT_OUT_MAX = 65536,    /* bytes that wait for a server that does not read */
    UNIT_CONNECT_MS = 60000, /* from the first SYN to CONNACK */
    UNIT_KEEP_ALIVE_S = 1200,
    UNIT_PING_MS = UNIT_KEEP_ALIVE_S * 1000 / 4 * 3,
};

enum mute {
    MUTE_NEVER = 0,
    MUTE_IDLE, /* idle units forget their TLS secrets once they are connected: they can say nothing more, and need no
                  memory */
};

enum resume {
    RESUME_NEVER = 0,
    RESUME_TICKETS, /* units keep their newest session ticket and show it when they come back */
};

enum chain {
    CHAIN_WHOLE = 0, /* units show the authority above their certificate as well */
    CHAIN_LEAF,
};

/* Everything borrowed, by all squads. */
struct run_wishes {
    struct plan_wishes plan;
    const struct vault *vault;
    struct sockaddr_in to;
    const char *host; /* that the server's certificate must carry */
    uint64_t units;   /* with identities of their own */
    uint32_t sessions_per_device;
    uint32_t first_session;
    uint32_t sources; /* loopback addresses to come from: 127.0.0.1 and those behind it; 0: the kernel chooses */
    uint32_t at_once; /* connections on their way to be opened, for each squad */
    uint32_t threads;
    uint32_t storm_ms;
    uint32_t patience_ms; /* how long a bad unit waits until it calls the connection open */
    uint64_t parts;       /* messages, bursts or mischiefs of each unit, then it is done; 0: it goes on until the end */
    int64_t run_ms;
    enum mute mute;
    enum resume resume;
    enum chain chain;
};

enum unit_phase {
    UNIT_AWAY = 0,
    UNIT_QUEUED, /* would like to connect */
    UNIT_CONNECTING,
    UNIT_SHAKING,
    UNIT_GREETING,
    UNIT_UP,
    UNIT_CAUGHT, /* a bad one has misbehaved, and waits for what the server makes of it */
};

struct squad;

/* One session of one device. */
struct unit {
    struct watcher watcher;
    struct timer timer;
    struct list queued;
    struct squad *squad;
    struct plan plan;
    SSL *ssl;            /* NULL: none yet, or mute */
    SSL_SESSION *ticket; /* owned */
    struct buffer in, out;
    int64_t since_us; /* the first SYN; once up, the message that waits for its answer */
    uint64_t nth;     /* messages, bursts or mischiefs so far */
    uint32_t number, session;
    uint32_t failures; /* in a row */
    uint32_t watched;
    enum unit_phase phase;
    uint16_t packet_id;
    bool waiting; /* for PUBACK */
    bool done;
    bool arriving; /* counted by the squad's `arriving` */
};

struct squad {
    const struct run_wishes *how;
    struct loop *loop;
    SSL_CTX *ctx, *naked; /* with the fleet's authorities; without any certificate */
    struct certificate_cache {
        uint64_t number; /* plus one */
        X509 *leaf;
        EVP_PKEY *key;
    } cache;
    X509 *foreign_leaf; /* of an authority that nobody knows */
    EVP_PKEY *foreign_key;
    struct unit *units;
    size_t unit_count;
    struct list queue;
    size_t arriving, done;
    struct timer tick, storm;
    int64_t end_ms; /* no part begins behind it */
    enum { SQUAD_RUNS = 0, SQUAD_ENDS } phase;
    const struct counter *abandon;
    struct tally tally;
    uint8_t scratch[UNIT_PACKET_MAX];
};

/* squad.c */
/* Makes the units that are squad number `part` of how->threads. Borrows how and abandon. Gives. */
MUST err squad_open(const struct run_wishes *how, unsigned part, const struct counter *abandon, struct squad **out);
MUST err squad_run(struct squad *squad); /* on its thread, until the time is over, all are done, or abandon is raised */
void squad_close(struct squad *squad);   /* takes; NULL is fine */
void squad_queue(struct unit *u);        /* it connects when its turn comes */
void squad_arrived(struct unit *u);      /* or has failed to; harmless when said twice */
void squad_done(struct unit *u);

/* certificates.c */
MUST err certificates_open(struct squad *squad);
void certificates_close(struct squad *squad);
/* Makes u->ssl over its socket, with the certificate that its plan (or mischief) wants. */
MUST err certificates_dress(struct unit *u);

/* unit.c */
void unit_begin(struct unit *u);   /* the first time, when its plan says */
void unit_connect(struct unit *u); /* now */
void unit_drop(struct unit *u);    /* the connection, without a word */
void unit_leave(struct unit *u);   /* with DISCONNECT */
void unit_say(struct unit *u,
              struct bytes bytes); /* what the socket does not take waits; beyond UNIT_OUT_MAX the rest is lost */
void unit_read(struct unit *u, size_t room); /* what came; with less than UNIT_PACKET_MAX: at most so much */
void unit_wait(struct unit *u, int64_t ms);
void unit_listen(struct unit *u); /* epoll tells what comes, and nothing else */
int64_t unit_now_us(void);        /* monotonic, finer than the loop's */

/* part.c: what the profiles make of a connection */
void part_begin(struct unit *u);                                    /* CONNACK said yes */
void part_due(struct unit *u);                                      /* its timer, while it is up or caught */
void part_answer(struct unit *u, const struct mqtt_packet *packet); /* while it is up */
void part_lost(struct unit *u, const char *why);                    /* the server ended the session */
/* A bad one, before its session: true when it has misbehaved at this stage. */
bool part_misbehaves(struct unit *u, enum mischief_stage stage);
const struct mischief *part_mischief(const struct unit *u); /* NULL: it is none of the bad */
void part_caught(struct unit *u);                           /* the server ended what was misbehaved on */
