/* Messages between loops: three real loops whose turns are taken by hand, so that whatever may come in between does. The
 * flow, the store and those who subscribe are played. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "prog/server/dispatch.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { LOOPS = 3, MAILS = 8, HEARD_MAX = 40000, REQUESTS = 512, POSTED = 512 };

static const struct fault full = {ERR_FULL, "test: full"};
static const struct fault disk = {ERR_IO, "test: the disk is gone"};

/* One who subscribes. What it is offered stands in its row, reserved or kept, as in an outbox. */
struct listener {
    struct subscription subscription;
    struct promiser promiser;
    struct share_member member;
    err says; /* to offers */
    struct {
        uint32_t serial;
        bool kept, gone;
    } row[HEARD_MAX];
    size_t count; /* in the row */
    size_t offered, joined;
};

struct world;
struct station {
    struct world *world;
    struct loop *loop;
    struct interests interests;
    struct router *router;
    struct dispatch *dispatch;
    struct flow flow;
};

struct publication {
    struct request request;
    uint32_t serial;
    bool done;
};

struct world {
    struct clock clock;
    int64_t now_ms;
    struct limiter limiter;
    struct rule rule;
    struct registry registry;
    struct inspector inspector;
    struct recorder recorder;
    struct tap tap;
    struct station stations[LOOPS];
    struct dispatch *all[LOOPS];
    struct lane lane;
    struct publication publications[REQUESTS];
    size_t publication_count;
    struct errand *posted[POSTED];
    size_t posted_count;
    bool writes; /* every message is to be kept */
    struct counter dropped;
    uint32_t serial;
    uint64_t dice;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->dice >> 33) % below;
}

/* ---- ports */

static int64_t now_us(const struct clock *self)
{
    return INT64_C(1767225600000000);
}

static int64_t now_ms(const struct clock *self)
{
    return CONTAINER(self, struct world, clock)->now_ms;
}

static err admit(struct limiter *self, const struct request *r)
{
    return OK;
}

static err allows(const struct rule *self, const struct request *r)
{
    return OK;
}

static err identify(struct registry *self, struct request *r)
{
    return &full;
}

static err inspect(struct inspector *self, struct request *r)
{
    struct world *w = CONTAINER(self, struct world, inspector);
    return w->writes ? request_remember(r, write_plain(&(struct write){.kind = WRITE_EXPIRE})) : OK;
}

static err post(struct recorder *self, struct errand *errand)
{
    struct world *w = CONTAINER(self, struct world, recorder);
    if (w->posted_count == POSTED)
        return &full;
    w->posted[w->posted_count++] = errand;
    return OK;
}

static void outcome(struct tap *self, const struct request *r)
{
}

/* The store keeps the oldest that waits, or does not. */
static void store(struct world *w, err failed)
{
    struct errand *e = w->posted[0];
    memmove(w->posted, w->posted + 1, --w->posted_count * sizeof *w->posted);
    write_drop(e->write);
    e->write = NULL;
    e->result.failed = failed;
    e->done(e);
}

/* ---- who listens */

static uint32_t serial_of(const struct message *m)
{
    uint32_t serial;
    memcpy(&serial, m->payload.at, sizeof serial);
    return serial;
}

static void hear(struct subscription *self, struct message *message)
{
    struct listener *l = CONTAINER(self, struct listener, subscription);
    assert_true(l->count < HEARD_MAX);
    l->row[l->count].serial = serial_of(message);
    l->row[l->count++].kept = true;
}

static void settle(struct promiser *self, const struct client_delivery *promise, struct message *message,
                   enum offer_outcome result)
{
    struct listener *l = CONTAINER(self, struct listener, promiser);
    assert_true(promise->number && l->row[promise->number - 1].serial == serial_of(message));
    assert_false(l->row[promise->number - 1].kept || l->row[promise->number - 1].gone);
    l->row[promise->number - 1].kept = result == OFFER_KEPT;
    l->row[promise->number - 1].gone = result != OFFER_KEPT;
}

