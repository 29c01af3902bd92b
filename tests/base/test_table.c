/* The hash table: growth, its bound, and a walk that meets everybody once. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "base/table.h"

#include "base/list.h"
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 2000 };

struct thing {
    struct table_node place;
    uint32_t number;
    unsigned met;
};

static struct bytes key_of(const struct thing *t)
{
    return bytes_of(&t->number, sizeof t->number);
}

static struct thing *of(struct table_node *node)
{
    return CONTAINER(node, struct thing, place);
}

static void it_grows_and_finds(void **state)
{
    struct thing *things = mem_take(MANY, sizeof *things);
    struct table t;
    table_open(&t, MANY, 42);
    assert_null(table_find(&t, BYTES("")));
    assert_null(table_next(&t, NULL));
    for (uint32_t i = 0; i < MANY; i++) {
        things[i].number = i;
        assert_null(table_add(&t, &things[i].place, key_of(&things[i])));
        assert_int_equal(t.count, i + 1);
    }
    for (uint32_t i = 0; i < MANY; i++)
        assert_ptr_equal(table_find(&t, key_of(&things[i])), &things[i].place);
    struct thing absent = {.number = MANY};
    assert_null(table_find(&t, key_of(&absent)));
    for (uint32_t i = 0; i < MANY; i += 2)
        table_remove(&t, &things[i].place);
    assert_int_equal(t.count, MANY / 2);
    for (uint32_t i = 0; i < MANY; i++)
        assert_true(!table_find(&t, key_of(&things[i])) == (i % 2 == 0));
    table_close(&t);
    assert_null(table_find(&t, key_of(&things[1])));
    assert_null(table_add(&t, &things[1].place, key_of(&things[1]))); /* usable again, with the same bound */
    table_close(&t);
    mem_drop(things);
}

static void one_key_one_node_and_a_bound(void **state)
{
    struct thing a = {.number = 1}, same = {.number = 1}, b = {.number = 2}, c = {.number = 3};
    struct table t;
    table_open(&t, 2, 1);
    assert_null(table_add(&t, &a.place, key_of(&a)));
    assert_true(err_is(table_add(&t, &same.place, key_of(&same)), ERR_EXISTS));
    assert_null(table_add(&t, &b.place, key_of(&b)));
    assert_true(err_is(table_add(&t, &c.place, key_of(&c)), ERR_FULL));
    assert_true(err_is(table_add(&t, &same.place, key_of(&same)), ERR_EXISTS)); /* also when full */
    table_remove(&t, &a.place);
    assert_null(table_add(&t, &same.place, key_of(&same)));
    assert_ptr_equal(table_find(&t, key_of(&a)), &same.place);
    assert_int_equal(t.count, 2);
    table_close(&t);
    table_open(&t, 0, 1);
    assert_true(err_is(table_add(&t, &a.place, key_of(&a)), ERR_FULL));
    table_close(&t);
}

/* Keys of every length up to 40, NULs in them, and the empty one. */
static void any_bytes_are_a_key(void **state)
{
    uint8_t bytes[40] = {0};
    struct thing things[41] = {{.number = 0}};
    struct table t;
    table_open(&t, 41, 7);
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_null(table_add(&t, &things[len].place, bytes_of(bytes, len)));
    for (size_t len = 0; len <= sizeof bytes; len++)
        assert_ptr_equal(table_find(&t, bytes_of(bytes, len)), &things[len].place);
    table_close(&t);
}

static void a_walk_meets_everybody_once(void **state)
{
    struct thing things[100] = {{.number = 0}};
    struct table t;
    table_open(&t, 100, 3);
    for (uint32_t i = 0; i < 100; i++) {
        things[i].number = i;
        assert_null(table_add(&t, &things[i].place, key_of(&things[i])));
    }
    for (struct table_node *node = table_next(&t, NULL); node; node = table_next(&t, node))
        of(node)->met++;
    for (size_t i = 0; i < 100; i++)
        assert_int_equal(things[i].met, 1);
    /* Each may be removed when its successor is known. */
    size_t left = 100;
    for (struct table_node *node = table_next(&t, NULL), *next; node; node = next) {
        next = table_next(&t, node);
        table_remove(&t, node);
        assert_int_equal(t.count, --left);
    }
    assert_null(table_next(&t, NULL));
    table_close(&t);
}

static void every_allocation_may_fail(void **state)
{
    struct thing things[200] = {{.number = 0}};
    for (unsigned long n = 1;; n++) {
        struct table t;
        uint32_t added = 0;
        table_open(&t, 200, 3);
        mem_trial(n);
        for (uint32_t i = 0; i < 200; i++) {
            things[i].number = i;
            err e = table_add(&t, &things[i].place, key_of(&things[i]));
            assert_true(!e || err_is(e, ERR_MEMORY));
            if (!e)
                added++;
            assert_true(!table_find(&t, key_of(&things[i])) == (e != OK));
        }
        unsigned long seen = mem_trial(0);
        assert_int_equal(t.count, added);
        table_close(&t);
        if (seen < n)
            return;
        assert_int_equal(added, 199); /* the one whose growth failed; the next one grew it */
    }
}

/* Another seed is another order: who picks keys without knowing it cannot aim at one bucket. */
static void the_seed_decides(void **state)
{
    size_t differ = 0;
    for (uint32_t i = 0; i < 256; i++)
        differ += (table_hash(1, bytes_of(&i, sizeof i)) & 255) != (table_hash(2, bytes_of(&i, sizeof i)) & 255);
    assert_true(differ > 200);
    unsigned buckets[256] = {0};
    for (uint32_t i = 0; i < 2560; i++)
        buckets[table_hash(9, bytes_of(&i, sizeof i)) & 255]++;
    for (size_t i = 0; i < 256; i++)
        assert_true(buckets[i] < 40); /* ten are expected */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_grows_and_finds),          cmocka_unit_test(one_key_one_node_and_a_bound),
        cmocka_unit_test(any_bytes_are_a_key),         cmocka_unit_test(a_walk_meets_everybody_once),
        cmocka_unit_test(every_allocation_may_fail),   cmocka_unit_test(the_seed_decides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
