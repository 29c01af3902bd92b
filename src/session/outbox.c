/* The outbox: two rings, one of numbered deliveries and one of those with QoS 0. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/outbox.h"

#include "session/outbox_ring.h"

static const struct fault full = {ERR_FULL, "outbox: no packet identifier is free"};
static const struct fault nothing_to_shed = {ERR_ABSENT, "outbox: nothing that may be dropped would make room"};

/* ---- places and numbers: while no hole was squeezed out behind it, the slot of a number stands as far from the end as
 * the number from the last one; else it is searched for, since numbers rise from slot to slot */

static uint64_t number_at(const struct outbox *o, const struct outbox_ring *r, uint32_t place)
{
    return o->last - (uint16_t)((uint16_t)o->last - ring_peek(r, place)->low);
}

/* How far a slot is from the last number: falls from slot to slot. */
static uint16_t distance_at(const struct outbox *o, const struct outbox_ring *r, uint32_t place)
{
    return (uint16_t)((uint16_t)o->last - ring_peek(r, place)->low);
}

/* The first slot with this distance or less. */
static uint32_t place_from(const struct outbox *o, const struct outbox_ring *r, uint64_t distance)
{
    uint32_t low = 0, high = r->used;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (distance_at(o, r, middle) > distance)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The place of a number that is not gone. A number above the last one has a huge distance. */
static bool place_find(const struct outbox *o, uint64_t number, uint32_t *place)
{
    const struct outbox_ring *r = o->numbered;
    uint64_t distance = o->last - number;
    if (!r || distance >= OUTBOX_SPAN_MAX)
        return false;
    *place = r->used - 1 - (uint32_t)distance;
    if (distance >= r->used || distance_at(o, r, *place) != distance)
        *place = place_from(o, r, distance);
    return *place < r->used && distance_at(o, r, *place) == distance && ring_peek(r, *place)->state != DELIVERY_GONE;
}

/* ---- ends */

static size_t size_of(const struct message *m)
{
    return m ? m->topic.len + m->payload.len + m->properties.len : 0;
}

static void forget_message(struct outbox *o, struct delivery *d)
{
    o->bytes -= size_of(d->message);
    message_drop(d->message);
    d->message = NULL;
}

static void end_at(struct outbox *o, struct outbox_ring **ring, uint32_t place)
{
    struct outbox_ring *r = *ring;
    struct delivery *d = ring_slot(r, place);
    if (d->state < DELIVERY_SENT) {
        r->fresh_live--;
        r->fresh_bytes -= size_of(d->message);
    }
    forget_message(o, d);
    d->state = DELIVERY_GONE;
    r->under_way -= place < r->turn;
    r->live--;
    ring_tidy(ring);
}

void outbox_close(struct outbox *o)
{
    ring_close(o->numbered);
    ring_close(o->plain);
    *o = (struct outbox){.last = 0};
}

void outbox_rest(struct outbox *o)
{
    ring_rest(&o->numbered);
    ring_rest(&o->plain);
}

size_t outbox_detach(struct outbox *o)
{
    size_t dropped = o->plain ? o->plain->live : 0;
    while (o->plain && o->plain->live)
        end_at(o, &o->plain, 0);
    if (o->numbered)
        o->numbered->turn = o->numbered->under_way = 0;
    outbox_rest(o);
    return dropped;
}

/* ---- bounds */

size_t outbox_count(const struct outbox *o)
{
    return (o->numbered ? o->numbered->live : 0) + (o->plain ? o->plain->live : 0);
}

size_t outbox_under_way(const struct outbox *o)
{
    return o->numbered ? o->numbered->under_way : 0;
}

bool outbox_has_room(const struct outbox *o, const struct outbox_limits *limits, size_t bytes)
{
    return outbox_count(o) < limits->messages_max && o->bytes <= limits->bytes_max &&
           bytes <= limits->bytes_max - o->bytes;
}

/* Would it fit if all that the policy may drop were dropped? What is reserved counts as if it could be. */
static bool shedding_helps(const struct outbox *o, const struct outbox_limits *limits, size_t bytes)
{
    size_t count = outbox_count(o), held = o->bytes;
    if (limits->policy != OVERFLOW_REFUSE && o->plain) {
        count -= o->plain->fresh_live;
        held -= o->plain->fresh_bytes;
    }
    if (limits->policy == OVERFLOW_DROP_OLDEST && o->numbered) {
        count -= o->numbered->fresh_live;
        held -= o->numbered->fresh_bytes;
    }
    return count < limits->messages_max && held <= limits->bytes_max && bytes <= limits->bytes_max - held;
}

/* Only the oldest that was never sent may go: behind one that is reserved, all wait for it. */
static bool oldest_waits(struct outbox_ring *r)
{
    if (!r)
        return false;
    while (r->fresh < r->used && ring_peek(r, r->fresh)->state == DELIVERY_GONE)
        r->fresh++;
    return r->fresh < r->used && ring_peek(r, r->fresh)->state == DELIVERY_WAITING;
}

err outbox_shed(struct outbox *o, const struct outbox_limits *limits, size_t bytes, struct shed *out)
{
    if (!shedding_helps(o, limits, bytes))
        return &nothing_to_shed;
    if (o->plain && o->plain->live && limits->policy != OVERFLOW_REFUSE) {
        *out = (struct shed){.number = 0};
        end_at(o, &o->plain, 0);
        return OK;
    }
    if (limits->policy != OVERFLOW_DROP_OLDEST || !oldest_waits(o->numbered))
        return &nothing_to_shed;
    uint32_t place = o->numbered->fresh;
    const struct delivery *d = ring_peek(o->numbered, place);
    *out = (struct shed){number_at(o, o->numbered, place), d->qos, d->durable};
    end_at(o, &o->numbered, place);
    return OK;
}

/* ---- what comes in */

static bool number_is_free(const struct outbox *o)
{
    const struct outbox_ring *r = o->numbered;
    return !r || !r->used || distance_at(o, r, 0) + 1 < OUTBOX_SPAN_MAX;
}

static void append(struct outbox *o, struct outbox_ring *r, const struct delivery *delivery)
{
    struct delivery *d = ring_slot(r, r->used++);
    size_t size = size_of(delivery->message);
    d->message = delivery->message ? message_share(delivery->message) : NULL;
    d->subscription_id = delivery->subscription_id;
    d->low = (uint16_t)o->last;
    d->state = delivery->state;
    d->qos = delivery->qos;
    d->retain = delivery->retain;
    d->durable = delivery->durable;
    o->bytes += size;
    r->live++;
    if (delivery->state < DELIVERY_SENT) {
        r->fresh_live++;
        r->fresh_bytes += size;
    }
}

static err add_plain(struct outbox *o, const struct delivery *delivery)
{
    if (o->plain && o->plain->used >= OUTBOX_SPAN_MAX)
        return &full;
    TRY(ring_make_room(&o->plain));
    append(o, o->plain, delivery);
    return OK;
}

err outbox_add(struct outbox *o, const struct delivery *delivery, uint64_t *number)
{
    *number = 0;
    if (!delivery->qos)
        return add_plain(o, delivery);
    if (!number_is_free(o))
        return &full;
    TRY(ring_make_room(&o->numbered));
    *number = ++o->last;
    append(o, o->numbered, delivery);
    return OK;
}

err outbox_restore(struct outbox *o, uint64_t number, const struct delivery *delivery)
{
    while (o->numbered && o->numbered->used && number - number_at(o, o->numbered, 0) >= OUTBOX_SPAN_MAX)
        end_at(o, &o->numbered, 0);
    TRY(ring_make_room(&o->numbered));
    o->last = number;
    append(o, o->numbered, delivery);
    o->numbered->fresh = o->numbered->used;
    return OK;
}

void outbox_commit(struct outbox *o, uint64_t number)
{
    uint32_t place;
    if (place_find(o, number, &place) && ring_peek(o->numbered, place)->state == DELIVERY_RESERVED)
        ring_slot(o->numbered, place)->state = DELIVERY_WAITING;
}

void outbox_cancel(struct outbox *o, uint64_t number)
{
    uint32_t place;
    if (place_find(o, number, &place) && ring_peek(o->numbered, place)->state == DELIVERY_RESERVED)
        end_at(o, &o->numbered, place);
}

/* ---- what goes out */

/* The slot whose turn it is; NULL: none. */
static const struct delivery *numbered_next(struct outbox_ring *r)
{
    if (!r)
        return NULL;
    while (r->turn < r->used && ring_peek(r, r->turn)->state == DELIVERY_GONE)
        r->turn++;
    if (r->fresh < r->turn)
        r->fresh = r->turn;
    return r->turn < r->used ? ring_peek(r, r->turn) : NULL;
}

/* Was the oldest QoS 0 added before this one? It remembers the number that was last then. */
static bool plain_is_first(const struct outbox *o, const struct delivery *numbered)
{
    const struct outbox_ring *r = o->plain;
    if (!r || !r->live)
        return false;
    return !numbered || (uint16_t)((uint16_t)o->last - numbered->low) < distance_at(o, r, 0);
}

const struct delivery *outbox_next(struct outbox *o, uint16_t receive_max, uint64_t *number)
{
    const struct delivery *d = numbered_next(o->numbered);
    *number = 0;
    if (plain_is_first(o, d))
        return ring_peek(o->plain, 0);
    if (!d || d->state == DELIVERY_RESERVED)
        return NULL;
    if (d->state <= DELIVERY_SENT && o->numbered->under_way >= receive_max)
        return NULL;
    *number = number_at(o, o->numbered, o->numbered->turn);
    return d;
}

void outbox_sent(struct outbox *o, uint64_t number)
{
    struct outbox_ring *r = o->numbered;
    if (!number) {
        outbox_skip(o, 0);
        return;
    }
    if (!r || r->turn == r->used || number_at(o, r, r->turn) != number)
        return;
    struct delivery *d = ring_slot(r, r->turn);
    if (d->state == DELIVERY_GONE)
        return;
    if (d->state == DELIVERY_WAITING) {
        d->state = DELIVERY_SENT;
        r->fresh_live--;
        r->fresh_bytes -= size_of(d->message);
    }
    r->under_way++;
    r->turn++;
    if (r->fresh < r->turn)
        r->fresh = r->turn;
}

void outbox_skip(struct outbox *o, uint64_t number)
{
    if (number)
        outbox_done(o, number);
    else if (o->plain && o->plain->live)
        end_at(o, &o->plain, 0);
}

/* ---- what the client says */

const struct delivery *outbox_find(const struct outbox *o, uint16_t packet_id, uint64_t *number)
{
    uint32_t place;
    if (!packet_id)
        return NULL;
    uint64_t back = (o->last % OUTBOX_SPAN_MAX + OUTBOX_SPAN_MAX - packet_id) % OUTBOX_SPAN_MAX;
    if (back > o->last || !place_find(o, o->last - back, &place))
        return NULL;
    const struct delivery *d = ring_peek(o->numbered, place);
    *number = o->last - back;
    return d->state < DELIVERY_SENT ? NULL : d;
}

void outbox_releasing(struct outbox *o, uint64_t number)
{
    uint32_t place;
    if (!place_find(o, number, &place) || ring_peek(o->numbered, place)->state != DELIVERY_SENT)
        return;
    struct delivery *d = ring_slot(o->numbered, place);
    forget_message(o, d);
    d->state = DELIVERY_RELEASING;
}

bool outbox_released(struct outbox *o, uint64_t number)
{
    uint32_t place;
    if (!place_find(o, number, &place) || ring_peek(o->numbered, place)->state != DELIVERY_RELEASING)
        return false;
    ring_slot(o->numbered, place)->state = DELIVERY_RELEASED;
    return place < o->numbered->turn;
}

void outbox_done(struct outbox *o, uint64_t number)
{
    uint32_t place;
    if (place_find(o, number, &place))
        end_at(o, &o->numbered, place);
}

uint64_t outbox_walk(const struct outbox *o, uint64_t after, const struct delivery **out)
{
    const struct outbox_ring *r = o->numbered;
    if (!r || after >= o->last)
        return 0;
    for (uint32_t place = place_from(o, r, o->last - after - 1); place < r->used; place++)
        if (ring_peek(r, place)->state != DELIVERY_GONE) {
            *out = ring_peek(r, place);
            return number_at(o, r, place);
        }
    return 0;
}