static void take_offer(struct subscription *self, struct offer *offer)
{
    struct listener *l = CONTAINER(self, struct listener, subscription);
    l->offered++;
    if (l->says) {
        offer->failed = l->says;
        return;
    }
    l->row[l->count++].serial = serial_of(offer->message);
    assert_null(offer_promise(offer, &l->promiser, &(struct client_delivery){.session = 1, .number = l->count, .qos = 1}));
}

static const struct subscription_calls listener_calls = {hear, take_offer};

static void joined(struct share_member *self)
{
    CONTAINER(self, struct listener, member)->joined++;
}

static struct listener *listen_on(struct world *w, size_t loop, const char *filter, unsigned flags)
{
    struct listener *l = calloc(1, sizeof *l);
    l->subscription = (struct subscription){.calls = &listener_calls, .flags = flags};
    l->promiser.settle = settle;
    assert_null(router_add(w->stations[loop].router, bytes_of_text(filter), &l->subscription));
    return l;
}

static struct listener *join_on(struct world *w, size_t loop, const char *filter, unsigned flags)
{
    struct listener *l = listen_on(w, loop, filter, flags);
    struct shares *shares = dispatch_shares(w->stations[loop].dispatch);
    l->member = (struct share_member){.subscription = &l->subscription, .filter = bytes_of_text(filter), .joined = joined};
    shares->join(shares, &l->member);
    return l;
}

static void leave_on(struct world *w, size_t loop, struct listener *l)
{
    struct shares *shares = dispatch_shares(w->stations[loop].dispatch);
    if (l->member.filter.len)
        shares->leave(shares, &l->member);
    router_remove(w->stations[loop].router, &l->subscription);
}

static size_t kept_count(const struct listener *l)
{
    size_t count = 0;
    for (size_t i = 0; i < l->count; i++)
        count += l->row[i].kept;
    return count;
}

/* ---- loops */

struct turn {
    struct mail mail;
    struct loop *loop;
};

static void stop(struct mail *mail)
{
    loop_stop(CONTAINER(mail, struct turn, mail)->loop);
}

/* All mails, timers that are due, and what is done at the end. */
static void turn(struct world *w, size_t loop)
{
    struct turn t = {{.open = stop}, w->stations[loop].loop};
    w->now_ms++;
    mailbox_answer(loop_mailbox(t.loop), &t.mail);
    assert_null(loop_run(t.loop));
}

static void turn_all(struct world *w)
{
    for (int round = 0; round < 8; round++)
        for (size_t i = 0; i < LOOPS; i++)
            turn(w, i);
}

static struct world *world_open(size_t mails)
{
    struct world *w = calloc(1, sizeof *w);
    w->clock = (struct clock){now_us, now_ms};
    w->limiter.admit = admit;
    w->rule.allows = allows;
    w->registry.identify = identify;
    w->inspector.inspect = inspect;
    w->recorder.post = post;
    w->tap.outcome = outcome;
    w->dice = 1;
    lane_open(&w->lane);
    for (size_t i = 0; i < LOOPS; i++) {
        struct station *s = &w->stations[i];
        s->world = w;
        assert_null(loop_open(&w->clock, mails, &s->loop));
        assert_null(router_open(100, 1, &s->interests, &s->router));
        assert_null(dispatch_open(&(struct dispatch_options){.loop = s->loop, .router = s->router, .interests = &s->interests,
                                                             .all = w->all, .count = LOOPS, .index = i, .dropped = &w->dropped},
                                  1, &s->dispatch));
        w->all[i] = s->dispatch;
        s->flow = (struct flow){&w->limiter, &w->rule, &w->registry, &w->inspector, &w->recorder, s->router,
                                dispatch_carrier(s->dispatch), &w->tap, &w->clock};
    }
    return w;
}

