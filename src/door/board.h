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

/* Shows the sessions of one step, live ones and those that wait for their client, in no order; the answer of `row` is
 * not asked for. False: that was the last step. Between two steps the loop does its other work, so that a listing of a
 * million sessions holds up nobody. When the table grew meanwhile the walk begins anew: a session may be shown twice,
 * and none that stood from beginning to end is left out. */
bool lobby_walk_sessions(const struct lobby *lobby, struct session_walk *walk, struct session_rows_view *rows);

/* ERR_ABSENT: no such session here. The row is called once, before the watches. */
MUST err lobby_show_session(const struct lobby *lobby, const struct session_name *name, struct session_rows_view *row,
                            struct watch_rows_view *watches);

/* ERR_ABSENT: no such session here. The state's end (KICK_SESSION) is written behind: OK says that it is on its way. */
MUST err lobby_kick(struct lobby *lobby, const struct session_name *name, enum kick_how how);

/* Begins a drain, changes the one that runs, or ends it (order->drains false). Copies the order. */
MUST err lobby_drain(struct lobby *lobby, const struct drain_order *order);

/* Adds what stands here; kept as running sums, so that this walks over nothing. `draining` becomes true when this one
 * is. */
void lobby_add_totals(const struct lobby *lobby, struct session_totals *into);
