/* The members of shared subscriptions, on all loops. News of them go to every other loop by mail; a member has joined
 * when all have answered. A proxy that is chosen sends the message to the member's loop; when the member has left
 * meanwhile, that loop chooses another one. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/dispatch_parts.h"

#include "base/memory.h"

#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "shares: no memory"};

enum { MEMBERS_MAX = 1000000, ID = sizeof(uint64_t) };

struct proxy {
    struct subscription subscription;
    struct table_node place;
    struct dispatch *here;
    size_t home; /* the member's loop */
    uint64_t id;
    size_t filter_len;
    uint8_t filter[];
};

static struct bytes key_of(const uint64_t *id)
{
    return bytes_of(id, ID);
}

/* ---- what a chosen proxy does */

struct delivery_mail {
    struct mail mail;
    struct dispatch *to;
    struct message *message;
    uint64_t id;
    size_t filter_len;
    uint8_t filter[];
};

static struct share_member *member_find(const struct dispatch *d, uint64_t id)
{
    struct table_node *found = table_find(&d->members, key_of(&id));
    return found ? CONTAINER(found, struct share_member, place) : NULL;
}

static void delivery_arrives(struct mail *mail)
{
    struct delivery_mail *m = CONTAINER(mail, struct delivery_mail, mail);
    struct share_member *member = member_find(m->to, m->id);
    if (member)
        member->subscription->calls->deliver(member->subscription, m->message);
    else
        router_route_share(m->to->options.router, m->message, bytes_of(m->filter, m->filter_len));
    message_drop(m->message);
    mem_drop(m);
}

static void proxy_deliver(struct subscription *self, struct message *message)
{
    struct proxy *p = CONTAINER(self, struct proxy, subscription);
    struct dispatch *to = p->here->options.all[p->home];
    struct delivery_mail *m = mem_take(1, sizeof *m + p->filter_len);
    if (!m)
        return;
    m->mail.open = delivery_arrives;
    m->to = to;
    m->message = message_share(message);
    m->id = p->id;
    m->filter_len = p->filter_len;
    memcpy(m->filter, p->filter, p->filter_len);
    if (!message->qos && !mailbox_post(loop_mailbox(to->options.loop), &m->mail))
        return;
    if (message->qos) { /* rare: what has a QoS is offered, but for a member that came or left meanwhile */
        mailbox_answer(loop_mailbox(to->options.loop), &m->mail);
        return;
    }
    counter_raise(p->here->options.dropped, 1);
    message_drop(message);
    mem_drop(m);
}

static void proxy_offer(struct subscription *self, struct offer *offer)
{
    struct proxy *p = CONTAINER(self, struct proxy, subscription);
    struct buffer *chosen = &p->here->chosen[p->home];
    put_u64(chosen, p->id);
    put_u16(chosen, (uint16_t)p->filter_len);
    put_bytes(chosen, bytes_of(p->filter, p->filter_len));
    if (chosen->spoiled)
        offer->failed = &no_memory;
}

static const struct subscription_calls proxy_calls = {proxy_deliver, proxy_offer};

void shares_offer(struct dispatch *d, struct bytes chosen, struct offer *offer)
{
    struct reader r = reader_over(chosen);
    while (r.left.len) {
        struct share_member *member = member_find(d, read_u64(&r));
        struct bytes filter = read_view(&r, read_u16(&r));
        err failed = OK;
        if (member)
            member->subscription->calls->offer(member->subscription, offer);
        else
            failed = router_offer_share(d->options.router, offer, filter);
        if (failed)
            offer->failed = failed;
    }
}

/* ---- news of members */

enum news { NEWS_JOINED, NEWS_LEFT, NEWS_MARKED };

struct tidings {
    struct mail mail;
    enum news news;
    struct dispatch *from, *to;
    uint64_t id;
    unsigned flags;
    size_t filter_len;
    uint8_t filter[];
};

static struct proxy *proxy_find(const struct dispatch *d, uint64_t id)
{
    struct table_node *found = table_find(&d->proxies, key_of(&id));
    return found ? CONTAINER(found, struct proxy, place) : NULL;
}

static void proxy_drop(struct dispatch *d, struct proxy *p)
{
    router_remove(d->options.router, &p->subscription);
    table_remove(&d->proxies, &p->place);
    mem_drop(p);
}

