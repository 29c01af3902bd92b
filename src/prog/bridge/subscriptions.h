/* What was subscribed before: a server that has kept the session still sends what a rule asked for that is gone. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/mapping.h"

enum { SUBSCRIPTIONS_FILE_MAX = 1 << 18 };

/* Embedded in its owner; drop it with subscriptions_drop. */
struct subscriptions {
    char path[256]; /* a filter a line */
    struct mapping_filters today, former;
    struct buffer texts, former_texts; /* which the filters borrow */
};

/* Fills `today` from the rules and `former` from the file, without those of today; then the file holds both. */
MUST err subscriptions_open(struct subscriptions *s, const char *folder, const struct mappings *m,
                            enum mapping_side side);
/* The former ones are unsubscribed: the file holds today's alone. */
MUST err subscriptions_settled(struct subscriptions *s);
void subscriptions_drop(struct subscriptions *s);
