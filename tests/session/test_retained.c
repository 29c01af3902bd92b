/* Retained messages: the rules of filters as rows, bounds and expiry, and random lives against a list. */
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

enum { TEXT_MAX = 64, STEPS = 20000, TOPICS_MAX = 4096, SAID_MAX = 512 };

static const struct retained_limits wide = {SIZE_MAX, SIZE_MAX};

static struct message *make(struct bytes topic, struct bytes payload, int64_t expires_us)
{
    struct message_parts parts = {.topic = topic, .payload = payload, .retain = true, .expires_us = expires_us};
    struct message *m = message_make(&parts);
    assert_non_null(m);
    return m;
}

static void put(struct retained *r, const char *topic, const char *payload, int64_t expires_us)
{
    struct message *m = make(bytes_of_text(topic), bytes_of_text(payload), expires_us);
    assert_null(retained_put(r, m));
    message_drop(m);
}

struct found {
    struct retained_visitor visitor;
    char said[SAID_MAX];
    size_t count, stop; /* after so many; 0: never */
};

static bool found(struct retained_visitor *self, struct message *m)
{
    struct found *f = CONTAINER(self, struct found, visitor);
    size_t len = strlen(f->said);
    snprintf(f->said + len, SAID_MAX - len, "%s%.*s", len ? " " : "", (int)m->topic.len, (const char *)m->topic.at);
    return ++f->count != f->stop;
}

static size_t match(struct retained *r, const char *filter, int64_t now_us, struct found *f)
{
    *f = (struct found){.visitor.found = found, .stop = f->stop};
    retained_match(r, bytes_of_text(filter), now_us, &f->visitor);
    return f->count;
}

/* ---- rows */

static void filters_find_what_they_name(void **state)
{
    static const char *const topics[] = {"a",   "a/b",    "a/b/c", "a//c", "/",  "/a",
                                         "b/b", "$SYS/x", "$SYS",  "a/$x", "+x", "z/"};
    static const struct {
        const char *rule, *filter, *found; /* in the order of the list above */
    } rows[] = {
        {"a name", "a/b", "a/b"},
        {"a name that leads to others only", "b", ""},
        {"no such name", "a/x", ""},
        {"deeper than anything", "a/b/c/d", ""},
        {"4.7.1.2: # holds the parent", "a/#", "a a/b a/b/c a//c a/$x"},
        {"4.7.1.2: # below a name without a message", "b/#", "b/b"},
        {"4.7.1.2: # below nothing", "x/#", ""},
        {"4.7.2: # alone", "#", "a a/b a/b/c a//c / /a b/b a/$x +x z/"},
        {"4.7.2: + first", "+", "a +x"},
        {"4.7.2: + first, two levels", "+/+", "a/b / /a b/b a/$x z/"},
        {"4.7.2: + first, then #", "+/#", "a a/b a/b/c a//c / /a b/b a/$x +x z/"},
        {"4.7.2: $ when it is named", "$SYS/#", "$SYS/x $SYS"},
        {"4.7.2: $ when it is named, +", "$SYS/+", "$SYS/x"},
        {"4.7.2: $ in a later level is nothing special", "a/+", "a/b a/$x"},
        {"4.7.1.1: empty levels", "a//c", "a//c"},
        {"4.7.1.1: an empty last level", "z/", "z/"},
        {"4.7.1.3: + holds an empty level", "a/+/c", "a/b/c a//c"},
        {"4.7.1.3: + at the ends", "/+", "/ /a"},
        {"4.7.1.3: + does not hold a missing level", "b/b/+", ""},
        {"4.7.1.2: # behind +", "a/+/#", "a/b a/b/c a//c a/$x"},
        {"4.7.1.3: + between", "+/b/+", "a/b/c"},
    };
    struct retained *r;
    assert_null(retained_open(&wide, 1, &r));
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++)
        put(r, topics[i], "x", 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct found f = {.stop = 0};
        char sorted[SAID_MAX] = "";
        match(r, rows[i].filter, 0, &f);
        for (size_t t = 0; t < sizeof topics / sizeof *topics; t++) { /* the walk's own order is nobody's business */
            char *save, words[SAID_MAX];
            memcpy(words, f.said, sizeof words);
            for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save))
                if (!strcmp(word, topics[t]))
                    snprintf(sorted + strlen(sorted), sizeof sorted - strlen(sorted), "%s%s", *sorted ? " " : "", word);
        }
        if (strcmp(sorted, rows[i].found) || strlen(sorted) != strlen(f.said))
            fail_msg("%s: \"%s\" found \"%s\"", rows[i].rule, rows[i].filter, f.said);
    }
    struct found f = {.stop = 2};
    assert_int_equal(match(r, "#", 0, &f), 2); /* the visitor had enough */
    retained_close(r);
    retained_close(NULL);
}

