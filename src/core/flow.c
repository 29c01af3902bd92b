/* The one way of every request, top to bottom:
 *
 *   limit      is the sender within its rate?
 *   authorise  may this principal do this here? deny is the default
 *   identify   is the device of this certificate still in the registry? (asks another thread)
 *   inspect    does the payload hold what its topic promises, and what of it is kept?
 *   offer      who keeps this message for later, here and on other loops? (waits for their promises)
 *   remember   all that is kept is durable, in one commit, before anything is acknowledged (waits for the store)
 *   route      to whoever watches, on this loop and on the others; promises become deliveries
 *
 * A stage passes the request on, refuses it, or lets it wait; a refused request goes no further. The tap hears every
 * outcome, then the door answers. A publication never overtakes an earlier one of its lane: it is parked while an offer
 * before it is out, and goes by the store's queue while one before it waits there. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/flow.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "flow: no memory to remember a request"};
static const struct fault too_many = {ERR_TOO_LARGE, "flow: one request asks for too many writes"};

enum step { STEP_NEXT, STEP_REFUSE, STEP_WAIT };

static void run(struct request *r);

static enum step verdict(struct request *r, err e)
{
    r->refused = e;
    return e ? STEP_REFUSE : STEP_NEXT;
}

static enum step limit(struct flow *flow, struct request *r)
{
    return r->is_will ? STEP_NEXT : verdict(r, flow->limiter->admit(flow->limiter, r));
}

static enum step authorise(struct flow *flow, struct request *r)
{
    return verdict(r, flow->rule->allows(flow->rule, r));
}

static enum step identify(struct flow *flow, struct request *r)
{
    if (r->who->kind != PRINCIPAL_DEVICE)
        return STEP_NEXT;
    err failed = flow->registry->identify(flow->registry, r);
    return failed ? verdict(r, failed) : STEP_WAIT;
}

/* An errand is applied up to its first write that the store refuses, and only what the inspector keeps can be refused
 * there: so what the door keeps of the request comes behind it, or a packet identifier, say, would stay in the store
 * although its message was refused. */
static enum step inspect(struct flow *flow, struct request *r)
{
    struct write *of_door = r->writes, **end = r->writes_end;
    r->writes = NULL;
    r->writes_end = &r->writes;
    err failed = flow->inspector->inspect(flow->inspector, r);
    *r->writes_end = of_door;
    r->writes_end = of_door ? end : r->writes_end;
    return verdict(r, failed);
}

/* ---- offer */

/* What was promised here is written with what else is kept of the request. */
static enum step promised(struct flow *flow, struct request *r)
{
    if (!r->refused)
        r->refused = r->offer.failed;
    if (!r->refused && r->offer.kept)
        r->refused = request_remember(r, offer_write(&r->offer, wall_us(flow->clock)));
    return r->refused ? STEP_REFUSE : STEP_NEXT;
}

static enum step offer_now(struct flow *flow, struct request *r)
{
    struct message *m = r->message;
    enum step step = verdict(r, flow->carrier->room(flow->carrier, m));
    bool here = m->qos && router_may_keep(flow->router, m->topic);
    bool there = m->qos && flow->carrier->may_keep(flow->carrier, m);
    if (step != STEP_NEXT || (!here && !there))
        return step;
    r->offered = true;
    r->offer.message = m;
    router_offer(flow->router, &r->offer, ROUTE_FRESH);
    err failed = flow->carrier->offer(flow->carrier, r);
    if (!r->refused)
        r->refused = failed;
    if (!r->offers_out)
        return promised(flow, r);
    r->lane->offering++;
    return STEP_WAIT;
}

static enum step offer(struct flow *flow, struct request *r)
{
    struct lane *lane = r->lane;
    if (!lane->offering && list_empty(&lane->parked))
        return offer_now(flow, r);
    list_append(&lane->parked, &r->parking);
    return STEP_WAIT;
}

/* Those behind an offer that came home, in order, up to the next one that goes out. */
static void unpark(struct lane *lane)
{
    while (!lane->offering && !list_empty(&lane->parked)) {
        struct request *r = CONTAINER(list_take(&lane->parked), struct request, parking);
        bool last = list_empty(&lane->parked); /* the lane may go with its last request */
        if (offer_now(r->flow, r) != STEP_WAIT)
            run(r);
        if (last)
            return;
    }
}

