/* The flow with every port played: what a refusal keeps from running, who hears of it, what becomes of writes, and that
 * no publication overtakes another of its lane, whatever each of them waits for. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/flow.h"

#include "base/buffer.h"
#include "base/list.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct fault no = {ERR_REFUSED, "test: no"};
static const struct fault full = {ERR_FULL, "test: full"};
static const struct fault lost = {ERR_IO, "test: the disk is gone"};

#define NOW_US INT64_C(1767225600000000)

enum { STEPS_MAX = 512, REQUESTS = 8 };

struct stage_play;

/* One publication, or whatever the verb asks for. */
struct asked {
    struct request request;
    struct stage_play *play;
    unsigned done;
};

/* All ports at once. What each of them was asked is written down as a line of words. */
struct stage_play {
    struct limiter limiter;
    struct rule rule;
    struct registry registry;
    struct inspector inspector;
    struct recorder recorder;
    struct carrier carrier;
    struct tap tap;
    struct clock clock;
    struct promiser promiser;
    struct subscription watcher;
    struct interests interests;
    struct flow flow;
    struct lane lane;
    struct asked asked[REQUESTS];
    size_t asked_count;

    const char *refuses; /* this stage refuses */
    err with;
    size_t writes;          /* how many the inspector asks for */
    size_t posts_before_no; /* the recorder takes so many, then no more */
    size_t elsewhere;       /* loops that are offered each message with QoS 1 or 2 */
    err offer_says;         /* of the carrier, when it has sent those */
    err keeper_says;        /* the watcher keeps; a fault: it cannot take the message and may not miss it */
    struct errand *posted[REQUEST_WRITES_MAX];
    size_t posted_count;
    unsigned kept, cancelled;       /* promises of this loop */
    unsigned settled[2];            /* by the carrier, by outcome */
    enum route carried;             /* as carry was told last */
    err heard;                      /* by the tap */
    const char *heard_by;
    unsigned told;
    char steps[STEPS_MAX];
    char order[STEPS_MAX]; /* the payloads, as they were delivered */
};

static int64_t wall(const struct clock *self)
{
    return NOW_US;
}

static err step(struct stage_play *p, const char *name)
{
    strncat(p->steps, name, STEPS_MAX - strlen(p->steps) - 1);
    strncat(p->steps, " ", STEPS_MAX - strlen(p->steps) - 1);
    return p->refuses && strcmp(p->refuses, name) == 0 ? p->with : OK;
}

static err admit(struct limiter *self, const struct request *r)
{
    return step(CONTAINER(self, struct stage_play, limiter), "limit");
}

static err allows(const struct rule *self, const struct request *r)
{
    return step(CONTAINER(self, struct stage_play, rule), "authorise");
}

static err identify(struct registry *self, struct request *r)
{
    return step(CONTAINER(self, struct stage_play, registry), "identify");
}

static err inspect(struct inspector *self, struct request *r)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, inspector);
    for (size_t i = 0; i < p->writes; i++) {
        struct write *w = write_plain(&(struct write){.kind = WRITE_EXPIRE, .now_us = (int64_t)i});
        err failed = request_remember(r, w);
        if (failed)
            return failed;
    }
    return step(p, "inspect");
}

static err post(struct recorder *self, struct errand *errand)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, recorder);
    err refused = step(p, "remember");
    if (p->posted_count == p->posts_before_no)
        refused = &full;
    if (!refused)
        p->posted[p->posted_count++] = errand;
    return refused;
}

static err room(struct carrier *self, const struct message *message)
{
    return step(CONTAINER(self, struct stage_play, carrier), "room");
}

static void carry(struct carrier *self, struct message *message, enum route route)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, carrier);
    (void)step(p, "route");
    p->carried = route;
}

static bool may_keep(const struct carrier *self, const struct message *message)
{
    return CONTAINER(self, struct stage_play, carrier)->elsewhere;
}

static err send_offers(struct carrier *self, struct request *r)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, carrier);
    (void)step(p, "offer");
    r->offers_out += p->elsewhere;
    return p->offer_says;
}

static void settle_offers(struct carrier *self, struct request *r, enum offer_outcome outcome)
{
    CONTAINER(self, struct stage_play, carrier)->settled[outcome]++;
}

