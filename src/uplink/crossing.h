/* The crossing: one direction of a bridge. What comes on one side waits in a spool until the other side has it. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/link.h"
#include "uplink/mapping.h"

/* The happy path: the link of one side gives a message to crossing_take, which renames it and puts it into the spool;
 * crossing_settle makes it durable, and only then does the link acknowledge it; the link of the other side sends the
 * record, unpacked by crossing_unwrap, and drops it when the other server has acknowledged it. So whoever dies at any
 * moment, each message is at a server or in the spool, and the order of each side is kept.
 *
 * When the spool takes no more (its bound with SPOOL_REFUSE, or a disk that fails) the message is not taken: the link
 * goes deaf, and crossing_may_resume says when to reconnect it, so that the server sends again what it still has. */

struct crossing_counts {
    uint64_t taken;    /* messages put into the spool */
    uint64_t durable;  /* times that settle has made some of them durable */
    uint64_t absent;   /* lost: QoS 0 by its rule, while the other side was not connected */
    uint64_t unmapped; /* lost: no rule takes the topic (of a former configuration, or a filter's parent level) */
    uint64_t unfit;    /* lost: a topic or payload over what the spool takes */
    uint64_t expired;  /* lost: its message expiry was over before it could be sent */
    uint64_t refused;  /* lost: the other server will never take it */
    uint64_t withheld; /* times that the flow was stopped because the spool took no more */
};

/* Embedded in its owner, who fills the first part. All pointers are borrowed. */
struct crossing {
    struct spool *spool;
    uint64_t spool_max; /* its bound */
    struct mappings mappings;
    enum mapping_side from;
    const struct clock *clock;
    const struct log *log;
    bool other_is_up; /* kept up to date by the owner: the other side is connected */

    struct crossing_counts counts;
    struct buffer parcel; /* scratch */
    bool unsettled;       /* something of QoS 1 was taken since the last settle */
    bool stopped;         /* not resumed since the spool took no more */
    int64_t resume_at_ms; /* not before, by the monotonic clock */
};

enum { CROSSING_PAUSE_MS = 1000 }; /* the least between stopping and resuming */

void crossing_open(struct crossing *c); /* the first part is filled; a drop frees the scratch */
void crossing_drop(struct crossing *c);

enum link_arrival crossing_take(struct crossing *c, const struct mqtt_publish *publish);
MUST err crossing_settle(struct crossing *c);
/* True once after a stop, when there is room again (a quarter of the bound) and CROSSING_PAUSE_MS have passed. */
bool crossing_may_resume(struct crossing *c);

/* For the link of the other side. */
enum link_sending crossing_unwrap(struct crossing *c, const struct spool_record *record, struct mqtt_publish *out);
void crossing_refused(struct crossing *c, enum mqtt_reason reason, const struct spool_record *record);

uint64_t crossing_lost(const struct crossing *c); /* all that is lost, also by the spool's bound and by damage */
