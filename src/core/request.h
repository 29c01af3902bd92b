/* A request: what a principal wants, free of any protocol's bytes. Every door turns its packets into these; there is no
 * second way in. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/list.h"
#include "core/message.h"
#include "core/offer.h"
#include "core/principal.h"
#include "core/recorder.h"

enum verb {
    VERB_HELLO,   /* opens a session; resource: the client's name for it */
    VERB_BYE,     /* a session ended, whyever; without a resource it was refused, and only the presence that others left
                     ends */
    VERB_PUBLISH, /* resource: the topic name */
    VERB_WATCH,   /* resource: the topic filter */
    VERB_CALL,    /* resource: the path */
    VERBS
};

/* Who may make a call; a route says it of itself. Deny is the zero value. */
enum audience {
    AUDIENCE_NOBODY = 0,
    AUDIENCE_ANYBODY,
    AUDIENCE_DEVICE,
    AUDIENCE_OPERATOR,
    AUDIENCE_MEMBER, /* whoever may have an MQTT session */
};

enum { REQUEST_WRITES_MAX = 128, REQUEST_WHY = 256 }; /* the inspector's and the door's, and one of each other loop */

struct flow;

/* The order of one sender's publications (MQTT 5.0, 4.6). Some wait for other loops or for the store and others need
 * not; none may overtake one that came before. Embedded in a session; lane_open readies it. */
struct lane {
    struct list parked;   /* requests that wait for an earlier one's offer to be posted */
    uint32_t offering;    /* requests whose offer is still out */
    uint32_t remembering; /* requests that wait for the store */
};

static inline void lane_open(struct lane *lane)
{
    *lane = (struct lane){.offering = 0};
    list_open(&lane->parked);
}

static inline bool lane_is_busy(const struct lane *lane)
{
    return lane->offering || lane->remembering || !list_empty(&lane->parked);
}

/* Embedded in whatever the door keeps of it; alive from flow_begin until `done` ran. Made by request_open. */
struct request {
    enum verb verb;
    enum audience audience;      /* VERB_CALL */
    const struct principal *who; /* borrowed until done */
    const char *peer;            /* the other side's address, for events; borrowed until done */
    struct bytes
        certificate;       /* VERB_HELLO: the peer's, DER, empty when it showed none; borrowed while flow_begin runs */
    struct bytes resource; /* borrowed until done */
    struct message *message; /* VERB_PUBLISH; borrowed until done */
    struct lane *lane;       /* VERB_PUBLISH; borrowed until done */
    bool is_will; /* VERB_PUBLISH: its CONNECT was counted already, and it must be published (MQTT 5.0, 3.1.2-8) */
    size_t sessions_left;               /* VERB_BYE: other sessions that the principal still holds */
    void (*done)(struct request *self); /* once; perhaps before flow_begin returns */

    /* The outcome, for done and for the tap. */
    err refused;            /* OK: every stage let it pass */
    const char *refused_by; /* the stage's name */
    char why[REQUEST_WHY];  /* more than refused's text says, when a stage knew more; "" otherwise */

    /* The flow's own. */
    struct flow *flow;
    unsigned stage;
    struct write *writes, **writes_end; /* what is to be kept; owned until posted */
    size_t write_count;
    struct errand errand;
    struct offer offer;  /* on this loop */
    bool offered;        /* it was offered, here or elsewhere */
    size_t offers_out;   /* answers of other loops that are awaited */
    struct list offers;  /* their answers, for the carrier to settle */
    struct list parking; /* in the lane's `parked` */
};

/* Sets all that has no value of its own; a compound literal would clear what is large and only written when needed. */
static inline void request_open(struct request *r, enum verb verb, const struct principal *who, const char *peer)
{
    r->verb = verb;
    r->audience = AUDIENCE_NOBODY;
    r->who = who;
    r->peer = peer;
    r->certificate = r->resource = (struct bytes){NULL, 0};
    r->message = NULL;
    r->lane = NULL;
    r->is_will = false;
    r->sessions_left = 0;
    r->done = NULL;
    r->refused = OK;
    r->refused_by = NULL;
    r->why[0] = 0;
    r->writes = NULL;
    r->writes_end = &r->writes;
    r->write_count = 0;
    r->offer = (struct offer){.count = 0};
    r->offered = false;
    r->offers_out = 0;
    list_open(&r->offers);
    list_open(&r->parking);
}

/* For inspectors, and for a door that keeps something of its own with a request (before flow_begin; it goes behind what
 * the inspector keeps): takes w; NULL (no memory) and too many are faults, and the flow drops what was added. */
MUST err request_remember(struct request *r, struct write *w);