static void outcome(struct tap *self, const struct request *r)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, tap);
    assert_int_equal(CONTAINER(r, struct asked, request)->done, 0); /* the tap hears before the door answers */
    assert_null(r->writes);
    p->heard = r->refused;
    p->heard_by = r->refused_by;
    p->told++;
}

static void deliver(struct subscription *self, struct message *message)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, watcher);
    (void)step(p, "deliver");
    strncat(p->order, (const char *)message->payload.at, message->payload.len);
}

static void settle(struct promiser *self, const struct client_delivery *promise, struct message *message,
                   enum offer_outcome result)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, promiser);
    p->kept += result == OFFER_KEPT;
    p->cancelled += result == OFFER_REFUSED;
    if (result == OFFER_KEPT)
        p->order[strlen(p->order)] = (char)('0' + promise->number);
}

/* Keeps it under the number that its payload is. */
static void take_offer(struct subscription *self, struct offer *offer)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, watcher);
    struct client_delivery promise = {.session = 9, .number = (uint64_t)(offer->message->payload.at[0] - '0'), .qos = 1};
    if (p->keeper_says)
        offer->failed = p->keeper_says;
    else if (offer_promise(offer, &p->promiser, &promise))
        offer->failed = &full;
}

static const struct subscription_calls watcher_calls = {deliver, take_offer};

static void done(struct request *r)
{
    CONTAINER(r, struct asked, request)->done++;
}

/* The store's answer to the i-th errand that was posted. */
static void answer(struct stage_play *p, size_t i, err failed)
{
    struct errand *errand = p->posted[i];
    p->posted[i] = NULL;
    errand->result.failed = failed;
    write_drop(errand->write);
    errand->write = NULL;
    errand->done(errand);
}

static const struct principal pump = {PRINCIPAL_DEVICE, "pump-1"}, ada = {PRINCIPAL_OPERATOR, "ada"};

static void play_open(struct stage_play *p)
{
    memset(p, 0, sizeof *p);
    p->limiter.admit = admit;
    p->rule.allows = allows;
    p->registry.identify = identify;
    p->inspector.inspect = inspect;
    p->recorder.post = post;
    p->carrier = (struct carrier){room, carry, may_keep, send_offers, settle_offers};
    p->tap.outcome = outcome;
    p->clock.wall_us = wall;
    p->promiser.settle = settle;
    p->watcher.calls = &watcher_calls;
    p->with = &no;
    p->posts_before_no = SIZE_MAX;
    lane_open(&p->lane);
    p->flow = (struct flow){&p->limiter,  &p->rule, &p->registry, &p->inspector, &p->recorder,
                            NULL,         &p->carrier, &p->tap,   &p->clock};
    assert_null(router_open(1, 1, &p->interests, &p->flow.router));
}

/* Somebody watches everything; with SUBSCRIPTION_KEEPS it is offered what has QoS 1. */
static void watch(struct stage_play *p, unsigned flags)
{
    p->watcher.flags = flags;
    assert_null(router_add(p->flow.router, BYTES("#"), &p->watcher));
}

static struct asked *ask(struct stage_play *p, enum verb verb, const struct principal *who, uint8_t qos)
{
    struct asked *a = &p->asked[p->asked_count++];
    char payload[] = {(char)('0' + p->asked_count), 0};
    struct message_parts parts = {.topic = BYTES("a/b"), .payload = bytes_of_text(payload), .qos = qos};
    a->play = p;
    request_open(&a->request, verb, who, "192.0.2.7:1");
    a->request.resource = BYTES("a/b");
    a->request.done = done;
    if (verb == VERB_PUBLISH) {
        a->request.message = message_make(&parts);
        assert_non_null(a->request.message);
        a->request.lane = &p->lane;
    }
    return a;
}

static struct asked *publish(struct stage_play *p, uint8_t qos)
{
    struct asked *a = ask(p, VERB_PUBLISH, &pump, qos);
    flow_begin(&p->flow, &a->request);
    return a;
}

static void play_close(struct stage_play *p)
{
    assert_int_equal(p->told, p->asked_count);
    for (size_t i = 0; i < p->asked_count; i++) {
        assert_int_equal(p->asked[i].done, 1);
        assert_null(p->asked[i].request.offer.promisers);
        message_drop(p->asked[i].request.message);
    }
    assert_int_equal(p->lane.offering, 0);
    assert_int_equal(p->lane.remembering, 0);
    assert_true(list_empty(&p->lane.parked));
    router_remove(p->flow.router, &p->watcher);
    router_close(p->flow.router);
}

