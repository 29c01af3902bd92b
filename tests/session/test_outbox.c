/* The outbox: each rule of its order and its states as a row, and what hostile clients do to it. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/outbox.h"

#include "base/memory.h"
#include "session/outbox_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MANY = OUTBOX_SPAN_MAX, SAID_MAX = 256 };

static struct message *make(size_t size)
{
    static const uint8_t zeroes[4096];
    struct message_parts parts = {.topic = BYTES("t"), .payload = bytes_of(zeroes, size - 1)};
    struct message *m = message_make(&parts);
    assert_non_null(m);
    return m;
}

static uint64_t add(struct outbox *o, struct message *m, uint8_t qos, enum delivery_state state)
{
    uint64_t number;
    struct delivery d = {.message = m, .qos = qos, .state = (uint8_t)state, .durable = qos > 0};
    assert_null(outbox_add(o, &d, &number));
    assert_int_equal(number, qos ? o->last : 0);
    return number;
}

/* ---- rows: what is done to an outbox, and what it sends */

struct said {
    char text[SAID_MAX];
    size_t len;
};

static void say(struct said *s, const char *what, uint64_t number)
{
    s->len +=
        (size_t)snprintf(s->text + s->len, SAID_MAX - s->len, "%s%s%u", s->len ? " " : "", what, (unsigned)number);
}

static void send_next(struct outbox *o, uint16_t receive_max, struct said *said)
{
    static const char *const what[] = {
        [DELIVERY_WAITING] = "", [DELIVERY_SENT] = "dup", [DELIVERY_RELEASING] = "keep", [DELIVERY_RELEASED] = "rel"};
    uint64_t number;
    const struct delivery *d = outbox_next(o, receive_max, &number);
    if (!d) {
        say(said, "-", 0);
        return;
    }
    say(said, what[d->state], number);
    outbox_sent(o, number);
}

/* "+q" adds one that waits, "rq" one that is reserved, with QoS q; "cn" commits, "xn" cancels, "an" ends (PUBACK,
 * PUBCOMP), "pn" is PUBREC, "ln" its release kept; ">" sends the next, "sn" skips it, "!" ends the connection, "zn" is
 * a new window. */
static void act(struct outbox *o, const char *what, uint16_t *window, struct message *m, struct said *said)
{
    uint64_t number = strtoull(what + 1, NULL, 10);
    switch (*what) {
    case '+':
        (void)add(o, m, (uint8_t)number, DELIVERY_WAITING);
        return;
    case 'r':
        (void)add(o, m, (uint8_t)number, DELIVERY_RESERVED);
        return;
    case 'c':
        outbox_commit(o, number);
        return;
    case 'x':
        outbox_cancel(o, number);
        return;
    case 'a':
        outbox_done(o, number);
        return;
    case 'p':
        outbox_releasing(o, number);
        return;
    case 'l':
        if (outbox_released(o, number))
            say(said, "rel", number);
        return;
    case '>':
        send_next(o, *window, said);
        return;
    case 's':
        outbox_skip(o, number);
        return;
    case '!':
        say(said, "lost", outbox_detach(o));
        return;
    default:
        *window = (uint16_t)number;
    }
}

