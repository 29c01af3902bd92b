/* Interest: it never says no for something that a filter wants, and for most things that none wants it says no. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/interest.h"

#include "base/memory.h"
#include "core/topic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void what_each_filter_wants(void **state)
{
    static const struct {
        const char *filter, *topic;
        bool has;
    } rows[] = {
        {"a", "a", true},
        {"a", "b", false},
        {"a", "a/b", true}, /* one level says no more */
        {"a/b", "a/b", true},
        {"a/b", "a/c", false},
        {"a/b", "a", false},
        {"a/b", "b/a", false},
        {"a/b/c", "a/b/x", true},
        {"a/b/#", "a/b", true},
        {"a/+", "a/x", true},
        {"a/+", "b/x", false},
        {"a/#", "a", true},
        {"a/#", "a/b/c", true},
        {"a/+/c", "a/b/c", true},
        {"+", "x", true},
        {"+/b", "x/y", true},
        {"#", "x/y/z", true},
        {"/a", "/a", true},
        {"/a", "/b", false},
        {"/a", "a", false},
        {"a/", "a/", true},
        {"a/", "a/b", false},
        {"", "x", false},
        {"devices/pump-1/telemetry", "devices/pump-2/telemetry", false},
        {"$SYS/x", "$SYS/x", true},
    };
    struct interest *i = MEM_NEW(struct interest);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        struct bytes filter = bytes_of_text(rows[row].filter), topic = bytes_of_text(rows[row].topic);
        assert_false(interest_has(i, topic));
        interest_add(i, filter);
        interest_add(i, filter);
        interest_remove(i, filter);
        if (interest_has(i, topic) != rows[row].has)
            fail_msg("%s, %s", rows[row].filter, rows[row].topic);
        interest_remove(i, filter);
        assert_false(interest_has(i, topic));
    }
    mem_drop(i);
}

/* Of ten thousand devices' filters few collide with a topic of a device that nobody watches. */
static void few_look_in_vain(void **state)
{
    struct interest *i = MEM_NEW(struct interest);
    char text[64];
    unsigned vain = 0;
    for (unsigned n = 0; n < 2000; n++) {
        snprintf(text, sizeof text, "devices/d%u/commands/#", n);
        interest_add(i, bytes_of_text(text));
    }
    for (unsigned n = 0; n < 2000; n++) {
        snprintf(text, sizeof text, "devices/d%u/commands/x", n);
        assert_true(interest_has(i, bytes_of_text(text)));
        snprintf(text, sizeof text, "devices/e%u/commands/x", n);
        vain += interest_has(i, bytes_of_text(text));
    }
    assert_true(vain < 400); /* 2,000 of 16,384 places are taken */
    mem_drop(i);
}

/* Random filters come and go: whatever one of them matches is wanted. */
static void it_never_says_no_for_something(void **state)
{
    static const char *const levels[] = {"a", "b", "", "long-level-name", "+", "#"};
    enum { FILTERS = 40 };
    struct interest *i = MEM_NEW(struct interest);
    char filters[FILTERS][64] = {""};
    uint64_t seed = 7;
    for (int step = 0; step < 50000; step++) {
        char topic[64] = "";
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        unsigned die = (unsigned)(seed >> 33), which = die % FILTERS, count = 1 + die / FILTERS % 4;
        size_t len = 0, kinds = step % 2 ? 4 : 6;
        for (unsigned l = 0; l < count; l++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            const char *level = levels[(seed >> 33) % kinds];
            len += (size_t)snprintf(topic + len, sizeof topic - len, "%s%s", l ? "/" : "", level);
            if (*level == '#')
                break;
        }
        if (!len)
            continue;
        if (kinds == 6) {
            if (*filters[which])
                interest_remove(i, bytes_of_text(filters[which]));
            memcpy(filters[which], topic, sizeof topic);
            interest_add(i, bytes_of_text(topic));
            continue;
        }
        for (size_t f = 0; f < FILTERS; f++)
            if (*filters[f] && topic_matches(bytes_of_text(filters[f]), bytes_of_text(topic)) &&
                !interest_has(i, bytes_of_text(topic)))
                fail_msg("%s wants %s", filters[f], topic);
    }
    for (size_t f = 0; f < FILTERS; f++)
        if (*filters[f])
            interest_remove(i, bytes_of_text(filters[f]));
    for (size_t at = 0; at < sizeof *i / sizeof(struct counter); at++) /* it is made of nothing else */
        assert_int_equal(counter_read((const struct counter *)i + at), 0);
    mem_drop(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_each_filter_wants),
        cmocka_unit_test(few_look_in_vain),
        cmocka_unit_test(it_never_says_no_for_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
