/* What a dispatch is made of: for dispatch.c and shares.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "prog/server/dispatch.h"

struct cargo;

/* What waits to be posted to one loop; the last one is still being filled. */
struct hold {
    struct cargo *first, *last;
    size_t count;
};

/* Members of one loop that the present router_offer chose there, by their proxies here. */
struct chosen {
    uint64_t *ids;
    size_t count, room;
};

struct dispatch {
    struct dispatch_options options;
    struct carrier carrier;
    struct shares shares;
    struct table members; /* of this loop, by id */
    struct table proxies; /* of members of other loops, by id */
    uint64_t last_id;
    struct chosen *chosen; /* one for each loop */
    struct timer departure;
    struct hold holds[]; /* one for each loop */
};

void shares_open(struct dispatch *d, uint64_t seed);
void shares_close(struct dispatch *d);
/* Offers to a member of this loop; one that left meanwhile is passed over. */
void share_offer(struct dispatch *d, uint64_t member, struct offer *offer);
void chosen_forget(struct chosen *chosen);
