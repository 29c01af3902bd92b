/* Messages that are kept for clients, and those that topics retain. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

enum { FLAG_RETAIN = 1, SWEPT_PER_COMMIT = 2000 };

/* --- the ledger follows the tables --- */

static err client_is_known(struct sqlite_writer *w, uint64_t session, bool *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_FIND_CLIENT, &s));
    bind_number(s, 1, (int64_t)session);
    return statement_row(&w->db, s, out);
}

static err note_place(struct sqlite_writer *w, sqlite3_stmt *row)
{
    uint64_t session = (uint64_t)sqlite3_column_int64(row, 0);
    struct delivery_place place = {.number = (uint64_t)sqlite3_column_int64(row, 1),
                                   .row = sqlite3_column_int64(row, 2)};
    struct delivery_queue *queue = ledger_find(&w->ledger, session);
    bool known;
    if (!queue) {
        TRY(client_is_known(w, session, &known));
        TRY(ledger_add(&w->ledger, session, &queue));
        queue->orphaned = !known;
    }
    if (sqlite3_column_type(row, 3) != SQLITE_NULL) {
        TRY(ledger_body(&w->ledger, sqlite3_column_int64(row, 3), &place.body));
        place.body->deliveries++;
    }
    return queue_put(queue, place);
}

static void doom_orphans(struct ledger *l)
{
    struct table_node *next;
    for (struct table_node *node = table_next(&l->queues, NULL); node; node = next) {
        struct delivery_queue *queue = (struct delivery_queue *)node;
        next = table_next(&l->queues, node);
        if (queue->orphaned)
            ledger_doom(l, queue);
    }
}

err writer_make_ledger(struct sqlite_writer *w)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    if (w->ledger.ready)
        return OK;
    TRY(writer_statement(w, WRITE_SQL_PLACES, &s));
    for (;;) {
        TRY(statement_row(&w->db, s, &got));
        if (!got)
            break;
        TRY(note_place(w, s));
    }
    doom_orphans(&w->ledger);
    w->ledger.ready = true;
    return OK;
}

/* --- deliveries --- */

/* The session's queue; NULL: there is no such session. */
static err queue_of(struct sqlite_writer *w, uint64_t session, struct delivery_queue **out)
{
    bool known;
    *out = ledger_find(&w->ledger, session);
    if (*out)
        return OK;
    TRY(client_is_known(w, session, &known));
    return known ? ledger_add(&w->ledger, session, out) : OK;
}

/* A message for several sessions: its row, made for the first of them. */
static err share_body(struct sqlite_writer *w, struct bytes bytes, struct shared_body **body)
{
    if (*body)
        return OK;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_MESSAGE, &s));
    bind_blob(s, 1, bytes);
    TRY(statement_run(&w->db, s));
    return ledger_body(&w->ledger, sqlite3_last_insert_rowid(w->db.handle), body);
}

static err add_delivery(struct sqlite_writer *w, const struct client_delivery *d, struct shared_body *body,
                        struct bytes bytes)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_ADD_DELIVERY, &s));
    bind_number(s, 1, (int64_t)d->session);
    bind_number(s, 2, (int64_t)d->number);
    bind_number(s, 3, d->subscription_id);
    bind_number(s, 4, d->qos);
    bind_number(s, 5, d->retain ? FLAG_RETAIN : 0);
    if (body)
        bind_number(s, 6, body->row);
    else
        bind_blob(s, 7, bytes);
    return statement_run(&w->db, s);
}

err apply_deliveries(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    struct shared_body *body = NULL;
    struct bytes bytes;
    TRY(writer_make_ledger(w));
    TRY(writer_bytes(w, write->as.deliveries.message, &bytes));
    for (size_t i = 0; i < write->as.deliveries.count; i++) {
        const struct client_delivery *d = &write->as.deliveries.at[i];
        struct delivery_queue *queue;
        TRY(queue_of(w, d->session, &queue));
        if (!queue || queue_find(queue, d->number))
            continue;
        if (write->as.deliveries.count > 1)
            TRY(share_body(w, bytes, &body));
        TRY(add_delivery(w, d, body, bytes));
        TRY(queue_put(queue, (struct delivery_place){d->number, sqlite3_last_insert_rowid(w->db.handle), body}));
        if (body)
            body->deliveries++;
    }
    return OK;
}

static err leave_body(struct sqlite_writer *w, struct shared_body *body)
{
    if (!body || --body->deliveries)
        return OK;
    TRY(writer_run_for(w, WRITE_SQL_DROP_MESSAGE, body->row));
    ledger_drop_body(&w->ledger, body);
    return OK;
}

static err drop_place(struct sqlite_writer *w, const struct delivery_place *place)
{
    TRY(writer_run_for(w, WRITE_SQL_DROP_DELIVERY, place->row));
    return leave_body(w, place->body);
}

err apply_delivered(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    TRY(writer_make_ledger(w));
    struct delivery_queue *queue = ledger_find(&w->ledger, write->as.delivery.session);
    const struct delivery_place *found = queue ? queue_find(queue, write->as.delivery.number) : NULL;
    if (!found)
        return OK;
    struct delivery_place place = queue_take(&w->ledger, queue, queue_index(queue, found));
    return drop_place(w, &place);
}

err apply_released(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    TRY(writer_make_ledger(w));
    struct delivery_queue *queue = ledger_find(&w->ledger, write->as.delivery.session);
    struct delivery_place *found = queue ? queue_find(queue, write->as.delivery.number) : NULL;
    if (!found)
        return OK;
    TRY(writer_run_for(w, WRITE_SQL_RELEASE, found->row));
    struct shared_body *body = found->body;
    found->body = NULL;
    return leave_body(w, body);
}

err writer_doom_deliveries(struct sqlite_writer *w, uint64_t session)
{
    TRY(writer_make_ledger(w));
    struct delivery_queue *queue = ledger_find(&w->ledger, session);
    if (queue)
        ledger_doom(&w->ledger, queue);
    return OK;
}

err writer_sweep(struct sqlite_writer *w)
{
    struct delivery_place place;
    for (int swept = 0; swept < SWEPT_PER_COMMIT && ledger_sweep(&w->ledger, &place); swept++)
        TRY(drop_place(w, &place));
    return OK;
}

/* --- retained messages --- */

static err put_retained(struct sqlite_writer *w, enum write_statement which, struct bytes topic, struct bytes bytes)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    bind_text(s, 1, topic);
    bind_blob(s, 2, bytes);
    return statement_run(&w->db, s);
}

static err drop_retained(struct sqlite_writer *w, struct bytes topic)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_DROP_RETAINED, &s));
    bind_text(s, 1, topic);
    return statement_run(&w->db, s);
}

err expire_retained(struct sqlite_writer *w, int64_t now_us)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    uint8_t until[8];
    for (size_t i = 0; i < sizeof until; i++)
        until[i] = (uint8_t)((uint64_t)now_us >> (56 - 8 * i));
    TRY(writer_statement(w, WRITE_SQL_EXPIRE_RETAINED, &s));
    bind_blob(s, 1, bytes_of(until, sizeof until));
    return statement_run(&w->db, s);
}

err apply_retained(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct message *message = write->as.retained;
    struct bytes bytes;
    if (!message->payload.len)
        return drop_retained(w, message->topic);
    TRY(writer_bytes(w, message, &bytes));
    TRY(put_retained(w, WRITE_SQL_REPLACE_RETAINED, message->topic, bytes));
    return database_changes(&w->db) ? OK : put_retained(w, WRITE_SQL_ADD_RETAINED, message->topic, bytes);
}