static void world_close(struct world *w)
{
    turn_all(w);
    while (w->posted_count) {
        store(w, OK);
        turn_all(w);
    }
    for (size_t i = 0; i < w->publication_count; i++) {
        assert_true(w->publications[i].done);
        message_drop(w->publications[i].request.message);
    }
    for (size_t i = 0; i < LOOPS; i++) {
        struct station *s = &w->stations[i];
        dispatch_close(s->dispatch);
        assert_int_equal(router_count(s->router), 0);
        router_close(s->router);
        loop_close(s->loop);
    }
    free(w);
}

static const struct principal pump = {PRINCIPAL_DEVICE, "pump-1"};

static void done(struct request *r)
{
    CONTAINER(r, struct publication, request)->done = true;
}

static struct message *message_of(uint32_t serial, uint8_t qos)
{
    struct message_parts parts = {.topic = BYTES("a/b"), .payload = bytes_of(&serial, sizeof serial), .qos = qos};
    return message_make(&parts);
}

/* On the first loop. */
static struct publication *publish(struct world *w, uint8_t qos)
{
    struct publication *p = &w->publications[w->publication_count++];
    assert_true(w->publication_count <= REQUESTS);
    p->serial = ++w->serial;
    request_open(&p->request, VERB_PUBLISH, &pump, "");
    p->request.message = message_of(p->serial, qos);
    p->request.resource = p->request.message->topic;
    p->request.lane = &w->lane;
    p->request.done = done;
    flow_begin(&w->stations[0].flow, &p->request);
    return p;
}

static void nothing(struct mail *mail)
{
}

/* ---- carrying */

static void only_to_loops_that_want_it(void **state)
{
    struct world *w = world_open(MAILS);
    struct listener *here = listen_on(w, 0, "a/b", 0), *there = listen_on(w, 1, "a/+", 0), *other = listen_on(w, 2, "b/#", 0);
    for (int i = 0; i < 200; i++) /* some cargoes */
        publish(w, 0);
    turn_all(w);
    assert_int_equal(here->count, 200);
    assert_int_equal(there->count, 200);
    assert_int_equal(other->count, 0);
    for (size_t i = 0; i < 200; i++)
        assert_int_equal(there->row[i].serial, i + 1);
    struct mailbox_counts counts;
    mailbox_read_counts(loop_mailbox(w->stations[1].loop), &counts);
    assert_true(counts.high_water < 16); /* together, not one by one */
    leave_on(w, 0, here);
    leave_on(w, 1, there);
    leave_on(w, 2, other);
    free(here);
    free(there);
    free(other);
    world_close(w);
}

/* A loop that does not take its mails: what was taken on for it arrives, whole and in order, and no more is taken on. */
static void a_loop_that_stands_makes_publishers_wait(void **state)
{
    struct world *w = world_open(2);
    struct listener *there = listen_on(w, 1, "a/b", 0);
    struct carrier *carrier = dispatch_carrier(w->stations[0].dispatch);
    uint32_t taken = 0;
    for (; taken < HEARD_MAX; taken++) {
        struct message *m = message_of(taken + 1, 0);
        err failed = carrier->room(carrier, m);
        if (!failed)
            carrier->carry(carrier, m, ROUTE_CARRIED);
        message_drop(m);
        if (failed) {
            assert_true(err_is(failed, ERR_FULL));
            break;
        }
        if (taken % 50 == 0)
            turn(w, 0);
    }
    assert_true(taken > 1000 && taken < HEARD_MAX);
    struct publication *refused = publish(w, 1);
    assert_true(refused->done && err_is(refused->request.refused, ERR_FULL));
    turn_all(w);
    for (int i = 0; i < 1000 && there->count < taken; i++)
        turn_all(w);
    assert_int_equal(there->count, taken);
    for (size_t i = 0; i < taken; i++)
        assert_int_equal(there->row[i].serial, i + 1);
    w->serial = taken;
    publish(w, 0);
    turn_all(w);
    assert_int_equal(there->count, taken + 1);
    leave_on(w, 1, there);
    free(there);
    world_close(w);
}

