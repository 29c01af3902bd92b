/* The ring of the outbox: its memory. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/outbox_ring.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "outbox: no memory for a delivery"};

enum {
    ROOM_FIRST = 8, /* slots of a new ring */
    ROOM_KEPT = 16, /* up to here a ring stays while it is empty, until the outbox rests */
    SPARSE = 8,     /* a ring that is filled by less than one in so many shrinks */
};

static err move(struct outbox_ring **ring, uint32_t room)
{
    struct outbox_ring *from = *ring, *to = mem_take(1, sizeof *to + room * sizeof *to->at);
    if (!to)
        return &no_memory;
    if (from) {
        *to = *from;
        for (uint32_t i = 0; i < from->used; i++)
            to->at[i] = *ring_peek(from, i);
        to->head = 0;
        mem_drop(from);
    }
    to->room = room;
    *ring = to;
    return OK;
}

/* Squeezes the holes out. */
static void compact(struct outbox_ring *r)
{
    uint32_t kept = 0, turn = 0, fresh = 0;
    for (uint32_t i = 0; i < r->used; i++) {
        if (ring_peek(r, i)->state == DELIVERY_GONE)
            continue;
        turn += i < r->turn;
        fresh += i < r->fresh;
        *ring_slot(r, kept++) = *ring_peek(r, i);
    }
    r->used = kept;
    r->turn = turn;
    r->fresh = fresh;
}

/* Room for one more. Squeezing pays for itself: at least half of the room is free behind it. */
err ring_make_room(struct outbox_ring **ring)
{
    struct outbox_ring *r = *ring;
    if (!r)
        return move(ring, ROOM_FIRST);
    if (r->used < r->room)
        return OK;
    if (r->live > r->room / 2)
        return move(ring, r->room * 2);
    compact(r);
    return OK;
}

/* Gives most of a large ring back when little is left in it; one that cannot be moved for want of memory stays. */
static void shrink(struct outbox_ring **ring)
{
    struct outbox_ring *r = *ring;
    uint32_t room = r->room;
    if (room <= ROOM_KEPT || r->live >= room / SPARSE)
        return;
    compact(r);
    while (room > ROOM_KEPT && room / 4 >= r->live)
        room /= 2;
    IGNORE(move(ring, room));
}

static void pop_front(struct outbox_ring *r)
{
    r->head = (r->head + 1) & (r->room - 1);
    r->used--;
    r->turn -= r->turn > 0;
    r->fresh -= r->fresh > 0;
}

void ring_tidy(struct outbox_ring **ring)
{
    struct outbox_ring *r = *ring;
    while (r->used && ring_peek(r, 0)->state == DELIVERY_GONE)
        pop_front(r);
    shrink(ring);
}

void ring_rest(struct outbox_ring **ring)
{
    if (!*ring || (*ring)->live)
        return;
    mem_drop(*ring);
    *ring = NULL;
}

void ring_close(struct outbox_ring *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->used; i++)
        message_drop(ring_slot(r, i)->message);
    mem_drop(r);
}
