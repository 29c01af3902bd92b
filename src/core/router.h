/* The router: one loop's subscriptions as a tree of topic levels. Matching walks the name's levels once, whatever the
 * number of subscriptions. Used by its loop's thread only.
 *
 * A message is routed in one step to those who only hear what happens while they listen. Those who keep what they are
 * owed
 * ("keeping") are asked before, by an offer (core/offer.h). Of a shared subscription (MQTT 5.0, 4.8.2) one member gets
 * the message: the loop where it was published chooses, so every loop knows all members, those of other loops by
 * proxies. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "base/table.h"
#include "core/interest.h"
#include "core/offer.h"

struct router;
struct router_node;
struct router_group;
struct subscription;

struct subscription_calls {
    /* Borrows the message. May not add or remove subscriptions: whoever wants to end does so later. */
    void (*deliver)(struct subscription *self, struct message *message);
    /* Makes a promise where it keeps the message; a fault in the offer where it may not miss it and cannot. As
     * `deliver`. */
    void (*offer)(struct subscription *self, struct offer *offer);
};

enum subscription_flags {
    SUBSCRIPTION_KEEPS = 1, /* is offered messages with QoS 1 and 2 before they are routed, which then pass it by */
    SUBSCRIPTION_AWAY = 2,  /* of a shared subscription: chosen only when all members are away */
    SUBSCRIPTION_PROXY = 4, /* stands for a member on another loop */
};

/* Embedded in whoever watches; stays where it is from router_add to router_remove. */
struct subscription {
    const struct subscription_calls *calls;
    struct list place;          /* the router's own, as all below but `flags` */
    struct router_node *node;   /* NULL: not in a router */
    struct router_group *group; /* NULL: not shared */
    uint64_t changed;           /* offers from this number on were made after it last began or ceased to keep; 0: all */
    unsigned flags;             /* set before router_add; changed with router_mark */
};

/* `live`: who hears (all but proxies); `keeping`: who is offered. Both are the router's to fill and everybody's to
 * read. */
struct interests {
    struct interest live, keeping;
};

MUST err router_open(size_t subscriptions_max, uint64_t seed, struct interests *interests,
                     struct router **out); /* gives; borrows interests */
void router_close(struct router *router);  /* takes; NULL is fine */
/* filter is well-formed (topic.h) and may be shared. ERR_FULL at the maximum, ERR_MEMORY. */
MUST err router_add(struct router *router, struct bytes filter, struct subscription *s);
void router_remove(struct router *router, struct subscription *s);               /* one that is in no router is fine */
void router_mark(struct router *router, struct subscription *s, unsigned flags); /* new flags of one that was added */

/* Told when a message went to all it goes to here: for whoever has several subscriptions and wants it once. */
struct route_end {
    void (*over)(struct route_end *self);
};
void router_tell_end(struct router *router, struct route_end *end); /* borrows; one; NULL: nobody */

/* Where a message comes from, and so what is still to be done here. */
enum route {
    ROUTE_OFFERED = 0, /* it was offered here or elsewhere: who keeps and who shares has been asked already */
    ROUTE_FRESH,       /* published on this loop, offered to nobody: everybody, one of each share */
    ROUTE_CARRIED,     /* from another loop, offered to nobody: everybody but shares */
};
void router_route(struct router *router, struct message *message, enum route route);
/* A message that was offered here: to those who were not asked then, for a subscription may change its ways meanwhile
 * (MQTT 5.0, 3.8.4-4). */
void router_route_offered(struct router *router, const struct offer *offer);
/* To one member of the share that the filter names, which may be there no more: for a message whose member left. */
void router_route_share(struct router *router, struct message *message, struct bytes filter);
/* The same for an offer, to a member of this loop. ERR_AGAIN: only other loops have one. */
MUST err router_offer_share(struct router *router, struct offer *offer, struct bytes filter);
/* Shows the message to all here who keep; of each share to one, when it was published here (ROUTE_FRESH). */
void router_offer(struct router *router, struct offer *offer, enum route route);
/* May there be anybody here to be offered this message: who keeps it, or a member of a share on another loop? Cheap. */
bool router_may_keep(const struct router *router, struct bytes topic);
size_t router_count(const struct router *router); /* subscriptions now, proxies too */
