/* Notices: events that this room records, each with a flat JSON object of texts as its detail. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

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

/* Best effort, and blocking: what is noted has happened, whether or not there is room to say so. */
void notice_record(struct recorder *recorder, const struct clock *clock, const struct notice *notice);
