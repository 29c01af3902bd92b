/* The router against a list: thousands of random filters come and go, and every name must reach exactly those that
 * topic_matches says. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/router.h"

#include "base/memory.h"
#include "core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { PLACES = 300, TEXT_MAX = 64 };

struct watch {
    struct subscription subscription;
    char filter[TEXT_MAX];
    unsigned heard;
    bool in;
};

struct world {
    uint64_t seed;
    struct interests interests;
    struct router *router;
    struct watch watches[PLACES];
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % below;
}

static void hear(struct subscription *self, struct message *message)
{
    CONTAINER(self, struct watch, subscription)->heard++;
}

static const struct subscription_calls watch_calls = {hear, NULL};

/* Few different levels, so that filters and names meet; empty ones and "$" among them. */
static void draw_topic(struct world *w, char out[TEXT_MAX], size_t wildcards)
{
    static const char *const levels[] = {"a", "b", "", "$s", "long-level-name", "+", "#"};
    size_t count = 1 + draw(w, 5), len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *level = levels[draw(w, 5 + (uint32_t)wildcards)];
        len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s%s", i ? "/" : "", level);
        if (*level == '#')
            return;
    }
    if (!len)
        snprintf(out, TEXT_MAX, "a");
}

static void add(struct world *w, struct watch *watch)
{
    draw_topic(w, watch->filter, 2);
    assert_null(topic_check_filter(bytes_of_text(watch->filter)));
    watch->subscription.calls = &watch_calls;
    assert_null(router_add(w->router, bytes_of_text(watch->filter), &watch->subscription));
    watch->in = true;
}

static void route(struct world *w)
{
    char name[TEXT_MAX];
    draw_topic(w, name, 0);
    struct message_parts parts = {.topic = bytes_of_text(name)};
    struct message *m = message_make(&parts);
    router_route(w->router, m, ROUTE_FRESH);
    bool anybody = interest_has(&w->interests.live, bytes_of_text(name));
    message_drop(m);
    for (size_t i = 0; i < PLACES; i++) {
        struct watch *watch = &w->watches[i];
        unsigned want = watch->in && topic_matches(bytes_of_text(watch->filter), bytes_of_text(name));
        if (watch->heard != want)
            fail_msg("\"%s\" reached \"%s\" %u times, not %u", name, watch->filter, watch->heard, want);
        assert_true(anybody || !want); /* the summary never says no for something */
        watch->heard = 0;
    }
}

static void the_tree_agrees_with_a_list(void **state)
{
    struct world *w = MEM_NEW(struct world);
    w->seed = 20260131;
    assert_null(router_open(PLACES, 11, &w->interests, &w->router));
    size_t in = 0;
    for (int step = 0; step < 20000; step++) {
        struct watch *watch = &w->watches[draw(w, PLACES)];
        if (draw(w, 2)) {
            route(w);
        } else if (watch->in) {
            router_remove(w->router, &watch->subscription);
            watch->in = false;
            in--;
        } else {
            add(w, watch);
            in++;
        }
        assert_int_equal(router_count(w->router), in);
    }
    for (size_t i = 0; i < PLACES; i++) {
        router_remove(w->router, &w->watches[i].subscription); /* one that is in no router is fine */
        w->watches[i].in = false;
    }
    assert_int_equal(router_count(w->router), 0);
    route(w);
    router_close(w->router);
    mem_drop(w);
}

/* One that counts what it gets, by how it got it. */
struct listener {
    struct subscription subscription;
    struct promiser promiser;
    unsigned heard, offered, settled;
};

static void listen(struct subscription *self, struct message *message)
{
    CONTAINER(self, struct listener, subscription)->heard++;
}

static void listen_offer(struct subscription *self, struct offer *offer)
{
    CONTAINER(self, struct listener, subscription)->offered++;
}

static const struct subscription_calls listener_calls = {listen, listen_offer};

