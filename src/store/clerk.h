/* The clerk: the one thread that writes the store. Whatever waits is committed together (group commit), so an fsync is
 * paid once for all writes that arrived while the former one ran.
 *
 * The way of a write: recorder.post -> the clerk's mailbox -> begin, apply each, commit -> what is kept is told to the
 * sink -> each errand goes back to the mailbox it came from, with its result. An errand is never split between batches.
 * A batch that cannot be committed is rolled back and every write in it gets the fault: nothing is acknowledged that is
 * not on the disk. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "base/latency.h"
#include "core/recorder.h"
#include "core/store.h"
#include "os/log.h"
#include "os/loop.h"

struct clerk;

struct clerk_options {
    struct store_writer *writer; /* borrowed until clerk_stop returns; used by no other thread meanwhile */
    const struct clock *clock;   /* borrowed */
    struct kept_sink *sink;      /* borrowed; may be NULL, and so may be its functions. Called on the store thread */
    struct log log;
    size_t queue_max; /* errands that may wait; one more is ERR_FULL. Passed by what loops gathered in one turn */
    size_t batch_max; /* writes in one commit, 1 or more; passed by the rest of its last errand */
};

MUST err clerk_start(const struct clerk_options *options, struct clerk **out); /* borrows options; gives */
/* Commits what waits, then ends the thread. No other thread posts any more by then, and the home mailboxes still stand:
 * answers may lie in them afterwards. Its recorders stand too, since whoever opens such an answer may wish to write
 * once more, and take nothing any more (ERR_CLOSED). Twice is fine, and so is NULL. */
void clerk_stop(struct clerk *clerk);
void clerk_close(struct clerk *clerk); /* takes; stops it first. When the homes are empty. NULL is fine */

/* A recorder for one home: the `done` of its errands runs on the thread that delivers the mailbox `home`, which is
 * borrowed. Without a home (NULL), `done` runs on the store thread itself, and must be short. `record` waits on the
 * calling thread, whatever the home. Lent until clerk_close; at most CLERK_RECORDERS_MAX, then ERR_FULL. */
enum { CLERK_RECORDERS_MAX = 64 };
MUST err clerk_recorder(struct clerk *clerk, struct mailbox *home, struct recorder **out);
/* The same for a loop, whose thread alone posts: what it posts in a turn is handed over together when the turn ends, so
 * that a thousand posts cost one lock. The loop is borrowed until its thread is over or clerk_stop. */
MUST err clerk_loop_recorder(struct clerk *clerk, struct loop *loop, struct recorder **out);

/* While the store does not commit, the clerk tries again with each next batch, and at least once a second or so. The
 * events store.full, store.failed and store.recovered are kept when commits work again, with the times they had. */
enum clerk_state { CLERK_OK, CLERK_FULL, CLERK_FAILED };

struct clerk_health {
    enum clerk_state state;
    err failed;              /* why, unless CLERK_OK */
    int64_t since_us;        /* when the state began */
    uint64_t commits;        /* batches on the disk */
    uint64_t writes;         /* writes in them, refused ones included */
    uint64_t failed_batches; /* batches rolled back: none of their writes was acknowledged */
    size_t batch_high_water; /* most writes in one commit */
    int64_t commit_us;       /* how long the last commit took, from its first write applied to the disk's answer */
    int64_t commit_us_max;
    struct latency_sum commit_times; /* of all commits */
    struct mailbox_counts queue;
};

void clerk_read_health(struct clerk *clerk, struct clerk_health *out); /* from any thread */
