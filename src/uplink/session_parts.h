/* The parts of the session: for uplink/session*.c only, everybody else sees uplink/session.h. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/session.h"

enum {
    OUT_HIGH = 65536,     /* packets are put behind each other up to here, then the line must take some */
    FILTERS_AT_ONCE = 8,  /* in one SUBSCRIBE or UNSUBSCRIBE: some clouds take no more */
    SUBSCRIBE_ID = 65535, /* and downwards: over every identifier of the window */
};

/* Appends the packet to what the line is to write. */
MUST err session_say(struct session *s, const struct mqtt_packet *packet);

/* CONNECT (session_greet.c), and behind CONNACK UNSUBSCRIBE for former filters and SUBSCRIBE for today's. */
MUST err session_greet(struct session *s);
MUST err session_subscribe(struct session *s);
MUST err session_take_suback(struct session *s, const struct mqtt_suback *in);

/* Takes every whole packet that came, and acknowledges what became durable (session_hear.c). `session_dismissed` says
 * that the server ended the session itself, `session_deferred` that it refused a message that it may take later. */
MUST err session_hear(struct session *s);
extern const struct fault session_dismissed, session_deferred;

/* Drops from the spool what is settled from the oldest on. */
void session_drop_settled(struct session *s);
