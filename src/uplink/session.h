/* The session: MQTT over one line, from CONNECT to its end. When to begin one and how long to wait is the link's
 * business. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "uplink/line.h"
#include "uplink/link.h"
#include "uplink/window.h"

enum session_phase {
    SESSION_OFF = 0,
    SESSION_OPENING, /* up to CONNACK */
    SESSION_UP,
};

enum { SESSION_ANSWERS_MAX = 256 };

struct session {
    const struct link_options *options; /* borrowed, with all in it */
    struct link_counts *counts;         /* borrowed */
    struct line line;
    struct window window;
    enum session_phase phase;
    enum mqtt_version version; /* spoken, or to be spoken next; the link may change it while the session is off */
    uint16_t window_max;       /* records on their way: the option, and the server's receive maximum */
    uint32_t packet_max;       /* the server's */
    uint16_t keep_alive;       /* seconds: the option, or what the server says */
    bool greeted;              /* CONNECT is written */
    bool spoke, heard;         /* since the last tick */
    bool asked;                /* PINGREQ is out */
    bool progressed;           /* something was settled, or a tick passed: this server works */
    bool halted;               /* the owner wants nothing more from it */
    bool draining;             /* nothing new is sent */
    bool present;              /* the server has kept the session */
    bool deaf;                 /* the owner could not take a message: none is taken until the next connect */
    uint64_t held;             /* a record that the window did not take, to be sent next; 0: none */
    uint64_t sent_through;     /* the highest record ever sent in this process; 0: none */
    uint64_t again_through;    /* records up to this one may have been sent to the session before: DUP */
    size_t skip;               /* bytes of a packet that is passed over */
    uint16_t answers[SESSION_ANSWERS_MAX]; /* packets that were taken, to be acknowledged once they are durable */
    size_t answer_count;
    enum mqtt_reason reason; /* after a failure: the server's word, MQTT_SUCCESS when there was none */
    char why[2 * LINE_WHY];  /* and the whole sentence */
};

/* What a session ends with when the server does not speak this version of MQTT. */
extern const struct fault session_other_version;

void session_prepare(struct session *s, const struct link_options *options, struct link_counts *counts);
/* On an error the session is off, and why and reason say what was wrong; the same for all below. */
MUST err session_start(struct session *s, const struct line_target *target);
MUST err session_turn(struct session *s); /* the line is ready; calls the owner back */
MUST err session_pump(struct session *s); /* sends what the window has room for; calls the owner back */
MUST err session_remark(struct session *s, struct bytes topic, struct bytes payload); /* at QoS 0, when there is room */
MUST err session_tick(struct session *s);                                             /* due every session_tick_ms */
int64_t session_tick_ms(const struct session *s);                                     /* half the keep-alive */
bool session_is_idle(const struct session *s);                                        /* nothing is on its way */
void session_end(struct session *s);  /* says DISCONNECT when it can without waiting */
void session_drop(struct session *s); /* for good: frees what it has */
