/* The flow: the one way of every request. Reading flow.c is reading the security order. The stages are filled through
 * ports, so that each can be tried alone and the whole in simulation. Belongs to one thread. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/clock.h"
#include "core/request.h"
#include "core/router.h"

/* Is the sender within its rate? ERR_FULL when not. */
struct limiter {
    err (*admit)(struct limiter *self, const struct request *r) MUST;
};

/* May this principal do this here? OK, or ERR_REFUSED: deny is the default. */
struct rule {
    err (*allows)(const struct rule *self, const struct request *r) MUST;
};

/* Is the device that a certificate names still known, and the certificate that of its present enrolment? Asked of
 * another thread, so the answer comes later and on the loop's own thread, by flow_resume. ERR_FULL: too many are being
 * asked; nothing will come. */
struct registry {
    err (*identify)(struct registry *self, struct request *r) MUST;
};

/* Does the payload hold what its topic promises, and what of it is to be kept? Fills r->why and remembers writes. */
struct inspector {
    err (*inspect)(struct inspector *self, struct request *r) MUST;
};

/* The way to the other loops. */
struct carrier {
    /* Have all loops that may want this message room for it? ERR_FULL. Asked before anything is kept; who asked may
     * then carry. */
    err (*room)(struct carrier *self, const struct message *message) MUST;
    /* Takes the message to the loops that may want it. `route` is what is left to be done there. */
    void (*carry)(struct carrier *self, struct message *message, enum route route);
    /* Is there a loop elsewhere whose sessions may keep it? */
    bool (*may_keep)(const struct carrier *self, const struct message *message);
    /* Offers the request's message on those loops, counts them in r->offers_out, and hangs what they promised on
     * r->offers and r->writes; each answer comes by flow_offered on this thread, never from inside this call. A fault
     * counts as an answer that came. */
    err (*offer)(struct carrier *self, struct request *r) MUST;
    /* Settles all on r->offers, where they were made. */
    void (*settle)(struct carrier *self, struct request *r, enum offer_outcome outcome);
};

/* Hears every outcome, refusals too. It may not answer, block or slow a request. */
struct tap {
    void (*outcome)(struct tap *self, const struct request *r);
};

/* All borrowed; none may be NULL. */
struct flow {
    struct limiter *limiter;
    const struct rule *rule;
    struct registry *registry;
    struct inspector *inspector;
    struct recorder *recorder;
    struct router *router;
    struct carrier *carrier;
    struct tap *tap;
    const struct clock *clock;
};

void flow_begin(struct flow *flow, struct request *r);
/* Goes on with a request that waits for its registry. */
void flow_resume(struct request *r, err verdict);
/* One of the loops that were asked has answered; `failed`: somebody there may not miss the message and cannot take it.
 */
void flow_offered(struct request *r, err failed);
