/* Walks that pause while what is retained comes and goes: what is held all the while is found, and nothing twice. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/retained.h"

#include "base/list.h"
#include "base/memory.h"
#include "core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TOPICS = 200, WALKS = 6, STEPS = 40000, TEXT_MAX = 64 };

struct walker {
    struct retained_visitor visitor;
    struct retained_walk *walk;
    struct world *world;
    char filter[TEXT_MAX];
    bool always[TOPICS]; /* held since the walk began */
    unsigned found[TOPICS];
};

struct world {
    uint64_t dice;
    int64_t now_us;
    struct retained *retained;
    char topics[TOPICS][TEXT_MAX];
    int64_t held[TOPICS]; /* until then; 0: not held */
    struct walker walkers[WALKS];
    size_t finished, paused;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->dice >> 33) % below;
}

static void draw_topic(struct world *w, char out[TEXT_MAX], uint32_t wildcards)
{
    static const char *const levels[] = {"a", "b", "", "$s", "c", "+", "#"};
    size_t count = 1 + draw(w, 5), len = 0;
    for (size_t i = 0; i < count; i++) {
        const char *level = levels[draw(w, 5 + wildcards)];
        len += (size_t)snprintf(out + len, TEXT_MAX - len, "%s%s", i ? "/" : "", level);
        if (*level == '#')
            return;
    }
    if (!len)
        snprintf(out, TEXT_MAX, "a");
}

static size_t topic_at(const struct world *w, struct bytes topic)
{
    size_t i = 0;
    while (!bytes_is(topic, w->topics[i]))
        i++;
    return i;
}

static bool find(struct retained_visitor *self, struct message *m)
{
    struct walker *k = CONTAINER(self, struct walker, visitor);
    if (!draw(k->world, 4)) { /* not just now */
        k->world->paused++;
        return false;
    }
    k->found[topic_at(k->world, m->topic)]++;
    return true;
}

static void gone(struct world *w, size_t topic)
{
    w->held[topic] = 0;
    for (size_t i = 0; i < WALKS; i++)
        w->walkers[i].always[topic] = false;
}

static void change(struct world *w)
{
    size_t topic = draw(w, TOPICS);
    bool deletes = draw(w, 2);
    int64_t until = draw(w, 3) ? INT64_MAX : w->now_us + 1 + draw(w, 200);
    struct message_parts parts = {.topic = bytes_of_text(w->topics[topic]),
                                  .payload = deletes ? bytes_of(NULL, 0) : BYTES("x"),
                                  .expires_us = until == INT64_MAX ? 0 : until};
    struct message *m = message_make(&parts);
    assert_null(retained_put(w->retained, m));
    message_drop(m);
    if (deletes)
        gone(w, topic);
    else
        w->held[topic] = until;
}

static void end(struct world *w, struct walker *k)
{
    for (size_t i = 0; i < TOPICS; i++) {
        if (k->found[i] > 1 || (k->found[i] && !topic_matches(bytes_of_text(k->filter), bytes_of_text(w->topics[i]))))
            fail_msg("\"%s\" found \"%s\" %u times", k->filter, w->topics[i], k->found[i]);
        if (k->always[i] && !k->found[i] && topic_matches(bytes_of_text(k->filter), bytes_of_text(w->topics[i])))
            fail_msg("\"%s\" did not find \"%s\"", k->filter, w->topics[i]);
    }
    w->finished++;
    retained_walk_close(k->walk);
    k->walk = NULL;
}

static void walk(struct world *w)
{
    struct walker *k = &w->walkers[draw(w, WALKS)];
    if (!k->walk) {
        *k = (struct walker){.visitor.found = find, .world = w};
        draw_topic(w, k->filter, 2);
        for (size_t i = 0; i < TOPICS; i++)
            k->always[i] = w->held[i] > 0;
        char filter[TEXT_MAX];
        memcpy(filter, k->filter, sizeof filter);
        assert_null(retained_walk_open(w->retained, bytes_of_text(filter), &k->walk));
        memset(filter, 'x', sizeof filter); /* it has a copy */
    }
    if (!retained_walk_on(k->walk, w->now_us, draw(w, 12), &k->visitor)) {
        assert_false(retained_walk_on(k->walk, w->now_us, 100, &k->visitor));
        end(w, k);
    } else if (!draw(w, 30)) { /* had enough */
        retained_walk_close(k->walk);
        k->walk = NULL;
    }
}

static void walks_pause_while_all_changes(void **state)
{
    const struct retained_limits limits = {SIZE_MAX, SIZE_MAX};
    struct world *w = MEM_NEW(struct world);
    w->dice = 20260303;
    for (size_t i = 0; i < TOPICS; i++) { /* each once */
        draw_topic(w, w->topics[i], 0);
        i -= topic_at(w, bytes_of_text(w->topics[i])) < i;
    }
    assert_null(retained_open(&limits, 3, &w->retained));
    for (int step = 0; step < STEPS; step++) {
        w->now_us++;
        for (size_t i = 0; i < TOPICS; i++)
            if (w->held[i] && w->held[i] <= w->now_us)
                gone(w, i);
        if (draw(w, 3))
            walk(w);
        else
            change(w);
        if (!draw(w, 50))
            (void)retained_sweep(w->retained, w->now_us, draw(w, 40));
    }
    assert_true(w->finished > 1000 && w->paused > 1000);
    for (size_t i = 0; i < WALKS; i++)
        retained_walk_close(w->walkers[i].walk);
    for (size_t i = 0; i < TOPICS; i++) {
        struct message *m = message_make(&(struct message_parts){.topic = bytes_of_text(w->topics[i])});
        assert_null(retained_put(w->retained, m));
        message_drop(m);
    }
    assert_int_equal(retained_count(w->retained), 0);
    retained_close(w->retained); /* the sanitizer tells of nodes that a walk left behind */
    mem_drop(w);
}

static void no_memory_for_a_walk(void **state)
{
    const struct retained_limits limits = {1, 1};
    struct retained_walk *walk = NULL;
    struct retained *r;
    assert_null(retained_open(&limits, 3, &r));
    mem_trial(1);
    assert_true(err_is(retained_walk_open(r, BYTES("#"), &walk), ERR_MEMORY));
    mem_trial(0);
    retained_walk_close(walk);
    retained_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walks_pause_while_all_changes),
        cmocka_unit_test(no_memory_for_a_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
