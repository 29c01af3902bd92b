/* Dispatch: how messages travel between loops. There is one for each loop; it fills the loop's carrier port.
 *
 *   carry   messages for another loop are gathered while a turn lasts and posted together at its end
 *   offer   a parcel goes there, comes back with what was promised, and goes there once more to be settled
 *   shares  each loop knows all members of all shared subscriptions: members of others stand in its router as proxies
 *
 * A loop that does not keep up makes the others wait (carrier.room), first of all those that publish for it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/flow.h"
#include "core/share.h"
#include "os/loop.h"

struct dispatch;

/* Borrowed for the dispatch's life; `all` is filled by the time the loops run. */
struct dispatch_options {
    struct loop *loop;
    struct router *router;
    const struct interests *interests; /* the router's */
    struct dispatch *const *all;       /* of every loop, this one too */
    size_t count, index;               /* of all, and this one's place in it */
    struct counter *dropped;           /* raised for each delivery that could not be taken to another loop: its box was
                                          full, or there was no memory */
};

MUST err dispatch_open(const struct dispatch_options *options, uint64_t seed, struct dispatch **out); /* gives */
void dispatch_close(struct dispatch *d); /* takes; after all loops ended and their mailboxes are empty. NULL is fine */
struct carrier *dispatch_carrier(struct dispatch *d); /* lends */
struct shares *dispatch_shares(struct dispatch *d);   /* lends */

/* From a thread that is no loop: brings a message to one loop. Never refused; for what is bounded elsewhere (the
 * store's queue). */
void dispatch_bring(struct dispatch *to, struct message *message, enum route route);