/* ---- offers */

static void what_is_offered_is_settled_everywhere(void **state)
{
    static const struct {
        const char *rule;
        size_t fails; /* the keeper of this loop refuses; LOOPS: none does */
        err store_says;
        bool kept;
    } rows[] = {
        {"kept", LOOPS, OK, true},
        {"the keeper here refuses", 0, OK, false},
        {"one there", 1, OK, false},
        {"the other one there", 2, OK, false},
        {"the store refuses", LOOPS, &disk, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world *w = world_open(MAILS);
        struct listener *keepers[LOOPS];
        for (size_t k = 0; k < LOOPS; k++) {
            keepers[k] = listen_on(w, k, "a/b", SUBSCRIPTION_KEEPS);
            keepers[k]->says = k == rows[i].fails ? &full : OK;
        }
        struct publication *p = publish(w, 1);
        assert_false(p->done);
        turn_all(w);
        for (size_t k = 0; k < LOOPS; k++)
            assert_true(keepers[k]->offered == 1 && !kept_count(keepers[k])); /* nothing is delivered before it is kept */
        assert_int_equal(w->posted_count, rows[i].fails == LOOPS);
        if (w->posted_count) {
            size_t promises = 0;
            for (const struct write *at = w->posted[0]->write; at; at = at->next)
                promises += at->kind == WRITE_DELIVERIES ? at->as.deliveries.count : 0;
            assert_int_equal(promises, LOOPS); /* all in one commit */
            store(w, rows[i].store_says);
        }
        assert_true(p->done && !p->request.refused == rows[i].kept);
        turn_all(w);
        for (size_t k = 0; k < LOOPS; k++) {
            if (kept_count(keepers[k]) != rows[i].kept)
                fail_msg("%s: loop %zu", rows[i].rule, k);
            assert_true(!keepers[k]->count || keepers[k]->row[0].kept != keepers[k]->row[0].gone); /* settled */
            leave_on(w, k, keepers[k]);
            free(keepers[k]);
        }
        world_close(w);
    }
}

/* The box of one loop is full: refused before anything is kept, and whoever promised is told. */
static void a_full_mailbox_refuses(void **state)
{
    struct world *w = world_open(2);
    struct mail fill[2] = {{.open = nothing}, {.open = nothing}};
    struct listener *keepers[LOOPS];
    for (size_t k = 0; k < LOOPS; k++)
        keepers[k] = listen_on(w, k, "a/b", SUBSCRIPTION_KEEPS);
    for (size_t k = 0; k < 2; k++)
        assert_null(mailbox_post(loop_mailbox(w->stations[2].loop), &fill[k]));
    struct publication *p = publish(w, 1);
    assert_false(p->done); /* the parcel of the second loop is out */
    turn_all(w);
    assert_true(p->done && err_is(p->request.refused, ERR_FULL));
    assert_int_equal(w->posted_count, 0);
    turn_all(w);
    for (size_t k = 0; k < LOOPS; k++) {
        assert_int_equal(kept_count(keepers[k]), 0);
        assert_true(k == 2 ? !keepers[k]->count : keepers[k]->row[0].gone);
    }
    publish(w, 1);
    turn_all(w);
    store(w, OK);
    turn_all(w);
    for (size_t k = 0; k < LOOPS; k++) {
        assert_int_equal(kept_count(keepers[k]), 1);
        leave_on(w, k, keepers[k]);
        free(keepers[k]);
    }
    world_close(w);
}

/* A member of a share that only listens is asked, too, when it is elsewhere: what has a QoS is not acknowledged before its
 * loop had room for it. */
static void a_share_elsewhere_holds_up_its_publisher(void **state)
{
    struct world *w = world_open(2);
    struct mail fill[2] = {{.open = nothing}, {.open = nothing}};
    struct listener *member = join_on(w, 2, "$share/g/a/b", 0);
    turn_all(w);
    for (size_t k = 0; k < 2; k++)
        assert_null(mailbox_post(loop_mailbox(w->stations[2].loop), &fill[k]));
    struct publication *p = publish(w, 1);
    assert_true(p->done && err_is(p->request.refused, ERR_FULL));
    turn_all(w);
    assert_int_equal(member->count, 0);
    p = publish(w, 1);
    assert_false(p->done); /* that loop is being asked */
    turn_all(w);
    store(w, OK);
    assert_true(p->done && !p->request.refused);
    turn_all(w);
    assert_int_equal(kept_count(member), 1);
    leave_on(w, 2, member);
    free(member);
    world_close(w);
}

/* Turns, commits and publications in any order: each keeper has each message that was acknowledged once and in order, and
 * each that listens hears each quality of service in order (MQTT 5.0, 4.6). */
static void order_is_kept(void **state)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct world *w = world_open(64);
        struct listener *keepers[LOOPS], *ears[LOOPS];
        w->dice = seed;
        for (size_t k = 0; k < LOOPS; k++) {
            keepers[k] = listen_on(w, k, "a/b", SUBSCRIPTION_KEEPS);
            ears[k] = listen_on(w, k, "a/#", 0);
        }
        for (int step = 0; step < 1500; step++) {
            uint32_t die = draw(w, 10);
            w->writes = draw(w, 2);
            if (die < 3 && w->publication_count < REQUESTS)
                publish(w, (uint8_t)draw(w, 3));
            else if (die < 5 && w->posted_count)
                store(w, draw(w, 10) ? OK : &disk);
            else
                turn(w, draw(w, LOOPS));
        }
        turn_all(w);
        while (w->posted_count) {
            store(w, OK);
            turn_all(w);
        }
        for (size_t k = 0; k < LOOPS; k++) {
            uint32_t last = 0, heard[3] = {0};
            size_t acknowledged = 0;
            for (size_t i = 0; i < w->publication_count; i++)
                acknowledged += !w->publications[i].request.refused;
            assert_int_equal(ears[k]->count, acknowledged);
            assert_int_equal(kept_count(keepers[k]), acknowledged);
            for (size_t i = 0; i < keepers[k]->count; i++) {
                const struct publication *p = &w->publications[keepers[k]->row[i].serial - 1];
                assert_int_equal(keepers[k]->row[i].kept, !p->request.refused);
                if (!p->request.message->qos)
                    continue;
                assert_true(keepers[k]->row[i].serial > last);
                last = keepers[k]->row[i].serial;
            }
            for (size_t i = 0; i < ears[k]->count; i++) {
                uint32_t serial = ears[k]->row[i].serial;
                uint8_t qos = w->publications[serial - 1].request.message->qos;
                assert_true(serial > heard[qos]);
                heard[qos] = serial;
            }
            leave_on(w, k, keepers[k]);
            leave_on(w, k, ears[k]);
            free(keepers[k]);
            free(ears[k]);
        }
        world_close(w);
    }
}

