/* Messages between loops. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/dispatch.h"

#include "base/memory.h"
#include "prog/server/dispatch_parts.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "dispatch: no memory for a message to another loop"};
static const struct fault full = {ERR_FULL, "dispatch: a loop that wants the message has too many waiting"};

enum {
    CARGO_MESSAGES = 64, /* in one mail */
    WORTH_RETURNING = 12,
    OFFERED_MAX = 1000000, /* messages; one more is refused */
    SPARE_MAX = 64,        /* empty cargoes that are kept */
    CARGOES_MAX = 256,     /* mails that wait for one loop's box */
    RETRY_MS = 1,
};

/* Messages for one loop. */
struct cargo {
    struct mail mail;
    struct dispatch *from; /* NULL: no loop */
    struct dispatch *to;
    struct cargo *next; /* waits behind this one for room in the box, or to be used again */
    size_t count;
    struct item {
        struct message *message;
        enum route route;
    } items[CARGO_MESSAGES];
};

/* ---- offers */

/* An offer on its way: there, back with what was promised, there again to be settled. */
struct parcel {
    struct mail mail;
    struct list place;      /* in the request's offers */
    struct table_node here; /* where it was offered, from then until it is settled; by its message */
    struct dispatch *from, *to;
    struct request *request;
    struct message *message; /* shared */
    struct offer offer;
    struct write *write; /* of what was promised, until the request takes it */
    err failed;
    enum offer_outcome outcome;
    size_t chosen_len;
    uint8_t chosen[]; /* members of shared subscriptions there */
};

/* What was offered here and is not settled: its message comes before its settlement (settle). */
static const struct offer *offer_here(const struct dispatch *d, const struct message *message)
{
    struct table_node *found = table_find(&d->offered, bytes_of(&message, sizeof message));
    return found ? &CONTAINER(found, struct parcel, here)->offer : NULL;
}

/* ---- messages */

static void empty(struct cargo *c)
{
    for (size_t i = 0; i < c->count; i++)
        message_drop(c->items[i].message);
    c->count = 0;
}

/* Home again, to be filled anew. */
static void return_home(struct mail *mail)
{
    struct cargo *c = CONTAINER(mail, struct cargo, mail);
    struct dispatch *d = c->from;
    empty(c);
    if (d->spare_count == SPARE_MAX) {
        mem_drop(c);
        return;
    }
    c->next = d->spare;
    d->spare = c;
    d->spare_count++;
}

static void route_item(struct dispatch *d, const struct item *item)
{
    const struct offer *offer = item->route == ROUTE_OFFERED ? offer_here(d, item->message) : NULL;
    if (offer)
        router_route_offered(d->options.router, offer);
    else /* nobody was asked here */
        router_route(d->options.router, item->message, item->route == ROUTE_OFFERED ? ROUTE_CARRIED : item->route);
}

/* Messages that nobody kept go back to be freed by the thread that made them, which has use for the memory: freed here,
 * each would cost a lock of its allocator. A few are not worth waking it up. */
static void unload(struct mail *mail)
{
    struct cargo *c = CONTAINER(mail, struct cargo, mail);
    for (size_t i = 0; i < c->count; i++)
        route_item(c->to, &c->items[i]);
    if (!c->from || c->count < WORTH_RETURNING) {
        empty(c);
        mem_drop(c);
        return;
    }
    c->mail.open = return_home;
    mailbox_answer(loop_mailbox(c->from->options.loop), &c->mail);
}

static struct cargo *cargo_make(struct dispatch *from, struct dispatch *to)
{
    struct cargo *c = from ? from->spare : NULL;
    if (c) {
        from->spare = c->next;
        from->spare_count--;
    } else {
        c = mem_take(1, sizeof *c);
    }
    if (!c)
        return NULL;
    c->mail.open = unload;
    c->from = from;
    c->to = to;
    c->next = NULL;
    c->count = 0;
    return c;
}

