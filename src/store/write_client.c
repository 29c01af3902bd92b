/* The sessions of clients: their records, subscriptions and received packet identifiers. What is said of a session that
 * is not there changes nothing and is no fault: it ended meanwhile. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

_Static_assert(PRINCIPAL_DEVICE == 1 && PRINCIPAL_OPERATOR == 2 && PRINCIPAL_ANONYMOUS == 3,
               "the database keeps these numbers: they never change");

err writer_drop_client(struct sqlite_writer *w, uint64_t session)
{
    TRY(writer_run_for(w, WRITE_SQL_DROP_CLIENT_WATCHES, (int64_t)session));
    TRY(writer_run_for(w, WRITE_SQL_DROP_CLIENT_RECEIVED, (int64_t)session));
    TRY(writer_doom_deliveries(w, session));
    return writer_run_for(w, WRITE_SQL_DROP_CLIENT, (int64_t)session);
}

/* The session that has this one's owner and client identifier; when there is none, this one itself. */
static err find_namesake(struct sqlite_writer *w, const struct client_record *c, uint64_t *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_CLIENT_OF, &s));
    bind_number(s, 1, c->who.kind);
    bind_word(s, 2, c->who.id);
    bind_text(s, 3, c->client_id);
    TRY(statement_row(&w->db, s, &got));
    *out = got ? (uint64_t)sqlite3_column_int64(s, 0) : c->number;
    return OK;
}

static err put_client(struct sqlite_writer *w, const struct client_record *c, const struct bytes *will)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_PUT_CLIENT, &s));
    bind_number(s, 1, (int64_t)c->number);
    bind_number(s, 2, c->who.kind);
    bind_word(s, 3, c->who.id);
    bind_text(s, 4, c->client_id);
    bind_number(s, 5, c->expiry_s);
    bind_number(s, 6, c->left_us);
    bind_number(s, 7, c->will_delay_s);
    if (will)
        bind_blob(s, 8, *will);
    return statement_run(&w->db, s);
}

err apply_client(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct client_record *c = &write->as.client;
    struct bytes will;
    uint64_t namesake;
    if (c->will)
        TRY(writer_bytes(w, c->will, &will));
    TRY(find_namesake(w, c, &namesake));
    if (namesake != c->number)
        TRY(writer_drop_client(w, namesake));
    return put_client(w, c, c->will ? &will : NULL);
}

err apply_client_delete(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    return writer_drop_client(w, write->as.client_number);
}

err apply_client_watch(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    const struct client_watch *watch = &write->as.watch.watch;
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_PUT_CLIENT_WATCH, &s));
    bind_number(s, 1, (int64_t)write->as.watch.session);
    bind_text(s, 2, watch->filter);
    bind_number(s, 3, watch->subscription_id);
    bind_number(s, 4, watch->qos);
    bind_number(s, 5, watch->flags);
    return statement_run(&w->db, s);
}

err apply_client_unwatch(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, WRITE_SQL_DROP_CLIENT_WATCH, &s));
    bind_number(s, 1, (int64_t)write->as.watch.session);
    bind_text(s, 2, write->as.watch.watch.filter);
    return statement_run(&w->db, s);
}

static err run_received(struct sqlite_writer *w, enum write_statement which, const struct write *write)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    bind_number(s, 1, (int64_t)write->as.received.session);
    bind_number(s, 2, write->as.received.packet_id);
    return statement_run(&w->db, s);
}

err apply_received(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    return run_received(w, WRITE_SQL_ADD_RECEIVED, write);
}

err apply_received_delete(struct sqlite_writer *w, const struct write *write, struct write_result *result)
{
    return run_received(w, WRITE_SQL_DROP_RECEIVED, write);
}