static void listen_at(struct router *r, const char *filter, struct listener *l, unsigned flags)
{
    *l = (struct listener){.subscription = {.calls = &listener_calls, .flags = flags}};
    assert_null(router_add(r, bytes_of_text(filter), &l->subscription));
}

static void route_by(struct router *r, struct bytes topic, enum route route)
{
    struct message_parts parts = {.topic = topic};
    struct message *m = message_make(&parts);
    router_route(r, m, route);
    message_drop(m);
}

static void offer_by(struct router *r, struct bytes topic, enum route route)
{
    struct message_parts parts = {.topic = topic, .qos = 1};
    struct message *m = message_make(&parts);
    struct offer offer = {.message = m};
    router_offer(r, &offer, route);
    offer_settle(&offer, OFFER_REFUSED);
    message_drop(m);
}

/* How many of them heard it, and forgets. */
static size_t route_text(struct router *r, struct bytes topic, struct listener *l, size_t count)
{
    size_t heard = 0;
    route_by(r, topic, ROUTE_FRESH);
    for (size_t i = 0; i < count; i++) {
        heard += l[i].heard;
        l[i].heard = 0;
    }
    return heard;
}

static void the_bound_holds(void **state)
{
    struct listener l[4] = {{.heard = 0}};
    struct interests *i = MEM_NEW(struct interests);
    struct router *r;
    assert_null(router_open(3, 1, i, &r));
    for (size_t k = 0; k < 3; k++)
        listen_at(r, "a/b", &l[k], 0); /* the same filter thrice counts thrice */
    l[3].subscription.calls = &listener_calls;
    assert_true(err_is(router_add(r, BYTES("c"), &l[3].subscription), ERR_FULL));
    assert_null(l[3].subscription.node);
    router_remove(r, &l[1].subscription);
    router_remove(r, &l[1].subscription);
    assert_null(router_add(r, BYTES("c"), &l[3].subscription));
    assert_int_equal(router_count(r), 3);
    router_close(r); /* with all of them in it */
    router_close(NULL);
    mem_drop(i);
}

/* As deep as it goes, and every level forks: beside the exact path stands one "+" for each of its levels. */
static void the_deepest_forks_fit_the_stack(void **state)
{
    enum { LEN = 2 * TOPIC_LEVELS_MAX - 1 };
    struct listener l[TOPIC_LEVELS_MAX + 1] = {{.heard = 0}};
    struct interests *in = MEM_NEW(struct interests);
    struct router *r;
    char name[LEN + 1], filter[LEN + 1];
    assert_null(router_open(TOPIC_LEVELS_MAX + 1, 1, in, &r));
    for (size_t i = 0; i < LEN; i++)
        name[i] = i % 2 ? '/' : 'a';
    name[LEN] = 0;
    for (size_t i = 0; i <= TOPIC_LEVELS_MAX; i++) {
        memcpy(filter, name, sizeof filter);
        if (i < TOPIC_LEVELS_MAX)
            filter[2 * i] = '+';
        listen_at(r, filter, &l[i], 0);
    }
    assert_int_equal(route_text(r, bytes_of(name, LEN), l, TOPIC_LEVELS_MAX + 1), TOPIC_LEVELS_MAX + 1);
    router_close(r);
    mem_drop(in);
}

/* Names longer or deeper than any filter reach whoever asked for "everything below", and nothing else breaks. */
static void names_over_the_bounds_are_routed_safely(void **state)
{
    enum { LONG = 65535 };
    struct listener l[3];
    struct interests *in = MEM_NEW(struct interests);
    struct router *r;
    char *name = mem_take(LONG, 1);
    memset(name, 'x', LONG);
    memcpy(name, "a/", 2);
    assert_null(router_open(3, 1, in, &r));
    listen_at(r, "a/#", &l[0], 0);
    listen_at(r, "a/x", &l[1], 0);
    listen_at(r, "a/+", &l[2], 0);
    assert_int_equal(route_text(r, bytes_of(name, LONG), l, 3), 2);
    for (size_t i = 3; i < LONG; i += 2)
        name[i] = '/';
    assert_int_equal(route_text(r, bytes_of(name, LONG), l, 3), 1);
    router_close(r);
    mem_drop(name);
    mem_drop(in);
}

