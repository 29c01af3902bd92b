/* The writing side on SQLite: batches as transactions, the table of kinds, and the bound on the write-ahead log. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sqlite_writer.h"

#include "base/list.h"
#include "base/memory.h"
#include "store/kept_message.h"
#include "store/schema.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <string.h>

static const struct fault no_memory = {ERR_MEMORY, "store: no memory"};
static const struct fault unknown_device = {ERR_ABSENT, "store: there is no such device"};
static const struct fault damaged = {ERR_IO, "store: the check found damage; the log says where"};

enum {
    PAGE_BYTES = 4096,
    /* From SOFT on each commit copies what it can of the log into the database. Readers that never leave a gap could
     * keep the log from being started over; from HARD on the writer waits for them. */
    WAL_PAGES_SOFT = 4096,
    WAL_PAGES_HARD = 4 * WAL_PAGES_SOFT,
    FOLD_ROWS = 16384, /* readers scan `arrival`: about a millisecond at this size */
    DEVICES_CACHED = 65536,
    SERIES_CACHED = 262144,
};

/* A commit writes whole pages and most commits touch many pages a little, so pages are small. */
static const char pragmas[] = "PRAGMA page_size = 4096;"
                              "PRAGMA journal_mode = WAL;"
                              "PRAGMA synchronous = FULL;"
                              "PRAGMA cache_size = -32768;"
                              "PRAGMA journal_size_limit = 67108864;"
                              "PRAGMA secure_delete = FAST;";

#define STATEMENT(name, text) text,
static const char *const texts[WRITE_STATEMENTS] = {
#include "store/sqlite_writes.def"
};
#undef STATEMENT

static apply_function *const applies[WRITE_KINDS] = {
    [WRITE_SAMPLES] = apply_samples,
    [WRITE_EVENT] = apply_event,
    [WRITE_DOCUMENT] = apply_document,
    [WRITE_PRESENCE] = apply_presence,
    [WRITE_ENROLMENT] = apply_enrolment,
    [WRITE_RENEWAL] = apply_renewal,
    [WRITE_DEVICE_DELETE] = apply_device_delete,
    [WRITE_TOKEN] = apply_token,
    [WRITE_TOKEN_DELETE] = apply_token_delete,
    [WRITE_SETUP] = apply_setup,
    [WRITE_OPERATOR] = apply_operator,
    [WRITE_SESSION] = apply_session,
    [WRITE_SESSION_DELETE] = apply_session_delete,
    [WRITE_CLIENT] = apply_client,
    [WRITE_CLIENT_DELETE] = apply_client_delete,
    [WRITE_CLIENT_WATCH] = apply_client_watch,
    [WRITE_CLIENT_UNWATCH] = apply_client_unwatch,
    [WRITE_DELIVERIES] = apply_deliveries,
    [WRITE_RELEASED] = apply_released,
    [WRITE_DELIVERED] = apply_delivered,
    [WRITE_RECEIVED] = apply_received,
    [WRITE_RECEIVED_DELETE] = apply_received_delete,
    [WRITE_RETAINED] = apply_retained,
    [WRITE_EXPIRE] = apply_expire,
};

static struct sqlite_writer *writer_of(struct store_writer *port)
{
    return CONTAINER(port, struct sqlite_writer, port);
}

err writer_run(struct sqlite_writer *w, enum write_statement which)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    return statement_run(&w->db, s);
}

err writer_run_for(struct sqlite_writer *w, enum write_statement which, int64_t number)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    TRY(writer_statement(w, which, &s));
    bind_number(s, 1, number);
    return statement_run(&w->db, s);
}

err writer_number_for(struct sqlite_writer *w, enum write_statement which, int64_t number, int64_t *out)
{
    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, which, &s));
    bind_number(s, 1, number);
    TRY(statement_row(&w->db, s, &got));
    *out = got ? sqlite3_column_int64(s, 0) : 0;
    return OK;
}

err writer_device(struct sqlite_writer *w, const char *id, struct cache_entry **out)
{
    struct bytes key = bytes_of_text(id);
    *out = cache_find(&w->devices, key);
    if (*out)
        return OK;

    SCOPED(statement_end) sqlite3_stmt *s = NULL;
    bool got;
    TRY(writer_statement(w, WRITE_SQL_FIND_DEVICE, &s));
    bind_text(s, 1, key);
    TRY(statement_row(&w->db, s, &got));
    if (!got)
        return &unknown_device;
    if (cache_is_full(&w->devices))
        cache_forget(&w->devices);
    *out = cache_add(&w->devices, key);
    if (!*out)
        return &no_memory;
    (*out)->row = sqlite3_column_int64(s, 0);
    (*out)->stamp = sqlite3_column_int64(s, 1);
    return OK;
}

void writer_forget(struct sqlite_writer *w)
{
    cache_forget(&w->devices);
    cache_forget(&w->series);
    w->cold = true;
}

err writer_bytes(struct sqlite_writer *w, const struct message *message, struct bytes *out)
{
    w->bytes.max = KEPT_MESSAGE_MAX;
    TRY(kept_message_write(message, &w->bytes));
    *out = buffer_view(&w->bytes);
    return OK;
}

/* --- batches --- */

static err writer_begin(struct store_writer *port)
{
    struct sqlite_writer *w = writer_of(port);
    w->arrivals_begin = w->arrivals;
    w->tally = 0;
    return writer_run(w, WRITE_SQL_BEGIN);
}

