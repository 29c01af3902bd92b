/* What the floor is made of: for floor.c and floor_news.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/connection.h"
#include "guard/inspection.h"
#include "guard/session_table.h"
#include "prog/server/board.h"
#include "prog/server/dispatch.h"
#include "prog/server/floor.h"
#include "prog/server/proof.h"
#include "prog/server/streams.h"
#include "prog/server/witness.h"
#include "session/retained.h"

#include <pthread.h>

/* One loop thread and all that it owns. */
struct station {
    struct floor *floor;
    pthread_t thread;
    bool running;
    struct loop *loop;
    struct lobby lobby;
    struct door_counts counts;
    struct listener listeners[PORTS];
    struct router *router;
    struct quota *quota;
    struct inspection inspection;
    struct witness witness;
    struct query_registry registry;
    struct session_table *sessions;
    struct interests interests;
    struct dispatch *dispatch;
    struct retained *retained;
    struct proof proof;
    struct badges badges;
    struct recorder *recorder;
};

struct floor {
    struct floor_options options;
    struct herald herald;
    struct api_streams streams;
    struct audiences audiences;
    struct lobby *lobbies[FLOOR_LOOPS_MAX];
    struct dispatch *dispatches[FLOOR_LOOPS_MAX];
    struct floor_board board;
    const struct door_counts *counts[FLOOR_LOOPS_MAX]; /* of all stations */
    struct station stations[];
};

/* All loops hold the same retained messages: the first one's count is that of all. */
void floor_count_retained(struct station *s);
/* Fills the herald, by which query threads tell all loops what changed. */
void floor_open_herald(struct floor *floor);
