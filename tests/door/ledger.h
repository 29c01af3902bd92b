/* What a store would have of clients' sessions: told by play.h what was kept, read again as a store is. As simple as it can
 * be, so that it is right by looking at it: everything that was kept stays in a row, and what is over is marked. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "play.h"

#include "core/store.h"

enum { LEDGER_MAX = 512 };

struct ledger_client {
    uint64_t number;
    struct principal who;
    char client_id[CLIENT_ID_MAX + 1];
    uint32_t expiry_s, will_delay_s;
    int64_t left_us;
    struct message *will;
    bool over;
};

struct ledger_watch {
    uint64_t session;
    char filter[TOPIC_MAX + 1];
    struct client_watch how;
    bool over;
};

struct ledger_delivery {
    struct client_delivery delivery;
    struct message *message;
    bool over;
};

struct ledger {
    struct store_reader reader;
    struct ledger_client clients[LEDGER_MAX];
    struct ledger_watch watches[LEDGER_MAX];
    struct ledger_delivery deliveries[LEDGER_MAX];
    struct {
        uint64_t session;
        uint16_t packet_id;
        bool over;
    } received[LEDGER_MAX];
    struct message *retained[LEDGER_MAX];
    size_t client_count, watch_count, delivery_count, received_count, retained_count;
};

/* Ends what belongs to a session. */
static inline void ledger_forget(struct ledger *l, uint64_t session)
{
    for (size_t i = 0; i < l->client_count; i++)
        l->clients[i].over |= l->clients[i].number == session;
    for (size_t i = 0; i < l->watch_count; i++)
        l->watches[i].over |= l->watches[i].session == session;
    for (size_t i = 0; i < l->delivery_count; i++)
        l->deliveries[i].over |= l->deliveries[i].delivery.session == session;
    for (size_t i = 0; i < l->received_count; i++)
        l->received[i].over |= l->received[i].session == session;
}

static inline void ledger_client(struct ledger *l, const struct client_record *c)
{
    struct ledger_client *at = NULL;
    for (size_t i = 0; i < l->client_count; i++)
        if (l->clients[i].number == c->number)
            at = &l->clients[i];
    if (!at)
        at = &l->clients[l->client_count++];
    message_drop(at->will);
    *at = (struct ledger_client){.number = c->number, .who = c->who, .expiry_s = c->expiry_s, .left_us = c->left_us,
                                 .will = c->will ? message_share(c->will) : NULL, .will_delay_s = c->will_delay_s};
    memcpy(at->client_id, c->client_id.at, c->client_id.len);
}

static inline void ledger_unwatch(struct ledger *l, uint64_t session, struct bytes filter)
{
    for (size_t i = 0; i < l->watch_count; i++)
        l->watches[i].over |= l->watches[i].session == session && bytes_is(filter, l->watches[i].filter);
}

static inline struct ledger_delivery *ledger_find(struct ledger *l, uint64_t session, uint64_t number)
{
    for (size_t i = 0; i < l->delivery_count; i++)
        if (!l->deliveries[i].over && l->deliveries[i].delivery.session == session && l->deliveries[i].delivery.number == number)
            return &l->deliveries[i];
    return NULL;
}

static inline void ledger_retain(struct ledger *l, struct message *m)
{
    for (size_t i = 0; i < l->retained_count; i++)
        if (l->retained[i] && bytes_equal(l->retained[i]->topic, m->topic)) {
            message_drop(l->retained[i]);
            l->retained[i] = NULL;
        }
    if (m->payload.len)
        l->retained[l->retained_count++] = message_share(m);
}

