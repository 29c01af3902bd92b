/* The flow with every port played: what a refusal keeps from running, who hears of it, and what becomes of writes. */
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

enum { STEPS_MAX = 512 };

/* All ports at once. What each of them was asked is written down as a line of words. */
struct stage_play {
    struct limiter limiter;
    struct rule rule;
    struct registry registry;
    struct inspector inspector;
    struct recorder recorder;
    struct carrier carrier;
    struct tap tap;
    struct subscription watcher;
    struct flow flow;
    struct request request;

    const char *refuses; /* this stage refuses */
    err with;
    size_t writes;         /* how many the inspector asks for */
    size_t posts_before_no; /* the recorder takes so many, then no more */
    struct errand *posted[REQUEST_WRITES_MAX];
    size_t posted_count;
    err heard; /* by the tap */
    const char *heard_by;
    unsigned told, done;
    char steps[STEPS_MAX];
};

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

static err carry(struct carrier *self, struct message *message)
{
    return step(CONTAINER(self, struct stage_play, carrier), "route");
}

static void outcome(struct tap *self, const struct request *r)
{
    struct stage_play *p = CONTAINER(self, struct stage_play, tap);
    assert_int_equal(p->done, 0); /* the tap hears before the door answers */
    assert_int_equal(r->write_count, 0);
    p->heard = r->refused;
    p->heard_by = r->refused_by;
    p->told++;
}

static void deliver(struct subscription *self, struct message *message)
{
    (void)step(CONTAINER(self, struct stage_play, watcher), "deliver");
}

static void done(struct request *r)
{
    CONTAINER(r, struct stage_play, request)->done++;
}

/* The store's answer to the i-th write that was posted. */
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

static void play_open(struct stage_play *p, enum verb verb, const struct principal *who)
{
    struct message_parts parts = {.topic = BYTES("a/b"), .payload = BYTES("1")};
    *p = (struct stage_play){
        .limiter = {admit}, .rule = {allows}, .registry = {identify}, .inspector = {inspect}, .recorder = {.post = post},
        .carrier = {carry}, .tap = {outcome}, .watcher = {.deliver = deliver}, .with = &no, .posts_before_no = SIZE_MAX,
        .request = {.verb = verb, .who = who, .peer = "192.0.2.7:1", .resource = BYTES("a/b"), .done = done}};
    p->flow = (struct flow){&p->limiter,  &p->rule, &p->registry, &p->inspector,
                            &p->recorder, NULL,     &p->carrier,  &p->tap};
    assert_null(router_open(1, 1, &p->flow.router));
    assert_null(router_add(p->flow.router, BYTES("#"), &p->watcher));
    p->request.message = message_make(&parts);
}

static void play_close(struct stage_play *p)
{
    assert_int_equal(p->told, 1);
    assert_int_equal(p->done, 1);
    assert_ptr_equal(p->heard, p->request.refused);
    message_drop(p->request.message);
    router_close(p->flow.router);
}

/* Begins, and answers whatever waits: yes. */
static void play_through(struct stage_play *p)
{
    flow_begin(&p->flow, &p->request);
    if (strstr(p->steps, "identify") && !p->done)
        flow_resume(&p->request, OK);
    for (size_t i = 0; i < p->posted_count; i++)
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
    } rows[] = {
        {VERB_PUBLISH, &pump, NULL, "limit authorise inspect remember deliver route "},
        {VERB_PUBLISH, &pump, "limit", "limit "},
        {VERB_PUBLISH, &pump, "authorise", "limit authorise "},
        {VERB_PUBLISH, &pump, "inspect", "limit authorise inspect "},
        {VERB_PUBLISH, &pump, "remember", "limit authorise inspect remember "},
        {VERB_PUBLISH, &pump, "route", "limit authorise inspect remember deliver route "},
        {VERB_HELLO, &pump, NULL, "limit authorise identify inspect remember "},
        {VERB_HELLO, &pump, "limit", "limit "},
        {VERB_HELLO, &pump, "authorise", "limit authorise "},
        {VERB_HELLO, &pump, "identify", "limit authorise identify "},
        {VERB_HELLO, &pump, "inspect", "limit authorise identify inspect "},
        {VERB_HELLO, &pump, "remember", "limit authorise identify inspect remember "},
        {VERB_HELLO, &ada, NULL, "limit authorise inspect remember "}, /* an operator is in no registry of devices */
        {VERB_BYE, &pump, NULL, "inspect remember "},                  /* nobody is kept from leaving */
        {VERB_BYE, &pump, "inspect", "inspect "},
        {VERB_WATCH, &ada, NULL, "limit authorise "},
        {VERB_WATCH, &ada, "limit", "limit "},
        {VERB_WATCH, &ada, "authorise", "limit authorise "},
        {VERB_CALL, &ada, NULL, "limit authorise "},
        {VERB_CALL, &ada, "authorise", "limit authorise "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stage_play p;
        play_open(&p, rows[i].verb, rows[i].who);
        p.writes = 1;
        p.refuses = rows[i].refuses;
        play_through(&p);
        if (strcmp(p.steps, rows[i].steps) != 0)
            fail_msg("row %zu: %s", i, p.steps);
        assert_ptr_equal(p.heard, rows[i].refuses ? &no : OK);
        if (rows[i].refuses)
            assert_string_equal(p.heard_by, rows[i].refuses);
        play_close(&p);
    }
}