/* What is remembered of a topic is forgotten when the tree changes: by a new filter, by the first one at a node that was
 * there, by the last one that goes; also for more nodes than are remembered, and for long topics. */
static void what_was_found_is_not_believed_for_ever(void **state)
{
    static const char *const all[] = {"a/b/c/d", "a/b/c/#", "a/b/+/d", "a/+/c/d", "+/b/c/d", "a/#", "#", "+/#", "a/b/#", "+/+/+/+"};
    enum { ALL = sizeof all / sizeof *all };
    char longer[120] = "a/b/c/d/";
    struct listener l[ALL + 1] = {{.heard = 0}};
    struct interests *in = MEM_NEW(struct interests);
    struct router *r;
    assert_null(router_open(ALL + 1, 1, in, &r));
    memset(longer + 8, 'x', sizeof longer - 9);
    for (size_t i = 0; i < ALL; i++) {
        assert_int_equal(route_text(r, BYTES("a/b/c/d"), l, i), i);
        listen_at(r, all[i], &l[i], 0);
    }
    assert_int_equal(route_text(r, BYTES("a/b/c/d"), l, ALL), ALL);
    assert_int_equal(route_text(r, bytes_of_text(longer), l, ALL), 5);
    for (size_t i = ALL; i-- > 0;) {
        router_remove(r, &l[i].subscription);
        assert_int_equal(route_text(r, BYTES("a/b/c/d"), l, ALL), i);
    }
    /* A node that stands because of what is below it, and gets its first subscription and its first share. */
    listen_at(r, "a/b/c/d", &l[0], 0);
    assert_int_equal(route_text(r, BYTES("a/b"), l, ALL), 0);
    listen_at(r, "a/b", &l[1], 0);
    assert_int_equal(route_text(r, BYTES("a/b"), l, ALL), 1);
    router_remove(r, &l[1].subscription);
    assert_int_equal(route_text(r, BYTES("a/b"), l, ALL), 0);
    listen_at(r, "$share/g/a/b", &l[1], 0);
    assert_int_equal(route_text(r, BYTES("a/b"), l, ALL), 1);
    router_close(r);
    mem_drop(in);
}

/* ---- who keeps, and who shares */

