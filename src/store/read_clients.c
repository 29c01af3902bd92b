/* The sessions of clients and what they left, told whole at the start. A row that is not as it was written is logged
 * with its place and left out: the others are told all the same. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

#include "base/memory.h"
#include "base/table.h"
#include "store/kept_message.h"

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault no_bytes = {ERR_MALFORMED, "store: a delivery has no message"};
static const struct fault foreign = {ERR_MALFORMED, "store: a session is not one that Holdfast wrote"};

enum { FLAG_RETAIN = 1, FLAG_RELEASED = 2 };

/* True when the row is to be left out, and was said so. */
static bool leave_out(struct sqlite_reader *r, err e, const char *table, int64_t key)
{
    if (!err_is(e, ERR_MALFORMED))
        return false;
    log_line(&r->db.log, LOG_ERROR, "a row of the store is damaged and left out", "table=%s row=%lld why=\"%s\"", table,
             (long long)key, e->text);
    return true;
}

static uint64_t column_session(sqlite3_stmt *s, int column)
{
    return (uint64_t)sqlite3_column_int64(s, column);
}

static void drop_message(struct message **message)
{
    message_drop(*message);
}

/* --- sessions --- */

/* Gives the will. */
static err client_row(sqlite3_stmt *s, struct client_record *c)
{
    int64_t kind = sqlite3_column_int64(s, 1);
    *c = (struct client_record){
        .number = column_session(s, 0),
        .client_id = column_view(s, 3),
        .expiry_s = (uint32_t)sqlite3_column_int64(s, 4),
        .left_us = sqlite3_column_int64(s, 5),
        .will_delay_s = (uint32_t)sqlite3_column_int64(s, 6),
    };
    if (kind < PRINCIPAL_NOBODY || kind > PRINCIPAL_ANONYMOUS || c->client_id.len > CLIENT_ID_MAX)
        return &foreign;
    c->who.kind = (enum principal_kind)kind;
    if (column_text(s, 2, c->who.id, sizeof c->who.id))
        return &foreign;
    return sqlite3_column_type(s, 7) == SQLITE_NULL ? OK : kept_message_read(column_view(s, 7), &c->will);
}

err read_clients(struct store_reader *port, struct client_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_CLIENTS, &s));
    for (bool got, more = true; more;) {
        struct client_record client;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        err e = client_row(s, &client);
        if (leave_out(r, e, "client", sqlite3_column_int64(s, 0)))
            continue;
        TRY(e);
        more = rows->row(rows, &client);
        message_drop(client.will);
    }
    return OK;
}

err read_client_watches(struct store_reader *port, struct client_watch_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_CLIENT_WATCHES, &s));
    for (bool got, more = true; more;) {
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        const struct client_watch watch = {
            .filter = column_view(s, 1),
            .subscription_id = (uint32_t)sqlite3_column_int64(s, 2),
            .qos = (uint8_t)sqlite3_column_int(s, 3),
            .flags = (uint8_t)sqlite3_column_int(s, 4),
        };
        more = rows->row(rows, column_session(s, 0), &watch);
    }
    return OK;
}

err read_received(struct store_reader *port, struct received_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_RECEIVED, &s));
    for (bool got, more = true; more;) {
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        more = rows->row(rows, column_session(s, 0), (uint16_t)sqlite3_column_int(s, 1));
    }
    return OK;
}

err read_retained(struct store_reader *port, struct retained_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_RETAINED, &s));
    for (bool got, more = true; more;) {
        SCOPED(drop_message) struct message *message = NULL;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        err e = kept_message_read(column_view(s, 1), &message);
        if (leave_out(r, e, "retained", sqlite3_column_int64(s, 0)))
            continue;
        TRY(e);
        more = rows->row(rows, message);
    }
    return OK;
}

/* --- deliveries --- */

/* A message of several deliveries, kept while they are told, so that all sessions get the same one. */
struct body {
    struct table_node node;
    int64_t row;
    struct message *message; /* NULL: damaged, and said so */
};

static void drop_bodies(struct table *bodies)
{
    struct table_node *next;
    for (struct table_node *node = table_next(bodies, NULL); node; node = next) {
        next = table_next(bodies, node);
        message_drop(((struct body *)node)->message);
        mem_drop(node);
    }
    table_close(bodies);
}

/* The message in one row of `delivery` or `message`. Gives; NULL: it is damaged, and was said so. */
static err load_message(struct sqlite_reader *r, enum read_statement which, int64_t row, struct message **out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    *out = NULL;
    TRY(reader_statement(r, which, &s));
    bind_number(s, 1, row);
    TRY(statement_row(&r->db, s, &got));
    err e = got ? kept_message_read(column_view(s, 0), out) : &no_bytes;
    return leave_out(r, e, which == READ_SQL_MESSAGE_BYTES ? "message" : "delivery", row) ? OK : e;
}

static err load_body(struct sqlite_reader *r, struct table *bodies, int64_t row, struct message **out)
{
    struct body *body = (struct body *)table_find(bodies, bytes_of(&row, sizeof row));
    if (!body) {
        body = MEM_NEW(struct body);
        if (!body)
            return &no_memory;
        body->row = row;
        err e = table_add(bodies, &body->node, bytes_of(&body->row, sizeof body->row));
        if (e) {
            mem_drop(body);
            return e;
        }
        TRY(load_message(r, READ_SQL_MESSAGE_BYTES, row, &body->message));
    }
    *out = body->message ? message_share(body->message) : NULL;
    return OK;
}

/* Gives the message; NULL: released, or damaged. */
static err delivery_row(struct sqlite_reader *r, sqlite3_stmt *s, struct table *bodies, struct client_delivery *d,
                        struct message **out)
{
    int flags = sqlite3_column_int(s, 4);
    *d = (struct client_delivery){
        .session = column_session(s, 0),
        .number = (uint64_t)sqlite3_column_int64(s, 1),
        .subscription_id = (uint32_t)sqlite3_column_int64(s, 2),
        .qos = (uint8_t)sqlite3_column_int(s, 3),
        .retain = flags & FLAG_RETAIN,
        .released = flags & FLAG_RELEASED,
    };
    if (d->released)
        return OK;
    if (sqlite3_column_type(s, 5) != SQLITE_NULL)
        return load_body(r, bodies, sqlite3_column_int64(s, 5), out);
    return load_message(r, READ_SQL_DELIVERY_BYTES, sqlite3_column_int64(s, 6), out);
}

static err tell_deliveries(struct sqlite_reader *r, struct table *bodies, struct delivery_rows *rows)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_DELIVERIES, &s));
    for (bool got, more = true; more;) {
        SCOPED(drop_message) struct message *message = NULL;
        struct client_delivery delivery;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        TRY(delivery_row(r, s, bodies, &delivery, &message));
        if (message || delivery.released)
            more = rows->row(rows, &delivery, message);
    }
    return OK;
}

err read_deliveries(struct store_reader *port, struct delivery_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    TRY(reader_enter(r));
    SCOPED(reader_leave) struct sqlite_reader *entered = r;
    SCOPED(drop_bodies) struct table bodies;
    table_open(&bodies, SIZE_MAX, 0); /* the keys are the store's own: nobody picks collisions */
    return tell_deliveries(entered, &bodies, rows);
}