static void order_and_states(void **state)
{
    static const struct {
        const char *rule, *script, *sent;
        unsigned left;
    } rows[] = {
        {"nothing is owed", ">", "-0", 0},
        {"4.6: in order, whatever the QoS", "+1 +0 +2 +0 > > > > >", "1 0 2 0 -0", 2},
        {"4.3.1: QoS 0 is over when sent", "+0 > >", "0 -0", 0},
        {"4.3.2: QoS 1 is over with PUBACK", "+1 > a1 >", "1 -0", 0},
        {"4.3.3: QoS 2 is over with PUBCOMP", "+2 > p1 l1 a1 >", "1 rel1 -0", 0},
        {"what is reserved is not sent", "r1 >", "-0", 1},
        {"what is reserved holds up all behind it", "r1 +1 +0 > c1 > > >", "-0 1 2 0", 2},
        {"a QoS 0 in front of what is reserved is not held up", "+0 r1 > >", "0 -0", 1},
        {"what was cancelled holds up nothing", "r1 +1 x1 >", "2", 1},
        {"only what is reserved can be cancelled", "+1 x1 > x1 >", "1 -0", 1},
        {"a commit of what was sent changes nothing", "+1 > c1 >", "1 -0", 1},
        {"4.9: no more than the window", "z1 +1 +1 > > a1 >", "1 -0 2", 1},
        {"4.9: QoS 0 needs no window, but keeps its turn", "z1 +1 +0 +1 +0 > > > >", "1 0 -0 -0", 3},
        {"4.9: PUBREC does not open the window", "z1 +2 +2 > p1 > l1 > a1 >", "1 -0 rel1 -0 2", 1},
        {"acknowledged out of order", "+1 +1 +1 > > > a2 a1 a3 >", "1 2 3 -0", 0},
        {"4.4: sent again in order, with DUP, before what is new", "+1 +1 +1 > > ! > > > >", "1 2 lost0 dup1 dup2 3 -0",
         3},
        {"4.4: PUBREL again", "+2 +1 > > p1 l1 ! > > >", "1 2 rel1 lost0 rel1 dup2 -0", 2},
        {"a release that is kept while nobody is there waits", "+2 > p1 ! l1 > >", "1 lost0 rel1 -0", 1},
        {"a release that may not have been kept is kept again", "+2 > p1 ! > l1 l1 >", "1 lost0 keep1 rel1 -0", 1},
        {"PUBREL needs no window, but takes its place in it", "+2 > p1 l1 ! z1 +1 > > a1 >", "1 rel1 lost0 rel1 -0 2",
         1},
        {"a window that is smaller than before", "+1 +1 > > ! z1 > > a1 > >", "1 2 lost0 dup1 -0 dup2 -0", 1},
        {"acknowledged before its turn to be sent again", "+1 +1 > > ! a1 > >", "1 2 lost0 dup2 -0", 1},
        {"QoS 0 does not outlive the connection", "+0 +1 +0 ! >", "lost2 1", 1},
        {"what is reserved is still so on the next connection", "+1 r1 > ! > > c2 >", "1 lost0 dup1 -0 2", 2},
        {"skipped: over without having been sent", "+1 +1 s1 >", "2", 1},
        {"skipped: of QoS 0", "+0 +0 s0 > >", "0 -0", 0},
        {"PUBREC twice, released twice", "+2 > p1 p1 l1 l1 p1 l1", "1 rel1", 1},
        {"what is over may be named again", "+1 > a1 a1 c1 x1 p1 l1 s1 >", "1 -0", 0},
        {"numbers that never were", "a1 c7 x0 p3 l9 s9 s0 >", "-0", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outbox o = {.last = 0};
        struct said said = {.len = 0};
        struct message *m = make(10);
        uint16_t window = UINT16_MAX;
        char script[SAID_MAX], *save, *word = script;
        snprintf(script, sizeof script, "%s", rows[i].script);
        for (word = strtok_r(script, " ", &save); word; word = strtok_r(NULL, " ", &save))
            act(&o, word, &window, m, &said);
        if (strcmp(said.text, rows[i].sent) || outbox_count(&o) != rows[i].left)
            fail_msg("%s: \"%s\", %zu left", rows[i].rule, said.text, outbox_count(&o));
        outbox_close(&o);
        assert_int_equal(m->holders.count, 1);
        message_drop(m);
    }
}

static void what_is_lent(void **state)
{
    struct outbox o = {.last = 0};
    struct message *m = make(10);
    uint64_t number;
    struct delivery in = {.message = m, .subscription_id = 268435455, .qos = 2, .retain = 1, .state = DELIVERY_WAITING};
    assert_null(outbox_add(&o, &in, &number));
    const struct delivery *d = outbox_next(&o, 1, &number);
    assert_ptr_equal(d->message, m);
    assert_int_equal(d->subscription_id, 268435455);
    assert_true(d->retain && !d->durable && d->qos == 2 && number == 1);
    assert_null(outbox_find(&o, outbox_packet_id(1), &number)); /* it was not sent yet */
    outbox_sent(&o, 1);
    d = outbox_find(&o, outbox_packet_id(1), &number);
    assert_true(d && number == 1 && d->state == DELIVERY_SENT);
    outbox_releasing(&o, 1);
    assert_int_equal(o.bytes, 0); /* the client has it, so we need not */
    assert_int_equal(m->holders.count, 1);
    d = outbox_find(&o, outbox_packet_id(1), &number);
    assert_true(d && !d->message && d->state == DELIVERY_RELEASING);
    for (unsigned id = 0; id <= UINT16_MAX; id++)
        assert_true(id == outbox_packet_id(1) || !outbox_find(&o, (uint16_t)id, &number));
    outbox_close(&o);
    message_drop(m);
    assert_int_equal(sizeof o, 32);
    assert_int_equal(sizeof in, 16);
}

/* ---- what is in the way goes, or the new one does not come */

static void overflow_policies(void **state)
{
    static const struct {
        const char *rule, *script;
        struct outbox_limits limits;
        size_t bytes; /* of the new one; those in the script have 10 each */
        const char *shed;
        unsigned left;
    } rows[] = {
        {"there is room", "+1 +0", {3, 30, OVERFLOW_DROP_OLDEST}, 10, "", 2},
        {"refuse", "+1 +0 +0", {3, 99, OVERFLOW_REFUSE}, 10, "no", 3},
        {"QoS 0 first", "+1 +0 +0", {3, 99, OVERFLOW_DROP_QOS_0}, 10, "0", 2},
        {"QoS 0, but there is none", "+1 +1 +2", {3, 99, OVERFLOW_DROP_QOS_0}, 10, "no", 3},
        {"oldest: QoS 0 first", "+1 +0 +1", {3, 99, OVERFLOW_DROP_OLDEST}, 10, "0", 2},
        {"oldest", "+1 +1 +1", {3, 99, OVERFLOW_DROP_OLDEST}, 10, "1", 2},
        {"oldest: not what was sent", "+1 > +1 +1", {3, 99, OVERFLOW_DROP_OLDEST}, 10, "2", 2},
        {"oldest: nor what is to be sent again", "+1 > ! +1 +1", {3, 99, OVERFLOW_DROP_OLDEST}, 10, "2", 2},
        {"oldest: not what is reserved, nor past it", "r1 +1 +1", {3, 99, OVERFLOW_DROP_OLDEST}, 10, "no", 3},
        {"oldest: all are under way", "+1 +1 > >", {2, 99, OVERFLOW_DROP_OLDEST}, 10, "no", 2},
        {"by bytes, as many as it takes", "+1 +1 +1 +1", {99, 40, OVERFLOW_DROP_OLDEST}, 25, "1 2 3", 1},
        {"by bytes, QoS 0", "+0 +1 +0 +0", {99, 40, OVERFLOW_DROP_QOS_0}, 20, "0 0", 2},
        {"bytes that the client has count no more", "+2 +2 > p1", {99, 20, OVERFLOW_REFUSE}, 10, "", 2},
        {"one too large for all spares all", "+1 +0 +1", {99, 30, OVERFLOW_DROP_OLDEST}, 31, "no", 3},
        {"one too large beside what is under way", "+1 > +1", {99, 30, OVERFLOW_DROP_OLDEST}, 21, "no", 2},
        {"one too large beside QoS 1", "+1 +0", {99, 30, OVERFLOW_DROP_QOS_0}, 21, "no", 2},
        {"one that just fits alone", "+1 +0 +1", {99, 30, OVERFLOW_DROP_OLDEST}, 30, "0 1 2", 0},
        {"holes are passed", "r1 r1 +1 x1 x2 +1", {2, 99, OVERFLOW_DROP_OLDEST}, 10, "3", 1},
        {"more than the limits allow, since they changed", "+1 +1 +1", {1, 5, OVERFLOW_DROP_OLDEST}, 5, "1 2 3", 0},
        {"no size is too large to be refused", "+1", {99, 99, OVERFLOW_DROP_OLDEST}, SIZE_MAX, "no", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outbox o = {.last = 0};
        struct said said = {.len = 0}, shed = {.len = 0};
        struct message *m = make(10);
        uint16_t window = UINT16_MAX;
        struct shed out;
        char script[SAID_MAX], *save, *word;
        snprintf(script, sizeof script, "%s", rows[i].script);
        for (word = strtok_r(script, " ", &save); word; word = strtok_r(NULL, " ", &save))
            act(&o, word, &window, m, &said);
        while (!outbox_has_room(&o, &rows[i].limits, rows[i].bytes)) {
            err failed = outbox_shed(&o, &rows[i].limits, rows[i].bytes, &out);
            if (failed) {
                assert_true(err_is(failed, ERR_ABSENT));
                shed.len += (size_t)snprintf(shed.text + shed.len, SAID_MAX - shed.len, "no");
                break;
            }
            assert_true(out.number ? out.qos && out.durable : !out.qos && !out.durable);
            say(&shed, "", out.number);
        }
        if (strcmp(shed.text, rows[i].shed) || outbox_count(&o) != rows[i].left)
            fail_msg("%s: shed \"%s\", %zu left", rows[i].rule, shed.text, outbox_count(&o));
        outbox_close(&o);
        message_drop(m);
    }
}

/* ---- at its bounds */

static uint16_t send_one(struct outbox *o)
{
    uint64_t number;
    const struct delivery *d = outbox_next(o, UINT16_MAX, &number);
    assert_non_null(d);
    outbox_sent(o, number);
    return outbox_packet_id(number);
}

static void fill(struct outbox *o, struct message *m)
{
    for (unsigned i = 0; i < MANY; i++)
        (void)add(o, m, 1, DELIVERY_WAITING);
    for (unsigned i = 0; i < MANY; i++)
        (void)send_one(o);
    assert_int_equal(outbox_under_way(o), MANY);
}

static void ack(struct outbox *o, uint16_t packet_id)
{
    uint64_t number;
    assert_non_null(outbox_find(o, packet_id, &number));
    assert_int_equal(outbox_packet_id(number), packet_id);
    outbox_done(o, number);
    assert_null(outbox_find(o, packet_id, &number));
}

/* Every packet identifier is in use, and comes back in an order that the client chose. */
static void all_identifiers_in_any_order(void **state)
{
    static const uint64_t starts[] = {0, 1, 65534, 65535, 65536, UINT32_MAX - 7ull, UINT64_MAX - 200000};
    static const uint32_t steps[] = {1, MANY - 1, 2, 7, 32768, 4099}; /* each prime to 65,535 */
    struct message *m = make(1);
    struct delivery d = {.message = m, .qos = 1, .state = DELIVERY_WAITING};
    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++) {
        struct outbox o = {.last = starts[s]};
        uint64_t number;
        fill(&o, m);
        assert_true(err_is(outbox_add(&o, &d, &number), ERR_FULL));
        uint32_t at = 0;
        for (uint32_t i = 0; i < MANY; i++, at = (at + steps[s % 6]) % MANY) {
            ack(&o, (uint16_t)(at + 1));
            assert_int_equal(outbox_under_way(&o), MANY - 1 - i);
        }
        assert_int_equal(outbox_count(&o), 0);
        assert_true(o.numbered->room <= 16);
        outbox_rest(&o);
        assert_null(o.numbered);
        assert_int_equal(o.bytes, 0);
        outbox_close(&o);
    }
    assert_int_equal(m->holders.count, 1);
    message_drop(m);
}

/* A client that never acknowledges its first message: the others come and go, in little memory, until their identifiers
 * would meet the first one's. QoS 0 goes on even then. */
static void one_that_is_never_acknowledged(void **state)
{
    struct outbox o = {.last = 0};
    struct message *m = make(1);
    struct delivery d = {.message = m, .qos = 1, .state = DELIVERY_WAITING};
    uint64_t number;
    (void)add(&o, m, 1, DELIVERY_WAITING);
    uint16_t first = send_one(&o);
    for (unsigned i = 1; i < MANY; i++) {
        uint64_t last = add(&o, m, 1, DELIVERY_WAITING);
        (void)add(&o, m, 0, DELIVERY_WAITING);
        assert_int_equal(send_one(&o), outbox_packet_id(last));
        assert_int_equal(send_one(&o), outbox_packet_id(0));
        ack(&o, outbox_packet_id(last));
        assert_true(o.numbered->room <= 16);
    }
    assert_true(err_is(outbox_add(&o, &d, &number), ERR_FULL));
    (void)add(&o, m, 0, DELIVERY_WAITING);
    assert_int_equal(outbox_count(&o), 2);
    ack(&o, first);
    assert_int_equal(outbox_packet_id(add(&o, m, 1, DELIVERY_WAITING)), first);
    outbox_close(&o);
    message_drop(m);
}

static void qos_0_is_bounded_too(void **state)
{
    struct outbox o = {.last = 0};
    struct message *m = make(1);
    struct delivery d = {.message = m, .state = DELIVERY_WAITING};
    uint64_t number;
    for (unsigned i = 0; i < MANY; i++)
        (void)add(&o, m, 0, DELIVERY_WAITING);
    assert_true(err_is(outbox_add(&o, &d, &number), ERR_FULL));
    for (unsigned i = 0; i < MANY; i++)
        (void)send_one(&o);
    outbox_rest(&o);
    assert_null(o.plain);
    message_drop(m);
}

/* A restart: what was kept comes back with its numbers, so with its packet identifiers. */
static void restored(void **state)
{
    struct outbox o = {.last = 0};
    struct message *m = make(10);
    struct said said = {.len = 0};
    struct delivery sent = {.message = m, .qos = 1, .state = DELIVERY_SENT, .durable = 1},
                    released = {.qos = 2, .state = DELIVERY_RELEASED, .durable = 1};
    assert_null(outbox_restore(&o, 3, &sent)); /* its end was not kept: 65,538 could not be given before */
    assert_null(outbox_restore(&o, 6, &sent));
    assert_null(outbox_restore(&o, 65538, &released));
    assert_null(outbox_restore(&o, 65539, &sent));
    assert_int_equal(outbox_count(&o), 3);
    assert_int_equal(o.bytes, 20);
    assert_int_equal(add(&o, m, 2, DELIVERY_WAITING), 65540);
    struct delivery d = {.message = m, .qos = 1, .state = DELIVERY_WAITING};
    uint64_t number;
    assert_true(err_is(outbox_add(&o, &d, &number), ERR_FULL)); /* 65,541 has the identifier of 6 */
    for (unsigned i = 0; i < 5; i++)
        send_next(&o, 10, &said);
    assert_string_equal(said.text, "dup6 rel65538 dup65539 65540 -0");
    outbox_done(&o, 6);
    assert_null(outbox_add(&o, &d, &number));
    assert_int_equal(number, 65541);
    outbox_close(&o);
    message_drop(m);
}

static void walked(void **state)
{
    struct outbox o = {.last = 99};
    struct message *m = make(1);
    const struct delivery *d;
    assert_int_equal(outbox_walk(&o, 0, &d), 0);
    for (unsigned i = 0; i < 40; i++)
        (void)add(&o, m, i % 3 == 2 ? 0 : 1, i % 2 ? DELIVERY_RESERVED : DELIVERY_WAITING);
    uint64_t last = o.last;
    for (uint64_t number = 100; number <= last; number += 5)
        outbox_done(&o, number);
    uint64_t at = 0, expected = 100;
    while ((at = outbox_walk(&o, at, &d))) {
        expected += (expected - 100) % 5 == 0;
        assert_int_equal(at, expected++);
        assert_ptr_equal(d->message, m);
    }
    assert_true(expected > last);
    assert_int_equal(outbox_walk(&o, UINT64_MAX, &d), 0);
    outbox_close(&o);
    message_drop(m);
}

/* The Nth allocation fails: an add fails whole, an end never does. */
static void every_allocation_may_fail(void **state)
{
    unsigned long n = 0, seen = 0;
    struct message *m = make(1);
    while (seen >= n) {
        struct outbox o = {.last = 0};
        uint64_t number;
        size_t in = 0;
        mem_trial(++n);
        for (unsigned i = 0; i < 100; i++) {
            struct delivery d = {.message = m, .qos = i % 2, .state = DELIVERY_WAITING};
            err failed = outbox_add(&o, &d, &number);
            assert_true(!failed || err_is(failed, ERR_MEMORY));
            in += !failed;
            assert_int_equal(outbox_count(&o), in);
            assert_int_equal(m->holders.count, in + 1);
            assert_int_equal(o.bytes, in);
        }
        while (outbox_next(&o, 100, &number))
            outbox_sent(&o, number);
        for (number = o.last; number; number--)
            outbox_done(&o, number);
        seen = mem_trial(0);
        assert_int_equal(m->holders.count, 1);
        assert_int_equal(outbox_count(&o), 0);
        outbox_close(&o);
    }
    assert_true(n > 8);
    message_drop(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_and_states),
        cmocka_unit_test(what_is_lent),
        cmocka_unit_test(overflow_policies),
        cmocka_unit_test(all_identifiers_in_any_order),
        cmocka_unit_test(one_that_is_never_acknowledged),
        cmocka_unit_test(qos_0_is_bounded_too),
        cmocka_unit_test(restored),
        cmocka_unit_test(walked),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
