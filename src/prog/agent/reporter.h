/* The reporter: what the agent says, as messages in the spool. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/event.h"
#include "device/measure.h"
#include "os/log.h"
#include "uplink/spool.h"

/* Everything borrowed. A message that cannot be kept is logged once, until one can be kept again. */
struct reporter {
    struct spool *spool;
    const struct clock *clock;
    const struct log *log;
    const char *device;
    bool failing;
};

void report_measures(struct reporter *r, const struct measures *measures); /* with the time of now */
void report_document(struct reporter *r, struct bytes payload);            /* one JSON object, as the twin's */

/* One event of this device's own, with the time of now in its detail. */
struct report {
    const char *kind;       /* "agent.started" */
    enum severity severity;
    struct bytes detail;    /* members of a JSON object, without the braces: "\"count\":7"; may be empty */
};
void report_event(struct reporter *r, const struct report *report);