/* ---- shares */

static void a_member_is_known_when_all_have_answered(void **state)
{
    struct world *w = world_open(MAILS);
    struct listener *l = join_on(w, 1, "$share/g/a/b", 0), *early;
    assert_int_equal(l->joined, 0);
    turn(w, 0);
    turn(w, 1);
    assert_int_equal(l->joined, 0); /* the third loop does not know it */
    turn(w, 2);
    turn(w, 1);
    assert_int_equal(l->joined, 1);
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(router_count(w->stations[i].router), 1);
    early = join_on(w, 2, "$share/g/a/b", 0);
    leave_on(w, 2, early); /* before anybody heard of it */
    turn_all(w);
    assert_int_equal(early->joined, 0);
    leave_on(w, 1, l);
    turn_all(w);
    for (size_t i = 0; i < LOOPS; i++)
        assert_int_equal(router_count(w->stations[i].router), 0);
    free(l);
    free(early);
    world_close(w);
}

/* One of each share, in turns over all loops; those who are away only when all are. */
static void members_of_all_loops_take_turns(void **state)
{
    for (uint8_t qos = 0; qos < 3; qos++)
        for (unsigned keeps = 0; keeps <= SUBSCRIPTION_KEEPS; keeps += SUBSCRIPTION_KEEPS) {
            struct world *w = world_open(MAILS);
            struct listener *members[LOOPS];
            size_t before[LOOPS], total = 0;
            for (size_t k = 0; k < LOOPS; k++)
                members[k] = join_on(w, k, "$share/g/a/b", keeps);
            turn_all(w);
            for (int i = 0; i < 9; i++) {
                publish(w, qos);
                turn_all(w);
                while (w->posted_count)
                    store(w, OK);
                turn_all(w);
            }
            for (size_t k = 0; k < LOOPS; k++)
                assert_int_equal(kept_count(members[k]), 3);
            struct shares *shares = dispatch_shares(w->stations[1].dispatch);
            shares->mark(shares, &members[1]->member, keeps | SUBSCRIPTION_AWAY);
            turn_all(w);
            for (size_t k = 0; k < LOOPS; k++)
                before[k] = kept_count(members[k]);
            for (int i = 0; i < 4; i++) {
                publish(w, qos);
                turn_all(w);
                while (w->posted_count)
                    store(w, OK);
                turn_all(w);
            }
            for (size_t k = 0; k < LOOPS; k++) {
                assert_int_equal(kept_count(members[k]) - before[k], k == 1 ? 0 : 2);
                total += kept_count(members[k]);
                leave_on(w, k, members[k]);
            }
            assert_int_equal(total, 13);
            for (size_t k = 0; k < LOOPS; k++)
                free(members[k]);
            world_close(w);
        }
}

