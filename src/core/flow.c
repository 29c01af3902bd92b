/* The one way of every request, top to bottom:
 *
 *   limit      is the sender within its rate?
 *   authorise  may this principal do this here? deny is the default
 *   identify   is the device of this certificate still in the registry? (asks another thread)
 *   inspect    does the payload hold what its topic promises, and what of it is kept?
 *   remember   what is kept is durable before anything is acknowledged (waits for the store's commit)
 *   route      to whoever watches, on this loop and on the others
 *
 * A stage passes the request on, refuses it, or lets it wait; a refused request goes no further. The tap hears every
 * outcome, then the door answers. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/flow.h"

#include "base/memory.h"

static const struct fault no_memory = {ERR_MEMORY, "flow: no memory to remember a request"};
static const struct fault too_many = {ERR_TOO_LARGE, "flow: one request asks for too many writes"};

enum step { STEP_NEXT, STEP_REFUSE, STEP_WAIT };

/* One write on its way to the store; a request may wait for several. */
struct remembering {
    struct errand errand;
    struct request *request;
};

static enum step verdict(struct request *r, err e)
{
    r->refused = e;
    return e ? STEP_REFUSE : STEP_NEXT;
}

static enum step limit(struct flow *flow, struct request *r)
{
    return verdict(r, flow->limiter->admit(flow->limiter, r));
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

static enum step inspect(struct flow *flow, struct request *r)
{
    return verdict(r, flow->inspector->inspect(flow->inspector, r));
}

static void run(struct request *r);

static void remembered(struct errand *errand)
{
    struct remembering *one = CONTAINER(errand, struct remembering, errand);
    struct request *r = one->request;
    if (!r->refused)
        r->refused = errand->result.failed;
    if (--r->waiting)
        return;
    mem_drop(r->remembering);
    r->remembering = NULL;
    run(r);
}

static enum step remember(struct flow *flow, struct request *r)
{
    size_t count = r->write_count, posted = 0;
    if (!count)
        return STEP_NEXT;
    r->remembering = mem_take(count, sizeof *r->remembering);
    if (!r->remembering)
        return verdict(r, &no_memory);
    for (err failed = OK; posted < count && !failed;) {
        struct remembering *one = &r->remembering[posted];
        *one = (struct remembering){.request = r, .errand = {.write = r->writes[posted], .done = remembered}};
        failed = flow->recorder->post(flow->recorder, &one->errand);
        posted += !failed;
        r->refused = failed;
    }
    /* What did not fit in is dropped by finish(); what did must come back before the request can end. */
    for (size_t i = 0; i < posted; i++)
        r->writes[i] = NULL;
    r->waiting = posted;
    if (posted)
        return STEP_WAIT;
    mem_drop(r->remembering);
    r->remembering = NULL;
    return STEP_REFUSE;
}

static enum step route(struct flow *flow, struct request *r)
{
    router_route(flow->router, r->message);
    return verdict(r, flow->carrier->carry(flow->carrier, r->message));
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
    {"remember",  remember,  {[VERB_HELLO] = true, [VERB_PUBLISH] = true, [VERB_BYE] = true}},
    {"route",     route,     {[VERB_PUBLISH] = true}},
};
/* clang-format on */

enum { STAGES = sizeof stages / sizeof *stages };

static void finish(struct request *r)
{
    for (size_t i = 0; i < r->write_count; i++)
        write_drop(r->writes[i]);
    r->write_count = 0;
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
    r->refused = OK;
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
    r->writes[r->write_count++] = w;
    return OK;
}
