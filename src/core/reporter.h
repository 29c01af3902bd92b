/* The reporter port: turns what a door or the flow saw into a kept event. It may leave some out when there are too many,
 * and says how many it left out. Belongs to one loop. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/event.h"

/* All texts borrowed; any may be NULL or empty. No payloads and no secrets. */
struct report {
    enum event_kind kind;
    const char *device; /* the device it is about, when a handshake proved one */
    const char *peer;   /* address */
    const char *why;    /* a sentence */
    struct bytes topic; /* topic, filter or path */
};

struct reporter {
    void (*report)(struct reporter *self, const struct report *report);
};
