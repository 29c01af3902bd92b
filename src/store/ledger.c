/* Queues of places, sorted arrays with room at both ends: a client acknowledges in about the order it was sent. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ledger.h"

#include "base/memory.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};

enum {
    FIRST_ROOM = 4,
    IDLE_ROOM = 64,      /* an empty queue keeps no more places than this */
    IDLE_QUEUES = 65536, /* with more queues than this an empty one is dropped */
};

void ledger_open(struct ledger *l, uint64_t seed)
{
    table_open(&l->queues, SIZE_MAX, seed);
    table_open(&l->bodies, SIZE_MAX, seed);
}

static void queue_drop(struct delivery_queue *q)
{
    mem_drop(q->places);
    mem_drop(q);
}

void ledger_forget(struct ledger *l)
{
    struct table_node *node, *next;
    for (node = table_next(&l->queues, NULL); node; node = next) {
        next = table_next(&l->queues, node);
        queue_drop((struct delivery_queue *)node);
    }
    for (node = table_next(&l->bodies, NULL); node; node = next) {
        next = table_next(&l->bodies, node);
        mem_drop(node);
    }
    for (struct delivery_queue *q; (q = l->doomed);) {
        l->doomed = q->next;
        queue_drop(q);
    }
    table_close(&l->queues);
    table_close(&l->bodies);
    l->ready = false;
}

/* --- sessions and bodies --- */

struct delivery_queue *ledger_find(const struct ledger *l, uint64_t session)
{
    return (struct delivery_queue *)table_find(&l->queues, bytes_of(&session, sizeof session));
}

err ledger_add(struct ledger *l, uint64_t session, struct delivery_queue **out)
{
    struct delivery_queue *q = MEM_NEW(struct delivery_queue);
    if (!q)
        return &no_memory;
    q->session = session;
    err e = table_add(&l->queues, &q->node, bytes_of(&q->session, sizeof q->session));
    if (e)
        mem_drop(q);
    else
        *out = q;
    return e;
}

void ledger_doom(struct ledger *l, struct delivery_queue *queue)
{
    table_remove(&l->queues, &queue->node);
    queue->next = l->doomed;
    l->doomed = queue;
}

err ledger_body(struct ledger *l, int64_t row, struct shared_body **out)
{
    struct shared_body *body = (struct shared_body *)table_find(&l->bodies, bytes_of(&row, sizeof row));
    *out = body;
    if (body)
        return OK;
    body = MEM_NEW(struct shared_body);
    if (!body)
        return &no_memory;
    body->row = row;
    err e = table_add(&l->bodies, &body->node, bytes_of(&body->row, sizeof body->row));
    if (e)
        mem_drop(body);
    else
        *out = body;
    return e;
}

void ledger_drop_body(struct ledger *l, struct shared_body *body)
{
    table_remove(&l->bodies, &body->node);
    mem_drop(body);
}

/* --- places --- */

/* The index of the first place whose number is not below `number`. */
static size_t index_from(const struct delivery_queue *q, uint64_t number)
{
    size_t low = 0, high = q->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (q->places[q->first + middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct delivery_place *queue_find(const struct delivery_queue *q, uint64_t number)
{
    size_t at = index_from(q, number);
    struct delivery_place *place = at < q->count ? &q->places[q->first + at] : NULL;
    return place && place->number == number ? place : NULL;
}

/* Room for one more at the end: what was taken off the front, or new. */
static err make_room(struct delivery_queue *q)
{
    if (q->first + q->count < q->room)
        return OK;
    if (q->first > q->room / 2) {
        memmove(q->places, q->places + q->first, q->count * sizeof *q->places);
        q->first = 0;
        return OK;
    }
    size_t room = q->room ? q->room * 2 : FIRST_ROOM;
    struct delivery_place *places = mem_grow(q->places, room, sizeof *places);
    if (!places)
        return &no_memory;
    q->places = places;
    q->room = room;
    return OK;
}

err queue_put(struct delivery_queue *q, struct delivery_place place)
{
    TRY(make_room(q));
    bool is_last = !q->count || q->places[q->first + q->count - 1].number < place.number;
    size_t index = is_last ? q->count : index_from(q, place.number);
    struct delivery_place *at = q->places + q->first + index;
    memmove(at + 1, at, (q->count - index) * sizeof *at);
    *at = place;
    q->count++;
    return OK;
}

/* Moves the fewer ones: those in front of the hole, or those behind it. */
static void close_hole(struct delivery_queue *q, size_t index)
{
    struct delivery_place *first = q->places + q->first, *hole = first + index;
    q->count--;
    if (index <= q->count / 2) {
        memmove(first + 1, first, index * sizeof *first);
        q->first++;
    } else {
        memmove(hole, hole + 1, (q->count - index) * sizeof *hole);
    }
}

static void rest(struct ledger *l, struct delivery_queue *q)
{
    q->first = 0;
    if (l->queues.count > IDLE_QUEUES) {
        table_remove(&l->queues, &q->node);
        queue_drop(q);
    } else if (q->room > IDLE_ROOM) {
        mem_drop(q->places);
        q->places = NULL;
        q->room = 0;
    }
}

struct delivery_place queue_take(struct ledger *l, struct delivery_queue *q, size_t index)
{
    struct delivery_place place = q->places[q->first + index];
    close_hole(q, index);
    if (!q->count)
        rest(l, q);
    return place;
}

bool ledger_sweep(struct ledger *l, struct delivery_place *out)
{
    for (struct delivery_queue *q; (q = l->doomed);) {
        if (q->count) {
            *out = q->places[q->first + --q->count];
            return true;
        }
        l->doomed = q->next;
        queue_drop(q);
    }
    return false;
}