static err writer_apply(struct store_writer *port, const struct write *write, struct write_result *result)
{
    result->id = 0;
    result->group[0] = 0;
    return applies[write->kind](writer_of(port), write, result);
}

/* What the log holds is safe already, so a failure here is logged and tried again after the next commit. While a disk
 * is full the log cannot be emptied and grows until commits fail; then they succeed again when there is room. */
static void bound_wal(struct sqlite_writer *w)
{
    if (w->wal_pages < WAL_PAGES_SOFT)
        return;
    int mode = w->wal_pages < WAL_PAGES_HARD ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART;
    int code = sqlite3_wal_checkpoint_v2(w->db.handle, NULL, mode, NULL, NULL);
    if (code != SQLITE_OK && code != SQLITE_BUSY)
        IGNORE(database_fault(&w->db, code));
}

static err writer_commit(struct store_writer *port)
{
    struct sqlite_writer *w = writer_of(port);
    if (w->arrivals >= FOLD_ROWS)
        TRY(writer_fold(w));
    TRY(writer_sweep(w));
    if (w->tally)
        TRY(writer_run_for(w, WRITE_SQL_TALLY, w->tally));
    TRY(writer_run(w, WRITE_SQL_COMMIT));
    w->db.last_said = SQLITE_OK;
    bound_wal(w);
    return OK;
}

/* SQLite has rolled back by itself after some failures. What the caches learned in the batch may be gone. */
static void writer_rollback(struct store_writer *port)
{
    struct sqlite_writer *w = writer_of(port);
    if (!sqlite3_get_autocommit(w->db.handle))
        IGNORE(writer_run(w, WRITE_SQL_ROLLBACK)); /* cannot leave the batch in: the next BEGIN would say so */
    w->arrivals = w->arrivals_begin;
    writer_forget(w);
    ledger_forget(&w->ledger);
}

static void writer_close(struct store_writer *port)
{
    struct sqlite_writer *w = writer_of(port);
    writer_forget(w);
    ledger_forget(&w->ledger);
    buffer_drop(&w->bytes);
    database_close(&w->db);
    mem_drop(w);
}

/* --- opening --- */

static int log_grew(void *self, sqlite3 *handle, const char *name, int pages)
{
    struct sqlite_writer *w = self;
    w->wal_pages = pages;
    return SQLITE_OK;
}

static err bound_size(struct sqlite_writer *w, uint64_t bytes_max)
{
    char sql[64];
    if (!bytes_max)
        return OK;
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count = %llu", (unsigned long long)(bytes_max / PAGE_BYTES));
    return database_run(&w->db, sql);
}

/* A server that was killed could not say that its sessions ended. The commit is made whether there were any or not: it
 * opens whatever SQLite opens late, such as the folder to sync it for a new log, while that is still allowed. */
static err first_commit(struct sqlite_writer *w)
{
    return database_run(&w->db, "BEGIN IMMEDIATE;"
                                "UPDATE device SET connected_us = 0 WHERE connected_us <> 0;"
                                "UPDATE tally SET samples = samples;"
                                "COMMIT");
}

static err prepare(struct sqlite_writer *w, const struct sqlite_options *options)
{
    uint64_t seed;
    TRY(schema_recognise(&w->db)); /* before the pragmas, which change the file */
    TRY(database_run(&w->db, pragmas));
    TRY(bound_size(w, options->bytes_max));
    TRY(schema_migrate(&w->db));
    TRY(first_commit(w));
    TRY(database_number(&w->db, "SELECT count(*) FROM arrival", &w->arrivals));
    (void)sqlite3_wal_hook(w->db.handle, log_grew, w);
    sqlite3_randomness(sizeof seed, &seed);
    cache_open(&w->devices, DEVICES_CACHED, seed);
    cache_open(&w->series, SERIES_CACHED, seed);
    ledger_open(&w->ledger, seed);
    w->cold = true;
    return writer_make_ledger(w);
}

err sqlite_writer_open(const struct sqlite_options *options, struct store_writer **out)
{
    struct sqlite_writer *w = MEM_NEW(struct sqlite_writer);
    if (!w)
        return &no_memory;
    w->port = (struct store_writer){writer_begin, writer_apply, writer_commit, writer_rollback, writer_close};
    const struct database_options how = {options->folder, DATABASE_WRITES, texts, WRITE_STATEMENTS, options->log};
    err e = database_open(&how, &w->db);
    if (!e)
        e = prepare(w, options);
    if (e) {
        writer_close(&w->port);
        return e;
    }
    *out = &w->port;
    return OK;
}

/* The first row of both pragmas says "ok", or nothing, when all is well. */
static err check_finds_nothing(struct sqlite_writer *w, const char *sql)
{
    sqlite3_stmt *s = NULL;
    err e = database_fault(&w->db, sqlite3_prepare_v2(w->db.handle, sql, -1, &s, NULL));
    bool got = false;
    if (!e)
        e = statement_row(&w->db, s, &got);
    if (!e && got && !bytes_is(column_view(s, 0), "ok")) {
        log_line(&w->db.log, LOG_ERROR, "the store is damaged", "found=\"%s\"",
                 (const char *)sqlite3_column_text(s, 0));
        e = &damaged;
    }
    (void)sqlite3_finalize(s); /* repeats the error of the step */
    return e;
}

err sqlite_writer_check(struct store_writer *writer)
{
    struct sqlite_writer *w = writer_of(writer);
    TRY(check_finds_nothing(w, "PRAGMA integrity_check(1)"));
    TRY(check_finds_nothing(w, "PRAGMA foreign_key_check"));
    return OK;
}