/* Begins, and answers whatever waits: yes. */
static void play_through(struct stage_play *p, struct asked *a)
{
    flow_begin(&p->flow, &a->request);
    if (strstr(p->steps, "identify") && !a->done)
        flow_resume(&a->request, OK);
    while (a->request.offers_out)
        flow_offered(&a->request, OK);
    for (size_t i = 0; i < p->posted_count; i++)
        if (p->posted[i])
            answer(p, i, OK);
}

/* Each stage, for each verb: it and those before it run, nothing behind it does. */
static void a_refusal_ends_the_way(void **state)
{
    static const struct {
        enum verb verb;
        const struct principal *who;
        const char *refuses; /* NULL: nobody */
        const char *steps;
        const char *by; /* NULL: as it refuses */
    } rows[] = {
        {VERB_PUBLISH, &pump, NULL, "limit authorise inspect room remember deliver route ", NULL},
        {VERB_PUBLISH, &pump, "limit", "limit ", NULL},
        {VERB_PUBLISH, &pump, "authorise", "limit authorise ", NULL},
        {VERB_PUBLISH, &pump, "inspect", "limit authorise inspect ", NULL},
        {VERB_PUBLISH, &pump, "room", "limit authorise inspect room ", "offer"},
        {VERB_PUBLISH, &pump, "remember", "limit authorise inspect room remember ", NULL},
        {VERB_HELLO, &pump, NULL, "limit authorise identify inspect remember ", NULL},
        {VERB_HELLO, &pump, "limit", "limit ", NULL},
        {VERB_HELLO, &pump, "authorise", "limit authorise ", NULL},
        {VERB_HELLO, &pump, "identify", "limit authorise identify ", NULL},
        {VERB_HELLO, &pump, "inspect", "limit authorise identify inspect ", NULL},
        {VERB_HELLO, &pump, "remember", "limit authorise identify inspect remember ", NULL},
        {VERB_HELLO, &ada, NULL, "limit authorise inspect remember ", NULL}, /* an operator is in no registry of devices */
        {VERB_BYE, &pump, NULL, "inspect remember ", NULL},                  /* nobody is kept from leaving */
        {VERB_BYE, &pump, "inspect", "inspect ", NULL},
        {VERB_WATCH, &ada, NULL, "limit authorise ", NULL},
        {VERB_WATCH, &ada, "limit", "limit ", NULL},
        {VERB_WATCH, &ada, "authorise", "limit authorise ", NULL},
        {VERB_CALL, &ada, NULL, "limit authorise ", NULL},
        {VERB_CALL, &ada, "authorise", "limit authorise ", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        play_open(&p);
        watch(&p, 0);
        p.writes = 1;
        p.refuses = rows[i].refuses;
        play_through(&p, ask(&p, rows[i].verb, rows[i].who, 1));
        if (strcmp(p.steps, rows[i].steps) != 0)
            fail_msg("row %zu: %s", i, p.steps);
        assert_ptr_equal(p.heard, rows[i].refuses ? &no : OK);
        if (rows[i].refuses)
            assert_string_equal(p.heard_by, rows[i].by ? rows[i].by : rows[i].refuses);
        play_close(&p);
    }
}

/* It must be published (MQTT 5.0, 3.1.2-8), so a device whose rate is used up is not kept from it; all else holds for it. */
static void a_will_passes_the_limiter(void **state)
{
    static const struct {
        bool is_will;
        const char *refuses, *steps;
    } rows[] = {
        {false, "limit", "limit "},
        {true, "limit", "authorise inspect room deliver route "},
        {true, "authorise", "authorise "},
        {true, "inspect", "authorise inspect "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        play_open(&p);
        watch(&p, 0);
        p.refuses = rows[i].refuses;
        struct asked *a = ask(&p, VERB_PUBLISH, &pump, 1);
        assert_false(a->request.is_will); /* nothing is one by itself */
        a->request.is_will = rows[i].is_will;
        play_through(&p, a);
        if (strcmp(p.steps, rows[i].steps) != 0)
            fail_msg("row %zu: %s", i, p.steps);
        assert_ptr_equal(p.heard, strstr(p.steps, "route") ? OK : &no);
        play_close(&p);
    }
}

/* All writes of a request, those of promises too, are one errand: they are durable together or not at all. */
static void all_writes_are_one_errand(void **state)
{
    static const err answers[] = {OK, &lost};
    for (size_t i = 0; i < 2; i++) {
        struct stage_play p;
        size_t count = 0;
        play_open(&p);
        watch(&p, SUBSCRIPTION_KEEPS);
        p.writes = 3;
        publish(&p, 1);
        assert_int_equal(p.posted_count, 1);
        for (const struct write *w = p.posted[0]->write; w; w = w->next, count++)
            assert_int_equal(w->kind, count < 3 ? WRITE_EXPIRE : WRITE_DELIVERIES); /* in the order they were given */
        assert_int_equal(count, 4);
        assert_int_equal(p.told, 0);
        answer(&p, 0, answers[i]);
        assert_ptr_equal(p.heard, answers[i]);
        assert_int_equal(p.kept, !answers[i]);
        assert_int_equal(p.cancelled, answers[i] != OK);
        assert_int_equal(p.settled[OFFER_KEPT], !answers[i]);
        assert_true((strstr(p.steps, "route") != NULL) == !answers[i]);
        if (answers[i])
            assert_string_equal(p.heard_by, "remember");
        play_close(&p);
    }
}

/* The store applies an errand up to the first write that it refuses, and only the inspector's can be refused. */
static void what_the_door_keeps_goes_behind(void **state)
{
    static const struct {
        size_t door, inspector;
        const char *order; /* of the door, of the inspector, of the promises */
    } rows[] = {
        {0, 1, "i"}, {1, 0, "d"}, {1, 1, "id"}, {2, 3, "iiidd"}, {2, 2, "iiddp"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        char order[8] = "";
        bool keeps = strchr(rows[i].order, 'p') != NULL;
        play_open(&p);
        if (keeps)
            watch(&p, SUBSCRIPTION_KEEPS);
        p.writes = rows[i].inspector;
        struct asked *a = ask(&p, VERB_PUBLISH, &pump, keeps);
        for (size_t k = 0; k < rows[i].door; k++)
            assert_null(request_remember(&a->request, write_plain(&(struct write){.kind = WRITE_RECEIVED})));
        flow_begin(&p.flow, &a->request);
        assert_int_equal(p.posted_count, 1);
        for (const struct write *w = p.posted[0]->write; w; w = w->next)
            strcat(order, w->kind == WRITE_RECEIVED ? "d" : w->kind == WRITE_EXPIRE ? "i" : "p");
        assert_string_equal(order, rows[i].order);
        answer(&p, 0, OK);
        play_close(&p);
    }
}

static void too_many_writes_are_refused(void **state)
{
    struct stage_play p;
    play_open(&p);
    p.writes = REQUEST_WRITES_MAX + 1;
    publish(&p, 0);
    assert_true(err_is(p.heard, ERR_TOO_LARGE));
    assert_string_equal(p.heard_by, "inspect");
    assert_int_equal(p.posted_count, 0);
    play_close(&p);
}

static void without_a_write_nothing_waits(void **state)
{
    struct stage_play p;
    play_open(&p);
    watch(&p, 0);
    publish(&p, 1);
    assert_string_equal(p.steps, "limit authorise inspect room deliver route ");
    assert_int_equal(p.carried, ROUTE_CARRIED);
    play_close(&p);
}

static void the_registry_answers_later(void **state)
{
    for (int known = 0; known < 2; known++) {
        struct stage_play p;
        play_open(&p);
        struct asked *a = ask(&p, VERB_HELLO, &pump, 0);
        flow_begin(&p.flow, &a->request);
        assert_string_equal(p.steps, "limit authorise identify ");
        assert_int_equal(a->done, 0);
        flow_resume(&a->request, known ? OK : &no);
        assert_string_equal(p.steps, known ? "limit authorise identify inspect " : "limit authorise identify ");
        assert_ptr_equal(p.heard, known ? OK : &no);
        play_close(&p);
    }
}

/* ---- offers */

/* Who is asked before it is kept, by QoS and by who there is. */
static void who_is_offered_what(void **state)
{
    static const struct {
        const char *rule;
        uint8_t qos;
        unsigned flags;
        size_t elsewhere;
        const char *steps;
        enum route carried;
        unsigned kept;
    } rows[] = {
        {"QoS 0 is offered to nobody", 0, SUBSCRIPTION_KEEPS, 2, "room deliver route ", ROUTE_CARRIED, 0},
        {"nobody keeps", 1, 0, 0, "room deliver route ", ROUTE_CARRIED, 0},
        {"here", 1, SUBSCRIPTION_KEEPS, 0, "room offer remember route ", ROUTE_OFFERED, 1},
        {"here, QoS 2", 2, SUBSCRIPTION_KEEPS, 0, "room offer remember route ", ROUTE_OFFERED, 1},
        {"there", 1, 0, 1, "room offer deliver route ", ROUTE_OFFERED, 0},
        {"here and on three loops", 1, SUBSCRIPTION_KEEPS, 3, "room offer remember route ", ROUTE_OFFERED, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        play_open(&p);
        watch(&p, rows[i].flags);
        p.elsewhere = rows[i].elsewhere;
        play_through(&p, ask(&p, VERB_PUBLISH, &pump, rows[i].qos));
        const char *behind = strstr(p.steps, "room");
        if (!behind || strcmp(behind, rows[i].steps) != 0 || p.carried != rows[i].carried || p.kept != rows[i].kept)
            fail_msg("%s: %s, route %d, kept %u", rows[i].rule, p.steps, (int)p.carried, p.kept);
        assert_null(p.heard);
        assert_int_equal(p.settled[OFFER_KEPT], strstr(p.steps, "offer") != NULL);
        assert_int_equal(p.settled[OFFER_REFUSED], 0);
        play_close(&p);
    }
}

/* Whoever may not miss the message and cannot take it refuses it for all: here, there, or because no offer could be
 * sent. Those who promised are told; nothing is kept, and it is answered only when every loop has spoken. */
static void offers_that_fail(void **state)
{
    static const struct {
        const char *rule;
        err keeper_says, offer_says;
        err loops[2];
        err heard;
        unsigned cancelled;
    } rows[] = {
        {"the keeper here", &full, OK, {OK, OK}, &full, 0},
        {"the first loop", OK, OK, {&lost, OK}, &lost, 1},
        {"the second loop", OK, OK, {OK, &lost}, &lost, 1},
        {"both: the first one counts", OK, OK, {&lost, &full}, &lost, 1},
        {"one that could not be sent, beside two that were", OK, &full, {OK, OK}, &full, 1},
        {"the keeper here, and a loop", &full, OK, {&lost, OK}, &lost, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        play_open(&p);
        watch(&p, SUBSCRIPTION_KEEPS);
        p.writes = 1;
        p.elsewhere = 2;
        p.keeper_says = rows[i].keeper_says;
        p.offer_says = rows[i].offer_says;
        struct asked *a = publish(&p, 1);
        assert_int_equal(a->done, 0);
        flow_offered(&a->request, rows[i].loops[0]);
        assert_int_equal(a->done, 0);
        flow_offered(&a->request, rows[i].loops[1]);
        if (p.heard != rows[i].heard || p.cancelled != rows[i].cancelled || strcmp(p.heard_by, "offer") != 0)
            fail_msg("%s: %s by %s, %u cancelled", rows[i].rule, err_text(p.heard), p.heard_by, p.cancelled);
        assert_int_equal(p.posted_count, 0);
        assert_int_equal(p.settled[OFFER_REFUSED], 1);
        assert_int_equal(p.settled[OFFER_KEPT], 0);
        assert_null(strstr(p.steps, "route"));
        play_close(&p);
    }
}

/* ---- lanes */

/* What each of four publications needs, and the order in which the answers come: they are delivered as they were sent. */
static void no_publication_overtakes_another(void **state)
{
    static const struct {
        const char *rule;
        const char *wants;   /* for each: o an offer elsewhere, w a write, b both, n nothing */
        const char *answers; /* digits: the loops' answer to that one; s: the store's oldest */
    } rows[] = {
        {"nothing waits", "nnnn", ""},
        {"one behind an offer", "on", "1"},
        {"many behind an offer", "onnn", "1"},
        {"one behind the store", "wn", "ss"},
        {"all by the store", "wwww", "ssss"},
        {"an offer behind an offer", "oo", "12"},
        {"an offer behind a parked one", "ono", "13"},
        {"a write behind an offer", "ow", "1s"},
        {"both, then nothing", "bn", "1ss"},
        {"both, then an offer, then nothing", "bon", "12sss"},
        {"both, each", "bbbb", "1s2s3s4s"},
        {"the store is slow", "bbbb", "1234ssss"},
        {"an offer behind the store", "wo", "2ss"},
        {"an offer behind the store, which answers first", "wo", "s2"},
        {"mixed", "nwob", "3s4ss"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        size_t stored = 0, want = strlen(rows[i].wants);
        play_open(&p);
        watch(&p, 0);
        for (const char *at = rows[i].wants; *at; at++) {
            bool offered = *at == 'o' || *at == 'b';
            p.elsewhere = 1; /* asked for QoS 1 only */
            p.writes = *at == 'w' || *at == 'b';
            publish(&p, offered);
        }
        for (const char *at = rows[i].answers; *at; at++) {
            if (*at == 's') {
                assert_true(stored < p.posted_count);
                answer(&p, stored++, OK);
            } else {
                flow_offered(&p.asked[*at - '1'].request, OK);
            }
            if (strncmp(p.order, "1234", strlen(p.order)) != 0)
                fail_msg("%s: %s", rows[i].rule, p.order);
        }
        if (strlen(p.order) != want)
            fail_msg("%s: only %s, posted %zu", rows[i].rule, p.order, p.posted_count);
        play_close(&p);
    }
}

/* One that is refused holds up nobody: while it is offered, while it is parked, when its turn comes. */
static void a_refused_one_lets_the_next_go(void **state)
{
    struct stage_play p;
    play_open(&p);
    watch(&p, 0);
    p.elsewhere = 1;
    publish(&p, 1);
    publish(&p, 0);
    publish(&p, 1);
    publish(&p, 0);
    flow_offered(&p.asked[0].request, &lost);
    assert_int_equal(p.asked[0].done, 1);
    assert_string_equal(p.order, "2"); /* the third one's offer is out, and holds the fourth */
    p.refuses = "room";
    flow_offered(&p.asked[2].request, OK);
    assert_string_equal(p.order, "23");
    assert_int_equal(p.asked[3].done, 1);
    assert_string_equal(p.heard_by, "offer"); /* the fourth found no room when its turn came */
    play_close(&p);
}

/* The recorder takes no more: who waits behind it is refused rather than overtaking. */
static void no_room_behind_the_store(void **state)
{
    struct stage_play p;
    play_open(&p);
    watch(&p, 0);
    p.writes = 1;
    p.posts_before_no = 1;
    publish(&p, 0);
    p.writes = 0;
    publish(&p, 0);
    assert_int_equal(p.asked[1].done, 1);
    assert_ptr_equal(p.heard, &full);
    answer(&p, 0, OK);
    assert_string_equal(p.order, "1");
    play_close(&p);
}

static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct stage_play p;
        play_open(&p);
        watch(&p, SUBSCRIPTION_KEEPS);
        p.writes = 3;
        p.elsewhere = 1;
        struct asked *a = ask(&p, VERB_PUBLISH, &pump, 1);
        mem_trial(++n);
        play_through(&p, a);
        seen = mem_trial(0);
        assert_true(seen < n ? !p.heard : p.heard != OK);
        assert_int_equal(p.kept, !p.heard);
        assert_true(!strstr(p.steps, "route") == (p.heard != OK));
        play_close(&p);
    }
    assert_true(n > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_ends_the_way),
        cmocka_unit_test(a_will_passes_the_limiter),
        cmocka_unit_test(all_writes_are_one_errand),
        cmocka_unit_test(what_the_door_keeps_goes_behind),
        cmocka_unit_test(too_many_writes_are_refused),
        cmocka_unit_test(without_a_write_nothing_waits),
        cmocka_unit_test(the_registry_answers_later),
        cmocka_unit_test(who_is_offered_what),
        cmocka_unit_test(offers_that_fail),
        cmocka_unit_test(no_publication_overtakes_another),
        cmocka_unit_test(a_refused_one_lets_the_next_go),
        cmocka_unit_test(no_room_behind_the_store),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
