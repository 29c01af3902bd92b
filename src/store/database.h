/* One connection to SQLite: opening it, its cached statements, and its failures in our words. */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "base/buffer.h"
#include "os/log.h"

#include <sqlite3.h>

enum { SQL_TEXT_MAX = 2048 };

/* Used by one thread at a time. Statements are prepared when they are first asked for and kept until the end. */
struct database {
    sqlite3 *handle;
    const char *const *texts; /* the SQL of statement 0..count-1; constants */
    sqlite3_stmt **statements;
    size_t count;
    struct log log;
    int last_said; /* the SQLite code that was logged last: a trouble is one line, not one per batch */
};

enum database_use { DATABASE_READS = 0, DATABASE_WRITES };

struct database_options {
    const char *folder;
    enum database_use use;
    const char *const *texts;
    size_t count;
    struct log log;
};

/* Borrows options until it returns. On failure nothing is left open. */
MUST err database_open(const struct database_options *options, struct database *out);
void database_close(struct database *db); /* a database that is all zero is fine */

MUST err database_run(struct database *db, const char *sql); /* one or more statements that answer nothing of interest */
MUST err database_number(struct database *db, const char *sql, int64_t *out); /* the first column of the first row */

/* The fault for an SQLite result code, logged with SQLite's own words; OK for SQLITE_OK, _ROW and _DONE. ERR_FULL for
 * a disk, quota or file size bound that is reached, ERR_MEMORY, otherwise ERR_IO: all three spoil a batch. */
MUST err database_fault(struct database *db, int code);

/* Lends statement `which`, reset and without bindings; NULL and *why on failure. Give it back with statement_end:
 *     SCOPED(statement_end) sqlite3_stmt *s = NULL;
 *     TRY(database_statement(db, READ_DEVICE, &s)); */
MUST err database_statement(struct database *db, size_t which, sqlite3_stmt **out);
void statement_end(sqlite3_stmt **s);

/* Bindings are borrowed until statement_end. They cannot fail for a place that exists in the SQL: nothing is copied. */
void bind_text(sqlite3_stmt *s, int place, struct bytes text);
void bind_word(sqlite3_stmt *s, int place, const char *text);
void bind_blob(sqlite3_stmt *s, int place, struct bytes blob);
void bind_number(sqlite3_stmt *s, int place, int64_t number);

MUST err statement_run(struct database *db, sqlite3_stmt *s);            /* to its end; ready to be bound and run again */
MUST err statement_row(struct database *db, sqlite3_stmt *s, bool *got); /* the next row, if there is one */
int64_t database_changes(const struct database *db);                     /* rows that the last run touched */

/* Columns of the present row. Lends until the next row. */
struct bytes column_view(sqlite3_stmt *s, int column);
/* Copies into out with a NUL; what does not fit is ERR_IO: the file was not written by us. */
MUST err column_text(sqlite3_stmt *s, int column, char *out, size_t room);
MUST err column_exactly(sqlite3_stmt *s, int column, uint8_t *out, size_t len);
