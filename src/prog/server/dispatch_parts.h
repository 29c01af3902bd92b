/* What a dispatch is made of: for dispatch.c and shares.c only. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "prog/server/dispatch.h"

struct cargo;

/* What waits to be posted to one loop; the last one is still being filled. */
struct hold {
    struct cargo *first, *last;
    size_t count;
};

struct dispatch {
    struct dispatch_options options;
    struct carrier carrier;
    struct shares shares;
    struct table members; /* of this loop, by id */
    struct table proxies; /* of members of other loops, by id */
    struct table offered; /* parcels that were offered here and are not settled, by message */
    uint64_t last_id;
    struct buffer *chosen; /* one for each loop: its members that the present router_offer chose, by proxies here */
    struct timer departure;
    struct cargo *spare; /* empty ones that came home */
    size_t spare_count;
    struct hold holds[]; /* one for each loop */
};

enum { CHOSEN_MAX = 1048576 };

void shares_open(struct dispatch *d, uint64_t seed);
void shares_close(struct dispatch *d);
/* Offers to the members that `chosen` names; in place of one that left meanwhile to another one here. When only other
 * loops have one, the offer fails: the publisher comes again. */
void shares_offer(struct dispatch *d, struct bytes chosen, struct offer *offer);
