/* The port that makes the members of shared subscriptions (MQTT 5.0, 4.8.2) known on all loops. Filled by prog/server.
 */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/router.h"

/* A member: a subscription of this loop's router whose filter is shared. Embedded in its owner, from share_join to the
 * `left` that share_leave leads to. */
struct share_member {
    struct subscription *subscription; /* in the router already */
    struct bytes filter;               /* whole, "$share/…"; lives as long as the member */
    uint64_t id;                       /* the port's own; 0: no member */
    struct table_node place;           /* the port's own */
    size_t unheard;                    /* the port's own: loops that do not know it yet */
    /* Every loop knows it: from here on it is in turn wherever a message comes from. */
    void (*joined)(struct share_member *self);
};

struct shares {
    void (*join)(struct shares *self,
                 struct share_member *member); /* `joined` follows, perhaps from inside this call */
    void (*leave)(struct shares *self, struct share_member *member); /* forgotten at once; `joined` comes no more */
    void (*mark)(struct shares *self, struct share_member *member, unsigned flags); /* new flags (router.h) */
};
