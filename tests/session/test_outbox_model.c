/* The outbox against a list: random lives, and after every step the outbox says what the list says. HOLDFAST_SEED=n
 * runs that seed alone. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "session/outbox.h"

#include "base/memory.h"
#include "base/text.h"
#include "session/outbox_ring.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SEEDS = 60, STEPS = 6000, OWED_MAX = 400, KINDS_OF_MESSAGE = 8 };

struct owed {
    uint64_t number; /* 0: QoS 0 */
    struct message *message;
    enum delivery_state state;
    uint8_t qos;
    bool passed; /* it had its turn on this connection */
    bool fresh;  /* it was never sent */
};

struct model {
    uint64_t seed, dice, last;
    int step;
    struct outbox outbox;
    struct owed owed[OWED_MAX];
    size_t count;
    uint16_t window;
    uint32_t growth; /* of 100: how often something is added */
    struct message *messages[KINDS_OF_MESSAGE];
    uint64_t sent, shed, again, full;
};

#define holds(m, what)                                                                                                 \
    do {                                                                                                               \
        if (!(what)) {                                                                                                 \
            fprintf(stderr, "%s:%d: HOLDFAST_SEED=%" PRIu64 ", step %d: must hold: %s\n", __FILE__, __LINE__,          \
                    (m)->seed, (m)->step, #what);                                                                      \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

static uint32_t draw(struct model *m, uint32_t below)
{
    m->dice = m->dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(m->dice >> 33) % below;
}

/* ---- the list */

static size_t size_of(const struct owed *e)
{
    return e->message ? e->message->topic.len + e->message->payload.len + e->message->properties.len : 0;
}

static void end(struct model *m, size_t place)
{
    memmove(&m->owed[place], &m->owed[place + 1], (--m->count - place) * sizeof *m->owed);
}

static size_t under_way(const struct model *m)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        count += m->owed[i].passed;
    return count;
}

static struct owed *next_owed(struct model *m)
{
    size_t i = 0;
    while (i < m->count && m->owed[i].passed)
        i++;
    struct owed *e = &m->owed[i];
    if (i == m->count || e->state == DELIVERY_RESERVED)
        return NULL;
    if (e->qos && e->state <= DELIVERY_SENT && under_way(m) >= m->window)
        return NULL;
    return e;
}

/* A random one in this state; NULL: none. */
static struct owed *any(struct model *m, enum delivery_state state)
{
    if (!m->count)
        return NULL;
    for (size_t i = 0, from = draw(m, (uint32_t)m->count); i < m->count; i++) {
        struct owed *e = &m->owed[(from + i) % m->count];
        if (e->state == state)
            return e;
    }
    return NULL;
}

/* ---- what happens to both */

static void add(struct model *m)
{
    struct owed e = {.message = m->messages[draw(m, KINDS_OF_MESSAGE)], .qos = (uint8_t)draw(m, 3), .fresh = true};
    uint64_t number;
    if (m->count == OWED_MAX)
        return;
    e.state = e.qos && draw(m, 2) ? DELIVERY_RESERVED : DELIVERY_WAITING;
    struct delivery d = {.message = e.message, .qos = e.qos, .state = (uint8_t)e.state, .durable = e.qos > 0};
    err failed = outbox_add(&m->outbox, &d, &number);
    size_t oldest = 0;
    while (oldest < m->count && !m->owed[oldest].qos)
        oldest++;
    bool spans = e.qos && oldest < m->count && m->last + 1 - m->owed[oldest].number >= OUTBOX_SPAN_MAX;
    holds(m, spans ? err_is(failed, ERR_FULL) : !failed);
    m->full += spans;
    if (failed)
        return;
    e.number = e.qos ? ++m->last : 0;
    holds(m, number == e.number);
    m->owed[m->count++] = e;
}

static void settle(struct model *m)
{
    struct owed *e = any(m, DELIVERY_RESERVED);
    if (e && draw(m, 5)) {
        outbox_commit(&m->outbox, e->number);
        e->state = DELIVERY_WAITING;
    } else if (e) {
        outbox_cancel(&m->outbox, e->number);
        end(m, (size_t)(e - m->owed));
    }
}

static void send(struct model *m)
{
    uint64_t number;
    struct owed *e = next_owed(m);
    const struct delivery *d = outbox_next(&m->outbox, m->window, &number);
    holds(m, !d == !e);
    if (!e)
        return;
    m->sent++;
    m->again += e->state == DELIVERY_SENT;
    if (!draw(m, 20)) {
        outbox_skip(&m->outbox, number);
        end(m, (size_t)(e - m->owed));
        return;
    }
    outbox_sent(&m->outbox, number);
    if (!e->qos) {
        end(m, (size_t)(e - m->owed));
        return;
    }
    if (e->state == DELIVERY_WAITING)
        e->state = DELIVERY_SENT;
    e->passed = true;
    e->fresh = false;
}

/* The client acknowledges something by its packet identifier. */
static void acknowledge(struct model *m)
{
    static const enum delivery_state states[] = {DELIVERY_SENT, DELIVERY_RELEASED, DELIVERY_SENT, DELIVERY_RELEASING};
    struct owed *e = any(m, states[draw(m, 4)]);
    uint64_t number;
    if (!e)
        return;
    const struct delivery *d = outbox_find(&m->outbox, outbox_packet_id(e->number), &number);
    holds(m, d && number == e->number && d->state == e->state && d->qos == e->qos && d->message == e->message);
    if (e->state == DELIVERY_SENT && e->qos == 2) {
        outbox_releasing(&m->outbox, number);
        e->state = DELIVERY_RELEASING;
        e->message = NULL;
    } else if (e->state == DELIVERY_RELEASING) {
        holds(m, outbox_released(&m->outbox, number) == e->passed);
        holds(m, !outbox_released(&m->outbox, number));
        e->state = DELIVERY_RELEASED;
    } else {
        outbox_done(&m->outbox, number);
        end(m, (size_t)(e - m->owed));
    }
}

static void nonsense(struct model *m)
{
    uint64_t number = draw(m, 2) ? m->last - draw(m, 100) : m->last + 1 + draw(m, 100), found;
    uint16_t packet_id = (uint16_t)draw(m, 65536);
    bool known = false, named = false;
    for (size_t i = 0; i < m->count; i++) {
        known |= m->owed[i].number == number;
        named |= m->owed[i].state >= DELIVERY_SENT && outbox_packet_id(m->owed[i].number) == packet_id;
    }
    holds(m, (outbox_find(&m->outbox, packet_id, &found) != NULL) == named);
    if (known || !number)
        return;
    outbox_commit(&m->outbox, number);
    outbox_cancel(&m->outbox, number);
    outbox_sent(&m->outbox, number);
    outbox_releasing(&m->outbox, number);
    holds(m, !outbox_released(&m->outbox, number));
    outbox_done(&m->outbox, number);
}

static void shed(struct model *m)
{
    struct outbox_limits limits = {1 + draw(m, OWED_MAX), draw(m, 8000), (enum overflow_policy)draw(m, 3)};
    size_t bytes = draw(m, 100), oldest = m->count, first = m->count;
    struct shed out;
    for (size_t i = m->count; i-- > 0;) {
        if (!m->owed[i].qos)
            first = i;
        else if (m->owed[i].fresh)
            oldest = i;
    }
    if (first == m->count && limits.policy == OVERFLOW_DROP_OLDEST && oldest < m->count &&
        m->owed[oldest].state == DELIVERY_WAITING)
        first = oldest;
    if (outbox_has_room(&m->outbox, &limits, bytes) || outbox_shed(&m->outbox, &limits, bytes, &out))
        return;
    holds(m, first < m->count && limits.policy != OVERFLOW_REFUSE);
    holds(m, out.number == m->owed[first].number && out.qos == m->owed[first].qos && out.durable == (out.qos > 0));
    m->shed++;
    end(m, first);
}

static void detach(struct model *m)
{
    size_t dropped = 0;
    for (size_t i = m->count; i-- > 0;)
        if (m->owed[i].qos) {
            m->owed[i].passed = false;
        } else {
            end(m, i);
            dropped++;
        }
    holds(m, outbox_detach(&m->outbox) == dropped);
    m->window = (uint16_t)(1 + draw(m, draw(m, 2) ? 4 : OWED_MAX));
}

/* The process ends; what has a number and was committed was kept. */
static void restart(struct model *m)
{
    outbox_close(&m->outbox);
    m->last = 0;
    for (size_t i = m->count; i-- > 0;)
        if (!m->owed[i].qos || m->owed[i].state == DELIVERY_RESERVED)
            end(m, i);
    for (size_t i = 0; i < m->count; i++) {
        struct owed *e = &m->owed[i];
        bool released = e->state >= DELIVERY_RELEASING;
        e->state = released ? DELIVERY_RELEASED : DELIVERY_SENT;
        e->passed = e->fresh = false;
        m->last = e->number;
        struct delivery d = {.message = e->message, .qos = e->qos, .state = (uint8_t)e->state, .durable = 1};
        holds(m, !outbox_restore(&m->outbox, e->number, &d));
    }
}

/* ---- what always holds */

static void check_ring(struct model *m, const struct outbox_ring *r)
{
    uint32_t live = 0, fresh = 0, passed = 0;
    if (!r)
        return;
    for (uint32_t i = 0; i < r->used; i++) {
        const struct delivery *d = ring_peek(r, i);
        live += d->state != DELIVERY_GONE;
        fresh += d->state == DELIVERY_RESERVED || d->state == DELIVERY_WAITING;
        passed += d->state != DELIVERY_GONE && i < r->turn;
        holds(m, d->state != DELIVERY_GONE || !d->message);
        holds(m, d->state != DELIVERY_RESERVED || i >= r->turn);
        holds(m, i >= r->fresh || (d->state != DELIVERY_RESERVED && d->state != DELIVERY_WAITING));
    }
    holds(m, r->live == live && r->fresh_live == fresh && r->under_way == passed);
    holds(m, !r->used || ring_peek(r, 0)->state != DELIVERY_GONE);
    holds(m, r->used <= r->room && r->turn <= r->used && r->fresh <= r->used);
    holds(m, r->room <= 16 || r->room <= 8 * live);
    holds(m, !(r->room & (r->room - 1)));
}

static void check(struct model *m)
{
    const struct delivery *d;
    size_t bytes = 0;
    uint64_t at = 0, number;
    for (size_t i = 0; i < m->count; i++) {
        bytes += size_of(&m->owed[i]);
        if (!m->owed[i].qos)
            continue;
        at = outbox_walk(&m->outbox, at, &d);
        holds(m, at == m->owed[i].number && d->state == m->owed[i].state && d->message == m->owed[i].message);
    }
    holds(m, !outbox_walk(&m->outbox, at, &d));
    holds(m, m->outbox.bytes == bytes && m->outbox.last == m->last);
    holds(m, outbox_count(&m->outbox) == m->count && outbox_under_way(&m->outbox) == under_way(m));
    struct owed *e = next_owed(m);
    d = outbox_next(&m->outbox, m->window, &number);
    holds(m, !d == !e);
    holds(m, !e || (number == e->number && d->state == e->state && d->message == e->message && d->qos == e->qos));
    check_ring(m, m->outbox.numbered);
    check_ring(m, m->outbox.plain);
}

static void step(struct model *m)
{
    uint32_t die = draw(m, 1000);
    if (!draw(m, 400))
        m->growth = draw(m, 80);
    if (draw(m, 100) < m->growth)
        add(m);
    else if (die < 300)
        settle(m);
    else if (die < 600)
        send(m);
    else if (die < 950)
        acknowledge(m);
    else if (die < 980)
        shed(m);
    else if (die < 987)
        nonsense(m);
    else if (die < 994)
        detach(m);
    else if (die < 998)
        outbox_rest(&m->outbox);
    else
        restart(m);
}

static void live(uint64_t seed)
{
    static const uint64_t starts[] = {0, 65500, UINT32_MAX - 50ull, UINT64_C(1) << 62};
    struct model *m = MEM_NEW(struct model);
    *m = (struct model){.seed = seed, .dice = seed, .last = starts[seed % 4], .window = 20};
    m->outbox.last = m->last;
    for (size_t i = 0; i < KINDS_OF_MESSAGE; i++) {
        struct message_parts parts = {.topic = BYTES("a/b"), .payload = bytes_first(BYTES("0123456789"), i)};
        m->messages[i] = message_make(&parts);
    }
    for (m->step = 0; m->step < STEPS; m->step++) {
        step(m);
        check(m);
    }
    holds(m, m->sent && m->shed && m->again);
    outbox_close(&m->outbox);
    for (size_t i = 0; i < KINDS_OF_MESSAGE; i++) {
        holds(m, m->messages[i]->holders.count == 1);
        message_drop(m->messages[i]);
    }
    mem_drop(m);
}

static void an_outbox_lives(void **state)
{
    const char *only = getenv("HOLDFAST_SEED");
    uint64_t seed;
    if (only) {
        assert_null(text_to_u64(bytes_of_text(only), &seed));
        live(seed);
        return;
    }
    for (seed = 1; seed <= SEEDS; seed++)
        live(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(an_outbox_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
