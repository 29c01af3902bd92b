/* Sessions as the board sees them. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/board.h"
#include "door/mqtt_session.h"

#include <string.h>

static const struct fault no_session = {ERR_ABSENT, "mqtt: there is no such session"};
static const struct fault no_drain = {ERR_UNSUPPORTED, "mqtt: sessions cannot be sent away one by one yet"};

static struct session_view view_of(const struct mqtt_session *s)
{
    return (struct session_view){
        .who = s->who,
        .client_id = bytes_of_text(s->client_id),
        .peer = s->peer,
        .transport = "tls",
        .version = (uint8_t)s->version,
        .connected = s->phase == SESSION_OPEN,
        .keep_alive_s = s->keep_alive_s,
        .subscriptions = s->subscriptions.count,
        .queued = s->leaving_count + s->unacked_count,
        .queued_bytes = s->leaving_bytes,
        .under_way = s->unacked_count,
    };
}

enum walk_progress lobby_walk_sessions(const struct lobby *lobby, struct session_walk *walk,
                                       struct session_rows_view *rows)
{
    const struct table *t = &lobby->sessions;
    if (walk->next && walk->room != t->room) {
        *walk = (struct session_walk){.next = 0};
        return WALK_ANEW;
    }
    walk->room = t->room;
    for (size_t end = walk->next + SESSION_WALK_STEP; walk->next < end && walk->next < t->room; walk->next++)
        for (const struct table_node *node = t->buckets[walk->next]; node; node = node->next) {
            struct session_view view = view_of(CONTAINER(node, const struct mqtt_session, place));
            (void)rows->row(rows, &view);
        }
    return walk->next < t->room ? WALK_ON : WALK_OVER;
}

static struct mqtt_session *find(const struct lobby *lobby, const struct session_name *name)
{
    const struct table *t = &lobby->sessions;
    for (struct table_node *node = table_next(t, NULL); node; node = table_next(t, node)) {
        struct mqtt_session *s = CONTAINER(node, struct mqtt_session, place);
        if (s->who.kind == name->who.kind && !strcmp(s->who.id, name->who.id) &&
            bytes_is(name->client_id, s->client_id))
            return s;
    }
    return NULL;
}

err lobby_show_session(const struct lobby *lobby, const struct session_name *name, struct session_rows_view *row,
                       struct watch_rows_view *watches)
{
    struct mqtt_session *s = find(lobby, name);
    if (!s)
        return &no_session;
    struct session_view view = view_of(s);
    (void)row->row(row, &view);
    for (struct table_node *node = table_next(&s->subscriptions, NULL); node;
         node = table_next(&s->subscriptions, node))
        if (!watches->row(watches, &(struct client_watch){.filter = node->key}))
            break;
    return OK;
}

err lobby_kick(struct lobby *lobby, const struct session_name *name, enum kick_how how)
{
    struct mqtt_session *s = find(lobby, name);
    if (!s)
        return &no_session;
    mqtt_bye(s, MQTT_ADMINISTRATIVE_ACTION, "an operator ended the session");
    return OK;
}

err lobby_drain(struct lobby *lobby, const struct drain_order *order)
{
    return order->drains ? &no_drain : OK;
}
