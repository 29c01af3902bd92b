/* Telemetry: the newest value of each metric, and one metric's values over time. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

/* The value's kind is the kind of SQLite's value; see schema.c. */
static void column_value(sqlite3_stmt *s, int column, struct sample *out)
{
    switch (sqlite3_column_type(s, column)) {
    case SQLITE_FLOAT:
        out->kind = SAMPLE_NUMBER;
        out->value.number = sqlite3_column_double(s, column);
        return;
    case SQLITE_INTEGER:
        out->kind = SAMPLE_INTEGER;
        out->value.integer = sqlite3_column_int64(s, column);
        return;
    case SQLITE_BLOB:
        out->kind = SAMPLE_TRUTH;
        out->value.truth = bytes_equal(column_view(s, column), BYTES("\1"));
        return;
    default:
        out->kind = SAMPLE_TEXT;
        out->value.text = column_view(s, column);
        return;
    }
}

/* Columns first, first + 1 and first + 2 are the time, the value and the unit. */
static struct sample sample_row(sqlite3_stmt *s, int first, struct bytes metric)
{
    struct sample sample = {.metric = metric, .time_us = sqlite3_column_int64(s, first)};
    column_value(s, first + 1, &sample);
    sample.unit = column_view(s, first + 2);
    return sample;
}

err read_latest(struct store_reader *port, struct bytes device, struct sample_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    int64_t key;
    TRY(reader_enter(r));
    SCOPED(reader_leave) struct sqlite_reader *entered = r;
    TRY(reader_device_key(r, device, &key));

    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_LATEST, &s));
    bind_number(s, 1, key);
    for (;;) {
        bool got;
        TRY(statement_row(&entered->db, s, &got));
        if (!got)
            return OK;
        struct sample sample = sample_row(s, 1, column_view(s, 0));
        if (!rows->row(rows, &sample))
            return OK;
    }
}

/* A metric that the device never sent has no values: that is no error. *out is 0 then. */
static err series_key(struct sqlite_reader *r, int64_t device, struct bytes metric, int64_t *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_SERIES_KEY, &s));
    bind_number(s, 1, device);
    bind_text(s, 2, metric);
    TRY(statement_row(&r->db, s, &got));
    *out = got ? sqlite3_column_int64(s, 0) : 0;
    return OK;
}

err read_series(struct store_reader *port, const struct series_query *query, struct sample_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    int64_t device, series;
    TRY(reader_enter(r));
    SCOPED(reader_leave) struct sqlite_reader *entered = r;
    TRY(reader_device_key(r, query->device, &device));
    TRY(series_key(r, device, query->metric, &series));
    if (!series)
        return OK;

    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, READ_SQL_SERIES, &s));
    bind_number(s, 1, device);
    bind_number(s, 2, series);
    bind_number(s, 3, query->from_us);
    bind_number(s, 4, query->to_us);
    bind_number(s, 5, (int64_t)query->limit);
    for (;;) {
        bool got;
        TRY(statement_row(&entered->db, s, &got));
        if (!got)
            return OK;
        struct sample sample = sample_row(s, 0, query->metric);
        if (!rows->row(rows, &sample))
            return OK;
    }
}
