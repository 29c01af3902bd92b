/* The real server of the sessions' simulation: between sessions_door.c, its rooms, and sessions_lines.c, its clients'
 * lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "sessions.h"

#include "../door/mqtt_peer.h"

#include "door/mqtt.h"
#include "door/mqtt_restore.h"
#include "door/mqtt_session.h"
#include "prog/server/dispatch.h"

/* A client's line, and the one before, which may not have been missed yet. */
enum { LINES = 2 };

struct room {
    struct house *house;
    struct loop *loop;
    struct interests interests;
    struct router *router;
    struct dispatch *dispatch;
    struct retained *retained;
    struct recorder recorder;
    struct door_counts counts;
    struct timer turn;
    struct lobby lobby;
};

struct sent {
    struct errand *errand;
    size_t loop;
};

struct house {
    struct world *world;
    bool dead; /* the process was killed: what still happens here is only memory that is given back */
    struct clock clock;
    struct dice dice;
    struct log log;
    struct door_limits limits;
    struct limiter limiter;
    struct rule rule;
    struct registry registry;
    struct inspector inspector;
    struct authenticator authenticator;
    struct tap tap;
    struct reporter reporter;
    struct room rooms[LOOPS];
    struct lobby *lobbies[LOOPS];
    struct dispatch *dispatches[LOOPS];
    struct sent waiting[JOBS_MAX], returning[JOBS_MAX];
    size_t waiting_count, returning_count;
    struct fake_line lines[CLIENTS][LINES];
    size_t line[CLIENTS]; /* the present one */
    bool knows[CLIENTS];  /* it was told that it has a session */
    size_t watches;       /* subscriptions that were acknowledged */
};

struct principal who_is(unsigned client);
struct fake_line *line_of(struct world *w, unsigned client); /* the present one */
void line_pump(struct world *w, unsigned client); /* does what a client's lines have to do, and reads what they said */
