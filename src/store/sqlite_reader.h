/* A reader's own state, which its files share: sqlite_reader.c and read_*.c (the port's functions, by noun). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"
#include "store/database.h"

#define STATEMENT(name, text) READ_SQL_##name,
enum read_statement {
#include "store/sqlite_reads.def"
    READ_STATEMENTS
};
#undef STATEMENT

struct sqlite_reader {
    struct store_reader port;
    struct database db;
};

struct sqlite_reader *sqlite_reader_of(struct store_reader *port);

/* Lends statement READ_SQL_<name>, for SCOPED(statement_end); see database_statement. */
static inline MUST err reader_statement(struct sqlite_reader *r, enum read_statement which, sqlite3_stmt **out)
{
    return database_statement(&r->db, which, out);
}

/* Several statements over one state of the store: begin, then SCOPED(reader_leave). */
MUST err reader_enter(struct sqlite_reader *r);
void reader_leave(struct sqlite_reader **r);

/* The device's row. ERR_ABSENT. */
MUST err reader_device_key(struct sqlite_reader *r, struct bytes id, int64_t *out);
/* The number that a statement without parameters answers. */
MUST err reader_number(struct sqlite_reader *r, enum read_statement which, int64_t *out);

/* The functions of the port; see core/store.h. */
MUST err read_device(struct store_reader *port, struct bytes id, struct device *out);
MUST err read_devices(struct store_reader *port, const struct device_query *query, struct device_rows *rows);
MUST err read_device_count(struct store_reader *port, const struct device_query *query, uint64_t *out);
MUST err read_counts(struct store_reader *port, struct store_counts *out);
MUST err read_documents(struct store_reader *port, struct bytes device, struct document_rows *rows);
MUST err read_latest(struct store_reader *port, struct bytes device, struct sample_rows *rows);
MUST err read_series(struct store_reader *port, const struct series_query *query, struct sample_rows *rows);
MUST err read_events(struct store_reader *port, const struct event_query *query, struct event_rows *rows);
MUST err read_tokens(struct store_reader *port, struct token_rows *rows);
MUST err read_token(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct token *out);
MUST err read_operator(struct store_reader *port, struct bytes name, struct operator_account *out);
MUST err read_operator_count(struct store_reader *port, uint64_t *out);
MUST err read_sessions(struct store_reader *port, int64_t now_us, struct session_rows *rows);
MUST err read_session(struct store_reader *port, const uint8_t hash[TOKEN_HASH], struct session_record *out);
MUST err read_clients(struct store_reader *port, struct client_rows *rows);
MUST err read_client_watches(struct store_reader *port, struct client_watch_rows *rows);
MUST err read_deliveries(struct store_reader *port, struct delivery_rows *rows);
MUST err read_received(struct store_reader *port, struct received_rows *rows);
MUST err read_retained(struct store_reader *port, struct retained_rows *rows);
