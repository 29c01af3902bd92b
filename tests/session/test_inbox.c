/* The inbox: every identifier, in any order, against an array of all. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/inbox.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

enum { IDS = 65536, STEPS = 100000 };

static uint32_t draw(uint64_t *dice, uint32_t below)
{
    *dice = *dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*dice >> 33) % below;
}

static void states_follow_each_other(void **state)
{
    struct inbox i = {.count = 0};
    assert_int_equal(inbox_find(&i, 7), INBOX_ABSENT);
    inbox_remove(&i, 7);
    inbox_rest(&i);
    assert_null(i.entries);
    for (int s = INBOX_ARRIVING; s <= INBOX_LEAVING; s++) {
        assert_null(inbox_put(&i, 7, (enum inbox_state)s));
        assert_int_equal(inbox_find(&i, 7), s);
        assert_int_equal(i.count, 1);
    }
    assert_int_equal(inbox_find(&i, 6), INBOX_ABSENT);
    assert_int_equal(inbox_find(&i, 8), INBOX_ABSENT);
    inbox_rest(&i); /* it is not empty, so nothing happens */
    assert_int_equal(inbox_find(&i, 7), INBOX_LEAVING);
    inbox_remove(&i, 7);
    assert_int_equal(inbox_find(&i, 7), INBOX_ABSENT);
    assert_non_null(i.entries); /* the next one needs no new memory */
    inbox_rest(&i);
    assert_null(i.entries);
    inbox_close(&i);
    assert_int_equal(sizeof(struct inbox_entry), 4);
}

static void what_is_carried_over_is_counted(void **state)
{
    struct inbox i = {.count = 0};
    for (uint16_t id = 1; id <= 4; id++)
        assert_null(inbox_put(&i, id, INBOX_ARRIVING));
    assert_int_equal(i.carried, 0);
    inbox_detach(&i);
    assert_int_equal(i.carried, 4);
    assert_null(inbox_put(&i, 2, INBOX_RECEIVED)); /* one that was there stays carried over, whatever becomes of it */
    assert_null(inbox_put(&i, 9, INBOX_ARRIVING));
    assert_int_equal(i.carried, 4);
    inbox_remove(&i, 2);
    inbox_remove(&i, 9);
    assert_int_equal(i.carried, 3);
    assert_null(inbox_put(&i, 2, INBOX_ARRIVING));
    assert_int_equal(i.carried, 3);
    for (uint16_t id = 1; id <= 4; id++)
        inbox_remove(&i, id);
    assert_int_equal(i.carried, 0);
    inbox_close(&i);
}

static void an_answer_is_due_where_it_was_asked(void **state)
{
    static const enum inbox_state states[] = {INBOX_ARRIVING, INBOX_LEAVING};
    for (size_t k = 0; k < 2; k++) {
        struct inbox i = {.count = 0};
        assert_false(inbox_asked(&i, 7));
        assert_null(inbox_put(&i, 7, states[k]));
        assert_true(inbox_asked(&i, 7));
        assert_false(inbox_asked(&i, 8));
        inbox_detach(&i);
        assert_int_equal(inbox_find(&i, 7), states[k]);
        assert_false(inbox_asked(&i, 7));
        assert_null(inbox_put(&i, 7, states[k])); /* it came again */
        assert_true(inbox_asked(&i, 7));
        assert_null(inbox_put(&i, 7, INBOX_RECEIVED));
        assert_false(inbox_asked(&i, 7));
        inbox_remove(&i, 7);
        inbox_detach(&i);
        assert_null(i.entries);
    }
}

static void all_identifiers_at_once(void **state)
{
    struct inbox i = {.count = 0};
    for (uint32_t id = 1; id < IDS; id += 2)
        assert_null(inbox_put(&i, (uint16_t)id, INBOX_RECEIVED));
    for (uint32_t id = IDS - 2; id > 0; id -= 2)
        assert_null(inbox_put(&i, (uint16_t)id, INBOX_LEAVING));
    assert_int_equal(i.count, IDS - 1);
    for (uint32_t id = 1; id < IDS; id++)
        assert_int_equal(inbox_find(&i, (uint16_t)id), id % 2 ? INBOX_RECEIVED : INBOX_LEAVING);
    for (uint32_t id = IDS - 1; id > 0; id--)
        inbox_remove(&i, (uint16_t)(id * 3)); /* each once: 3 and 65,536 share no factor */
    assert_int_equal(i.count, 0);
    assert_null(i.entries); /* so large an array does not stay */
}

static void the_array_agrees(void **state)
{
    uint8_t *model = mem_take(IDS, 1);
    struct inbox i = {.count = 0};
    uint64_t dice = 20260301;
    uint32_t count = 0;
    for (uint32_t step = 0; step < STEPS; step++) {
        uint32_t span = step / 1000 % 2 ? IDS : 50;
        uint16_t id = (uint16_t)(60000 + draw(&dice, span)); /* over the wrap, too */
        uint8_t put = (uint8_t)(INBOX_ARRIVING + draw(&dice, 3));
        if (draw(&dice, step / 5000 % 2 ? 3 : 2)) {
            assert_null(inbox_put(&i, id, (enum inbox_state)put));
            count += !model[id];
            model[id] = put;
        } else {
            inbox_remove(&i, id);
            count -= model[id] != INBOX_ABSENT;
            model[id] = INBOX_ABSENT;
        }
        uint16_t other = (uint16_t)draw(&dice, IDS);
        assert_int_equal(inbox_find(&i, id), model[id]);
        assert_int_equal(inbox_find(&i, other), model[other]);
        assert_int_equal(i.count, count);
        assert_true(i.count <= i.room);
    }
    for (uint32_t at = 1; at < i.count; at++)
        assert_true(i.entries[at - 1].packet_id < i.entries[at].packet_id);
    inbox_close(&i);
    mem_drop(model);
}

static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct inbox i = {.count = 0};
        uint32_t in = 0;
        mem_trial(++n);
        for (uint16_t id = 1; id <= 100; id++) {
            err failed = inbox_put(&i, id, INBOX_ARRIVING);
            assert_true(!failed || err_is(failed, ERR_MEMORY));
            in += !failed;
            assert_int_equal(inbox_find(&i, id), failed ? INBOX_ABSENT : INBOX_ARRIVING);
            assert_true(failed || !inbox_put(&i, id, INBOX_RECEIVED)); /* a change needs no memory */
        }
        assert_int_equal(i.count, in);
        seen = mem_trial(0);
        inbox_close(&i);
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_carried_over_is_counted),
        cmocka_unit_test(states_follow_each_other),  cmocka_unit_test(an_answer_is_due_where_it_was_asked),
        cmocka_unit_test(all_identifiers_at_once),   cmocka_unit_test(the_array_agrees),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
