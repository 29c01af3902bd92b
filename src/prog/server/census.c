/* The census: a walk without end. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/census.h"

#include "door/lobby.h"

enum { EVERY_MS = 250, STEPS = 4 };

static bool meet(struct session_rows_view *self, const struct session_view *session)
{
    struct census *c = CONTAINER(self, struct census, rows);
    c->queued += session->queued;
    c->queued_bytes += session->queued_bytes;
    c->under_way += session->under_way;
    return true;
}

static void begin_anew(struct census *c)
{
    c->walk = (struct session_walk){.next = 0};
    c->queued = c->queued_bytes = c->under_way = 0;
}

static void publish(struct census *c)
{
    struct door_counts *counts = c->lobby->counts;
    counter_set(&counts->queued_now, c->queued);
    counter_set(&counts->queued_bytes, c->queued_bytes);
    counter_set(&counts->under_way_now, c->under_way);
    begin_anew(c);
}

/* False: it came to the end, or has to begin anew. */
static bool walk_on(struct census *c)
{
    switch (lobby_walk_sessions(c->lobby, &c->walk, &c->rows)) {
    case WALK_ON:
        return true;
    case WALK_OVER:
        publish(c);
        return false;
    case WALK_ANEW:
        begin_anew(c);
        return false;
    }
    return false;
}

static void step(struct timer *timer)
{
    struct census *c = CONTAINER(timer, struct census, step);
    for (size_t i = 0; i < STEPS && walk_on(c); i++)
        ;
    IGNORE(loop_timer_set(c->lobby->loop, timer, EVERY_MS)); /* its place in the heap is there */
}

err census_open(struct census *c, struct lobby *lobby)
{
    *c = (struct census){.lobby = lobby, .step.due = step, .rows.row = meet};
    return loop_timer_set(lobby->loop, &c->step, EVERY_MS);
}