/* Nothing is said and nothing is routed before the last of several writes is durable, in whatever order they return. */
static void it_waits_for_all_writes(void **state)
{
    struct stage_play p;
    play_open(&p, VERB_PUBLISH, &pump);
    p.writes = 3;
    flow_begin(&p.flow, &p.request);
    assert_int_equal(p.posted_count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(p.posted[i]->write->now_us, i); /* in the order that the inspector gave */
    answer(&p, 2, OK);
    answer(&p, 0, OK);
    assert_int_equal(p.done, 0);
    assert_null(strstr(p.steps, "deliver"));
    answer(&p, 1, OK);
    assert_non_null(strstr(p.steps, "deliver route"));
    play_close(&p);
}

static void one_lost_write_refuses_the_request(void **state)
{
    for (size_t bad = 0; bad < 3; bad++) {
        struct stage_play p;
        play_open(&p, VERB_PUBLISH, &pump);
        p.writes = 3;
        flow_begin(&p.flow, &p.request);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(p.done, 0);
            answer(&p, i, i == bad ? &lost : OK);
        }
        assert_ptr_equal(p.heard, &lost);
        assert_string_equal(p.heard_by, "remember");
        assert_null(strstr(p.steps, "deliver"));
        play_close(&p);
    }
}

/* The recorder has no room for the k-th write: those before it must come back first, the others are dropped (the
 * sanitizer tells), and the request is refused whatever the store says. */
static void a_recorder_that_fills_up_in_the_middle(void **state)
{
    for (size_t room = 0; room <= 4; room++) {
        struct stage_play p;
        play_open(&p, VERB_PUBLISH, &pump);
        p.writes = 4;
        p.posts_before_no = room;
        flow_begin(&p.flow, &p.request);
        assert_int_equal(p.posted_count, room);
        assert_int_equal(p.done, room == 0);
        for (size_t i = 0; i < room; i++) {
            assert_int_equal(p.done, 0);
            answer(&p, room - 1 - i, OK);
        }
        assert_ptr_equal(p.heard, room == 4 ? OK : &full);
        assert_true(!strstr(p.steps, "deliver") == (room < 4));
        play_close(&p);
    }
}

static void too_many_writes_are_refused(void **state)
{
    struct stage_play p;
    play_open(&p, VERB_PUBLISH, &pump);
    p.writes = REQUEST_WRITES_MAX + 1;
    flow_begin(&p.flow, &p.request);
    assert_true(err_is(p.heard, ERR_TOO_LARGE));
    assert_string_equal(p.heard_by, "inspect");
    assert_int_equal(p.posted_count, 0);
    play_close(&p);
}

static void without_a_write_nothing_waits(void **state)
{
    struct stage_play p;
    play_open(&p, VERB_PUBLISH, &pump);
    flow_begin(&p.flow, &p.request);
    assert_string_equal(p.steps, "limit authorise inspect deliver route ");
    play_close(&p);
}

static void the_registry_answers_later(void **state)
{
    for (int known = 0; known < 2; known++) {
        struct stage_play p;
        play_open(&p, VERB_HELLO, &pump);
        flow_begin(&p.flow, &p.request);
        assert_string_equal(p.steps, "limit authorise identify ");
        assert_int_equal(p.done, 0);
        flow_resume(&p.request, known ? OK : &no);
        assert_string_equal(p.steps, known ? "limit authorise identify inspect " : "limit authorise identify ");
        assert_ptr_equal(p.heard, known ? OK : &no);
        play_close(&p);
    }
}

static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct stage_play p;
        play_open(&p, VERB_PUBLISH, &pump);
        p.writes = 3;
        mem_trial(++n);
        play_through(&p);
        seen = mem_trial(0);
        assert_true(seen < n ? !p.heard : err_is(p.heard, ERR_MEMORY));
        assert_true(!strstr(p.steps, "deliver") == (p.heard != OK));
        play_close(&p);
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refusal_ends_the_way),
        cmocka_unit_test(it_waits_for_all_writes),
        cmocka_unit_test(one_lost_write_refuses_the_request),
        cmocka_unit_test(a_recorder_that_fills_up_in_the_middle),
        cmocka_unit_test(too_many_writes_are_refused),
        cmocka_unit_test(without_a_write_nothing_waits),
        cmocka_unit_test(the_registry_answers_later),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
