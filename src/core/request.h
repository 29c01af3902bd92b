/* A request: what a principal wants, free of any protocol's bytes. Every door turns its packets into these; there is no
 * second way in. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/message.h"
#include "core/principal.h"
#include "core/recorder.h"

enum verb {
    VERB_HELLO,   /* opens a session; resource: the client's name for it */
    VERB_BYE,     /* a session ended, whyever; without a resource it was refused, and only the presence that others left ends */
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

enum { REQUEST_WRITES_MAX = 34, REQUEST_WHY = 256 };

struct flow;

/* Embedded in whatever the door keeps of it; alive from flow_begin until `done` ran. */
struct request {
    enum verb verb;
    const struct principal *who; /* borrowed until done */
    const char *peer;            /* the other side's address, for events; borrowed until done */
    struct bytes certificate;    /* VERB_HELLO: the peer's, DER, empty when it showed none; borrowed while flow_begin runs */
    enum audience audience;      /* VERB_CALL */
    struct bytes resource;       /* borrowed until done */
    struct message *message;     /* VERB_PUBLISH; borrowed until done */
    size_t sessions_left;        /* VERB_BYE: other sessions that the principal still holds */
    void (*done)(struct request *self); /* once; perhaps before flow_begin returns */

    /* The outcome, for done and for the tap. */
    err refused;            /* OK: every stage let it pass */
    const char *refused_by; /* the stage's name */
    char why[REQUEST_WHY];  /* more than refused's text says, when a stage knew more; "" otherwise */

    /* The flow's own. */
    struct flow *flow;
    unsigned stage;
    struct write *writes[REQUEST_WRITES_MAX]; /* what an inspector wants remembered; owned until posted */
    size_t write_count;
    struct remembering *remembering;
    size_t waiting;
};

/* For inspectors: takes w; NULL (no memory) and too many are faults, and the flow drops what was added. */
MUST err request_remember(struct request *r, struct write *w);
