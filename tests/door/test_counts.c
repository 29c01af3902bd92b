/* What lobbies count, as it is told: the sums over all of them, family by family. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/counts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TOLD_MAX = 256 };

struct told {
    struct metric_rows rows;
    const struct metric *metric[TOLD_MAX];
    uint64_t value[TOLD_MAX];
    size_t count;
};

static void number(struct metric_rows *self, const struct metric *metric, uint64_t value)
{
    struct told *told = (struct told *)self;
    assert_true(told->count < TOLD_MAX);
    told->metric[told->count] = metric;
    told->value[told->count++] = value;
}

static void latency(struct metric_rows *self, const struct metric *metric, const struct latency_sum *sum)
{
    number(self, metric, sum->count);
}

static struct told tell(const struct door_counts *a, const struct door_counts *b)
{
    const struct door_counts *both[] = {a, b};
    struct told told = {.rows = {number, latency}};
    door_counts_tell(both, 2, &told.rows);
    return told;
}

static uint64_t value_of(const struct told *told, const char *family, const char *labels)
{
    for (size_t i = 0; i < told->count; i++)
        if (!strcmp(told->metric[i]->family, family) && !strcmp(told->metric[i]->labels, labels))
            return told->value[i];
    fail_msg("%s{%s} is not told", family, labels);
    return 0;
}

static void all_lobbies_add_up(void **state)
{
    struct door_counts a = {0}, b = {0};
    counter_raise(&a.accepted, 3);
    counter_raise(&b.accepted, 4);
    counter_raise(&a.messages_in[0], 1);
    counter_raise(&b.messages_in[2], 5);
    latency_add(&a.acknowledgement, 70);
    latency_add(&b.acknowledgement, 900);
    struct told told = tell(&a, &b);
    assert_int_equal(value_of(&told, "accepted", ""), 7);
    assert_int_equal(value_of(&told, "messages_in", "qos=\"0\""), 1);
    assert_int_equal(value_of(&told, "messages_in", "qos=\"1\""), 0);
    assert_int_equal(value_of(&told, "messages_in", "qos=\"2\""), 5);
    assert_int_equal(value_of(&told, "acknowledgement_seconds", ""), 2);
}

/* Accepted by one loop, ended on another: neither has the truth alone. */
static void what_moved_between_lobbies_is_counted_once(void **state)
{
    struct door_counts a = {0}, b = {0};
    const struct door_counts *both[] = {&a, &b};
    counter_raise(&a.connections_now, 2);
    counter_lower(&b.connections_now, 1);
    assert_int_equal(DOOR_COUNTS_SUM(both, 2, connections_now), 1);
}

/* The rules of the exposition format, which no reader may have to forgive: metric names, one run of rows for a family, no
 * row twice, sentences in one line. */
static void the_table_is_well_formed(void **state)
{
    static const struct door_counts none;
    struct told told = tell(&none, &none);
    assert_true(told.count > 10);
    for (size_t i = 0; i < told.count; i++) {
        const struct metric *m = told.metric[i];
        assert_int_equal(strspn(m->family, "abcdefghijklmnopqrstuvwxyz_"), strlen(m->family));
        assert_true(*m->sentence && m->sentence[strlen(m->sentence) - 1] == '.' && !strpbrk(m->sentence, "\n\\"));
        for (size_t j = 0; j < i; j++) {
            bool same = !strcmp(m->family, told.metric[j]->family);
            if (same && !strcmp(m->labels, told.metric[j]->labels))
                fail_msg("%s{%s} stands twice", m->family, m->labels);
            if (same && strcmp(m->family, told.metric[i - 1]->family) != 0)
                fail_msg("%s: its rows stand apart", m->family);
            if (same && m->kind != told.metric[j]->kind)
                fail_msg("%s is of two kinds", m->family);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_lobbies_add_up),
        cmocka_unit_test(what_moved_between_lobbies_is_counted_once),
        cmocka_unit_test(the_table_is_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