static void one_message_for_each_topic(void **state)
{
    struct retained *r;
    struct found f = {.stop = 0};
    assert_null(retained_open(&wide, 1, &r));
    put(r, "a/b", "first", 0);
    put(r, "a/b", "2nd", 0);
    assert_int_equal(retained_count(r), 1);
    assert_int_equal(retained_bytes(r), 6);
    put(r, "a", "", 0); /* 3.3.1.3: an empty payload removes, and is not held */
    put(r, "a/b/c", "", 0);
    assert_int_equal(match(r, "#", 0, &f), 1);
    put(r, "a/b", "", 0);
    assert_int_equal(match(r, "#", 0, &f), 0);
    assert_int_equal(retained_count(r) + retained_bytes(r), 0);
    retained_close(r);
}

static void bounds(void **state)
{
    static const struct {
        const char *rule, *topic, *payload;
        struct retained_limits limits;
        enum fault_kind kind; /* 0: it fits */
    } rows[] = {
        /* "a/b" and "c", 10 bytes in all, are held */
        {"a new one", "d", "123", {3, 14}, 0},
        {"too many", "d", "1", {2, 99}, ERR_FULL},
        {"too large", "d", "1234", {3, 14}, ERR_FULL},
        {"in place of another", "c", "1234", {2, 10}, 0},
        {"larger than the former", "c", "12345", {2, 10}, ERR_FULL},
        {"smaller than the former, over the bound", "c", "123", {1, 5}, 0},
        {"an inner level is a new one", "a", "1", {2, 99}, ERR_FULL},
        {"a removal", "c", "", {0, 0}, 0},
        {"a removal of nothing", "x/y", "", {0, 0}, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct retained *r;
        assert_null(retained_open(&rows[i].limits, 1, &r));
        put(r, "a/b", "12", 0); /* beyond the limits if it must: what is kept is held */
        put(r, "c", "1234", 0);
        assert_int_equal(retained_bytes(r), 10);
        struct message *m = make(bytes_of_text(rows[i].topic), bytes_of_text(rows[i].payload), 0);
        err failed = retained_admits(r, m);
        if (rows[i].kind ? !err_is(failed, rows[i].kind) : failed != OK)
            fail_msg("%s: %s", rows[i].rule, err_text(failed));
        message_drop(m);
        retained_close(r);
    }
}

static void what_expired_is_not_found(void **state)
{
    struct retained *r;
    struct found f = {.stop = 0};
    assert_null(retained_open(&wide, 1, &r));
    put(r, "a", "x", 10);
    put(r, "a/b/c/d", "x", 20);
    put(r, "a/b/e", "x", 0);
    put(r, "f/g", "x", 15);
    assert_int_equal(match(r, "#", 9, &f), 4);
    assert_int_equal(match(r, "a/#", 10, &f), 2); /* 3.3.2.3.3: its time has passed */
    assert_int_equal(retained_count(r), 3);
    assert_int_equal(match(r, "+/+", 15, &f), 0);
    assert_int_equal(retained_count(r), 2);
    f.stop = 1;
    assert_int_equal(match(r, "#", 20, &f), 1);
    put(r, "a/b/c/d", "x", 30);
    put(r, "a/b/c", "x", 31);
    assert_int_equal(retained_sweep(r, 30, 1000), 1);
    assert_int_equal(retained_sweep(r, 31, 1000), 1);
    assert_int_equal(retained_sweep(r, INT64_MAX, 1000), 0);
    assert_int_equal(retained_count(r), 1);
    put(r, "a/b/e", "", 0);
    assert_int_equal(retained_sweep(r, INT64_MAX, 1000), 0);
    retained_close(r);
}

static void the_deepest_and_the_longest(void **state)
{
    struct retained *r;
    struct found f = {.stop = 0};
    char *topic = mem_take(TOPIC_MAX + 1, 1), filter[2 * TOPIC_LEVELS_MAX];
    assert_null(retained_open(&wide, 1, &r));
    for (size_t i = 0; i < 2 * TOPIC_LEVELS_MAX - 1; i++) {
        topic[i] = i % 2 ? '/' : 'a';
        filter[i] = i % 2 ? '/' : '+';
    }
    filter[2 * TOPIC_LEVELS_MAX - 1] = 0;
    put(r, topic, "x", 0);
    assert_int_equal(match(r, topic, 0, &f), 1);
    assert_int_equal(match(r, filter, 0, &f), 1);
    assert_int_equal(match(r, "#", 0, &f), 1);
    filter[2 * TOPIC_LEVELS_MAX - 2] = '#';
    assert_int_equal(match(r, filter, 0, &f), 1);
    memset(topic, 'b', TOPIC_MAX);
    put(r, topic, "x", 0);
    assert_int_equal(match(r, "+", 0, &f), 1);
    retained_close(r);
    mem_drop(topic);
}

/* ---- against a list */

struct world {
    uint64_t dice;
    int64_t now_us;
    struct retained *retained;
    struct message *held[TOPICS_MAX];
    size_t count;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->dice = w->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->dice >> 33) % below;
}

