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
    watch->subscription.deliver = hear;
    assert_null(router_add(w->router, bytes_of_text(watch->filter), &watch->subscription));
    watch->in = true;
}

static void route(struct world *w)
{
    char name[TEXT_MAX];
    draw_topic(w, name, 0);
    struct message_parts parts = {.topic = bytes_of_text(name)};
    struct message *m = message_make(&parts);
    size_t expected = 0, delivered = router_route(w->router, m);
    message_drop(m);
    for (size_t i = 0; i < PLACES; i++) {
        struct watch *watch = &w->watches[i];
        unsigned want = watch->in && topic_matches(bytes_of_text(watch->filter), bytes_of_text(name));
        if (watch->heard != want)
            fail_msg("\"%s\" reached \"%s\" %u times, not %u", name, watch->filter, watch->heard, want);
        expected += want;
        watch->heard = 0;
    }
    assert_int_equal(delivered, expected);
}

static void the_tree_agrees_with_a_list(void **state)
{
    struct world *w = MEM_NEW(struct world);
    w->seed = 20260131;
    assert_null(router_open(PLACES, 11, &w->router));
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

static void count_only(struct subscription *self, struct message *message)
{
}

static size_t route_text(struct router *r, struct bytes topic)
{
    struct message_parts parts = {.topic = topic};
    struct message *m = message_make(&parts);
    size_t delivered = router_route(r, m);
    message_drop(m);
    return delivered;
}

static void the_bound_holds(void **state)
{
    struct subscription s[4] = {{.deliver = count_only}, {.deliver = count_only}, {.deliver = count_only}, {.deliver = count_only}};
    struct router *r;
    assert_null(router_open(3, 1, &r));
    for (size_t i = 0; i < 3; i++)
        assert_null(router_add(r, BYTES("a/b"), &s[i])); /* the same filter thrice counts thrice */
    assert_true(err_is(router_add(r, BYTES("c"), &s[3]), ERR_FULL));
    assert_null(s[3].node);
    router_remove(r, &s[1]);
    router_remove(r, &s[1]);
    assert_null(router_add(r, BYTES("c"), &s[3]));
    assert_int_equal(router_count(r), 3);
    router_close(r); /* with all of them in it */
    router_close(NULL);
}

/* As deep as it goes, and every level forks: beside the exact path stands one "+" for each of its levels. */
static void the_deepest_forks_fit_the_stack(void **state)
{
    enum { LEN = 2 * TOPIC_LEVELS_MAX - 1 };
    struct subscription s[TOPIC_LEVELS_MAX + 1] = {{.deliver = NULL}};
    struct router *r;
    char name[LEN + 1], filter[LEN + 1];
    assert_null(router_open(TOPIC_LEVELS_MAX + 1, 1, &r));
    for (size_t i = 0; i <= LEN; i++)
        name[i] = i % 2 ? '/' : 'a';
    for (size_t i = 0; i <= TOPIC_LEVELS_MAX; i++) {
        memcpy(filter, name, sizeof filter);
        if (i < TOPIC_LEVELS_MAX)
            filter[2 * i] = '+';
        s[i].deliver = count_only;
        assert_null(router_add(r, bytes_of(filter, LEN), &s[i]));
    }
    assert_int_equal(route_text(r, bytes_of(name, LEN)), TOPIC_LEVELS_MAX + 1);
    router_close(r);
}

/* Names longer or deeper than any filter reach whoever asked for "everything below", and nothing else breaks. */
static void names_over_the_bounds_are_routed_safely(void **state)
{
    enum { LONG = 65535 };
    struct subscription all = {.deliver = count_only}, exact = all, plus = all;
    struct router *r;
    char *name = mem_take(LONG, 1);
    memset(name, 'x', LONG);
    memcpy(name, "a/", 2);
    assert_null(router_open(3, 1, &r));
    assert_null(router_add(r, BYTES("a/#"), &all));
    assert_null(router_add(r, BYTES("a/x"), &exact));
    assert_null(router_add(r, BYTES("a/+"), &plus));
    assert_int_equal(route_text(r, bytes_of(name, LONG)), 2);
    for (size_t i = 3; i < LONG; i += 2)
        name[i] = '/';
    assert_int_equal(route_text(r, bytes_of(name, LONG)), 1);
    router_close(r);
    mem_drop(name);
}

/* The Nth allocation fails while filters that share levels are added: no half of a path is left behind. */
static void every_allocation_may_fail(void **state)
{
    static const char *const filters[] = {"a/b/c/d", "a/b/c", "a/+/c/#", "x"};
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct subscription s[4] = {{.deliver = count_only}, {.deliver = count_only}, {.deliver = count_only}, {.deliver = count_only}};
        struct router *r = NULL;
        size_t in = 0;
        mem_trial(++n);
        err failed = router_open(4, 1, &r);
        assert_true(!failed || err_is(failed, ERR_MEMORY));
        for (size_t i = 0; !failed && i < 4; i++) {
            err full = router_add(r, bytes_of_text(filters[i]), &s[i]);
            assert_true(!full || err_is(full, ERR_MEMORY));
            assert_true(!s[i].node == (full != OK));
            in += !full;
        }
        seen = mem_trial(0);
        if (failed)
            continue;
        assert_int_equal(router_count(r), in);
        assert_int_equal(route_text(r, BYTES("a/b/c/d")), (s[0].node != NULL) + (s[2].node != NULL));
        for (size_t i = 0; i < 4; i++)
            router_remove(r, &s[i]);
        assert_int_equal(route_text(r, BYTES("a/b/c/d")), 0);
        router_close(r); /* the sanitizer tells of nodes that were left */
    }
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tree_agrees_with_a_list),
        cmocka_unit_test(the_bound_holds),
        cmocka_unit_test(the_deepest_forks_fit_the_stack),
        cmocka_unit_test(names_over_the_bounds_are_routed_safely),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