void flow_offered(struct request *r, err failed)
{
    struct lane *lane = r->lane;
    if (!r->refused)
        r->refused = failed;
    if (--r->offers_out)
        return;
    lane->offering--;
    bool others = !list_empty(&lane->parked);
    (void)promised(r->flow, r); /* its verdict stands in r->refused */
    run(r);
    if (others)
        unpark(lane);
}

/* ---- remember */

static void remembered(struct errand *errand)
{
    struct request *r = CONTAINER(errand, struct request, errand);
    if (r->lane)
        r->lane->remembering--;
    r->refused = errand->result.failed;
    run(r);
}

static enum step remember(struct flow *flow, struct request *r)
{
    bool behind = r->lane && r->lane->remembering;
    if (!r->writes && !behind)
        return STEP_NEXT;
    r->errand.write = r->writes;
    r->errand.result = (struct write_result){.failed = OK};
    r->errand.done = remembered;
    err failed = flow->recorder->post(flow->recorder, &r->errand);
    if (failed)
        return verdict(r, failed); /* finish() drops the writes */
    r->writes = NULL;
    r->writes_end = &r->writes;
    if (r->lane)
        r->lane->remembering++;
    return STEP_WAIT;
}

static enum step route(struct flow *flow, struct request *r)
{
    if (r->offered)
        router_route_offered(flow->router, &r->offer);
    else
        router_route(flow->router, r->message, ROUTE_FRESH);
    flow->carrier->carry(flow->carrier, r->message, r->offered ? ROUTE_OFFERED : ROUTE_CARRIED);
    return STEP_NEXT;
}

/* A table is read by its columns: */
/* clang-format off */
static const struct stage {
    const char *name;
    enum step (*pass)(struct flow *flow, struct request *r);
    bool meets[VERBS];
} stages[] = {
    {"limit",     limit,     {[VERB_HELLO] = true, [VERB_PUBLISH] = true, [VERB_WATCH] = true, [VERB_CALL] = true}},
    {"authorise", authorise, {[VERB_HELLO] = true, [VERB_PUBLISH] = true, [VERB_WATCH] = true, [VERB_CALL] = true}},
    {"identify",  identify,  {[VERB_HELLO] = true}},
    {"inspect",   inspect,   {[VERB_HELLO] = true, [VERB_PUBLISH] = true, [VERB_BYE] = true}},
    {"offer",     offer,     {[VERB_PUBLISH] = true}},
    {"remember",  remember,  {[VERB_HELLO] = true, [VERB_PUBLISH] = true, [VERB_BYE] = true}},
    {"route",     route,     {[VERB_PUBLISH] = true}},
};
/* clang-format on */

enum { STAGES = sizeof stages / sizeof *stages };

static void finish(struct request *r)
{
    enum offer_outcome outcome = r->refused ? OFFER_REFUSED : OFFER_KEPT;
    write_drop(r->writes);
    r->writes = NULL;
    if (r->offered) {
        offer_settle(&r->offer, outcome);
        r->flow->carrier->settle(r->flow->carrier, r, outcome);
    }
    if (r->refused)
        r->refused_by = stages[r->stage < STAGES ? r->stage : STAGES - 1].name;
    r->flow->tap->outcome(r->flow->tap, r);
    r->done(r);
}

/* Goes on behind the stage that r->stage names, which has been passed or refused. */
static void run(struct request *r)
{
    while (!r->refused && ++r->stage < STAGES) {
        const struct stage *stage = &stages[r->stage];
        if (stage->meets[r->verb] && stage->pass(r->flow, r) == STEP_WAIT)
            return;
    }
    finish(r);
}

void flow_begin(struct flow *flow, struct request *r)
{
    r->flow = flow;
    r->stage = (unsigned)-1; /* before the first */
    run(r);
}

void flow_resume(struct request *r, err e)
{
    r->refused = e;
    run(r);
}

err request_remember(struct request *r, struct write *w)
{
    if (!w)
        return &no_memory;
    if (r->write_count == REQUEST_WRITES_MAX) {
        write_drop(w);
        return &too_many;
    }
    *r->writes_end = w;
    r->writes_end = &w->next;
    r->write_count++;
    return OK;
}
