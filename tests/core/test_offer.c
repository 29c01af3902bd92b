/* Offers: every promise is settled once and in order, and only those of sessions that the store knows are written. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "core/offer.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = 100 };

struct keeper {
    struct promiser promiser;
    uint64_t settled[MANY];
    size_t count;
    enum offer_outcome outcome;
};

static void settle(struct promiser *self, const struct client_delivery *promise, struct message *m,
                   enum offer_outcome outcome)
{
    assert_true(bytes_is(m->payload, "1"));
    struct keeper *k = (struct keeper *)((uintptr_t)self - offsetof(struct keeper, promiser));
    k->settled[k->count++] = promise->number;
    k->outcome = outcome;
}

static struct message *message(void)
{
    struct message_parts parts = {.topic = BYTES("a/b"), .payload = BYTES("1"), .qos = 1};
    return message_make(&parts);
}

static void promises_are_written_and_settled(void **state)
{
    for (int outcome = OFFER_REFUSED; outcome <= OFFER_KEPT; outcome++) {
        struct message *m = message();
        struct keeper a = {.promiser = {settle}}, b = a;
        struct offer o = {.message = m};
        for (uint64_t n = 1; n <= MANY; n++) {
            struct client_delivery d = {.session = n % 3, .number = n, .qos = 1}; /* a third is not known to the store */
            assert_null(offer_promise(&o, n % 2 ? &a.promiser : &b.promiser, &d));
        }
        assert_int_equal(o.count, MANY);
        assert_int_equal(o.kept, MANY - MANY / 3);
        struct write *w = offer_write(&o, 5);
        assert_non_null(w);
        assert_int_equal(w->kind, WRITE_DELIVERIES);
        assert_ptr_equal(w->as.deliveries.message, m);
        for (size_t i = 0; i < w->as.deliveries.count; i++)
            assert_int_not_equal(w->as.deliveries.at[i].session, 0);
        assert_int_equal(w->as.deliveries.count, o.kept);
        write_drop(w);
        offer_settle(&o, (enum offer_outcome)outcome);
        assert_int_equal(a.count + b.count, MANY);
        for (size_t i = 0; i < MANY / 2; i++) {
            assert_int_equal(a.settled[i], 2 * i + 1);
            assert_int_equal(b.settled[i], 2 * i + 2);
        }
        assert_int_equal(a.outcome, outcome);
        assert_int_equal(o.count + o.kept + o.room, 0);
        offer_settle(&o, OFFER_KEPT); /* again: nothing is left to tell */
        assert_int_equal(a.count + b.count, MANY);
        message_drop(m);
    }
}

static void nothing_kept_is_no_write(void **state)
{
    struct message *m = message();
    struct keeper a = {.promiser = {settle}};
    struct offer o = {.message = m};
    assert_null(offer_write(&o, 5));
    assert_null(offer_promise(&o, &a.promiser, &(struct client_delivery){.number = 1, .qos = 1}));
    assert_null(offer_write(&o, 5));
    offer_settle(&o, OFFER_KEPT);
    assert_int_equal(a.count, 1);
    message_drop(m);
}

static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    while (seen >= n) {
        struct message *m = message();
        struct keeper a = {.promiser = {settle}};
        struct offer o = {.message = m};
        size_t promised = 0;
        mem_trial(++n);
        for (uint64_t number = 1; number <= 20; number++) {
            size_t before = o.count;
            err failed = offer_promise(&o, &a.promiser, &(struct client_delivery){.session = 1, .number = number, .qos = 1});
            assert_true(!failed || err_is(failed, ERR_MEMORY));
            assert_int_equal(o.count, before + !failed); /* a failed one added nothing */
            promised += !failed;
        }
        struct write *w = offer_write(&o, 5);
        seen = mem_trial(0);
        write_drop(w);
        offer_settle(&o, OFFER_REFUSED);
        assert_int_equal(a.count, promised);
        message_drop(m);
    }
    assert_true(n > 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_are_written_and_settled),
        cmocka_unit_test(nothing_kept_is_no_write),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
