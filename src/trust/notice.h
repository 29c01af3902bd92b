/* Notices: events that this room records, each with a flat JSON object of texts as its detail. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/bucket.h"
#include "base/clock.h"
#include "core/recorder.h"

enum { NOTICE_FIELDS_MAX = 6, NOTICE_TEXT_MAX = 256 /* bytes of a field that are kept */ };

struct notice {
    enum event_kind kind;
    const char *device; /* NULL: about none */
    struct notice_field {
        const char *name;
        struct bytes text; /* empty: the field is left out */
    } fields[NOTICE_FIELDS_MAX];
};

/* How many notices of what strangers may cause are recorded: NOTICE_BURST at once, then NOTICE_PER_S. Without a bound
 * they could fill the disk. {0} is a full one; it belongs to one thread. */
enum { NOTICE_PER_S = 20, NOTICE_BURST = 200 };
struct notice_budget {
    struct bucket bucket;
    uint64_t left_out; /* since the last one that was recorded */
};
/* False: the budget is spent, and this one is counted as left out. */
bool notice_budget_take(struct notice_budget *budget, int64_t now_ms);

/* Best effort, and blocking: what is noted has happened, whether or not there is room to say so. */
void notice_record(struct recorder *recorder, const struct clock *clock, const struct notice *notice);
