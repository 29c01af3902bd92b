/* Persistent sessions under simulation: random acts, crashes among them, and after every single step what must always
 * hold: nothing that was acknowledged is lost, nothing with QoS 2 comes twice, order is kept, queues are within bounds.
 * HOLDFAST_SEED=n runs that seed alone; a run that fails names its seed and step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { SEEDS = 40, STEPS = 60000, CHECK_EVERY = 16, ROUNDS_MAX = 100000 };

/* ---- what always holds */

static void mark_held(struct world *w, unsigned client, bool held[CLIENTS][NUMBERS_MAX])
{
    const struct delivery *d = NULL;
    for (uint64_t at = 0; (at = outbox_walk(&server_session(w, client)->outbox, at, &d));)
        if (d->message) {
            struct packet p = packet_of(d->message);
            held[p.publisher][p.serial] = true;
        }
}

/* What was promised to a publisher is with each who subscribed, or waits for him. */
static void nothing_is_lost(struct world *w)
{
    bool held[CLIENTS][NUMBERS_MAX];
    for (unsigned c = 0; c < CLIENTS; c++) {
        memset(held, 0, sizeof held);
        mark_held(w, c, held);
        for (unsigned publisher = 0; publisher < CLIENTS; publisher++)
            for (uint32_t serial = 1; serial <= w->clients[publisher].serial; serial++) {
                const struct story *s = &w->stories[publisher][serial];
                if (s->promised && w->granted[c][s->topic] > 0)
                    holds(w, w->seen[c][publisher][serial] || w->shed[c][publisher][serial] || held[publisher][serial]);
            }
    }
}

static void check(struct world *w)
{
    for (unsigned c = 0; w->server.up && c < CLIENTS; c++) {
        const struct session *s = server_session(w, c);
        holds(w, outbox_under_way(&s->outbox) <= outbox_count(&s->outbox));
        holds(w, outbox_count(&s->outbox) <= s->messages_most && s->outbox.bytes <= s->bytes_most);
        holds(w, s->inbox.count <= OPEN_MAX + 1);
    }
    if (w->server.up && w->step % CHECK_EVERY == 0)
        nothing_is_lost(w);
}

/* ---- what happens */

static void crash(struct world *w)
{
    server_close(w);
    w->crashes++;
}

static void restart(struct world *w)
{
    server_restores(w);
    nothing_is_lost(w);
}

static void server_acts(struct world *w)
{
    unsigned client = draw(w, CLIENTS);
    uint32_t die = draw(w, 100);
    if (die < 25)
        server_takes(w, client);
    else if (die < 55)
        server_sends(w, client);
    else if (die < 80)
        server_turns(w, draw(w, LOOPS));
    else if (die < 86)
        store_commits(w);
    else
        for (uint32_t count = 1 + draw(w, 4); count && w->server.up; count--)
            store_returns(w);
}

static void world_acts(struct world *w)
{
    unsigned client = draw(w, CLIENTS);
    uint32_t die = draw(w, 1000);
    if (die < 20)
        client_publishes(w, client);
    else if (die < 380)
        client_takes(w, client);
    else if (die < 410 && !w->clients[client].connected)
        client_connects(w, client);
    else if (die < 412)
        client_loses(w, client);
    else if (die < 413)
        client_connects(w, client); /* over the one that stands, if it does */
    else if (die < 415 && w->server.up)
        server_disconnect(w, client);
    else if (die < 418)
        w->disk_full = chance(w, 10);
    else if (die < 419 && w->server.up)
        crash(w);
    else if (!w->server.up && chance(w, 5))
        restart(w);
    else if (w->server.up)
        server_acts(w);
}

/* Without further trouble all comes to an end. */
static bool is_busy(struct world *w)
{
    bool busy = server_is_busy(w);
    for (unsigned c = 0; c < CLIENTS; c++)
        busy |= w->to_server[c].count || w->to_client[c].count || w->clients[c].open_count ||
                outbox_count(&server_session(w, c)->outbox) || !w->clients[c].connected ||
                !w->server.sessions[c].connected;
    return busy;
}

