/* Writes about clients in one line, and all that a store tells of clients as one text. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "store/world.h"

static inline struct message *a_message(const char *topic, struct bytes payload)
{
    struct message *m = message_make(&(struct message_parts){.topic = bytes_of_text(topic), .payload = payload, .qos = 1});
    assert_non_null(m);
    return m;
}

static inline struct write *client_write(uint64_t number, enum principal_kind kind, const char *owner, const char *client_id)
{
    struct client_record c = {.number = number, .client_id = bytes_of_text(client_id), .expiry_s = 60};
    c.who.kind = kind;
    (void)snprintf(c.who.id, sizeof c.who.id, "%s", owner);
    return write_client(&c, 1000);
}

static inline struct write *client_end_write(uint64_t number)
{
    return write_plain(&(struct write){.kind = WRITE_CLIENT_DELETE, .as.client_number = number});
}

static inline struct write *watch_write(uint64_t session, const char *filter, uint8_t qos)
{
    const struct client_watch watch = {bytes_of_text(filter), 7, qos, CLIENT_WATCH_NO_LOCAL};
    return write_client_watch(session, &watch, 1000);
}

static inline struct write *unwatch_write(uint64_t session, const char *filter)
{
    return write_client_unwatch(session, bytes_of_text(filter), 1000);
}

static inline struct write *deliveries_write(const struct client_delivery *at, size_t count, struct bytes payload)
{
    struct message *m = a_message("t", payload);
    struct write *w = write_deliveries(m, at, count, 1000);
    message_drop(m);
    return w;
}

static inline struct write *delivery_write(uint64_t session, uint64_t number, const char *payload)
{
    const struct client_delivery at = {.session = session, .number = number, .qos = 1};
    return deliveries_write(&at, 1, bytes_of_text(payload));
}

/* WRITE_RELEASED, WRITE_DELIVERED */
static inline struct write *progress_write(enum write_kind kind, uint64_t session, uint64_t number)
{
    return write_plain(&(struct write){.kind = kind, .as.delivery = {session, number}});
}

/* WRITE_RECEIVED, WRITE_RECEIVED_DELETE */
static inline struct write *received_write(enum write_kind kind, uint64_t session, uint16_t packet_id)
{
    return write_plain(&(struct write){.kind = kind, .as.received = {session, packet_id}});
}

static inline struct write *retained_write(const char *topic, const char *payload)
{
    struct message *m = a_message(topic, bytes_of_text(payload));
    struct write *w = write_retained(m, 1000);
    message_drop(m);
    return w;
}

/* --- what is told --- */

struct told {
    union {
        struct client_rows clients;
        struct client_watch_rows watches;
        struct delivery_rows deliveries;
        struct received_rows received;
        struct retained_rows retained;
    } rows;
    struct buffer text;
    size_t count, stop_after; /* 0: never */
};

static inline void tell_text(struct told *t, struct bytes view)
{
    put_bytes(&t->text, view);
    put_text(&t->text, " ");
}

static inline void tell_message(struct told *t, const struct message *m)
{
    if (!m) {
        put_text(&t->text, "- ");
        return;
    }
    tell_text(t, m->topic);
    tell_text(t, m->payload);
    if (m->properties.len)
        tell_text(t, m->properties);
    if (m->qos != 1 || m->retain || m->expires_us)
        put_format(&t->text, "qos=%u,retain=%d,expires=%lld ", m->qos, m->retain, (long long)m->expires_us);
}

static inline bool tell_on(struct told *t)
{
    put_text(&t->text, "\n");
    return ++t->count != t->stop_after;
}

static inline bool tell_client(struct client_rows *rows, const struct client_record *c)
{
    struct told *t = (struct told *)rows;
    put_format(&t->text, "client %llu %d:%s ", (unsigned long long)c->number, c->who.kind, c->who.id);
    tell_text(t, c->client_id);
    put_format(&t->text, "%u %lld %u ", c->expiry_s, (long long)c->left_us, c->will_delay_s);
    tell_message(t, c->will);
    return tell_on(t);
}

static inline bool tell_watch(struct client_watch_rows *rows, uint64_t session, const struct client_watch *w)
{
    struct told *t = (struct told *)rows;
    put_format(&t->text, "watch %llu ", (unsigned long long)session);
    tell_text(t, w->filter);
    put_format(&t->text, "%u %u %u", w->subscription_id, w->qos, w->flags);
    return tell_on(t);
}

static inline bool tell_delivery(struct delivery_rows *rows, const struct client_delivery *d, struct message *message)
{
    struct told *t = (struct told *)rows;
    assert_true(d->released == !message);
    put_format(&t->text, "delivery %llu/%llu %u %u%s ", (unsigned long long)d->session, (unsigned long long)d->number,
               d->subscription_id, d->qos, d->retain ? "r" : "");
    tell_message(t, message);
    return tell_on(t);
}

static inline bool tell_received(struct received_rows *rows, uint64_t session, uint16_t packet_id)
{
    struct told *t = (struct told *)rows;
    put_format(&t->text, "received %llu %u", (unsigned long long)session, packet_id);
    return tell_on(t);
}

static inline bool tell_retained(struct retained_rows *rows, struct message *message)
{
    struct told *t = (struct told *)rows;
    put_text(&t->text, "retained ");
    tell_message(t, message);
    return tell_on(t);
}

/* Everything, a line each: "client", "watch", "delivery", "received", "retained". Gives; buffer_drop it. */
static inline struct buffer all_of_clients(struct store_reader *r)
{
    struct told t = {.text = {.max = 64 * 1024 * 1024}};
    t.rows.clients.row = tell_client;
    assert_ok(r->list_clients(r, &t.rows.clients));
    t.rows.watches.row = tell_watch;
    assert_ok(r->list_client_watches(r, &t.rows.watches));
    t.rows.deliveries.row = tell_delivery;
    assert_ok(r->list_deliveries(r, &t.rows.deliveries));
    t.rows.received.row = tell_received;
    assert_ok(r->list_received(r, &t.rows.received));
    t.rows.retained.row = tell_retained;
    assert_ok(r->list_retained(r, &t.rows.retained));
    assert_ok(buffer_finish(&t.text));
    return t.text;
}

static inline void assert_told(struct store_reader *r, const char *rule, const char *want)
{
    struct buffer got = all_of_clients(r);
    if (strcmp(buffer_text(&got), want) != 0)
        fail_msg("%s: wanted\n%sgot\n%s", rule, want, buffer_text(&got));
    buffer_drop(&got);
}
