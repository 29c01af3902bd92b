/* The floor: all loop threads with what each owns, and what travels between them: messages, sessions of operators,
 * deleted devices, new TLS contexts. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/board.h"
#include "core/herald.h"
#include "door/lobby.h"
#include "guard/quota.h"
#include "os/tls.h"
#include "prog/server/desk.h"
#include "prog/server/ports.h"
#include "session/retained.h"
#include "store/clerk.h"

enum { FLOOR_LOOPS_MAX = 64 };

struct floor;

/* Borrowed for the floor's life, but for what says otherwise. */
struct floor_options {
    size_t loops; /* 1 to FLOOR_LOOPS_MAX */
    const struct clock *clock;
    const struct dice *dice;
    const struct log *log;
    const struct door_limits *limits;
    struct retained_limits retained;
    struct quota_options quota;
    const struct assets *assets;
    struct clerk *clerk;
    const struct rule *rule;
};

/* Two steps, because the query threads need the herald and the loops need the query threads. */
MUST err floor_open(const struct floor_options *options, struct floor **out); /* gives */
struct herald *floor_herald(struct floor *floor);                             /* lends */
struct board *floor_board(struct floor *floor);                               /* lends */
/* What all loops counted; from any thread. */
void floor_tell_counts(const struct floor *floor, struct metric_rows *rows);
uint64_t floor_connections(const struct floor *floor); /* open now */
uint64_t floor_accepted(const struct floor *floor);    /* ever */
size_t floor_loops(const struct floor *floor, struct loop *out[FLOOR_LOOPS_MAX]); /* lends; how many */
/* The clerk needs the sink before there is a floor to ask: it tells this one, which passes on to a floor once there is
 * one. A value that outlives the clerk. */
struct floor_relay {
    struct kept_sink sink;
    struct floor *_Atomic floor;
};
void floor_relay_open(struct floor_relay *relay);

struct floor_doors {
    struct query_desk *desk;
    const int *ports;                      /* PORTS of them, listening; -1: closed. The descriptors are borrowed */
    struct tls_context *const *tls;        /* PORTS of them, shared; NULL: a plain port */
    const struct session_record *sessions; /* those signed in now; borrowed until return */
    size_t session_count;
    struct store_reader *reader; /* of what clients' sessions left; borrowed until return */
};
MUST err floor_start(struct floor *floor, const struct floor_doors *doors);
/* New contexts for all ports, shared; from any thread. ERR_MEMORY: not all loops have them, try again. */
MUST err floor_use_tls(struct floor *floor, struct tls_context *const tls[PORTS]);

/* In this order; the store stays open until the last. */
void floor_shut(struct floor *floor); /* tells every session that the server stops, takes no new ones */
void floor_stop(struct floor *floor); /* ends the threads and every line; their last requests are with the store then */
void floor_close(struct floor *floor); /* takes; after the clerk was stopped and before it is closed. NULL is fine */
