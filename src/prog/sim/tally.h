/* What happened to a fleet, counted: each thread its own, added up at the end. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "base/count.h"
#include "base/histogram.h"
#include "prog/sim/mischief.h"
#include "prog/sim/plan.h"

enum { TALLY_REASONS = 32 };

/* Why connections were refused or lost, by the words for it, which are constants. The last row takes what finds no
 * room. */
struct tally_reasons {
    struct {
        const char *why;
        uint64_t count;
    } rows[TALLY_REASONS];
};

struct tally {
    /* Read by the thread that shows progress. */
    struct counter open, connects, acknowledged;
    uint64_t resumed;    /* of connects: by a ticket */
    uint64_t lost;       /* sessions that ended without our doing */
    uint64_t ended;      /* slow readers that the server ended: it may */
    uint64_t sent;       /* messages with QoS 1 */
    uint64_t refused;    /* of them: acknowledged with a reason that says no */
    uint64_t unanswered; /* of them: no answer when the connection or the run ended */
    uint64_t flood;      /* messages with QoS 0 of slow readers */
    uint64_t read;       /* of them: that came back */
    struct tally_reasons refusals, losses;
    struct {
        uint64_t tried, ended, open,
            served; /* ended by the server as it should; open at the end; taken as if it were good */
    } mischief[MISCHIEFS];
    struct histogram connect_us; /* from the first SYN to CONNACK */
    struct histogram ack_us;     /* from PUBLISH to PUBACK */
};

void tally_reason(struct tally_reasons *reasons, const char *why);
void tally_merge(struct tally *into, const struct tally *from);
/* The report: one JSON object, of which the members in `head` come first ("\"seed\":1,"). */
void tally_put_json(const struct tally *t, const char *head, struct buffer *out);
void tally_put_text(const struct tally *t, struct buffer *out);
/* Nothing was refused, lost or left unanswered that should not have been, and no mischief was served. */
bool tally_is_good(const struct tally *t);
