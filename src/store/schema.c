/* The schema. A step that a release has shipped with never changes; a new need is a new step at the end.
 *
 * Times are microseconds since 1970 UTC, 0 stands for "never". What a device measures is in two tables. `arrival` is
 * where it is appended, in the order it came: a commit of a hundred messages of a hundred devices touches two pages and
 * not a hundred. `sample` is where the writer folds it to (store/write_samples.c), ordered so that one message of a
 * device lies together. No sample is in both, and a series' rows in `arrival` rise in time and are newer than all its
 * rows in `sample`: readers put one behind the other.
 *
 * The kind of a value is SQLite's own: REAL a number, INTEGER an integer, TEXT a text, a BLOB of one byte a truth. */
/* SPDX-License-Identifier: Apache-2.0 */
#include "store/schema.h"

#include <stdio.h>

static const struct fault newer = {
    ERR_UNSUPPORTED, "store: the database was written by a newer release of Holdfast; start that release, or a backup"};
static const struct fault older = {ERR_UNSUPPORTED,
                                   "store: the database has an older schema; open it for writing first"};
static const struct fault not_ours = {ERR_UNSUPPORTED, "store: the file is a database of another application"};

enum { APPLICATION_ID = 0x48464D31 }; /* "HFM1" */

static const char first_schema[] =
    "CREATE TABLE device ("
    " key INTEGER PRIMARY KEY AUTOINCREMENT," /* never given twice: a deleted device's key means nobody */
    " id TEXT NOT NULL UNIQUE,"
    " group_name TEXT NOT NULL,"
    " enrolled_us INTEGER NOT NULL,"
    " last_seen_us INTEGER NOT NULL DEFAULT 0,"
    " connected_us INTEGER NOT NULL DEFAULT 0,"
    " certificate_expires_us INTEGER NOT NULL,"
    " certificate_serial TEXT NOT NULL,"
    " key_fingerprint TEXT NOT NULL) STRICT;"

    "CREATE TABLE series ("
    " key INTEGER PRIMARY KEY AUTOINCREMENT,"
    " device INTEGER NOT NULL REFERENCES device,"
    " metric TEXT NOT NULL,"
    " newest_us INTEGER NOT NULL," /* start of the ten minutes that its newest sample lies in */
    " UNIQUE (device, metric)) STRICT;"

    "CREATE TABLE arrival ("
    " key INTEGER PRIMARY KEY,"
    " device INTEGER NOT NULL REFERENCES device,"
    " series INTEGER NOT NULL REFERENCES series,"
    " time_us INTEGER NOT NULL,"
    " value ANY NOT NULL,"
    " unit TEXT) STRICT;"

    "CREATE TABLE sample ("
    " device INTEGER NOT NULL REFERENCES device,"
    " time_us INTEGER NOT NULL,"
    " series INTEGER NOT NULL REFERENCES series,"
    " value ANY NOT NULL,"
    " unit TEXT,"
    " PRIMARY KEY (device, time_us, series)) STRICT, WITHOUT ROWID;"

    "CREATE TABLE tally ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " samples INTEGER NOT NULL) STRICT;" /* rows of `sample`, exactly: counting them would read them all */
    "INSERT INTO tally VALUES (1, 0);"

    "CREATE TABLE document ("
    " key INTEGER PRIMARY KEY,"
    " device INTEGER NOT NULL REFERENCES device,"
    " name TEXT NOT NULL,"
    " time_us INTEGER NOT NULL,"
    " json TEXT NOT NULL,"
    " UNIQUE (device, name)) STRICT;"

    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* readers resume behind the last id they saw */
    " time_us INTEGER NOT NULL,"
    " kind TEXT NOT NULL,"
    " severity INTEGER NOT NULL,"
    " device TEXT NOT NULL," /* stays when the device is gone */
    " detail TEXT NOT NULL) STRICT;"
    "CREATE INDEX event_device ON event (device) WHERE device <> '';" /* and by id: it is the row's own key */
    "CREATE INDEX event_kind ON event (kind);"

    "CREATE TABLE token ("
    " id TEXT PRIMARY KEY,"
    " hash BLOB NOT NULL UNIQUE,"
    " group_name TEXT NOT NULL,"
    " uses_left INTEGER NOT NULL,"
    " uses_total INTEGER NOT NULL,"
    " made_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL,"
    " made_by TEXT NOT NULL) STRICT;"

    "CREATE TABLE setup ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " hash BLOB NOT NULL,"
    " expires_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE operator ("
    " name TEXT PRIMARY KEY,"
    " password_hash TEXT NOT NULL,"
    " made_us INTEGER NOT NULL) STRICT;"

    "CREATE TABLE session ("
    " hash BLOB PRIMARY KEY,"
    " operator_name TEXT NOT NULL REFERENCES operator,"
    " made_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL) STRICT;";

