/* A fleet under simulation: random acts, and after every single step what must always hold. HOLDFAST_SEED=n runs that seed
 * alone; a run that fails names its seed and step. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "fleet.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <cmocka.h>

enum { SEEDS = 50, STEPS = 4000 };

/* ---- what always holds */

static size_t length(const struct list *head)
{
    size_t count = 0;
    for (const struct list *at = head->next; at != head; at = at->next)
        count++;
    return count;
}

static void check_peer(struct world *w, const struct mqtt_peer *p)
{
    const struct door_limits *limits = &w->limits;
    holds(w, length(&p->arriving) == p->arriving_count && p->arriving_count <= 2u * limits->receive_max);
    holds(w, p->version != MQTT_5 || p->arriving_qos_1 <= limits->receive_max);
    holds(w, outbox_under_way(&p->session->outbox) <= p->receive_max);
    holds(w, p->phase == PEER_ENTERING || p->phase == PEER_OPEN || p->phase == PEER_OVER);
    holds(w, p->present);
}

static void check_session(struct world *w, const struct mqtt_session *s)
{
    const struct door_limits *limits = &w->limits;
    char id[16];
    holds(w, outbox_count(&s->outbox) <= limits->queue.messages_max && s->outbox.bytes <= limits->queue.bytes_max);
    holds(w, s->watches.count <= limits->subscriptions_max);
    holds(w, s->peer || s->expiry_s); /* nobody waits for whom nobody expects */
    holds(w, s->expiry_s <= limits->expiry_max_s);
    if (s->peer)
        check_peer(w, s->peer);
    if (!s->peer || s->peer->phase != PEER_OPEN || s->who.kind != PRINCIPAL_DEVICE)
        return;
    unsigned device = (unsigned)(s->who.id[1] - '0'); /* d0 to d9 */
    snprintf(id, sizeof id, "d%u", device);
    holds(w, strcmp(id, s->who.id) == 0);
    holds(w, w->enrolled[device]); /* a deleted device has no session */
}

void check(struct world *w)
{
    size_t present = 0, lines = 0;
    for (size_t i = 0; i < LOOPS; i++) {
        const struct table *sessions = &w->lobbies[i].sessions;
        for (struct table_node *node = table_next(sessions, NULL); node; node = table_next(sessions, node)) {
            const struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
            holds(w, lobby_home(&w->lobbies[0], &s->who) == &w->lobbies[i]);
            holds(w, s->number % LOOPS == (i + 1) % LOOPS);
            check_session(w, s);
            present += s->peer != NULL;
        }
    }
    for (size_t i = 0; i < LINES; i++)
        lines += w->peers[i].line.open;
    holds(w, counter_read(&w->counts.sessions_now) >= present); /* one that was taken over is out of the table */
    holds(w, counter_read(&w->counts.sessions_now) <= lines);
    holds(w, w->hellos >= w->byes);
    holds(w, w->refused <= w->told);
    holds(w, counter_read(&w->counts.messages_refused) <= w->refused + lines); /* one that cannot be asked for is told to nobody */
}

/* ---- what happens */

static void world_acts(struct world *w)
{
    uint32_t die = draw(w, 1000);
    if (die < 550)
        peer_acts(w);
    else if (die < 700)
        store_commit(w);
    else if (die < 850)
        store_return(w, 1 + draw(w, 10));
    else if (die < 900)
        registry_answer(w);
    else if (die < 960)
        station_turns(w, draw(w, LOOPS));
    else if (die < 975)
        w->mood = chance(w, 80) ? STORE_WELL : chance(w, 50) ? STORE_FULL : STORE_SLOW;
    else if (die < 978)
        device_delete(w, draw(w, DEVICES));
    else if (die < 988)
        device_enrol(w, draw(w, DEVICES));
    else
        w->now_ms += draw(w, 20) ? draw(w, 2000) : draw(w, 60000);
}

static void live(uint64_t seed)
{
    struct world *w = malloc(sizeof *w);
    assert_non_null(w);
    world_open(w, seed);
    for (w->step = 0; w->step < STEPS; w->step++) {
        world_acts(w);
        for (size_t i = 0; i < LINES; i++)
            (void)fake_line_tire(&w->peers[i].line);
        if (chance(w, 70))
            world_settle(w);
        else
            (void)fake_line_step(&w->peers[draw(w, LINES)].line);
        for (size_t i = 0; i < LINES; i++)
            peer_listens(w, &w->peers[i]);
        check(w);
    }
    holds(w, w->hellos && w->published_heard && w->acked && w->refused); /* it was a life worth living */
    world_close(w);
    free(w);
}

static void a_fleet_lives(void **state)
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_fleet_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