static void settle(struct world *w)
{
    w->disk_full = false;
    w->calm = true;
    if (!w->server.up)
        restart(w);
    for (int round = 0; is_busy(w); round++) {
        holds(w, round < ROUNDS_MAX);
        for (unsigned c = 0; c < CLIENTS; c++) {
            if (!w->clients[c].connected || !w->server.sessions[c].connected)
                client_connects(w, c);
            server_takes(w, c);
            server_sends(w, c);
            client_takes(w, c);
        }
        for (unsigned loop = 0; loop < LOOPS; loop++)
            server_turns(w, loop);
        store_commits(w);
        store_returns(w);
        w->step++;
    }
}

/* ---- the end: the store is empty but for what is retained, which all loops hold */

struct left {
    struct delivery_rows deliveries;
    struct received_rows received;
    struct retained_rows retained;
    struct retained_visitor visitor;
    struct world *w;
    size_t count;
    struct message *kept;
    unsigned found;
};

static bool delivery_left(struct delivery_rows *self, const struct client_delivery *d, struct message *message)
{
    CONTAINER(self, struct left, deliveries)->count++;
    return true;
}

static bool received_left(struct received_rows *self, uint64_t session, uint16_t packet_id)
{
    CONTAINER(self, struct left, received)->count++;
    return true;
}

static bool same_as_kept(struct retained_visitor *self, struct message *m)
{
    struct left *l = CONTAINER(self, struct left, visitor);
    holds(l->w, bytes_equal(m->topic, l->kept->topic) && bytes_equal(m->payload, l->kept->payload));
    l->found++;
    return true;
}

static bool retained_left(struct retained_rows *self, struct message *message)
{
    struct left *l = CONTAINER(self, struct left, retained);
    l->kept = message;
    l->found = 0;
    for (unsigned loop = 0; loop < LOOPS; loop++)
        retained_match(server_retained(l->w, loop), message->topic, 0, &l->visitor);
    holds(l->w, l->found == LOOPS);
    return true;
}

static void check_end(struct world *w)
{
    struct left left = {{delivery_left}, {received_left}, {retained_left}, {same_as_kept}, w, 0, NULL, 0};
    nothing_is_lost(w);
    for (unsigned c = 0; c < CLIENTS; c++)
        holds(w, !server_session(w, c)->inbox.count);
    server_close(w); /* ends of deliveries that the full disk did not take are told again by a restart */
    server_restores(w);
    for (unsigned c = 0; c < CLIENTS; c++)
        client_loses(w, c);
    settle(w);
    nothing_is_lost(w);
    holds(w, !w->reader->list_deliveries(w->reader, &left.deliveries));
    holds(w, !w->reader->list_received(w->reader, &left.received));
    holds(w, !left.count);
    holds(w, !w->reader->list_retained(w->reader, &left.retained));
}

static void live(uint64_t seed)
{
    struct world *w = MEM_NEW(struct world);
    w->seed = w->dice = seed;
    for (unsigned c = 0; c < CLIENTS; c++) {
        for (unsigned topic = 0; topic < TOPICS; topic++)
            w->granted[c][topic] = (int8_t)((int)draw(w, 5) - 1 > 2 ? 2 : (int)draw(w, 4) - 1);
        for (uint32_t id = 0; id < 65536; id++)
            w->clients[c].received[id].kind = PUBREL;
    }
    holds(w, !memory_store_open(&w->store));
    w->writer = memory_store_writer(w->store);
    holds(w, !memory_store_reader(w->store, &w->reader));
    server_open(w);
    for (w->step = 1; w->step <= STEPS; w->step++) {
        world_acts(w);
        check(w);
    }
    settle(w);
    check_end(w);
    holds(w, w->crashes && w->dups && w->exactly_once); /* it was a life worth living */
    if (getenv("HOLDFAST_SEED"))
        printf("%" PRIu64 " crashes, %" PRIu64 " sent again, %" PRIu64 " exactly once, %" PRIu64 " shed, %" PRIu64
               " refused\n",
               w->crashes, w->dups, w->exactly_once, w->sheds, w->refusals);
    server_close(w);
    w->reader->close(w->reader);
    memory_store_close(w->store);
    mem_drop(w);
}

static void sessions_live(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(sessions_live)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
