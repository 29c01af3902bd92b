/* The reading side on SQLite: opening, and what the functions of the port share. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_reader.h"

#include "base/list.h"
#include "base/memory.h"
#include "store/schema.h"
#include "store/sqlite.h"

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault unknown_device = {ERR_ABSENT, "store: there is no such device"};

static const char pragmas[] = "PRAGMA query_only = ON;"
                              "PRAGMA cache_size = -8192;";

#define STATEMENT(name, text) text,
static const char *const texts[READ_STATEMENTS] = {
#include "store/sqlite_reads.def"
};
#undef STATEMENT

struct sqlite_reader *sqlite_reader_of(struct store_reader *port)
{
    return CONTAINER(port, struct sqlite_reader, port);
}

static err run(struct sqlite_reader *r, enum read_statement which)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(reader_statement(r, which, &s));
    return statement_run(&r->db, s);
}

err reader_enter(struct sqlite_reader *r)
{
    return run(r, READ_SQL_BEGIN);
}

void reader_leave(struct sqlite_reader **r)
{
    IGNORE(run(*r, READ_SQL_END)); /* it wrote nothing, so there is nothing to lose */
}

err reader_device_key(struct sqlite_reader *r, struct bytes id, int64_t *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, READ_SQL_DEVICE_KEY, &s));
    bind_text(s, 1, id);
    TRY(statement_row(&r->db, s, &got));
    if (!got)
        return &unknown_device;
    *out = sqlite3_column_int64(s, 0);
    return OK;
}

err reader_number(struct sqlite_reader *r, enum read_statement which, int64_t *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(reader_statement(r, which, &s));
    TRY(statement_row(&r->db, s, &got));
    *out = got ? sqlite3_column_int64(s, 0) : 0;
    return OK;
}

static void reader_close(struct store_reader *port)
{
    struct sqlite_reader *r = sqlite_reader_of(port);
    database_close(&r->db);
    mem_drop(r);
}

static const struct store_reader port = {
    .get_device = read_device,
    .list_devices = read_devices,
    .count_devices = read_device_count,
    .latest = read_latest,
    .series = read_series,
    .documents = read_documents,
    .list_events = read_events,
    .list_tokens = read_tokens,
    .find_token = read_token,
    .get_operator = read_operator,
    .count_operators = read_operator_count,
    .list_sessions = read_sessions,
    .find_session = read_session,
    .list_clients = read_clients,
    .list_client_watches = read_client_watches,
    .list_deliveries = read_deliveries,
    .list_received = read_received,
    .list_retained = read_retained,
    .counts = read_counts,
    .close = reader_close,
};

err sqlite_reader_open(const struct sqlite_options *options, struct store_reader **out)
{
    struct sqlite_reader *r = MEM_NEW(struct sqlite_reader);
    if (!r)
        return &no_memory;
    r->port = port;
    const struct database_options how = {options->folder, DATABASE_READS, texts, READ_STATEMENTS, options->log};
    err e = database_open(&how, &r->db);
    if (!e) /* its reads open the log and its index: later there may be no right to open files */
        e = schema_check(&r->db);
    if (!e)
        e = database_run(&r->db, pragmas);
    if (e) {
        reader_close(&r->port);
        return e;
    }
    *out = &r->port;
    return OK;
}
