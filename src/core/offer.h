/* An offer: a message shown to all sessions of one loop that keep what they are owed, before it is kept. Each that
 * takes it reserves a place in its queue and makes a promise; when the message and all promises are durable, the offer
 * is settled and the places become deliveries. So a publisher is acknowledged only what is kept, and a subscriber is
 * sent only what its publisher cannot offer again. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/write.h"

enum offer_outcome { OFFER_REFUSED = 0, OFFER_KEPT };

/* Who made a promise. Stays where it is until it was settled. */
struct promiser {
    /* Borrows the message and what was promised of it. */
    void (*settle)(struct promiser *self, const struct client_delivery *promise, struct message *message,
                   enum offer_outcome outcome);
};

struct offer {
    struct message *message;     /* borrowed */
    uint64_t number;             /* the router's own */
    err failed;                  /* somebody may not miss it and cannot take it: the message is to be refused */
    struct promiser **promisers; /* one for each delivery */
    struct client_delivery *deliveries;
    size_t count, room;
    size_t kept; /* deliveries that are to be written: those of sessions that the store knows (session is not 0) */
};

/* ERR_MEMORY; nothing was added then. */
MUST err offer_promise(struct offer *o, struct promiser *promiser, const struct client_delivery *delivery);
/* The write of what is to be kept; NULL when there is nothing (kept is 0) or no memory. */
struct write *offer_write(const struct offer *o, int64_t now_us);
void offer_settle(struct offer *o,
                  enum offer_outcome outcome); /* tells each promiser, in order; the offer is empty then */
