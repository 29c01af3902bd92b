/* Events, by device, kind and severity, in either order. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

/* By device? by kind? oldest first? */
static const enum read_statement statements[2][2][2] = {
    {{READ_SQL_EVENTS, READ_SQL_EVENTS_OLDEST}, {READ_SQL_EVENTS_KIND, READ_SQL_EVENTS_KIND_OLDEST}},
    {{READ_SQL_EVENTS_DEVICE, READ_SQL_EVENTS_DEVICE_OLDEST}, {READ_SQL_EVENTS_BOTH, READ_SQL_EVENTS_BOTH_OLDEST}},
};

/* False: an event of a kind that this program has no word for, left by a release that had one. */
static bool event_row(sqlite3_stmt *s, struct event *event)
{
    event->id = sqlite3_column_int64(s, 0);
    event->time_us = sqlite3_column_int64(s, 1);
    event->severity = (enum severity)sqlite3_column_int(s, 3);
    event->detail = column_view(s, 5);
    return !event_kind_from(column_view(s, 2), &event->kind) && !column_text(s, 4, event->device, sizeof event->device);
}

static void bind_query(sqlite3_stmt *s, const struct event_query *query)
{
    bind_number(s, 1, query->after_id);
    bind_number(s, 2, query->before_id ? query->before_id : INT64_MAX);
    bind_number(s, 3, query->at_least);
    bind_number(s, 4, (int64_t)query->limit);
    if (query->device.len)
        bind_text(s, 5, query->device);
    if (query->one_kind)
        bind_word(s, 6, event_kind_text(query->kind));
}

err read_events(struct store_reader *port, const struct event_query *query, struct event_rows *rows)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, statements[query->device.len > 0][query->one_kind][query->order == EVENTS_OLDEST_FIRST],
                         &s));
    bind_query(s, query);
    for (;;) {
        struct event event;
        bool got;
        TRY(statement_row(&r->db, s, &got));
        if (!got)
            return OK;
        if (event_row(s, &event) && !rows->row(rows, &event))
            return OK;
    }
}
