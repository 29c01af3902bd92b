/* The door's half of the board (core/board.h): what one lobby tells of its MQTT sessions and does to them for an
 * operator. On the lobby's own loop; the server's board (prog/server/board.c) asks every loop by mail and puts their
 * answers together. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/board.h"

struct lobby;

/* Where a walk over a lobby's sessions stands. Zero begins one. */
struct session_walk {
    size_t next; /* the bucket that comes next */
    size_t room; /* of the table when the walk began */
};

enum { SESSION_WALK_STEP = 2048 }; /* buckets at once: a hundred microseconds or so */

enum walk_progress {
    WALK_OVER = 0, /* that was the last step */
    WALK_ON,
    WALK_ANEW, /* the table grew meanwhile: nothing was shown, and what was before is void; the walk begins again */
};

/* Shows the sessions of one step, live ones and those that wait for their client, in no order; the answer of `row` is
 * not asked for. Between two steps the loop does its other work, so that a listing of a million sessions holds up
 * nobody. */
enum walk_progress lobby_walk_sessions(const struct lobby *lobby, struct session_walk *walk,
                                       struct session_rows_view *rows);

/* ERR_ABSENT: no such session here. The row is called once, before the watches. */
MUST err lobby_show_session(const struct lobby *lobby, const struct session_name *name, struct session_rows_view *row,
                            struct watch_rows_view *watches);

/* ERR_ABSENT: no such session here. The state's end (KICK_SESSION) is written behind: OK says that it is on its way. */
MUST err lobby_kick(struct lobby *lobby, const struct session_name *name, enum kick_how how);

/* Begins a drain, changes the one that runs, or ends it (order->drains false). Copies the order. */
MUST err lobby_drain(struct lobby *lobby, const struct drain_order *order);
