/* The outbox's own: a ring of deliveries in the order in which they were added. Its memory is taken, grown, squeezed
 * and given back here; what the slots mean stands in outbox.c. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "session/outbox.h"

/* Holes are slots that are gone; the first slot is never one. */
struct outbox_ring {
    size_t fresh_bytes; /* of messages never sent */
    uint32_t room;      /* a power of two */
    uint32_t head;
    uint32_t used; /* slots, holes included */
    uint32_t live; /* slots, holes not included */
    /* Counted from the first slot: */
    uint32_t turn;       /* the next to be sent, or sent again */
    uint32_t fresh;      /* no slot before it was never sent; not before the turn */
    uint32_t under_way;  /* live ones before the turn */
    uint32_t fresh_live; /* live ones never sent */
    struct delivery at[];
};

static inline struct delivery *ring_slot(struct outbox_ring *r, uint32_t place)
{
    return &r->at[(r->head + place) & (r->room - 1)];
}

static inline const struct delivery *ring_peek(const struct outbox_ring *r, uint32_t place)
{
    return &r->at[(r->head + place) & (r->room - 1)];
}

MUST err ring_make_room(struct outbox_ring **ring); /* for one more slot; makes the ring when it is NULL. ERR_MEMORY */
void ring_tidy(struct outbox_ring **ring); /* after a slot became a hole: those in front go, memory is given back */
void ring_rest(struct outbox_ring **ring); /* drops a ring without live slots; NULL is fine */
void ring_close(struct outbox_ring *ring); /* takes, and drops all messages; NULL is fine */