/* The sessions of clients, and what is to be delivered to them. Numbers of sessions are unsigned and stand here with
 * the same bits.
 *
 * Deliveries are in the order they came: see store/ledger.h. Those of a session that ended stay for some commits more,
 * so they may be of a session that is in no table. A message for one session is in the delivery itself, one for several
 * is in `message` and goes with the last of them. `bytes` are as in store/kept_message.h. */
static const char client_schema[] = "CREATE TABLE client ("
                                    " number INTEGER PRIMARY KEY,"
                                    " owner_kind INTEGER NOT NULL," /* enum principal_kind */
                                    " owner TEXT NOT NULL,"
                                    " client_id TEXT NOT NULL,"
                                    " expiry_s INTEGER NOT NULL,"
                                    " left_us INTEGER NOT NULL,"
                                    " will_delay_s INTEGER NOT NULL,"
                                    " will BLOB,"
                                    " UNIQUE (owner_kind, owner, client_id)) STRICT;"

                                    "CREATE TABLE client_watch ("
                                    " session INTEGER NOT NULL REFERENCES client,"
                                    " filter TEXT NOT NULL,"
                                    " subscription_id INTEGER NOT NULL,"
                                    " qos INTEGER NOT NULL,"
                                    " flags INTEGER NOT NULL," /* CLIENT_WATCH_... */
                                    " PRIMARY KEY (session, filter)) STRICT, WITHOUT ROWID;"

                                    "CREATE TABLE message ("
                                    " key INTEGER PRIMARY KEY,"
                                    " bytes BLOB NOT NULL) STRICT;"

                                    "CREATE TABLE delivery ("
                                    " key INTEGER PRIMARY KEY,"
                                    " session INTEGER NOT NULL,"
                                    " number INTEGER NOT NULL,"
                                    " subscription_id INTEGER NOT NULL,"
                                    " qos INTEGER NOT NULL,"
                                    " flags INTEGER NOT NULL," /* 1: retain, 2: released, and then without a message */
                                    " message INTEGER REFERENCES message,"
                                    " bytes BLOB) STRICT;"

                                    "CREATE TABLE received ("
                                    " session INTEGER NOT NULL REFERENCES client,"
                                    " packet_id INTEGER NOT NULL,"
                                    " PRIMARY KEY (session, packet_id)) STRICT, WITHOUT ROWID;"

                                    "CREATE TABLE retained ("
                                    " key INTEGER PRIMARY KEY,"
                                    " topic TEXT NOT NULL UNIQUE,"
                                    " bytes BLOB NOT NULL) STRICT;";

/* Step n leads from version n to version n + 1. The version is SQLite's user_version. */
static const char *const steps[] = {first_schema, client_schema};
enum { VERSION = sizeof steps / sizeof *steps };

static err read_version(struct database *db, int64_t *version)
{
    int64_t application, tables;
    TRY(database_number(db, "PRAGMA user_version", version));
    TRY(database_number(db, "PRAGMA application_id", &application));
    TRY(database_number(db, "SELECT count(*) FROM sqlite_schema", &tables));
    if (tables && application != APPLICATION_ID)
        return &not_ours;
    return *version > VERSION ? &newer : OK;
}

static err take_step(struct database *db, int64_t from)
{
    char stamp[96];
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT", APPLICATION_ID,
                   (int)from + 1);
    TRY(database_run(db, "BEGIN IMMEDIATE"));
    err e = database_run(db, steps[from]);
    if (!e)
        e = database_run(db, stamp);
    if (e && !sqlite3_get_autocommit(db->handle))
        IGNORE(database_run(db, "ROLLBACK")); /* the step's own failure is what is reported */
    return e;
}

err schema_recognise(struct database *db)
{
    int64_t version;
    return read_version(db, &version);
}

err schema_migrate(struct database *db)
{
    int64_t version;
    TRY(read_version(db, &version));
    for (; version < VERSION; version++) {
        TRY(take_step(db, version));
        log_line(&db->log, LOG_INFO, "store migrated", "schema=%d", (int)version + 1);
    }
    return OK;
}

err schema_check(struct database *db)
{
    int64_t version;
    TRY(read_version(db, &version));
    return version < VERSION ? &older : OK;
}