/* Few different levels, so that filters and names meet; empty ones and "$" among them. */
static void draw_topic(struct world *w, char out[TEXT_MAX], uint32_t wildcards)
{
    static const char *const levels[] = {"a", "b", "", "$s", "long-level-name", "+", "#"};
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

static void list_remove_at(struct world *w, size_t place)
{
    message_drop(w->held[place]);
    w->held[place] = w->held[--w->count];
}

static void change(struct world *w)
{
    char topic[TEXT_MAX];
    draw_topic(w, topic, 0);
    int64_t expires_us = draw(w, 3) ? 0 : w->now_us + draw(w, 400);
    struct bytes payload = bytes_first(BYTES("0123456789"), draw(w, 4) ? 1 + draw(w, 9) : 0);
    struct message *m = make(bytes_of_text(topic), payload, expires_us);
    for (size_t i = w->count; i-- > 0;)
        if (bytes_equal(w->held[i]->topic, m->topic))
            list_remove_at(w, i);
    if (payload.len)
        w->held[w->count++] = message_share(m);
    assert_null(retained_put(w->retained, m));
    message_drop(m);
}

struct listed {
    struct retained_visitor visitor;
    struct message *at[TOPICS_MAX];
    size_t count;
};

static bool list_it(struct retained_visitor *self, struct message *m)
{
    struct listed *l = CONTAINER(self, struct listed, visitor);
    l->at[l->count++] = m;
    return true;
}

static void ask(struct world *w)
{
    static const size_t none = SIZE_MAX;
    struct listed *l = MEM_NEW(struct listed);
    char filter[TEXT_MAX];
    draw_topic(w, filter, 2);
    l->visitor.found = list_it;
    retained_match(w->retained, bytes_of_text(filter), w->now_us, &l->visitor);
    size_t wanted = 0;
    for (size_t i = w->count; i-- > 0;) {
        struct message *m = w->held[i];
        if (!topic_matches(bytes_of_text(filter), m->topic))
            continue;
        if (m->expires_us && m->expires_us <= w->now_us) {
            list_remove_at(w, i);
            continue;
        }
        size_t place = none;
        for (size_t k = 0; k < l->count; k++)
            if (l->at[k] == m)
                place = place == none ? k : l->count; /* twice is wrong, too */
        if (place >= l->count)
            fail_msg("\"%s\" did not find %.*s once", filter, (int)m->topic.len, (const char *)m->topic.at);
        wanted++;
    }
    assert_int_equal(l->count, wanted);
    mem_drop(l);
}

static void sweep(struct world *w)
{
    size_t removed = retained_sweep(w->retained, w->now_us, 1 + draw(w, 5000)), expired = 0;
    for (size_t i = w->count; i-- > 0;)
        if (w->held[i]->expires_us && w->held[i]->expires_us <= w->now_us) {
            expired++;
            if (retained_count(w->retained) < w->count && w->held[i]->holders.count == 1)
                list_remove_at(w, i);
        }
    assert_true(removed <= expired);
}

static void check(struct world *w)
{
    size_t bytes = 0;
    for (size_t i = 0; i < w->count; i++)
        bytes += w->held[i]->topic.len + w->held[i]->payload.len;
    assert_int_equal(retained_count(w->retained), w->count);
    assert_int_equal(retained_bytes(w->retained), bytes);
}

static void the_tree_agrees_with_a_list(void **state)
{
    struct world *w = MEM_NEW(struct world);
    w->dice = 20260302;
    assert_null(retained_open(&wide, 12, &w->retained));
    for (int step = 0; step < STEPS; step++) {
        uint32_t die = draw(w, 100);
        w->now_us++;
        if (die < 60)
            change(w);
        else if (die < 95)
            ask(w);
        else
            sweep(w);
        check(w);
    }
    retained_close(w->retained);
    while (w->count) {
        assert_int_equal(w->held[0]->holders.count, 1);
        list_remove_at(w, 0);
    }
    mem_drop(w);
}

/* As many that the table splits many times, and goes back to its beginning. */
static void many(void **state)
{
    enum { MANY = 20000 };
    struct retained *r;
    struct found f = {.stop = 0};
    char topic[TEXT_MAX];
    assert_null(retained_open(&wide, 5, &r));
    for (int round = 0; round < 2; round++) {
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(topic, sizeof topic, "devices/d%u/telemetry", i);
            put(r, topic, "x", 0);
        }
        assert_int_equal(match(r, "#", 0, &f), MANY);
        assert_int_equal(match(r, "devices/+/telemetry", 0, &f), MANY);
        for (unsigned i = 0; i < MANY; i++) {
            snprintf(topic, sizeof topic, "devices/d%u/#", i);
            assert_int_equal(match(r, topic, 0, &f), 1);
            snprintf(topic, sizeof topic, "devices/d%u/telemetry", i);
            put(r, topic, "", 0);
            assert_int_equal(match(r, topic, 0, &f), 0);
        }
        assert_int_equal(retained_count(r), 0);
        (void)retained_sweep(r, 0, 1);
    }
    retained_close(r);
}

