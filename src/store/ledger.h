/* The ledger: where the writer finds a delivery. The table of deliveries is in the order they came, so that a commit
 * appends to one place whichever sessions its messages are for; an index by session and number would touch a page for
 * each. Deliveries are few and short-lived, so the way from a session's numbers to the rows is kept in memory.
 *
 * All that it holds follows from the tables: after a roll-back it is forgotten and made again (write_delivery.c). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/table.h"

/* A row of `message`, and how many deliveries are of it. */
struct shared_body {
    struct table_node node;
    int64_t row;
    size_t deliveries;
};

struct delivery_place {
    uint64_t number;
    int64_t row;              /* of `delivery` */
    struct shared_body *body; /* NULL: the message is in the row itself, or was released */
};

/* The deliveries of one session, rising in number. */
struct delivery_queue {
    struct table_node node;
    uint64_t session;
    struct delivery_queue *next; /* another one that is doomed */
    struct delivery_place *places; /* the first one is places[first] */
    size_t first, count, room;
    bool orphaned; /* its session is in no table any more */
};

/* Zero is a ledger that was never opened. */
struct ledger {
    struct table queues, bodies;
    struct delivery_queue *doomed; /* of sessions that ended: the rows go with the next commits, some with each */
    bool ready;           /* it knows all rows */
};

void ledger_open(struct ledger *l, uint64_t seed);
void ledger_forget(struct ledger *l); /* all of it; closes it too */

/* A session without a delivery may have a queue or none. */
struct delivery_queue *ledger_find(const struct ledger *l, uint64_t session);           /* lends; NULL: none */
MUST err ledger_add(struct ledger *l, uint64_t session, struct delivery_queue **out);   /* lends; ERR_MEMORY */
void ledger_doom(struct ledger *l, struct delivery_queue *queue);                       /* finds it no more, sweeps it later */
MUST err ledger_body(struct ledger *l, int64_t row, struct shared_body **out); /* known or new; lends; ERR_MEMORY */
void ledger_drop_body(struct ledger *l, struct shared_body *body);             /* without deliveries */

MUST err queue_put(struct delivery_queue *q, struct delivery_place place);                  /* ERR_MEMORY. Cheap when its number is the highest */
struct delivery_place *queue_find(const struct delivery_queue *q, uint64_t number);         /* lends until the queue changes; NULL: not there */
struct delivery_place queue_take(struct ledger *l, struct delivery_queue *q, size_t index); /* takes it out; the queue may be gone */
static inline size_t queue_index(const struct delivery_queue *q, const struct delivery_place *place)
{
    return (size_t)(place - q->places) - q->first;
}

/* A place of a doomed queue, taken out. False: nothing is doomed. */
bool ledger_sweep(struct ledger *l, struct delivery_place *out);
