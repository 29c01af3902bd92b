/* The census of one loop: what waits in all its sessions' queues, counted in small steps all the time. Running sums would cost
 * every message something, and a walk at once would hold up the loop; so these numbers are up to a minute old where there are
 * a million sessions, and less than a second where there are a few thousand. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "door/board.h"
#include "os/loop.h"

struct census {
    struct lobby *lobby;
    struct timer step;
    struct session_rows_view rows;
    struct session_walk walk;
    uint64_t queued, queued_bytes, under_way; /* of the sessions that the walk has met */
};

/* Before the loop runs, or on its thread. Borrows the lobby, and sets its counts queued_now, queued_bytes and under_way_now
 * from then on. Ends with the loop. */
MUST err census_open(struct census *c, struct lobby *lobby);
