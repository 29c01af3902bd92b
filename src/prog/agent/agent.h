/* The running agent: one loop that measures, keeps, sends and looks after its certificate.
 *
 *   pulse    every interval: probes -> telemetry -> spool; is the disk nearly full, did the clock jump?   (pulse.c)
 *   uplink   the link that empties the spool; what to do when the server refuses the device               (outbound.c)
 *   care     the certificate's renewal and the clock's offset, by errands of the worker                   (care.c)
 *
 * Everything works without a connection from the first second: messages wait in the spool, and the link drains it in
 * order when the server is there. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "device/credentials.h"
#include "device/est_client.h"
#include "device/probe.h"
#include "device/renewer.h"
#include "os/loop.h"
#include "prog/agent/reporter.h"
#include "prog/agent/settings.h"
#include "uplink/link.h"

struct pulse {
    struct timer timer, inventory_timer;
    struct probe_memory memory;
    int64_t wall_us, monotonic_ms; /* of the beat before, for jumps of the clock; 0: there was none */
    bool disk_is_low;
    uint8_t inventory_digest[32];
    int64_t inventory_sent_ms; /* monotonic; 0: never */
};

struct outbound {
    struct link_owner owner;
    struct link *link;
    struct timer reopen;
    enum mqtt_reason refusal; /* why the server refuses this device; MQTT_SUCCESS: it does not */
    enum link_state state;
    uint64_t told_lost;  /* messages that the spool lost and the server was told of */
    bool reconnecting;   /* on purpose, for new credentials: no loss to be told */
    char said[WHY_TEXT]; /* why there is no connection, as it was logged last; said once, not at every attempt */
};

/* What crosses to the worker and back. It owns all it has; the agent reads it only when it is not away. */
struct clock_check {
    struct errand errand;
    const struct counter *abandon;
    const struct clock *clock;
    char url[SERVER_URL_TEXT];
    struct buffer root_pem;
    int64_t ahead_us;
    err failed;
    char why[WHY_TEXT];
};

struct care {
    struct timer timer; /* of the clock's check */
    struct renewer renewer;
    struct clock_check clock_check;
    struct counter abandon;
    int64_t check_not_before_ms; /* monotonic */
    bool has_offset;
    int64_t ahead_us; /* of this machine's clock over the server's */
};

struct agent {
    const struct agent_settings *settings; /* borrowed, as the next four */
    const struct log *log;
    const struct clock *clock;
    const struct dice *dice;
    struct site site;
    struct credentials credentials;
    struct loop *loop;
    struct spool *spool;
    struct worker *worker;
    struct reporter reporter;
    struct pulse pulse;
    struct outbound outbound;
    struct care care;
    struct watcher signals;
    struct timer last_words;
    int64_t stop_by_ms; /* monotonic; 0: not stopping */
};

/* Each part is started once the loop, the spool and the worker are there, and touches nothing after agent_close. */
MUST err pulse_start(struct agent *a);
MUST err outbound_start(struct agent *a);
void outbound_stop(struct agent *a);
void outbound_use_credentials(struct agent *a);              /* the credentials were renewed */
void outbound_leave_state(struct agent *a, const char *why); /* for `holdfast-agent status`; best effort */
MUST err care_start(struct agent *a);
void care_stop(struct agent *a); /* asks nobody any more, and gives up what is under way */
void care_drop(struct agent *a); /* after the worker was stopped */

/* True when `why` differs from what was said last, and remembers it: what lasts for days is logged once. */
bool agent_says_anew(char said[WHY_TEXT], const char *why);

/* Sets a timer again; the loop's heap of timers cannot be full, for all were set before, so a failure ends the loop. */
void agent_again(struct agent *a, struct timer *timer, int64_t after_ms);