/* The Nth allocation fails: the topic has its message or not, and nothing of a path is left. */
static void every_allocation_may_fail(void **state)
{
    static const char *const topics[] = {"a/b/c/d", "a/b/c", "a/x/c", "x"};
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct message *m[4];
        struct retained *r = NULL;
        struct found f = {.stop = 0};
        char topic[TEXT_MAX];
        size_t in = 0;
        for (size_t i = 0; i < 4; i++)
            m[i] = make(bytes_of_text(topics[i]), BYTES("x"), 0);
        mem_trial(++n);
        err failed = retained_open(&wide, 1, &r);
        assert_true(!failed || err_is(failed, ERR_MEMORY));
        for (size_t i = 0; !failed && i < 4; i++) {
            err full = retained_put(r, m[i]);
            assert_true(!full || err_is(full, ERR_MEMORY));
            in += !full;
        }
        seen = mem_trial(0);
        if (!failed) {
            assert_int_equal(retained_count(r), in);
            assert_int_equal(match(r, "#", 0, &f), in);
            put(r, "y/x", "x", 0);
            for (unsigned i = 0; i < 100; i++) { /* with buckets that could not be split, too: the third one */
                snprintf(topic, sizeof topic, "y/%u", i);
                mem_trial(3);
                put(r, topic, "x", 0);
                mem_trial(0);
            }
            assert_int_equal(match(r, "y/+", 0, &f), 101);
            retained_close(r);
        }
        for (size_t i = 0; i < 4; i++) {
            assert_int_equal(m[i]->holders.count, 1);
            message_drop(m[i]);
        }
    }
    assert_true(n > 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters_find_what_they_name),
        cmocka_unit_test(one_message_for_each_topic),
        cmocka_unit_test(bounds),
        cmocka_unit_test(what_expired_is_not_found),
        cmocka_unit_test(the_deepest_and_the_longest),
        cmocka_unit_test(the_tree_agrees_with_a_list),
        cmocka_unit_test(many),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
