/* The router: one loop's subscriptions as a tree of topic levels. Matching walks the name's levels once, whatever the
 * number of subscriptions. Used by its loop's thread only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "base/table.h"
#include "core/message.h"

struct router;
struct router_node;

/* Embedded in whoever watches; stays where it is from router_add to router_remove. */
struct subscription {
    /* Borrows the message. May not add or remove subscriptions: whoever wants to end does so later. */
    void (*deliver)(struct subscription *self, struct message *message);
    struct list place;         /* the router's own */
    struct router_node *node;  /* the router's own; NULL: not in a router */
};

MUST err router_open(size_t subscriptions_max, uint64_t seed, struct router **out); /* gives */
void router_close(struct router *router);                                           /* takes; NULL is fine */
/* filter is well-formed (topic.h). ERR_FULL at the maximum, ERR_MEMORY. */
MUST err router_add(struct router *router, struct bytes filter, struct subscription *s);
void router_remove(struct router *router, struct subscription *s); /* one that is in no router is fine */
size_t router_route(struct router *router, struct message *message); /* how many were delivered to */
size_t router_count(const struct router *router);                  /* subscriptions now */