static inline void ledger_keep(struct ledger *l, const struct write *w)
{
    struct ledger_delivery *d = w->kind == WRITE_RELEASED || w->kind == WRITE_DELIVERED
                                    ? ledger_find(l, w->as.delivery.session, w->as.delivery.number)
                                    : NULL;
    must(l->client_count < LEDGER_MAX && l->watch_count < LEDGER_MAX && l->delivery_count < LEDGER_MAX);
    if (w->kind == WRITE_CLIENT) {
        ledger_client(l, &w->as.client);
    } else if (w->kind == WRITE_CLIENT_DELETE) {
        ledger_forget(l, w->as.client_number);
    } else if (w->kind == WRITE_CLIENT_WATCH) {
        ledger_unwatch(l, w->as.watch.session, w->as.watch.watch.filter);
        struct ledger_watch *at = &l->watches[l->watch_count++];
        *at = (struct ledger_watch){.session = w->as.watch.session, .how = w->as.watch.watch};
        memcpy(at->filter, w->as.watch.watch.filter.at, w->as.watch.watch.filter.len);
        at->how.filter = bytes_of_text(at->filter);
    } else if (w->kind == WRITE_CLIENT_UNWATCH) {
        ledger_unwatch(l, w->as.watch.session, w->as.watch.watch.filter);
    } else if (w->kind == WRITE_DELIVERIES) {
        for (size_t i = 0; i < w->as.deliveries.count; i++)
            l->deliveries[l->delivery_count++] =
                (struct ledger_delivery){w->as.deliveries.at[i], message_share(w->as.deliveries.message), false};
    } else if (w->kind == WRITE_RELEASED && d) {
        d->delivery.released = true;
    } else if (w->kind == WRITE_DELIVERED && d) {
        d->over = true;
    } else if (w->kind == WRITE_RECEIVED) {
        l->received[l->received_count].session = w->as.received.session;
        l->received[l->received_count++].packet_id = w->as.received.packet_id;
    } else if (w->kind == WRITE_RECEIVED_DELETE) {
        for (size_t i = 0; i < l->received_count; i++)
            l->received[i].over |=
                l->received[i].session == w->as.received.session && l->received[i].packet_id == w->as.received.packet_id;
    } else if (w->kind == WRITE_RETAINED) {
        ledger_retain(l, w->as.retained);
    }
}

/* ---- reading */

static inline err ledger_list_clients(struct store_reader *self, struct client_rows *rows)
{
    struct ledger *l = CONTAINER(self, struct ledger, reader);
    for (size_t i = 0; i < l->client_count; i++) {
        const struct ledger_client *c = &l->clients[i];
        struct client_record record = {c->number, c->who, bytes_of_text(c->client_id), c->expiry_s, c->left_us, c->will, c->will_delay_s};
        if (!c->over && !rows->row(rows, &record))
            break;
    }
    return OK;
}

static inline err ledger_list_watches(struct store_reader *self, struct client_watch_rows *rows)
{
    struct ledger *l = CONTAINER(self, struct ledger, reader);
    for (size_t i = 0; i < l->watch_count; i++)
        if (!l->watches[i].over && !rows->row(rows, l->watches[i].session, &l->watches[i].how))
            break;
    return OK;
}

/* In the order of their commits, which within a session is that of their numbers. */
static inline err ledger_list_deliveries(struct store_reader *self, struct delivery_rows *rows)
{
    struct ledger *l = CONTAINER(self, struct ledger, reader);
    for (size_t i = 0; i < l->delivery_count; i++) {
        const struct ledger_delivery *d = &l->deliveries[i];
        if (!d->over && !rows->row(rows, &d->delivery, d->delivery.released ? NULL : d->message))
            break;
    }
    return OK;
}

static inline err ledger_list_received(struct store_reader *self, struct received_rows *rows)
{
    struct ledger *l = CONTAINER(self, struct ledger, reader);
    for (size_t i = 0; i < l->received_count; i++)
        if (!l->received[i].over && !rows->row(rows, l->received[i].session, l->received[i].packet_id))
            break;
    return OK;
}

static inline err ledger_list_retained(struct store_reader *self, struct retained_rows *rows)
{
    struct ledger *l = CONTAINER(self, struct ledger, reader);
    for (size_t i = 0; i < l->retained_count; i++)
        if (l->retained[i] && !rows->row(rows, l->retained[i]))
            break;
    return OK;
}

static inline void ledger_open(struct ledger *l)
{
    memset(l, 0, sizeof *l);
    l->reader.list_clients = ledger_list_clients;
    l->reader.list_client_watches = ledger_list_watches;
    l->reader.list_deliveries = ledger_list_deliveries;
    l->reader.list_received = ledger_list_received;
    l->reader.list_retained = ledger_list_retained;
}

static inline void ledger_close(struct ledger *l)
{
    for (size_t i = 0; i < l->client_count; i++)
        message_drop(l->clients[i].will);
    for (size_t i = 0; i < l->delivery_count; i++)
        message_drop(l->deliveries[i].message);
    for (size_t i = 0; i < l->retained_count; i++)
        message_drop(l->retained[i]);
}
