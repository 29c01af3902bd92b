/* A connection from within, and what all connections of one loop share. For connection*.c and admission.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bucket.h"
#include "door/connection.h"

/* What a connection needs until its speaker has settled, apart from it so that an idle one is small. */
struct arrival {
    struct connection *connection;
    char peer[ADDRESS_TEXT];
    struct buffer certificate;
    const struct protocol *protocol;
    struct tls_context *tls; /* held until the handshake begins; NULL: a plain port */
    struct list queue;       /* in the admission's waiting, then in its under_way */
    struct list step;        /* in the admission's steps: the network has brought something */
    int64_t since_ms;        /* it came, then: its handshake began */
    bool deferred;           /* counted as such */
};

/* WAITING (for its handshake to be admitted) -> HANDSHAKE -> OPEN -> ENDING (what is queued is written) -> LINGERING
 * -> DEAD (buried by the next sweep). A plain one begins OPEN. */
enum phase { WAITING, HANDSHAKE, OPEN, ENDING, LINGERING, DEAD };

struct connection {
    struct line line;
    struct list place;            /* in the lobby's lines or graves */
    struct list dirt;             /* in the lobby's dirty list */
    struct watcher watcher;       /* holds the descriptor */
    struct timer timer;           /* for the earlier of the next two, or earlier still: see connection_expect */
    int64_t tired_ms, stalled_ms; /* by the loop's clock; 0: never */
    struct tls *tls;              /* NULL: of a plain port, or closed already */
    struct buffer *in, *out;      /* the pool's. in: what was not used yet. NULL: nothing */
    struct arrival *arrival;      /* NULL: the speaker has settled */
    struct lobby *moving_to;
    uint32_t written;        /* of out */
    uint16_t watched;        /* what epoll tells */
    uint16_t blocked;        /* the event that the next write waits for; 0: none */
    uint8_t phase;           /* enum phase */
    bool held : 1;           /* the speaker hears no more for now */
    bool unread : 1;         /* there is something to hear of which epoll will not tell */
    bool spoiled : 1;        /* what was queued did not fit: it ends with the next sweep */
    bool heard_all : 1;      /* the peer sends no more */
    bool leaves_at_once : 1; /* the server stops: no time to linger */
    bool in_epoll : 1;
};

enum {
    SCRATCH_FRONT = 8192, /* an unfinished rest that is no longer is completed in the scratch */
    SCRATCH_ROOM = SCRATCH_FRONT + TLS_BATCH,
    POOL_MAX = 128,        /* buffers that are kept although nobody has them */
    POOL_ROOM_MAX = 65536, /* of one that is kept */
};

/* Handshakes: at most so many under way, begun and stepped at the end of a turn and never for longer than a few
 * milliseconds of it, so that those who are connected already do not wait for those who come. */
struct admission {
    struct list waiting;   /* by arrival; not watched by epoll, and without any state of TLS */
    struct list under_way; /* by beginning */
    struct list steps;
    size_t waiting_count, under_way_count;
    struct bucket bucket;
    struct timer again; /* when the rate alone holds the first one back */
};

/* What all connections of one loop share. */
struct traffic {
    struct tls_engine *engine; /* NULL: no port with TLS was opened yet */
    struct tls_context *lists; /* held: the newest revocation lists; NULL: those of the listeners' first contexts */
    struct admission admission;
    struct turn_end sweep; /* writes the dirty, steps handshakes, buries the dead */
    struct lobby *lobby;
    bool sweeping;
    struct buffer *pool[POOL_MAX];
    size_t pooled;
    uint8_t scratch[SCRATCH_ROOM]; /* what is read, until its speaker has heard it */
};

/* ---- connection.c: life */
void connection_soil(struct connection *c);             /* it has something to do at the end of this turn */
void connection_die(struct connection *c);              /* at once, but for its memory */
bool connection_is_revoked(const struct connection *c); /* by the newest lists */
void connection_begin(struct connection *c);            /* the handshake is over or none is needed: who speaks? */
void connection_end(struct connection *c);              /* once what is queued was written */
void connection_arrived(struct connection *c);          /* on another loop */
void connection_leave_now(struct connection *c);        /* the server stops: no time to linger */
void connection_settle(struct connection *c);           /* frees what only the arrival needs */
/* Sets the timer when it is not set early enough: one that fires too early sets itself anew, so a packet that moves a
 * deadline away costs no more than a store. */
void connection_expect(struct connection *c, int64_t *deadline, int64_t after_ms);

/* ---- connection_io.c: bytes */
void connection_read(struct connection *c);
void connection_write(struct connection *c);
void connection_watch(struct connection *c); /* has epoll tell what is waited for; asks it only for what is new */
void connection_unwatch_idle(struct connection *c, uint32_t told); /* it told of what nobody waits for now */
size_t connection_waiting(const struct connection *c);
extern const struct line_calls connection_tls_calls, connection_plain_calls;

/* ---- connection_move.c */
void connection_leave(struct connection *c); /* to c->moving_to: another thread's, from then on */

/* ---- admission.c */
void admission_open(struct admission *a);
void admission_queue(struct connection *c);  /* a new one: WAITING */
void admission_ready(struct connection *c);  /* its network brought something */
void admission_forget(struct connection *c); /* it is over, or its handshake is */
void admission_shed(struct connection *c);   /* tells it to come back, when that can be said, and ends it */
void admission_run(struct lobby *lobby);     /* at the end of a turn */

/* ---- traffic.c */
struct buffer *traffic_take(struct traffic *t, size_t max); /* an empty buffer; NULL: no memory */
void traffic_give(struct traffic *t, struct buffer **b);    /* takes *b back and makes it NULL; NULL is fine */
