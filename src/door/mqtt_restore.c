/* At the start: every session to the loop that owns it, with its subscriptions, deliveries and packet identifiers. A
 * session whose client was connected when the server ended counts as left now; one whose time is over ends as soon as
 * its loop runs. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "door/mqtt_restore.h"

#include "door/mqtt_session.h"

#include "base/memory.h"
#include "session/retained.h"

static const struct fault no_memory = {ERR_MEMORY, "mqtt: no memory for the sessions that were kept"};

enum { SESSIONS_MAX = 100000000 };

/* A session by its number, while the rest of it is read. */
struct numbered {
    struct table_node place;
    struct mqtt_session *session;
    uint64_t number;
};

struct restoring {
    struct client_rows clients;
    struct client_watch_rows watches;
    struct delivery_rows deliveries;
    struct received_rows received;
    struct retained_rows retained;
    struct lobby *const *lobbies;
    size_t count;
    struct table by_number;
    uint64_t last_number;
    struct mqtt_restored *out;
    err failed;
};

static struct mqtt_session *session_of(const struct restoring *r, uint64_t number)
{
    struct table_node *found = table_find(&r->by_number, bytes_of(&number, sizeof number));
    return found ? CONTAINER(found, struct numbered, place)->session : NULL;
}

static err restore_session(struct restoring *r, const struct client_record *c)
{
    struct lobby *lobby = lobby_home_of(r->lobbies[0], &c->who, c->client_id);
    struct numbered *n = MEM_NEW(struct numbered);
    if (!n)
        return &no_memory;
    n->number = c->number;
    err failed = table_add(&r->by_number, &n->place, bytes_of(&n->number, sizeof n->number));
    if (failed) {
        mem_drop(n);
        return failed;
    }
    TRY(mqtt_make_session(lobby, &c->who, c->client_id, &n->session));
    struct mqtt_session *s = n->session;
    s->number = c->number;
    s->kept = true;
    s->expiry_s = c->expiry_s;
    s->will = c->will ? message_share(c->will) : NULL;
    s->will_delay_s = c->will_delay_s;
    mqtt_session_away(s, c->left_us ? c->left_us : wall_us(loop_clock(lobby->loop)));
    if (c->number > r->last_number)
        r->last_number = c->number;
    return OK;
}

static bool client_row(struct client_rows *self, const struct client_record *c)
{
    struct restoring *r = CONTAINER(self, struct restoring, clients);
    r->failed = restore_session(r, c);
    r->out->sessions += !r->failed;
    return !r->failed;
}

static bool watch_row(struct client_watch_rows *self, uint64_t number, const struct client_watch *watch)
{
    struct restoring *r = CONTAINER(self, struct restoring, watches);
    struct mqtt_session *s = session_of(r, number);
    if (s && !mqtt_restore_watch(s, watch))
        r->out->subscriptions++;
    else
        r->out->left_out++;
    return true;
}

static bool delivery_row(struct delivery_rows *self, const struct client_delivery *d, struct message *message)
{
    struct restoring *r = CONTAINER(self, struct restoring, deliveries);
    struct mqtt_session *s = session_of(r, d->session);
    struct delivery delivery = {.message = message,
                                .subscription_id = d->subscription_id & 0xFFFFFFF,
                                .qos = d->qos & 3u,
                                .retain = d->retain,
                                .durable = 1,
                                .state = d->released ? DELIVERY_RELEASED : DELIVERY_SENT};
    if (s && !outbox_restore(&s->outbox, d->number, &delivery)) {
        r->out->deliveries++;
        mqtt_account(s);
    } else {
        r->out->left_out++;
    }
    return true;
}

static bool received_row(struct received_rows *self, uint64_t number, uint16_t packet_id)
{
    struct restoring *r = CONTAINER(self, struct restoring, received);
    struct mqtt_session *s = session_of(r, number);
    if (s)
        r->failed = inbox_put(&s->inbox, packet_id, INBOX_RECEIVED);
    return !r->failed;
}

static bool retained_row(struct retained_rows *self, struct message *message)
{
    struct restoring *r = CONTAINER(self, struct restoring, retained);
    if (message->expires_us && message->expires_us <= wall_us(loop_clock(r->lobbies[0]->loop)))
        return true;
    for (size_t i = 0; i < r->count && !r->failed; i++)
        r->failed = retained_put(r->lobbies[i]->retained, message);
    r->out->retained += !r->failed;
    return !r->failed;
}

static err read_all(struct restoring *r, struct store_reader *reader)
{
    TRY(reader->list_clients(reader, &r->clients));
    TRY(r->failed);
    TRY(reader->list_client_watches(reader, &r->watches));
    TRY(reader->list_deliveries(reader, &r->deliveries));
    TRY(reader->list_received(reader, &r->received));
    TRY(r->failed);
    TRY(reader->list_retained(reader, &r->retained));
    return r->failed;
}

err mqtt_restore(struct store_reader *reader, struct lobby *const *lobbies, size_t count, struct mqtt_restored *out)
{
    struct restoring r = {.clients = {client_row},
                          .watches = {watch_row},
                          .deliveries = {delivery_row},
                          .received = {received_row},
                          .retained = {retained_row},
                          .lobbies = lobbies,
                          .count = count,
                          .out = out};
    *out = (struct mqtt_restored){.sessions = 0};
    table_open(&r.by_number, SESSIONS_MAX, lobbies[0]->sessions.seed);
    for (size_t i = 0; i < count; i++) { /* what is kept comes back, also where the maximum or the loops became fewer */
        lobbies[i]->mqtt.restores = true;
        lobbies[i]->sessions.max = SESSIONS_MAX;
    }
    err failed = read_all(&r, reader);
    for (struct table_node *node = table_next(&r.by_number, NULL); node; node = table_next(&r.by_number, NULL)) {
        struct numbered *n = CONTAINER(node, struct numbered, place);
        table_remove(&r.by_number, node);
        mem_drop(n);
    }
    table_close(&r.by_number);
    for (size_t i = 0; i < count; i++) {
        lobbies[i]->mqtt.restores = false;
        lobbies[i]->mqtt.next_number = r.last_number + 1 + i;
        lobbies[i]->mqtt.number_step = count;
        lobbies[i]->sessions.max = lobbies[i]->limits->sessions_max;
    }
    return failed;
}