/* Posts what waits for one loop, oldest first. */
static void ship(struct hold *hold)
{
    while (hold->first) {
        struct cargo *c = hold->first, *next = c->next;
        if (mailbox_post(loop_mailbox(c->to->options.loop), &c->mail))
            return;
        hold->first = next;
        hold->count--;
    }
    hold->last = NULL;
}

static void ship_all(struct timer *timer)
{
    struct dispatch *d = CONTAINER(timer, struct dispatch, departure);
    bool left = false;
    for (size_t i = 0; i < d->options.count; i++) {
        ship(&d->holds[i]);
        left |= d->holds[i].first != NULL;
    }
    if (left) /* that loop's box is full: who publishes for it is told so by room() before long */
        IGNORE(loop_timer_set(d->options.loop, &d->departure, RETRY_MS));
}

static struct item *place_in(struct dispatch *d, size_t index)
{
    struct hold *hold = &d->holds[index];
    if (!hold->last || hold->last->count == CARGO_MESSAGES) {
        struct cargo *c = cargo_make(d, d->options.all[index]);
        if (!c)
            return NULL;
        *(hold->last ? &hold->last->next : &hold->first) = c;
        hold->last = c;
        hold->count++;
    }
    if (!d->departure.place && loop_timer_set(d->options.loop, &d->departure, 0))
        return NULL;
    return &hold->last->items[hold->last->count++];
}

static bool is_wanted(const struct dispatch *d, size_t index, const struct message *message)
{
    return index != d->options.index && interest_has(&d->options.all[index]->options.interests->live, message->topic);
}

static err room(struct carrier *self, const struct message *message)
{
    const struct dispatch *d = CONTAINER(self, struct dispatch, carrier);
    for (size_t i = 0; i < d->options.count; i++)
        if (d->holds[i].count >= CARGOES_MAX && is_wanted(d, i, message))
            return &full;
    return OK;
}

static void carry(struct carrier *self, struct message *message, enum route route)
{
    struct dispatch *d = CONTAINER(self, struct dispatch, carrier);
    for (size_t i = 0; i < d->options.count; i++) {
        if (!is_wanted(d, i, message))
            continue;
        struct item *item = place_in(d, i);
        if (item)
            *item = (struct item){message_share(message), route};
        else
            counter_raise(d->options.dropped, 1); /* no memory */
    }
}

void dispatch_bring(struct dispatch *to, struct message *message, enum route route)
{
    struct cargo *c = message ? cargo_make(NULL, to) : NULL;
    if (!c)
        return;
    c->items[c->count++] = (struct item){message_share(message), route};
    mailbox_answer(loop_mailbox(to->options.loop), &c->mail);
}

static void parcel_drop(struct parcel *p)
{
    message_drop(p->message);
    write_drop(p->write);
    mem_drop(p);
}

/* Home again. */
static void parcel_returns(struct mail *mail)
{
    struct parcel *p = CONTAINER(mail, struct parcel, mail);
    struct request *r = p->request;
    err failed = p->failed;
    list_append(&r->offers, &p->place);
    if (p->write && !failed)
        failed = request_remember(r, p->write);
    else
        write_drop(p->write);
    p->write = NULL;
    flow_offered(r, failed);
}

static void parcel_arrives(struct mail *mail)
{
    struct parcel *p = CONTAINER(mail, struct parcel, mail);
    struct dispatch *d = p->to;
    p->offer.message = p->message;
    if (table_add(&d->offered, &p->here, bytes_of(&p->message, sizeof p->message)))
        p->offer.failed = &no_memory;
    router_offer(d->options.router, &p->offer, ROUTE_CARRIED);
    shares_offer(d, bytes_of(p->chosen, p->chosen_len), &p->offer);
    p->failed = p->offer.failed;
    if (!p->failed && p->offer.kept) {
        p->write = offer_write(&p->offer, wall_us(loop_clock(d->options.loop)));
        p->failed = p->write ? OK : &no_memory;
    }
    p->mail.open = parcel_returns;
    mailbox_answer(loop_mailbox(p->from->options.loop), &p->mail);
}

