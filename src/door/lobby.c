/* The lobby: its sweep, and what concerns all its lines. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/lobby.h"

#include "door/connection.h"
#include "door/mqtt_session.h"

err lobby_open(struct lobby *lobby)
{
    uint64_t seed;
    lobby->dice->fill(lobby->dice, (uint8_t *)&seed, sizeof seed);
    table_open(&lobby->sessions, lobby->limits->sessions_max, seed);
    mqtt_open(lobby);
    roll_open(&lobby->roll, lobby->limits->connections_max, seed);
    roll_open(&lobby->owners, SIZE_MAX, seed); /* no more than there are sessions */
    list_open(&lobby->lines);
    list_open(&lobby->dirty);
    list_open(&lobby->graves);
    return traffic_open(lobby, &lobby->traffic);
}

void lobby_close(struct lobby *lobby)
{
    connection_end_all(lobby);
}

void lobby_forget(struct lobby *lobby)
{
    mqtt_close(lobby);
    table_close(&lobby->sessions);
    roll_close(&lobby->roll);
    roll_close(&lobby->owners);
    traffic_close(lobby->traffic);
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

enum { PRESSED_MS = 250 }; /* of one turn */

bool lobby_is_pressed(const struct lobby *lobby)
{
    return loop_turn_ms(lobby->loop) > PRESSED_MS;
}

/* A fixed seed: every loop must find the same home. Ids are ours to give, so collisions gain nobody anything; of the
 * anonymous nothing is promised. */
static struct lobby *home(const struct lobby *lobby, struct bytes name)
{
    return lobby->all[table_hash(0, name) % lobby->all_count];
}

struct lobby *lobby_home(const struct lobby *lobby, const struct principal *who)
{
    return home(lobby, bytes_of_text(who->id));
}

struct lobby *lobby_home_of(const struct lobby *lobby, const struct principal *who, struct bytes client_id)
{
    return who->kind == PRINCIPAL_ANONYMOUS ? home(lobby, client_id) : lobby_home(lobby, who);
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