static void proxy_make(struct dispatch *d, const struct tidings *t)
{
    struct proxy *p = mem_take(1, sizeof *p + t->filter_len);
    if (!p)
        return; /* this loop passes the member by; the others do not */
    p->subscription = (struct subscription){.calls = &proxy_calls, .flags = t->flags | SUBSCRIPTION_PROXY};
    p->here = d;
    p->home = t->from->options.index;
    p->id = t->id;
    p->filter_len = t->filter_len;
    memcpy(p->filter, t->filter, t->filter_len);
    if (table_add(&d->proxies, &p->place, key_of(&p->id))) {
        mem_drop(p);
        return;
    }
    if (router_add(d->options.router, bytes_of(p->filter, p->filter_len), &p->subscription))
        proxy_drop(d, p);
}

static void tidings_return(struct mail *mail)
{
    struct tidings *t = CONTAINER(mail, struct tidings, mail);
    struct share_member *member = member_find(t->to, t->id);
    mem_drop(t);
    if (member && --member->unheard == 0)
        member->joined(member);
}

static void tidings_arrive(struct mail *mail)
{
    struct tidings *t = CONTAINER(mail, struct tidings, mail);
    struct dispatch *d = t->to, *from = t->from;
    struct proxy *p = proxy_find(d, t->id);
    switch (t->news) {
    case NEWS_JOINED:
        proxy_make(d, t);
        t->mail.open = tidings_return;
        t->to = from;
        mailbox_answer(loop_mailbox(from->options.loop), &t->mail);
        return;
    case NEWS_LEFT:
        if (p)
            proxy_drop(d, p);
        break;
    case NEWS_MARKED:
        if (p)
            router_mark(d->options.router, &p->subscription, t->flags | SUBSCRIPTION_PROXY);
        break;
    }
    mem_drop(t);
}

/* Rare, bounded by the subscriptions there are, and must arrive in order. False: no memory. */
static bool tell(struct dispatch *d, size_t index, enum news news, const struct share_member *member)
{
    struct bytes filter = member->filter;
    struct tidings *t = mem_take(1, sizeof *t + filter.len);
    if (!t)
        return false;
    t->mail.open = tidings_arrive;
    t->news = news;
    t->from = d;
    t->to = d->options.all[index];
    t->id = member->id;
    t->flags = member->subscription->flags;
    t->filter_len = filter.len;
    memcpy(t->filter, filter.at, filter.len);
    mailbox_answer(loop_mailbox(t->to->options.loop), &t->mail);
    return true;
}

/* How many loops were told. */
static size_t tell_all(struct dispatch *d, enum news news, const struct share_member *member)
{
    size_t told = 0;
    for (size_t i = 0; i < d->options.count; i++)
        told += i != d->options.index && tell(d, i, news, member);
    return told;
}

static void join(struct shares *self, struct share_member *member)
{
    struct dispatch *d = CONTAINER(self, struct dispatch, shares);
    member->id = ++d->last_id * d->options.count + d->options.index;
    member->unheard = 0;
    if (table_add(&d->members, &member->place, key_of(&member->id)))
        member->id = 0; /* in turn on its own loop only */
    else
        member->unheard = tell_all(d, NEWS_JOINED, member); /* one that could not be told answers nothing */
    if (!member->unheard)
        member->joined(member);
}

static void leave(struct shares *self, struct share_member *member)
{
    struct dispatch *d = CONTAINER(self, struct dispatch, shares);
    if (!member->id)
        return;
    (void)tell_all(d, NEWS_LEFT,
                   member); /* who does not hear of it sends in vain, and is answered by the next member */
    table_remove(&d->members, &member->place);
    member->id = 0;
}

static void mark(struct shares *self, struct share_member *member, unsigned flags)
{
    struct dispatch *d = CONTAINER(self, struct dispatch, shares);
    router_mark(d->options.router, member->subscription, flags);
    if (member->id)
        (void)tell_all(d, NEWS_MARKED, member); /* who does not hear of it may choose one who is away */
}

void shares_open(struct dispatch *d, uint64_t seed)
{
    d->shares = (struct shares){join, leave, mark};
    table_open(&d->members, MEMBERS_MAX, seed);
    table_open(&d->proxies, MEMBERS_MAX, seed);
}

void shares_close(struct dispatch *d)
{
    for (struct table_node *node = table_next(&d->proxies, NULL); node; node = table_next(&d->proxies, NULL))
        proxy_drop(d, CONTAINER(node, struct proxy, place));
    table_close(&d->proxies);
    table_close(&d->members);
}

struct shares *dispatch_shares(struct dispatch *d)
{
    return &d->shares;
}
