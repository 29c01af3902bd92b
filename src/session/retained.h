/* Retained messages (MQTT 5.0, 3.3.1.3) of one loop, found by topic filter. Each loop holds the same ones, told in the
 * order of the commits; the messages are shared between loops. The table grows by one bucket at a time, so no
 * call but retained_match takes long. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/message.h"

struct retained;

struct retained_limits {
    size_t messages_max;
    size_t bytes_max; /* of topics, payloads and properties */
};

MUST err retained_open(const struct retained_limits *limits, uint64_t seed,
                       struct retained **out); /* gives; copies limits */
void retained_close(struct retained *r);       /* takes; NULL is fine */

/* Would this message fit? ERR_FULL when it is a new topic (or a larger message) and a limit is reached. Asked before it
 * is kept, so that what is acknowledged can be held. A deletion always fits. */
MUST err retained_admits(const struct retained *r, const struct message *message);
/* Holds the message for its topic (well-formed) in place of the former one, beyond the limits if it must (what is kept
 * is held); an empty payload removes it. ERR_MEMORY: the former one stays. */
MUST err retained_put(struct retained *r, struct message *message);

/* Calls `found` for each message that the filter matches and that has not expired at now_us (wall clock); those that
 * have are removed on the way. Wildcards in the first level match no topic that begins with "$" (4.7.2). The walk
 * visits only nodes that can match; among a million topics that may be a million. `found` may not change the retained
 * ones. Its answer false ends the walk. */
struct retained_visitor {
    bool (*found)(struct retained_visitor *self, struct message *message);
};
void retained_match(struct retained *r, struct bytes filter, int64_t now_us, struct retained_visitor *visitor);

/* The same in pieces, so that one subscription holds up neither a loop nor a full queue. Between them the retained ones
 * may change: what is held all the while is found once; what comes or goes meanwhile perhaps. Copies the filter.
 * ERR_MEMORY. */
struct retained_walk;
MUST err retained_walk_open(struct retained *r, struct bytes filter, struct retained_walk **out); /* gives */
/* Goes on over at most so many nodes. `found` answers false when it cannot take the message just now: the walk pauses,
 * and offers that topic again when it goes on. True: there is more. */
bool retained_walk_on(struct retained_walk *w, int64_t now_us, size_t nodes, struct retained_visitor *visitor);
void retained_walk_close(struct retained_walk *w); /* takes, before the retained ones are closed; NULL is fine */

/* Removes what has expired among the next few buckets of the table, and goes on from there when called again: so that
 * what nobody asks for does not hold room for ever. Returns how many were removed. */
size_t retained_sweep(struct retained *r, int64_t now_us, size_t buckets);

size_t retained_count(const struct retained *r);
size_t retained_bytes(const struct retained *r);
