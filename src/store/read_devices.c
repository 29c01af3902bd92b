/* Devices, their documents, and the counts of everything. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

static const struct fault unknown_device = {ERR_ABSENT, "store: there is no such device"};

static err device_row(sqlite3_stmt *s, struct device *d)
{
    d->enrolled_us = sqlite3_column_int64(s, 2);
    d->last_seen_us = sqlite3_column_int64(s, 3);
    d->connected_us = sqlite3_column_int64(s, 4);
    d->certificate_expires_us = sqlite3_column_int64(s, 5);
    TRY(column_text(s, 0, d->id, sizeof d->id));
    TRY(column_text(s, 1, d->group, sizeof d->group));
    TRY(column_text(s, 6, d->certificate_serial, sizeof d->certificate_serial));
    return column_text(s, 7, d->key_fingerprint, sizeof d->key_fingerprint);
}

err read_device(struct store_reader *port, struct bytes id, struct device *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_DEVICE, &s));
    bind_text(s, 1, id);
    TRY(statement_row(&r->db, s, &got));
    return got ? device_row(s, out) : &unknown_device;
}

static void bind_filter(sqlite3_stmt *s, const struct device_query *query)
{
    bind_text(s, 1, query->search);
    bind_text(s, 2, query->group);
    bind_text(s, 3, query->state);
    bind_number(s, 4, query->connected);
}

err read_devices(struct store_reader *port, const struct device_query *query, struct device_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_DEVICES, &s));
    bind_filter(s, query);
    bind_text(s, 5, query->after);
    bind_number(s, 6, (int64_t)query->limit);
    for (;;) {
        struct device device;
        bool got;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        TRY(device_row(s, &device));
        if (!rows->row(rows, &device))
            return OK;
    }
}

err read_device_count(struct store_reader *port, const struct device_query *query, uint64_t *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_COUNT_DEVICES, &s));
    bind_filter(s, query);
    TRY(statement_row(&r->db, s, &got));
    *out = (uint64_t)sqlite3_column_int64(s, 0);
    return OK;
}

err read_counts(struct store_reader *port, struct store_counts *out)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_COUNTS, &s));
    TRY(statement_row(&r->db, s, &got));
    *out = (struct store_counts){
        .devices = (uint64_t)sqlite3_column_int64(s, 0),
        .connected = (uint64_t)sqlite3_column_int64(s, 1),
        .active = (uint64_t)sqlite3_column_int64(s, 2),
        .events = (uint64_t)sqlite3_column_int64(s, 3),
        .samples = (uint64_t)sqlite3_column_int64(s, 4),
    };
    return OK;
}

err read_documents(struct store_reader *port, struct bytes device, struct document_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    int64_t key;
    TRY(reader_enter(r));
    SCOPED(reader_leave) struct sqlite_reader *entered = r;
    TRY(reader_device_key(r, device, &key));

    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_DOCUMENTS, &s));
    bind_number(s, 1, key);
    for (;;) {
        bool got;
        TRY(statement_row(&entered->db, s, &got));
        if (!got || !rows->row(rows, column_view(s, 0), column_view(s, 1), sqlite3_column_int64(s, 2)))
            return OK;
    }
}