/* A member leaves while a message is on its way to it: another one has it, or the publisher is refused; never nobody, as
 * long as somebody stays. */
static void a_member_that_left_is_replaced(void **state)
{
    for (uint8_t qos = 0; qos < 2; qos++)
        for (unsigned keeps = 0; keeps <= SUBSCRIPTION_KEEPS; keeps += SUBSCRIPTION_KEEPS)
            for (size_t heir = 0; heir <= LOOPS; heir++) { /* on which loop somebody stays; LOOPS: nobody does */
                struct world *w = world_open(MAILS);
                struct listener *leaver = join_on(w, 1, "$share/g/a/b", keeps);
                struct listener *stays = heir < LOOPS ? join_on(w, heir, "$share/g/a/b", keeps) : NULL;
                size_t accepted = 0;
                turn_all(w);
                publish(w, qos);
                publish(w, qos); /* one of them is for the one who leaves */
                leave_on(w, 1, leaver);
                turn_all(w);
                while (w->posted_count)
                    store(w, OK);
                turn_all(w);
                for (size_t i = 0; i < w->publication_count; i++)
                    accepted += !w->publications[i].request.refused;
                if (kept_count(leaver) || (stays && kept_count(stays) != accepted))
                    fail_msg("QoS %u, flags %u, heir %zu: left %zu, stays %zu of %zu", qos, keeps, heir, kept_count(leaver),
                             kept_count(stays), accepted);
                assert_true(accepted == 2 || (accepted == 1 && qos && heir != 1 && heir < LOOPS));
                if (stays)
                    leave_on(w, heir, stays);
                free(leaver);
                free(stays);
                world_close(w);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_to_loops_that_want_it),
        cmocka_unit_test(a_loop_that_stands_makes_publishers_wait),
        cmocka_unit_test(what_is_offered_is_settled_everywhere),
        cmocka_unit_test(a_full_mailbox_refuses),
        cmocka_unit_test(a_share_elsewhere_holds_up_its_publisher),
        cmocka_unit_test(order_is_kept),
        cmocka_unit_test(a_member_is_known_when_all_have_answered),
        cmocka_unit_test(members_of_all_loops_take_turns),
        cmocka_unit_test(a_member_that_left_is_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