static void parcel_settles(struct mail *mail)
{
    struct parcel *p = CONTAINER(mail, struct parcel, mail);
    if (p->here.key.at)
        table_remove(&p->to->offered, &p->here);
    offer_settle(&p->offer, p->outcome);
    parcel_drop(p);
}

static err parcel_send(struct dispatch *d, size_t index, struct request *r)
{
    struct bytes chosen = buffer_view(&d->chosen[index]);
    struct parcel *p = mem_take(1, sizeof *p + chosen.len);
    if (!p)
        return &no_memory;
    p->mail.open = parcel_arrives;
    p->from = d;
    p->to = d->options.all[index];
    p->request = r;
    p->message = message_share(r->message);
    p->chosen_len = chosen.len;
    if (chosen.len)
        memcpy(p->chosen, chosen.at, chosen.len);
    list_open(&p->place);
    ship(&d->holds[index]); /* what was published before it arrives before it */
    err failed = mailbox_post(loop_mailbox(p->to->options.loop), &p->mail);
    if (failed)
        parcel_drop(p);
    else
        r->offers_out++;
    return failed;
}

static bool keeps(const struct dispatch *d, size_t index, const struct message *message)
{
    return index != d->options.index &&
           interest_has(&d->options.all[index]->options.interests->keeping, message->topic);
}

static bool may_keep(const struct carrier *self, const struct message *message)
{
    const struct dispatch *d = (const struct dispatch *)((uintptr_t)self - offsetof(struct dispatch, carrier));
    for (size_t i = 0; i < d->options.count; i++)
        if (keeps(d, i, message))
            return true;
    return false;
}

static err send_offers(struct carrier *self, struct request *r)
{
    struct dispatch *d = CONTAINER(self, struct dispatch, carrier);
    err failed = OK;
    for (size_t i = 0; i < d->options.count; i++) {
        if (!failed && (keeps(d, i, r->message) || d->chosen[i].len))
            failed = parcel_send(d, i, r);
        buffer_clear(&d->chosen[i]);
    }
    return failed;
}

static void settle(struct carrier *self, struct request *r, enum offer_outcome outcome)
{
    (void)self;
    for (struct list *at = list_take(&r->offers); at; at = list_take(&r->offers)) {
        struct parcel *p = CONTAINER(at, struct parcel, place);
        p->mail.open = parcel_settles;
        p->outcome = outcome;
        ship(&p->from->holds[p->to->options.index]); /* the message itself goes before */
        mailbox_answer(loop_mailbox(p->to->options.loop), &p->mail);
    }
}

/* ---- life */

err dispatch_open(const struct dispatch_options *options, uint64_t seed, struct dispatch **out)
{
    struct dispatch *d = mem_take(1, sizeof *d + options->count * sizeof d->holds[0]);
    struct buffer *chosen = d ? mem_take(options->count, sizeof *chosen) : NULL;
    if (!chosen) {
        mem_drop(d);
        return &no_memory;
    }
    d->options = *options;
    d->carrier = (struct carrier){room, carry, may_keep, send_offers, settle};
    d->departure.due = ship_all;
    d->chosen = chosen;
    for (size_t i = 0; i < options->count; i++)
        chosen[i].max = CHOSEN_MAX;
    table_open(&d->offered, OFFERED_MAX, seed);
    shares_open(d, seed);
    *out = d;
    return OK;
}

void dispatch_close(struct dispatch *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->options.count; i++) {
        for (struct cargo *c = d->holds[i].first, *next; c; c = next) {
            next = c->next;
            empty(c);
            mem_drop(c);
        }
        buffer_drop(&d->chosen[i]);
    }
    for (struct cargo *c = d->spare, *next; c; c = next) {
        next = c->next;
        mem_drop(c);
    }
    table_close(&d->offered);
    shares_close(d);
    mem_drop(d->chosen);
    mem_drop(d);
}

struct carrier *dispatch_carrier(struct dispatch *d)
{
    return &d->carrier;
}
