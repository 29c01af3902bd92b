/* What operators see of the sessions of one loop and do to them (door/board.h), and the drain for maintenance. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/board.h"
#include "door/mqtt_session.h"

#include "base/memory.h"

#include <string.h>

static const struct fault absent = {ERR_ABSENT, "sessions: there is no such session"};
static const struct fault no_rate = {ERR_REFUSED, "sessions: a drain ends at least one session a second"};

enum { DRAIN_TICK_MS = 100, TICKS_PER_S = 1000 / DRAIN_TICK_MS };

static struct session_view view_of(const struct mqtt_session *s)
{
    const struct mqtt_peer *p = s->peer;
    const struct line *line = p ? p->speaker.line : NULL;
    return (struct session_view){.who = s->who,
                                 .client_id = mqtt_client_id(s),
                                 .peer = p ? p->address : "",
                                 .transport = line ? line->calls->transport : "",
                                 .version = s->version,
                                 .connected = p != NULL,
                                 .since_us = s->since_us,
                                 .expiry_s = s->expiry_s,
                                 .keep_alive_s = p ? p->keep_alive_s : 0,
                                 .subscriptions = s->watches.count,
                                 .queued = outbox_count(&s->outbox),
                                 .queued_bytes = s->outbox.bytes,
                                 .under_way = outbox_under_way(&s->outbox),
                                 .dropped = s->dropped,
                                 .messages_in = s->messages_in,
                                 .messages_out = s->messages_out};
}

enum walk_progress lobby_walk_sessions(const struct lobby *lobby, struct session_walk *walk,
                                       struct session_rows_view *rows)
{
    const struct table *t = &lobby->sessions;
    if (walk->room && walk->room != t->room) {
        *walk = (struct session_walk){.next = 0};
        return WALK_ANEW;
    }
    walk->room = t->room;
    size_t end = walk->next + SESSION_WALK_STEP < t->room ? walk->next + SESSION_WALK_STEP : t->room;
    for (; walk->next < end; walk->next++)
        for (const struct table_node *node = t->buckets[walk->next]; node; node = node->next) {
            struct session_view view = view_of(CONTAINER(node, struct mqtt_session, place));
            (void)rows->row(rows, &view);
        }
    return walk->next < t->room ? WALK_ON : WALK_OVER;
}

static struct mqtt_session *session_named(const struct lobby *lobby, const struct session_name *name)
{
    return mqtt_find_session(lobby, &name->who, name->client_id);
}

err lobby_show_session(const struct lobby *lobby, const struct session_name *name, struct session_rows_view *row,
                       struct watch_rows_view *watches)
{
    const struct mqtt_session *s = session_named(lobby, name);
    if (!s)
        return &absent;
    struct session_view view = view_of(s);
    (void)row->row(row, &view);
    for (struct table_node *node = table_next(&s->watches, NULL); node; node = table_next(&s->watches, node))
        if (!watches->row(watches, &CONTAINER(node, struct mqtt_watch, place)->how))
            break;
    return OK;
}

err lobby_kick(struct lobby *lobby, const struct session_name *name, enum kick_how how)
{
    struct mqtt_session *s = session_named(lobby, name);
    if (!s)
        return &absent;
    struct mqtt_peer *p = s->peer;
    if (how == KICK_SESSION)
        s->expiry_s = 0; /* it ends with its connection */
    if (p)
        mqtt_bye(p, MQTT_ADMINISTRATIVE_ACTION, "an operator ended this session");
    if (!p && how == KICK_SESSION)
        mqtt_end_session(s);
    return OK;
}

/* ---- draining */

static void send_away(struct lobby *lobby, struct mqtt_peer *p)
{
    mqtt_bye_to(p, MQTT_USE_ANOTHER_SERVER, "this server is being emptied for maintenance",
                bytes_of_text(lobby->drain.reference));
}

/* So many of those that are connected, from where the last tick stopped. */
static void drain_some(struct lobby *lobby, size_t many)
{
    const struct table *t = &lobby->sessions;
    for (size_t looked = 0; many && looked < t->room; looked++) {
        size_t bucket = lobby->drain_next++ & (t->room - 1);
        for (struct table_node *node = t->buckets[bucket]; node; node = node->next) {
            struct mqtt_peer *p = CONTAINER(node, struct mqtt_session, place)->peer;
            if (!p || p->phase != PEER_OPEN)
                continue;
            send_away(lobby, p);
            many -= many > 0;
        }
    }
}

void mqtt_drain_tick(struct timer *timer)
{
    struct lobby *lobby = CONTAINER(timer, struct lobby, drain_tick);
    lobby->drain_owed += lobby->drain.per_s;
    drain_some(lobby, lobby->drain_owed / TICKS_PER_S);
    lobby->drain_owed %= TICKS_PER_S;
    if (lobby->drain.drains)
        IGNORE(loop_timer_set(lobby->loop, &lobby->drain_tick, DRAIN_TICK_MS)); /* its place in the heap is there */
}

err lobby_drain(struct lobby *lobby, const struct drain_order *order)
{
    if (order->drains && !order->per_s)
        return &no_rate;
    lobby->drain = *order;
    if (!order->drains) {
        loop_timer_clear(lobby->loop, &lobby->drain_tick);
        return OK;
    }
    return loop_timer_set(lobby->loop, &lobby->drain_tick, DRAIN_TICK_MS);
}
