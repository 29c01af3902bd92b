/* The writer's own state, which its files share: sqlite_writer.c (batches) and write_*.c (one function per kind). */
/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include "core/store.h"
#include "store/cache.h"
#include "store/database.h"
#include "store/ledger.h"

#define STATEMENT(name, text) WRITE_SQL_##name,
enum write_statement {
#include "store/sqlite_writes.def"
    WRITE_STATEMENTS
};
#undef STATEMENT

struct sqlite_writer {
    struct store_writer port;
    struct database db;

    /* id -> device.key; the stamp is the last_seen_us that was written. */
    struct cache devices;
    /* device.key, metric -> series.key; the stamp is the time of its newest sample, INT64_MIN without one. */
    struct cache series;
    /* Nothing is known of the rows in `arrival`: they are folded before the next sample is judged by a cached stamp. */
    bool cold;

    struct ledger ledger; /* where the deliveries are */
    struct buffer bytes;  /* of the message that is being kept; only its room lasts */

    int64_t arrivals;       /* rows in `arrival` */
    int64_t arrivals_begin; /* the same when the batch began */
    int64_t tally;          /* what the batch adds to tally.samples */
    int wal_pages;          /* in the write-ahead log after the last commit */
};

/* Lends statement WRITE_SQL_<name>, for SCOPED(statement_end); see database_statement. */
static inline MUST err writer_statement(struct sqlite_writer *w, enum write_statement which, sqlite3_stmt **out)
{
    return database_statement(&w->db, which, out);
}

/* Runs a statement that has no parameter, or one number. */
MUST err writer_run(struct sqlite_writer *w, enum write_statement which);
MUST err writer_run_for(struct sqlite_writer *w, enum write_statement which, int64_t number);
/* As writer_run_for, and gives the first column of the first row; 0 without a row. */
MUST err writer_number_for(struct sqlite_writer *w, enum write_statement which, int64_t number, int64_t *out);

/* The device's row, from the cache or the table. ERR_ABSENT. Lends until the caches are forgotten. */
MUST err writer_device(struct sqlite_writer *w, const char *id, struct cache_entry **out);
void writer_forget(struct sqlite_writer *w); /* both caches: after a roll-back, or when rows were deleted */

/* The bytes of a message, lent until the next call: see store/kept_message.h. */
MUST err writer_bytes(struct sqlite_writer *w, const struct message *message, struct bytes *out);

/* Reads where the deliveries are, unless it is known: when the database is opened, and again after a roll-back. */
MUST err writer_make_ledger(struct sqlite_writer *w);
/* The client's session and all it left; one that is not there is fine. Its deliveries go later, by writer_sweep. */
MUST err writer_drop_client(struct sqlite_writer *w, uint64_t session);
MUST err writer_doom_deliveries(struct sqlite_writer *w, uint64_t session);
/* Some deliveries of sessions that ended, so that the end of a session with very many never makes a commit long. */
MUST err writer_sweep(struct sqlite_writer *w);

/* Moves the rows of `arrival` to `sample`. */
MUST err writer_fold(struct sqlite_writer *w);

/* One per kind of write. ERR_REFUSED, ERR_ABSENT, ERR_EXISTS, ERR_EXPIRED are returned before anything that readers
 * could see was changed: that is what lets the rest of the batch go on without a savepoint. */
typedef err apply_function(struct sqlite_writer *w, const struct write *write, struct write_result *result);
apply_function apply_samples, apply_event, apply_document, apply_presence, apply_enrolment, apply_renewal,
    apply_device_delete, apply_token, apply_token_delete, apply_setup, apply_operator, apply_session,
    apply_session_delete, apply_expire, apply_client, apply_client_delete, apply_client_watch, apply_client_unwatch,
    apply_deliveries, apply_released, apply_delivered, apply_received, apply_received_delete, apply_retained;
/* Of WRITE_EXPIRE: the retained messages. */
MUST err expire_retained(struct sqlite_writer *w, int64_t now_us);
