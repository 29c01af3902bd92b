/* The running bridge: two links, and between them a crossing each way.
 *
 *   local    the link to Holdfast, as the device that the bridge is enrolled as                              (side.c)
 *   remote   the link to the other broker                                                                    (side.c)
 *   renewer  the device's certificate (device/renewer.h)
 *   beat     every second: does a stopped crossing go on, is there something to tell?                     (report.c)
 *
 * What one link hears goes into the spool that the other link empties (uplink/crossing.h). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "device/renewer.h"
#include "os/signals.h"
#include "prog/bridge/remote_files.h"
#include "prog/bridge/subscriptions.h"
#include "uplink/crossing.h"

struct bridge;

struct side {
    struct link_owner owner;
    struct bridge *bridge;
    enum mapping_side name;
    struct link *link;
    struct crossing crossing; /* takes what comes on this side; its spool is emptied by the other side's link */
    struct subscriptions subscriptions;
    struct link_note note; /* the last; its `why` is not kept */
    int64_t since_us;
    bool on_purpose;        /* it reconnects because we wanted it to: no loss to be told */
    char why[WHY_TEXT];     /* of the last change */
    char said[WHY_TEXT];    /* as it was logged last; said once, not at every attempt */
    size_t refused_filters; /* of this connection */
};

struct reporting {
    struct timer beat;
    int64_t state_at_ms, figures_at_ms, losses_at_ms; /* monotonic: when each is due */
    uint64_t told_lost[2];                            /* by side */
    struct buffer state;                              /* as it was left last */
};

struct bridge {
    const struct bridge_plan *plan; /* borrowed, as the next three */
    const struct log *log;
    const struct clock *clock;
    const struct dice *dice;
    struct credentials credentials;
    struct remote_access access;
    struct loop *loop;
    struct worker *worker;
    struct signals signals;
    struct renewer renewer;
    struct side sides[2]; /* by enum mapping_side */
    struct reporting reporting;
    bool stopping;
};

static inline struct side *other_side(struct side *s)
{
    return &s->bridge->sides[s->name == MAPPING_LOCAL ? MAPPING_REMOTE : MAPPING_LOCAL];
}

/* Opens the side's queue and what it remembers; both sides, before a link is made. */
MUST err side_open(struct bridge *b, enum mapping_side name);
MUST err side_connect(struct side *s);
void side_use_credentials(struct side *s); /* of the local side: they were renewed */
void side_resume(struct side *s);          /* when its crossing stopped and may go on */
void side_close(struct side *s);           /* the link first, of both sides, then the rest */
void side_drop(struct side *s);

MUST err report_start(struct bridge *b);
void report_last(struct bridge *b); /* the state that a stopped bridge leaves */
void report_drop(struct bridge *b);

/* What the running bridge leaves for `status`: a JSON object, replaced when something changed. */
#define STATE_FILE "state.json"
enum { STATE_MAX = 16384 };
