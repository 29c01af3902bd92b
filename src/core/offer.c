/* Offers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/offer.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "offer: no memory for a promise"};

enum { FIRST_ROOM = 4 };

static err grow(struct offer *o)
{
    size_t room = o->room ? o->room * 2 : FIRST_ROOM;
    struct promiser **promisers = mem_grow(o->promisers, room, sizeof(struct promiser *));
    if (!promisers)
        return &no_memory;
    o->promisers = promisers;
    struct client_delivery *deliveries = mem_grow(o->deliveries, room, sizeof *deliveries);
    if (!deliveries)
        return &no_memory;
    o->deliveries = deliveries;
    o->room = room;
    return OK;
}

err offer_promise(struct offer *o, struct promiser *promiser, const struct client_delivery *delivery)
{
    if (o->count == o->room)
        TRY(grow(o));
    o->promisers[o->count] = promiser;
    o->deliveries[o->count++] = *delivery;
    o->kept += delivery->session != 0;
    return OK;
}

struct write *offer_write(const struct offer *o, int64_t now_us)
{
    return o->kept ? write_deliveries(o->message, o->deliveries, o->count, now_us) : NULL;
}

void offer_settle(struct offer *o, enum offer_outcome outcome)
{
    for (size_t i = 0; i < o->count; i++)
        o->promisers[i]->settle(o->promisers[i], &o->deliveries[i], o->message, outcome);
    mem_drop(o->promisers);
    mem_drop(o->deliveries);
    *o = (struct offer){.message = o->message};
}
