/* Sessions that outlive connections and crashes: the real outbox, inbox, retained messages and memory store, under
 * played clients, doors, loops and their mail. One seed decides everything. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "session/inbox.h"
#include "session/outbox.h"
#include "session/retained.h"
#include "store/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOPS = 3,
    CLIENTS = 6,
    TOPICS = 3,
    NUMBERS_MAX = 2000, /* messages that one client publishes in its life */
    PIPE_MAX = 128,     /* packets under way in one direction */
    OPEN_MAX = 6,       /* publications of one client that are not over */
    JOBS_MAX = 512,
    POST_MAX = 1024, /* mails from one loop to another */
};

/* Ends the run and says how to see it again. */
#define holds(w, what)                                                                                                 \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: HOLDFAST_SEED=%" PRIu64 ", step %d: must hold: %s\n", __FILE__, __LINE__,          \
                    (w)->seed, (w)->step, #what);                                                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

enum packet_kind { PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP };

struct packet {
    enum packet_kind kind;
    uint16_t id;
    uint8_t qos;
    bool dup, retain, refused; /* refused: a reason of 0x80 and above */
    unsigned topic, publisher;
    uint32_t serial; /* what is published: its publisher's how manyeth */
};

struct pipe {
    struct packet at[PIPE_MAX];
    size_t first, count;
};

/* ---- the clients: they never lose what they know */

struct publication {
    struct packet packet;
    bool released; /* PUBREC came; PUBREL is what is sent again */
};

struct client {
    bool connected; /* as it believes */
    struct publication open[OPEN_MAX];
    size_t open_count;
    uint16_t last_id;
    uint32_t serial;
    uint16_t receive_max;
    struct packet received[65536]; /* QoS 2, by identifier: what came and is not released; kind PUBREL: nothing */
    bool unacked[65536];           /* on this connection */
    size_t unacked_count;
};

/* What becomes of each message. */
struct story {
    unsigned topic;
    uint8_t qos;
    bool promised; /* the server said PUBACK or PUBREC */
    bool refused;  /* once at least: it may come later than those behind it */
};

/* ---- the server: all of it dies in a crash, but the store */

struct promise {
    unsigned client;
    struct client_delivery delivery;
};

/* A message with QoS 1 or 2 on its way through the server: offered on all loops, kept, settled, acknowledged. */
struct arrival {
    struct list lane, all;
    unsigned publisher, connection; /* its manyeth, on which it came */
    struct packet packet;
    struct message *message;
    struct promise promises[CLIENTS];
    size_t promise_count;
    unsigned answers; /* of other loops that are awaited */
    bool full;        /* somebody may not miss it and has no room */
};

struct session {
    bool connected; /* as the server believes */
    unsigned connections;
    struct outbox outbox;
    struct inbox inbox;
    struct list lane; /* arrivals whose offer is out, in order */
    int8_t granted[TOPICS];
    struct outbox_limits limits;
    size_t messages_most, bytes_most; /* the limits, or what a restart brought back, for some ends were not kept yet */
    uint16_t receive_max;
};

enum mail_kind { MAIL_OFFER, MAIL_ANSWER, MAIL_COMMIT, MAIL_CANCEL, MAIL_ROUTE, MAIL_RETAINED };

struct post {
    enum mail_kind kind;
    struct arrival *arrival; /* MAIL_OFFER, MAIL_ANSWER */
    struct message *message; /* MAIL_ROUTE, MAIL_RETAINED: shared */
    struct promise promises[CLIENTS];
    size_t promise_count;
};

struct post_box {
    struct post at[POST_MAX];
    size_t first, count;
};

enum job_kind { JOB_ARRIVAL, JOB_RELEASED, JOB_DELIVERED, JOB_UNRECEIVED };

/* A write on its way to the store thread and back. */
struct job {
    enum job_kind kind;
    struct write *write; /* owned; a list */
    struct arrival *arrival;
    unsigned client;
    uint64_t number;
    uint16_t packet_id;
    err failed;
};

struct server {
    bool up;
    struct session sessions[CLIENTS];
    struct retained *retained[LOOPS];
    struct post_box mail[LOOPS][LOOPS];
    struct job waiting[JOBS_MAX], returning[JOBS_MAX];
    size_t waiting_count, returning_count;
    struct list arrivals; /* all of them */
};

struct world {
    uint64_t seed, dice;
    int step;
    bool disk_full;
    bool calm; /* no more trouble */
    struct memory_store *store;
    struct store_writer *writer;
    struct store_reader *reader;
    struct server server;
    struct house *house; /* of the real doors */
    struct client clients[CLIENTS];
    struct pipe to_server[CLIENTS], to_client[CLIENTS];
    int8_t granted[CLIENTS][TOPICS]; /* -1: not subscribed */

    struct story stories[CLIENTS][NUMBERS_MAX];
    uint8_t seen[CLIENTS][CLIENTS][NUMBERS_MAX]; /* by receiver, publisher, serial */
    bool shed[CLIENTS][CLIENTS][NUMBERS_MAX];
    uint32_t newest[CLIENTS][CLIENTS][TOPICS][3]; /* first arrivals rise */
    uint64_t crashes, dups, refusals, sheds, exactly_once;
};

/* The server, of which there are two: the one of sessions_server.c and sessions_threads.c plays its doors, and shows in
 * which order session state is changed, kept and told; the one of sessions_door.c is the real doors, flow and dispatch.
 */
void server_open(struct world *w);     /* the first start: sessions and subscriptions are kept */
void server_restores(struct world *w); /* a later start, from what the store has */
void server_close(struct world *w);    /* also a crash: nothing is left but the store */
void server_connect(struct world *w, unsigned client);
void server_disconnect(struct world *w, unsigned client);
void server_takes(struct world *w, unsigned client); /* one packet */
void server_sends(struct world *w, unsigned client); /* one packet */
void server_turns(struct world *w, unsigned loop);   /* some of what the loop has to do by itself */
bool server_is_busy(struct world *w);
void store_commits(struct world *w);                                    /* a batch */
void store_returns(struct world *w);                                    /* one answer */
const struct session *server_session(struct world *w, unsigned client); /* its outbox, inbox and bounds; lends */
struct retained *server_retained(struct world *w, unsigned loop);

struct packet packet_of(const struct message *m);   /* PUBLISH of a message, without its QoS */
struct message *message_of(const struct packet *p); /* gives */

/* Between sessions_server.c and sessions_threads.c. */
void server_offers(struct world *w, struct arrival *a, unsigned loop);
void server_answered(struct world *w, struct arrival *a);
void server_settles(struct world *w, struct post *post);
void server_routes(struct world *w, unsigned loop, struct message *message);
void server_hears(struct world *w, struct job *job); /* what became of a write */
unsigned home_of(unsigned client);
struct write *session_write(enum write_kind kind, unsigned client, uint64_t number);
void job_post(struct world *w, const struct job *job);                                    /* takes its write */
struct post *mail_post(struct world *w, unsigned from, unsigned to, enum mail_kind kind); /* lends, to be filled */

/* sessions_clients.c, as the next to draw and the pipes */
void client_connects(struct world *w, unsigned client);
void client_loses(struct world *w, unsigned client); /* its connection */
void client_publishes(struct world *w, unsigned client);
void client_takes(struct world *w, unsigned client); /* one packet */

uint32_t draw(struct world *w, uint32_t below);
bool chance(struct world *w, uint32_t percent);
bool pipe_put(struct pipe *p, const struct packet *packet); /* a full pipe takes no more: false */
bool pipe_take(struct pipe *p, struct packet *packet);