/* Each kind of subscription, by how the message comes. */
static void routes_and_offers(void **state)
{
    static const struct {
        const char *rule, *filter;
        unsigned flags;
        unsigned routed[3]; /* by enum route */
        unsigned offered[3];
        bool live, keeping; /* in the interests */
    } rows[] = {
        {"one that listens", "a/b", 0, {1, 1, 1}, {0, 0, 0}, true, false},
        {"one that keeps", "a/b", SUBSCRIPTION_KEEPS, {0, 1, 1}, {1, 1, 1}, true, true},
        {"one of a share", "$share/g/a/b", 0, {0, 1, 0}, {0, 1, 0}, false, false},
        {"one of a share that keeps", "$share/g/a/b", SUBSCRIPTION_KEEPS, {0, 1, 0}, {0, 1, 0}, false, false},
        {"a member on another loop", "$share/g/a/b", SUBSCRIPTION_PROXY, {0, 1, 0}, {0, 1, 0}, false, false},
        {"one that is away", "$share/g/a/b", SUBSCRIPTION_KEEPS | SUBSCRIPTION_AWAY, {0, 1, 0}, {0, 1, 0}, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned route = 0; route < 3; route++) {
            struct interests *in = MEM_NEW(struct interests);
            struct listener l;
            struct router *r;
            assert_null(router_open(3, 1, in, &r));
            listen_at(r, rows[i].filter, &l, rows[i].flags);
            route_by(r, BYTES("a/b"), (enum route)route);
            offer_by(r, BYTES("a/b"), (enum route)route);
            if (l.heard != rows[i].routed[route] || l.offered != rows[i].offered[route])
                fail_msg("%s, route %u: heard %u, offered %u", rows[i].rule, route, l.heard, l.offered);
            if (interest_has(&in->live, BYTES("a/b")) != rows[i].live ||
                interest_has(&in->keeping, BYTES("a/b")) != rows[i].keeping)
                fail_msg("%s: interests", rows[i].rule);
            bool elsewhere = rows[i].flags & SUBSCRIPTION_PROXY && bytes_starts(bytes_of_text(rows[i].filter), "$share/");
            assert_int_equal(router_may_keep(r, BYTES("a/b")), rows[i].flags & SUBSCRIPTION_KEEPS || elsewhere);
            router_remove(r, &l.subscription);
            assert_false(interest_has(&in->live, BYTES("a/b")) || interest_has(&in->keeping, BYTES("a/b")));
            assert_false(router_may_keep(r, BYTES("a/b")));
            router_close(r);
            mem_drop(in);
        }
}

/* A mark moves it between those who keep and those who do not, between present and away; the interests follow. */
static void marks_are_followed(void **state)
{
    struct interests *in = MEM_NEW(struct interests);
    struct listener l;
    struct router *r;
    assert_null(router_open(3, 1, in, &r));
    listen_at(r, "a/+", &l, 0);
    for (int i = 0; i < 3; i++) {
        router_mark(r, &l.subscription, SUBSCRIPTION_KEEPS);
        assert_true(interest_has(&in->keeping, BYTES("a/b")) && router_may_keep(r, BYTES("a/b")));
        router_mark(r, &l.subscription, 0);
        assert_false(interest_has(&in->keeping, BYTES("a/b")) || router_may_keep(r, BYTES("a/b")));
        assert_true(interest_has(&in->live, BYTES("a/b")));
    }
    router_remove(r, &l.subscription);
    router_mark(r, &l.subscription, SUBSCRIPTION_KEEPS); /* of one that is in no router: nothing */
    assert_false(router_may_keep(r, BYTES("a/b")));
    router_close(r);
    mem_drop(in);
}

/* In turns, those present before those away; each share of its own, and each filter. */
static void members_take_turns(void **state)
{
    struct interests *in = MEM_NEW(struct interests);
    struct listener l[3], other, elsewhere;
    struct router *r;
    assert_null(router_open(8, 1, in, &r));
    for (size_t i = 0; i < 3; i++)
        listen_at(r, "$share/g/a/+", &l[i], SUBSCRIPTION_KEEPS);
    listen_at(r, "$share/h/a/+", &other, 0);
    listen_at(r, "$share/g/a/b", &elsewhere, 0); /* the same name and another filter is another share */
    for (int i = 0; i < 9; i++)
        route_by(r, BYTES("a/b"), ROUTE_FRESH);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(l[i].heard, 3);
    assert_int_equal(other.heard, 9);
    assert_int_equal(elsewhere.heard, 9);
    router_mark(r, &l[1].subscription, SUBSCRIPTION_KEEPS | SUBSCRIPTION_AWAY);
    for (int i = 0; i < 4; i++)
        offer_by(r, BYTES("a/b"), ROUTE_FRESH);
    assert_int_equal(l[0].offered, 2);
    assert_int_equal(l[1].offered, 0);
    assert_int_equal(l[2].offered, 2);
    router_mark(r, &l[0].subscription, SUBSCRIPTION_KEEPS | SUBSCRIPTION_AWAY);
    router_mark(r, &l[2].subscription, SUBSCRIPTION_KEEPS | SUBSCRIPTION_AWAY);
    for (int i = 0; i < 3; i++)
        offer_by(r, BYTES("a/b"), ROUTE_FRESH);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(l[i].offered, i == 1 ? 1 : 3); /* when all are away, in turns too */
    for (size_t i = 0; i < 3; i++)
        router_remove(r, &l[i].subscription);
    offer_by(r, BYTES("a/b"), ROUTE_FRESH);
    assert_int_equal(other.offered, 8);
    router_close(r);
    mem_drop(in);
}

/* By the name of its share, for a message whose member left: nobody when nobody is left. */
static void a_share_is_found_by_its_filter(void **state)
{
    struct message_parts parts = {.topic = BYTES("a/b")};
    struct message *m = message_make(&parts);
    struct interests *in = MEM_NEW(struct interests);
    struct listener l[2];
    struct router *r;
    assert_null(router_open(8, 1, in, &r));
    listen_at(r, "$share/g/a/+", &l[0], 0);
    listen_at(r, "$share/h/a/+", &l[1], 0);
    router_route_share(r, m, BYTES("$share/g/a/+"));
    assert_int_equal(l[0].heard, 1);
    assert_int_equal(l[1].heard, 0);
    router_route_share(r, m, BYTES("$share/i/a/+"));
    router_route_share(r, m, BYTES("$share/g/a"));
    router_route_share(r, m, BYTES("$share/g/b/c/d"));
    router_route_share(r, m, BYTES("$share//a"));
    assert_int_equal(l[0].heard + l[1].heard, 1);
    router_remove(r, &l[0].subscription);
    router_route_share(r, m, BYTES("$share/g/a/+"));
    assert_int_equal(l[0].heard + l[1].heard, 1);
    router_close(r);
    message_drop(m);
    mem_drop(in);
}

/* The Nth allocation fails while filters that share levels are added: no half of a path is left behind. */
static void every_allocation_may_fail(void **state)
{
    static const char *const filters[] = {"a/b/c/d", "a/b/c", "a/+/c/#", "$share/g/x/y"};
    struct interests *in = MEM_NEW(struct interests);
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct listener l[4];
        struct router *r = NULL;
        size_t entered = 0;
        for (size_t i = 0; i < 4; i++)
            l[i] = (struct listener){.subscription = {.calls = &listener_calls, .flags = SUBSCRIPTION_KEEPS}};
        mem_trial(++n);
        err failed = router_open(4, 1, in, &r);
        assert_true(!failed || err_is(failed, ERR_MEMORY));
        for (size_t i = 0; !failed && i < 4; i++) {
            err full = router_add(r, bytes_of_text(filters[i]), &l[i].subscription);
            assert_true(!full || err_is(full, ERR_MEMORY));
            assert_true(!l[i].subscription.node == (full != OK));
            entered += !full;
        }
        seen = mem_trial(0);
        if (failed)
            continue;
        assert_int_equal(router_count(r), entered);
        assert_int_equal(route_text(r, BYTES("a/b/c/d"), l, 4), (l[0].subscription.node != NULL) + (l[2].subscription.node != NULL));
        for (size_t i = 0; i < 4; i++)
            router_remove(r, &l[i].subscription);
        assert_int_equal(route_text(r, BYTES("a/b/c/d"), l, 4), 0);
        router_close(r); /* the sanitizer tells of nodes that were left */
        assert_int_equal(counter_read(&in->live.total) + counter_read(&in->keeping.total), 0);
    }
    assert_true(n > 8);
    mem_drop(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_agrees_with_a_list),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(the_deepest_forks_fit_the_stack),
        cmocka_unit_test(names_over_the_bounds_are_routed_safely),
        cmocka_unit_test(what_was_found_is_not_believed_for_ever),
        cmocka_unit_test(routes_and_offers),
        cmocka_unit_test(marks_are_followed),
        cmocka_unit_test(members_take_turns),
        cmocka_unit_test(a_share_is_found_by_its_filter),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
