/* The lobby: its sweep, and what concerns all its lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/lobby.h"

#include "door/connection.h"
#include "door/mqtt_session.h"

static void sweep(struct timer *timer)
{
    connection_sweep(CONTAINER(timer, struct lobby, sweep));
}

err lobby_open(struct lobby *lobby)
{
    uint64_t seed;
    lobby->dice->fill(lobby->dice, (uint8_t *)&seed, sizeof seed);
    table_open(&lobby->sessions, lobby->limits->connections_max, seed);
    roll_open(&lobby->roll, lobby->limits->connections_max, seed);
    list_open(&lobby->lines);
    list_open(&lobby->dirty);
    list_open(&lobby->graves);
    lobby->sweep = (struct timer){.due = sweep};
    return OK;
}

void lobby_close(struct lobby *lobby)
{
    connection_end_all(lobby);
}

void lobby_forget(struct lobby *lobby)
{
    table_close(&lobby->sessions);
    roll_close(&lobby->roll);
}

uint64_t lobby_sum(const struct lobby *lobby, size_t offset)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < lobby->all_count; i++) {
        const struct door_counts *counts = lobby->all[i]->counts;
        sum += door_counts_sum(&counts, 1, offset);
    }
    return sum;
}

struct lobby *lobby_home(const struct lobby *lobby, const struct principal *who)
{
    /* A fixed seed: every loop must find the same home. Ids are ours to give, so collisions gain nobody anything. */
    uint64_t hash = table_hash(0, bytes_of_text(who->id));
    return lobby->all[hash % lobby->all_count];
}

void lobby_expel(struct lobby *lobby, const char *device_id)
{
    mqtt_expel(lobby, device_id);
}

void lobby_shut(struct lobby *lobby)
{
    lobby->shut = true;
    mqtt_shut(lobby);
    connection_close_all(lobby);
}
